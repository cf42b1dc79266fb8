"""The front desk's stories over HTTP: a plan is looked at, booked, or refused with ways out."""

from typing import Any

import pytest

from tests.api.given_plans import (
    START,
    Data,
    Desk,
    days_of,
    good,
    steps_of,
)

AWAY = [{"from": "2027-02-10", "to": "2027-02-20"}]
STORY_1 = {
    "consult": "2027-01-13",
    "baseline_outcomes": "2027-02-24",
    "orthotic_impression": "2027-02-03",
    "orthotic_fitting": "2027-02-24",
    "primer/1": "2027-02-23",
    "primer/2": "2027-02-02",
    "nsaid_free": "2027-02-24",
    "pre_check": "2027-03-05",
    "session": "2027-03-10",
    "call_day3": "2027-03-12",
    "protect": "2027-03-10",
    "rehab_start": "2027-03-19",
    "rehab_visits/1": "2027-03-26",
    "rehab_visits/2": "2027-04-02",
    "rehab_visits/3": "2027-04-09",
    "rehab_visits/4": "2027-04-16",
    "orthotic_check": "2027-03-17",
    "followup_2w": "2027-03-24",
    "booster_decision": "2027-04-14",
    "booster": "2027-04-21",
    "booster_nsaid_free": "2027-04-07",
    "loading_phase": "2027-03-31",
    "followup/m3": "2027-06-09",
    "followup/m6": "2027-09-08",
    "followup/m12": "2028-03-09",
}
ENDS = {
    "nsaid_free": "2027-03-24",
    "protect": "2027-03-17",
    "booster_nsaid_free": "2027-05-05",
    "loading_phase": "2027-06-02",
}
TENTATIVE = {"booster", "booster_nsaid_free"}
NOT_ON_TARGET = {"primer/1", "call_day3", "rehab_start"}


async def test_story_1_gives_exactly_its_days(desk: Desk) -> None:
    plan = await desk.plan(unavailable=AWAY)

    steps = steps_of(plan)
    assert days_of(plan) == STORY_1
    assert {name: s["end_date"] for name, s in steps.items() if s["end_date"]} == ENDS
    assert {name for name, step in steps.items() if step["tentative"]} == TENTATIVE
    assert plan["anchor"] == {"step": "session", "date": "2027-03-10"}
    assert plan["next_step"] == steps["consult"]["id"]
    assert (plan["needs_attention"], plan["breaches"]) == ([], [])


async def test_every_day_has_a_reason_and_every_shifted_one_says_what_stood_in_the_way(
    desk: Desk,
) -> None:
    plan = await desk.plan(unavailable=AWAY)

    steps = steps_of(plan)
    codes = {name: [r["code"] for r in step["reasons"]] for name, step in steps.items()}
    assert all(codes.values())
    assert {name for name, step in steps.items() if step["deviation_days"]} == NOT_ON_TARGET
    assert codes["primer/1"] == ["target", "unavailable", "nearest"]
    assert codes["call_day3"] == codes["rehab_start"] == ["target", "weekday", "nearest"]
    assert steps["primer/1"]["reasons"][1] == {
        "code": "unavailable",
        "text": "the patient is away from 2027-02-10 to 2027-02-20",
        "rule": "unavailable:asked-1",
    }
    others = codes.keys() - NOT_ON_TARGET - {"session"}
    assert {name: codes[name] for name in others} == {key: ["on_target"] for key in others}
    assert codes["session"] == ["asked"]


async def test_a_primer_is_named_by_its_place_in_time_and_keeps_its_window(desk: Desk) -> None:
    plan = await desk.plan(unavailable=AWAY)

    nearest, first = (steps_of(plan)[name] for name in ("primer/1", "primer/2"))
    assert [(s["occurrence"], s["ordinal"], s["of"]) for s in (nearest, first)] == [
        (1, 2, 2),
        (2, 1, 2),
    ]
    assert nearest["window"] == {
        "earliest": "2027-02-03",
        "target": "2027-02-17",
        "latest": "2027-02-24",
    }
    assert (nearest["deviation_days"], first["deviation_days"]) == (6, 0)


