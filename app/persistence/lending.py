"""Lends connections out: for one clinic, and for reading as fast as they can be had."""

import time
from types import TracebackType
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

# A connection idle for longer is asked whether it still answers before it is used.
IDLE_SECONDS = 1.0
_VIEW = "view"


class CountingPool(AsyncAdaptedQueuePool):
    """A pool that knows how many wait for one of its connections."""

    waiting = 0

    def _do_get(self) -> ConnectionPoolEntry:
        self.waiting += 1
        try:
            return super()._do_get()
        finally:
            self.waiting -= 1


class View(NamedTuple):
    """What a connection may see: one clinic, or of all clinics what a worker must find."""

    clinic: str
    overlooks: str = "off"


_SHOW = "SELECT set_config('regimen.clinic', $1, false), set_config('regimen.overlooks', $2, false)"


async def belong(connection: AsyncConnection, view: View) -> None:
    """Let row-level security show what a connection is lent out for.

    The pool's connections remember what they show, so that it is said only where it changes; it is
    compared whenever one is lent out. Said outside any transaction: no rollback takes it back.
    """
    inner = connection.sync_connection
    if inner is None or connection.dialect.name == "sqlite" or inner.info.get(_VIEW) == view:
        return
    inner.info.pop(_VIEW, None)
    try:
        driver: Any = inner.connection.driver_connection
        await driver.execute(_SHOW, *view)
    except Exception as error:
        await connection.invalidate()
        raise DBAPIError(_SHOW, None, error, connection_invalidated=True) from error
    inner.info[_VIEW] = view


class Ready:
    """Connections that were read with a moment ago, kept as they are for the next read.

    Taking one out of the pool and giving it back takes SQLAlchemy as long as PostgreSQL needs for
    a plan. They go back as soon as the pool has none left for others.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[tuple[AsyncConnection, float]] = []

    def __len__(self) -> int:
        return len(self._kept)

    async def take(self) -> AsyncConnection | None:
        """The one that was used last, unless it may have been closed since."""
        if not self._kept:
            return None
        connection, since = self._kept.pop()
        if time.monotonic() - since < IDLE_SECONDS and not _is_closed(connection):
            return connection
        # The older ones are no better, and the pool asks each whether it still answers.
        await connection.close()
        await self.empty()
        return None

    def keep(self, connection: AsyncConnection) -> bool:
        """Keep a connection that only the driver was asked by, unless somebody waits for one."""
        pool = connection.engine.pool
        is_wanted = isinstance(pool, CountingPool) and pool.waiting > 0
        if is_wanted or connection.in_transaction() or connection.dialect.name == "sqlite":
            return False
        self._kept.append((connection, time.monotonic()))
        return True

    async def make_room(self, engine: AsyncEngine) -> None:
        """Give one back where the pool would have none for somebody else."""
        pool = engine.pool
        if self._kept and isinstance(pool, CountingPool) and pool.checkedout() >= pool.size():
            await self._kept.pop(0)[0].close()

    async def empty(self) -> None:
        """Give all back."""
        while self._kept:
            await self._kept.pop()[0].close()


def _is_closed(connection: AsyncConnection) -> bool:
    inner = connection.sync_connection
    if inner is None or inner.closed or inner.invalidated:
        return True
    driver: Any = inner.connection.driver_connection
    return bool(driver.is_closed())


class Reading:
    """A connection lent out for reading.

    SQLAlchemy gives it back in a task of its own, to wait for whatever a cancelled caller left
    behind; where nothing went wrong there is nothing to wait for.
    """

    __slots__ = ("_connection", "_engine", "_ready", "_view")

    def __init__(self, engine: AsyncEngine, ready: Ready, view: View) -> None:
        self._engine = engine
        self._ready = ready
        self._view = view

    async def __aenter__(self) -> AsyncConnection:
        self._connection = await self._ready.take() or await self._engine.connect()
        try:
            await belong(self._connection, self._view)
        except BaseException:
            await self._connection.close()
            raise
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            await self._connection.__aexit__(kind, error, traceback)
        elif not self._ready.keep(self._connection):
            await self._connection.close()
