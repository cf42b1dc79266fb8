"""Gives a plan just made the same view as a stored one, so that both are shown alike."""

from datetime import date

from app.domain.plans.steps import PlannedStep
from app.persistence.plans.records import PlanView, StepView
from app.services.plans.planning import PlannedPlan
from app.services.plans.redating import ChangedPlan


def view_of_planned(planned: PlannedPlan | ChangedPlan) -> PlanView:
    """What would be read back of this plan."""
    record = planned.record
    return PlanView(
        id=str(record.id),
        revision=record.revision,
        status=record.status,
        protocol_key=record.protocol_key,
        protocol_version=record.protocol_version,
        example=planned.basis.version.example,
        patient_id=str(record.patient_id),
        location_id=str(record.location_id),
        time_zone=planned.basis.location.time_zone,
        body_site=record.body_site,
        laterality=record.laterality,
        condition=record.condition,
        practitioner=record.practitioner,
        note=record.note,
        anchor=record.anchor,
        state=record.state,
        chosen=record.chosen,
        breaches=record.breaches,
        attention=record.attention,
        next_step_id=None if record.next_step_id is None else str(record.next_step_id),
        created_at=record.created_at,
        updated_at=record.updated_at,
        created_by=record.created_by,
        identifiers=list(record.identifiers),
        steps=[_step(step, record.practitioner) for step in record.steps],
    )


def _step(step: PlannedStep, practitioner: str | None) -> StepView:
    occurrence = step.occurrence.occurrence
    return StepView(
        id=str(step.id),
        key=step.occurrence.step,
        occurrence=None if occurrence is None else str(occurrence),
        ordinal=step.ordinal,
        of_count=step.of,
        kind=step.kind,
        title=step.title,
        agent=step.agent,
        status=step.status,
        tentative=step.tentative,
        optional=step.optional,
        day=_text(step.day),
        end_day=_text(step.end),
        window_earliest=_text(step.earliest),
        window_target=_text(step.target),
        window_latest=_text(step.latest),
        deadline=step.deadline,
        deviation_days=step.deviation_days,
        duration_minutes=step.minutes,
        modes=list(step.modes),
        reasons=list(step.reasons),
        instructions=list(step.instructions),
        appointment=step.appointment,
        practitioner=practitioner,
        position=step.position,
    )


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
