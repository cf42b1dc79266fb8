"""The feed of events: in order, from anywhere, waited for, nothing missed and nothing twice."""

import asyncio
from collections import Counter
from typing import Any

import anyio
import pytest

from app.api.events import MOST_SECONDS
from tests.api.given_changes import Living
from tests.api.given_plans import NOBODY, Data, Desk, good
from tests.client import Client

URL = "/v1/events"
A_MOMENT = 0.2


async def read(api: Client, **which: Any) -> Data:
    """One page of the feed."""
    return await good(api.get(URL, params=which))


def numbers(page: Data) -> list[int]:
    """The numbers of a page's events."""
    return [item["number"] for item in page["items"]]


async def patients(api: Client, count: int) -> list[str]:
    """Some new patients, one after another."""
    return [str((await good(api.post("/v1/patients", json={})))["id"]) for _ in range(count)]


async def test_where_nothing_happened_the_feed_is_empty(api: Client) -> None:
    assert await read(api) == {"items": [], "last": 0}
    assert await read(api, after=17) == {"items": [], "last": 17}


async def test_events_come_in_order_and_from_anywhere(api: Client) -> None:
    made = await patients(api, 5)

    whole = await read(api)

    assert [item["patient_id"] for item in whole["items"]] == made
    assert numbers(whole) == sorted(set(numbers(whole)))
    assert whole["last"] == numbers(whole)[-1]
    for place, number in enumerate(numbers(whole), start=1):
        assert (await read(api, after=number))["items"] == whole["items"][place:]


async def test_pages_follow_each_other(api: Client) -> None:
    made = await patients(api, 5)
    seen: list[str] = []
    sizes: list[int] = []
    after = 0

    while (page := await read(api, after=after, limit=2))["items"]:
        seen += [item["patient_id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        after = page["last"]

    assert (seen, sizes) == (made, [2, 2, 1])


async def test_a_filter_leaves_what_fits_and_goes_on_behind_the_rest(own_desk: Desk) -> None:
    api = own_desk.api
    plan = Living(own_desk, await own_desk.plan())
    await plan.change({"type": "skip", "step": "call_day3"}, {"type": "skip", "step": "pre_check"})
    other = await own_desk.plan(patient={"id": await own_desk.patient()})
    whole = (await read(api, limit=200))["items"]
    last = whole[-1]["number"]

    filters: list[Any] = [
        ({"plan_id": other["id"]}, lambda e: e["plan_id"] == other["id"]),
        ({"patient_id": own_desk.patient_id}, lambda e: e["patient_id"] == own_desk.patient_id),
        ({"type": "step_skipped"}, lambda e: e["type"] == "step_skipped"),
        (
            {"type": ["step_skipped", "plan_created"], "plan_id": plan.plan["id"]},
            lambda e: e["plan_id"] == plan.plan["id"] and e["type"] != "plan_changed",
        ),
    ]
    for which, fits in filters:
        page = await read(api, limit=200, **which)
        assert page["items"] == [event for event in whole if fits(event)] != []
        assert page["last"] == last
    assert await read(api, plan_id=NOBODY) == {"items": [], "last": last}


async def test_a_change_tells_the_plan_first_and_then_its_steps(own_desk: Desk) -> None:
    plan = Living(own_desk, await own_desk.plan())
    before = (await read(own_desk.api, limit=200))["last"]

    await plan.change({"type": "skip", "step": "call_day3"})

    page = await read(own_desk.api, after=before)
    assert [(item["type"], item["revision"]) for item in page["items"]] == [
        ("plan_changed", 2),
        ("step_skipped", 2),
    ]


async def test_who_waits_is_told_when_it_happens(api: Client) -> None:
    (first,) = await patients(api, 1)
    last = (await read(api))["last"]
    found: list[Data] = []

    async def wait() -> None:
        found.append(await read(api, after=last, wait=MOST_SECONDS))

    with anyio.fail_after(MOST_SECONDS):
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(wait)
            await anyio.sleep(A_MOMENT)
            assert found == []
            (second,) = await patients(api, 1)

    assert [item["patient_id"] for item in found[0]["items"]] == [second] != [first]


async def test_who_waits_for_something_else_is_told_how_far_nothing_was(api: Client) -> None:
    await patients(api, 2)

    page = await read(api, type="plan_created", wait=1)

    assert page == {"items": [], "last": (await read(api))["last"]}


async def test_what_is_there_is_not_waited_for(api: Client) -> None:
    await patients(api, 1)

    with anyio.fail_after(MOST_SECONDS / 2):
        page = await read(api, wait=MOST_SECONDS)

    assert len(page["items"]) == 1


async def test_a_reader_beside_many_writers_misses_and_repeats_nothing(api: Client) -> None:
    writers, each = 6, 8
    seen: list[Data] = []

    async def write() -> list[str]:
        return await patients(api, each)

    async def follow() -> None:
        after = 0
        while len(seen) < writers * each:
            page = await read(api, after=after, limit=5, wait=1)
            seen.extend(page["items"])
            after = page["last"]

    reading = asyncio.create_task(follow())
    made = await asyncio.gather(*(write() for _ in range(writers)))
    await asyncio.wait_for(reading, 60)

    assert [item["number"] for item in seen] == sorted({item["number"] for item in seen})
    assert Counter(item["patient_id"] for item in seen) == Counter(
        id_ for ids in made for id_ in ids
    )
    assert (await read(api, after=seen[-1]["number"]))["items"] == []


@pytest.mark.parametrize(
    "name, value",
    [
        ("after", "-1"),
        ("after", str(2**63)),
        ("after", "soon"),
        ("limit", "0"),
        ("limit", "201"),
        ("wait", "-1"),
        ("wait", str(MOST_SECONDS + 1)),
        ("type", "something_else"),
        ("plan_id", "1"),
        ("patient_id", "me"),
        ("before", "1"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_its_place(
    api: Client, name: str, value: str
) -> None:
    answer = await api.get(URL, params={name: value})

    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [name]