async def test_instructions_come_with_the_day_on_which_they_are_due(desk: Desk) -> None:
    plan = await desk.plan(unavailable=AWAY)

    due = {
        name: [instruction["date"] for instruction in step["instructions"]]
        for name, step in steps_of(plan).items()
        if step["instructions"]
    }
    assert due == {
        "consult": ["2027-01-10"],
        "orthotic_fitting": ["2027-02-24"],
        "primer/1": ["2027-02-16", "2027-02-23"],
        "primer/2": ["2027-01-26", "2027-02-02"],
        "nsaid_free": ["2027-02-24"],
        "session": ["2027-03-08", "2027-03-10"],
        "loading_phase": ["2027-05-05"],
    }


async def test_without_the_absence_the_primers_are_on_their_targets(desk: Desk) -> None:
    days = days_of(await desk.previewed())

    assert (days["primer/2"], days["primer/1"]) == ("2027-01-27", "2027-02-17")


def _nameless(plan: Data) -> Data:
    """A plan without what only a stored one has."""
    apart = {"id", "revision", "next_step", "created_at", "updated_at", "steps"}
    steps = [
        {key: value for key, value in step.items() if key not in {"id", "allowed_changes"}}
        for step in plan["steps"]
    ]
    return {key: value for key, value in plan.items() if key not in apart} | {"steps": steps}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"unavailable": AWAY}, id="story 1"),
        pytest.param({"status": "draft"}, id="a draft"),
        pytest.param({"anchor": {"earliest_from": "2027-03-06"}}, id="as early as possible"),
        pytest.param(
            {"changes": [{"type": "report", "agent": "nsaid", "on": "2027-01-04"}]}, id="a report"
        ),
        pytest.param({"laterality": "left", "parameters": {"primer_count": 0}}, id="no primers"),
    ],
)
async def test_a_preview_is_the_plan_that_would_be_created_but_for_its_ids(
    desk: Desk, fields: Data
) -> None:
    before = await desk.rows()

    previewed = await desk.previewed(**fields)

    assert await desk.rows() == before
    assert [previewed[key] for key in ("id", "revision", "next_step")] == [None, None, None]
    assert {step["id"] for step in previewed["steps"]} == {None}
    assert _nameless(previewed) == _nameless(await desk.plan(**fields))


async def test_a_created_plan_is_read_back_as_it_was_answered(desk: Desk) -> None:
    body = desk.body(
        unavailable=AWAY,
        condition="Chronic ankle pain",
        practitioner="Dr Example",
        note="first line\nsecond line",
        identifiers=[{"system": "urn:example:ehr", "value": f"plan-{desk.mrn['value']}"}],
    )

    answer = await desk.post(body)

    read = await desk.api.get(answer.headers["location"])
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/plans/{answer.json()['id']}"
    assert (read.json(), read.headers["etag"]) == (answer.json(), answer.headers["etag"])
    assert {key: read.json()[key] for key in ("condition", "practitioner", "note")} == {
        key: body[key] for key in ("condition", "practitioner", "note")
    }
    assert read.json()["identifiers"] == body["identifiers"]


STORY_3: Data = {
    "anchor": {"date": "2027-03-11"},
    "parameters": {"primer_count": 2, "orthotics": "already_has"},
    "changes": [{"type": "perform", "step": "consult", "on": "2027-02-10"}],
}
CONSULTATION_DAY = "2027-03-03T09:00:00-07:00"


