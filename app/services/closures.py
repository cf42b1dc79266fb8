"""Days on which a location is closed or opened again, and the plans which that touches.

Plans that stand on days which are closed now are flagged at once; a batch then solves each of them
again. Days that are opened move nothing: plans flagged because of them are looked at again. So are
plans whose timings count working days, on whatever days their own steps stand.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.calendars import WEEKDAYS, Calendar, Closure, local_date
from app.domain.documents.usual import usual_any_day
from app.domain.facts import OccurrenceId
from app.domain.offsets import LAST_DAY
from app.domain.plans.records import booking_from_data
from app.domain.plans.steps import needs_open_day
from app.domain.protocols import Protocol, StepKind
from app.domain.rules import Severity
from app.domain.states import StepStatus
from app.persistence.events import EventRepository
from app.persistence.touched_plans import StepOnDay, TouchedPlanRepository, TouchedStep
from app.services import batches, locations
from app.services.batches import Progress
from app.services.context import Context
from app.services.events import EventType, new_event
from app.services.locations import ClosureRecord, LocationChange, LocationRecord
from app.services.plans.loading import load_version

NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# The rule by which a step has its appointment's day.
APPOINTMENT = "appointment"
# What closes a day that was open so far, as conflicts name it.
Closing = Callable[[date], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Touched:
    """A plan that closed days would touch, and its steps on them."""

    plan_id: UUID
    steps: tuple[TouchedStep, ...]


async def touched_by_closure(
    ctx: Context, location_id: UUID, closure: Closure
) -> tuple[Touched, ...]:
    """Living plans with steps on a closure's days that need an open day.

    Raises LocationNotFound.
    """
    location = await locations.get_location(ctx, location_id)
    first = max(closure.first, ctx.today(location.time_zone))
    return await _touched(ctx, location_id, first, closure.last, lambda _: (_rule(closure.id),))


async def touched_by_change(
    ctx: Context, location_id: UUID, change: LocationChange
) -> tuple[Touched, ...]:
    """The same of the days which a change of the location's weekdays or holidays would close.

    And those with appointments that lie on another day in another time zone. Raises
    LocationNotFound.
    """
    location = await locations.get_location(ctx, location_id)
    return await _touched_by(ctx, location, change, *await _calendars(ctx, location, change))


async def close_location(
    ctx: Context, location_id: UUID, closure: Closure
) -> tuple[ClosureRecord, Progress | None]:
    """Store a closure, then a batch that solves every touched plan again; none if none is.

    Until then these plans are flagged. Raises LocationNotFound or ClosureExists.
    """
    touched = await touched_by_closure(ctx, location_id, closure)
    stored = await locations.create_closure(ctx, location_id, closure)
    await _flag(ctx, touched)
    request = {"closure_id": str(stored.id), "reason": closure.title or f"closed: {closure.id}"}
    counting = await _counting(ctx, location_id)
    return stored, await _solve_again(ctx, request, {*counting, *(p.plan_id for p in touched)})


async def open_location(ctx: Context, closure_id: UUID) -> Progress | None:
    """Take a closure back; plans that are flagged because of it are looked at again by a batch.

    Raises ClosureNotFound.
    """
    closure = await locations.get_closure(ctx, closure_id)
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    flagged = await plans.flagged_plans(closure.location_id, {_rule(closure.key)})
    await locations.delete_closure(ctx, closure_id)
    request = {"closure_id": str(closure_id), "reason": "opened again"}
    counting = await _counting(ctx, closure.location_id)
    return await _solve_again(ctx, request, {*counting, *flagged})


async def change_location(
    ctx: Context, location_id: UUID, change: LocationChange, *, revision: int
) -> tuple[LocationRecord, Progress | None]:
    """Change a location; what its weekdays and holidays close or open is treated as closures are.

    A public holiday that was found late, or a weekday given up, is a day on which nobody can be
    treated: whoever stands on it must move, so the batch moves it and says why, as for a closure.
    In another time zone an appointment keeps its instant, so that its step may get another day.
    Raises LocationNotFound or LocationChangedMeanwhile.
    """
    location = await locations.get_location(ctx, location_id)
    before, after = await _calendars(ctx, location, change)
    touched = await _touched_by(ctx, location, change, before, after)
    saved = await locations.change_location(ctx, location_id, change, revision=revision)
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    cleared = _opening(before, after)
    if saved.time_zone != location.time_zone:
        cleared.add(APPOINTMENT)
    opened = await plans.flagged_plans(location_id, cleared)
    await _flag(ctx, touched)
    request = {"location_id": str(location_id), "reason": _in_words(saved, change)}
    wanted = {*opened, *(plan.plan_id for plan in touched)}
    if after != before:
        wanted |= await _counting(ctx, location_id)
    return saved, await _solve_again(ctx, request, wanted)


async def _calendars(
    ctx: Context, location: LocationRecord, change: LocationChange
) -> tuple[Calendar, Calendar]:
    """A location's days from today on as they are, and as a change makes them."""
    today = ctx.today(location.time_zone)
    stored = await locations.closures_from(ctx, location.id, today)
    now, own = _closures(stored), _closures(one for one in stored if not one.holiday)
    before = Calendar(frozenset(location.open_weekdays), now)
    if "holidays" in change:
        zone = change.get("time_zone", location.time_zone)
        now = (*own, *locations.holidays_of(ctx, zone, change["holidays"]))
    weekdays = change["calendar"].open_weekdays if "calendar" in change else before.open_weekdays
    return before, Calendar(weekdays, now)


