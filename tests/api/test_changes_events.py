"""What happens to a plan is noted: one event for each transition, in order, no patient data."""

from typing import Any

import pytest

from tests.api.given_changes import Living, did, events_of, hours, living, living_until_april
from tests.api.given_plans import Data, Desk, good

DECIDE: Data = {"type": "decide", "step": "booster_decision"}


async def told(plan: Living, *changes: Data) -> list[tuple[str, str | None]]:
    """The events of a change: type and step, or rule, of each."""
    before = plan.plan["revision"]
    await plan.change(*changes)
    events = await events_of(plan.desk, plan.plan["id"], after=before)
    assert {event["revision"] for event in events} == {plan.plan["revision"]}
    assert {str(event["patient_id"]) for event in events} == {plan.plan["patient_id"]}
    return [(e["type"], e["data"].get("step") or e["data"].get("rule")) for e in events]


CHANGED: tuple[str, None] = ("plan_changed", None)


async def test_a_plan_that_is_made_is_one_event(desk: Desk) -> None:
    plan = await living(desk)

    events = await events_of(desk, plan.plan["id"])

    assert [(e["type"], e["data"]) for e in events] == [
        ("plan_created", {"protocol": plan.plan["protocol"]["key"], "version": "1.0.0"})
    ]


EXPECTED: list[Any] = [
    pytest.param(did(consult="2027-01-13"), [("step_performed", "consult")], id="performed"),
    pytest.param(
        [{"type": "miss", "step": "consult"}],
        [("step_missed", "consult"), ("step_moved", "consult")],
        id="missed",
    ),
    pytest.param(
        [{"type": "move", "step": "consult", "to": "2027-01-20"}],
        [("step_moved", "consult")],
        id="moved",
    ),
    pytest.param([{"type": "pin", "step": "session", "to": "2027-03-10"}], [], id="pinned there"),
    pytest.param(
        [{"type": "book", "step": "consult", **hours("2027-01-15")}],
        [("step_booked", "consult")],
        id="booked",
    ),
    pytest.param(
        [{"type": "book", "step": "consult", **hours("2027-01-20")}],
        [("step_booked", "consult"), ("step_moved", "consult")],
        id="booked on another day",
    ),
    pytest.param(
        [{"type": "skip", "step": "orthotic_check"}],
        [("step_skipped", "orthotic_check")],
        id="skipped",
    ),
    pytest.param(
        [{"type": "cancel", "step": "orthotic_check"}],
        [("step_cancelled", "orthotic_check")],
        id="cancelled",
    ),
    pytest.param(
        [{"type": "set_parameter", "key": "primer_count", "value": 3}],
        [("step_added", "primer/3")],
        id="a step more",
    ),
    pytest.param(
        [{"type": "set_parameter", "key": "primer_count", "value": 1}],
        [("step_removed", "primer/2")],
        id="a step less",
    ),
    pytest.param([{"type": "report", "agent": "paracetamol", "on": "2027-01-15"}], [], id="told"),
    pytest.param([{"type": "hold"}], [("plan_held", None)], id="held"),
    pytest.param(
        [{"type": "report", "agent": "nsaid", "on": "2027-01-15"}, {"type": "hold"}],
        [("plan_held", None)],
        id="reported and held",
    ),
]


@pytest.mark.parametrize("changes, expected", EXPECTED)
async def test_every_transition_is_an_event(
    desk: Desk, changes: list[Data], expected: list[tuple[str, str | None]]
) -> None:
    plan = await living(desk)
    await plan.on("2027-01-15")
    await plan.change({"type": "move", "step": "consult", "to": "2027-01-15"})

    assert await told(plan, *changes) == [CHANGED, *expected]


async def test_what_is_given_back_is_an_event_too(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-01-13")
    await plan.change(
        {"type": "book", "step": "followup_2w", **hours("2027-03-24")},
        {"type": "skip", "step": "orthotic_check"},
        *did(consult="2027-01-13"),
    )
    performed = await plan.last_change()

    assert await told(plan, {"type": "unbook", "step": "followup_2w"}) == [
        CHANGED,
        ("step_unbooked", "followup_2w"),
    ]
    assert await told(plan, {"type": "restore", "step": "orthotic_check"}) == [
        CHANGED,
        ("step_restored", "orthotic_check"),
    ]
    assert await told(plan, {"type": "correct", "change_id": performed}) == [
        CHANGED,
        ("step_corrected", "consult"),
    ]


async def test_a_booking_lost_by_a_move_says_so(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "book", "step": "followup_2w", **hours("2027-03-24")})

    events = await told(plan, {"type": "move_anchor", "to": "2027-03-19"})

    of_visit = [type_ for type_, step in events if step == "followup_2w"]
    assert of_visit == ["step_unbooked", "step_moved"]


