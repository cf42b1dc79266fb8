"""Plans as FHIR has them: https://hl7.org/fhir/R4/careplan.html, with its steps in a group.

https://hl7.org/fhir/R4/requestgroup.html. Built as plain data: this is a hot path.
"""

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from types import MappingProxyType

from app.integrations.fhir.elements import (
    OWN,
    PROTOCOLS,
    Data,
    coding,
    instant,
    meta,
    own_code,
    without_empty,
)
from app.integrations.fhir.patients import identifier_data
from app.persistence.plans.records import PlanView, StepView

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-careplan"
CATEGORIES = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
EXAMPLE = {"system": f"{OWN}:mark", "code": "example", "display": "made by an example protocol"}
# https://hl7.org/fhir/R4/valueset-request-status.html
STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "draft": "draft",
        "active": "active",
        "on_hold": "on-hold",
        "completed": "completed",
        "revoked": "revoked",
        "entered_in_error": "entered-in-error",
    }
)


def care_plan(view: PlanView) -> Data:
    """A plan; its steps are referred to, and told in words for who reads nothing else."""
    return without_empty(
        {
            "resourceType": "CarePlan",
            "id": view.id,
            "meta": plan_meta(view, US_CORE),
            "text": _narrative(view),
            "identifier": [identifier_data(one) for one in view.identifiers],
            "instantiatesCanonical": [canonical(view)],
            "status": STATUSES[view.status],
            "intent": "plan",
            "category": [coding(CATEGORIES, "assess-plan")],
            "title": view.protocol_key,
            "subject": {"reference": f"Patient/{view.patient_id}"},
            "period": _period(view),
            "created": instant(view.created_at),
            "author": {"display": view.created_by},
            "addresses": [] if view.condition is None else [{"display": view.condition}],
            "activity": [_group(view), *(_activity(step) for step in view.steps)],
            "note": [] if view.note is None else [{"text": view.note}],
        }
    )


def request_group(view: PlanView) -> Data:
    """The steps of a plan, each with its day and its request."""
    return without_empty(
        {
            "resourceType": "RequestGroup",
            "id": view.id,
            "meta": plan_meta(view),
            "identifier": [identifier_data(one) for one in view.identifiers],
            "instantiatesCanonical": [canonical(view)],
            "status": STATUSES[view.status],
            "intent": "plan",
            "subject": {"reference": f"Patient/{view.patient_id}"},
            "authoredOn": instant(view.created_at),
            "author": {"display": view.created_by},
            "note": [] if view.note is None else [{"text": view.note}],
            "action": [_action(step) for step in view.steps],
        }
    )


def plan_meta(view: PlanView, *profiles: str) -> Data:
    """What made this version of anything that belongs to a plan, and whether it is in earnest."""
    found = meta(view.revision, view.updated_at, *profiles)
    return {**found, "tag": [EXAMPLE]} if view.example else found


def canonical(view: PlanView) -> str:
    """The protocol version that a plan follows."""
    return f"{PROTOCOLS}:{view.protocol_key}|{view.protocol_version}"


def title_of(step: StepView) -> str:
    """What a step is called, and which of how many it is."""
    if step.ordinal is None or step.of_count in {None, 1}:
        return step.title
    return f"{step.title} {step.ordinal} of {step.of_count}"


def _group(view: PlanView) -> Data:
    return {"reference": {"reference": f"RequestGroup/{view.id}"}}


def _activity(step: StepView) -> Data:
    when = "" if step.day is None else f" on {step.day}"
    request = {
        "reference": f"ServiceRequest/{step.id}",
        "display": f"{title_of(step)}{when}",
    }
    if step.status != "performed":
        return {"reference": request}
    done = [{"reference": f"Procedure/{step.id}"}]
    return {"outcomeReference": done, "reference": request}


def _action(step: StepView) -> Data:
    action = {
        "id": step.id,
        "title": title_of(step),
        "code": [own_code("step-kind", step.kind)],
        "requiredBehavior": "could" if step.optional else "must",
        "resource": {"reference": f"ServiceRequest/{step.id}"},
    }
    if step.end_day is not None:
        action["timingPeriod"] = {"start": step.day, "end": step.end_day}
    elif step.day is not None:
        action["timingDateTime"] = step.day
    return action


def _period(view: PlanView) -> Data:
    days = [step.day for step in view.steps if step.day is not None]
    ends = [step.end_day or step.day for step in view.steps if step.day is not None]
    return {"start": min(days), "end": max(filter(None, ends))} if days else {}


def _narrative(view: PlanView) -> Data:
    rows = "".join(
        f"<tr><td>{step.day or '–'}</td><td>{_escaped(title_of(step))}</td>"
        f"<td>{'tentative' if step.tentative else step.status}</td></tr>"
        for step in view.steps
    )
    head = f"{view.protocol_key} {view.protocol_version}, {view.status}"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{head}</p>'
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    return {"status": "generated", "div": f"{div}{table}</div>"}


# Plans of a protocol have the same titles.
@lru_cache(maxsize=1024)
def _escaped(title: str) -> str:
    return escape(title)
