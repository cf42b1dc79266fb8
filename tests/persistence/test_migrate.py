"""Migrations run up, down and up again on both databases, also when there is data."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.access import Access
from app.domain.plans.steps import PlannedStep
from app.persistence.access import AccessRepository
from app.persistence.batches import BatchRecord, BatchRepository
from app.persistence.calendars import CalendarRepository
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository, ClinicRulesRepository
from app.persistence.credentials import KeyRecord, KeyRepository
from app.persistence.database import open_database
from app.persistence.deliveries import DeliveryRepository
from app.persistence.idempotency import IdempotencyRepository
from app.persistence.locations import ClosureRepository
from app.persistence.migrate import MIGRATIONS, downgrade, require_no_difference, revisions, upgrade
from app.persistence.patient_reports import (
    AbsenceRecord,
    PatientEventRecord,
    PatientReportRepository,
)
from app.persistence.patients import Identifier
from app.persistence.plans.repository import PlanRepository
from app.persistence.tables import PlannedStepRow, Row
from app.persistence.webhooks import WebhookRepository
from tests.persistence.given import (
    NOW,
    PATIENT,
    a_calendar,
    a_closure,
    a_plan,
    a_revision,
    a_step,
    a_webhook,
    an_event,
    surroundings,
    uid,
)

BEFORE_PLAN_STATUS = "81cf63c23aa5"
BEFORE_DUE_DAYS = "7e41c9d2b0f6"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database of this test's own, whose tables may change."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("new_postgresql_url")
    upgrade(url)
    return url


def test_the_tables_in_the_code_are_those_of_the_migrations(new_database_url: str) -> None:
    require_no_difference(new_database_url)


def test_down_and_up_again_with_data_leaves_every_table_as_it_was(new_database_url: str) -> None:
    asyncio.run(populate(new_database_url))
    before = asyncio.run(row_counts(new_database_url))
    assert 0 not in before.values()

    for revision in (*reversed(revisions()[:-1]), "base"):
        downgrade(new_database_url, revision)
    left = asyncio.run(row_counts(new_database_url))
    for revision in revisions():
        upgrade(new_database_url, revision)
    asyncio.run(populate(new_database_url))

    assert left == {}
    assert asyncio.run(row_counts(new_database_url)) == before
    require_no_difference(new_database_url)


def test_one_step_down_and_up_keeps_the_rows_of_tables_that_stay(new_database_url: str) -> None:
    asyncio.run(populate(new_database_url))
    before = asyncio.run(row_counts(new_database_url))

    downgrade(new_database_url, "-1")
    stayed = asyncio.run(row_counts(new_database_url))
    upgrade(new_database_url)

    after = asyncio.run(row_counts(new_database_url))
    assert {table: before[table] for table in stayed} == stayed
    assert {table: after[table] for table in stayed} == stayed


def test_steps_that_were_there_are_given_the_status_of_their_plan(new_database_url: str) -> None:
    asyncio.run(populate(new_database_url, status="completed"))

    downgrade(new_database_url, BEFORE_PLAN_STATUS)
    upgrade(new_database_url)

    assert asyncio.run(plan_statuses(new_database_url)) == {"completed"}


@pytest.mark.parametrize("status", ["active", "on_hold"])
def test_steps_that_were_there_are_given_the_days_on_which_they_are_due(
    new_database_url: str, status: str
) -> None:
    asyncio.run(populate(new_database_url, status=status, steps=tuple(steps_with_windows())))
    before = asyncio.run(due_days(new_database_url))

    downgrade(new_database_url, BEFORE_DUE_DAYS)
    upgrade(new_database_url)

    assert len({tuple(days) for _, *days in before}) > 5
    assert asyncio.run(due_days(new_database_url)) == before


def test_migrating_a_migrated_database_changes_nothing(new_database_url: str) -> None:
    before = asyncio.run(row_counts(new_database_url))

    upgrade(new_database_url)

    assert asyncio.run(row_counts(new_database_url)) == before


def test_processes_that_migrate_together_wait_for_each_other(
    tmp_path: Path, new_postgresql_url: str
) -> None:
    for url in (f"sqlite:///{tmp_path / 'new.db'}", new_postgresql_url):
        program = "import sys; from app.persistence.migrate import upgrade; upgrade(sys.argv[1])"
        command = [sys.executable, "-c", program, url]

        processes = [subprocess.Popen(command, cwd=MIGRATIONS.parent) for _ in range(2)]

        assert [process.wait(60) for process in processes] == [0, 0]
        require_no_difference(url)


def test_a_migration_that_leaves_rows_pointing_nowhere_is_undone(sqlite_url: str) -> None:
    downgrade(sqlite_url, "base")
    path = sqlite_url.partition(":///")[2]
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE a (x PRIMARY KEY)")
        connection.execute("CREATE TABLE b (x REFERENCES a (x))")
        connection.execute("INSERT INTO b VALUES (1)")
    connection.close()

    with pytest.raises(RuntimeError, match="1 rows that point nowhere"):
        upgrade(sqlite_url)

    assert "clinics" not in asyncio.run(row_counts(sqlite_url))


def test_no_migration_imports_the_application() -> None:
    for path in (MIGRATIONS / "versions").glob("*.py"):
        imports = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE)
        assert "app" not in imports


async def populate(url: str, **fields: Any) -> None:
    """Put at least one row into every table."""
    database = open_database(url)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await surroundings(connection)
        clinic = DEFAULT_CLINIC_ID
        await ClinicRepository(connection, clinic).make_sandbox()
        await ClinicRulesRepository(connection, clinic).save({"rules": []}, revision=0, now=NOW)
        await ClosureRepository(connection, clinic).add(a_closure())
        await report(PatientReportRepository(connection, clinic))
        await connection.execute(
            Row.metadata.tables["patient_identifiers"].insert(),
            {"clinic_id": clinic, "system": "ehr", "value": "1", "patient_id": PATIENT},
        )
        await IdempotencyRepository(connection, clinic).claim(
            "key", "fingerprint", now=NOW, kept_for=NOW - NOW
        )
        plan = a_plan(identifiers=(Identifier("ehr", "1"),), **fields)
        plans = PlanRepository(connection, clinic)
        await plans.add(plan, a_revision(), [an_event()])
        longer = replace(plan, steps=(*plan.steps, a_step(99, day=NOW.date())))
        await plans.save(longer, replace(plan, revision=2), a_revision(2), events=[], superseded={})
        batch = BatchRecord(
            id=uid(40),
            kind="closure",
            status="running",
            request={},
            total=1,
            created_at=NOW,
            created_by="local",
        )
        await BatchRepository(connection, clinic).add(batch, [plan.id])
        await CalendarRepository(connection, clinic).add(a_calendar(), b"hash")
        await WebhookRepository(connection, clinic).add(a_webhook())
        await add_access(connection)
        deliveries = DeliveryRepository(connection, clinic, a_webhook().id)
        assert await deliveries.queue_new(now=NOW, limit=10)
        await know_callers(connection)
    await database.dispose()


async def know_callers(connection: AsyncConnection) -> None:
    """Put a row into each table that is about callers."""
    tables = Row.metadata.tables
    ours = {"clinic_id": DEFAULT_CLINIC_ID, "role": "clinician", "name": "one", "created_at": NOW}
    key = KeyRecord(
        id=uid(60),
        prefix="rgm_a",
        name="one",
        role="admin",
        scopes=None,
        created_at=NOW,
        created_by="local",
    )
    await KeyRepository(connection, DEFAULT_CLINIC_ID).add(key, secret_hash="0")
    client = {**ours, "id": uid(61), "jwks": {"keys": []}, "created_by": "local"}
    await connection.execute(tables["oauth_clients"].insert(), client)
    used = {"client_id": uid(61), "jti_hash": "0", "expires_at": NOW}
    await connection.execute(
        tables["oauth_assertions"].insert(), {"clinic_id": DEFAULT_CLINIC_ID, **used}
    )


async def report(reports: PatientReportRepository) -> None:
    """Report an event and an absence of the patient."""
    day = NOW.date()
    await reports.add_event(
        PatientEventRecord(
            id=uid(30), patient_id=PATIENT, agent="nsaid", on_day=day, created_at=NOW
        )
    )
    await reports.add_absence(
        AbsenceRecord(id=uid(31), patient_id=PATIENT, first_day=day, last_day=day, created_at=NOW)
    )


async def plan_statuses(url: str) -> set[str]:
    """What is said at the planned steps of their plans."""
    database = open_database(url)
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        found = await connection.scalars(select(PlannedStepRow.plan_status))
        statuses = set(found)
    await database.dispose()
    return statuses


def steps_with_windows() -> Iterator[PlannedStep]:
    """With and without bounds, round the step's day, a month from it and further, and undated."""
    day = NOW.date()
    yield a_step(0, day=None)
    offsets = (-32, -31, 0, 31, 32)
    edges: list[tuple[int | None, int, int | None] | None] = [None, (None, 0, None)]
    edges += [(first, first, first) for first in offsets]
    edges += [(-32, 0, None), (None, 0, 32), (-31, 0, 31), (-32, 0, 31), (-31, 0, 32)]
    for number, window in enumerate(edges, start=1):
        earliest, target, latest = (
            None if days is None else day + timedelta(days) for days in window or (None,) * 3
        )
        yield a_step(number, day=day, earliest=earliest, target=target, latest=latest)


async def due_days(url: str) -> list[tuple[Any, ...]]:
    """What is said at the planned steps of when they are due."""
    database = open_database(url)
    row = PlannedStepRow
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        found = await connection.execute(
            select(row.position, row.due_from, row.due_until, row.loose).order_by(row.position)
        )
        days = [tuple(one) for one in found]
    await database.dispose()
    return days


async def add_access(connection: AsyncConnection) -> None:
    """An access in the chain, and one that waits."""
    one = Access(
        at=NOW,
        credential="key:x",
        operation="read_plan",
        stored=True,
        ids=(),
        patients=(str(uid(1)),),
    )
    account = AccessRepository(connection, DEFAULT_CLINIC_ID)
    await account.add([one], at=NOW, waiting=False)
    await account.wait(uid(2), one)


async def row_counts(url: str) -> dict[str, int]:
    """How many rows each of our tables has that is there."""
    database = open_database(url)
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        there = await connection.run_sync(lambda it: inspect(it).get_table_names())
        counts = {}
        for table in Row.metadata.sorted_tables:
            if table.name in there:
                counted = await connection.scalar(select(func.count()).select_from(table))
                counts[table.name] = counted or 0
    await database.dispose()
    return counts
