"""PostgreSQL itself keeps clinics apart: who forgets a filter, or to say for whom, sees nothing."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError

from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from app.persistence.database import Database, open_database
from app.persistence.patients import PatientRepository
from app.persistence.tables import ClinicRow, PatientRow, Row
from tests.persistence.given import NOW, OTHER_CLINIC_ID, a_patient, other_clinic, uid

OVERLOOKED = {
    "api_keys",
    "batch_items",
    "batches",
    "clinics",
    "deliveries",
    "event_counters",
    "locations",
    "oauth_clients",
    "webhooks",
}
CLINICS = (DEFAULT_CLINIC_ID, OTHER_CLINIC_ID)


@pytest.fixture
async def database(postgresql_url: str) -> AsyncIterator[Database]:
    """A PostgreSQL database with two clinics and a patient in each, and one connection to it."""
    opened = open_database(postgresql_url, pool_size=1)
    await other_clinic(opened)
    for clinic in CLINICS:
        async with opened.writing(clinic) as connection:
            await PatientRepository(connection, clinic).add(a_patient())
    yield opened
    await opened.dispose()


@pytest.mark.parametrize("clinic", CLINICS)
async def test_without_a_filter_only_the_own_clinics_rows_are_seen(
    database: Database, clinic: Any
) -> None:
    async with database.reading(clinic) as connection:
        found = (await connection.execute(select(PatientRow.clinic_id))).scalars().all()

    assert found == [clinic]


async def test_a_connection_of_the_pool_shows_the_clinic_it_is_lent_out_for(
    database: Database,
) -> None:
    for clinic in (*CLINICS, *CLINICS, OTHER_CLINIC_ID, DEFAULT_CLINIC_ID):
        async with database.reading(clinic) as connection:
            assert (await connection.execute(select(PatientRow.clinic_id))).scalar_one() == clinic
        async with database.writing(clinic) as connection:
            assert (await connection.execute(select(PatientRow.clinic_id))).scalar_one() == clinic


async def test_a_transaction_that_is_undone_leaves_the_connection_what_it_showed(
    database: Database,
) -> None:
    async with database.reading(DEFAULT_CLINIC_ID):
        pass
    with pytest.raises(RuntimeError):
        async with database.writing(OTHER_CLINIC_ID) as connection:
            await connection.execute(update(PatientRow).values(name="gone"))
            raise RuntimeError

    for clinic in (OTHER_CLINIC_ID, DEFAULT_CLINIC_ID):
        async with database.reading(clinic) as connection:
            row = (await connection.execute(select(PatientRow.clinic_id, PatientRow.name))).one()
            assert row.clinic_id == clinic
            assert row.name != "gone"


async def test_another_clinics_rows_are_neither_changed_nor_made(database: Database) -> None:
    async with database.writing(OTHER_CLINIC_ID) as connection:
        done = await connection.execute(update(PatientRow).values(name="Changed"))
    assert done.rowcount == 1

    row = {"clinic_id": DEFAULT_CLINIC_ID, "id": uid(9), "revision": 1}
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.writing(OTHER_CLINIC_ID) as connection:
            await connection.execute(
                insert(PatientRow).values(**row, created_at=NOW, updated_at=NOW)
            )


async def test_who_says_no_clinic_sees_and_makes_nothing(postgresql_url: str) -> None:
    connection = await asyncpg.connect(postgresql_url.replace("+asyncpg", ""))
    try:
        for table in Row.metadata.sorted_tables:
            assert await connection.fetchval(f"SELECT count(*) FROM {table.name}") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO clinics VALUES (gen_random_uuid(), 'x', false, null, now())"
            )
    finally:
        await connection.close()


async def test_of_all_clinics_only_what_a_worker_must_find_is_seen(database: Database) -> None:
    async with database.overlooking() as connection:
        for table in Row.metadata.sorted_tables:
            count = await connection.scalar(select(func.count()).select_from(table))
            assert count == (2 if table.name == "clinics" else 0), table.name
        with pytest.raises(DBAPIError):
            await connection.execute(
                insert(ClinicRow).values(
                    clinic_id=uid(8), name="New", sandbox=False, created_at=NOW
                )
            )


async def test_every_table_is_kept_apart_by_force(database: Database) -> None:
    """A new table needs its policies: see the migration that keeps clinics apart."""
    query = text(
        "SELECT relname, relrowsecurity AND relforcerowsecurity,"
        " array(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY 1)"
        " FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    async with database.overlooking() as connection:
        found = {name: (forced, names) for name, forced, names in await connection.execute(query)}

    del found["alembic_version"]
    assert found == {
        table.name: (
            True,
            ["migrating", *["overlooking"] * (table.name in OVERLOOKED), "own_clinic"],
        )
        for table in Row.metadata.sorted_tables
    }


async def test_the_service_may_not_change_tables(database: Database) -> None:
    for statement in (
        "ALTER TABLE patients DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_clinic ON patients",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET ROLE regimen_owner",
    ):
        with pytest.raises(DBAPIError):
            async with database.writing(DEFAULT_CLINIC_ID) as connection:
                await connection.execute(text(statement))


async def test_a_service_that_says_it_migrates_is_not_believed(database: Database) -> None:
    async with database.writing(OTHER_CLINIC_ID) as connection:
        await connection.execute(text("SET LOCAL regimen.migrating = 'on'"))
        found = (await connection.execute(select(PatientRow.clinic_id))).scalars().all()

    assert found == [OTHER_CLINIC_ID]


async def test_a_clinic_is_made_by_who_works_in_it(database: Database) -> None:
    async with database.writing(uid(7)) as connection:
        await ClinicRepository(connection, uid(7)).add("Third", sandbox=False, now=NOW)

    async with database.overlooking() as connection:
        assert await connection.scalar(select(func.count()).select_from(ClinicRow)) == 3


def test_every_key_of_every_table_begins_with_the_clinic() -> None:
    for table in Row.metadata.sorted_tables:
        constraints = [c for c in table.constraints if hasattr(c, "columns") and len(c.columns)]
        keys = [[column.name for column in c.columns] for c in constraints if _is_key(c)]
        keys += [[column.name for column in index.columns] for index in table.indexes]
        assert keys, table.name
        assert {columns[0] for columns in keys} == {"clinic_id"}, table.name


def _is_key(constraint: object) -> bool:
    return type(constraint).__name__ in {
        "PrimaryKeyConstraint",
        "UniqueConstraint",
        "ForeignKeyConstraint",
    }
