"""Planned steps as FHIR has them: https://hl7.org/fhir/R4/servicerequest.html"""

from app.integrations.fhir.care_plans import plan_meta, title_of
from app.integrations.fhir.elements import (
    Data,
    instant,
    own_code,
    own_extension,
    without_empty,
)
from app.persistence.plans.records import PlanView, StepView

_OVER = frozenset({"completed", "revoked"})


def service_request(view: PlanView, step: StepView) -> Data:
    """A planned step: when it may happen, with the day aimed at and the day it has."""
    return without_empty(
        {
            "resourceType": "ServiceRequest",
            "id": step.id,
            "meta": plan_meta(view),
            "extension": []
            if step.day is None
            else [own_extension("planned-date", valueDate=step.day)],
            "basedOn": [{"reference": f"CarePlan/{view.id}"}],
            "status": request_status(view.status, step.status, tentative=step.tentative),
            "intent": "order",
            "category": [own_code("step-kind", step.kind)],
            "code": {**own_code("step", step.key), "text": title_of(step)},
            "subject": {"reference": f"Patient/{view.patient_id}"},
            **occurrence(step),
            "authoredOn": instant(view.created_at),
            "requester": {"display": view.created_by},
            "performer": [] if step.practitioner is None else [{"display": step.practitioner}],
            "locationReference": [{"reference": f"Location/{view.location_id}"}],
            "reasonCode": [] if view.condition is None else [{"text": view.condition}],
            "bodySite": body_sites(view),
            "note": [{"text": reason["text"]} for reason in step.reasons],
            "patientInstruction": _instructions(step),
        }
    )


def request_status(plan: str, step: str, *, tentative: bool) -> str:
    """The status of a request, from its plan's and its step's.

    What waits for a decision is a draft: nobody may take it for ordered. What is still planned in a
    plan that is over are times which the patient has lived through.
    """
    if "entered_in_error" in {plan, step}:
        return "entered-in-error"
    if step == "performed" or (step == "planned" and plan in _OVER):
        return "completed"
    if step in {"skipped", "cancelled"} or plan in _OVER:
        return "revoked"
    if plan == "draft" or step == "proposed" or tentative:
        return "draft"
    return "on-hold" if plan == "on_hold" else "active"


def occurrence(step: StepView) -> Data:
    """When it may happen: the window with the day aimed at; without one, the day it has."""
    if step.window_target is not None:
        period = without_empty({"start": step.window_earliest, "end": step.window_latest})
        target = own_extension("target-date", valueDate=step.window_target)
        return {"occurrencePeriod": {"extension": [target], **period}}
    if step.end_day is not None:
        return {"occurrencePeriod": {"start": step.day, "end": step.end_day}}
    return {} if step.day is None else {"occurrenceDateTime": step.day}


def body_sites(view: PlanView) -> list[Data]:
    """Where it is done."""
    site = " ".join(part for part in (view.laterality, view.body_site) if part is not None)
    return [{"text": site}] if site else []


def _instructions(step: StepView) -> str | None:
    texts = [f"{one['date']}: {one['text']}" for one in step.instructions]
    return "\n".join(texts) or None
