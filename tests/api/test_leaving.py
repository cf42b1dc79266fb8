"""What happened can always be recorded, also where it leaves the plan without a schedule."""

import os
from typing import Any, NamedTuple

import pytest

from tests.api.given_changes import DONE, DONE_IN_SPRING, Living, did, hours, living, moved
from tests.api.given_plans import Data, Desk, faults_of, good

STEROID: Data = {"agent": "corticosteroid_injection", "body_site": "ankle", "laterality": "right"}
AWAY = "unavailability"
EARLY = ("2027-03-05", DONE)
SPRING = ("2027-04-14", {**DONE, **DONE_IN_SPRING})


class Befallen(NamedTuple):
    """What befalls a patient, and what was done by then."""

    day: str
    done: dict[str, str]
    what: str
    told: Data


# What befalls the patient of story 1, and when.
BEFALLS = {
    "a steroid shot": Befallen(*EARLY, "events", {**STEROID, "on": "2027-02-24"}),
    "a shot in spring": Befallen(*SPRING, "events", {**STEROID, "on": "2027-04-10"}),
    "a fever": Befallen(*EARLY, "events", {"finding": "fever", "on": "2027-03-04"}),
    "away": Befallen(*EARLY, AWAY, {"from": "2027-03-08", "to": "2027-03-12"}),
    "away for weeks": Befallen(*EARLY, AWAY, {"from": "2027-03-15", "to": "2027-04-06"}),
    "away in spring": Befallen(*SPRING, AWAY, {"from": "2027-04-16", "to": "2027-05-20"}),
}
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


async def befallen(desk: Desk, befalls: str) -> Living:
    """The plan of story 1, which something has befallen."""
    day, done, what, told = BEFALLS[befalls]
    plan = await living(desk)
    await plan.on(day)
    await plan.change(*did(**done))
    await good(desk.api.post(f"/v1/patients/{desk.patient_id}/{what}", json=told))
    return await plan.on(day)


@pytest.mark.deep
@pytest.mark.parametrize("befalls", tuple(BEFALLS)[: None if DEEP else 2])
async def test_there_is_always_a_way_to_record_it_which_needs_no_role(
    desk: Desk, befalls: str
) -> None:
    plan = await befallen(desk, befalls)
    undone = [name for name, step in plan.steps.items() if step["status"] == "planned"]

    for step in undone[:: 1 if DEEP else 9]:
        for type_ in ("perform", "miss"):
            fact = {"type": type_, "step": step, "on": BEFALLS[befalls].day}
            answer = await plan.preview(fact)
            if answer.status_code == 409:
                await _leads_out(plan, fact, answer.json())
            elif answer.status_code != 200:
                assert faults_of(answer.json()) == {"/changes/0": "not-yet"}


async def _leads_out(plan: Living, fact: Data, problem: Data) -> None:
    """Every option keeps the fact and works as it is; one needs no role, and moves nothing."""
    assert [option for option in problem["options"] if option["needs_role"] is None]
    for option in problem["options"]:
        assert fact in option["request"]["changes"]
        tried = await good(plan.preview(**option["request"]))
        assert tried["moves"] == option["moves"]


async def in_breach(desk: Desk) -> Living:
    """The plan of story 1 after a steroid shot: the session has no day that works."""
    return await befallen(desk, "a steroid shot")


async def test_what_does_not_concern_a_breach_is_recorded_and_leaves_it_flagged(
    desk: Desk,
) -> None:
    plan = await in_breach(desk)
    before, flagged = plan.days, plan.plan["breaches"]

    for change in (
        {"type": "perform", "step": "pre_check", "on": "2027-03-05"},
        {"type": "book", "step": "followup_2w", **hours("2027-03-24")},
        {"type": "skip", "step": "call_day3"},
        {"type": "unavailable", "from": "2027-05-10", "to": "2027-05-11"},
    ):
        answer = await plan.change(change)
        assert (answer["moves"], answer["breaches"]) == ([], flagged)

    assert plan.days == {**before, "call_day3": None}
    assert plan.steps["session"]["reasons"][0]["code"] == "left"
    assert [item["code"] for item in plan.plan["needs_attention"]] == ["breach"]
    assert (await good(desk.api.get(f"{plan.url}/recheck")))["breaches"] == flagged


async def test_the_days_of_a_step_are_those_it_can_be_moved_to_in_a_breach_too(desk: Desk) -> None:
    plan = await in_breach(desk)
    days = f"{plan.url}/steps/{plan.id_of('followup_2w')}/days"
    asked = {"from": "2027-03-16", "until": "2027-03-31"}

    listed = [day["date"] for day in (await good(desk.api.get(days, params=asked)))["days"]]

    assert listed
    for day in ("2027-03-25", "2027-03-31"):
        judged = await good(desk.api.get(f"{days}/{day}"))
        tried = await plan.preview({"type": "move", "step": "followup_2w", "to": day})
        assert judged["bookable"] is (day in listed)
        assert (tried.status_code == 200) is (day in listed)


