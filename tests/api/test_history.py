"""The history of a plan: every revision with its changes, the plan as of each, and replay."""

from typing import Any
from uuid import UUID

import pytest

from app.domain.plans.records import state_to_data
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.plans.repository import PlanRepository
from app.services.plans.correcting import replay
from tests.api.given_changes import did, hours, living
from tests.api.given_plans import Data, Desk, good


async def a_long_life(desk: Desk) -> list[Data]:
    """A plan with every sort of change behind it: what was read after each revision."""
    plan = await living(desk, changes=[{"type": "skip", "step": "orthotic_check"}])
    read = [plan.plan]

    async def change(*changes: Data, day: str | None = None, **fields: Any) -> None:
        if day is not None:
            await plan.on(day)
        await plan.change(*changes, **fields)
        read.append(plan.plan)

    timing = {"relative_to": {"step": "session"}, "target": "P9D", "latest": "P20D"}
    scan = {"type": "add_step", "title": "Scan", "kind": "visit", "timing": timing}
    await change(*did(consult="2027-01-13"), day="2027-01-13")
    await change({"type": "book", "step": "primer/2", **hours("2027-02-02")}, scan)
    await change({"type": "restore", "step": "orthotic_check"})
    await change({"type": "miss", "step": "primer/2", "on": "2027-02-02"}, day="2027-02-02")
    await change({"type": "move", "step": "primer/2", "to": "2027-02-03"}, reason="called back")
    await change(*did(primer__2="2027-02-03", orthotic_impression="2027-02-03"), day="2027-02-05")
    await change({"type": "move_anchor", "to": "2027-03-19"}, reason="physician away")
    await change({"type": "pin", "step": "followup_2w", "to": "2027-04-06"})
    await change({"type": "unpin", "step": "followup_2w"})
    await change({"type": "unavailable", "from": "2027-04-01", "to": "2027-04-02"})
    await change({"type": "correct", "change_id": await plan.last_change()})
    await change({"type": "waive", "element": "timing:primer/1.latest", "days": 2, "reason": "a"})
    await change({"type": "report", "agent": "nsaid", "on": "2027-02-05", "body_site": "knee"})
    await change({"type": "set_parameter", "key": "primer_count", "value": 1})
    await change({"type": "hold"}, day="2027-02-26")
    await change({"type": "resume", "on": "2027-03-02"})
    await change({"type": "move_anchor", "to": None})
    await change({"type": "cancel", "step": "baseline_outcomes"})
    await change({"type": "revoke"})
    return read


async def test_the_plan_as_of_any_revision_is_what_was_read_then(desk: Desk) -> None:
    read = await a_long_life(desk)
    today = {"window_state", "allowed_changes"}

    for plan in read:
        url = f"/v1/plans/{plan['id']}/history/{plan['revision']}"
        answer = await desk.api.get(url)
        again = answer.json()
        tag = answer.headers["etag"]
        assert tag.startswith(f'"{plan["revision"]}.')
        known = await desk.api.get(url, headers={"If-None-Match": tag})
        assert known.status_code == 304
        for one in (again, plan):
            one["steps"] = [{k: v for k, v in s.items() if k not in today} for s in one["steps"]]
        assert again == plan


async def test_every_revision_says_who_when_what_and_why(desk: Desk) -> None:
    read = await a_long_life(desk)

    found = await good(desk.api.get(f"/v1/plans/{read[0]['id']}/history?limit=200"))

    items = list(reversed(found["items"]))
    assert [item["revision"] for item in items] == list(range(1, len(read) + 1))
    assert {item["actor"] for item in items} == {"local"}
    assert [item["at"] for item in items] == [plan["updated_at"] for plan in read]
    assert items[5]["reason"] == "called back"
    said = [[{k: v for k, v in c.items() if k != "id"} for c in item["changes"]] for item in items]
    assert said[0] == [{"type": "skip", "step": "orthotic_check"}]
    assert said[2][0] == {
        "type": "book",
        "step": "primer/2",
        "starts_at": "2027-02-02T16:00:00Z",
        "ends_at": "2027-02-02T18:00:00Z",
    }
    assert (said[2][1]["title"], said[2][1]["timing"]["target"]) == ("Scan", "P9D")
    assert said[12] == [
        {"type": "waive", "element": "timing:primer/1.latest", "days": 2, "reason": "a"}
    ]
    assert [one[0]["type"] for one in said[15:]] == [
        "hold",
        "resume",
        "move_anchor",
        "cancel",
        "revoke",
    ]
    assert items[11]["corrects"] == [items[10]["changes"][0]["id"]]
    assert items[7]["moves"][0].keys() == {"step_id", "step", "from", "to", "reasons"}


async def test_history_is_paged_from_the_newest_on_without_gaps(desk: Desk) -> None:
    read = await a_long_life(desk)
    url: str | None = f"/v1/plans/{read[0]['id']}/history?limit=3"
    found: list[int] = []

    while url is not None:
        answer = await desk.api.get(url)
        page = answer.json()
        found += [item["revision"] for item in page["items"]]
        cursor = page["next"]
        assert ("next" in answer.links) == (cursor is not None)
        url = cursor and f"/v1/plans/{read[0]['id']}/history?limit=3&cursor={cursor}"

    assert found == list(range(len(read), 0, -1))


@pytest.mark.parametrize("number", [2, 7, 1_000_000])
async def test_a_revision_that_never_was_is_not_found(desk: Desk, number: int) -> None:
    plan = await living(desk)

    answer = await desk.api.get(f"{plan.url}/history/{number}")

    assert (answer.status_code, answer.json()["type"]) == (404, "revision-not-found")


async def test_a_cursor_of_another_plan_is_refused(desk: Desk) -> None:
    plan, other = await living(desk), await living(desk, laterality="left")
    for one in (plan, other):
        await one.change({"type": "skip", "step": "orthotic_check"})
    cursor = (await good(desk.api.get(f"{plan.url}/history?limit=1")))["next"]

    answer = await desk.api.get(f"{other.url}/history?limit=1&cursor={cursor}")

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-cursor")


async def test_what_was_posted_applied_in_order_gives_what_is_stored(desk: Desk) -> None:
    read = await a_long_life(desk)

    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, desk.app.state.clinic_id)
        plan = await plans.view(UUID(read[0]["id"]))
        state = replay(*_posted(await plans.posted(UUID(read[0]["id"]))))

    assert state_to_data(state) == plan.state
    assert (state.status, state.version) == (plan.status, plan.protocol_version)


def _posted(entries: Any) -> tuple[Any, set[str]]:
    return entries, {id_ for entry in entries for id_ in entry.get("corrects", ())}
