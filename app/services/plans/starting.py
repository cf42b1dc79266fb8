"""Plans which another plan's decision starts: made like any other, then listed there no more."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import Fault
from app.domain.facts import OccurrenceId
from app.domain.plans.step_changes import CloseStart
from app.persistence.events import EventRepository
from app.persistence.plans.records import PlanNotFound, PlanRecord
from app.persistence.plans.repository import PlanRepository
from app.services.context import Context
from app.services.plans import planning
from app.services.plans.changing import store, work_out
from app.services.plans.flagging import concerns_others, flag_others
from app.services.plans.loading import hold_patient
from app.services.plans.planning import InvalidPlan, PlannedPlan
from app.services.plans.posting import PostedChanges, StepChange
from app.services.plans.requests import PlanRequest, StartedBy
from app.services.plans.stored import load_plan, state_of


@dataclass(frozen=True, slots=True)
class Started:
    """A plan that was made because a decision of another one starts it."""

    by: StartedBy
    protocol: str
    made: UUID


async def preview_plan(ctx: Context, request: PlanRequest) -> PlannedPlan:
    """The plan this request would make; stores nothing. Drafts of protocols may be tried.

    Raises what ``create_plan`` raises.
    """
    origin = await _origin(ctx, request)
    planned = await planning.preview_plan(ctx, request)
    refuse_another(origin, planned.record.patient_id)
    return planned


async def create_plan(ctx: Context, request: PlanRequest) -> PlannedPlan:
    """Date and store a new plan; the plan whose decision started it lists it no more.

    Raises ScheduleConflict, InvalidPlan and what ``load_basis`` raises.
    """
    if request.started_by is not None:
        await hold_patient(ctx, request)
    origin = await _origin(ctx, request)
    planned = await planning.create_plan(ctx, request)
    refuse_another(origin, planned.record.patient_id)
    if concerns_others(planned.record):
        others = (UUID(other.id) for other in planned.basis.around.other_plans)
        if happened := await flag_others(ctx, others):
            await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    if request.started_by is not None:
        record = planned.record
        await close_start(ctx, Started(request.started_by, record.protocol_key, record.id))
    return planned


async def load_origin(ctx: Context, plan_id: UUID) -> PlanRecord:
    """The plan whose decision starts another one. Raises InvalidPlan if there is none."""
    try:
        return await PlanRepository(ctx.connection, ctx.clinic_id).get(plan_id)
    except PlanNotFound as error:
        fault = Fault("/started_by/plan_id", "unknown-plan", "there is no such plan")
        raise InvalidPlan((fault,)) from error


def nothing_to_start() -> InvalidPlan:
    """The plan that is named does not list this protocol."""
    text = "the plan has no such protocol to be started"
    return InvalidPlan((Fault("/started_by", "nothing-to-start", text),))


def refuse_unlisted(origin: PlanRecord, by: StartedBy, protocol: str) -> None:
    """Raise InvalidPlan unless the plan lists this protocol as to be started."""
    if (by.step, protocol) not in state_of(origin).starts:
        raise nothing_to_start()


def refuse_another(origin: PlanRecord | None, patient_id: UUID) -> None:
    """Raise InvalidPlan where a decision for one patient would start a plan for another."""
    if origin is not None and origin.patient_id != patient_id:
        raise nothing_to_start()


async def close_start(ctx: Context, started: Started) -> None:
    """List a protocol no more in the plan whose decision started it; its patient is held."""
    change = StepChange(
        OccurrenceId(started.by.step),
        lambda _, step: CloseStart(step, started.protocol, str(started.made)),
    )
    origin = await load_plan(ctx, started.by.plan_id)
    worked_out = await work_out(ctx, origin, PostedChanges((change,)))
    await store(ctx, origin, worked_out, reason=None)


async def _origin(ctx: Context, request: PlanRequest) -> PlanRecord | None:
    by = request.started_by
    if by is None:
        return None
    origin = await load_origin(ctx, by.plan_id)
    refuse_unlisted(origin, by, request.protocol_key)
    return origin
