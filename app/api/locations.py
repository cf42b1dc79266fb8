"""Places of the clinic: time zone, opening days and hours, public holidays."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from app.api.batches import BatchOut, follow
from app.api.closures import TouchedPlansOut
from app.api.deps import ContextDep, IfMatchDep, ReadContextDep
from app.api.etags import created, etag
from app.api.fields import (
    In,
    Instant,
    Line,
    Out,
    TimeOfDay,
    Whole,
    Zone,
    absent,
    fault,
    told_by,
)
from app.api.paging import PageDep, uuid_of
from app.api.problems import problems
from app.api.routing import UNCHANGED, Route
from app.domain.calendars import Calendar
from app.services import closures, locations
from app.services.holidays import HolidayRegion
from app.services.locations import (
    LocationChange,
    LocationChangedMeanwhile,
    LocationNotFound,
    LocationRecord,
    NewLocation,
)

router = APIRouter(prefix="/v1/locations", tags=["locations"], route_class=Route)

Weekday = Annotated[Whole, Field(ge=1, le=7)]
Weekdays = Annotated[list[Weekday], Field(min_length=1, max_length=7)]
NoticeDays = Annotated[Whole, Field(ge=0, le=366)]

EXAMPLE: dict[str, Any] = {
    "name": "Foot and ankle clinic",
    "time_zone": "America/Denver",
    "open_weekdays": [2, 3, 4, 5],
    "hours": [{"weekday": 2, "opens": "08:00", "closes": "17:00"}],
    "notice_days": 2,
    "holidays": {"country": "US", "subdivision": "CO"},
}
_OUT_EXAMPLE: dict[str, Any] = {
    "id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d11",
    "revision": 1,
    **EXAMPLE,
    "created_at": "2027-01-04T16:00:00Z",
    "updated_at": "2027-01-04T16:00:00Z",
}


class OpeningHours(In):
    """One stretch of time in which a location receives patients, by its own clock."""

    weekday: Weekday = Field(description="ISO weekday, 1 is Monday.")
    opens: TimeOfDay = Field(description="When it opens, as HH:MM.")
    closes: TimeOfDay = Field(description="When it closes, as HH:MM, on the same day.")

    @field_validator("closes")
    @classmethod
    def _after_opening(cls, closes: str, info: ValidationInfo) -> str:
        if closes <= info.data.get("opens", ""):
            raise fault("before-opening", "must be after it opens")
        return closes


class Holidays(In):
    """Whose public holidays close the location; they are stored as closures."""

    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = Field(
        description="ISO 3166 code of the country."
    )
    subdivision: Annotated[str, Field(pattern="^[A-Z0-9]{1,3}$")] | None = Field(
        default=None, description="ISO 3166-2 code of a part of it, without the country's."
    )

    @field_validator("subdivision")
    @classmethod
    def _known(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        if "country" in info.data:
            told_by(lambda part: HolidayRegion(info.data["country"], part), "unknown-holidays")(
                subdivision
            )
        return subdivision

    def to_domain(self) -> HolidayRegion:
        """The region whose holidays are stored."""
        return HolidayRegion(self.country, self.subdivision)


Hours = Annotated[list[OpeningHours], Field(max_length=70)]


class LocationIn(In):
    """A new location."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Line = Field(description="What people call it.")
    time_zone: Zone = Field(description="IANA name of its time zone; its days are local days.")
    open_weekdays: Weekdays = Field(
        default=[1, 2, 3, 4, 5], description="ISO weekdays on which it is open, 1 is Monday."
    )
    hours: Hours | None = Field(default=None, description="Opening hours, where they are known.")
    notice_days: NoticeDays = Field(
        default=0,
        description="How many days ahead a plan's first step can be booked at the soonest.",
    )
    holidays: Holidays | None = Field(
        default=None, description="Whose public holidays close it; none if absent."
    )

    def to_domain(self) -> NewLocation:
        """What the use-case takes."""
        return NewLocation(
            name=self.name,
            time_zone=self.time_zone,
            calendar=Calendar(frozenset(self.open_weekdays)),
            hours=_hours_by_weekday(self.hours),
            notice_days=self.notice_days,
            holidays=self.holidays.to_domain() if self.holidays else None,
        )


class LocationChangeIn(In):
    """What is to be different of a location; what is absent stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"open_weekdays": [1, 2, 3, 4, 5], "holidays": None}]}
    )

    name: Line = absent("What people call it.")
    time_zone: Zone = absent("IANA name of its time zone.")
    open_weekdays: Weekdays = absent("ISO weekdays on which it is open, 1 is Monday.")
    hours: Hours | None = absent("Opening hours; null when they are not known.")
    notice_days: NoticeDays = absent("How many days ahead a first step can be booked.")
    holidays: Holidays | None = absent(
        "Whose public holidays close it: they replace those stored; null removes them."
    )

    def to_domain(self) -> LocationChange:
        """What the use-case takes: only the fields that were sent."""
        sent: dict[str, Any] = {field: getattr(self, field) for field in self.model_fields_set}
        if "open_weekdays" in sent:
            sent["calendar"] = Calendar(frozenset(sent.pop("open_weekdays")))
        if "hours" in sent:
            sent["hours"] = _hours_by_weekday(self.hours)
        if sent.get("holidays"):
            sent["holidays"] = self.holidays.to_domain() if self.holidays else None
        return cast("LocationChange", sent)


class LocationOut(Out):
    """A location."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT_EXAMPLE]})

    id: UUID = Field(description="Its id.")
    revision: int = Field(description="How often it was stored; changes need it in `If-Match`.")
    name: str = Field(description="What people call it.")
    time_zone: str = Field(description="IANA name of its time zone.")
    open_weekdays: list[int] = Field(description="ISO weekdays on which it is open, 1 is Monday.")
    hours: list[OpeningHours] | None = Field(description="Opening hours, where they are known.")
    notice_days: int = Field(description="How many days ahead a first step can be booked.")
    holidays: Holidays | None = Field(description="Whose public holidays close it.")
    created_at: Instant = Field(description="When it was added.")
    updated_at: Instant = Field(description="When it was last changed.")

    @classmethod
    def from_domain(cls, location: LocationRecord) -> "LocationOut":
        """The location as clients see it."""
        return cls(
            id=location.id,
            revision=location.revision,
            name=location.name,
            time_zone=location.time_zone,
            open_weekdays=location.open_weekdays,
            hours=_hours_listed(location.hours),
            notice_days=location.notice_days,
            holidays=_holidays(location),
            created_at=location.created_at,
            updated_at=location.updated_at,
        )


