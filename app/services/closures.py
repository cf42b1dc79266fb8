"""Days on which a location is closed or opened again, and the plans which that touches.

Plans that stand on days which are closed now are flagged at once; a batch then solves each of them
again. Days that are opened move nothing: plans flagged because of them are looked at again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.domain.calendars import WEEKDAYS, Calendar, Closure
from app.domain.documents.usual import usual_any_day
from app.domain.offsets import LAST_DAY
from app.domain.protocols import StepKind
from app.domain.rules import Severity
from app.persistence.events import EventRepository
from app.persistence.touched_plans import ClosedStep, StepOnDay, TouchedPlanRepository
from app.services import batches, locations
from app.services.batches import Progress
from app.services.context import Context
from app.services.events import EventType, new_event
from app.services.locations import ClosureRecord, LocationChange, LocationRecord

# What closes a day that was open so far, as conflicts name it.
Closing = Callable[[date], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Touched:
    """A plan that closed days would touch, and its steps on them."""

    plan_id: UUID
    steps: tuple[ClosedStep, ...]


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

    Raises LocationNotFound.
    """
    location = await locations.get_location(ctx, location_id)
    before, after = await _calendars(ctx, location, change)
    return await _newly_closed(ctx, location, before, after)


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
    return stored, await _solve_again(ctx, request, {plan.plan_id for plan in touched})


async def open_location(ctx: Context, closure_id: UUID) -> Progress | None:
    """Take a closure back; plans that are flagged because of it are looked at again by a batch.

    Raises ClosureNotFound.
    """
    closure = await locations.get_closure(ctx, closure_id)
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    flagged = await plans.flagged_plans(closure.location_id, {_rule(closure.key)})
    await locations.delete_closure(ctx, closure_id)
    request = {"closure_id": str(closure_id), "reason": "opened again"}
    return await _solve_again(ctx, request, flagged)


async def change_location(
    ctx: Context, location_id: UUID, change: LocationChange, *, revision: int
) -> tuple[LocationRecord, Progress | None]:
    """Change a location; what its weekdays and holidays close or open is treated as closures are.

    A public holiday that was found late, or a weekday given up, is a day on which nobody can be
    treated: whoever stands on it must move, so the batch moves it and says why, as for a closure.
    Raises LocationNotFound or LocationChangedMeanwhile.
    """
    location = await locations.get_location(ctx, location_id)
    before, after = await _calendars(ctx, location, change)
    saved = await locations.change_location(ctx, location_id, change, revision=revision)
    touched = await _newly_closed(ctx, saved, before, after)
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    opened = await plans.flagged_plans(location_id, _opening(before, after))
    await _flag(ctx, touched)
    request = {"location_id": str(location_id), "reason": "the location's days have changed"}
    wanted = {*opened, *(plan.plan_id for plan in touched)}
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


def _closures(stored: Iterable[ClosureRecord]) -> tuple[Closure, ...]:
    return tuple(Closure(one.key, one.first_day, one.last_day, one.title) for one in stored)


def _opening(before: Calendar, after: Calendar) -> set[str]:
    """What closed some days that are open now, as conflicts name it."""
    left = {closure.id for closure in after.closures}
    opened = {_rule(one.id) for one in before.closures if one.id not in left}
    return {*opened, WEEKDAYS} if after.open_weekdays - before.open_weekdays else opened


def _rule(key: str) -> str:
    return f"closure:{key}"


async def _newly_closed(
    ctx: Context, location: LocationRecord, before: Calendar, after: Calendar
) -> tuple[Touched, ...]:
    def closing(day: date) -> tuple[str, ...]:
        known = before.closed_by(day)
        return tuple(rule for rule in after.closed_by(day) if rule not in known)

    today = ctx.today(location.time_zone)
    return await _touched(ctx, location.id, today, LAST_DAY, closing)


async def _touched(
    ctx: Context, location_id: UUID, first: date, last: date, closing: Closing
) -> tuple[Touched, ...]:
    """Living plans with steps that need an open day on days which something closes."""
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    days = await plans.days_of_steps(location_id, first, last)
    rules = {day: closed_by[0] for day in days if (closed_by := closing(day))}
    found = await plans.steps_on_days(location_id, list(rules))
    touched = []
    for plan_id, steps in sorted(found.items()):
        closed = tuple(ClosedStep(step, rules[step.day]) for step in steps if _needs_open_day(step))
        if closed:
            touched.append(Touched(plan_id, closed))
    return tuple(touched)


def _needs_open_day(step: StepOnDay) -> bool:
    return not usual_any_day(StepKind(step.kind), step.end_day is not None, tuple(step.modes))


async def _flag(ctx: Context, touched: tuple[Touched, ...]) -> None:
    """Show on plans that they stand on closed days, and note one event a plan and rule."""
    closed = {plan.plan_id: plan.steps for plan in touched}
    plans = TouchedPlanRepository(ctx.connection, ctx.clinic_id)
    flagged = await plans.flag(closed, why="the location is closed", now=ctx.now)
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