def _in_words(location: LocationRecord, change: LocationChange) -> str:
    """What is different about a location's days, as the history of plans tells it."""
    said = []
    if "calendar" in change:
        days = ", ".join(NAMES[weekday - 1] for weekday in location.open_weekdays)
        said.append(f"open on {days}")
    if "holidays" in change:
        country, part = location.holiday_country, location.holiday_subdivision
        region = "-".join(code for code in (country, part) if code is not None)
        said.append(f"public holidays of {region}" if region else "no public holidays")
    if "time_zone" in change:
        said.append(f"time zone {location.time_zone}")
    return f"the location has changed: {'; '.join(said)}"


def _closures(stored: Iterable[ClosureRecord]) -> tuple[Closure, ...]:
    return tuple(Closure(one.key, one.first_day, one.last_day, one.title) for one in stored)


def _opening(before: Calendar, after: Calendar) -> set[str]:
    """What closed some days that are open now, as conflicts name it."""
    left = {closure.id for closure in after.closures}
    opened = {_rule(one.id) for one in before.closures if one.id not in left}
    return {*opened, WEEKDAYS} if after.open_weekdays - before.open_weekdays else opened


def _rule(key: str) -> str:
    return f"closure:{key}"


async def _touched_by(
    ctx: Context,
    location: LocationRecord,
    change: LocationChange,
    before: Calendar,
    after: Calendar,
) -> tuple[Touched, ...]:
    """Living plans which a change concerns, each once."""

    def closing(day: date) -> tuple[str, ...]:
        known = before.closed_by(day)
        return tuple(rule for rule in after.closed_by(day) if rule not in known)

    today = ctx.today(location.time_zone)
    found = await _touched(ctx, location.id, today, LAST_DAY, closing)
    steps: dict[UUID, tuple[TouchedStep, ...]] = {}
    for plan in (*found, *await _on_another_day(ctx, location, change)):
        steps[plan.plan_id] = (*steps.get(plan.plan_id, ()), *plan.steps)
    return tuple(Touched(plan_id, steps[plan_id]) for plan_id in sorted(steps))


async def _touched(
    ctx: Context, location_id: UUID, first: date, last: date, closing: Closing
) -> tuple[Touched, ...]:
    """Living plans with steps that need an open day on days which something closes."""
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    days = await plans.days_of_steps(location_id, first, last)
    rules = {day: closed_by[0] for day in days if (closed_by := closing(day))}
    found = await plans.steps_on_days(location_id, list(rules))
    followed = await plans.versions_of(list(found))
    protocols = {
        version: (await load_version(ctx, *version))[1].protocol
        for version in set(followed.values())
    }
    touched = []
    for plan_id, steps in sorted(found.items()):
        closed = tuple(
            TouchedStep(step, rules[step.day], "the location is closed")
            for step in steps
            if _needs_open_day(protocols[followed[plan_id]], step)
        )
        if closed:
            touched.append(Touched(plan_id, closed))
    return tuple(touched)


async def _on_another_day(
    ctx: Context, location: LocationRecord, change: LocationChange
) -> tuple[Touched, ...]:
    """Living plans with appointments that lie on another local day in another time zone."""
    if change.get("time_zone", location.time_zone) == location.time_zone:
        return ()
    zone = ZoneInfo(change["time_zone"])
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    first = ctx.today(location.time_zone) - timedelta(days=1)
    days = await plans.days_of_steps(location.id, first, LAST_DAY)
    found = await plans.steps_on_days(location.id, days, (StepStatus.BOOKED,))
    touched = []
    for plan_id, steps in sorted(found.items()):
        moved = tuple(
            TouchedStep(step, APPOINTMENT, "its appointment is on another day in this time zone")
            for step in steps
            if step.appointment
            and local_date(booking_from_data(step.appointment).starts_at, zone) != step.day
        )
        if moved:
            touched.append(Touched(plan_id, moved))
    return tuple(touched)


async def _counting(ctx: Context, location_id: UUID) -> set[UUID]:
    """Plans that may break a timing by a day on which none of their steps stands: looked at."""
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    return set(await plans.counting_plans(location_id))


def _needs_open_day(protocol: Protocol, step: StepOnDay) -> bool:
    usual = usual_any_day(StepKind(step.kind), step.end_day is not None, tuple(step.modes))
    return needs_open_day(protocol, OccurrenceId(step.key, step.occurrence), usual=not usual)


async def _flag(ctx: Context, touched: tuple[Touched, ...]) -> None:
    """Show on plans that they stand on closed days, and note one event a plan and rule."""
    closed = {plan.plan_id: plan.steps for plan in touched}
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    flagged = await plans.flag(closed, now=ctx.now)
    found = [
        new_event(
            ctx,
            EventType.BREACH_FOUND,
            plan_id=plan.id,
            patient_id=plan.patient_id,
            revision=plan.revision,
            data={"rule": rule, "severity": Severity.BLOCK.value},
        )
        for plan in flagged
        for rule in sorted({step.rule for step in closed[plan.id]})
    ]
    if found:
        await EventRepository(ctx.connection, ctx.clinic_id).append(found)


async def _solve_again(
    ctx: Context, request: dict[str, str], plans: Iterable[UUID]
) -> Progress | None:
    wanted = sorted(plans)
    return await batches.start(ctx, "closure", dict(request), wanted) if wanted else None
