"""Opens the database: engines, connections and the settings they must have. Knows no table."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.persistence.columns import encode_json
from app.persistence.lending import IDLE_SECONDS, CountingPool, Reading, Ready, View, belong

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
IDLE_SINCE = "idle_since"
CONNECT_SECONDS = 5
SQLITE_READERS = 4
BUSY_SECONDS = 5
# SQLite's least version with RETURNING and upsert as the repositories use them.
SQLITE_VERSION = (3, 35, 0)

# FULL, because NORMAL may lose the last commits when the power fails; what is deleted shall not
# be found in the file.
SQLITE_PRAGMAS = {
    "foreign_keys": ("ON", 1),
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "secure_delete": ("ON", 1),
    "busy_timeout": (f"{BUSY_SECONDS * 1000}", BUSY_SECONDS * 1000),
}
READ_ONLY_PRAGMA = {"query_only": ("ON", 1)}
# KiB of pages: what hundreds of plans stored at once change must stay in memory until the commit,
# or pages are written and read again many times.
WRITING_PRAGMA = {"cache_size": ("-16384", -16384)}

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
class PoolUse:
    """How many connections are in use, and how many requests wait for one."""

    in_use: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Database:
    """One database, open for writing and for reading.

    On SQLite one connection writes, because several only wait for each other, and a few others
    read and cannot write. On PostgreSQL both are views of one pool of fixed size.
    """

    write: AsyncEngine
    read: AsyncEngine
    _ready: Ready = field(default_factory=Ready)

    @property
    def is_one_file(self) -> bool:
        """Whether it is a SQLite file, which belongs to one process."""
        return self.write.dialect.name == "sqlite"

    @asynccontextmanager
    async def writing(self, clinic_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction in a clinic: commits at the end of the block, or rolls back when it raises.

        PostgreSQL lets it see and write that clinic's rows only.
        """
        await self._ready.make_room(self.write)
        async with self.write.connect() as connection:
            await belong(connection, View(str(clinic_id)))
            async with connection.begin():
                yield connection

    def reading(self, clinic_id: UUID) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading outside a transaction: every statement sees its own moment.

        What must agree is read in one statement. PostgreSQL shows that clinic's rows only.
        """
        return Reading(self.read, self._ready, View(str(clinic_id)))

    def overlooking(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For reading what waits in all clinics, and which there are.

        PostgreSQL shows the rows of the few tables that have a policy for this.
        """
        return Reading(self.read, self._ready, View("", "on"))

    def pool_use(self) -> PoolUse:
        """What the connections of this process do now."""
        # Two on SQLite; on PostgreSQL both engines have the same one.
        pools = {id(engine.pool): engine.pool for engine in (self.write, self.read)}.values()
        counted = [pool for pool in pools if isinstance(pool, CountingPool)]
        taken = sum(pool.checkedout() for pool in counted) - len(self._ready)
        return PoolUse(taken, sum(pool.waiting for pool in counted))

    async def check(self) -> None:
        """Connect both ways once; raises UnsuitableDatabase when a needed setting does not hold."""
        for engine in (self.write, self.read):
            await self._ready.make_room(engine)
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        """Close every connection; aiosqlite's threads would keep the process alive."""
        await self._ready.empty()
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


def is_guarded(url: str) -> bool:
    """Whether nobody between here and the database can read what it is told."""
    parsed = make_url(driver_url(url))
    # The driver connects to the host among the options, where there is one.
    host = str(parsed.query.get("host") or parsed.host or "")
    is_here = host in {"", "localhost", "127.0.0.1", "::1"} or host.startswith("/")
    return is_here or parsed.query.get("ssl") in {"require", "verify-ca", "verify-full"}


def open_database(url: str, *, pool_size: int = 10) -> Database:
    """Build the engines without connecting; the caller disposes the database."""
    parsed = make_url(driver_url(url))
    if parsed.drivername == SQLITE:
        return _open_sqlite(parsed, pool_size)
    engine = create_async_engine(
        parsed,
        poolclass=CountingPool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        skip_autocommit_rollback=True,
        json_serializer=encode_json,
        connect_args={"timeout": CONNECT_SECONDS, "server_settings": POSTGRESQL_SETTINGS},
    )
    event.listen(engine.sync_engine, "checkin", _note_time)
    event.listen(engine.sync_engine, "checkout", _ping_after_a_pause)
    return Database(write=engine, read=engine.execution_options(isolation_level="AUTOCOMMIT"))


def _open_sqlite(url: URL, pool_size: int) -> Database:
    write = _sqlite_engine(url, SQLITE_PRAGMAS | WRITING_PRAGMA, pool_size=1)
    # Without IMMEDIATE a transaction that reads and then writes fails at once when another
    # writer came between, however long the time-out.
    event.listen(write.sync_engine, "begin", _begin_immediate)
    readers = min(pool_size, SQLITE_READERS)
    pragmas = SQLITE_PRAGMAS | READ_ONLY_PRAGMA
    # Readers open no transaction, so there is none to roll back.
    read = _sqlite_engine(url, pragmas, pool_size=readers, skip_autocommit_rollback=True)
    return Database(write=write, read=read)


def _sqlite_engine(url: URL, pragmas: dict[str, tuple[str, object]], **options: Any) -> AsyncEngine:
    from app.persistence.sqlite_driver import SqliteConnection  # noqa: PLC0415 - a library more

    async def connect(*_args: object, **_options: object) -> SqliteConnection:
        return SqliteConnection(str(url.database), timeout=BUSY_SECONDS)

    engine = create_async_engine(
        url,
        async_creator=connect,
        poolclass=CountingPool,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        json_serializer=encode_json,
        **options,
    )

    def prepare(connection: Any, _record: object) -> None:
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


def _note_time(connection: Any, record: ConnectionPoolEntry) -> None:
    """Note since when a connection is idle, which must hold nothing for others to wait for.

    A transaction that is still open was left by an error which the driver did not foresee. One
    that did not begin stays with the driver, which then begins no other.
    """
    record.info[IDLE_SINCE] = time.monotonic()
    driver = None if connection is None else connection.driver_connection
    if driver is None or driver.is_closed():
        return
    if driver.is_in_transaction() or driver._top_xact is not None:  # the driver tells it nowhere
        driver.terminate()


def _ping_after_a_pause(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a connection that was idle whether it still is one; SQLAlchemy then takes another.

    SQLAlchemy's own ping asks before every use, with three round trips; a connection that was
    used a moment ago is known to be alive, or known to be closed without asking.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the connection is closed")
    idle_since = record.info.get(IDLE_SINCE)
    if idle_since is None or time.monotonic() - idle_since < IDLE_SECONDS:
        return
    try:
        connection.ping()
    except Exception as error:
        # Of a connection that just ends the driver has errors of its own.
        raise DisconnectionError("the connection does not answer") from error
