"""Both ankles: the draft's figures, and two sides tied together on exactly the told days."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.calendars import Calendar
from app.domain.engine import solve
from app.domain.facts import Anchor, OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Step
from app.domain.rules import MinGapBetween, NoOverlap, Readiness, Washout
from app.domain.schedules import Conflict, Schedule
from app.services.library import library_clinic_rules, library_protocol
from tests.library.drafts import BILATERAL, FOLDER, Data, needs_drafts, read, triple

DOCUMENT = library_protocol(BILATERAL[0])
PROTOCOL = DOCUMENT.protocol
SIDE = library_protocol("ankle-stem-cell-prp-full").protocol
SHARED = {"consult", "orthotic_impression", "orthotic_fitting", "orthotic_check"}


def given(name: str) -> Data:
    """A step or constraint of the draft."""
    draft = read(f"{BILATERAL[1]}.yaml")
    items = [*draft["steps"], *draft["constraints"], *draft["parameters"]]
    found: Data = next(one for one in items if name in (one.get("key"), one.get("id")))
    return found


def days_of(step: Step) -> list[tuple[int | None, ...]]:
    """Earliest, target and latest of each of a step's timings, in days."""
    options = step.alternatives.options if step.alternatives else ()
    bounds = [t.bounds for t in (*step.timings, *(timing for _, timing in options))]
    return [tuple(days(o) for o in (b.earliest, b.target, b.latest)) for b in bounds]


def days(offset: Offset | None) -> int | None:
    return None if offset is None else offset.fixed_days


def our(key: str) -> Step:
    """A step of ours."""
    step = PROTOCOL.step(key)
    assert step is not None
    return step


def test_each_side_is_the_one_sided_protocol_and_shared_steps_are_there_once() -> None:
    keys = [step.key for step in SIDE.steps]
    first = [f"side_a_{key}" for key in keys]
    second = [f"side_b_{key}" for key in keys if key not in SHARED]

    assert [step.key for step in PROTOCOL.steps] == [*first, *second, "gate_side_b"]
    assert our("side_b_session").details.requires == ("side_a_consult",)
    assert our("side_a_booster").title == "First ankle: PRP booster"


@needs_drafts
def test_what_ties_the_sides_together_has_the_drafts_figures() -> None:
    link, gate = given("side_b_start"), given("gate_side_b")
    assert FOLDER.is_dir()

    assert days_of(our("side_b_session")) == [
        triple(link["offset"]),
        triple(link["variants"][0]["offset"]),
    ]
    assert days_of(our("gate_side_b")) == [triple(gate["offset"])]
    assert our("gate_side_b").details.minutes == gate["appointment"]["minutes"]
    assert dict(our("gate_side_b").details.sources) == {
        "timing": tuple(gate["sources"]["offset"]),
        "minutes": tuple(gate["sources"]["minutes"]),
        "choices": tuple(gate["sources"]["choices"]),
    }
    shift = our("gate_side_b").choices[1].effects[1]
    assert (shift.steps, days(shift.offset)) == (
        ("side_b_session",),
        gate["choices"][1]["shifts"]["days"],
    )


@needs_drafts
def test_rules_of_both_sides_have_the_drafts_figures() -> None:
    rules = {rule.id: rule for rule in PROTOCOL.rules}
    foot, booster = rules["one-foot-at-a-time"], rules["booster-away-from-other-session"]
    marrow, help_at_home = rules["marrow-once"], rules["same-day-help"]

    for rule in (foot, booster, marrow, help_at_home):
        wanted = given(rule.id)
        assert (rule.severity, list(rule.sources)) == (wanted["action"], wanted["sources"])
    assert isinstance(foot, NoOverlap)
    assert foot.waiver_role == given(foot.id)["override"]
    assert isinstance(booster, MinGapBetween)
    assert days(booster.offset) == given(booster.id)["days"]
    assert isinstance(marrow, MinGapBetween)
    assert days(marrow.offset) == given(marrow.id)["per"]["value"]
    elsewhere = rules["marrow-once-elsewhere"]
    assert isinstance(elsewhere, Washout)
    assert {days(offset) for offset in (elsewhere.before, elsewhere.after)} == {days(marrow.offset)}
    assert (elsewhere.severity, elsewhere.sources) == (marrow.severity, marrow.sources)
    assert {our(step).agent for step in elsewhere.applies_to} == {elsewhere.agent}
    assert isinstance(help_at_home, Readiness)
    assert help_at_home.findings == set(given(help_at_home.id)["findings"])


