"""What may be known of all clinics together: figures, and never a row of any.

They are views, which on PostgreSQL count for a role that may not see what they count.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Boolean, column, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.columns import Instant

_WAITING_WORK = table(
    "waiting_work",
    column("plans", BigInteger),
    column("deliveries", BigInteger),
    column("oldest", Instant),
    column("failing", BigInteger),
)
_CALLERS = table("callers", column("known", Boolean))


class WaitingWork(NamedTuple):
    """How much waits for a worker: plans of running batches, and messages to enabled webhooks."""

    plans: int
    deliveries: int
    oldest: datetime | None
    """Since when the first message waits."""
    failing: int
    """Enabled webhooks that do not work at the moment."""


async def waiting_work(connection: AsyncConnection) -> WaitingWork:
    """What waits, over all clinics."""
    found = await connection.execute(select(*_WAITING_WORK.c))
    return WaitingWork(*found.one())


async def any_caller(connection: AsyncConnection) -> bool:
    """Whether any clinic ever had a key or a client."""
    return bool(await connection.scalar(select(_CALLERS.c.known)))
