"""What is reported of a patient is looked at in every plan: flagged, proposed, never moved."""

from typing import Any

import pytest

from tests.api.given_changes import DONE, Living, did, have_protocol, living, moved
from tests.api.given_plans import NOBODY, Data, Desk, good

STEROID: Data = {
    "agent": "corticosteroid_injection",
    "on": "2027-02-24",
    "body_site": "ankle",
    "laterality": "right",
}
NSAID: Data = {"agent": "nsaid", "on": "2027-03-04"}
PLAIN: Data = {"parameters": {"primer_count": 0, "orthotics": "declined"}, "unavailable": []}


async def report(desk: Desk, **fields: Any) -> Data:
    """Report something of the desk's patient."""
    return await good(desk.api.post(f"/v1/patients/{desk.patient_id}/events", json=fields))


async def away(desk: Desk, first: str, last: str) -> Data:
    """Say that the desk's patient is away."""
    body = {"from": first, "to": last}
    return await good(desk.api.post(f"/v1/patients/{desk.patient_id}/unavailability", json=body))


async def read(plan: Living) -> Living:
    """The plan as it is now."""
    plan.plan = await good(plan.desk.api.get(plan.url))
    return plan


async def take(plan: Living, request: Data) -> Data:
    """Post a proposal's request, or an option's, as it is."""
    answer = await good(plan.post(**request))
    plan.plan = answer["plan"]
    return answer


async def in_march(desk: Desk, **fields: Any) -> Living:
    """The plan of story 1 on 5 March, the primers done."""
    plan = await living(desk, **fields)
    await plan.on("2027-03-05")
    await plan.change(*did(**DONE))
    return plan


async def test_a_shot_elsewhere_is_flagged_in_the_plan_with_ways_out(desk: Desk) -> None:
    plan = await in_march(desk)
    before = plan.days

    reported = await report(desk, **STEROID)

    (seen,) = reported["plans"]
    assert seen["plan_id"] == plan.plan["id"]
    assert [(b["rule"], b["severity"]) for b in seen["breaches"]] == [
        ("steroid-before-session", "block")
    ]
    assert [e["id"] for e in seen["conflict"]["elements"]] == [
        "anchor:session",
        "rule:steroid-before-session",
        f"event:{reported['id']}",
    ]
    assert (seen["moves"], seen["request"]) == ([], None)
    assert seen["options"][0]["text"] == "session on Wed 2027-03-24"
    await read(plan)
    assert plan.days == before
    assert plan.plan["breaches"] == seen["breaches"]
    assert [item["code"] for item in plan.plan["needs_attention"]] == ["breach"]
    assert plan.plan["revision"] == 3
    last = (await plan.history())[-1]
    assert (last["reason"], last["changes"], last["moves"]) == ("looked at again", [], [])


async def test_a_plan_can_be_looked_at_again_whenever_somebody_works_on_it(desk: Desk) -> None:
    plan = await in_march(desk)
    reported = await report(desk, **STEROID)
    before = await plan.stored()

    seen = await good(desk.api.get(f"{plan.url}/recheck"))

    assert seen == reported["plans"][0]
    assert await plan.stored() == before
    await read(plan)
    await take(plan, seen["options"][0]["request"])
    again = await good(desk.api.get(f"{plan.url}/recheck"))
    assert (again["breaches"], again["request"], again["conflict"]) == ([], None, None)


async def test_after_a_closure_the_ways_out_are_there_to_be_posted(desk: Desk) -> None:
    plan = await living(desk, unavailable=[])
    closed = await desk.closure("2027-03-10", "2027-03-11", key=f"shut-{desk.patient_id}")

    seen = await good(desk.api.get(f"{plan.url}/recheck"))

    named = {element["id"] for element in seen["conflict"]["elements"]}
    assert named == {"anchor:session", f"closure:{closed['key']}"}
    await read(plan)
    await take(plan, seen["options"][0]["request"])
    assert plan.plan["breaches"] == []


async def test_a_plan_that_is_over_has_nothing_to_put_right(desk: Desk) -> None:
    plan = await in_march(desk)
    await plan.change({"type": "revoke"})

    seen = await good(desk.api.get(f"{plan.url}/recheck"))

    assert (seen["breaches"], seen["moves"], seen["conflict"], seen["options"]) == (
        [],
        [],
        None,
        [],
    )


async def test_a_plan_that_is_not_there_is_not_looked_at(desk: Desk) -> None:
    answer = await desk.api.get(f"/v1/plans/{NOBODY}/recheck")

    assert (answer.status_code, answer.json()["type"]) == (404, "plan-not-found")