class ChangedLocationOut(LocationOut):
    """A location that was changed, and the work it made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_OUT_EXAMPLE, "batch": None}]})

    batch: BatchOut | None = Field(
        description=(
            "Solves again the plans with steps on days that are closed now, and looks at those "
            "whose days are open again; null where there are none."
        )
    )

    @classmethod
    def of(cls, location: LocationRecord, batch: BatchOut | None) -> "ChangedLocationOut":
        """The location and its batch as clients see them."""
        return cls(**dict(LocationOut.from_domain(location)), batch=batch)


class LocationsOut(Out):
    """A page of locations."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_OUT_EXAMPLE], "next": None}]}
    )

    items: list[LocationOut] = Field(description="The locations, in the order they were added.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


def _hours_by_weekday(hours: list[OpeningHours] | None) -> dict[str, Any] | None:
    if hours is None:
        return None
    by_weekday: dict[str, Any] = {}
    for stretch in sorted(hours, key=lambda one: (one.weekday, one.opens)):
        by_weekday.setdefault(str(stretch.weekday), []).append([stretch.opens, stretch.closes])
    return by_weekday


def _hours_listed(hours: dict[str, Any] | None) -> list[OpeningHours] | None:
    if hours is None:
        return None
    return [
        OpeningHours(weekday=int(weekday), opens=opens, closes=closes)
        for weekday, stretches in hours.items()
        for opens, closes in stretches
    ]


def _holidays(location: LocationRecord) -> Holidays | None:
    if location.holiday_country is None:
        return None
    # Not checked again: what was stored once stays readable when the library forgets it.
    return Holidays.model_construct(
        country=location.holiday_country, subdivision=location.holiday_subdivision
    )


@router.get("", operation_id="list_locations")
async def list_locations(page: PageDep, ctx: ReadContextDep) -> LocationsOut:
    """List the clinic's locations."""
    found = await locations.list_locations(ctx, after=uuid_of(page.after), limit=page.limit)
    items = [LocationOut.from_domain(location) for location in found.items]
    return LocationsOut(items=items, next=page.next(found.next))


@router.post("", operation_id="create_location", status_code=201)
async def create_location(body: LocationIn, ctx: ContextDep, response: Response) -> LocationOut:
    """Add a location.

    Its public holidays, where a country is given, are stored as closures for this year and the
    ten that follow, so that they never change by themselves.
    """
    location = await locations.create_location(ctx, body.to_domain())
    created(response, f"/v1/locations/{location.id}", etag(location.revision))
    return LocationOut.from_domain(location)


@router.get(
    "/{location_id}",
    operation_id="get_location",
    responses=problems(LocationNotFound) | UNCHANGED,
)
async def get_location(location_id: UUID, ctx: ReadContextDep, response: Response) -> LocationOut:
    """Read one location."""
    location = await locations.get_location(ctx, location_id)
    response.headers["etag"] = etag(location.revision)
    return LocationOut.from_domain(location)


@router.patch(
    "/{location_id}",
    operation_id="change_location",
    responses=problems(LocationNotFound, LocationChangedMeanwhile),
)
async def change_location(
    location_id: UUID,
    body: LocationChangeIn,
    revision: IfMatchDep,
    ctx: ContextDep,
    response: Response,
) -> ChangedLocationOut:
    """Change a location.

    What its weekdays and public holidays close from now on is treated as a closure: plans with
    steps on these days are flagged at once, and the `batch` solves each of them again, one
    transaction a plan, and says what moved and why. Nobody can be treated on a closed day, so these
    days do not wait for a person; what has no other day stays flagged, with its ways out. Days that
    are opened move nothing: plans that were flagged because of them are looked at again.

    In another time zone appointments keep their instants: steps that get another day by theirs are
    treated likewise.
    """
    location, progress = await closures.change_location(
        ctx, location_id, body.to_domain(), revision=revision
    )
    response.headers["etag"] = etag(location.revision)
    return ChangedLocationOut.of(location, follow(response, progress))


@router.post(
    "/{location_id}/preview",
    operation_id="preview_location_change",
    responses=problems(LocationNotFound),
)
async def preview_location_change(
    location_id: UUID, body: LocationChangeIn, ctx: ReadContextDep
) -> TouchedPlansOut:
    """Show which plans a change of a location would touch, without storing it.

    The same body as for changing it. Touched are plans with steps on days which the weekdays or
    public holidays would close, and with appointments that lie on another day in the time zone.
    """
    found = await closures.touched_by_change(ctx, location_id, body.to_domain())
    return TouchedPlansOut.from_domain(found)
