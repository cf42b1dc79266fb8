"""The events of a change: one for the plan, and one for each transition of a step."""

from app.domain.plans.state import PlanState
from app.domain.plans.steps import PlannedStep
from app.domain.states import PlanStatus, StepStatus
from app.persistence.events import NewEvent
from app.persistence.plans.records import PlanRecord
from app.services.context import Context
from app.services.events import EventType, new_event

_BY_STATUS = {
    StepStatus.PERFORMED: EventType.STEP_PERFORMED,
    StepStatus.MISSED: EventType.STEP_MISSED,
    StepStatus.SKIPPED: EventType.STEP_SKIPPED,
    StepStatus.CANCELLED: EventType.STEP_CANCELLED,
    StepStatus.BOOKED: EventType.STEP_BOOKED,
}
_BY_PLAN_STATUS = {
    PlanStatus.ACTIVE: EventType.PLAN_ACTIVATED,
    PlanStatus.ON_HOLD: EventType.PLAN_HELD,
    PlanStatus.COMPLETED: EventType.PLAN_COMPLETED,
    PlanStatus.REVOKED: EventType.PLAN_REVOKED,
    PlanStatus.ENTERED_IN_ERROR: EventType.PLAN_ENTERED_IN_ERROR,
}


def noted(ctx: Context, before: PlanRecord, after: PlanRecord, state: PlanState) -> list[NewEvent]:
    """What happened between two revisions, the plan's own event first."""
    found = [_event(ctx, after, EventType.PLAN_CHANGED, {})]
    if after.status != before.status:
        found.append(_event(ctx, after, _BY_PLAN_STATUS[PlanStatus(after.status)], {}))
    if after.protocol_version != before.protocol_version:
        data: dict[str, str | int] = {"version": after.protocol_version}
        found.append(_event(ctx, after, EventType.PLAN_AMENDED, data))
    return [*found, *_of_steps(ctx, before, after), *_of_rules(ctx, before, after, state)]


def _of_steps(ctx: Context, before: PlanRecord, after: PlanRecord) -> list[NewEvent]:
    known = {step.id: step for step in before.steps}
    found = [e for step in after.steps for e in _of_step(ctx, after, known.get(step.id), step)]
    staying = {step.id for step in after.steps}
    gone = (step for step in before.steps if step.id not in staying)
    found += [_event(ctx, after, EventType.STEP_REMOVED, _named(step)) for step in gone]
    return found


def _of_rules(
    ctx: Context, before: PlanRecord, after: PlanRecord, state: PlanState
) -> list[NewEvent]:
    found = []
    decided = set(state.decided) - set(before.state.get("decided", {}))
    for key in sorted(decided):
        data: dict[str, str | int] = {"step": key, "choice": state.decided[key]}
        found.append(_event(ctx, after, EventType.DECISION_TAKEN, data))
    earlier = {breach["id"] for breach in before.breaches}
    for breach in after.breaches:
        if breach["id"] not in earlier:
            data = {"rule": breach["rule"], "severity": breach["severity"]}
            found.append(_event(ctx, after, EventType.BREACH_FOUND, data))
    return found


def _of_step(
    ctx: Context, plan: PlanRecord, before: PlannedStep | None, after: PlannedStep
) -> list[NewEvent]:
    if before is None:
        return [_event(ctx, plan, EventType.STEP_ADDED, _named(after))]
    found = []
    if after.status is not before.status and after.status in _BY_STATUS:
        found.append(_event(ctx, plan, _BY_STATUS[after.status], _named(after)))
    moved = after.day != before.day and after.status is not StepStatus.PERFORMED
    if moved and after.status not in {StepStatus.SKIPPED, StepStatus.CANCELLED}:
        found.append(_event(ctx, plan, EventType.STEP_MOVED, _named(after)))
    return found


def _named(step: PlannedStep) -> dict[str, str | int]:
    return {"step_id": str(step.id), "step": str(step.occurrence)}


def _event(
    ctx: Context, plan: PlanRecord, type_: EventType, data: dict[str, str | int]
) -> NewEvent:
    return new_event(
        ctx,
        type_,
        plan_id=plan.id,
        patient_id=plan.patient_id,
        revision=plan.revision,
        data=data,
    )