async def test_every_way_out_of_it_works_when_it_is_posted(desk: Desk) -> None:
    plan = await in_march(desk)
    (seen,) = (await report(desk, **STEROID))["plans"]
    await read(plan)

    for option in seen["options"]:
        tried = await good(plan.preview(**option["request"]))
        assert moved(tried) == moved(option)
    await take(plan, seen["options"][0]["request"])

    assert plan.days["session"] == "2027-03-24"
    assert (plan.plan["breaches"], plan.plan["needs_attention"]) == ([], [])


async def test_what_is_taken_back_is_flagged_no_more(desk: Desk) -> None:
    plan = await in_march(desk)
    before = plan.days
    reported = await report(desk, **STEROID)

    answer = await desk.api.delete(f"/v1/patients/{desk.patient_id}/events/{reported['id']}")

    await read(plan)
    assert answer.status_code == 204
    assert (plan.plan["breaches"], plan.plan["needs_attention"]) == ([], [])
    assert plan.days == before
    assert plan.plan["revision"] == 4


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param({"laterality": "left"}, id="the other side"),
        pytest.param({"body_site": "knee"}, id="another site"),
        pytest.param({"on": "2027-01-20"}, id="long ago"),
        pytest.param({"agent": "paracetamol"}, id="another agent"),
    ],
)
async def test_what_does_not_concern_a_plan_leaves_no_trace_in_it(
    desk: Desk, elsewhere: Data
) -> None:
    plan = await in_march(desk)
    before = plan.plan

    (seen,) = (await report(desk, **{**STEROID, **elsewhere}))["plans"]

    assert (seen["breaches"], seen["moves"], seen["conflict"]) == ([], [], None)
    assert (await read(plan)).plan == before


async def test_a_report_that_needs_review_is_flagged_in_every_plan(desk: Desk) -> None:
    right = await living(desk, **PLAIN)
    left = await living(desk, **PLAIN, laterality="left", anchor={"date": "2027-03-17"})
    ended = await living(desk, **PLAIN, status="draft", anchor={"date": "2027-06-02"})
    await ended.change({"type": "revoke"})
    await right.on("2027-03-05")

    reported = await report(desk, **NSAID)

    assert {seen["plan_id"] for seen in reported["plans"]} == {
        plan.plan["id"] for plan in (right, left)
    }
    for plan in (right, left):
        await read(plan)
        assert [b["rule"] for b in plan.plan["breaches"]] == ["nsaid-before"]
    before = ended.plan
    assert (await read(ended)).plan == before


async def test_a_time_without_an_agent_in_another_plan_is_no_dose_of_it(desk: Desk) -> None:
    right = await living(desk, **PLAIN)
    left = await living(desk, **PLAIN, laterality="left", anchor={"date": "2027-03-17"})

    reported = await report(desk, finding="headache", on="2027-01-04")

    assert [seen["breaches"] for seen in reported["plans"]] == [[], []]
    assert (await read(right)).plan["breaches"] == (await read(left)).plan["breaches"] == []


async def test_an_absence_proposes_other_days_and_moves_none(desk: Desk) -> None:
    plan = await living(desk, **PLAIN)
    before = plan.days

    (seen,) = (await away(desk, "2027-03-20", "2027-03-25"))["plans"]

    assert [b["id"].split(":")[-1] for b in seen["breaches"]] == ["followup_2w"]
    assert [(m["step"], m["from"], m["to"]) for m in seen["moves"]] == [
        ("followup_2w", "2027-03-24", "2027-03-26")
    ]
    assert seen["request"] == {
        "changes": [{"type": "move", "step_id": plan.id_of("followup_2w"), "to": "2027-03-26"}]
    }
    assert (await read(plan)).days == before
    answer = await take(plan, seen["request"])
    assert moved(answer) == {"followup_2w": ("2027-03-24", "2027-03-26")}
    assert plan.plan["breaches"] == []


async def test_an_absence_taken_back_is_flagged_no_more(desk: Desk) -> None:
    plan = await living(desk, **PLAIN)
    added = await away(desk, "2027-03-20", "2027-03-25")
    assert (await read(plan)).plan["breaches"]

    url = f"/v1/patients/{desk.patient_id}/unavailability/{added['id']}"
    assert (await desk.api.delete(url)).status_code == 204

    assert (await read(plan)).plan["breaches"] == []


async def test_a_proposal_may_move_several_steps_and_the_session(desk: Desk) -> None:
    plan = await living(desk, **PLAIN, anchor={"earliest_from": "2027-03-10"})

    (seen,) = (await away(desk, "2027-03-10", "2027-03-12"))["plans"]

    named = {move["step"] for move in seen["moves"]}
    assert {"session", "protect"} <= named
    await read(plan)
    answer = await take(plan, seen["request"])
    assert {(m["step"], m["to"]) for m in answer["moves"]} == {
        (m["step"], m["to"]) for m in seen["moves"]
    }
    assert plan.plan["breaches"] == []


