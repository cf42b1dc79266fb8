"""What decisions start over HTTP: bodies which succeed as they are, until begun or dismissed."""

from typing import Any

import pytest

from app.domain.documents import document_to_data
from app.domain.permissions import Role
from app.services.library import library_protocol
from tests.api.given_bulk import bulk
from tests.api.given_callers import headers
from tests.api.given_changes import Living, have_protocol, living
from tests.api.given_plans import ANKLE, START, Data, Desk, days_of, faults_of, good

PROLO = "ankle-prolotherapy-series"
REVIEW: Data = {"type": "decide", "step": "response_review"}
UP = {**REVIEW, "choice": "step_up"}


async def reviewed(desk: Desk, **fields: Any) -> Living:
    """A series of three on the day of its review, everything done as planned."""
    await have_protocol(desk, document_to_data(library_protocol(PROLO)))
    body: Data = {
        "protocol": {"key": PROLO},
        "location_id": await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        "anchor": {"date": "2027-02-02"},
        "parameters": ...,
        "unavailable": [],
        "condition": "Chronic instability",
        "practitioner": "dr-vale",
    }
    plan = await living(desk, **{**body, **fields})
    assert [plan.days[f"prolo/{n}"] for n in (1, 2, 3)] == [
        "2027-02-02",
        "2027-03-02",
        "2027-03-30",
    ]
    await plan.on("2027-04-20")
    await plan.change(
        *(
            {"type": "perform", "step": name, "on": day}
            for name, day in plan.days.items()
            if day is not None and day < "2027-04-20" and plan.steps[name]["end_date"] is None
        )
    )
    return plan


async def test_sessions_done_count_as_primers_of_the_plan_that_is_started(desk: Desk) -> None:
    plan = await reviewed(desk)

    answer = await plan.change(UP)

    (start,) = answer["plan"]["starts"]
    assert start["step_id"] == plan.id_of("response_review")
    assert (start["step"], start["protocol"]) == ("response_review", ANKLE)
    request = start["request"]
    assert request["protocol"] == {"key": ANKLE}
    assert request["patient"] == {"id": plan.plan["patient_id"]}
    assert request["location_id"] == plan.plan["location_id"]
    for name in ("laterality", "condition", "practitioner"):
        assert request[name] == plan.plan[name]
    assert request["parameters"] == {"primer_count": 3}
    assert request["changes"][:3] == [
        {"type": "perform", "step": "primer/1", "on": "2027-03-30"},
        {"type": "perform", "step": "primer/2", "on": "2027-03-02"},
        {"type": "perform", "step": "primer/3", "on": "2027-02-02"},
    ]
    assert request["started_by"] == {"plan_id": plan.plan["id"], "step": "response_review"}


async def test_the_body_that_is_listed_succeeds_as_it_is_and_is_listed_no_more(desk: Desk) -> None:
    plan = await reviewed(desk)
    (start,) = (await plan.change(UP))["plan"]["starts"]
    before = plan.days

    seen = await good(desk.preview(start["request"]))
    made = await good(desk.post(start["request"]))

    assert days_of(seen) == days_of(made)
    performed = {s["key"]: s["status"] for s in made["steps"] if s["key"] == "primer"}
    assert performed == {"primer": "performed"}
    assert made["anchor"]["date"] >= "2027-04-20"
    await plan.on("2027-04-20")
    assert (plan.plan["starts"], plan.plan["needs_attention"]) == ([], [])
    assert plan.days == before
    last = (await plan.history())[-1]["changes"][-1]
    assert (last["type"], last["plan"]) == ("close_start", made["id"])


async def test_it_is_begun_once(desk: Desk) -> None:
    plan = await reviewed(desk)
    (start,) = (await plan.change(UP))["plan"]["starts"]
    await good(desk.post(start["request"]))

    for answer in (await desk.preview(start["request"]), await desk.post(start["request"])):
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid-plan")
        assert faults_of(answer.json()) == {"/started_by": "nothing-to-start"}


async def test_where_what_was_done_does_not_fit_the_way_out_is_told(desk: Desk) -> None:
    plan = await reviewed(desk)

    (start,) = (await plan.change(UP))["plan"]["starts"]

    # The orthotics want three weeks, and by then the last session is more than 35 days ago.
    assert start["needs_role"] == "physician"
    assert "primer" in start["text"]
    assert start["request"]["changes"][-1]["type"] == "waive"


async def test_undecided_or_decided_otherwise_nothing_is_started(desk: Desk) -> None:
    plan = await reviewed(desk)
    assert plan.plan["starts"] == []

    await plan.change({**REVIEW, "choice": "done"})

    assert plan.plan["starts"] == []
    refused = await desk.post(
        desk.body(
            patient={"id": plan.plan["patient_id"]},
            started_by={"plan_id": plan.plan["id"], "step": "response_review"},
        )
    )
    assert faults_of(refused.json()) == {"/started_by": "nothing-to-start"}


