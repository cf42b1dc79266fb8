"""Whether this process can serve."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.persistence.database import Database, PoolUse
from app.persistence.overviews import waiting_work
from app.persistence.readiness import NotReady, check_still_ready

__all__ = ["NotReady", "PoolUse", "Readiness", "Waiting", "count_waiting_work"]


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
            self._checking = asyncio.create_task(check_still_ready(self._database))
        return await asyncio.shield(self._checking)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the database, over all clinics and processes."""

    plans: int
    """Plans of batches."""
    deliveries: int
    """Messages to webhooks that are enabled."""
    oldest: timedelta
    """How long the first of these has waited."""
    failing: int
    """Webhooks to which the last message did not get through."""


async def count_waiting_work(database: Database, now: datetime) -> Waiting:
    """What waits for a worker."""
    async with database.overlooking() as connection:
        found = await waiting_work(connection)
    return Waiting(found.plans, found.deliveries, now - (found.oldest or now), found.failing)
