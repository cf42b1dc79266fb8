"""Locations with their opening days, and their closures with the public holidays among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    bindparam,
    delete,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.bounds import NO_BOUNDS, Bounds
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.searches import Ids, SearchPage, Text, page_of_ids
from app.persistence.tables import ClosureRow, JsonObject, LocationRow
from app.persistence.upserts import insert_unless_there


class LocationNotFound(DomainError):
    """There is no such location in this clinic."""


class LocationChangedMeanwhile(DomainError):
    """The location was changed by somebody else after it was read."""


class ClosureNotFound(DomainError):
    """There is no such closure in this clinic."""


class ClosureExists(DomainError):
    """The location has a closure of this key already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationRecord:
    """A location; ``hours`` holds opening hours by weekday, or None where they do not matter."""

    id: UUID
    name: str
    time_zone: str
    open_weekdays: list[int]
    hours: JsonObject | None
    notice_days: int
    holiday_country: str | None
    holiday_subdivision: str | None
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureRecord:
    """Days on which a location is closed, both included; ``key`` names it in conflicts."""

    id: UUID
    location_id: UUID
    key: str
    title: str
    first_day: date
    last_day: date
    holiday: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationSearch:
    """Which locations a search is after; of each group of names one must fit."""

    ids: tuple[UUID, ...] | None = None
    names: tuple[tuple[Text, ...], ...] = ()
    updated: Bounds[datetime] = NO_BOUNDS


_LOCATION = columns_of(LocationRow, LocationRecord)
_CLOSURE = columns_of(ClosureRow, ClosureRecord)


class LocationRepository:
    """The locations of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, location: LocationRecord) -> None:
        """Store a new location."""
        await self._connection.execute(
            insert(LocationRow).values(clinic_id=self._clinic_id, **values_of(location))
        )

    async def get(self, location_id: UUID) -> LocationRecord:
        """One location. Raises LocationNotFound."""
        row = await _location(self._connection.dialect.name).fetch_one(
            self._connection, {"clinic_id": self._clinic_id, "id": location_id}
        )
        if row is None:
            raise LocationNotFound("no such location")
        return read_record(LocationRecord, row)

    async def page(self, *, after: UUID | None, limit: int) -> tuple[LocationRecord, ...]:
        """Locations in the order of their ids, which is that of their making."""
        rows = await _locations(self._connection.dialect.name).fetch(
            self._connection,
            {"clinic_id": self._clinic_id, "after": after or UUID(int=0), "limit": limit},
        )
        return tuple(read_record(LocationRecord, row) for row in rows)

    async def time_zones(self) -> tuple[str, ...]:
        """The time zones of the clinic's locations, each once."""
        found = await self._connection.execute(
            select(LocationRow.time_zone)
            .where(LocationRow.clinic_id == self._clinic_id)
            .distinct()
            .order_by(LocationRow.time_zone)
        )
        return tuple(found.scalars())

    async def find_all(self, wanted: LocationSearch, page: SearchPage) -> Ids:
        """The ids of one page of the locations that fit."""
        which = [LocationRow.clinic_id == self._clinic_id]
        which += wanted.updated.of(LocationRow.updated_at, LocationRow.updated_at)
        if wanted.ids is not None:
            which.append(LocationRow.id.in_(wanted.ids))
        for names in wanted.names:
            which.append(or_(*(name.within(LocationRow.name) for name in names)))
        by = {"_lastUpdated": LocationRow.updated_at}
        return await page_of_ids(self._connection, LocationRow.id, which, page, by=by)

    async def save(self, location: LocationRecord, *, revision: int) -> LocationRecord:
        """Replace the location that was read at ``revision``; gives it with its new revision.

        Raises LocationNotFound or LocationChangedMeanwhile.
        """
        values = values_of(location, without=frozenset({"id", "revision", "created_at"}))
        done = await self._connection.execute(
            update(LocationRow)
            .where(
                LocationRow.clinic_id == self._clinic_id,
                LocationRow.id == location.id,
                LocationRow.revision == revision,
            )
            .values(revision=revision + 1, **values)
        )
        saved = await self.get(location.id)
        if done.rowcount == 0:
            raise LocationChangedMeanwhile("the location was changed meanwhile")
        return saved


