"""What time it is for a clinic: the ordinary clock, or in a sandbox the one that was set."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.permissions import Grant
from app.persistence.clinics import ClinicRepository, ClockNotSettable
from app.services import events
from app.services.context import Context
from app.services.events import EventType

__all__ = ["ClockNotSettable", "open_context", "set_clock"]


async def open_context(
    connection: AsyncConnection,
    clinic_id: UUID,
    *,
    actor: str,
    grant: Grant,
    now: datetime,
    ordinary: set[UUID],
) -> Context:
    """The surroundings of one piece of work for a clinic.

    ``ordinary`` remembers which clinics are no sandboxes, so that only sandboxes cost a query; a
    clinic that becomes a sandbox is seen as one after the next start.
    """
    if clinic_id in ordinary:
        return Context(connection, clinic_id, actor, now, grant=grant)
    clinic = await ClinicRepository(connection, clinic_id).get()
    if not clinic.sandbox:
        ordinary.add(clinic_id)
    shown = clinic.clock_at or now
    return Context(connection, clinic_id, actor, shown, clinic.sandbox, now, grant)


async def set_clock(ctx: Context, at: datetime | None) -> datetime:
    """Let a sandbox clinic's clock stand at an instant, or with ``None`` run again.

    Gives the time it shows now. Raises ClockNotSettable.
    """
    await ClinicRepository(ctx.connection, ctx.clinic_id).set_clock(at)
    await events.append(ctx, EventType.CLOCK_SET)
    return at or ctx.real_now
