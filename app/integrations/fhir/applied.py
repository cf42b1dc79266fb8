"""A plan that is not stored, as ``$apply`` gives it: one CarePlan that holds all its parts.

https://hl7.org/fhir/R4/plandefinition-operation-apply.html
"""

from typing import Any

from app.integrations.fhir.appointments import appointment
from app.integrations.fhir.care_plans import care_plan, request_group
from app.integrations.fhir.elements import Data
from app.integrations.fhir.service_requests import service_request
from app.persistence.plans.records import PlanView

_VERSIONED = ("versionId", "lastUpdated")


def applied_care_plan(view: PlanView) -> Data:
    """The plan with its requests and the visits that are proposed, within it."""
    requests = [service_request(view, step) for step in view.steps]
    visits = [one for step in view.steps if (one := appointment(view, step)) is not None]
    parts = [request_group(view), *requests, *visits]
    names = {f"{part['resourceType']}/{part['id']}": _name(part) for part in parts}
    plan = _unversioned(care_plan(view))
    del plan["id"]
    plan["activity"] = [
        *plan["activity"],
        *({"reference": {"reference": f"Appointment/{one['id']}"}} for one in visits),
    ]
    contained = [{**_unversioned(part), "id": _name(part)} for part in parts]
    whole: Data = _within(plan | {"contained": contained}, names)
    return whole


def _name(part: Data) -> str:
    """An id within the plan: what belongs to one step has the same id otherwise."""
    return f"{part['resourceType']}-{part['id']}"


def _unversioned(resource: Data) -> Data:
    """What is not stored has no version."""
    left = {n: v for n, v in resource.get("meta", {}).items() if n not in _VERSIONED}
    rest = {name: value for name, value in resource.items() if name not in {"meta", "text"}}
    return rest | ({"meta": left} if left else {})


def _within(value: Any, names: dict[str, str]) -> Any:
    """The same with references to parts as references within; to the plan itself as ``#``."""
    if isinstance(value, list):
        return [_within(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _within(member, names) for name, member in value.items()}
    reference = found.get("reference")
    if isinstance(reference, str):
        if reference in names:
            found["reference"] = f"#{names[reference]}"
        elif reference.startswith("CarePlan/"):
            found["reference"] = "#"
    return found
