"""The events of a change: one for the plan, and one for each transition of a step."""

from collections.abc import Mapping
from uuid import UUID

from app.domain.plans.state import PlanState
from app.domain.plans.steps import PlannedStep
from app.domain.states import PlanStatus, StepStatus
from app.persistence.events import NewEvent
from app.persistence.plans.records import PlanRecord
from app.services.context import Context
from app.services.events import EventType, new_event

OPEN = frozenset({StepStatus.PROPOSED, StepStatus.PLANNED, StepStatus.BOOKED, StepStatus.MISSED})
_BY_STATUS = {
    StepStatus.PERFORMED: EventType.STEP_PERFORMED,
    StepStatus.MISSED: EventType.STEP_MISSED,
    StepStatus.SKIPPED: EventType.STEP_SKIPPED,
    StepStatus.CANCELLED: EventType.STEP_CANCELLED,
    StepStatus.BOOKED: EventType.STEP_BOOKED,
}
# What a step was before it is planned again.
_AGAIN = {
    StepStatus.PERFORMED: EventType.STEP_CORRECTED,
    StepStatus.SKIPPED: EventType.STEP_RESTORED,
    StepStatus.CANCELLED: EventType.STEP_RESTORED,
    StepStatus.BOOKED: EventType.STEP_UNBOOKED,
}
_BY_PLAN_STATUS = {
    PlanStatus.ON_HOLD: EventType.PLAN_HELD,
    PlanStatus.COMPLETED: EventType.PLAN_COMPLETED,
    PlanStatus.REVOKED: EventType.PLAN_REVOKED,
}


def noted(ctx: Context, before: PlanRecord, after: PlanRecord, state: PlanState) -> list[NewEvent]:
    """What happened between two revisions, the plan's own event first."""
    types = [EventType.PLAN_CHANGED, *_of_status(before.status, after.status)]
    found = [_event(ctx, after, type_, {}) for type_ in types]
    if after.protocol_version != before.protocol_version:
        data: dict[str, str | int] = {"version": after.protocol_version}
        found.append(_event(ctx, after, EventType.PLAN_AMENDED, data))
    return [*found, *_of_steps(ctx, before, after), *_of_rules(ctx, before, after, state)]


def _of_status(before: str, after: str) -> list[EventType]:
    if after == before:
        return []
    if after == PlanStatus.ACTIVE:
        drafted = before == PlanStatus.DRAFT
        return [EventType.PLAN_ACTIVATED if drafted else EventType.PLAN_RESUMED]
    # Only who takes an activation back has a draft again: that is a change and no more.
    return [type_ for status, type_ in _BY_PLAN_STATUS.items() if status == after]


def _of_steps(ctx: Context, before: PlanRecord, after: PlanRecord) -> list[NewEvent]:
    known = {step.id: step for step in before.steps}
    staying = {step.id for step in after.steps}
    happened = [(type_, step) for step in after.steps for type_ in _of_step(known, step)]
    happened += [(EventType.STEP_REMOVED, step) for step in before.steps if step.id not in staying]
    return [_event(ctx, after, type_, _named(step)) for type_, step in happened]


def _of_step(known: Mapping[UUID, PlannedStep], step: PlannedStep) -> list[EventType]:
    was = known.get(step.id)
    if was is None:
        return [EventType.STEP_ADDED]
    found = []
    if step.status is not was.status:
        again = _AGAIN.get(was.status) if step.status in OPEN else None
        found += [type_ for type_ in (again, _BY_STATUS.get(step.status)) if type_ is not None]
    elif step.status is StepStatus.BOOKED and step.appointment != was.appointment:
        found.append(EventType.STEP_BOOKED)
    if step.day != was.day and step.status in OPEN and was.status in OPEN:
        found.append(EventType.STEP_MOVED)
    return found


def _of_rules(
    ctx: Context, before: PlanRecord, after: PlanRecord, state: PlanState
) -> list[NewEvent]:
    earlier = before.state.get("decided", {})
    found = [
        _event(ctx, after, EventType.DECISION_TAKEN, {"step": key, "choice": choice})
        for key, choice in sorted(state.decided.items())
        if key not in earlier
    ]
    was = {breach["id"]: breach for breach in before.breaches}
    now = {breach["id"]: breach for breach in after.breaches}
    for type_, ids in (
        (EventType.BREACH_FOUND, [id_ for id_ in now if id_ not in was]),
        (EventType.BREACH_CLEARED, [id_ for id_ in was if id_ not in now]),
    ):
        for id_ in ids:
            breach = now.get(id_) or was[id_]
            data = {"rule": breach["rule"], "severity": breach["severity"]}
            found.append(_event(ctx, after, type_, data))
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