# Calendar B: the first session on 6 April 2027.
TOLD = Problem(
    protocol=PROTOCOL,
    as_of=date(2027, 1, 4),
    calendar=Calendar(frozenset({1, 2, 3, 4, 5})),
    anchor=Anchor(OccurrenceId("side_a_session"), date(2027, 4, 6)),
    laterality="bilateral",
)


def solved(problem: Problem) -> Schedule:
    found = solve(problem)
    assert isinstance(found, Schedule), found
    return found


STORY_13 = {
    "side_a_session": date(2027, 4, 6),
    "gate_side_b": date(2027, 4, 23),
    "side_b_session": date(2027, 5, 4),
    "side_a_booster": date(2027, 5, 18),
    "side_b_booster": date(2027, 6, 15),
    "side_a_nsaid_free": date(2027, 3, 23),
    "side_b_nsaid_free": date(2027, 4, 20),
    "side_b_booster_nsaid_free": date(2027, 6, 1),
}


@pytest.mark.parametrize("with_clinic_rules", [False, True])
def test_story_13_has_its_days(with_clinic_rules: bool) -> None:
    rules = library_clinic_rules().rules_for(PROTOCOL) if with_clinic_rules else ()
    protocol = replace(PROTOCOL, rules=(*PROTOCOL.rules, *rules))

    found = solved(replace(TOLD, protocol=protocol))

    assert {key: found.day_of(OccurrenceId(key)) for key in STORY_13} == STORY_13
    assert found.breaches == ()


def test_the_second_side_waits_for_the_gate() -> None:
    decided = replace(TOLD, decided={"gate_side_b": "go"})

    before = {str(step.id): step.tentative for step in solved(TOLD).steps}
    after = {str(step.id): step.tentative for step in solved(decided).steps}

    assert before["side_b_session"]
    assert not before["side_a_session"]
    assert not after["side_b_session"]
    assert after["side_b_booster"], "its own decision is still open"


def test_delayed_the_second_session_meets_the_first_booster_and_that_is_told() -> None:
    shifted = replace(TOLD, decided={"gate_side_b": "delay"}, shifts={"side_b_session": 14})

    found = solved(shifted)

    assert found.day_of(OccurrenceId("side_b_session")) == date(2027, 5, 18)
    assert [breach.rule for breach in found.breaches] == ["booster-away-from-other-session"]


def test_cancelled_the_second_side_is_gone_and_the_first_stays() -> None:
    found = solved(replace(TOLD, decided={"gate_side_b": "cancel"}))

    keys = {step.id.step for step in found.steps}
    assert not any(key.startswith("side_b_") for key in keys)
    assert {f"side_a_{step.key}" for step in SIDE.steps} <= keys


def test_on_one_day_both_sides_are_treated_and_nothing_is_to_be_decided() -> None:
    found = solved(replace(TOLD, parameters={"mode": "same_day"}))

    sides = [found.day_of(OccurrenceId(f"side_{side}_session")) for side in "ab"]
    assert sides == [date(2027, 4, 6)] * 2
    assert found.day_of(OccurrenceId("gate_side_b")) is None
    assert not next(s for s in found.steps if s.id.step == "side_b_session").tentative


def test_one_foot_is_protected_at_a_time() -> None:
    # A first side whose protection lasts 60 days reaches into the second's.
    steps = tuple(
        replace(step, span=Offset.of_days(60)) if step.key == "side_a_protect" else step
        for step in PROTOCOL.steps
    )

    found = solve(replace(TOLD, protocol=replace(PROTOCOL, steps=steps)))

    assert isinstance(found, Conflict)
    assert "rule:one-foot-at-a-time" in {element.id for element in found.elements}
