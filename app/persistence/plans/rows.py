"""Plans to rows and back; pure."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from app.domain.facts import OccurrenceId
from app.domain.offsets import FIRST_DAY, LAST_DAY
from app.domain.plans.steps import PlannedStep
from app.domain.protocols import StepKind
from app.domain.schedules import Window
from app.domain.states import PlanStatus, StepStatus, due_window
from app.persistence.columns import Line, encode_json
from app.persistence.events import NewEvent
from app.persistence.patients import Identifier
from app.persistence.plans.records import (
    PatientStep,
    PlanRecord,
    PlanView,
    RevisionRecord,
    StepView,
)
from app.persistence.records import values_of
from app.persistence.tables import (
    FEED_DAYS_AHEAD,
    FEED_DAYS_BACK,
    NEAR_DAYS,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
    Row,
)

Values = dict[str, Any]
Rows = dict[type[Row], list[Values]]

_APART = frozenset({"steps", "identifiers"})
_WORKED_ON_PLANS = frozenset({PlanStatus.ACTIVE, PlanStatus.ON_HOLD})
_WORKED_ON_STEPS = frozenset(
    {StepStatus.PLANNED, StepStatus.BOOKED, StepStatus.MISSED, StepStatus.PERFORMED}
)
_CALLED_OFF = frozenset({StepStatus.CANCELLED, StepStatus.SKIPPED})


def rows_of(clinic_id: UUID, plan: PlanRecord, revision: RevisionRecord) -> Rows:
    """The rows of a new plan, by table, the plan's own first."""
    return {
        PlanRow: [plan_row(clinic_id, plan)],
        PlannedStepRow: step_rows(clinic_id, plan),
        PlanRevisionRow: [revision_row(clinic_id, plan.id, revision)],
        PlanIdentifierRow: identifier_rows(clinic_id, plan.id, plan.identifiers),
    }


def identifier_rows(
    clinic_id: UUID, plan_id: UUID, identifiers: Iterable[Identifier]
) -> list[Values]:
    """The rows of what other systems call a plan."""
    return [
        {
            "clinic_id": clinic_id,
            "system": identifier.system,
            "value": identifier.value,
            "plan_id": plan_id,
        }
        for identifier in identifiers
    ]


def plan_row(clinic_id: UUID, plan: PlanRecord, *, without: frozenset[str] = frozenset()) -> Values:
    """The plan's own row, as far as it is wanted."""
    return {
        "clinic_id": clinic_id,
        "needs_attention": bool(plan.attention),
        **values_of(plan, without=_APART | without),
    }


def revision_row(clinic_id: UUID, plan_id: UUID, revision: RevisionRecord) -> Values:
    """The row of one revision. The plan it gave is kept in it once there is a later one."""
    return {"clinic_id": clinic_id, "plan_id": plan_id, "snapshot": {}, **values_of(revision)}


def event_rows(clinic_id: UUID, events: Sequence[NewEvent], *, first: int = 1) -> list[Values]:
    """The rows of events, numbered from the first one's number on."""
    return [
        {"clinic_id": clinic_id, "number": number, **values_of(event)}
        for number, event in enumerate(events, start=first)
    ]


def patient_steps(plan: PlanRecord) -> tuple[PatientStep, ...]:
    """The dated steps of a plan, as other plans of the patient look at them."""
    return tuple(
        PatientStep(
            plan_id=plan.id,
            plan_status=plan.status,
            body_site=plan.body_site,
            laterality=plan.laterality,
            key=step.occurrence.step,
            occurrence=None
            if step.occurrence.occurrence is None
            else str(step.occurrence.occurrence),
            kind=step.kind.value,
            agent=step.agent,
            status=step.status.value,
            day=step.day,
            end_day=step.end,
        )
        for step in plan.steps
        if step.day is not None
    )


