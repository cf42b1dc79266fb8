"""Calendar feeds: making, listing and revoking them, and the feeds themselves."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict, Field, model_validator
from pydantic_core import to_json

from app.api.deps import ContextDep, ReadContextDep, open_feed_context
from app.api.fields import In, Instant, Line, Out, fault
from app.api.paging import PageDep, uuid_of
from app.api.problems import problems
from app.api.routing import UNCHANGED, Route
from app.integrations.calendars import calendar_of
from app.services import calendars
from app.services.access import Account, Asked
from app.services.calendars import (
    CalendarNotFound,
    CalendarRecord,
    FeedStep,
    MadeCalendar,
    NewCalendar,
    Titles,
)
from app.services.context import Context
from app.services.locations import LocationNotFound
from app.services.patients import PatientErased, PatientNotFound
from app.services.plans import PlanNotFound

router = APIRouter(prefix="/v1/calendars", tags=["calendars"], route_class=Route)
feeds = APIRouter(prefix="/calendars", tags=["calendars"], route_class=Route)

_ID = "01920000-0000-7000-8000-000000000400"
_EXAMPLE: dict[str, Any] = {
    "plan_id": None,
    "patient_id": "01920000-0000-7000-8000-000000000001",
    "location_id": None,
    "practitioner": None,
    "title": "My treatment",
    "titles": "kinds",
}
_OUT_EXAMPLE: dict[str, Any] = {"id": _ID, **_EXAMPLE, "created_at": "2027-01-04T16:00:00Z"}
_TOKEN = "AZOKXgAAcACAAAAAAAAAAZ3mH0c6k0dJq1bWc7gT9V0i6zO2vXyLhg"  # noqa: S105 - an example
_SUBJECTS = ("plan_id", "patient_id", "location_id", "practitioner")

# Programs may keep it, but are to ask whether it still holds.
_CACHED = "private, no-cache"


class CalendarResponse(Response):
    """A calendar as its programs read it."""

    media_type = "text/calendar"


class CalendarIn(In):
    """Whose feed shall be made: exactly one of plan, patient, location and practitioner."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"patient_id": _EXAMPLE["patient_id"], "title": "My treatment", "titles": "kinds"}
            ]
        }
    )

    plan_id: UUID | None = Field(default=None, description="Every dated step of this plan.")
    patient_id: UUID | None = Field(
        default=None, description="Every dated step of this patient's plans, except of drafts."
    )
    location_id: UUID | None = Field(
        default=None, description="What is to be done at this location, 30 days back, 400 ahead."
    )
    practitioner: Line | None = Field(
        default=None, description="What is to be done in the plans of this practitioner, likewise."
    )
    title: Line | None = Field(default=None, description="What programs shall call the calendar.")
    titles: Titles = Field(
        default=Titles.KINDS,
        description="What entries are called: `kinds`, such as Injection, or `steps`, as the "
        "protocol calls them, which tells more to who looks over a shoulder.",
    )

    @model_validator(mode="after")
    def _of_one_thing(self) -> "CalendarIn":
        if sum(getattr(self, subject) is not None for subject in _SUBJECTS) != 1:
            raise fault("not-of-one-thing", f"exactly one is needed of {', '.join(_SUBJECTS)}")
        return self

    def to_domain(self) -> NewCalendar:
        """What the use-case takes."""
        return NewCalendar(
            plan_id=self.plan_id,
            patient_id=self.patient_id,
            location_id=self.location_id,
            practitioner=self.practitioner,
            title=self.title,
            titles=self.titles,
        )


class CalendarOut(Out):
    """A calendar feed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT_EXAMPLE]})

    id: UUID = Field(description="Its id; it is not the token.")
    plan_id: UUID | None = Field(description="The plan it shows.")
    patient_id: UUID | None = Field(description="The patient whose plans it shows.")
    location_id: UUID | None = Field(description="The location it shows.")
    practitioner: str | None = Field(description="The practitioner whose plans it shows.")
    title: str | None = Field(description="What programs call it.")
    titles: Titles = Field(description="What entries are called.")
    created_at: Instant = Field(description="When it was made.")

    @classmethod
    def from_domain(cls, calendar: CalendarRecord) -> "CalendarOut":
        """The feed as clients see it."""
        return cls(
            id=calendar.id,
            plan_id=calendar.plan_id,
            patient_id=calendar.patient_id,
            location_id=calendar.location_id,
            practitioner=calendar.practitioner,
            title=calendar.title,
            titles=Titles(calendar.titles),
            created_at=calendar.created_at,
        )


class MadeCalendarOut(CalendarOut):
    """A calendar feed that was just made, with its address."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_OUT_EXAMPLE, "path": f"/calendars/{_TOKEN}.ics"}]}
    )

    path: str = Field(
        description="Where the feed is; told only now. Whoever knows it may read the feed."
    )

    @classmethod
    def of(cls, made: MadeCalendar) -> "MadeCalendarOut":
        """The feed and its address as clients see them."""
        path = f"/calendars/{made.token}.ics"
        return cls(**CalendarOut.from_domain(made.calendar).model_dump(), path=path)


