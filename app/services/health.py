"""Whether this process can serve."""

from app.persistence.batches import waiting_items
from app.persistence.database import Database, PoolUse
from app.persistence.readiness import NotReady, check_ready

__all__ = ["NotReady", "PoolUse", "check_readiness", "count_waiting_work"]


async def check_readiness(database: Database) -> str:
    """Check the database and its tables; gives their revision. Raises NotReady."""
    return await check_ready(database)


async def count_waiting_work(database: Database) -> int:
    """How many plans wait for a worker, over all clinics and processes."""
    async with database.overlooking() as connection:
        return await waiting_items(connection)