async def test_the_life_of_a_plan_is_noted(desk: Desk) -> None:
    plan = await living(desk, status="draft")

    assert (await told(plan, {"type": "activate"}))[:2] == [CHANGED, ("plan_activated", None)]
    await plan.change({"type": "hold"})
    assert await told(plan, {"type": "resume"}) == [CHANGED, ("plan_resumed", None)]
    ended = await told(plan, {"type": "complete"})
    assert ended[:2] == [CHANGED, ("plan_completed", None)]
    assert {type_ for type_, _ in ended[2:]} == {"step_cancelled"}
    again = await told(plan, {"type": "resume"})
    assert {type_ for type_, _ in again[2:]} == {"step_restored"}
    assert (await told(plan, {"type": "revoke"}))[1] == ("plan_revoked", None)


async def test_a_decision_is_noted_with_what_it_calls_off(desk: Desk) -> None:
    plan = await living_until_april(desk)

    assert await told(plan, {**DECIDE, "choice": "no_booster"}) == [
        CHANGED,
        ("step_performed", "booster_decision"),
        ("step_cancelled", "booster"),
        ("step_cancelled", "booster_nsaid_free"),
        ("decision_taken", "booster_decision"),
    ]


async def test_a_breach_is_noted_when_it_comes_and_when_it_goes(desk: Desk) -> None:
    plan = await living(desk, parameters={"primer_count": 0, "orthotics": "declined"})
    await plan.on("2027-03-05")

    found = await told(plan, {"type": "report", "agent": "nsaid", "on": "2027-03-04"})
    again = await told(plan, {"type": "skip", "step": "call_day3"})
    cleared = await told(plan, {"type": "move_anchor", "to": "2027-03-19"})

    assert found == [CHANGED, ("breach_found", "nsaid-before")]
    assert again == [CHANGED, ("step_skipped", "call_day3")]
    assert cleared[-1] == ("breach_cleared", "nsaid-before")


async def test_events_tell_ids_and_codes_and_nothing_of_the_patient(desk: Desk) -> None:
    plan = await living(desk, note="Zdrfgq", condition="Zdrfgq", practitioner="Dr Zdrfgq")
    await plan.on("2027-02-02")
    await plan.change(
        {"type": "perform", "step": "primer/2", "on": "2027-02-02", "note": "Zdrfgq pain"},
        {"type": "report", "finding": "fever", "on": "2027-02-01"},
        {"type": "waive", "element": "weekdays", "reason": "Zdrfgq"},
        {"type": "add_step", "title": "Zdrfgq", "kind": "visit", "timing": ADDED},
        reason="because of Zdrfgq",
    )
    await plan.change({"type": "move_anchor", "to": None})

    events = await events_of(desk, plan.plan["id"])

    steps = {step["id"] for step in plan.plan["steps"]}
    assert len(events) > 20
    for event in events:
        assert "zdrfgq" not in str(event).lower()
        assert event["data"].keys() <= {
            "step_id",
            "step",
            "rule",
            "severity",
            "protocol",
            "version",
        }
        assert event["data"].get("step_id") in {None, *steps}


ADDED: Data = {"relative_to": {"step": "session"}, "target": "P7D"}


async def test_a_refused_or_previewed_change_is_no_event(desk: Desk) -> None:
    plan = await living(desk)

    await good(plan.preview({"type": "skip", "step": "booster"}))
    await plan.refused({"type": "restore", "step": "booster"})

    assert len(await events_of(desk, plan.plan["id"])) == 1


async def test_numbers_run_on_from_change_to_change(desk: Desk) -> None:
    plan = await living(desk)
    for day in ("2027-03-12", "2027-03-17", "2027-03-19"):
        await plan.change({"type": "move_anchor", "to": day})

    events = await events_of(desk, plan.plan["id"])

    assert [e["number"] for e in events] == sorted({e["number"] for e in events})
    assert [e["revision"] for e in events] == sorted(e["revision"] for e in events)
