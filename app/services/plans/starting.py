"""Plans which another plan's decision starts: made like any other, then listed there no more."""

from app.domain.errors import Fault
from app.domain.facts import OccurrenceId
from app.domain.plans.step_changes import CloseStart
from app.persistence.plans.records import PlanNotFound
from app.services.context import Context
from app.services.plans import planning
from app.services.plans.changing import StoredPlan, load_plan, state_of, store, work_out
from app.services.plans.loading import hold_patient
from app.services.plans.planning import InvalidPlan, PlannedPlan
from app.services.plans.posting import PostedChanges, StepChange
from app.services.plans.requests import PlanRequest

_NOTHING = Fault("/started_by", "nothing-to-start", "the plan has no such protocol to be started")


async def preview_plan(ctx: Context, request: PlanRequest) -> PlannedPlan:
    """The plan this request would make; stores nothing. Drafts of protocols may be tried.

    Raises what ``create_plan`` raises.
    """
    source = await _source(ctx, request)
    planned = await planning.preview_plan(ctx, request)
    _refuse_another(source, planned)
    return planned


async def create_plan(ctx: Context, request: PlanRequest) -> PlannedPlan:
    """Date and store a new plan; the plan whose decision started it lists it no more.

    Raises ScheduleConflict, InvalidPlan and what ``load_basis`` raises.
    """
    if request.started_by is not None:
        await hold_patient(ctx, request)
    source = await _source(ctx, request)
    planned = await planning.create_plan(ctx, request)
    _refuse_another(source, planned)
    if source is not None and request.started_by is not None:
        made, protocol = str(planned.record.id), planned.record.protocol_key
        decision = OccurrenceId(request.started_by.step)
        change = StepChange(decision, lambda _, step: CloseStart(step, protocol, made))
        worked_out = await work_out(ctx, source, PostedChanges((change,)))
        await store(ctx, source, worked_out, reason=None)
    return planned


async def _source(ctx: Context, request: PlanRequest) -> StoredPlan | None:
    """The plan whose decision starts the new one. Raises InvalidPlan unless it lists it."""
    by = request.started_by
    if by is None:
        return None
    try:
        source = await load_plan(ctx, by.plan_id)
    except PlanNotFound as error:
        fault = Fault("/started_by/plan_id", "unknown-plan", "there is no such plan")
        raise InvalidPlan((fault,)) from error
    if (by.step, request.protocol_key) not in state_of(source.record).starts:
        raise InvalidPlan((_NOTHING,))
    return source


def _refuse_another(source: StoredPlan | None, planned: PlannedPlan) -> None:
    """Raise InvalidPlan where a decision for one patient would start a plan for another."""
    if source is not None and source.record.patient_id != planned.record.patient_id:
        raise InvalidPlan((_NOTHING,))
