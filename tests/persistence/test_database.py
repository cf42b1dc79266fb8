"""The settings without which data is lost or requests hang do hold."""

import asyncio

import pytest
from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence import database as database_module
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import (
    Database,
    UnsuitableDatabase,
    driver_url,
    open_database,
)
from app.persistence.tables import ProtocolRow
from tests.persistence.given import NOW, uid

INSERT = text(
    "INSERT INTO protocols (clinic_id, key, title, created_at)"
    " SELECT clinic_id, 'ankle', 'Ankle', created_at FROM clinics"
)
COUNT = text("SELECT count(*) FROM protocols")


async def pragma(connection: AsyncConnection, name: str) -> object:
    return (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()


@pytest.mark.parametrize("way", ["writing", "reading"])
async def test_every_sqlite_connection_keeps_what_it_commits(sqlite_url: str, way: str) -> None:
    database = open_database(sqlite_url)

    async with getattr(database, way)(DEFAULT_CLINIC_ID) as connection:
        found = {
            name: await pragma(connection, name)
            for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        }
        read_only = await pragma(connection, "query_only")
    await database.dispose()

    assert found == {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 5000,
    }
    assert read_only == (way == "reading")


async def test_postgresql_ends_work_that_lasts_too_long(postgresql_url: str) -> None:
    database = open_database(postgresql_url)

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        found = {
            name: await connection.scalar(text(f"SHOW {name}"))
            for name in ("lock_timeout", "statement_timeout", "timezone")
        }
        idle = await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
    await database.dispose()

    assert found == {"lock_timeout": "2s", "statement_timeout": "10s", "timezone": "UTC"}
    assert idle == "15s"


async def test_a_block_that_ends_well_is_committed(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(INSERT)

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        assert await connection.scalar(COUNT) == 1


async def test_a_block_that_raises_stores_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.writing(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(INSERT)
            raise RuntimeError

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        assert await connection.scalar(COUNT) == 0


async def test_a_reader_cannot_write_on_sqlite(sqlite_url: str) -> None:
    database = open_database(sqlite_url)

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.execute(INSERT)
    await database.dispose()


async def test_readers_see_what_was_committed_since(database: Database) -> None:
    async with database.reading(DEFAULT_CLINIC_ID) as reader:
        before = await reader.scalar(COUNT)
        async with database.writing(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(INSERT)
        after = await reader.scalar(COUNT)

    assert (before, after) == (0, 1)


async def test_writers_on_sqlite_take_turns_and_lose_nothing(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    add = text("UPDATE clinics SET name = CAST(CAST(name AS INTEGER) + 1 AS TEXT)")
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(text("UPDATE clinics SET name = '0'"))

    async def increment() -> None:
        async with database.writing(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(text("SELECT name FROM clinics"))
            await connection.execute(add)

    await asyncio.gather(*(increment() for _ in range(20)))

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        assert await connection.scalar(text("SELECT name FROM clinics")) == "20"
    await database.dispose()


async def test_waiting_for_a_connection_ends_soon(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "POOL_WAIT_SECONDS", 0.05)
    narrow = open_database(
        str(database.write.url.render_as_string(hide_password=False)), pool_size=1
    )

    async with narrow.writing(DEFAULT_CLINIC_ID):
        with pytest.raises(PoolTimeout):
            async with narrow.writing(DEFAULT_CLINIC_ID):
                pass
    await narrow.dispose()


async def test_rows_of_no_clinic_are_refused(database: Database) -> None:
    nobodys = insert(ProtocolRow).values(clinic_id=uid(9), key="k", title="t", created_at=NOW)

    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        async with database.writing(uid(9)) as connection:
            await connection.execute(nobodys)


async def test_a_database_that_serves_passes_its_check(database: Database) -> None:
    await database.check()


async def test_building_engines_connects_nowhere() -> None:
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")

    await database.dispose()


async def test_sqlite_that_is_too_old_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "SQLITE_VERSION", (99, 0, 0))
    database = open_database(sqlite_url)

    with pytest.raises(UnsuitableDatabase, match=r"too old, 99\.0\.0 is needed"):
        await database.check()
    await database.dispose()


async def test_a_setting_that_does_not_hold_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_module.SQLITE_PRAGMAS, "synchronous", ("NORMAL", 2))
    database = open_database(sqlite_url)

    with pytest.raises(UnsuitableDatabase, match="synchronous 1 instead of 2"):
        await database.check()
    await database.dispose()


@pytest.mark.parametrize(
    "given, meant",
    [
        pytest.param("sqlite:///a.db", "sqlite+aiosqlite:///a.db", id="sqlite"),
        pytest.param("sqlite:////x/a.db", "sqlite+aiosqlite:////x/a.db", id="absolute path"),
        pytest.param("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d", id="postgresql"),
        pytest.param("postgres://h/d", "postgresql+asyncpg://h/d", id="short name"),
        pytest.param("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d", id="driver named"),
        pytest.param(
            "postgresql://h/d?sslmode=require",
            "postgresql+asyncpg://h/d?ssl=require",
            id="ssl mode by its usual name",
        ),
    ],
)
def test_a_plain_address_is_given_its_driver(given: str, meant: str) -> None:
    assert driver_url(given) == meant


@pytest.mark.parametrize(
    "given, text_",
    [
        pytest.param("mysql://h/d", "must begin with", id="other database"),
        pytest.param("postgresql+psycopg://h/d", "must begin with", id="other driver"),
        pytest.param("sqlite://", "needs a file", id="sqlite without a file"),
        pytest.param("sqlite:///:memory:", "needs a file", id="sqlite in memory"),
        pytest.param("regimen.db", "must look like", id="no address"),
    ],
)
def test_an_address_of_something_else_is_refused(given: str, text_: str) -> None:
    with pytest.raises(UnsuitableDatabase, match=text_):
        driver_url(given)


async def cut(database: Database, postgresql_url: str) -> int:
    """Let the server end the pool's only connection; gives the process that served it."""
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    other = open_database(postgresql_url, pool_size=1)
    async with other.reading(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        gone = text("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :pid")
        while not await connection.scalar(gone, {"pid": pid}):
            pass
    await other.dispose()
    assert isinstance(pid, int)
    return pid


async def test_a_connection_that_was_cut_is_replaced(postgresql_url: str) -> None:
    database = open_database(postgresql_url, pool_size=1)
    before = await cut(database, postgresql_url)

    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        after = await connection.scalar(text("SELECT pg_backend_pid()"))

    assert after != before
    await database.dispose()


@pytest.mark.parametrize("idle_seconds, replaced", [(-1, True), (60, False)])
async def test_a_connection_is_asked_after_a_pause_and_replaced_when_silent(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, idle_seconds: int, replaced: bool
) -> None:
    def silence(connection: AsyncAdapt_asyncpg_connection) -> None:
        raise connection.dbapi.InterfaceError("no answer")

    database = open_database(postgresql_url, pool_size=1)
    monkeypatch.setattr(database_module, "IDLE_SECONDS", idle_seconds)
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        before = await connection.scalar(text("SELECT pg_backend_pid()"))
    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "ping", silence)

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        after = await connection.scalar(text("SELECT pg_backend_pid()"))

    assert (after != before) == replaced
    await database.dispose()


async def test_a_connection_that_answers_after_a_pause_is_kept(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE_SECONDS", -1)
    database = open_database(postgresql_url, pool_size=1)

    served = []
    for _ in range(2):
        async with database.reading(DEFAULT_CLINIC_ID) as connection:
            served.append(await connection.scalar(text("SELECT pg_backend_pid()")))

    assert served[0] == served[1]
    await database.dispose()
