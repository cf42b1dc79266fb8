"""Searches over plans, their steps and their revisions, as other systems ask for them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.persistence.plans.records import PlanView, RevisionRecord, StepView
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.searching import (
    PlanSearch,
    PlanSearches,
    RevisionSearch,
    StepSearch,
    StepState,
)
from app.persistence.searches import SearchPage
from app.services.context import Context
from app.services.listing import Listed, Searched, page_of
from app.services.plans.reading import StepNotFound

__all__ = ["PlanSearch", "RevisionRecord", "RevisionSearch", "StepSearch", "StepState"]


@dataclass(frozen=True, slots=True)
class StepOfPlan:
    """A planned step with the plan that it belongs to."""

    plan: PlanView
    step: StepView


async def find_plans(ctx: Context, wanted: PlanSearch, page: SearchPage) -> Searched[PlanView]:
    """One page of the plans that fit, whole."""
    searches = PlanSearches(ctx.connection, ctx.clinic_id)
    ids = await searches.plans(wanted, page)
    return Searched(await searches.views(ids.ids), ids.next, ids.total)


async def find_steps(ctx: Context, wanted: StepSearch, page: SearchPage) -> Searched[StepOfPlan]:
    """One page of the steps that fit, each with its whole plan."""
    searches = PlanSearches(ctx.connection, ctx.clinic_id)
    ids = await searches.steps(wanted, page)
    views = await searches.views(await searches.plans_of(ids.ids))
    known = {step.id: StepOfPlan(view, step) for view in views for step in view.steps}
    return Searched(tuple(known[str(id_)] for id_ in ids.ids), ids.next, ids.total)


async def read_step(ctx: Context, step_id: UUID) -> StepOfPlan:
    """One step with its plan. Raises StepNotFound."""
    searches = PlanSearches(ctx.connection, ctx.clinic_id)
    for view in await searches.views(await searches.plans_of([step_id])):
        for step in view.steps:
            if step.id == str(step_id):
                return StepOfPlan(view, step)
    raise StepNotFound("no plan has such a step")


async def list_versions_of_plan(
    ctx: Context, plan_id: UUID, *, before: int | None, since: datetime | None, limit: int
) -> Listed[PlanView]:
    """A plan as each of its revisions gave it, the newest first. Raises PlanNotFound."""
    current = await PlanRepository(ctx.connection, ctx.clinic_id).view(plan_id)
    searches = PlanSearches(ctx.connection, ctx.clinic_id)
    found = await searches.kept(plan_id, before=before, since=since, limit=limit + 1)
    views = [current if kept is None else kept for _, kept in found]
    return page_of(views, limit, lambda view: (view.revision,))


async def find_revisions(
    ctx: Context, wanted: RevisionSearch, page: SearchPage
) -> Searched[tuple[UUID, RevisionRecord]]:
    """One page of the revisions that fit, with their plans."""
    searches = PlanSearches(ctx.connection, ctx.clinic_id)
    rows, following, total = await searches.revisions(wanted, page)
    return Searched(tuple(rows), following, total)
