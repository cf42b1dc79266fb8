"""Looks at stored plans again when something round them changed: flags, and moves nothing.

What a person would have to post to make it right is proposed with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.domain.engine import PlanTooLarge
from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Move
from app.domain.states import PlanStatus
from app.persistence.events import EventRepository, NewEvent
from app.persistence.patients import PatientRepository
from app.persistence.plans.records import PlanFilter
from app.persistence.plans.repository import PlanRepository
from app.services.context import Context
from app.services.plans.flagging import breaches_now, flag, same_breaches
from app.services.plans.planning import ScheduleConflict, answer
from app.services.plans.redating import moves_from, name_steps
from app.services.plans.stored import StoredPlan, load_plan, standing_problem, state_of

LIVING = (PlanStatus.ACTIVE, PlanStatus.ON_HOLD, PlanStatus.DRAFT)
MOST_PLANS = 200


@dataclass(frozen=True, slots=True)
class Rechecked:
    """One plan looked at again: what its days break now, and what would make it right.

    Either ``moves`` or, where no schedule exists any more, a conflict with its ways out.
    """

    plan_id: UUID
    breaches: tuple[dict[str, Any], ...]
    ids: Mapping[OccurrenceId, UUID]
    moves: tuple[Move, ...] = ()
    conflict: ScheduleConflict | None = None

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What to post to the plan's changes to have these moves."""
        return [
            {"type": "move", "step_id": str(self.ids[move.id]), "to": move.new.isoformat()}
            for move in self.moves
            if move.new is not None
        ]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What the days of one plan break now; ``is_new`` where that was not shown before."""

    stored: StoredPlan
    problem: Problem
    breaches: tuple[dict[str, Any], ...]
    is_new: bool


async def recheck_patient(ctx: Context, patient_id: UUID) -> tuple[Rechecked, ...]:
    """Every living plan of a patient, looked at again; breaches are stored, days never moved.

    The patient is held, so that no plan is made meanwhile without what is new. Its events are
    appended last of all, for all plans together.
    """
    await PatientRepository(ctx.connection, ctx.clinic_id).hold(patient_id)
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    found: list[Rechecked] = []
    happened: list[NewEvent] = []
    for status in LIVING:
        which = PlanFilter(patient_id=patient_id, status=status)
        for plan in await plans.page(which, limit=MOST_PLANS):
            rechecked, events = await _recheck(ctx, plan.id)
            found.append(rechecked)
            happened += events
    if happened:
        await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    return tuple(found)


async def look_again(ctx: Context, stored: StoredPlan) -> LookedAt:
    """A plan that was read, flagged for what its days break now, or cleared; none is moved.

    One that is over is left as it is.
    """
    problem = standing_problem(stored)
    if stored.record.status not in LIVING:
        return LookedAt(stored, problem, tuple(stored.record.breaches), is_new=False)
    breaches, happened = await flag(ctx, stored, problem)
    if happened:
        await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    return LookedAt(stored, problem, tuple(breaches), is_new=bool(happened))


def look_by(stored: StoredPlan) -> LookedAt:
    """The same of a plan read with other rules round it than the clinic's; stores nothing."""
    problem = standing_problem(stored)
    shown = tuple(stored.record.breaches)
    if stored.record.status not in LIVING:
        return LookedAt(stored, problem, shown, is_new=False)
    breaches = tuple(breaches_now(stored, problem))
    return LookedAt(stored, problem, breaches, is_new=not same_breaches(breaches, shown))


async def look_at_plan(ctx: Context, plan_id: UUID) -> Rechecked:
    """One plan looked at as it stands; stores nothing. One that is over has nothing to put right.

    Raises PlanNotFound.
    """
    stored = await load_plan(ctx, plan_id)
    if stored.record.status not in LIVING:
        return Rechecked(plan_id, tuple(stored.record.breaches), {})
    return await put_right(look_by(stored))


async def _recheck(ctx: Context, plan_id: UUID) -> tuple[Rechecked, list[NewEvent]]:
    stored = await load_plan(ctx, plan_id)
    problem = standing_problem(stored)
    breaches, events = await flag(ctx, stored, problem)
    found = LookedAt(stored, problem, tuple(breaches), is_new=bool(events))
    return await put_right(found), events


async def put_right(looked_at: LookedAt) -> Rechecked:
    """The same with what solving the plan again would move, or why no schedule exists.

    Where the engine would look too long nothing is proposed: what is flagged is told all the same.
    """
    before = looked_at.stored.record
    ids = {step.occurrence: step.id for step in before.steps}
    found = Rechecked(before.id, looked_at.breaches, ids)
    try:
        schedule = await answer(looked_at.problem)
    except ScheduleConflict as conflict:
        name_steps(conflict, before, state_of(before))
        return replace(found, conflict=conflict)
    except PlanTooLarge:
        return found
    return replace(found, moves=moves_from(before, schedule))
