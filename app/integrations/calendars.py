"""Planned steps as calendar entries: what their states mean there, and how little they tell."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from app.domain.calendars import local_date
from app.domain.protocols import StepKind
from app.domain.states import AppointmentStatus, PlanStatus, StepStatus
from app.integrations.icalendar import Entry, EntryStatus, Times, written
from app.persistence.calendars import FeedStep

_BY_KIND: Mapping[str, str] = MappingProxyType(
    {
        StepKind.INJECTION: "Injection",
        StepKind.PROCEDURE: "Procedure",
        StepKind.VISIT: "Visit",
        StepKind.CALL: "Call",
        StepKind.REHAB: "Rehabilitation",
        StepKind.DEVICE_FITTING: "Fitting",
        StepKind.ASSESSMENT: "Assessment",
        StepKind.DECISION: "Decision",
        StepKind.RESTRICTION: "Restriction",
    }
)
_NOT_HAPPENING = {
    StepStatus.MISSED,
    StepStatus.SKIPPED,
    StepStatus.CANCELLED,
    StepStatus.ENTERED_IN_ERROR,
}
_ENDED = {AppointmentStatus.MISSED, AppointmentStatus.CANCELLED}
# While a plan is on hold nothing is announced as firm.
_NOT_FIRM = {PlanStatus.DRAFT, PlanStatus.ON_HOLD}


def calendar_of(name: str, steps: Iterable[FeedStep], *, with_titles: bool, sandbox: bool) -> bytes:
    """The steps as iCalendar text. Without ``with_titles`` entries say the steps' kinds only."""
    entries = [_entry(step, with_titles=with_titles, sandbox=sandbox) for step in steps]
    return written(f"[sandbox] {name}" if sandbox else name, entries)


def _entry(step: FeedStep, *, with_titles: bool, sandbox: bool) -> Entry:
    status = status_of(step)
    return Entry(
        uid=f"{step.id}@regimen",
        sequence=step.plan_revision,
        changed_at=step.plan_updated_at,
        status=status,
        title=_title(step, with_titles=with_titles, sandbox=sandbox),
        details=_details(step, status),
        place=step.location_name,
        first=step.day,
        last=step.end_day or step.day,
        times=_times(step),
    )


def status_of(step: FeedStep) -> EntryStatus:
    """Whether a step can be relied on: what hangs on an open decision cannot."""
    if step.status in _NOT_HAPPENING or step.plan_status == PlanStatus.ENTERED_IN_ERROR:
        return EntryStatus.CANCELLED
    if step.status == StepStatus.PERFORMED:
        return EntryStatus.CONFIRMED
    if step.tentative or step.status == StepStatus.PROPOSED or step.plan_status in _NOT_FIRM:
        return EntryStatus.TENTATIVE
    return EntryStatus.CONFIRMED


def _title(step: FeedStep, *, with_titles: bool, sandbox: bool) -> str:
    title = step.title if with_titles else _BY_KIND[step.kind]
    if step.ordinal is not None and step.of_count is not None and step.of_count > 1:
        title = f"{title} {step.ordinal} of {step.of_count}"
    marks = [
        mark for mark, is_set in (("[sandbox]", sandbox), ("[example]", step.example)) if is_set
    ]
    return " ".join([*marks, title])


def _details(step: FeedStep, status: EntryStatus) -> str:
    known = f"Plan {step.plan_id}, revision {step.plan_revision}."
    if status is EntryStatus.TENTATIVE:
        return f"Not firm yet.\n{known}"
    return known


def _times(step: FeedStep) -> Times | None:
    """The booked times, unless the visit is off or the step has another day by now."""
    if step.appointment is None or step.appointment.get("status") in _ENDED:
        return None
    starts_at = datetime.fromisoformat(step.appointment["starts_at"])
    if local_date(starts_at, ZoneInfo(step.time_zone)) != step.day:
        return None
    return Times(starts_at, datetime.fromisoformat(step.appointment["ends_at"]), step.time_zone)
