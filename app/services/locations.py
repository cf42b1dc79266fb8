"""Locations and their closures: where treatment happens and on which days."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypedDict
from uuid import UUID

from app.domain.calendars import Calendar, Closure
from app.domain.offsets import LAST_DAY
from app.persistence.locations import (
    ClosureExists,
    ClosureNotFound,
    ClosureRecord,
    ClosureRepository,
    LocationChangedMeanwhile,
    LocationNotFound,
    LocationRecord,
    LocationRepository,
    LocationSearch,
)
from app.persistence.searches import SearchPage
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.holidays import HolidayRegion, expand
from app.services.listing import Listed, Searched, page_of
from app.services.ranges import require_forwards

__all__ = [
    "ClosureExists",
    "ClosureNotFound",
    "ClosureRecord",
    "LocationChangedMeanwhile",
    "LocationNotFound",
    "LocationRecord",
    "LocationSearch",
]

# Plans reach at most ten years ahead, which is the longest offset.
HOLIDAY_YEARS_AHEAD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLocation:
    """What a location needs; ``hours`` holds opening and closing times by weekday."""

    name: str
    time_zone: str
    calendar: Calendar
    hours: dict[str, Any] | None
    notice_days: int
    holidays: HolidayRegion | None


class LocationChange(TypedDict, total=False):
    """What is to be different; what is absent stays."""

    name: str
    time_zone: str
    calendar: Calendar
    hours: dict[str, Any] | None
    notice_days: int
    holidays: HolidayRegion | None


async def create_location(ctx: Context, new: NewLocation) -> LocationRecord:
    """Add a location, its public holidays stored as closures from this year on."""
    location = LocationRecord(
        id=ctx.new_id(),
        name=new.name,
        time_zone=new.time_zone,
        open_weekdays=sorted(new.calendar.open_weekdays),
        hours=new.hours,
        notice_days=new.notice_days,
        holiday_country=new.holidays.country if new.holidays else None,
        holiday_subdivision=new.holidays.subdivision if new.holidays else None,
        revision=1,
        created_at=ctx.now,
        updated_at=ctx.now,
    )
    await LocationRepository(ctx.connection, ctx.clinic_id).add(location)
    if new.holidays is not None:
        await _store_holidays(ctx, location, new.holidays)
    await events.append(ctx, EventType.LOCATION_ADDED, data={"location_id": str(location.id)})
    return location


async def get_location(ctx: Context, location_id: UUID) -> LocationRecord:
    """One location. Raises LocationNotFound."""
    return await LocationRepository(ctx.connection, ctx.clinic_id).get(location_id)


async def list_locations(ctx: Context, *, after: UUID | None, limit: int) -> Listed[LocationRecord]:
    """The clinic's locations in the order in which they were added."""
    repository = LocationRepository(ctx.connection, ctx.clinic_id)
    rows = await repository.page(after=after, limit=limit + 1)
    return page_of(rows, limit, lambda location: (str(location.id),))


async def find_locations(
    ctx: Context, wanted: LocationSearch, page: SearchPage
) -> Searched[LocationRecord]:
    """One page of the locations that fit, in the order that is asked for."""
    repository = LocationRepository(ctx.connection, ctx.clinic_id)
    ids = await repository.find_all(wanted, page)
    found = [await repository.get(id_) for id_ in ids.ids]
    return Searched(tuple(found), ids.next, ids.total)


async def list_time_zones(ctx: Context) -> list[str]:
    """Every time zone in which the clinic has a location."""
    locations = await list_locations(ctx, after=None, limit=200)
    return sorted({location.time_zone for location in locations.items})


async def change_location(
    ctx: Context, location_id: UUID, change: LocationChange, *, revision: int
) -> LocationRecord:
    """Change a location; new holidays replace those stored from this year on.

    Raises LocationNotFound or LocationChangedMeanwhile.
    """
    repository = LocationRepository(ctx.connection, ctx.clinic_id)
    location = _changed(await repository.get(location_id), change)
    saved = await repository.save(replace(location, updated_at=ctx.now), revision=revision)
    if "holidays" in change:
        await _store_holidays(ctx, saved, change["holidays"])
    await events.append(
        ctx,
        EventType.LOCATION_CHANGED,
        revision=saved.revision,
        data={"location_id": str(saved.id)},
    )
    return saved


