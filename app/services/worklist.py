"""What waits for people: planned steps of living plans, counts of them, plans to look at."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from app.domain.schedules import Window
from app.domain.states import PlanStatus, StepStatus, WindowState, planned_state
from app.persistence.worklist.records import (
    Place,
    Todays,
    WaitingPlan,
    WaitingStep,
    WorklistFilter,
)
from app.persistence.worklist.repository import WorklistRepository
from app.services.context import Context
from app.services.listing import Key, Listed, page_of
from app.services.ranges import require_forwards

__all__ = ["Place", "WaitingPlan", "WaitingStep", "WorklistFilter"]

UNDONE = frozenset({StepStatus.PLANNED, StepStatus.BOOKED})
COUNTED_DAYS, MOST_COUNTED_DAYS = 31, 92


@dataclass(frozen=True, slots=True)
class WorklistItem:
    """A planned step, and where it stands today at its location."""

    step: WaitingStep
    state: WindowState | None


@dataclass(frozen=True, slots=True)
class WorklistCounts:
    """How much waits up to a day: by state, by day, decisions to take, plans to look at.

    ``by_day`` has the days from ``first`` to ``until`` that have any step, each by state.
    """

    first: date
    until: date
    by_state: Mapping[str, int]
    by_day: Mapping[date, Mapping[str, int]]
    decisions: int
    plans: int


async def list_worklist(
    ctx: Context, which: WorklistFilter, *, after: Place | None, limit: int
) -> Listed[WorklistItem]:
    """Planned steps of living plans that fit, by day, then by the end of their windows.

    Raises RangeNotAllowed.
    """
    require_forwards(which.first, which.until)
    todays = await _todays(ctx, which.location_id)
    repository = WorklistRepository(ctx.connection, ctx.clinic_id)
    rows = await repository.page(which, todays, after=after, limit=limit + 1)
    page = page_of(rows, limit, _key)
    items = (WorklistItem(step, _state(step, todays.at(step.location_id))) for step in page.items)
    return Listed(tuple(items), page.next)


async def count_worklist(
    ctx: Context, which: WorklistFilter, *, first: date | None, until: date | None
) -> WorklistCounts:
    """Count what is planned or booked up to a day, and single days of a range.

    Raises RangeNotAllowed.
    """
    todays = await _todays(ctx, which.location_id)
    first = first or todays.usual
    until = until or first + timedelta(days=COUNTED_DAYS - 1)
    require_forwards(first, until, most_days=MOST_COUNTED_DAYS)
    repository = WorklistRepository(ctx.connection, ctx.clinic_id)
    found = await repository.counts(
        replace(which, statuses=UNDONE, until=until), todays, first=first
    )
    plans = await repository.count_plans(
        location_id=which.location_id, practitioner=which.practitioner
    )
    by_state: Counter[str] = Counter()
    by_day: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for one in found:
        by_state[one.state] += one.steps
        if one.day is not None:
            by_day[one.day][one.state] += one.steps
    decisions = sum(one.decisions for one in found if one.state != WindowState.UPCOMING)
    return WorklistCounts(first, until, by_state, dict(sorted(by_day.items())), decisions, plans)


async def list_attention(
    ctx: Context,
    *,
    location_id: UUID | None,
    practitioner: str | None,
    after: UUID | None,
    limit: int,
) -> Listed[WaitingPlan]:
    """Living plans which a person must look at, and why."""
    rows = await WorklistRepository(ctx.connection, ctx.clinic_id).plans(
        location_id=location_id, practitioner=practitioner, after=after, limit=limit + 1
    )
    return page_of(rows, limit, lambda plan: (str(plan.id),))


async def _todays(ctx: Context, location_id: UUID | None) -> Todays:
    """Today at the clinic's locations, or at the only one that matters."""
    zones = await WorklistRepository(ctx.connection, ctx.clinic_id).zones(location_id)
    at: defaultdict[date, list[UUID]] = defaultdict(list)
    for id_, zone in zones:
        at[ctx.today(zone)].append(id_)
    if not at:
        return Todays(ctx.now.date(), {})
    usual = max(at, key=lambda day: (len(at[day]), day))
    return Todays(usual, {day: ids for day, ids in at.items() if day != usual})


def _key(step: WaitingStep) -> Key:
    return step.day.isoformat(), step.due_until.isoformat(), str(step.id)


def _state(step: WaitingStep, today: date) -> WindowState | None:
    window = None
    if step.window_target is not None:
        window = Window(step.window_earliest, step.window_target, step.window_latest)
    status, plan = StepStatus(step.status), PlanStatus(step.plan_status)
    return planned_state(window, step.day, status, plan, today)
