"""The clinic's log as a feed: what happened, in order, nothing missed and nothing twice."""

from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field

from app.api.deps import OpenContext, ReadContextsDep
from app.api.fields import Instant, Out
from app.api.limits import STOPPING, place_given_up
from app.api.routing import Route
from app.services import events
from app.services.events import EventFilter, EventRecord, EventsRead, EventType

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=Route)

MOST_SECONDS = 25
# How often the log is looked at for somebody who waits. One look costs well under a millisecond.
POLL_SECONDS = 0.5
# What every client's numbers can tell from its neighbours (RFC 8259, section 6).
LARGEST_NUMBER = 2**53 - 1

_EXAMPLE: dict[str, Any] = {
    "number": 4711,
    "id": "01920000-0000-7000-8000-000000000900",
    "type": "step_moved",
    "at": "2027-02-05T16:00:00Z",
    "actor": "local",
    "plan_id": "01920000-0000-7000-8000-000000000100",
    "patient_id": "01920000-0000-7000-8000-000000000001",
    "revision": 3,
    "data": {"step_id": "01920000-0000-7000-8000-000000000102", "step": "primer/2"},
}


class EventOut(Out):
    """Something that happened. It has ids, codes and numbers, never a patient's data."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    number: int = Field(description="Its number in the clinic's log; there may be gaps.")
    id: UUID = Field(description="Its id.")
    type: EventType = Field(description="What happened; the guide's page on events has them all.")
    at: Instant = Field(description="When.")
    actor: str = Field(description="Who did it.")
    plan_id: UUID | None = Field(description="The plan, where it concerns one.")
    patient_id: UUID | None = Field(description="The patient, where it concerns one.")
    revision: int | None = Field(description="The revision it made of what it concerns.")
    data: dict[str, Any] = Field(description="Ids and codes of what else it concerns.")

    @classmethod
    def from_domain(cls, event: EventRecord) -> "EventOut":
        """The event as clients see it."""
        return cls(
            number=event.number,
            id=event.id,
            type=EventType(event.type),
            at=event.at,
            actor=event.actor,
            plan_id=event.plan_id,
            patient_id=event.patient_id,
            revision=event.revision,
            data=event.data,
        )


class EventsOut(Out):
    """Events in their order, and where to go on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "last": 4711}]})

    items: list[EventOut] = Field(description="What happened, by number; empty if nothing did.")
    last: int = Field(description="Pass it as `after` next: all that fits up to it was given.")


@router.get("", operation_id="read_events")
async def read_events(  # noqa: PLR0917 - the framework passes filters by name
    request: Request,
    contexts: ReadContextsDep,
    after: Annotated[
        int, Query(ge=0, le=LARGEST_NUMBER, description="Events that follow this number.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=200, description="How many events at most.")] = 50,
    wait: Annotated[
        int, Query(ge=0, le=MOST_SECONDS, description="Seconds to wait while there is nothing.")
    ] = 0,
    type: Annotated[  # noqa: A002 - the word of the log
        tuple[EventType, ...],
        Query(description="Only of these types; may be given several times."),
    ] = (),
    plan_id: Annotated[UUID | None, Query(description="Only what concerns this plan.")] = None,
    patient_id: Annotated[
        UUID | None, Query(description="Only what concerns this patient.")
    ] = None,
) -> EventsOut:
    """Read what happened after a number; wait for it where nothing did.

    Events come in the order of their numbers. Whoever passes the answer's `last` as `after`
    misses nothing and gets nothing twice, also beside many writers and with filters.
    """
    which = EventFilter(types=frozenset(type), plan_id=plan_id, patient_id=patient_id)
    found = await _awaited(request, contexts, which, after=after, limit=limit, wait=wait)
    return EventsOut(items=[EventOut.from_domain(one) for one in found.items], last=found.last)


async def _awaited(
    request: Request,
    contexts: OpenContext,
    which: EventFilter,
    *,
    after: int,
    limit: int,
    wait: int,
) -> EventsRead:
    """Look until something fits, the time is over, the client is gone or the service stops."""
    end = anyio.current_time() + wait
    while True:
        async with contexts() as ctx:
            found = await events.read_events(ctx, which, after=after, limit=limit)
        left = end - anyio.current_time()
        if found.items or left <= 0 or STOPPING in request.scope or await request.is_disconnected():
            return found
        after = found.last
        async with place_given_up(request.scope) as is_room:
            if not is_room:
                return found
            await anyio.sleep(min(POLL_SECONDS, left))
