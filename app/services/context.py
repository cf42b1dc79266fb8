"""What every use-case is given: the transaction, the clinic, who acts, and what time it is."""

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.calendars import local_date
from app.domain.permissions import NOTHING, Grant

RFC_VARIANT = 0x8000_0000_0000_0000
RANDOM_BITS = 62
RANDOM = (1 << RANDOM_BITS) - 1


@dataclass(frozen=True, slots=True)
class Context:
    """One request's or one unit of work's surroundings.

    The transaction is opened and committed by whoever made the context; use-cases never do.
    ``now`` is the clock's time, or in a sandbox clinic the time that was set there; then
    ``ordinary_now`` is what the clock would say. ``grant`` is what whoever acts may do.
    """

    connection: AsyncConnection
    clinic_id: UUID
    actor: str
    now: datetime
    sandbox: bool = False
    ordinary_now: datetime | None = None
    grant: Grant = NOTHING

    @property
    def real_now(self) -> datetime:
        """What the ordinary clock says, in a sandbox too."""
        return self.ordinary_now or self.now

    def today(self, zone: str) -> date:
        """Today in this time zone, the name of which was checked when it was stored."""
        return local_date(self.now, ZoneInfo(zone))

    def new_id(self) -> UUID:
        """A new id (UUID version 7): ids sort by the moment at which their request began."""
        return id_at(self.real_now)

    def new_ids(self, count: int) -> tuple[UUID, ...]:
        """So many new ids."""
        return ids_at(self.real_now, count)


def id_at(moment: datetime) -> UUID:
    """A new id (UUID version 7) of something that begins at a moment."""
    return ids_at(moment, 1)[0]


def ids_at(moment: datetime, count: int) -> tuple[UUID, ...]:
    """New ids of things that begin at one moment."""
    milliseconds, fraction = divmod(int(moment.timestamp() * 1_000_000), 1000)
    high = milliseconds << 16 | 0x7000 | fraction << 2
    random = secrets.randbits(RANDOM_BITS * count)
    found = []
    for _ in range(count):
        low = RFC_VARIANT | random & RANDOM
        found.append(UUID(int=high << 64 | low))
        random >>= RANDOM_BITS
    return tuple(found)
