"""What happened: one row in the clinic's log, written in the transaction in which it happened."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from app.persistence.events import (
    EventFilter,
    EventRecord,
    EventRepository,
    EventsRead,
    NewEvent,
)
from app.services.context import Context

__all__ = ["EventFilter", "EventRecord", "EventsRead"]


class EventType(StrEnum):
    """Everything that is noted; past tense, stable for ever."""

    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_REVOKED = "key_revoked"
    CLIENT_CREATED = "client_created"
    CLIENT_REVOKED = "client_revoked"
    CLINIC_RULES_CHANGED = "clinic_rules_changed"
    CLOCK_SET = "clock_set"
    CLOSURE_ADDED = "closure_added"
    CLOSURE_REMOVED = "closure_removed"
    LOCATION_ADDED = "location_added"
    LOCATION_CHANGED = "location_changed"
    PATIENT_ADDED = "patient_added"
    PATIENT_MERGED = "patient_merged"
    PATIENT_ERASED = "patient_erased"
    PATIENT_CHANGED = "patient_changed"
    PATIENT_EVENT_REPORTED = "patient_event_reported"
    PATIENT_EVENT_WITHDRAWN = "patient_event_withdrawn"
    ABSENCE_ADDED = "absence_added"
    ABSENCE_REMOVED = "absence_removed"
    PLAN_CREATED = "plan_created"
    PLAN_CHANGED = "plan_changed"
    PLAN_ACTIVATED = "plan_activated"
    PLAN_HELD = "plan_held"
    PLAN_RESUMED = "plan_resumed"
    PLAN_COMPLETED = "plan_completed"
    PLAN_REVOKED = "plan_revoked"
    PLAN_AMENDED = "plan_amended"
    PROTOCOL_ADDED = "protocol_added"
    VERSION_ADDED = "version_added"
    VERSION_CHANGED = "version_changed"
    VERSION_ACTIVATED = "version_activated"
    VERSION_RETIRED = "version_retired"
    STEP_ADDED = "step_added"
    STEP_REMOVED = "step_removed"
    STEP_MOVED = "step_moved"
    STEP_BOOKED = "step_booked"
    STEP_UNBOOKED = "step_unbooked"
    STEP_PERFORMED = "step_performed"
    STEP_MISSED = "step_missed"
    STEP_SKIPPED = "step_skipped"
    STEP_CANCELLED = "step_cancelled"
    STEP_RESTORED = "step_restored"
    STEP_CORRECTED = "step_corrected"
    STEP_DUE = "step_due"
    STEP_OVERDUE = "step_overdue"
    DECISION_DUE = "decision_due"
    DECISION_TAKEN = "decision_taken"
    BREACH_FOUND = "breach_found"
    BREACH_CLEARED = "breach_cleared"
    CALENDAR_ADDED = "calendar_added"
    CALENDAR_REMOVED = "calendar_removed"
    WEBHOOK_ADDED = "webhook_added"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_REMOVED = "webhook_removed"
    WEBHOOK_DISABLED = "webhook_disabled"
    WEBHOOK_TESTED = "webhook_tested"


def new_event(
    ctx: Context,
    type: EventType,  # noqa: A002 # the word of the log
    *,
    plan_id: UUID | None = None,
    patient_id: UUID | None = None,
    revision: int | None = None,
    data: Mapping[str, str | int] | None = None,
) -> NewEvent:
    """Something that happens now; ``data`` holds ids, codes and numbers, no patient data."""
    return NewEvent(
        id=ctx.new_id(),
        type=type,
        at=ctx.now,
        actor=ctx.actor,
        plan_id=plan_id,
        patient_id=patient_id,
        revision=revision,
        data=dict(data or {}),
    )


async def append(
    ctx: Context,
    type: EventType,  # noqa: A002 # the word of the log
    *,
    plan_id: UUID | None = None,
    patient_id: UUID | None = None,
    revision: int | None = None,
    data: Mapping[str, str | int] | None = None,
) -> int:
    """Note what happened, last of all in its transaction; gives its number."""
    event = new_event(
        ctx, type, plan_id=plan_id, patient_id=patient_id, revision=revision, data=data
    )
    return await EventRepository(ctx.connection, ctx.clinic_id).append([event])


async def read_events(ctx: Context, which: EventFilter, *, after: int, limit: int) -> EventsRead:
    """What happened after a number, in the order of numbers, as far as it fits."""
    return await EventRepository(ctx.connection, ctx.clinic_id).read(
        which, after=after, limit=limit
    )