async def test_story_3_is_refused_with_its_reasons_and_its_three_offers(desk: Desk) -> None:
    await desk.at(CONSULTATION_DAY)

    problem = await desk.refused(**STORY_3)

    assert (problem["status"], problem["type"]) == (409, "schedule-conflict")
    assert problem["conflict"]["elements"] == [
        {"id": "anchor:session", "text": "session is asked for on Thu 2027-03-11"},
        {
            "id": "timing:primer/1.latest",
            "text": "primer 2 is at least 14 days before session",
        },
        {"id": "as_of", "text": "today is Wed 2027-03-03"},
    ]
    asked = [
        (o["request"]["anchor"]["date"], o["request"]["parameters"]["primer_count"])
        for o in problem["options"]
    ]
    assert asked == [("2027-03-31", 2), ("2027-04-14", 2), ("2027-03-11", 0)]
    assert [(o["moves"], o["needs_role"]) for o in problem["options"]] == [([], None)] * 3


async def test_story_3s_offers_give_the_days_they_promise(desk: Desk) -> None:
    await desk.at(CONSULTATION_DAY)
    problem = await desk.refused(**STORY_3)

    plans = [await good(desk.preview(option["request"])) for option in problem["options"]]

    days = [[days_of(p).get(s) for s in ("primer/2", "primer/1", "session")] for p in plans]
    assert days == [
        ["2027-03-03", "2027-03-17", "2027-03-31"],
        ["2027-03-03", "2027-03-24", "2027-04-14"],
        [None, None, "2027-03-11"],
    ]


def perform(**days: str) -> list[Data]:
    """Steps that were done; two underlines stand for the number's slash."""
    return [
        {"type": "perform", "step": step.replace("__", "/"), "on": on} for step, on in days.items()
    ]


STEROID: Data = {"type": "report", "agent": "corticosteroid_injection", "on": "2027-02-24"}
DONE = perform(
    consult="2027-01-13",
    primer__2="2027-02-02",
    primer__1="2027-02-23",
    baseline_outcomes="2027-02-24",
    orthotic_impression="2027-02-03",
    orthotic_fitting="2027-02-24",
)
CONFLICTS = [
    pytest.param(CONSULTATION_DAY, STORY_3, id="too late for primers"),
    pytest.param(START, {"anchor": {"date": "2027-03-13"}}, id="a day the location is closed"),
    pytest.param(
        START,
        {"changes": [{"type": "pin", "step": "primer/1", "to": "2027-02-21"}]},
        id="a primer pinned to a Sunday",
    ),
    pytest.param(
        "2027-03-05T09:00:00-07:00",
        {"changes": [*DONE, {**STEROID, "body_site": "ankle", "laterality": "right"}]},
        id="a steroid shot into the same ankle",
    ),
    pytest.param(
        START,
        {"unavailable": [{"from": "2027-02-03", "to": "2027-02-24"}]},
        id="away in the whole window of a primer",
    ),
    pytest.param(
        START,
        {"anchor": {"earliest_from": "2027-03-13", "until": "2027-03-15"}},
        id="a range without any open day",
    ),
    pytest.param(
        START,
        {"changes": [{"type": "pin", "step": "session", "to": "2027-03-11"}]},
        id="two days for one step",
    ),
]


@pytest.mark.parametrize("now, fields", CONFLICTS)
async def test_every_way_out_works_when_it_is_posted_as_it_is(
    desk: Desk, now: str, fields: Data
) -> None:
    await desk.at(now)

    problem = await desk.refused(**fields)

    assert problem["type"] == "schedule-conflict"
    assert len(problem["options"]) >= 1
    for option in problem["options"]:
        seen = await desk.preview(option["request"])
        assert seen.status_code == 200, (option["text"], seen.text)
    answer = await desk.post(problem["options"][-1]["request"])
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("now, fields", CONFLICTS)
async def test_a_conflict_names_things_once_and_in_words(
    desk: Desk, now: str, fields: Data
) -> None:
    await desk.at(now)
    before = await desk.rows()

    problem = await desk.refused(**fields)

    elements: list[dict[str, Any]] = problem["conflict"]["elements"]
    assert problem["detail"] == "; ".join(element["text"] for element in elements)
    assert len({element["id"] for element in elements}) == len(elements)
    assert await desk.rows() == before
