"""Protocols as PlanDefinitions and back: what a protocol says is the same after both ways.

https://hl7.org/fhir/R4/plandefinition.html. The standard elements say what they can; our own
extensions hold only what reading those alone would not give back. Where both are there and say
different things, a resource is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.domain.checks.contradictions import contradictions
from app.domain.documents import (
    InvalidProtocol,
    ProtocolDocument,
    document_to_data,
    parse_protocol,
    written_as_data,
)
from app.domain.errors import Fault
from app.integrations.fhir.action_conditions import Applicability
from app.integrations.fhir.action_selections import Selected
from app.integrations.fhir.action_timings import overlaid, residue
from app.integrations.fhir.action_writing import outside_days, step_action
from app.integrations.fhir.findings import Data, Finding, Findings
from app.integrations.fhir.nested_extensions import to_extension
from app.integrations.fhir.plan_definition_reading import Understood, read_plan_definition
from app.integrations.fhir.urls import (
    PROTOCOL,
    PROTOCOLS,
    SOURCE,
    STEP,
    TERMINOLOGIES,
    TIMING,
    WRITTEN_AS,
)
from app.integrations.fhir.validating import validate_plan_definition

_TYPES = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_CONTEXTS = "http://terminology.hl7.org/CodeSystem/usage-context-type"
_PARTS = ("timepoints", "alternatives", "choices")
_OWN = (STEP, TIMING, PROTOCOL, WRITTEN_AS)
# Where a resource has what a member of the document is read from.
_ELEMENTS = {
    "title": "title",
    "summary": "description",
    "evidence_note": "purpose",
    "condition": "useContext",
    "sources": "relatedArtifact",
    "steps": "action",
}
Member = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReadPlanDefinition:
    """What became of a PlanDefinition; without a document something was refused.

    ``written_as``: what the document was written as, where it includes others. ``selections`` and
    ``conditions``: the parameters that stand for choices among actions and for applicability.
    """

    document: ProtocolDocument | None
    written_as: Member | None
    findings: tuple[Finding, ...]
    refused: tuple[Finding, ...]
    selections: tuple[Selected, ...] = ()
    conditions: tuple[Applicability, ...] = ()


def read_sent(resource: Data) -> ReadPlanDefinition:
    """The same for what somebody sent: it must be one of R4, and its steps must hold together."""
    findings = Findings()
    validate_plan_definition(resource, findings)
    return _read(resource, findings, contradictions)


def without_narratives(resource: Data) -> Member:
    """What is kept of what was sent: text of others that browsers would show is not."""
    kept = {name: value for name, value in resource.items() if name not in {"text", "contained"}}
    if "contained" in resource:
        contained = (without_narratives(one) for one in resource["contained"])
        kept["contained"] = list(contained)
    return kept


def read_protocol(resource: Data) -> ReadPlanDefinition:
    """The protocol which a PlanDefinition says, ours or another's, with a report."""
    return _read(resource, Findings(), lambda _: ())


def _read(
    resource: Data,
    findings: Findings,
    check: Callable[[ProtocolDocument], tuple[Fault, ...]],
) -> ReadPlanDefinition:
    understood = read_plan_definition(resource, findings)
    document = None if findings.refused else _document(understood, findings)
    if document is not None:
        for fault in check(document):
            findings.refuse(_place(fault, understood), "business-rule", fault.text)
        if _has_own(understood):
            _refuse_contradiction(resource, document, findings)
    return ReadPlanDefinition(
        None if findings.refused else document,
        understood.written_as,
        tuple(findings.found),
        findings.refused,
        understood.selections,
        understood.conditions,
    )


def plan_definition_of(document: ProtocolDocument) -> Member:
    """A protocol version as a PlanDefinition, without what a server adds to it."""
    data = document_to_data(document)
    resource = _standard(data)
    understood = read_plan_definition(resource, Findings())
    actions = resource["action"][-len(data["steps"]) :]
    read = _with_own(understood)["steps"]
    for action, given, wanted in zip(actions, read, data["steps"], strict=True):
        _add_own(action, given, wanted)
    about = {name: value for name, value in understood.data.items() if name != "steps"}
    wanted = {name: value for name, value in data.items() if name != "steps"}
    extensions = []
    if left := residue(about, wanted):
        extensions.append(to_extension(PROTOCOL, left))
    if document.written_as is not None:
        extensions.append(to_extension(WRITTEN_AS, written_as_data(document.written_as)))
    return resource | ({"extension": extensions} if extensions else {})