async def test_a_start_that_is_not_wanted_is_dismissed(desk: Desk) -> None:
    plan = await reviewed(desk)
    await plan.change(UP)
    assert [item["code"] for item in plan.plan["needs_attention"]] == ["start"]

    await plan.change({"type": "dismiss_start", "step": "response_review"})

    assert (plan.plan["starts"], plan.plan["needs_attention"]) == ([], [])
    (told,) = (await plan.history())[-1]["changes"]
    assert told == {"id": told["id"], "type": "dismiss_start", "step": "response_review"}
    again = await plan.refused({"type": "dismiss_start", "step": "response_review"})
    assert faults_of(again) == {"/changes/0": "contradiction"}
    await plan.change({"type": "correct", "change_id": told["id"]})
    assert [item["code"] for item in plan.plan["needs_attention"]] == ["start"]


async def test_a_decision_entered_in_error_starts_nothing(desk: Desk) -> None:
    plan = await reviewed(desk)
    await plan.change(UP)
    decided = await plan.last_change()

    await plan.change({"type": "correct", "change_id": decided})

    assert plan.plan["starts"] == []


async def test_a_start_outlives_a_course_that_is_over_but_not_one_called_off(desk: Desk) -> None:
    over = await reviewed(desk)
    await desk.at(START)
    off = await reviewed(desk, patient={"id": await desk.patient()})
    for plan, end in ((over, "complete"), (off, "revoke")):
        await plan.change(UP)
        await plan.change({"type": end})

    assert [start["protocol"] for start in over.plan["starts"]] == [ANKLE]
    assert [item["code"] for item in over.plan["needs_attention"]] == ["start"]
    assert (off.plan["starts"], off.plan["needs_attention"]) == ([], [])
    (start,) = over.plan["starts"]
    await good(desk.post(start["request"]))
    await over.on("2027-04-20")
    assert (over.plan["status"], over.plan["starts"]) == ("completed", [])


async def test_another_patients_plan_starts_nothing_here(desk: Desk) -> None:
    plan = await reviewed(desk)
    (start,) = (await plan.change(UP))["plan"]["starts"]

    others = {**start["request"], "patient": {"id": await desk.patient()}}
    unknown = {**start["request"], "started_by": {**start["request"]["started_by"]}}
    unknown["started_by"]["plan_id"] = "00000000-0000-7000-8000-000000000000"

    assert faults_of((await desk.post(others)).json()) == {"/started_by": "nothing-to-start"}
    assert faults_of((await desk.post(unknown)).json()) == {"/started_by/plan_id": "unknown-plan"}


LADDER: Data = {
    "format": 1,
    "key": "a-ladder",
    "title": "A decision that starts one of two protocols",
    "anchor": "visit",
    "laterality": {"required": False, "allowed": ["left", "right", "bilateral"]},
    "steps": [
        {"key": "visit", "kind": "visit", "title": "Visit"},
        {
            "key": "gate",
            "kind": "decision",
            "title": "What next",
            "timings": [{"relative_to": {"step": "visit"}, "earliest": "P0D", "target": "P7D"}],
            "choices": [
                {
                    "key": "other",
                    "title": "Another protocol",
                    "effects": [
                        {"type": "start", "protocol": "not-here"},
                        {
                            "type": "start",
                            "protocol": "next",
                            "counts_as": {"first": "visit", "gone": "visit"},
                        },
                        {"type": "start", "protocol": "series", "counts_as": {"shot": "visit"}},
                    ],
                }
            ],
        },
    ],
}
NEXT: Data = {
    "format": 1,
    "key": "next",
    "title": "What comes next",
    "anchor": "second",
    "laterality": {"required": True, "allowed": ["left"]},
    "steps": [
        {"key": "second", "kind": "visit", "title": "Second"},
        {
            "key": "first",
            "kind": "visit",
            "title": "First",
            "timings": [{"relative_to": {"step": "second"}, "latest": "-P1D"}],
        },
    ],
}


async def decided_ladder(desk: Desk, side: str) -> Living:
    """A plan whose decision has started three protocols."""
    await have_protocol(desk, LADDER)
    await have_protocol(desk, NEXT)
    plan = await living(
        desk,
        protocol={"key": "a-ladder"},
        anchor={"date": "2027-01-05"},
        parameters=...,
        unavailable=[],
        laterality=side,
    )
    await plan.on("2027-01-12")
    await plan.change({"type": "perform", "step": "visit", "on": "2027-01-05"})
    await plan.change({"type": "decide", "step": "gate", "choice": "other"})
    return plan