def step_rows(clinic_id: UUID, plan: PlanRecord) -> list[Values]:
    """The rows of a plan's steps."""
    return [
        {
            "clinic_id": clinic_id,
            "plan_id": plan.id,
            "location_id": plan.location_id,
            "practitioner": plan.practitioner,
            "plan_status": plan.status,
            "announced": None,
            **_due_values(step, PlanStatus(plan.status)),
            **_step_values(step),
        }
        for step in plan.steps
    ]


def former_step_rows(
    clinic_id: UUID, before: PlanRecord, after: PlanRecord, at: datetime
) -> list[Values]:
    """Steps which feeds of people who work showed before a revision, and do not show there now."""
    today = at.date()
    first, last = today - timedelta(FEED_DAYS_BACK), today + timedelta(FEED_DAYS_AHEAD)
    now = {step.id: step for step in after.steps if _is_between(step, first, last)}
    is_elsewhere = (before.location_id, before.practitioner) != (
        after.location_id,
        after.practitioner,
    )
    found = []
    for step in before.steps:
        if not (_is_worked_on(step, before) and _is_between(step, first, last)):
            continue
        then = now.get(step.id)
        if then is not None and not is_elsewhere and _is_worked_on(then, after):
            continue
        has_been = then is not None and _has_been(then, after)
        found.append(_former_step_row(clinic_id, before, step, then if has_been else None))
    return found


def _former_step_row(
    clinic_id: UUID, before: PlanRecord, step: PlannedStep, done: PlannedStep | None
) -> Values:
    """A step as it stood last; what was ``done`` stands on the day on which it was."""
    stood = done or step
    return {
        "clinic_id": clinic_id,
        "plan_id": before.id,
        "revision": before.revision,
        "location_id": before.location_id,
        "practitioner": before.practitioner,
        "step_id": step.id,
        "kind": stood.kind.value,
        "title": stood.title,
        "ordinal": stood.ordinal,
        "of_count": stood.of,
        "status": (StepStatus.PERFORMED if done else StepStatus.CANCELLED).value,
        "day": stood.day,
        "end_day": stood.end,
        "appointment": stood.appointment,
    }


def _has_been(step: PlannedStep, plan: PlanRecord) -> bool:
    """Performed, or a span that was lived through before its plan ended: that is planned still."""
    ended = plan.status not in _WORKED_ON_PLANS
    return step.status is StepStatus.PERFORMED or (ended and step.status is StepStatus.PLANNED)


def _is_between(step: PlannedStep, first: date, last: date) -> bool:
    return step.day is not None and first <= step.day <= last


def _is_worked_on(step: PlannedStep, plan: PlanRecord) -> bool:
    """What the conditions of the feeds' queries say too."""
    if step.kind is StepKind.RESTRICTION:
        return False
    if step.status in _CALLED_OFF:
        return True
    return plan.status in _WORKED_ON_PLANS and step.status in _WORKED_ON_STEPS


def _due_values(step: PlannedStep, plan: PlanStatus) -> Values:
    """What has no bound ends with the calendar, so that lists need only compare days."""
    day, near = step.day, timedelta(NEAR_DAYS)
    if day is None:
        return {"due_from": FIRST_DAY, "due_until": LAST_DAY, "loose": True}
    window = None
    if step.target is not None:
        window = Window(step.earliest, step.target, step.latest)
    due = due_window(window, day, plan)
    first, last = due.earliest or FIRST_DAY, due.latest or LAST_DAY
    loose = first < day - near or last > day + near
    return {"due_from": first, "due_until": last, "loose": loose}


def _step_values(step: PlannedStep) -> Values:
    occurrence = step.occurrence.occurrence
    return {
        "id": step.id,
        "position": step.position,
        "key": step.occurrence.step,
        "occurrence": None if occurrence is None else str(occurrence),
        "ordinal": step.ordinal,
        "of_count": step.of,
        "kind": step.kind.value,
        "title": step.title,
        "agent": step.agent,
        "status": step.status.value,
        "tentative": step.tentative,
        "optional": step.optional,
        "day": step.day,
        "end_day": step.end,
        "window_earliest": step.earliest,
        "window_target": step.target,
        "window_latest": step.latest,
        "deadline": step.deadline,
        "deviation_days": step.deviation_days,
        "duration_minutes": step.minutes,
        "modes": list(step.modes),
        "reasons": list(step.reasons),
        "instructions": list(step.instructions),
        "appointment": step.appointment,
    }


