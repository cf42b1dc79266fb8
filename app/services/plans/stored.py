"""A stored plan as it is read to be changed or looked at, and the question it puts as it stands."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.documents.usual import usual_any_day
from app.domain.plans.records import state_from_data
from app.domain.plans.state import PlanState, problem_of
from app.domain.plans.steps import needs_open_day
from app.domain.problem import Problem
from app.domain.states import PlanStatus
from app.persistence.patients import PatientRepository
from app.persistence.plans.records import PlanRecord, PlanView
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.rows import record_of, view_data
from app.services.context import Context
from app.services.plans.loading import Basis, load_standing
from app.services.plans.posting import extended
from app.services.plans.redating import UNDONE, kept_days


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it was read, to be changed."""

    record: PlanRecord
    basis: Basis
    snapshot: dict[str, Any]


async def load_plan(
    ctx: Context, plan_id: UUID, *, hold: bool = False, clinic_rules: str | None = None
) -> StoredPlan:
    """A plan with everything round it as of today. Raises PlanNotFound.

    Who will store it again holds its patient, whose other plans count. Rules may be given that the
    clinic does not have.
    """
    view = await PlanRepository(ctx.connection, ctx.clinic_id).view(plan_id)
    if not hold:
        return await with_basis(ctx, view, clinic_rules=clinic_rules)
    await PatientRepository(ctx.connection, ctx.clinic_id).hold(UUID(view.patient_id))
    stored = await with_basis(ctx, view)
    if stored.basis.patient.is_present:
        return stored
    # Merged or erased, perhaps after the plan was read: what was read may not be stored again.
    return await with_basis(ctx, await PlanRepository(ctx.connection, ctx.clinic_id).view(plan_id))


async def with_basis(
    ctx: Context, view: PlanView, *, clinic_rules: str | None = None
) -> StoredPlan:
    """A plan that was read, with everything round it as of today."""
    record = record_of(view)
    basis = await load_standing(ctx, record, clinic_rules=clinic_rules)
    return StoredPlan(record, basis, view_data(view))


def standing_problem(stored: StoredPlan) -> Problem:
    """The question a stored plan puts to the engine as it stands, its days given out kept."""
    before, basis = stored.record, stored.basis
    state = state_of(before)
    kept = kept_days(before, state, before.steps, basis.today)
    protocol = extended(basis.document, state)
    return problem_of(state, protocol, basis.around, as_of=basis.today, kept=kept)


def stands_on_closed_day(stored: StoredPlan) -> bool:
    """Whether an undone step that needs an open day is on one to come that is closed."""
    calendar, today = stored.basis.around.calendar, stored.basis.today
    return any(
        step.day is not None
        and step.day >= today
        and step.status in UNDONE
        and not calendar.is_open(step.day)
        and needs_open_day(
            stored.basis.document.protocol,
            step.occurrence,
            usual=not usual_any_day(step.kind, step.end is not None, step.modes),
        )
        for step in stored.record.steps
    )


def state_of(plan: PlanRecord) -> PlanState:
    """The facts and choices of a stored plan."""
    return state_from_data(plan.state, PlanStatus(plan.status), plan.protocol_version)