class ClosureRepository:
    """The closures of one clinic's locations."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, closure: ClosureRecord) -> None:
        """Store a closure. Raises ClosureExists where its location has one of that key."""
        statement = insert_unless_there(self._connection, ClosureRow).values(self._values(closure))
        if (await self._connection.execute(statement)).rowcount == 0:
            raise ClosureExists(f"the location has a closure '{closure.key}' already")

    async def get(self, closure_id: UUID) -> ClosureRecord:
        """One closure. Raises ClosureNotFound."""
        rows = await self._closures(ClosureRow.id == closure_id)
        if not rows:
            raise ClosureNotFound("no such closure")
        return rows[0]

    async def of_location(
        self, location_id: UUID, *, from_day: date, to_day: date
    ) -> tuple[ClosureRecord, ...]:
        """A location's closures that touch a range of days, by first day and key."""
        rows = await _closures(self._connection.dialect.name).fetch(
            self._connection,
            {
                "clinic_id": self._clinic_id,
                "location_id": location_id,
                "from_day": from_day,
                "to_day": to_day,
            },
        )
        return tuple(read_record(ClosureRecord, row) for row in rows)

    async def page(
        self,
        *,
        location_id: UUID | None,
        from_day: date | None,
        to_day: date | None,
        after: tuple[date, UUID] | None,
        limit: int,
    ) -> tuple[ClosureRecord, ...]:
        """Closures by first day, then id, beginning after such a pair."""
        conditions = []
        if location_id is not None:
            conditions.append(ClosureRow.location_id == location_id)
        if from_day is not None:
            conditions.append(ClosureRow.last_day >= from_day)
        if to_day is not None:
            conditions.append(ClosureRow.first_day <= to_day)
        if after is not None:
            conditions.append(tuple_(ClosureRow.first_day, ClosureRow.id) > tuple_(*after))
        rows = await self._connection.execute(
            select(*_CLOSURE)
            .where(ClosureRow.clinic_id == self._clinic_id, *conditions)
            .order_by(ClosureRow.first_day, ClosureRow.id)
            .limit(limit)
        )
        return tuple(ClosureRecord(**row._mapping) for row in rows)

    async def remove(self, closure_id: UUID) -> None:
        """Open the location again on those days. Raises ClosureNotFound."""
        done = await self._connection.execute(
            delete(ClosureRow).where(
                ClosureRow.clinic_id == self._clinic_id, ClosureRow.id == closure_id
            )
        )
        if done.rowcount == 0:
            raise ClosureNotFound("no such closure")

    async def replace_holidays(self, location_id: UUID, holidays: Sequence[ClosureRecord]) -> None:
        """Store a location's public holidays instead of those it had; other closures stay."""
        await self._connection.execute(
            delete(ClosureRow).where(
                ClosureRow.clinic_id == self._clinic_id,
                ClosureRow.location_id == location_id,
                ClosureRow.holiday,
            )
        )
        if holidays:
            await self._connection.execute(
                insert(ClosureRow), [self._values(holiday) for holiday in holidays]
            )

    def _values(self, closure: ClosureRecord) -> dict[str, object]:
        return {"clinic_id": self._clinic_id, **values_of(closure)}

    async def _closures(self, *which: ColumnElement[bool]) -> tuple[ClosureRecord, ...]:
        rows = await self._connection.execute(
            select(*_CLOSURE)
            .where(ClosureRow.clinic_id == self._clinic_id, *which)
            .order_by(ClosureRow.first_day, ClosureRow.key)
        )
        return tuple(ClosureRecord(**row._mapping) for row in rows)


@cache
def _location(dialect: str) -> Prepared:
    statement = select(*_LOCATION).where(
        LocationRow.clinic_id == parameter(LocationRow.clinic_id),
        LocationRow.id == parameter(LocationRow.id),
    )
    return prepare(statement, dialect)


@cache
def _locations(dialect: str) -> Prepared:
    statement = (
        select(*_LOCATION)
        .where(
            LocationRow.clinic_id == parameter(LocationRow.clinic_id),
            LocationRow.id > parameter(LocationRow.id, "after"),
        )
        .order_by(LocationRow.id)
        .limit(bindparam("limit", type_=BigInteger()))
    )
    return prepare(statement, dialect)


@cache
def _closures(dialect: str) -> Prepared:
    statement = (
        select(*_CLOSURE)
        .where(
            ClosureRow.clinic_id == parameter(ClosureRow.clinic_id),
            ClosureRow.location_id == parameter(ClosureRow.location_id),
            ClosureRow.last_day >= parameter(ClosureRow.last_day, "from_day"),
            ClosureRow.first_day <= parameter(ClosureRow.first_day, "to_day"),
        )
        .order_by(ClosureRow.first_day, ClosureRow.key)
    )
    return prepare(statement, dialect)
