"""Stored plans: read one, list pages, and ask which days a step could have, and why not others."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from anyio import to_thread

from app.domain.engine import bookable_days, leaving, why_not
from app.domain.errors import DomainError
from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import BookableDay, Conflict, Schedule
from app.persistence.plans.records import PlanFilter, PlanSummary, PlanView, StepView
from app.persistence.plans.repository import PlanRepository
from app.services import engine_time
from app.services.context import Context
from app.services.listing import Listed, page_of
from app.services.plans.redating import UNDONE
from app.services.plans.stored import standing_problem, with_basis
from app.services.ranges import require_forwards


class StepNotFound(DomainError):
    """The plan has no such step."""


class StepNotMovable(DomainError):
    """The step is performed, skipped or cancelled: no day is looked for."""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A plan with today at its location, by which its states are judged."""

    view: PlanView
    today: date


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """What forcing a step to a day gives: the plan's other days, or the conflict."""

    plan: ReadPlan
    step: StepView
    answer: Schedule | Conflict


@dataclass(frozen=True, slots=True)
class StepDays:
    """The bookable days of a step of a plan."""

    plan: ReadPlan
    days: tuple[BookableDay, ...]


async def read_plan(ctx: Context, plan_id: UUID) -> ReadPlan:
    """One plan as of its latest revision. Raises PlanNotFound."""
    view = await PlanRepository(ctx.connection, ctx.clinic_id).view(plan_id)
    return ReadPlan(view, ctx.today(view.time_zone))


async def list_plans(
    ctx: Context, which: PlanFilter, *, after: UUID | None, limit: int
) -> Listed[PlanSummary]:
    """Plans that fit, the newest first."""
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    rows = await plans.page(which, after=after, limit=limit + 1)
    return page_of(rows, limit, lambda plan: (str(plan.id),))


async def list_step_days(
    ctx: Context, plan_id: UUID, step_id: UUID, *, first: date, last: date
) -> StepDays:
    """Every day of a range that a step could have, with cost and what would move.

    Raises PlanNotFound, StepNotFound, StepNotMovable, RangeNotAllowed or RangeTooLong.
    """
    require_forwards(first, last)
    plan = await read_plan(ctx, plan_id)
    step = _movable(plan.view, step_id)
    problem = await problem_of_plan(ctx, plan)
    occurrence = occurrence_of(step)

    with engine_time.measured():
        days = await to_thread.run_sync(_days, problem, occurrence, first, last)
    return StepDays(plan, days)


async def judge_step_day(ctx: Context, plan_id: UUID, step_id: UUID, day: date) -> JudgedDay:
    """Why a step could have a day, or why not.

    Raises PlanNotFound, StepNotFound or StepNotMovable.
    """
    plan = await read_plan(ctx, plan_id)
    step = _movable(plan.view, step_id)
    problem = await problem_of_plan(ctx, plan)
    occurrence = occurrence_of(step)
    with engine_time.measured():
        return JudgedDay(plan, step, await to_thread.run_sync(_judged, problem, occurrence, day))


def _days(
    problem: Problem, occurrence: OccurrenceId, first: date, last: date
) -> tuple[BookableDay, ...]:
    days = {
        found.day: found
        for asked in reversed(_asked(problem, occurrence))
        for found in bookable_days(asked, occurrence, first, last)
    }
    return tuple(days[day] for day in sorted(days))


def _judged(problem: Problem, occurrence: OccurrenceId, day: date) -> Schedule | Conflict:
    for asked in _asked(problem, occurrence):
        found = why_not(asked, occurrence, day)
        if isinstance(found, Schedule):
            break
    return found


def _asked(problem: Problem, occurrence: OccurrenceId) -> tuple[Problem, ...]:
    """The questions which a move of a step puts, one after another.

    In a plan which has no schedule, what stands in the way is left on its day at last.
    """
    left = leaving(problem).problem.left - {occurrence}
    return (problem, replace(problem, left=left)) if left else (problem,)


async def problem_of_plan(ctx: Context, plan: ReadPlan) -> Problem:
    """The question a stored plan puts to the engine today, its days given out kept."""
    return standing_problem(await with_basis(ctx, plan.view))


def occurrence_of(step: StepView) -> OccurrenceId:
    """Which occurrence a planned step is."""
    if step.occurrence is None:
        return OccurrenceId(step.key)
    return OccurrenceId.parse(f"{step.key}/{step.occurrence}")


def _movable(view: PlanView, step_id: UUID) -> StepView:
    step = next((step for step in view.steps if step.id == str(step_id)), None)
    if step is None:
        raise StepNotFound("the plan has no such step")
    if step.status not in UNDONE:
        raise StepNotMovable(f"step '{occurrence_of(step)}' is {step.status}")
    return step
