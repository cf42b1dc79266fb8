"""Looks at stored plans again when something round them changed: flags, and moves nothing.

What a person would have to post to make it right is proposed with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.domain.engine import standing_breaches
from app.domain.facts import OccurrenceId
from app.domain.plans.steps import attention_of, breaches_of
from app.domain.problem import Problem
from app.domain.schedules import Move, Schedule
from app.domain.states import PlanStatus
from app.persistence.events import EventRepository, NewEvent
from app.persistence.patients import PatientRepository
from app.persistence.plans.records import PlanFilter, RevisionRecord
from app.persistence.plans.repository import PlanRepository
from app.services.context import Context
from app.services.plans.changing import StoredPlan, load_plan, standing_problem, state_of
from app.services.plans.noting import noted
from app.services.plans.planning import ScheduleConflict, answer
from app.services.plans.redating import moves_from, name_steps

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


async def recheck_plan(ctx: Context, plan_id: UUID) -> Rechecked:
    """One plan looked at again; breaches are stored, days never moved. Raises PlanNotFound."""
    rechecked, happened = await _recheck(ctx, plan_id)
    if happened:
        await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    return rechecked


async def look_at_plan(ctx: Context, plan_id: UUID) -> Rechecked:
    """One plan looked at as it stands; stores nothing. One that is over has nothing to put right.

    Raises PlanNotFound.
    """
    stored = await load_plan(ctx, plan_id)
    if stored.record.status not in LIVING:
        return Rechecked(plan_id, tuple(stored.record.breaches), {})
    problem = standing_problem(stored)
    return await _put_right(stored, problem, _standing(stored, problem))


async def _recheck(ctx: Context, plan_id: UUID) -> tuple[Rechecked, list[NewEvent]]:
    stored = await load_plan(ctx, plan_id)
    problem = standing_problem(stored)
    breaches = _standing(stored, problem)
    events: list[NewEvent] = []
    if _by_id(breaches) != _by_id(stored.record.breaches):
        events = await _flag(ctx, stored, breaches)
    return await _put_right(stored, problem, breaches), events


def _standing(stored: StoredPlan, problem: Problem) -> list[dict[str, Any]]:
    """What the days of a stored plan break now."""
    ids = {step.occurrence: step.id for step in stored.record.steps}
    broken = Schedule(steps=(), breaches=standing_breaches(problem))
    return breaches_of(broken, ids, state_of(stored.record).acknowledged)


async def _put_right(
    stored: StoredPlan, problem: Problem, breaches: list[dict[str, Any]]
) -> Rechecked:
    """The same with what solving the plan again would move, or why no schedule exists."""
    before = stored.record
    ids = {step.occurrence: step.id for step in before.steps}
    found = Rechecked(before.id, tuple(breaches), ids)
    try:
        schedule = await answer(problem)
    except ScheduleConflict as conflict:
        name_steps(conflict, before, state_of(before))
        return replace(found, conflict=conflict)
    return replace(found, moves=moves_from(before, schedule))


def _by_id(breaches: list[dict[str, Any]]) -> dict[str, Any]:
    return {breach["id"]: breach for breach in breaches}


async def _flag(ctx: Context, stored: StoredPlan, breaches: list[dict[str, Any]]) -> list[NewEvent]:
    """Store the breaches as a revision of their own; gives the events it makes."""
    before = stored.record
    after = replace(
        before,
        revision=before.revision + 1,
        breaches=breaches,
        attention=attention_of(breaches, before.steps, state_of(before).starts),
        updated_at=ctx.now,
    )
    revision = RevisionRecord(
        revision=after.revision,
        at=ctx.now,
        actor=ctx.actor,
        reason="looked at again",
        change={"as_of": stored.basis.today.isoformat(), "changes": [], "corrects": []},
        moves=[],
    )
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    await plans.save(before, after, revision, events=[], superseded=stored.snapshot)
    return noted(ctx, before, after, state_of(before))
