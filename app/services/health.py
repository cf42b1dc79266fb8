"""Whether this process can serve."""

from app.persistence.database import Database
from app.persistence.readiness import NotReady, check_ready

__all__ = ["NotReady", "check_readiness"]


async def check_readiness(database: Database) -> str:
    """Check the database and its tables; gives their revision. Raises NotReady."""
    return await check_ready(database)
