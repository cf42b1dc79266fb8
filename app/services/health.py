"""Whether this process can serve."""

import asyncio

from app.persistence.batches import waiting_items
from app.persistence.database import Database, PoolUse
from app.persistence.readiness import NotReady, check_ready

__all__ = ["NotReady", "PoolUse", "Readiness", "count_waiting_work"]


class Readiness:
    """Checks the database once for all who ask meanwhile.

    Anybody may ask, as often as they like: each with a connection of their own would leave none
    for those who work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checking: asyncio.Task[str] | None = None

    async def check(self) -> str:
        """The revision of the tables. Raises NotReady."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(check_ready(self._database))
        return await asyncio.shield(self._checking)


async def count_waiting_work(database: Database) -> int:
    """How many plans wait for a worker, over all clinics and processes."""
    async with database.overlooking() as connection:
        return await waiting_items(connection)
