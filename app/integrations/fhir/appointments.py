"""Visits of planned steps as FHIR has them: https://hl7.org/fhir/R4/appointment.html"""

from app.integrations.fhir.care_plans import plan_meta, title_of
from app.integrations.fhir.elements import Data, own_code, without_empty
from app.persistence.plans.records import PlanView, StepView

# Nobody comes for these.
UNATTENDED = frozenset({"restriction", "decision"})
_ENDED = frozenset({"completed", "revoked", "entered_in_error"})


def appointment(view: PlanView, step: StepView) -> Data | None:
    """The visit of a step; None where there is none to keep."""
    status = appointment_status(
        view.status,
        step.status,
        kind=step.kind,
        is_timed=step.appointment is not None,
        is_dated=step.day is not None and step.end_day is None,
    )
    if status is None:
        return None
    booking = step.appointment or {}
    reasons = "; ".join(reason["text"] for reason in step.reasons)
    return without_empty(
        {
            "resourceType": "Appointment",
            "id": step.id,
            "meta": plan_meta(view),
            "identifier": [{"value": booking["identifier"]}] if booking.get("identifier") else [],
            "status": status,
            "cancelationReason": {"text": reasons} if status == "cancelled" and reasons else None,
            "serviceType": [own_code("step-kind", step.kind)],
            "description": title_of(step),
            "start": booking.get("starts_at"),
            "end": booking.get("ends_at"),
            "minutesDuration": step.duration_minutes,
            "comment": reasons,
            "basedOn": [{"reference": f"ServiceRequest/{step.id}"}],
            "participant": _participants(view, step, status),
            "requestedPeriod": [{"start": step.day, "end": step.day}]
            if status == "proposed"
            else [],
        }
    )


def appointment_status(
    plan: str, step: str, *, kind: str, is_timed: bool, is_dated: bool
) -> str | None:
    """The status of a visit; None where there is no visit.

    A visit that was missed is proposed again on the day which the plan has for it now. What was
    done without a booking has no visit: FHIR wants times of it that nobody knows.
    """
    if kind in UNATTENDED:
        return None
    if step == "performed":
        return "fulfilled" if is_timed else None
    if step in {"skipped", "cancelled"} or plan in _ENDED:
        return "cancelled" if is_dated or step in {"skipped", "cancelled"} else None
    if step == "booked":
        return "booked"
    return "proposed" if is_dated and step != "entered_in_error" else None


def _participants(view: PlanView, step: StepView, status: str) -> list[Data]:
    answered = "accepted" if status in {"booked", "fulfilled"} else "needs-action"
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
