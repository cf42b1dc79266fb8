"""What was done, as FHIR has it: https://hl7.org/fhir/R4/procedure.html and encounter.html"""

from app.integrations.fhir.appointments import UNATTENDED
from app.integrations.fhir.care_plans import plan_meta, title_of
from app.integrations.fhir.elements import Data, own_code, without_empty
from app.integrations.fhir.service_requests import body_sites
from app.persistence.plans.records import PlanView, StepView

_CLASSES = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def is_fact(step: StepView) -> bool:
    """Whether a step was done, by somebody to somebody."""
    return step.status == "performed" and step.kind not in UNATTENDED


def procedure(view: PlanView, step: StepView) -> Data | None:
    """What was done at a step, on its local day."""
    if not is_fact(step):
        return None
    return without_empty(
        {
            "resourceType": "Procedure",
            "id": step.id,
            "meta": plan_meta(view),
            "basedOn": [{"reference": f"ServiceRequest/{step.id}"}],
            "status": "completed",
            "category": own_code("step-kind", step.kind),
            "code": {**own_code("step", step.key), "text": title_of(step)},
            "subject": {"reference": f"Patient/{view.patient_id}"},
            "encounter": {"reference": f"Encounter/{step.id}"},
            "performedDateTime": step.day,
            "performer": _performer(step, "actor"),
            "location": {"reference": f"Location/{view.location_id}"},
            "reasonCode": [] if view.condition is None else [{"text": view.condition}],
            "bodySite": body_sites(view),
        }
    )


def encounter(view: PlanView, step: StepView) -> Data | None:
    """The visit at which a step was done."""
    if not is_fact(step):
        return None
    booking = step.appointment or {}
    is_virtual = booking.get("mode") in {"phone", "video"} or step.kind == "call"
    timed = {"start": booking.get("starts_at"), "end": booking.get("ends_at")}
    return without_empty(
        {
            "resourceType": "Encounter",
            "id": step.id,
            "meta": plan_meta(view),
            "status": "finished",
            "class": {"system": _CLASSES, "code": "VR" if is_virtual else "AMB"},
            "type": [{**own_code("step", step.key), "text": title_of(step)}],
            "subject": {"reference": f"Patient/{view.patient_id}"},
            "basedOn": [{"reference": f"ServiceRequest/{step.id}"}],
            "participant": _performer(step, "individual"),
            "appointment": [{"reference": f"Appointment/{step.id}"}] if booking else [],
            "period": timed if booking else {"start": step.day, "end": step.day},
            "location": [{"location": {"reference": f"Location/{view.location_id}"}}],
        }
    )


def _performer(step: StepView, element: str) -> list[Data]:
    return [] if step.practitioner is None else [{element: {"display": step.practitioner}}]
