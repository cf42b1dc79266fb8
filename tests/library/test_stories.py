"""The told stories come out of the built-in protocols themselves, with the real engine."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.domain.engine import solve
from app.domain.facts import OccurrenceId, Performed, Reported
from app.domain.problem import Problem
from app.domain.schedules import Conflict, Schedule
from app.services.library import library_clinic_rules, library_protocol
from tests.domain.given_vectors import Given, problem_of, vectors

STORIES = {case["id"]: case for case in vectors("scenarios")}

ANKLE, PROLO, KNEE, LADDER = (
    "ankle-stem-cell-prp-full",
    "ankle-prolotherapy-series",
    "knee-bmac-three-part",
    "mortons-neuroma-ladder",
)


def told_by(story: str, key: str) -> tuple[Given, Problem]:
    """The problem of a story with the protocol of the library in the place of the vector's."""
    case = STORIES[story]
    problem = problem_of(case["given"])
    protocol = library_protocol(key).protocol
    known = {parameter.key for parameter in protocol.parameters}
    parameters = {name: v for name, v in problem.parameters.items() if name in known}
    return case["expect"], replace(problem, protocol=protocol, parameters=parameters)


def solved(problem: Problem) -> Schedule:
    found = solve(problem)
    assert isinstance(found, Schedule), found
    return found


def assert_told(expect: Given, found: Schedule) -> None:
    """Dates, ends and windows of the story."""
    placed = {str(step.id): step for step in found.steps}
    assert {name: _text(placed[name].day) for name in expect["dates"]} == expect["dates"]
    for name, end in expect.get("ends", {}).items():
        assert _text(placed[name].end) == end
    for name, window in expect.get("windows", {}).items():
        ours = placed[name].window
        assert ours is not None
        days = {"earliest": ours.earliest, "target": ours.target, "latest": ours.latest}
        assert {part: _text(day) for part, day in days.items()} == window


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


each_story = pytest.mark.parametrize(
    "story, key",
    [
        ("story-01", ANKLE),
        ("story-05-plan", PROLO),
        ("story-12-plan", KNEE),
        ("story-14-plan", LADDER),
    ],
)


@each_story
def test_a_story_has_its_dates(story: str, key: str) -> None:
    expect, problem = told_by(story, key)

    assert_told(expect, solved(problem))


@pytest.mark.parametrize("story", ["story-01", "story-05-plan", "story-12-plan", "story-14-plan"])
def test_importances_are_those_of_the_stories(story: str) -> None:
    key = {
        "story-01": ANKLE,
        "story-05-plan": PROLO,
        "story-12-plan": KNEE,
        "story-14-plan": LADDER,
    }
    ours = library_protocol(key[story]).protocol

    for step in problem_of(STORIES[story]["given"]).protocol.steps:
        found = ours.step(step.key)
        assert found is not None
        if step.timepoints:
            points = [point.importance for point in found.timepoints]
            assert set(points) == {step.importance}
        else:
            assert (found.importance, found.any_day) == (step.importance, step.any_day), step.key


def test_the_clinics_default_rules_leave_story_1_as_it_is() -> None:
    expect, problem = told_by("story-01", ANKLE)
    protocol = problem.protocol
    rules = (*protocol.rules, *library_clinic_rules().rules_for(protocol))

    found = solved(replace(problem, protocol=replace(protocol, rules=rules)))

    assert_told(expect, found)
    assert found.breaches == ()


def test_the_booster_is_tentative_until_it_is_decided() -> None:
    _, problem = told_by("story-01", ANKLE)

    before = {str(step.id): step.tentative for step in solved(problem).steps}
    decided = {"booster_decision": "booster_six_weeks"}
    after = {str(s.id): s.tentative for s in solved(replace(problem, decided=decided)).steps}

    assert (before["booster"], before["booster_nsaid_free"], before["session"]) == (
        True,
        True,
        False,
    )
    assert not any(after.values())


@pytest.mark.parametrize(
    "choice, booster",
    [
        ("booster_six_weeks", date(2027, 4, 21)),
        ("booster_eight_weeks", date(2027, 5, 5)),
        ("no_booster", None),
        ("refer", None),
    ],
)
def test_the_physician_decides_the_booster(choice: str, booster: date | None) -> None:
    _, problem = told_by("story-01", ANKLE)

    found = solved(replace(problem, decided={"booster_decision": choice}))

    assert found.day_of(OccurrenceId("booster")) == booster
    assert found.day_of(OccurrenceId("followup", "m3")) == date(2027, 6, 9)


def test_a_steroid_elsewhere_blocks_the_session() -> None:
    _, problem = told_by("story-01", ANKLE)
    steroid = Reported(
        "steroid", date(2027, 2, 24), agent="corticosteroid_injection", laterality="right"
    )
    done = tuple(
        Performed(OccurrenceId(step, number), date.fromisoformat(day))
        for step, number, day in (
            ("consult", None, "2027-01-13"),
            ("primer", 2, "2027-02-02"),
            ("primer", 1, "2027-02-23"),
        )
    )
    late = replace(
        problem, as_of=date(2027, 3, 5), performed=done, reported=(steroid,), absences=()
    )

    found = solve(late)

    assert isinstance(found, Conflict)
    assert {element.id for element in found.elements} == {
        "anchor:session",
        "rule:steroid-before-session",
        "event:steroid",
    }


@pytest.mark.parametrize(
    "choice, dated",
    [
        pytest.param(
            "steroid",
            {
                "steroid/1": "2027-04-13",
                "steroid_rest": "2027-04-13",
                "steroid_review": "2027-05-04",
                "decide_2": "2027-07-06",
            },
            id="steroid",
        ),
        pytest.param(
            "alcohol",
            {
                "alcohol/1": "2027-04-20",
                "alcohol/5": "2027-05-18",
                "alcohol_review": "2027-06-29",
                "decide_3": "2027-08-16",
            },
            id="alcohol",
        ),
        pytest.param("surgery", {"surgery_consult": "2027-04-27"}, id="surgery"),
        pytest.param("resolved", {}, id="better"),
    ],
)
def test_each_choice_of_the_ladder_brings_its_rung(choice: str, dated: dict[str, Any]) -> None:
    _, problem = told_by("story-14-plan", LADDER)

    found = solved(replace(problem, decided={"decide_1": choice}))

    waiting = {step.key for step in problem.protocol.steps if step.on_decision}
    days = {str(step.id): _text(step.day) for step in found.steps if step.id.step in waiting}
    assert dated.items() <= days.items()
    assert bool(days) is bool(dated)
