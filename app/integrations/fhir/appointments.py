"""Visits of planned steps as FHIR has them: https://hl7.org/fhir/R4/appointment.html"""

from collections.abc import Mapping

from app.domain.states import AppointmentStatus
from app.integrations.fhir.care_plans import plan_meta, title_of
from app.integrations.fhir.elements import Data, own_code, without_empty
from app.persistence.plans.records import PlanView, StepView

# Nobody comes for these.
UNATTENDED = frozenset({"restriction", "decision"})
_ENDED = frozenset({"completed", "revoked", "entered_in_error"})
_OF_BOOKINGS: Mapping[str, str] = {
    AppointmentStatus.BOOKED: "booked",
    AppointmentStatus.ARRIVED: "arrived",
    AppointmentStatus.CHECKED_IN: "checked-in",
    AppointmentStatus.MISSED: "noshow",
    AppointmentStatus.CANCELLED: "cancelled",
}
_COMING = frozenset({"booked", "arrived", "checked-in", "fulfilled", "noshow"})
_GONE = frozenset({"skipped", "cancelled"})


def appointment(view: PlanView, step: StepView) -> Data | None:
    """The appointment of a step; None where there is none to keep."""
    status = appointment_status(
        view.status,
        step.status,
        kind=step.kind,
        booked=booking_status(step),
        is_dated=step.day is not None and step.end_day is None,
    )
    if status is None:
        return None
    booking = {} if step.appointment is None else step.appointment
    is_gone = step.status in _GONE
    reasons = "; ".join(reason["text"] for reason in step.reasons)
    return without_empty(
        {
            "resourceType": "Appointment",
            "id": step.id,
            "meta": plan_meta(view),
            "identifier": [{"value": booking["identifier"]}] if booking.get("identifier") else [],
            "status": status,
            "cancelationReason": {"text": reasons} if is_gone and reasons else None,
            "serviceType": [own_code("step-kind", step.kind)],
            "description": title_of(step),
            "start": booking.get("starts_at"),
            "end": booking.get("ends_at"),
            "minutesDuration": step.duration_minutes,
            "comment": reasons,
            "basedOn": [{"reference": f"ServiceRequest/{step.id}"}],
            "participant": _participants(view, step, status),
            "requestedPeriod": [{"start": step.day, "end": step.day}]
            if _is_wanted(view, step)
            else [],
        }
    )


def booking_status(step: StepView) -> str | None:
    """What became of a step's booking; None where there is none."""
    booking = step.appointment
    return None if booking is None else booking.get("status", AppointmentStatus.BOOKED.value)


def appointment_status(
    plan: str, step: str, *, kind: str, booked: str | None, is_dated: bool
) -> str | None:
    """The status of a step's appointment; None where it has none.

    One that was missed or cancelled stays so until there is another. What was done without a
    booking has none: FHIR wants times of it that nobody knows.
    """
    if kind in UNATTENDED or step == "entered_in_error":
        return None
    if step == "performed":
        return None if booked is None else "fulfilled"
    if step in _GONE:
        return "cancelled"
    if booked == AppointmentStatus.MISSED:
        return "noshow"
    if plan in _ENDED:
        return "cancelled" if is_dated else None
    if booked is not None:
        return _OF_BOOKINGS[booked]
    return "proposed" if is_dated else None


def _is_wanted(view: PlanView, step: StepView) -> bool:
    """Whether one is still to be booked, on the day which the plan has for it."""
    if step.day is None or view.status in _ENDED:
        return False
    return step.status in {"proposed", "planned", "missed"}


def _participants(view: PlanView, step: StepView, status: str) -> list[Data]:
    answered = "accepted" if status in _COMING else "needs-action"
    found: list[Data] = [
        {
            "actor": {"reference": f"Patient/{view.patient_id}"},
            "required": "required",
            "status": answered,
        },
        {
            "actor": {"reference": f"Location/{view.location_id}"},
            "required": "required",
            "status": "accepted",
        },
    ]
    if step.practitioner is not None:
        found.append({"actor": {"display": step.practitioner}, "status": answered})
    return found
