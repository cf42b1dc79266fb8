"""Flags what the days of stored plans break, as something round them has changed; moves nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.domain.engine import standing_breaches
from app.domain.plans.changes import LIVING
from app.domain.plans.steps import attention_of, breaches_of
from app.domain.problem import Problem
from app.domain.schedules import Schedule
from app.persistence.events import NewEvent
from app.persistence.plans.records import PlanRecord
from app.services.context import Context
from app.services.plans.revising import revise
from app.services.plans.stored import StoredPlan, load_plan, standing_problem, state_of

Breaches = list[dict[str, Any]]


async def flag_others(ctx: Context, plan_ids: Iterable[UUID]) -> list[NewEvent]:
    """Look at other plans of a patient whose plan has changed; gives the events this makes.

    What one plan does another one may break: both are flagged, whichever was made first. The
    patient is held.
    """
    happened: list[NewEvent] = []
    for plan_id in sorted(plan_ids):
        stored = await load_plan(ctx, plan_id)
        if stored.record.status in LIVING:
            _, events = await flag(ctx, stored, standing_problem(stored))
            happened += events
    return happened


def concerns_others(plan: PlanRecord) -> bool:
    """Whether a new plan may break rules in other plans of the patient.

    Rules over all plans are as strict from either side, so that what breaks none here breaks none
    there; but of what is performed already nothing is judged here.
    """
    return bool(plan.breaches or plan.state.get("performed"))


def change_concerns_others(before: PlanRecord, after: PlanRecord) -> bool:
    """The same of a change, by which other plans may also have their breaches cleared."""
    facts = ("performed", "waivers")
    said = any(before.state.get(name) != after.state.get(name) for name in facts)
    return bool(said or before.status != after.status or before.breaches or after.breaches)


async def flag(
    ctx: Context, stored: StoredPlan, problem: Problem
) -> tuple[Breaches, list[NewEvent]]:
    """What the days of a plan break now, stored where that is new, and the events this makes."""
    breaches = breaches_now(stored, problem)
    if same_breaches(breaches, stored.record.breaches):
        return breaches, []
    return breaches, await _flag(ctx, stored, breaches)


def breaches_now(stored: StoredPlan, problem: Problem) -> Breaches:
    """What the days of a stored plan break now."""
    ids = {step.occurrence: step.id for step in stored.record.steps}
    broken = Schedule(steps=(), breaches=standing_breaches(problem))
    return breaches_of(broken, ids, state_of(stored.record).acknowledged)


def same_breaches(one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the same is broken, in whatever order it is told."""
    return {breach["id"]: breach for breach in one} == {breach["id"]: breach for breach in other}


async def _flag(ctx: Context, stored: StoredPlan, breaches: Breaches) -> list[NewEvent]:
    """Store the breaches as a revision of their own; gives the events it makes."""
    before = stored.record
    attention = attention_of(breaches, before.steps, state_of(before).starts)
    return await revise(
        ctx,
        before,
        replace(before, breaches=breaches, attention=attention),
        superseded=stored.snapshot,
        today=stored.basis.today,
        reason="looked at again",
    )