async def test_what_was_entered_in_error_is_taken_back_in_a_breach_too(desk: Desk) -> None:
    plan = await in_breach(desk)
    await plan.change({"type": "perform", "step": "pre_check", "on": "2027-03-05"})

    answer = await plan.change({"type": "correct", "change_id": await plan.last_change()})

    assert (answer["moves"], plan.steps["pre_check"]["status"]) == ([], "planned")


async def test_a_breach_is_acknowledged_where_no_schedule_exists(desk: Desk) -> None:
    plan = await in_breach(desk)

    await plan.change({"type": "acknowledge", "breach": plan.plan["breaches"][0]["id"]})

    assert plan.plan["needs_attention"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "move_anchor", "to": "2027-03-12"},
        {"type": "move", "step": "session", "to": "2027-03-12"},
        {"type": "set_parameter", "key": "booster_timing", "value": "eight_weeks"},
        {"type": "waive", "element": "weekdays", "reason": "agreed"},
    ],
    ids=lambda change: change["type"],
)
async def test_who_asks_for_another_course_is_told_that_there_is_none(
    desk: Desk, change: Data
) -> None:
    plan = await in_breach(desk)

    problem = await plan.conflict(change)

    assert "rule:steroid-before-session" in {e["id"] for e in problem["conflict"]["elements"]}


async def test_a_conflict_beside_a_breach_is_told_by_itself(desk: Desk) -> None:
    plan = await in_breach(desk)

    problem = await plan.conflict({"type": "miss", "step": "pre_check", "on": "2027-03-05"})

    named = {element["id"] for element in problem["conflict"]["elements"]}
    assert named == {"timing:pre_check.latest", "weekdays", "as_of"}
    first, last = [option["text"] for option in problem["options"]]
    assert first == "leave out pre check"
    assert last.startswith("record it and leave pre check without a day and session on Wed")


async def test_what_leaves_no_schedule_is_recorded_when_the_days_are_left(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-05")
    fact = {"type": "perform", "step": "primer/1", "on": "2027-03-05"}
    problem = await plan.conflict(*did(consult="2027-01-13", primer__2="2027-02-02"), fact)
    *_, last = problem["options"]

    answer = await plan.change(**last["request"])

    assert last["request"]["leave_days"] is True
    assert moved(answer) == {}
    late = "timing:primer/1.latest"
    assert {b["rule"]: b["severity"] for b in answer["breaches"]} == {
        late: "block",
        "injection-gap": "block",
    }
    assert plan.days["session"] == "2027-03-10"
    waive = {"type": "waive", "days": 9, "reason": "near enough"}
    await plan.change(*({**waive, "element": element} for element in (late, "rule:injection-gap")))
    assert plan.plan["breaches"] == []


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "move", "step": "followup_2w", "to": "2027-03-25"},
        {"type": "skip", "step": "booster"},
        {"type": "set_parameter", "key": "primer_count", "value": 1},
    ],
    ids=lambda change: change["type"],
)
async def test_days_are_left_for_nothing_that_is_chosen(desk: Desk, choice: Any) -> None:
    plan = await living(desk)
    fine = {"type": "report", "agent": "paracetamol", "on": "2027-01-04"}

    problem = await plan.refused(fine, choice, leave_days=True)

    assert faults_of(problem) == {"/changes/1": "not-a-fact"}


async def test_where_a_schedule_exists_leaving_days_makes_no_difference(desk: Desk) -> None:
    plan = await living(desk)
    fact = {"type": "unavailable", "from": "2027-03-24", "to": "2027-03-25"}

    plainly = await good(plan.preview(fact))
    leaving = await good(plan.preview(fact, leave_days=True))

    assert plainly == leaving
    assert moved(leaving).keys() == {"followup_2w"}


async def test_a_fact_taken_back_for_which_no_day_is_left_is_shown_without_one(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-10")
    await plan.change(*did(**DONE, pre_check="2027-03-05", session="2027-03-10"))
    (made,) = (c for c in (await plan.history())[1]["changes"] if c["step"] == "primer/1")

    problem = await plan.conflict({"type": "correct", "change_id": made["id"]})
    await plan.take(problem["options"][-1])

    primer = plan.steps["primer/1"]
    assert (primer["status"], primer["date"]) == ("planned", None)
    assert [item["code"] for item in plan.plan["needs_attention"]] == ["undated"]
    await plan.change({"type": "skip", "step": "primer/1"})
    assert plan.plan["needs_attention"] == []
