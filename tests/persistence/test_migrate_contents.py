"""Clinics full of plans go down to the first migration and up again, and nothing is lost."""

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.protocols import StepKind
from app.domain.states import StepStatus
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.persistence.locations import ClosureRepository
from app.persistence.migrate import downgrade, require_no_difference, revisions, upgrade
from app.persistence.patient_reports import PatientEventRecord, PatientReportRepository
from app.persistence.patients import Identifier
from app.persistence.plans.repository import PlanRepository
from app.persistence.protocols import ProtocolRepository
from app.persistence.tables import LATERALITIES, PLAN_STATUSES, STEP_KINDS, STEP_STATUSES
from tests.persistence.given import (
    NOW,
    OTHER_CLINIC_ID,
    PATIENT,
    a_closure,
    a_plan,
    a_revision,
    a_step,
    a_version,
    an_event,
    other_clinic,
    surroundings,
    uid,
)

PLANS = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 15
STEPS = 5
CLINICS = (DEFAULT_CLINIC_ID, OTHER_CLINIC_ID)
# What the first version had no column for, and nothing else tells.
LOST = {("planned_steps", "announced"), ("protocol_versions", "written_as")}

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_full_clinics_are_the_same_after_all_migrations_down_and_up(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'full.db'}"
    if kind == "postgresql":
        url = str(request.getfixturevalue("new_postgresql_url"))
    upgrade(url)
    asyncio.run(fill(url))
    before = asyncio.run(contents(url))

    downgrade(url, revisions()[0])
    first = asyncio.run(contents(url))
    upgrade(url)
    after = asyncio.run(contents(url))

    kept = {table: columns_of(rows) for table, rows in first.items()}
    assert hashes(first, kept) == hashes(before, kept)
    whole = {table: columns_of(before[table]) - lost(table) for table in first}
    assert hashes(after, whole) == hashes(before, whole)
    assert {len(before[table]) for table in ("plans", "plan_revisions")} == {2 * PLANS}
    assert values(before, "plans", "status") == set(PLAN_STATUSES)
    assert values(before, "planned_steps", "status") == set(STEP_STATUSES)
    assert values(before, "planned_steps", "kind") == set(STEP_KINDS)
    require_no_difference(url)


async def fill(url: str) -> None:
    """Two clinics with plans of every status, and steps of every kind and status."""
    database = open_database(url)
    await other_clinic(database)
    for clinic_id in CLINICS:
        async with database.writing(clinic_id) as connection:
            await surroundings(connection, clinic_id)
            await fill_clinic(connection, clinic_id)
            await fill_plans(connection, clinic_id)
    await database.dispose()


async def fill_clinic(connection: AsyncConnection, clinic_id: UUID) -> None:
    """Versions of every status, reports of every side, and closures."""
    protocols = ProtocolRepository(connection, clinic_id)
    approval = {"name": "Alex", "credential": "MD"}
    await protocols.add_version(
        a_version("1.1.0", status="active", activated_at=NOW, approval=approval)
    )
    await protocols.add_version(a_version("0.9.0", status="retired", approval=approval))
    await ClosureRepository(connection, clinic_id).add(a_closure())
    reports = PatientReportRepository(connection, clinic_id)
    for number, side in enumerate((None, *LATERALITIES)):
        await reports.add_event(
            PatientEventRecord(
                id=uid(30 + number),
                patient_id=PATIENT,
                agent="nsaid",
                on_day=NOW.date(),
                laterality=side,
                created_at=NOW,
            )
        )


async def fill_plans(connection: AsyncConnection, clinic_id: UUID) -> None:
    """Plans with some steps each."""
    plans = PlanRepository(connection, clinic_id)
    statuses, kinds = list(StepStatus), list(StepKind)
    numbers = count()
    for number in range(PLANS):
        steps = tuple(
            a_step(
                place,
                id=uid(100_000 + step),
                status=statuses[step % len(statuses)],
                kind=kinds[step % len(kinds)],
                day=None if step % 11 == 0 else NOW.date(),
            )
            for place in range(STEPS)
            for step in (next(numbers),)
        )
        plan = a_plan(
            10_000 + number,
            status=PLAN_STATUSES[number % len(PLAN_STATUSES)],
            laterality=(None, *LATERALITIES)[number % 4],
            note="Ännchen “x”\n" * (number % 3) or None,
            identifiers=(Identifier("ehr", str(number)),),
            steps=steps,
        )
        event = an_event(number, plan_id=plan.id, patient_id=PATIENT, data={"number": number})
        await plans.add(plan, a_revision(reason="why"), [event])


async def contents(url: str) -> Rows:
    """Every row of both clinics, as the database gives it."""
    database = open_database(url)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for clinic_id in CLINICS:
        async with database.reading(clinic_id) as connection:
            tables = await connection.run_sync(lambda it: inspect(it).get_table_names())
            for table in sorted(set(tables) - {"alembic_version"}):
                rows = await connection.execute(text(f"SELECT * FROM {table}"))
                mine: list[Mapping[str, Any]] = [
                    dict(row) for row in rows.mappings() if same(row["clinic_id"], clinic_id)
                ]
                found.setdefault(table, []).extend(mine)
    await database.dispose()
    return found


def same(value: Any, clinic_id: UUID) -> bool:
    """Whether a row is of a clinic: SQLite keeps ids as text."""
    return str(value).replace("-", "") == clinic_id.hex


def columns_of(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The columns of a table that has a row."""
    return set(rows[0]) if rows else set()


def lost(table: str) -> set[str]:
    """Columns of a table that do not survive."""
    return {column for of, column in LOST if of == table}


def values(rows: Rows, table: str, column: str) -> set[Any]:
    """What a column holds."""
    return {row[column] for row in rows[table]}


def hashes(rows: Rows, columns: Mapping[str, set[str]]) -> dict[str, tuple[int, str]]:
    """How many rows tables have, and a hash of these columns of all of them."""
    found = {}
    for table, names in columns.items():
        lines = sorted(repr([str(row[name]) for name in sorted(names)]) for row in rows[table])
        found[table] = (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
    return found
