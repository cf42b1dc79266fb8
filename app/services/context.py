"""What every use-case is given: the transaction, the clinic, who acts, and what time it is."""

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.calendars import local_date
from app.domain.permissions import NOTHING, Grant


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


def id_at(moment: datetime) -> UUID:
    """A new id (UUID version 7) of something that begins at a moment."""
    milliseconds, fraction = divmod(int(moment.timestamp() * 1_000_000), 1000)
    high = milliseconds << 16 | 0x7000 | fraction << 2
    low = 0x8000_0000_0000_0000 | secrets.randbits(62)
    return UUID(int=high << 64 | low)
