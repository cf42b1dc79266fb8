"""Rules over all plans of a patient hold whichever plan was made first and whose they are."""

from typing import Any

import pytest

from tests.api.given_bulk import bulk
from tests.api.given_changes import Living, events_of, have_protocol
from tests.api.given_plans import Data, Desk, good

# Over both plans of a patient's heel the gap, at the same heel the washout.
GAP: Data = {
    "id": "gap",
    "type": "min_gap",
    "kinds": ["injection"],
    "offset": "P28D",
    "scope": "patient",
    "same_site": True,
    "waiver_role": "surgeon",
}
WASHOUT: Data = {
    "id": "no-steroid",
    "type": "washout",
    "agent": "corticosteroid_injection",
    "before": "P28D",
    "after": "P14D",
    "same_site": True,
}
REVIEW: Data = {**WASHOUT, "id": "look", "severity": "review"}


def shot(key: str, *rules: Data, **step: Any) -> Data:
    """A protocol of one injection into a heel, and a call after it."""
    return {
        "format": 1,
        "key": key,
        "title": key.title(),
        "anchor": "shot",
        "body_site": {"key": "heel", "text": "Heel"},
        "laterality": {"required": False, "allowed": ["left", "right"]},
        "steps": [
            {"key": "shot", "kind": "injection", "title": "Shot", **step},
            {
                "key": "call",
                "kind": "call",
                "title": "Call",
                "timings": [{"relative_to": {"step": "shot"}, "target": "P3D", "latest": "P5D"}],
            },
        ],
        "rules": list(rules),
    }


STEROID = shot("elsewhere-steroid", agent="corticosteroid_injection")
PLAIN = shot("elsewhere-plain")
GAPPED = shot("elsewhere-gapped", GAP)
WASHED = shot("elsewhere-washed", WASHOUT)
TAGGED = shot("elsewhere-tagged", tags=["prp"])
MARROW = shot(
    "elsewhere-marrow",
    {**WASHOUT, "id": "marrow-once", "agent": "bone_marrow", "after": "P28D"},
    agent="bone_marrow",
)
LOOKED_AT = shot("elsewhere-looked-at", REVIEW)


async def asked(desk: Desk, protocol: Data, day: str, side: str = "right", **fields: Any) -> Data:
    """The body of a plan by a protocol, which is approved."""
    await have_protocol(desk, protocol)
    body = {"protocol": {"key": protocol["key"]}, "anchor": {"date": day}, "laterality": side}
    return desk.body(**{**body, "parameters": ..., **fields})


async def refusal(desk: Desk, body: Data) -> Data:
    """The conflict of a plan, the same when it is previewed; its ways out all work as they are."""
    seen, answer = await desk.preview(body), await desk.post(body)
    assert (answer.status_code, answer.json()["type"]) == (409, "schedule-conflict"), answer.text
    assert seen.json() == answer.json()
    for option in answer.json()["options"]:
        if option["plan_id"] is None:
            assert (await desk.preview(option["request"])).status_code == 200, option["text"]
    return dict(answer.json())


@pytest.mark.parametrize(
    "first, second, rule",
    [
        pytest.param(GAPPED, PLAIN, "other/gap", id="the gap of the plan before"),
        pytest.param(PLAIN, GAPPED, "gap", id="its own gap"),
        pytest.param(GAPPED, GAPPED, "gap", id="the gap of both"),
        pytest.param(WASHED, STEROID, "other/no-steroid", id="the washout of the plan before"),
        pytest.param(STEROID, WASHED, "no-steroid", id="its own washout"),
        pytest.param(MARROW, MARROW, "marrow-once", id="the washout of both"),
        pytest.param(TAGGED, STEROID, "other/clinic-steroid-injection-after", id="the clinic's"),
        pytest.param(STEROID, TAGGED, "clinic-steroid-injection-before", id="the clinic's, here"),
    ],
)
async def test_a_rule_over_all_plans_refuses_the_second_of_two_whosesoever_it_is(
    desk: Desk, first: Data, second: Data, rule: str
) -> None:
    other = await good(desk.post(await asked(desk, first, "2027-03-03")))

    problem = await refusal(desk, await asked(desk, second, "2027-03-10"))

    assert {element["id"] for element in problem["conflict"]["elements"]} == {
        "anchor:shot",
        f"rule:{rule.replace('other', other['id'])}",
        f"other:{other['id']}/shot",
    }
    assert (await desk.post(await asked(desk, second, "2027-03-10", "left"))).status_code == 201


@pytest.mark.parametrize("first, second", [(WASHED, STEROID), (STEROID, WASHED)])
async def test_what_was_done_in_another_plan_counts_in_both_directions(
    desk: Desk, first: Data, second: Data
) -> None:
    done = {"type": "perform", "step": "shot", "on": "2027-01-02"}
    past = await asked(desk, first, "2027-01-02", changes=[done], plan_start="2027-01-01")
    await good(desk.post(past))

    await refusal(desk, await asked(desk, second, "2027-01-08"))

    assert (await desk.post(await asked(desk, second, "2027-02-02"))).status_code == 201


