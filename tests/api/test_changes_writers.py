"""Many who change one plan at once: each change acknowledged is a revision, the rest hear 412."""

import asyncio
from typing import Any

import pytest

from tests.api.given_changes import Living, living
from tests.api.given_plans import Data, Desk, good

WRITERS = 20
AGAIN = 9


def said(writer: int) -> Data:
    """A change that always fits."""
    report = {"type": "report", "agent": f"agent-{writer}", "on": "2027-01-04"}
    return {"changes": [report], "reason": f"writer {writer}"}


async def write(plan: Living, writer: int, tag: str) -> int:
    """Post one change; gives the status."""
    answer = await plan.desk.api.post(
        f"{plan.url}/changes", json=said(writer), headers={"if-match": tag}
    )
    return answer.status_code


async def reasons(plan: Living) -> list[str]:
    """Why the plan was changed, as its history has it."""
    return [str(item["reason"]) for item in (await plan.history())[1:]]


async def test_of_all_who_saw_one_revision_one_changes_it(desk: Desk) -> None:
    plan = await living(desk)

    statuses = await asyncio.gather(*(write(plan, n, '"1"') for n in range(WRITERS)))

    assert sorted(statuses) == [200, *[412] * (WRITERS - 1)]
    assert await reasons(plan) == [f"writer {statuses.index(200)}"]
    assert (await good(desk.api.get(plan.url)))["revision"] == 2


async def test_all_who_try_again_come_in_one_after_another(desk: Desk) -> None:
    plan = await living(desk)

    async def until_taken(writer: int) -> list[int]:
        statuses: list[int] = []
        while 200 not in statuses:
            tag = (await desk.api.get(plan.url)).headers["etag"]
            statuses.append(await write(plan, writer, tag))
        return statuses

    tries = await asyncio.gather(*(until_taken(n) for n in range(AGAIN)))

    found = await good(desk.api.get(plan.url))
    assert {status for statuses in tries for status in statuses} <= {200, 412}
    assert found["revision"] == AGAIN + 1
    assert sorted(await reasons(plan)) == sorted(f"writer {n}" for n in range(AGAIN))


async def test_one_change_posted_by_many_with_one_key_is_made_once(desk: Desk) -> None:
    plan = await living(desk)
    headers = {"if-match": '"1"', "idempotency-key": f"once-{plan.plan['id']}"}

    answers = await asyncio.gather(
        *(
            desk.api.post(f"{plan.url}/changes", json=said(0), headers=headers)
            for _ in range(WRITERS // 2)
        )
    )

    assert {answer.status_code for answer in answers} <= {200, 409}
    taken = [answer for answer in answers if answer.status_code == 200]
    assert len({answer.content for answer in taken}) == 1
    assert all("retry-after" in a.headers for a in answers if a.status_code == 409)
    assert await reasons(plan) == ["writer 0"]


@pytest.mark.parametrize("count", [8])
async def test_writers_of_different_plans_do_not_stand_in_each_others_way(
    desk: Desk, count: int
) -> None:
    patients = [{"id": await desk.patient()} for _ in range(count)]
    few: dict[str, Any] = {"parameters": {"primer_count": 0, "orthotics": "declined"}}
    plans = [await living(desk, patient=patient, **few) for patient in patients]

    statuses = await asyncio.gather(
        *(write(plan, n, '"1"') for n, plan in enumerate(plans)),
        *(write(plan, n, '"2"') for n, plan in enumerate(plans)),
    )

    assert statuses[:count] == [200] * count
    for plan, status in zip(plans, statuses[count:], strict=True):
        expected = 3 if status == 200 else 2
        assert (await good(desk.api.get(plan.url)))["revision"] == expected
