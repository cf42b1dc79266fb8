"""Calendar feeds: addresses with a secret in them, for calendar programs, which send no header."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.states import StepStatus
from app.persistence.calendars import (
    CalendarNotFound,
    CalendarRecord,
    CalendarRepository,
    FeedPlan,
    FeedStep,
)
from app.persistence.plans.records import PlanNotFound
from app.persistence.tables import FEED_DAYS_AHEAD, FEED_DAYS_BACK
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.listing import Listed, page_of
from app.services.locations import get_location
from app.services.patients import get_present_patient

__all__ = ["CalendarNotFound", "CalendarRecord", "FeedStep"]

MAX_ENTRIES = 2000
REVISIONS_READ = 200

_CLINIC_BYTES = 16
_RANDOM_BYTES = 24


class Titles(StrEnum):
    """What the entries of a feed are called."""

    KINDS = "kinds"
    """By the kinds of steps: injection, visit; who looks over a shoulder learns little."""
    STEPS = "steps"
    """As the protocol calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCalendar:
    """What a feed needs; it is of exactly one thing."""

    plan_id: UUID | None = None
    patient_id: UUID | None = None
    location_id: UUID | None = None
    practitioner: str | None = None
    title: str | None = None
    titles: Titles = Titles.KINDS


@dataclass(frozen=True, slots=True)
class MadeCalendar:
    """A feed, and the token which is told this once."""

    calendar: CalendarRecord
    token: str


async def create_calendar(ctx: Context, new: NewCalendar) -> MadeCalendar:
    """Make a feed with an address of its own.

    Raises PlanNotFound, PatientNotFound, PatientErased or LocationNotFound.
    """
    await _check_subject(ctx, new)
    calendar = CalendarRecord(
        id=ctx.new_id(),
        plan_id=new.plan_id,
        patient_id=new.patient_id,
        location_id=new.location_id,
        practitioner=new.practitioner,
        title=new.title,
        titles=new.titles.value,
        created_at=ctx.real_now,
    )
    token = _new_token(ctx.clinic_id)
    await CalendarRepository(ctx.connection, ctx.clinic_id).add(calendar, _hash(token))
    await events.append(
        ctx,
        EventType.CALENDAR_ADDED,
        plan_id=new.plan_id,
        patient_id=new.patient_id,
        data={"calendar_id": str(calendar.id)},
    )
    return MadeCalendar(calendar, token)


async def get_calendar(ctx: Context, calendar_id: UUID) -> CalendarRecord:
    """One feed. Raises CalendarNotFound."""
    return await CalendarRepository(ctx.connection, ctx.clinic_id).get(calendar_id)


async def list_calendars(ctx: Context, *, after: UUID | None, limit: int) -> Listed[CalendarRecord]:
    """The clinic's feeds in the order in which they were made."""
    rows = await CalendarRepository(ctx.connection, ctx.clinic_id).page(
        after=after, limit=limit + 1
    )
    return page_of(rows, limit, lambda calendar: (str(calendar.id),))


async def delete_calendar(ctx: Context, calendar_id: UUID) -> None:
    """Revoke a feed: its address shows nothing any more. Raises CalendarNotFound."""
    await CalendarRepository(ctx.connection, ctx.clinic_id).remove(calendar_id)
    data = {"calendar_id": str(calendar_id)}
    await events.append(ctx, EventType.CALENDAR_REMOVED, data=data)


def clinic_of(token: str) -> UUID:
    """The clinic in whose rows a token is to be looked for. Raises CalendarNotFound.

    It stands in the token, so that nobody need look through the rows of all clinics.
    """
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raw = b""
    if len(raw) != _CLINIC_BYTES + _RANDOM_BYTES:
        raise CalendarNotFound("no such calendar")
    return UUID(bytes=raw[:_CLINIC_BYTES])


async def find_calendar(connection: AsyncConnection, token: str) -> CalendarRecord:
    """The feed of a token. Raises CalendarNotFound."""
    return await CalendarRepository(connection, clinic_of(token)).find(_hash(token))


async def read_steps(ctx: Context, calendar: CalendarRecord) -> tuple[FeedStep, ...]:
    """What a feed shows, by days; what has lost its day or place is cancelled where it stood."""
    calendars = CalendarRepository(ctx.connection, ctx.clinic_id)
    if calendar.plan_id is not None:
        steps = await calendars.steps_of_plan(calendar.plan_id, limit=MAX_ENTRIES)
    elif calendar.patient_id is not None:
        steps = await calendars.steps_of_patient(calendar.patient_id, limit=MAX_ENTRIES)
    else:
        return await _worked_on(ctx, calendar)
    plans = await calendars.plans(plan_id=calendar.plan_id, patient_id=calendar.patient_id)
    shown = {step.id for step in steps}
    lost = [
        step
        for plan in plans
        if plan.plan_revision > 1
        for step in _lost(
            plan, await calendars.steps_of_revisions(plan.plan_id, limit=REVISIONS_READ), shown
        )
    ]
    return tuple(sorted((*steps, *lost), key=_by_day))


async def _worked_on(ctx: Context, calendar: CalendarRecord) -> tuple[FeedStep, ...]:
    today = ctx.now.date()
    first, last = today - timedelta(days=FEED_DAYS_BACK), today + timedelta(days=FEED_DAYS_AHEAD)
    calendars = CalendarRepository(ctx.connection, ctx.clinic_id)
    steps = await calendars.steps_between(first, last, calendar, limit=MAX_ENTRIES)
    former = await calendars.former_steps_between(first, last, calendar, limit=MAX_ENTRIES)
    shown = {step.id for step in steps}
    gone = (step for step in former if step.id not in shown)
    return tuple(sorted((*steps, *gone), key=_by_day))[:MAX_ENTRIES]


def _by_day(step: FeedStep) -> tuple[date, UUID]:
    return step.day, step.id


def _lost(plan: FeedPlan, former: Iterable[dict[str, Any]], shown: set[UUID]) -> Iterator[FeedStep]:
    """Steps of former revisions that have no day any more, as they stood last."""
    found = set(shown)
    for step in former:
        id_ = UUID(step["id"])
        if id_ not in found and step["day"] is not None:
            found.add(id_)
            yield FeedStep(
                id=id_,
                plan_id=plan.plan_id,
                kind=step["kind"],
                title=step["title"],
                ordinal=step["ordinal"],
                of_count=step["of_count"],
                status=StepStatus.CANCELLED.value,
                tentative=step["tentative"],
                day=date.fromisoformat(step["day"]),
                end_day=_day(step["end_day"]),
                appointment=step["appointment"],
                plan_status=plan.plan_status,
                plan_revision=plan.plan_revision,
                plan_updated_at=plan.plan_updated_at,
                example=plan.example,
                time_zone=plan.time_zone,
                location_name=plan.location_name,
            )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


async def _check_subject(ctx: Context, new: NewCalendar) -> None:
    if new.patient_id is not None:
        await get_present_patient(ctx, new.patient_id)
    if new.location_id is not None:
        await get_location(ctx, new.location_id)
    if new.plan_id is not None:
        calendars = CalendarRepository(ctx.connection, ctx.clinic_id)
        if not await calendars.plans(plan_id=new.plan_id, patient_id=None):
            raise PlanNotFound("no such plan")


def _new_token(clinic_id: UUID) -> str:
    raw = clinic_id.bytes + secrets.token_bytes(_RANDOM_BYTES)
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _hash(token: str) -> bytes:
    """A token is random enough that a plain hash does not give it away."""
    return hashlib.sha256(token.encode()).digest()
