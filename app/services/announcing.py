"""Says what time alone has changed: steps due and overdue, decisions due; once for each day."""

from datetime import date
from uuid import UUID

from app.domain.facts import OccurrenceId
from app.domain.protocols import StepKind
from app.persistence.announcing import AnnouncingRepository, StepToAnnounce
from app.persistence.events import EventRepository, NewEvent
from app.services.context import Context
from app.services.events import EventType, new_event

AT_ONCE = 500


async def announce(ctx: Context, location_id: UUID, today: date) -> int:
    """Append events for steps that became due or overdue; gives how many, at most 500 at once.

    None left: the location is done until its next local day.
    """
    repository = AnnouncingRepository(ctx.connection, ctx.clinic_id)
    steps = await repository.next_steps(location_id, today, limit=AT_ONCE)
    if not steps:
        await repository.finish(location_id, today)
        return 0
    await repository.mark(steps)
    happened = [_event(ctx, step) for step in steps]
    await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    return len(steps)


def _event(ctx: Context, step: StepToAnnounce) -> NewEvent:
    if step.is_overdue:
        type_ = EventType.STEP_OVERDUE
    else:
        is_decision = step.kind == StepKind.DECISION
        type_ = EventType.DECISION_DUE if is_decision else EventType.STEP_DUE
    name = str(OccurrenceId(step.key, step.occurrence))
    return new_event(
        ctx,
        type_,
        plan_id=step.plan_id,
        patient_id=step.patient_id,
        revision=step.revision,
        data={"step_id": str(step.id), "step": name},
    )
