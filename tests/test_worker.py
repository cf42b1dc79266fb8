"""The worker: dropped in the middle, beside another, or met with a defect, it loses nothing."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from app.domain.permissions import UNRESTRICTED
from app.domain.plans.changes import SetParameter
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, open_database
from app.persistence.tables import (
    BatchItemRow,
    EventRow,
    IdempotencyKeyRow,
    PatientRow,
    PlanRevisionRow,
    PlanRow,
)
from app.services import clock
from app.services.plans import change_plan
from app.services.plans.posting import PlanChange, PostedChanges
from app.worker import Worker
from tests.api.conftest import api, app, own_desk
from tests.api.given_changes import Living
from tests.api.given_plans import Desk, good

__all__ = ["api", "app", "own_desk"]

CLOSED = {"title": "Works", "key": "works", "from": "2027-03-24", "to": "2027-03-26"}


@pytest.fixture
def desk(own_desk: Desk) -> Desk:
    """A desk in a database that no other test uses."""
    return own_desk


@pytest.fixture
def database(desk: Desk) -> Database:
    """The desk's database."""
    found: Database = desk.app.state.database
    return found


async def close(desk: Desk, count: int) -> list[UUID]:
    """Close the location over some plans; gives their ids."""
    found = []
    for _ in range(count):
        patient = {"id": await desk.patient()}
        few = {"primer_count": 0, "orthotics": "declined"}
        found.append(UUID((await desk.plan(patient=patient, parameters=few))["id"]))
    body = {"location_id": desk.location_id, **CLOSED}
    assert (await desk.api.post("/v1/closures", json=body)).status_code == 202
    return found


async def finish(database: Database) -> None:
    """Let a worker do all there is to do."""
    worker = Worker(database)
    while await worker.work():
        pass


