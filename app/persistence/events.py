"""The append-only log of what happened in a clinic, in the order in which it became visible."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, Uuid, bindparam, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.prepared import Prepared, insert_row, prepare
from app.persistence.records import columns_of, values_of
from app.persistence.tables import EventCounterRow, EventRow, JsonObject
from app.persistence.upserts import Upsert, upsert


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; what is None or empty does not matter."""

    types: frozenset[str] = frozenset()
    plan_id: UUID | None = None
    patient_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class EventsRead:
    """Events in their order, and the number up to which the log was looked through for them."""

    items: tuple[EventRecord, ...]
    last: int


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
        first = await self.take_numbers(len(events))
        await insert_row(EventRow, self._connection.dialect.name).run_for_each(
            self._connection,
            (
                {"clinic_id": self._clinic_id, "number": number, **values_of(event)}
                for number, event in enumerate(events, start=first)
            ),
        )
        return first + len(events) - 1

    async def take_numbers(self, count: int) -> int:
        """The first of so many numbers; others of the clinic wait for theirs until commit."""
        ((last,),) = await _take_numbers(self._connection.dialect.name).read(
            self._connection, {"clinic_id": self._clinic_id, "count": count}
        )
        return int(last) - count + 1

    async def page(self, *, after: int, limit: int) -> tuple[EventRecord, ...]:
        """The events that follow a number. None with a smaller number can appear later."""
        rows = await self._connection.execute(
            select(*_COLUMNS)
            .where(EventRow.clinic_id == self._clinic_id, EventRow.number > after)
            .order_by(EventRow.number)
            .limit(limit)
        )
        return tuple(EventRecord(*row) for row in rows)

    async def read(self, which: EventFilter, *, after: int, limit: int) -> EventsRead:
        """The events that fit and follow a number, and how far the log was looked through.

        The log's end is read in the same statement: what is numbered up to there was there to be
        seen, so who goes on from it misses nothing and need not look through it again.
        """
        newest = select(func.max(EventRow.number)).where(EventRow.clinic_id == self._clinic_id)
        wanted = select(*_COLUMNS).where(
            EventRow.clinic_id == self._clinic_id, EventRow.number > after, *_fitting(which)
        )
        page = wanted.order_by(EventRow.number).limit(limit).subquery()
        end = newest.subquery("log_end")
        found = await self._connection.execute(
            select(*end.c, *page.c).outerjoin_from(end, page, true()).order_by(page.c.number)
        )
        rows = found.all()
        items = tuple(EventRecord(*row[1:]) for row in rows if row.number is not None)
        seen = items[-1].number if len(items) == limit else rows[0][0]
        return EventsRead(items, max(after, seen or 0))


def _fitting(which: EventFilter) -> Iterator[ColumnElement[bool]]:
    if which.types:
        yield EventRow.type.in_(which.types)
    if which.plan_id is not None:
        yield EventRow.plan_id == which.plan_id
    if which.patient_id is not None:
        yield EventRow.patient_id == which.patient_id


def numbering(dialect: str, wanted: Select[UUID, int] | None = None) -> Upsert:
    """Take ``count`` numbers. Whoever else of the clinic wants some waits until commit.

    ``wanted`` may give the clinic and the count, or nothing where none are wanted after all.
    """
    counter = upsert(dialect, EventCounterRow)
    if wanted is None:
        clinic_id = bindparam("clinic_id", type_=Uuid())
        count = bindparam("count", type_=BigInteger())
        counter = counter.values(clinic_id=clinic_id, last_number=count)
    else:
        counter = counter.from_select(["clinic_id", "last_number"], wanted)
    return counter.on_conflict_do_update(
        index_elements=["clinic_id"],
        set_={"last_number": EventCounterRow.last_number + counter.excluded.last_number},
    )


@cache
def _take_numbers(dialect: str) -> Prepared:
    return prepare(numbering(dialect).returning(EventCounterRow.last_number), dialect)