def _changed(location: LocationRecord, change: LocationChange) -> LocationRecord:
    values: dict[str, Any] = dict(change)
    if "calendar" in change:
        values["open_weekdays"] = sorted(values.pop("calendar").open_weekdays)
    if "holidays" in change:
        region = values.pop("holidays")
        values["holiday_country"] = region.country if region else None
        values["holiday_subdivision"] = region.subdivision if region else None
    return replace(location, **values)


async def _store_holidays(
    ctx: Context, location: LocationRecord, region: HolidayRegion | None
) -> None:
    holidays = holidays_of(ctx, location.time_zone, region)
    records = [_record(ctx, location.id, holiday, is_holiday=True) for holiday in holidays]
    repository = ClosureRepository(ctx.connection, ctx.clinic_id)
    await repository.replace_holidays(location.id, records)


def holidays_of(ctx: Context, time_zone: str, region: HolidayRegion | None) -> tuple[Closure, ...]:
    """The public holidays that are stored for a location: this year's and those that follow."""
    first_year = ctx.today(time_zone).year
    return tuple(expand(region, first_year, first_year + HOLIDAY_YEARS_AHEAD)) if region else ()


def _record(
    ctx: Context, location_id: UUID, closure: Closure, *, is_holiday: bool
) -> ClosureRecord:
    return ClosureRecord(
        id=ctx.new_id(),
        location_id=location_id,
        key=closure.id,
        title=closure.title,
        first_day=closure.first,
        last_day=closure.last,
        holiday=is_holiday,
        created_at=ctx.now,
    )


async def create_closure(ctx: Context, location_id: UUID, closure: Closure) -> ClosureRecord:
    """Close a location for some days.

    Raises LocationNotFound, and ClosureExists where it has a closure of that key.
    """
    await LocationRepository(ctx.connection, ctx.clinic_id).get(location_id)
    record = _record(ctx, location_id, closure, is_holiday=False)
    await ClosureRepository(ctx.connection, ctx.clinic_id).add(record)
    await events.append(
        ctx,
        EventType.CLOSURE_ADDED,
        data={"location_id": str(location_id), "closure_id": str(record.id)},
    )
    return record


async def list_closures(
    ctx: Context,
    *,
    location_id: UUID | None,
    from_day: date | None,
    to_day: date | None,
    after: tuple[date, UUID] | None,
    limit: int,
) -> Listed[ClosureRecord]:
    """Closures that touch a range of days, by their first day. Raises RangeNotAllowed."""
    require_forwards(from_day, to_day)
    rows = await ClosureRepository(ctx.connection, ctx.clinic_id).page(
        location_id=location_id, from_day=from_day, to_day=to_day, after=after, limit=limit + 1
    )
    return page_of(rows, limit, lambda closure: (closure.first_day.isoformat(), str(closure.id)))


async def get_closure(ctx: Context, closure_id: UUID) -> ClosureRecord:
    """One closure. Raises ClosureNotFound."""
    return await ClosureRepository(ctx.connection, ctx.clinic_id).get(closure_id)


async def closures_from(ctx: Context, location_id: UUID, day: date) -> tuple[ClosureRecord, ...]:
    """Every closure of a location that ends on this day or later, public holidays among them."""
    return await ClosureRepository(ctx.connection, ctx.clinic_id).of_location(
        location_id, from_day=day, to_day=LAST_DAY
    )


async def delete_closure(ctx: Context, closure_id: UUID) -> None:
    """Open the location again on the days of a closure. Raises ClosureNotFound."""
    await ClosureRepository(ctx.connection, ctx.clinic_id).remove(closure_id)
    await events.append(ctx, EventType.CLOSURE_REMOVED, data={"closure_id": str(closure_id)})
