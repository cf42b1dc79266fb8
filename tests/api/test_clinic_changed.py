"""A clinic's rules change: what its plans break by them is shown with them, nothing moves."""

import pytest

from tests.api.given_changes import Living, have_protocol, moved
from tests.api.given_plans import Data, Desk, good
from tests.api.test_batches import plans_of, read, results, work
from tests.client import Client

# Session and booster are 42 days apart.
GAP: Data = {"id": "rest", "kinds": ["injection", "procedure"], "offset": "P45D"}


def rules(*gaps: Data) -> Data:
    """The clinic's rules with these shortest intervals."""
    return {"format": 1, "title": "Ours"} | ({"gaps": list(gaps)} if gaps else {})


async def save(desk: Desk, revision: int = 0, *gaps: Data) -> Data | None:
    """Save other rules; gives the batch that follows from them, if there is one."""
    headers = {"if-match": f'"{revision}"'}
    answer = await desk.api.put("/v1/clinic/rules", json=rules(*gaps), headers=headers)
    assert (answer.status_code, answer.json()) == (200, rules(*gaps))
    if "link" not in answer.headers:
        return None
    address = answer.headers["link"].removeprefix("<").removesuffix('>; rel="monitor"')
    return await good(desk.api.get(address))


async def held(desk: Desk) -> tuple[Living, Living]:
    """A plan with a booster, and one of which the physician wants none."""
    (plan,) = await plans_of(desk, 1)
    (other,) = await plans_of(desk, 1)
    await other.change({"type": "skip", "step": "booster"})
    return plan, other


async def test_what_other_rules_break_is_shown_proposed_and_never_moved(own_desk: Desk) -> None:
    plan, other = await held(own_desk)
    before = plan.days

    batch = await save(own_desk, 0, GAP)
    await work(own_desk)

    assert batch is not None
    assert (batch["kind"], batch["status"], batch["total"]) == ("rules", "running", 2)
    found = await results(own_desk, batch)
    assert found[other.plan["id"]]["result"] == {"moves": []}
    item = found[plan.plan["id"]]
    assert (item["status"], item["result"]["moves"]) == ("changed", [])
    await read(plan)
    assert plan.days == before
    assert plan.plan["breaches"] == item["result"]["breaches"]
    assert [breach["rule"] for breach in plan.plan["breaches"]] == ["clinic-rest"]
    assert [reason["code"] for reason in plan.plan["needs_attention"]] == ["breach"]
    assert plan.plan["revision"] == item["result"]["revision"]
    answer = await plan.change(**item["result"]["proposed"]["request"])
    assert moved(answer) == moved(item["result"]["proposed"])
    assert (plan.plan["breaches"], plan.plan["needs_attention"]) == ([], [])


async def test_what_no_schedule_keeps_is_shown_until_the_rules_are_taken_back(
    own_desk: Desk,
) -> None:
    plan, _ = await held(own_desk)

    first = await save(own_desk, 0, GAP | {"offset": "P300D"})
    await work(own_desk)
    item = (await results(own_desk, first or {}, status="conflict"))[plan.plan["id"]]
    broken = (await read(plan)).plan["breaches"]
    tried = [await plan.preview(**option["request"]) for option in item["result"]["options"]]
    second = await save(own_desk, 1)
    again = await save(own_desk, 2)
    await work(own_desk)

    assert "rule:clinic-rest" in {one["id"] for one in item["result"]["conflict"]["elements"]}
    assert broken == item["result"]["breaches"] != []
    assert {answer.status_code for answer in tried} == {200}
    assert ((second or {})["total"], again) == (2, None)
    assert (await read(plan)).plan["breaches"] == []
    assert plan.plan["needs_attention"] == []


async def test_rules_are_tried_on_every_plan_and_change_none(own_desk: Desk) -> None:
    plan, other = await held(own_desk)
    answer = await own_desk.api.post("/v1/clinic/rules/preview", json=rules(GAP))
    batch = answer.json()
    shown = [one.plan for one in (plan, other)]

    await work(own_desk)

    assert (answer.status_code, batch["request"]["tried"]) == (202, True)
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    assert [(await read(one)).plan for one in (plan, other)] == shown
    tried = await results(own_desk, batch)
    saved = await save(own_desk, 0, GAP)
    await work(own_desk)
    done = await results(own_desk, saved or {})
    for one in (plan, other):
        was, is_now = (found[one.plan["id"]] for found in (tried, done))
        is_now["result"].pop("revision", None)
        assert (was["status"], was["result"]) == (is_now["status"], is_now["result"])


async def test_rules_that_cannot_be_are_not_tried(api: Client) -> None:
    wrong = rules(GAP | {"offset": "6 weeks"})

    answer = await api.post("/v1/clinic/rules/preview", json=wrong)

    assert (answer.status_code, answer.json()["type"]) == (422, "invalid-clinic-rules")


@pytest.mark.deep
async def test_what_takes_too_long_to_put_right_is_shown_all_the_same(own_desk: Desk) -> None:
    visits = [
        {
            "key": f"v{number}",
            "kind": "visit",
            "title": f"Visit {number}",
            "importance": 1 + number,
            "timings": [
                {
                    "relative_to": {"step": "session"},
                    "earliest": "P1D",
                    "target": "P9D",
                    "latest": f"P{30 + number}D",
                }
            ],
        }
        for number in range(12)
    ]
    session = {"key": "session", "kind": "procedure", "title": "Session"}
    many: Data = {"key": "twelve-visits", "title": "Twelve visits", "anchor": "session"}
    await have_protocol(own_desk, {"format": 1, **many, "steps": [session, *visits]})
    fields: Data = {"protocol": {"key": "twelve-visits"}, "parameters": ..., "laterality": ...}
    (plan,) = await plans_of(own_desk, 1, **fields)

    batch = await save(own_desk, 0, {"id": "rest", "kinds": ["visit"], "offset": "P4D"})
    await work(own_desk)

    item = (await results(own_desk, batch or {}))[plan.plan["id"]]
    assert (item["status"], item["result"]["proposed"]["moves"]) == ("changed", [])
    assert (await read(plan)).plan["breaches"] == item["result"]["breaches"] != []