def as_documents(rows: Rows) -> dict[str, str]:
    """The rows of each table as one JSON document under the table's name.

    Text is refused that the columns' types would refuse: a document passes them by.
    """
    for row, values in rows.items():
        for given in values:
            for name, check in _lines(row):
                check(given[name])
    return {row.__tablename__: encode_json(values) for row, values in rows.items()}


@cache
def _lines(row: type[Row]) -> tuple[tuple[str, Callable[[str | None], None]], ...]:
    columns = row.__table__.columns
    return tuple((c.name, c.type.check) for c in columns if isinstance(c.type, Line))


def view_of(text: str) -> PlanView:
    """A plan as it is shown, from the array in which it was read."""
    *plan, created_at, updated_at, created_by, steps, identifiers = json.loads(text)
    shown = [StepView(*step) for step in steps]
    shown.sort(key=lambda step: step.position)
    plan += [
        datetime.fromisoformat(created_at),
        datetime.fromisoformat(updated_at),
        created_by,
        sorted((Identifier(*named) for named in identifiers), key=_by_system),
        shown,
    ]
    return PlanView(*plan)


def view_data(view: PlanView) -> Values:
    """A view as JSON-ready data, to be kept in a revision."""
    return {
        **values_of(view),
        "created_at": view.created_at.isoformat(),
        "updated_at": view.updated_at.isoformat(),
        "identifiers": [values_of(named) for named in view.identifiers],
        "steps": [values_of(step) for step in view.steps],
    }


def view_from_data(data: Values) -> PlanView:
    """A kept view read back."""
    return PlanView(
        **{
            **data,
            "created_at": datetime.fromisoformat(data["created_at"]),
            "updated_at": datetime.fromisoformat(data["updated_at"]),
            "identifiers": [Identifier(**named) for named in data["identifiers"]],
            "steps": [StepView(**step) for step in data["steps"]],
        }
    )


def step_of(view: StepView) -> PlannedStep:
    """The domain's planned step of a shown one."""
    return PlannedStep(
        id=UUID(view.id),
        occurrence=OccurrenceId.parse(view.name),
        position=view.position,
        ordinal=view.ordinal,
        of=view.of_count,
        kind=StepKind(view.kind),
        title=view.title,
        agent=view.agent,
        optional=view.optional,
        status=StepStatus(view.status),
        tentative=view.tentative,
        day=_day(view.day),
        end=_day(view.end_day),
        earliest=_day(view.window_earliest),
        target=_day(view.window_target),
        latest=_day(view.window_latest),
        deadline=view.deadline,
        deviation_days=view.deviation_days,
        minutes=view.duration_minutes,
        modes=tuple(view.modes),
        reasons=tuple(view.reasons),
        instructions=tuple(view.instructions),
        appointment=view.appointment,
    )


def record_of(view: PlanView) -> PlanRecord:
    """The plan to decide about of a shown one."""
    return PlanRecord(
        id=UUID(view.id),
        revision=view.revision,
        status=view.status,
        protocol_key=view.protocol_key,
        protocol_version=view.protocol_version,
        patient_id=UUID(view.patient_id),
        location_id=UUID(view.location_id),
        body_site=view.body_site,
        laterality=view.laterality,
        condition=view.condition,
        practitioner=view.practitioner,
        note=view.note,
        anchor=view.anchor,
        state=view.state,
        chosen=view.chosen,
        breaches=view.breaches,
        attention=view.attention,
        next_step_id=None if view.next_step_id is None else UUID(view.next_step_id),
        created_at=view.created_at,
        updated_at=view.updated_at,
        created_by=view.created_by,
        identifiers=tuple(view.identifiers),
        steps=tuple(step_of(step) for step in view.steps),
    )


def _by_system(identifier: Identifier) -> tuple[str, str]:
    return identifier.system, identifier.value


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
