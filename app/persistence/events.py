"""The append-only log of what happened in a clinic, in the order in which it became visible."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.records import columns_of, values_of
from app.persistence.tables import EventCounterRow, EventRow, JsonObject
from app.persistence.upserts import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened; ``data`` holds ids, codes and numbers, never patient data."""

    id: UUID
    type: str
    at: datetime
    actor: str
    plan_id: UUID | None = None
    patient_id: UUID | None = None
    revision: int | None = None
    data: JsonObject


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event with its number in the clinic's log."""

    number: int
    id: UUID
    type: str
    at: datetime
    actor: str
    plan_id: UUID | None
    patient_id: UUID | None
    revision: int | None
    data: JsonObject


_COLUMNS = columns_of(EventRow, EventRecord)


class EventRepository:
    """The log of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def append(self, events: Sequence[NewEvent]) -> int:
        """Add events in their order; gives the last one's number.

        It is the last thing a transaction does: from here to its commit others of the clinic
        who append wait, and whoever waits for something else while holding the numbers could
        lock up with them.
        """
        last = await self._take_numbers(len(events))
        first = last - len(events) + 1
        rows = [
            {"clinic_id": self._clinic_id, "number": number, **values_of(event)}
            for number, event in enumerate(events, start=first)
        ]
        if rows:
            await self._connection.execute(insert(EventRow), rows)
        return last

    async def page(self, *, after: int, limit: int) -> tuple[EventRecord, ...]:
        """The events that follow a number. None with a smaller number can appear later."""
        rows = await self._connection.execute(
            select(*_COLUMNS)
            .where(EventRow.clinic_id == self._clinic_id, EventRow.number > after)
            .order_by(EventRow.number)
            .limit(limit)
        )
        return tuple(EventRecord(*row) for row in rows)

    async def _take_numbers(self, count: int) -> int:
        statement = upsert(self._connection, EventCounterRow).values(
            clinic_id=self._clinic_id, last_number=count
        )
        taken = await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["clinic_id"],
                set_={"last_number": EventCounterRow.last_number + statement.excluded.last_number},
            ).returning(EventCounterRow.last_number)
        )
        return taken.scalar_one()