async def rows(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    """Some columns of everything that is stored."""
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


async def statuses(database: Database) -> dict[UUID, str]:
    """What became of each plan of the one batch."""
    return dict(await rows(database, BatchItemRow.plan_id, BatchItemRow.status))


async def revisions(database: Database) -> dict[UUID, list[int]]:
    """The revisions that are stored of each plan."""
    found: dict[UUID, list[int]] = {}
    for plan, number in await rows(database, PlanRevisionRow.plan_id, PlanRevisionRow.revision):
        found.setdefault(plan, []).append(number)
    return found


async def check_that_nothing_is_half_done(database: Database) -> None:
    """Every plan is done with its result, its revision and its events, or none of these."""
    stored, kept = await statuses(database), await revisions(database)
    told = [
        plan
        for plan, type_ in await rows(database, EventRow.plan_id, EventRow.type)
        if type_ == "plan_changed"
    ]
    for plan, revision in await rows(database, PlanRow.id, PlanRow.revision):
        done = stored[plan] == "changed"
        assert (stored[plan], revision) in {("changed", 2), ("waiting", 1)}
        assert sorted(kept[plan]) == list(range(1, revision + 1))
        assert told.count(plan) == int(done)


async def test_a_worker_dropped_anywhere_leaves_nothing_half_done(
    desk: Desk, database: Database
) -> None:
    await close(desk, 4)

    for ticks in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        working = asyncio.create_task(Worker(database).work())
        for _ in range(ticks):
            await asyncio.sleep(0)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await check_that_nothing_is_half_done(database)

    await finish(database)
    assert set((await statuses(database)).values()) == {"changed"}
    await check_that_nothing_is_half_done(database)


async def test_workers_share_a_batch_without_doing_anything_twice(
    desk: Desk, database: Database
) -> None:
    plans = await close(desk, 9)

    await asyncio.gather(*(finish(database) for _ in range(3)))
    await finish(database)

    assert await statuses(database) == dict.fromkeys(plans, "changed")
    await check_that_nothing_is_half_done(database)


async def test_a_plan_that_nobody_can_read_does_not_stop_the_others(
    desk: Desk, database: Database
) -> None:
    first, *others = await close(desk, 3)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        broken = {"format": 1, "performed": [{"nonsense": True}]}
        await connection.execute(update(PlanRow).where(PlanRow.id == first).values(state=broken))

    await finish(database)

    assert await statuses(database) == {first: "failed", **dict.fromkeys(others, "changed")}
    result = await rows(database, BatchItemRow.plan_id, BatchItemRow.result)
    assert dict(result)[first] == {"detail": "the service failed"}


async def test_a_person_who_changes_the_plan_meanwhile_goes_first(
    desk: Desk, database: Database
) -> None:
    (plan,) = await close(desk, 1)
    one = PlanChange(lambda _: SetParameter("primer_count", 1))
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = await clock.open_context(
            connection,
            DEFAULT_CLINIC_ID,
            actor="a person",
            grant=UNRESTRICTED,
            now=NOW,
            ordinary=set(),
        )
        await change_plan(ctx, plan, PostedChanges((one,)), revision=1)
        working = asyncio.create_task(Worker(database).work())
        for _ in range(200):
            await asyncio.sleep(0.001)
        assert not working.done()
    await working
    await finish(database)

    assert (await statuses(database))[plan] in {"changed", "unchanged"}
    assert (await good(desk.api.get(f"/v1/plans/{plan}")))["parameters"]["primer_count"] == 1


END_WHO_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE CASE WHEN wait_event_type = 'Lock' AND datname = current_database()
    THEN pg_terminate_backend(pid) END
"""


async def test_a_plan_goes_on_waiting_when_the_database_was_away(
    desk: Desk, database: Database
) -> None:
    if database.is_one_file:
        pytest.skip("a file is never away")
    (plan,) = await close(desk, 1)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(select(PatientRow.id).with_for_update())
        working = asyncio.create_task(Worker(database, lanes=1).work())
        for _ in range(200):
            if await connection.scalar(text(END_WHO_WAITS)):
                break
            await asyncio.sleep(0.01)
        with pytest.raises(DBAPIError):
            await working

    assert await statuses(database) == {plan: "waiting"}
    await finish(database)
    assert await statuses(database) == {plan: "changed"}


async def test_what_is_due_is_announced_but_not_while_its_plan_is_on_hold(
    desk: Desk, database: Database
) -> None:
    plan = Living(desk, await desk.plan())
    await plan.change({"type": "hold"})
    await desk.at("2027-01-19T12:00:00-07:00")
    await finish(database)
    quiet = await rows(database, EventRow.type)

    await plan.change({"type": "resume"})
    await desk.at("2027-01-20T12:00:00-07:00")
    await finish(database)

    assert ("step_due",) not in quiet
    assert ("step_due",) in await rows(database, EventRow.type)


NOW = datetime(2027, 1, 4, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sqlite+aiosqlite:///{folder}/nowhere/regimen.db", id="no such folder"),
        pytest.param("postgresql+asyncpg://nobody@127.0.0.1:1/regimen", id="no such server"),
    ],
)
async def test_a_worker_waits_for_a_database_that_is_away(url: str, tmp_path: Path) -> None:
    database = open_database(url.format(folder=tmp_path), pool_size=1)
    worker = Worker(database)

    working = asyncio.create_task(worker.run())
    await asyncio.sleep(0.2)

    assert not working.done()
    worker.stop()
    await asyncio.wait_for(working, 5)
    await database.dispose()


async def test_a_worker_that_is_told_to_stop_finishes_the_plan_under_way(
    desk: Desk, database: Database
) -> None:
    await close(desk, 3)
    worker = Worker(database)

    working = asyncio.create_task(worker.run())
    for _ in range(1000):
        await asyncio.sleep(0.001)
        if "changed" in (await statuses(database)).values():
            break
    worker.stop()
    await asyncio.wait_for(working, 10)

    await check_that_nothing_is_half_done(database)


async def test_answers_are_forgotten_after_a_day_and_not_before(
    desk: Desk, database: Database
) -> None:
    for day, key in (("2027-01-04", "first"), ("2027-01-05", "second")):
        await desk.at(f"{day}T12:00:00-07:00")
        body, headers = {"name": "Alex"}, {"idempotency-key": key}
        await good(desk.api.post("/v1/patients", json=body, headers=headers))

    kept = []
    for now in ("2027-01-05T11:59:59-07:00", "2027-01-05T12:00:00-07:00"):
        await desk.at(now)
        await finish(database)
        kept.append({key for (key,) in await rows(database, IdempotencyKeyRow.key)})

    assert kept == [{"first", "second"}, {"second"}]


async def test_a_worker_forgets_answers_once_an_hour(desk: Desk, database: Database) -> None:
    worker = Worker(database)
    await worker.work()
    await desk.at("2027-01-04T12:00:00-07:00")
    headers = {"idempotency-key": "late"}
    await good(desk.api.post("/v1/patients", json={"name": "Alex"}, headers=headers))
    await desk.at("2027-01-06T12:00:00-07:00")

    await worker.work()

    assert await rows(database, IdempotencyKeyRow.key) == [("late",)]