class CalendarsOut(Out):
    """A page of calendar feeds."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_OUT_EXAMPLE], "next": None}]}
    )

    items: list[CalendarOut] = Field(description="The feeds, in the order they were made.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


@router.get("", operation_id="list_calendars")
async def list_calendars(page: PageDep, ctx: ReadContextDep) -> CalendarsOut:
    """List the clinic's calendar feeds, without their addresses."""
    found = await calendars.list_calendars(ctx, after=uuid_of(page.after), limit=page.limit)
    items = [CalendarOut.from_domain(calendar) for calendar in found.items]
    return CalendarsOut(items=items, next=page.next(found.next))


@router.post(
    "",
    operation_id="create_calendar",
    status_code=201,
    responses=problems(PlanNotFound, PatientNotFound, PatientErased, LocationNotFound),
)
async def create_calendar(body: CalendarIn, ctx: ContextDep, response: Response) -> MadeCalendarOut:
    """Make a calendar feed of a plan, a patient, a location or a practitioner.

    The answer has its address, which holds a secret and is not told again: what is stored is a
    hash.
    """
    made = await calendars.create_calendar(ctx, body.to_domain())
    response.headers["location"] = f"/v1/calendars/{made.calendar.id}"
    return MadeCalendarOut.of(made)


@router.get("/{calendar_id}", operation_id="get_calendar", responses=problems(CalendarNotFound))
async def get_calendar(calendar_id: UUID, ctx: ReadContextDep) -> CalendarOut:
    """Read whose feed it is, without its address."""
    return CalendarOut.from_domain(await calendars.get_calendar(ctx, calendar_id))


@router.delete(
    "/{calendar_id}",
    operation_id="delete_calendar",
    status_code=204,
    responses=problems(CalendarNotFound),
)
async def delete_calendar(calendar_id: UUID, ctx: ContextDep) -> None:
    """Revoke a calendar feed: its address shows nothing any more."""
    await calendars.delete_calendar(ctx, calendar_id)


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed that a token opens, and its clinic's surroundings."""

    ctx: Context
    calendar: CalendarRecord


async def open_feed(request: Request, token: str) -> AsyncIterator[Feed]:
    """What a token gives to read; it alone says who may. Raises CalendarNotFound."""
    clinic_id = calendars.clinic_of(token)
    async with request.app.state.database.reading(clinic_id) as connection:
        calendar = await calendars.find_calendar(connection, token)
        yield Feed(await open_feed_context(request, connection, clinic_id), calendar)


FeedDep = Annotated[Feed, Depends(open_feed, scope="function")]


@feeds.get(
    "/{token}.ics",
    operation_id="read_calendar",
    response_class=CalendarResponse,
    responses=problems(CalendarNotFound) | UNCHANGED,
)
async def read_calendar(request: Request, feed: FeedDep) -> CalendarResponse:
    """Read a feed, as calendar programs do: without a header that says who asks."""
    steps = await calendars.read_steps(feed.ctx, feed.calendar)
    content = calendar_of(
        feed.calendar.title or "Regimen",
        steps,
        with_titles=feed.calendar.titles == Titles.STEPS,
        sandbox=feed.ctx.sandbox,
    )
    _account_for(request, feed, steps)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return CalendarResponse(content, headers={"etag": tag, "cache-control": _CACHED})


def _account_for(request: Request, feed: Feed, steps: Sequence[FeedStep]) -> None:
    """Account for what a feed shows; its address is a secret, and names nothing else."""
    ctx, calendar = feed.ctx, feed.calendar
    asked = Asked(ctx.clinic_id, ctx.actor, "read_calendar", {})
    shown = [{"plan_id": step.plan_id, "step_id": step.id} for step in steps]
    account: Account = request.app.state.account
    account.note_read(asked, to_json([{"id": calendar.id}, *shown]))
