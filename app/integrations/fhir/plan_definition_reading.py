"""Reads any PlanDefinition as a protocol document, and tells what became of each element.

https://hl7.org/fhir/R4/plandefinition.html. Nothing is dropped in silence: what has no meaning for
days stays with the resource, what would have one and cannot be honoured is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.documents.codes import is_loinc, is_snomed_id
from app.integrations.fhir.action_conditions import Applicability, read_conditions
from app.integrations.fhir.action_selections import Selected, read_selections
from app.integrations.fhir.action_timings import Placing
from app.integrations.fhir.action_tree import Action, as_key, read_actions, without_tabs
from app.integrations.fhir.findings import Data, Findings
from app.integrations.fhir.nested_extensions import NotPlainData, from_extension
from app.integrations.fhir.urls import (
    PROTOCOL,
    ROLES,
    SOURCE,
    STEP_KINDS,
    TERMINOLOGIES,
    WRITTEN_AS,
    extensions_named,
)

_STATUSES = ("draft", "active", "retired", "unknown")
_READ = {
    "resourceType",
    "extension",
    "contained",
    "url",
    "version",
    "title",
    "name",
    "status",
    "experimental",
    "description",
    "purpose",
    "useContext",
    "relatedArtifact",
    "action",
}
_KEPT = {
    "library",
    "id",
    "meta",
    "language",
    "identifier",
    "subtitle",
    "type",
    "subjectCodeableConcept",
    "subjectReference",
    "date",
    "publisher",
    "contact",
    "jurisdiction",
    "usage",
    "copyright",
    "approvalDate",
    "lastReviewDate",
    "effectivePeriod",
    "topic",
    "author",
    "editor",
    "reviewer",
    "endorser",
    "goal",
}
_SAYS_NOTHING = "says nothing about days; it stays with the resource"
_PLACED = {"timings", "timepoints", "alternatives"}
_KIND_OF_ACTIVITY = {"CommunicationRequest": "call"}
Member = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Understood:
    """A PlanDefinition as plain data of a protocol document, before that is checked.

    ``places`` are the expressions of its steps in their order; ``own`` and ``written_as`` what our
    own extensions say of the document.
    """

    data: Member
    places: tuple[str, ...]
    own_steps: tuple[Member | None, ...]
    own: Member
    written_as: Member | None
    selections: tuple[Selected, ...]
    conditions: tuple[Applicability, ...]


def read_plan_definition(resource: Data, findings: Findings) -> Understood:
    """What the standard elements of a PlanDefinition say, and our own extensions beside them."""
    _look_at(resource, findings)
    actions = read_actions(resource, findings)
    placing = Placing(actions, findings)
    steps = [step for action in actions for step in action.steps()]
    selections = read_selections(actions, findings)
    conditions = read_conditions(actions, findings)
    when = _when(steps, selections, conditions, findings)
    members = [_step(step, placing, resource, findings) | when.get(step.key, {}) for step in steps]
    anchor = _hang(members, steps)
    parameters = [
        *(one.parameter for one in selections),
        *(one.parameter for one in conditions),
    ]
    if not steps:
        findings.refuse("PlanDefinition.action", "required", "must have an action to be planned")
    head = _head(resource, findings)
    document = head | {
        name: value
        for name, value in (
            ("anchor", anchor),
            ("parameters", parameters),
            ("steps", members),
            ("rules", placing.rules),
            ("sources", list(_sources(resource, findings))),
        )
        if value
    }
    own = [_extension(resource, url, findings) for url in (PROTOCOL, WRITTEN_AS)]
    return Understood(
        without_tabs(document),
        tuple(step.at for step in steps),
        tuple(step.own for step in steps),
        own[0] or {},
        own[1],
        tuple(selections),
        tuple(conditions),
    )


def _look_at(resource: Data, findings: Findings) -> None:
    at = "PlanDefinition"
    if resource.get("resourceType") != at:
        findings.refuse(at, "structure", "must be a PlanDefinition")
    for name in resource:
        _look_at_element(name, f"{at}.{name}", findings)
    if "subjectCodeableConcept" in resource and "subjectReference" in resource:
        findings.refuse(f"{at}.subject[x]", "structure", "must have one type only")
    if findings.word(resource, "status", at, _STATUSES) is None:
        findings.refuse(f"{at}.status", "required", "is required")
    for place, extension in findings.objects(resource, "extension", at):
        if extension.get("url") not in (PROTOCOL, WRITTEN_AS):
            findings.kept(place, "is an extension that is not known; it stays with the resource")
    for place, _ in findings.objects(resource, "contained", at):
        findings.kept(place, "stays with the resource; its title and kind are read")


def _look_at_element(name: str, at: str, findings: Findings) -> None:
    if name in {"implicitRules", "modifierExtension"}:
        text = "may change the meaning of everything and is not known"
        findings.refuse(at, "not-supported", text)
    elif name == "text":
        findings.kept(at, "is not given back: narratives of others are not shown")
    elif name in _KEPT or name.startswith("_"):
        findings.kept(at, _SAYS_NOTHING)
    elif name not in _READ:
        text = "has an element that R4 does not know"
        findings.refuse("PlanDefinition", "structure", text)


def _extension(resource: Data, url: str, findings: Findings) -> Member | None:
    found = extensions_named(resource, url)
    if not found:
        return None
    try:
        value = from_extension(found[0])
    except NotPlainData as error:
        value = str(error)
    if len(found) > 1 or not isinstance(value, dict):
        findings.refuse(
            "PlanDefinition.extension", "structure", "one of ours is not as we write it"
        )
        return None
    return value


def _head(resource: Data, findings: Findings) -> Member:
    """What people read of the whole; a version that is none of ours gets one like it."""
    at = "PlanDefinition"
    title = findings.text(resource, "title", at) or findings.text(resource, "name", at)
    named = resource.get("url") or resource.get("id") or title
    key = as_key(str(named).rstrip("/").rpartition("/")[2].rpartition(":")[2]) or "protocol"
    version = _version(findings.text(resource, "version", at))
    found: Member = {"format": 1, "key": key, "version": version, "title": title or key}
    for name, member in (("description", "summary"), ("purpose", "evidence_note")):
        text = findings.text(resource, name, at)
        if text is not None:
            found[member] = text
    if resource.get("experimental") is True:
        found["example"] = True
    for name in ("title", "name", "url", "version", "description", "purpose", "experimental"):
        if name in resource:
            findings.understood(f"{at}.{name}")
    findings.understood(f"{at}.status", "every import begins as a draft")
    condition = _condition(resource, findings)
    return found if condition is None else {**found, "condition": condition}


def _version(text: str | None) -> str:
    numbers = re.findall(r"[0-9]{1,5}", text or "")[:3] or ["1"]
    return ".".join(str(int(number)) for number in [*numbers, "0", "0"][:3])


def _condition(resource: Data, findings: Findings) -> Member | None:
    """What is treated: the first use context that is a focus; others are kept."""
    found: Member | None = None
    for at, context in findings.objects(resource, "useContext", "PlanDefinition"):
        code, concept = context.get("code"), context.get("valueCodeableConcept")
        is_focus = isinstance(code, dict) and code.get("code") == "focus"
        if found is None and is_focus and isinstance(concept, dict):
            found = _concept(concept)
        if found is None or not is_focus:
            findings.kept(at, _SAYS_NOTHING)
        else:
            findings.understood(at)
    return found


def _concept(concept: Data) -> Member | None:
    listed = concept.get("coding")
    codings = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    texts = [concept.get("text"), *(coding.get("display") for coding in codings)]
    text = next((one for one in texts if isinstance(one, str) and one.strip()), None)
    if text is None:
        return None
    known = [found for coding in codings if (found := _coding(coding)) is not None]
    return {"text": text[:200]} | ({"codings": known} if known else {})


def _coding(coding: Data) -> Member | None:
    """A code of a terminology that we know, if its check digit is right."""
    system = next((name for name, url in TERMINOLOGIES.items() if url == coding.get("system")), "")
    code, display = coding.get("code"), coding.get("display")
    forms = {"snomed-ct": r"[1-9][0-9]{5,17}", "loinc": r"[0-9]{1,7}-[0-9]"}
    form = forms.get(system, r"[A-Z][0-9][0-9A-Z]([.][0-9A-Z]{1,4})?")
    if not system or not isinstance(code, str) or not re.fullmatch(form, code):
        return None
    right = {"snomed-ct": is_snomed_id, "loinc": is_loinc}.get(system)
    if right is not None and not right(code):
        return None
    found = {"system": system, "code": code}
    return found | ({"display": display} if isinstance(display, str) else {})


def _sources(resource: Data, findings: Findings) -> Iterator[Member]:
    """Related artifacts as sources, as far as they have a title."""
    for at, data in findings.objects(resource, "relatedArtifact", "PlanDefinition"):
        own = next(iter(extensions_named(data, SOURCE)), None)
        try:
            more = {} if own is None else from_extension(own)
        except NotPlainData as error:
            findings.refuse(f"{at}.extension", "structure", str(error))
            continue
        titles = (data.get(name) for name in ("display", "citation", "label"))
        title = next((text for text in titles if isinstance(text, str) and text.strip()), None)
        kind, named = as_key(str(data.get("type", ""))), data.get("id")
        if title is None or not kind or not isinstance(more, dict):
            findings.kept(at, _SAYS_NOTHING)
            continue
        findings.understood(at)
        name = named if isinstance(named, str) and as_key(named) == named else None
        found = {"id": name or f"artifact-{at.rpartition('[')[2][:-1]}", "kind": kind}
        url = data.get("url")
        is_web = isinstance(url, str) and re.fullmatch(r"https?://[!-~]{3,500}", url)
        yield found | {"title": title[:1000]} | ({"url": url} if is_web else {}) | more


def _when(
    steps: list[Action],
    selections: list[Selected],
    conditions: list[Applicability],
    findings: Findings,
) -> dict[str, Member]:
    """The condition under which each step exists; a step can have one."""
    places = {step.key: step.at for step in steps}
    found: dict[str, Member] = {}
    for selected in selections:
        for key, values in selected.when.items():
            if values:
                found[key] = {"when": {"parameter": selected.parameter["key"], "in": values}}
    for applicability in conditions:
        for key in applicability.steps:
            if key in found:
                text = "a condition within a selection is not supported"
                findings.refuse(f"{places[key]}.condition", "not-supported", text)
            found[key] = {"when": {"parameter": applicability.parameter["key"], "in": ["yes"]}}
    return found


def _hang(members: list[Member], steps: list[Action]) -> str | None:
    """The one step that nothing places is the anchor; several begin with the plan."""
    free = [
        member
        for member, step in zip(members, steps, strict=True)
        if not _PLACED & {*member, *(step.own or ())}
    ]
    if len(free) == 1 and "when" not in free[0]:
        return str(free[0]["key"])
    for one in free:
        one["timings"] = [{"relative_to": "plan_start", "target": "P0D"}]
    return None


def _step(step: Action, placing: Placing, resource: Data, findings: Findings) -> Member:
    found: Member = {"key": step.key, "kind": _kind(step, resource, findings)}
    found["title"] = _title(step, findings)
    if any(one.data.get("requiredBehavior") == "could" for one in (step, *step.ancestors())):
        found["optional"] = True
    note = "\n".join(
        text
        for name in ("description", "textEquivalent")
        if (text := findings.text(step.data, name, step.at)) is not None and text != found["title"]
    )
    if note:
        found["note"] = note
    resources = list(_resources(step, findings))
    if resources:
        found["resources"] = resources
    return found | placing.members(step)


def _title(step: Action, findings: Findings) -> str:
    """What a step is called; all that is said of it in words is in its title or note."""
    texts = []
    for name in ("title", "textEquivalent", "description"):
        text = findings.text(step.data, name, step.at)
        if text is not None:
            findings.understood(f"{step.at}.{name}")
            texts.append(text[:200])
    return texts[0] if texts else step.key


def _kind(step: Action, resource: Data, findings: Findings) -> str:
    """The kind we wrote, else a call where the activity is a communication, else a visit."""
    for at, concept in findings.objects(step.data, "code", step.at):
        listed = concept.get("coding")
        for coding in listed if isinstance(listed, list) else ():
            if isinstance(coding, dict) and coding.get("system") == STEP_KINDS:
                findings.understood(at)
                return str(coding.get("code"))
        findings.kept(at, _SAYS_NOTHING)
    for name in ("definitionCanonical", "definitionUri"):
        defined = findings.text(step.data, name, step.at)
        if defined is not None and defined.startswith("#"):
            activity = _contained(resource, defined[1:])
            if activity is None:
                text = "there is no such contained resource"
                findings.refuse(f"{step.at}.{name}", "not-found", text)
            else:
                findings.understood(f"{step.at}.{name}")
                _note_unread(activity, f"{step.at}.{name}", findings)
                return _KIND_OF_ACTIVITY.get(str(activity.get("kind")), "visit")
        elif defined is not None:
            findings.kept(f"{step.at}.{name}", "is not looked up; it stays with the resource")
    return "visit"


def _note_unread(activity: Data, at: str, findings: Findings) -> None:
    """What an activity itself would say about days, or fill in, is not read."""
    for name in activity:
        if name.lstrip("_").startswith("timing") or name == "dynamicValue":
            text = f"its activity has {name.lstrip('_')}, which is not evaluated"
            findings.kept(at, text, "not-supported")


def _contained(resource: Data, name: str) -> Data | None:
    listed = resource.get("contained")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("id") == name:
            return one
    return None


def _resources(step: Action, findings: Findings) -> Iterator[Member]:
    """Who and what is needed, where it is named by our own codes; others are kept."""
    types = ("patient", "practitioner", "related-person", "device")
    for at, data in findings.objects(step.data, "participant", step.at):
        kind = findings.word(data, "type", at, types)
        role = data.get("role")
        listed = role.get("coding") if isinstance(role, dict) else None
        for coding in listed if isinstance(listed, list) else ():
            if isinstance(coding, dict) and coding.get("system") == ROLES:
                name = "device" if kind == "device" else "role"
                findings.understood(at)
                yield {name: str(coding.get("code"))}
                break
        else:
            findings.kept(at, _SAYS_NOTHING)
