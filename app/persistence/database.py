"""Opens the database: engines, connections and the settings they must have. Knows no table."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.persistence.columns import encode_json

SQLITE = "sqlite+aiosqlite"
POSTGRESQL = "postgresql+asyncpg"
DRIVERS = {
    "sqlite": SQLITE,
    SQLITE: SQLITE,
    "postgres": POSTGRESQL,
    "postgresql": POSTGRESQL,
    POSTGRESQL: POSTGRESQL,
}

POOL_WAIT_SECONDS = 2
CONNECT_SECONDS = 5
SQLITE_READERS = 4
# SQLite's least version with RETURNING and upsert as the repositories use them.
SQLITE_VERSION = (3, 35, 0)

# FULL, because NORMAL may lose the last commits when the power fails.
SQLITE_PRAGMAS = {
    "foreign_keys": ("ON", 1),
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "busy_timeout": ("5000", 5000),
}
READ_ONLY_PRAGMA = {"query_only": ("ON", 1)}

# Work for clients that are gone must end, and nobody waits long behind somebody's lock.
POSTGRESQL_SETTINGS = {
    "application_name": "regimen",
    "timezone": "UTC",
    "jit": "off",
    "lock_timeout": "2000",
    "statement_timeout": "10000",
    "idle_in_transaction_session_timeout": "15000",
}


class UnsuitableDatabase(Exception):
    """A database that cannot be used as it is; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Database:
    """One database, open for writing and for reading.

    On SQLite one connection writes, because several only wait for each other, and a few others
    read and cannot write. On PostgreSQL both are views of one pool of fixed size.
    """

    write: AsyncEngine
    read: AsyncEngine

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that commits at the end of the block, or rolls back when it raises."""
        return self.write.begin()

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading outside a transaction: every statement sees its own moment.

        What must agree is read in one statement.
        """
        return self.read.connect()

    async def check(self) -> None:
        """Connect both ways once; raises UnsuitableDatabase when a needed setting does not hold."""
        for engine in (self.write, self.read):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        """Close every connection; aiosqlite's threads would keep the process alive."""
        await self.write.dispose()
        await self.read.dispose()


def driver_url(url: str) -> str:
    """The address with the asynchronous driver named, from its plain form.

    Raises UnsuitableDatabase for another kind of database and for SQLite without a file, of
    which every connection would see its own.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UnsuitableDatabase("must look like sqlite:///file.db or postgresql://…") from None
    driver = DRIVERS.get(parsed.drivername)
    if driver is None:
        raise UnsuitableDatabase("must begin with sqlite:/// or postgresql://")
    if driver == SQLITE and parsed.database in {None, "", ":memory:"}:
        raise UnsuitableDatabase("sqlite needs a file, as in sqlite:///regimen.db")
    parsed = parsed.set(drivername=driver)
    if driver == POSTGRESQL and "sslmode" in parsed.query:
        # The name of this option in every other client; asyncpg's takes the same values.
        parsed = parsed.update_query_dict({"ssl": parsed.query["sslmode"]})
        parsed = parsed.difference_update_query(["sslmode"])
    return parsed.render_as_string(hide_password=False)


def open_database(url: str, *, pool_size: int = 10) -> Database:
    """Build the engines without connecting; the caller disposes the database."""
    parsed = make_url(driver_url(url))
    if parsed.drivername == SQLITE:
        return _open_sqlite(parsed, pool_size)
    engine = create_async_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        skip_autocommit_rollback=True,
        json_serializer=encode_json,
        connect_args={"timeout": CONNECT_SECONDS, "server_settings": POSTGRESQL_SETTINGS},
    )
    return Database(write=engine, read=engine.execution_options(isolation_level="AUTOCOMMIT"))


def _open_sqlite(url: URL, pool_size: int) -> Database:
    write = _sqlite_engine(url, SQLITE_PRAGMAS, pool_size=1)
    # Without IMMEDIATE a transaction that reads and then writes fails at once when another
    # writer came between, however long the time-out.
    event.listen(write.sync_engine, "begin", _begin_immediate)
    readers = min(pool_size, SQLITE_READERS)
    pragmas = SQLITE_PRAGMAS | READ_ONLY_PRAGMA
    # Readers open no transaction, so there is none to roll back.
    read = _sqlite_engine(url, pragmas, pool_size=readers, skip_autocommit_rollback=True)
    return Database(write=write, read=read)


def _sqlite_engine(url: URL, pragmas: dict[str, tuple[str, object]], **options: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        json_serializer=encode_json,
        **options,
    )

    def prepare(connection: Any, _record: object) -> None:
        # The driver must not open transactions by itself: the begin hook does.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            _set_pragmas(cursor, pragmas)
        finally:
            cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    return engine


def _set_pragmas(cursor: Any, pragmas: dict[str, tuple[str, object]]) -> None:
    cursor.execute("SELECT sqlite_version()")
    (version,) = cursor.fetchone()
    if tuple(map(int, version.split("."))) < SQLITE_VERSION:
        needed = ".".join(map(str, SQLITE_VERSION))
        raise UnsuitableDatabase(f"sqlite {version} is too old, {needed} is needed")
    for name, (value, expected) in pragmas.items():
        cursor.execute(f"PRAGMA {name}={value}")
        cursor.execute(f"PRAGMA {name}")
        (found,) = cursor.fetchone()
        if found != expected:
            raise UnsuitableDatabase(f"sqlite has {name} {found} instead of {expected}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