def _standard(data: Member) -> Member:
    """The resource with all that standard elements say, and which actions are one step."""
    actions = []
    for step in data["steps"]:
        action = step_action(step, data["key"], data["version"])
        parts = {name: step[name] for name in _PARTS if name in step}
        if parts:
            action["extension"] = [to_extension(STEP, parts)]
        actions.append(action)
    resource: Member = {
        "resourceType": "PlanDefinition",
        "url": f"{PROTOCOLS}:{data['key']}",
        "version": data["version"],
        "title": data["title"],
        "type": {"coding": [{"system": _TYPES, "code": "clinical-protocol"}]},
        "status": "draft",
        "experimental": data.get("example", False),
    }
    for name, member in (("description", "summary"), ("purpose", "evidence_note")):
        if member in data:
            resource[name] = data[member]
    if "condition" in data:
        resource["useContext"] = [_use_context(data["condition"])]
    artifacts = [_artifact(source) for source in data.get("sources", ())]
    if artifacts:
        resource["relatedArtifact"] = artifacts
    return resource | {"action": [*outside_days(data["steps"]), *actions]}


def _use_context(condition: Member) -> Member:
    concept: Member = {"text": condition["text"]}
    codings = [
        {"system": TERMINOLOGIES[coding["system"]], "code": coding["code"]}
        | ({"display": coding["display"]} if "display" in coding else {})
        for coding in condition.get("codings", ())
    ]
    if codings:
        concept["coding"] = codings
    code = {"system": _CONTEXTS, "code": "focus"}
    return {"code": code, "valueCodeableConcept": concept}


def _artifact(source: Member) -> Member:
    own = {name: source[name] for name in ("kind", "seen") if name in source}
    found = {
        "id": source["id"],
        "extension": [to_extension(SOURCE, own)],
        "type": "citation",
        "display": source["title"],
    }
    return found | ({"url": source["url"]} if "url" in source else {})


def _add_own(action: Member, read: Member, wanted: Member) -> None:
    """Put into extensions what the standard elements of an action do not give back."""
    left = residue(read, wanted)
    pairs = (read.get("timings", []), wanted.get("timings", []))
    related = action.get("relatedAction", [])
    if "timings" in left and len(pairs[0]) == len(pairs[1]) == len(related):
        del left["timings"]
        for relation, given, timing in zip(related, *pairs, strict=True):
            if given != timing:
                own = to_extension(TIMING, residue(given, timing))
                relation["extension"] = [*relation.get("extension", ()), own]
    left |= {name: wanted[name] for name in _PARTS if name in wanted}
    if left:
        action["extension"] = [to_extension(STEP, left)]


def _with_own(understood: Understood) -> Member:
    """What all elements say, with what our own extensions say instead."""
    steps = [
        step if own is None else overlaid(step, own)
        for step, own in zip(understood.data.get("steps", ()), understood.own_steps, strict=True)
    ]
    return overlaid({**understood.data, "steps": steps}, understood.own)


def _has_own(understood: Understood) -> bool:
    return bool(understood.own) or any(own is not None for own in understood.own_steps)


def _document(understood: Understood, findings: Findings) -> ProtocolDocument | None:
    try:
        return parse_protocol(_with_own(understood))
    except InvalidProtocol as error:
        for fault in error.faults:
            findings.refuse(_place(fault, understood), "business-rule", fault.text)
        return None


def _place(fault: Fault, understood: Understood) -> str:
    """The expression of the action in which a fault of the document is."""
    parts = fault.pointer.split("/")
    if len(parts) > 2 and parts[1] == "steps" and parts[2].isdecimal():
        number = int(parts[2])
        if number < len(understood.places):
            return understood.places[number]
    element = _ELEMENTS.get(parts[1] if len(parts) > 1 else "")
    return "PlanDefinition" if element is None else f"PlanDefinition.{element}"


def _refuse_contradiction(resource: Data, document: ProtocolDocument, findings: Findings) -> None:
    """Refuse standard elements that say something else than our extensions beside them."""
    given = read_plan_definition(_without_own(resource), Findings())
    ours = read_plan_definition(_without_own(plan_definition_of(document)), Findings())
    if given.data == ours.data:
        return
    text = "the standard elements say something else than the extension beside them"
    pairs = zip(given.data.get("steps", ()), ours.data.get("steps", ()), given.places, strict=False)
    place = next((at for one, other, at in pairs if one != other), "PlanDefinition")
    findings.refuse(place, "business-rule", text)


def _without_own(value: Any) -> Any:
    """The same without our extensions about steps, timings and the whole."""
    if isinstance(value, list):
        return [_without_own(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _without_own(member) for name, member in value.items() if name != "extension"}
    listed = value.get("extension")
    kept = [
        one
        for one in (listed if isinstance(listed, list) else ())
        if not (isinstance(one, dict) and one.get("url") in _OWN)
    ]
    return found | ({"extension": kept} if kept else {})