async def test_before_and_after_a_step_of_another_plan_differ_as_its_rule_says(desk: Desk) -> None:
    await good(desk.post(await asked(desk, WASHED, "2027-03-10")))
    body = await asked(desk, STEROID, "2027-03-17")

    problem = await refusal(desk, body)

    days = [option["request"]["anchor"]["date"] for option in problem["options"][:2]]
    assert days == ["2027-02-10", "2027-03-24"]
    assert problem["options"][-1]["text"].startswith("widen rule:no-steroid of another plan by ")
    assert "of another plan" in problem["detail"]


async def test_a_rule_of_another_plan_to_review_is_flagged_and_the_day_stays(desk: Desk) -> None:
    await good(desk.post(await asked(desk, LOOKED_AT, "2027-03-10")))

    plan = await good(desk.post(await asked(desk, STEROID, "2027-03-17")))

    (breach,) = plan["breaches"]
    assert (breach["severity"], plan["anchor"]["date"]) == ("review", "2027-03-17")
    assert breach["text"] == (
        "shot on Wed 2027-03-17 is too near to shot of another plan on Wed 2027-03-10, "
        "by that plan's rule look"
    )
    assert [item["code"] for item in plan["needs_attention"]] == ["breach"]


@pytest.mark.parametrize(
    "first, second, days",
    [
        pytest.param(GAPPED, GAPPED, None, id="a gap of both"),
        pytest.param(GAPPED, PLAIN, None, id="a gap of the plan before"),
        pytest.param(PLAIN, GAPPED, 21, id="a gap of its own by days"),
        pytest.param(GAPPED, PLAIN, 21, id="a gap of the plan before by days"),
        pytest.param(STEROID, WASHED, 21, id="a washout of its own by days"),
        pytest.param(WASHED, STEROID, 21, id="a washout of the plan before by days"),
        pytest.param(MARROW, MARROW, None, id="a washout of both"),
    ],
)
async def test_what_is_set_aside_in_one_plan_stands_in_no_other_ones_way(
    desk: Desk, first: Data, second: Data, days: int | None
) -> None:
    one = Living(desk, await good(desk.post(await asked(desk, first, "2027-03-03"))))
    body = await asked(desk, second, "2027-03-10")
    (rule,) = [
        element["id"]
        for element in (await refusal(desk, body))["conflict"]["elements"]
        if element["id"].startswith("rule:")
    ]
    waiver = {"type": "waive", "element": rule, "reason": "both are small", "days": days}

    other = Living(desk, await good(desk.post({**body, "changes": [waiver]})))

    for plan in (one, other):
        report = {"type": "report", "finding": "bruise", "on": "2027-01-04"}
        assert (await plan.change(report))["moves"] == []


async def test_who_may_set_a_rule_of_another_plan_aside_is_named(desk: Desk) -> None:
    await good(desk.post(await asked(desk, GAPPED, "2027-03-03")))

    problem = await refusal(desk, await asked(desk, PLAIN, "2027-03-19"))

    assert problem["options"][-1]["needs_role"] == "surgeon"


async def test_in_one_stream_the_line_before_is_looked_at_like_any_other_plan(desk: Desk) -> None:
    lines = [
        await asked(desk, WASHED, "2027-03-03"),
        await asked(desk, STEROID, "2027-03-10"),
        await asked(desk, STEROID, "2027-03-24"),
    ]

    results = await bulk(desk, *lines)

    assert [result["status"] for result in results[:-1]] == [201, 409, 201]


async def flagged(desk: Desk, plan: Data) -> list[str]:
    """The severities of what a plan is flagged for now."""
    read = await good(desk.api.get(f"/v1/plans/{plan['id']}"))
    seen = await good(desk.api.get(f"/v1/plans/{plan['id']}/recheck"))
    assert seen["breaches"] == read["breaches"]
    return [str(breach["severity"]) for breach in read["breaches"]]


@pytest.mark.parametrize("steroid_first", [True, False])
@pytest.mark.parametrize("in_bulk", [True, False])
async def test_what_a_person_must_look_at_is_flagged_in_both_plans(
    desk: Desk, *, steroid_first: bool, in_bulk: bool
) -> None:
    days = [(LOOKED_AT, "2027-03-10"), (STEROID, "2027-03-03")]
    bodies = [await asked(desk, protocol, day) for protocol, day in days]
    if steroid_first:
        bodies.reverse()
    if in_bulk:
        one, other, _ = await bulk(desk, *bodies)
    else:
        one, other = [await good(desk.post(body)) for body in bodies]

    assert (await flagged(desk, one), await flagged(desk, other)) == (["review"], ["review"])
    revoked = Living(desk, await good(desk.api.get(f"/v1/plans/{other['id']}")))
    await revoked.change({"type": "revoke"})
    assert await flagged(desk, one) == []


async def test_a_fact_of_one_plan_is_flagged_in_the_other_whose_rule_it_breaks(desk: Desk) -> None:
    washed = await good(desk.post(await asked(desk, WASHED, "2027-03-10")))
    steroid = Living(desk, await good(desk.post(await asked(desk, STEROID, "2027-02-03"))))
    await steroid.on("2027-02-24")

    await steroid.change({"type": "perform", "step": "shot", "on": "2027-02-24"})

    assert await flagged(desk, washed) == ["block"]
    told = await events_of(desk, washed["id"], after=1)
    assert [event["type"] for event in told] == ["plan_changed", "breach_found"]
    await steroid.change({"type": "correct", "change_id": await steroid.last_change()})
    assert await flagged(desk, washed) == []