async def test_a_plan_that_is_looked_at_again_in_vain_keeps_its_revision(desk: Desk) -> None:
    plan = await living(desk, **PLAIN)
    await plan.on("2027-03-05")
    await report(desk, **NSAID)
    before = (await read(plan)).plan

    await report(desk, finding="headache", on="2027-03-05")

    assert (await read(plan)).plan == before


async def test_an_acknowledged_breach_stays_so_and_a_new_one_is_not(desk: Desk) -> None:
    plan = await living(desk, **PLAIN)
    await plan.on("2027-03-05")
    (seen,) = (await report(desk, **NSAID))["plans"]
    await read(plan)
    await plan.change({"type": "acknowledge", "breach": seen["breaches"][0]["id"]})

    await report(desk, agent="nsaid", on="2027-03-05")

    states = {b["text"][-10:]: b["acknowledged"] for b in (await read(plan)).plan["breaches"]}
    assert states == {"2027-03-04": True, "2027-03-05": False}
    assert len(plan.plan["needs_attention"]) == 1


async def test_a_finding_that_is_cleared_asks_for_nothing(desk: Desk) -> None:
    plan = await living(desk, **PLAIN)
    await plan.on("2027-03-05")
    fever = await report(desk, finding="fever", on="2027-03-01")
    assert {b["rule"] for b in (await read(plan)).plan["breaches"]} == {"infection"}

    await desk.api.delete(f"/v1/patients/{desk.patient_id}/events/{fever['id']}")
    await report(desk, finding="fever", on="2027-03-01", cleared_on="2027-03-04")

    assert (await read(plan)).plan["breaches"] == []


async def test_a_draft_and_a_plan_on_hold_are_looked_at_too(desk: Desk) -> None:
    draft = await living(desk, **PLAIN, status="draft")
    held = await living(desk, **PLAIN, laterality="left", anchor={"date": "2027-03-11"})
    await held.change({"type": "hold"})
    await held.on("2027-03-05")

    await report(desk, **NSAID)

    for plan in (draft, held):
        assert [b["rule"] for b in (await read(plan)).plan["breaches"]] == ["nsaid-before"]


async def test_a_new_report_binds_the_next_change(desk: Desk) -> None:
    plan = await in_march(desk)
    reported = await report(desk, **STEROID)
    await read(plan)

    problem = await plan.conflict({"type": "move_anchor", "to": "2027-03-12"})

    assert f"event:{reported['id']}" in {e["id"] for e in problem["conflict"]["elements"]}
    await plan.change({"type": "move_anchor", "to": "2027-03-25"})
    assert plan.plan["breaches"] == []


async def test_steps_added_to_a_plan_are_looked_at_too(desk: Desk) -> None:
    plan = await living(desk, **PLAIN)
    timing = {"relative_to": {"step": "session"}, "target": "P6D", "latest": "P9D"}
    scan = {"type": "add_step", "title": "Scan", "kind": "visit", "timing": timing}
    (added,) = (await plan.change(scan))["added"]

    (seen,) = (await away(desk, "2027-03-16", "2027-03-16"))["plans"]

    assert added in {step_id for breach in seen["breaches"] for step_id in breach["step_ids"]}
    assert added in {move["step_id"] for move in seen["moves"]}


AT_52: Data = {
    "format": 1,
    "key": "at-52",
    "title": "A vaccination at 52 years",
    "steps": [
        {
            "key": "shot",
            "kind": "injection",
            "title": "Shot",
            "timings": [{"relative_to": "birth_date", "earliest": "P52Y", "target": "P52Y"}],
        },
    ],
}


async def test_a_birth_date_put_right_is_looked_at_in_every_plan(desk: Desk) -> None:
    await have_protocol(desk, AT_52)
    fields: Data = {"protocol": {"key": "at-52"}, "anchor": ..., "laterality": ...}
    plan = await living(desk, **fields, parameters=...)
    path = f"/v1/patients/{desk.patient_id}"

    tag = {"if-match": (await desk.api.get(path)).headers["etag"]}
    await good(desk.api.patch(path, json={"birth_date": "1975-09-30"}, headers=tag))

    await read(plan)
    assert plan.days == {"shot": "2027-06-30"}
    assert [breach["rule"] for breach in plan.plan["breaches"]] == ["timing:shot.earliest"]
    assert [reason["code"] for reason in plan.plan["needs_attention"]] == ["breach"]
    found = await good(desk.api.get(f"{plan.url}/recheck"))
    await take(plan, found["request"])
    assert (plan.days, plan.plan["breaches"]) == ({"shot": "2027-09-30"}, [])
