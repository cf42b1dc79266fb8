"""What is done at a step, as FHIR has it: https://hl7.org/fhir/R4/activitydefinition.html

A step of a protocol that was sent with activities of its own is the activity that was sent. An
activity that is sent by itself is a protocol of one step.
"""

from typing import Any

from app.domain.documents import ProtocolDocument, document_to_data
from app.domain.protocols import Step, StepKind
from app.integrations.fhir.action_tree import as_key
from app.integrations.fhir.action_writing import step_action
from app.integrations.fhir.elements import Data, without_empty
from app.integrations.fhir.urls import activity_url

_KINDS = {StepKind.CALL: "CommunicationRequest", StepKind.DECISION: "Task"}
ACTIVITY = "activity"
_TIMINGS = ("timingTiming", "timingAge", "timingDateTime", "timingPeriod", "timingDuration")


def activity_definition(document: ProtocolDocument, step: Step, imported: Data | None) -> Data:
    """The activity of a step, without what a server adds to it."""
    sent = None if imported is None else _sent(imported, step.key)
    if sent is not None:
        return sent
    steps = document_to_data(document)["steps"]
    written = next(one for one in steps if one["key"] == step.key)
    action = step_action(written, document.key, document.version)
    url, _, version = activity_url(document.key, step.key, document.version).partition("|")
    site = document.body_site
    return without_empty(
        {
            "resourceType": "ActivityDefinition",
            "url": url,
            "version": version,
            "title": step.title,
            "experimental": document.example,
            "description": action.get("description"),
            "kind": _KINDS.get(step.kind, "ServiceRequest"),
            "code": action["code"][0],
            "participant": action.get("participant"),
            "bodySite": [] if site is None else [{"text": site.text}],
        }
    )


def _sent(value: Any, key: str, whole: Data | None = None) -> Data | None:
    """The contained activity which the action of this key was sent with."""
    whole = whole or value
    for action in value.get("action", ()):
        name = str(action.get("definitionCanonical", ""))
        if as_key(str(action.get("id", ""))) == key and name.startswith("#"):
            listed = [one for one in whole.get("contained", ()) if one.get("id") == name[1:]]
            return next((one for one in listed if _is_activity(one)), None)
        found = _sent(action, key, whole)
        if found is not None:
            return found
    return None


def _is_activity(resource: Data) -> bool:
    return resource.get("resourceType") == "ActivityDefinition"


def as_protocol(activity: Data) -> Data:
    """A PlanDefinition of this one activity, whose timing it has."""
    title = activity.get("title") or activity.get("name") or ACTIVITY
    action = {"id": ACTIVITY, "title": title, "definitionCanonical": f"#{ACTIVITY}"}
    moved = {name: activity[name] for name in _TIMINGS if name in activity}
    kept = ("url", "version", "title", "status", "experimental")
    return {
        "resourceType": "PlanDefinition",
        **{name: activity[name] for name in kept if name in activity},
        "title": title,
        "contained": [{**_without(activity, "meta", *moved), "id": ACTIVITY}],
        "action": [action | moved],
    }


def _without(resource: Data, *names: str) -> Data:
    return {name: value for name, value in resource.items() if name not in names}