async def test_what_cannot_be_asked_for_says_why(desk: Desk) -> None:
    plan = await decided_ladder(desk, "right")

    absent, elsewhere, series = plan.plan["starts"]

    assert (absent["request"], absent["needs_role"]) == (None, None)
    assert absent["text"] == "there is no protocol 'not-here'"
    # It is for the left side alone, and a side must be named.
    assert (elsewhere["protocol"], elsewhere["request"]) == ("next", None)
    assert series["request"]["changes"] == [
        {"type": "perform", "step": "shot/1", "on": "2027-01-05"}
    ]
    assert "anchor" not in series["request"]


async def test_several_starts_are_begun_or_dismissed_one_by_one(desk: Desk) -> None:
    plan = await decided_ladder(desk, "left")
    requests = {start["protocol"]: start["request"] for start in plan.plan["starts"]}
    assert requests["next"]["changes"] == [{"type": "perform", "step": "first", "on": "2027-01-05"}]

    made = await good(desk.post(requests["next"]))
    await plan.on("2027-01-12")
    assert made["laterality"] == "left"
    assert [start["protocol"] for start in plan.plan["starts"]] == ["not-here", "series"]
    dismissed = {"type": "dismiss_start", "step_id": plan.id_of("gate"), "protocol": "not-here"}
    await plan.change(dismissed)
    assert [start["protocol"] for start in plan.plan["starts"]] == ["series"]
    await plan.change({"type": "dismiss_start", "step": "gate"})
    assert plan.plan["starts"] == []


async def test_the_front_desk_begins_what_was_decided_and_a_clinician_dismisses_it(
    own_desk: Desk,
) -> None:
    plan = await decided_ladder(own_desk, "left")
    request = next(s["request"] for s in plan.plan["starts"] if s["protocol"] == "next")
    front_desk = await headers(own_desk.app, Role.FRONT_DESK)

    made = await own_desk.api.post("/v1/plans", json=request, headers=front_desk)
    dismiss = {"changes": [{"type": "dismiss_start", "step": "gate"}]}
    refused = await own_desk.api.post(
        f"{plan.url}/changes/preview", json=dismiss, headers=front_desk
    )

    assert made.status_code == 201, made.text
    assert (refused.status_code, refused.json()["type"]) == (403, "not-permitted")


async def test_a_decision_taken_at_creation_starts_what_it_starts(desk: Desk) -> None:
    await decided_ladder(desk, "left")
    body = desk.body(
        protocol={"key": "a-ladder"},
        anchor={"date": "2027-01-12"},
        parameters=...,
        changes=[{"type": "decide", "step": "gate", "choice": "other"}],
    )

    made = await good(desk.post(body))

    assert [start["protocol"] for start in made["starts"]] == ["not-here", "next", "series"]


@pytest.mark.parametrize("choice", ["regenerative"])
async def test_a_rung_of_the_ladder_may_be_the_clinics_own(desk: Desk, choice: str) -> None:
    key = "mortons-neuroma-ladder"
    await have_protocol(desk, document_to_data(library_protocol(key)))
    plan = await living(
        desk,
        protocol={"key": key},
        anchor={"date": "2027-01-12"},
        parameters=...,
        unavailable=[],
        laterality="left",
    )
    await plan.on("2027-04-06")

    await plan.change({"type": "decide", "step": "decide_1", "choice": choice})

    (start,) = plan.plan["starts"]
    assert (start["protocol"], start["request"]) == ("clinic-choice", None)
    assert start["text"] == "there is no protocol 'clinic-choice'"


async def test_lines_of_one_stream_begin_each_start_once_and_change_its_plan_with_it(
    desk: Desk,
) -> None:
    plan = await decided_ladder(desk, "left")
    requests = {start["protocol"]: start["request"] for start in plan.plan["starts"]}
    following, series = requests["next"], requests["series"]
    lines = [
        {**following, "idempotency_key": f"{plan.plan['id']}-1"},
        following,
        {**series, "patient": {"id": await desk.patient()}},
        {**series, "started_by": {**series["started_by"], "plan_id": desk.patient_id}},
        {**series, "started_by": {**series["started_by"], "step": "visit"}},
        series,
    ]

    results = (await bulk(desk, *lines))[:-1]

    assert [result["status"] for result in results] == [201, 422, 422, 422, 422, 201]
    faults = [faults_of(result["problem"]) for result in results[1:5]]
    nothing = {"/started_by": "nothing-to-start"}
    assert faults == [nothing, nothing, {"/started_by/plan_id": "unknown-plan"}, nothing]
    revision = plan.plan["revision"]
    await plan.on("2027-01-12")
    assert plan.plan["revision"] == revision + 2
    assert [start["protocol"] for start in plan.plan["starts"]] == ["not-here"]
    closed = [revision["changes"][-1] for revision in (await plan.history())[-2:]]
    assert [change["plan"] for change in closed] == [results[0]["id"], results[5]["id"]]
    (again, _) = await bulk(desk, lines[0])
    assert (again["replayed"], again["id"]) == (True, results[0]["id"])
    assert (await plan.on("2027-01-12")).plan["revision"] == revision + 2
