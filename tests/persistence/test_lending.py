"""Connections for reading are kept for the next read, and never from whoever needs one."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence import lending
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRulesRepository
from app.persistence.database import Database, open_database

ANOTHER_CLINIC = UUID(int=7)


@pytest.fixture
async def narrow(postgresql_url: str) -> AsyncIterator[Database]:
    """A database with one connection."""
    database = open_database(postgresql_url, pool_size=1)
    yield database
    await database.dispose()


async def read(database: Database) -> list[AsyncConnection]:
    """Read as hot reads do; gives the connection that was lent for it."""
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).get()
    return [connection]


async def shown_clinic(connection: AsyncConnection) -> object:
    return await connection.scalar(text("SELECT current_setting('regimen.clinic')"))


async def test_the_next_read_has_the_same_connection(narrow: Database) -> None:
    assert await read(narrow) == await read(narrow)


async def test_a_kept_connection_is_not_in_use(narrow: Database) -> None:
    await read(narrow)

    assert narrow.pool_use().in_use == 0


async def test_a_kept_connection_shows_the_clinic_it_is_lent_for(narrow: Database) -> None:
    await read(narrow)

    async with narrow.reading(ANOTHER_CLINIC) as connection:
        assert await shown_clinic(connection) == str(ANOTHER_CLINIC)


async def test_whoever_writes_gets_the_connection_that_was_kept(narrow: Database) -> None:
    await read(narrow)

    async with narrow.writing(DEFAULT_CLINIC_ID) as connection:
        assert await shown_clinic(connection) == str(DEFAULT_CLINIC_ID)


async def test_the_database_can_be_checked_while_one_is_kept(narrow: Database) -> None:
    await read(narrow)

    await narrow.check()


async def test_whoever_waits_gets_the_connection_that_is_read_with(narrow: Database) -> None:
    async with narrow.reading(DEFAULT_CLINIC_ID) as connection:
        waiting = asyncio.create_task(write(narrow))
        await asyncio.sleep(0.05)
        await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).get()

    await asyncio.wait_for(waiting, 1)


async def write(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(text("SELECT 1"))


async def test_a_connection_that_was_asked_in_a_transaction_is_given_back(
    narrow: Database,
) -> None:
    async with narrow.reading(DEFAULT_CLINIC_ID) as first:
        await first.execute(text("SELECT 1"))

    assert first.closed


async def test_a_connection_kept_for_long_is_asked_whether_it_still_answers(
    narrow: Database, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "IDLE_SECONDS", 0)
    first = await read(narrow)

    assert await read(narrow) != first


async def test_a_connection_that_was_ended_meanwhile_is_not_lent(
    narrow: Database, postgresql_url: str
) -> None:
    async with narrow.reading(DEFAULT_CLINIC_ID) as connection:
        rules = await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).get()
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        pid = driver.get_server_pid()
    other = open_database(postgresql_url, pool_size=1)
    async with other.writing(DEFAULT_CLINIC_ID) as killer:
        await killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    await other.dispose()
    await asyncio.sleep(0.1)

    async with narrow.reading(DEFAULT_CLINIC_ID) as connection:
        assert await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).get() == rules


async def test_a_read_that_failed_keeps_nothing(narrow: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with narrow.reading(DEFAULT_CLINIC_ID) as connection:
            raise ZeroDivisionError

    assert connection.closed
