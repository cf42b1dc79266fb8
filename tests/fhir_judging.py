"""Judges FHIR answers by somebody else's models of R4 and by rules which those leave out."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

Data = dict[str, Any]
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

# Required bindings, which the models do not check: https://hl7.org/fhir/R4/terminologies.html
_REQUEST_STATUS = {
    *("draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown")
}
_INTENTS = {
    *("proposal", "plan", "directive", "order", "original-order", "reflex-order", "filler-order"),
    *("instance-order", "option"),
}
_PUBLICATION_STATUS = {"draft", "active", "retired", "unknown"}
_SEVERITIES = {"fatal", "error", "warning", "information"}
_ISSUES = {
    *("invalid", "structure", "required", "value", "invariant", "security", "login", "unknown"),
    *("expired", "forbidden", "suppressed", "processing", "not-supported", "duplicate"),
    *("multiple-matches", "not-found", "deleted", "too-long", "code-invalid", "extension"),
    *("too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store"),
    *("exception", "timeout", "incomplete", "throttled", "informational"),
}
_PARTICIPATIONS = {"accepted", "declined", "tentative", "needs-action"}
_UNITS = {"s", "min", "h", "d", "wk", "mo", "a"}
_INTERACTIONS = {
    *("read", "vread", "update", "patch", "delete", "history-instance", "history-type"),
    *("create", "search-type"),
}
_PARAMETERS = {
    *("number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"),
}
# By type of resource and the way to the element.
BINDINGS: Mapping[tuple[str, str], set[str]] = {
    ("ActivityDefinition", "status"): _PUBLICATION_STATUS,
    ("Appointment", "status"): {
        *("proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow"),
        *("entered-in-error", "checked-in", "waitlist"),
    },
    ("Appointment", "participant.status"): _PARTICIPATIONS,
    ("Appointment", "participant.required"): {"required", "optional", "information-only"},
    ("AuditEvent", "action"): {"C", "R", "U", "D", "E"},
    ("AuditEvent", "outcome"): {"0", "4", "8", "12"},
    ("Bundle", "type"): {
        *("document", "message", "transaction", "transaction-response", "batch"),
        *("batch-response", "history", "searchset", "collection"),
    },
    ("Bundle", "entry.search.mode"): {"match", "include", "outcome"},
    ("Bundle", "entry.request.method"): {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"},
    ("CapabilityStatement", "status"): _PUBLICATION_STATUS,
    ("CapabilityStatement", "kind"): {"instance", "capability", "requirements"},
    ("CapabilityStatement", "rest.mode"): {"client", "server"},
    ("CapabilityStatement", "rest.interaction.code"): {
        *("transaction", "batch", "search-system", "history-system"),
    },
    ("CapabilityStatement", "rest.resource.interaction.code"): _INTERACTIONS,
    ("CapabilityStatement", "rest.resource.searchParam.type"): _PARAMETERS,
    ("CapabilityStatement", "rest.resource.versioning"): {
        *("no-version", "versioned", "versioned-update"),
    },
    ("CapabilityStatement", "rest.resource.conditionalRead"): {
        *("not-supported", "modified-since", "not-match", "full-support"),
    },
    ("CarePlan", "status"): _REQUEST_STATUS,
    ("CarePlan", "intent"): {"proposal", "plan", "order", "option"},
    ("CarePlan", "text.status"): {"generated", "extensions", "additional", "empty"},
    ("Encounter", "status"): {
        *("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled"),
        *("entered-in-error", "unknown"),
    },
    ("Location", "status"): {"active", "suspended", "inactive"},
    ("Location", "mode"): {"instance", "kind"},
    ("Location", "hoursOfOperation.daysOfWeek"): {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
    ("OperationOutcome", "issue.severity"): _SEVERITIES,
    ("OperationOutcome", "issue.code"): _ISSUES,
    ("PlanDefinition", "status"): _PUBLICATION_STATUS,
    ("PlanDefinition", "action.relatedAction.relationship"): {
        *("before-start", "before", "before-end", "concurrent-with-start", "concurrent"),
        *("concurrent-with-end", "after-start", "after", "after-end"),
    },
    ("PlanDefinition", "action.selectionBehavior"): {
        *("any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"),
    },
    ("PlanDefinition", "action.requiredBehavior"): {"must", "could", "must-unless-documented"},
    ("PlanDefinition", "action.timingTiming.repeat.periodUnit"): _UNITS,
    ("Procedure", "status"): {
        *("preparation", "in-progress", "not-done", "on-hold", "stopped", "completed"),
        *("entered-in-error", "unknown"),
    },
    ("RequestGroup", "status"): _REQUEST_STATUS,
    ("RequestGroup", "intent"): _INTENTS,
    ("RequestGroup", "action.requiredBehavior"): {"must", "could", "must-unless-documented"},
    ("ServiceRequest", "status"): _REQUEST_STATUS,
    ("ServiceRequest", "intent"): _INTENTS,
    ("Subscription", "status"): {"requested", "active", "error", "off"},
    ("Subscription", "channel.type"): {"rest-hook", "websocket", "email", "sms", "message"},
    ("Task", "status"): {
        *("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled"),
        *("in-progress", "on-hold", "failed", "completed", "entered-in-error"),
    },
    ("Task", "intent"): {"unknown", *_INTENTS},
}


def judge(headers: Mapping[str, str], content: bytes, path: str) -> None:
    """Fail where an answer is no resource of FHIR R4."""
    media_type = headers.get("content-type", "")
    if path.endswith("/.well-known/smart-configuration"):
        assert media_type in {"application/json", "application/fhir+json"}
    elif content:
        assert media_type == "application/fhir+json", media_type
        check(json.loads(content))


def check(resource: Data) -> None:
    """Fail where this is no resource of R4."""
    _model(resource["resourceType"]).model_validate(resource)
    assert not _is_empty_within(resource), resource
    for one in resources_in(resource):
        for (type_, way), codes in BINDINGS.items():
            if one["resourceType"] == type_:
                wrong = {*_codes_at(one, way.split("."))} - codes
                assert not wrong, (type_, way, wrong)
        if "SUBSETTED" not in str(one.get("meta")):
            faults = [text for holds, text in _invariants(one) if not holds]
            assert faults == [], one


def _is_empty_within(part: Any) -> bool:
    """Whether anything in it is nothing: FHIR has no empty lists, objects or texts, and no null."""
    if isinstance(part, dict | list):
        inner = part.values() if isinstance(part, dict) else part
        return not part or any(map(_is_empty_within, inner))
    return part is None or part == ""


def _codes_at(part: Any, way: list[str]) -> Iterator[str]:
    """The codes at the end of a way; those of actions within actions, too."""
    if isinstance(part, list):
        for one in part:
            yield from _codes_at(one, way)
    elif not way:
        yield part
    elif isinstance(part, dict):
        yield from _codes_at(part.get(way[0], []), way[1:])
        if way[0] != "action" and "action" in part and "resourceType" not in part:
            yield from _codes_at(part["action"], way)


def resources_in(resource: Data) -> Iterator[Data]:
    """The resource, and those in its entries."""
    yield resource
    yield from resource.get("contained", ())
    for entry in resource.get("entry", ()):
        for name in ("resource", "outcome"):
            if name in entry:
                yield from resources_in(entry[name])
        if "outcome" in entry.get("response", {}):
            yield entry["response"]["outcome"]


def _invariants(one: Data) -> Iterator[tuple[bool, str]]:
    yield _ID.fullmatch(one.get("id", "x")) is not None, "id"
    if one["resourceType"] in _OF_TYPES:
        yield from _OF_TYPES[one["resourceType"]](one)


def _of_appointment(one: Data) -> Iterator[tuple[bool, str]]:
    timed = "start" in one and "end" in one
    yield ("start" in one) == ("end" in one), "app-2"
    yield timed or one["status"] in {"proposed", "cancelled", "waitlist"}, "app-3"
    yield "cancelationReason" not in one or one["status"] in {"cancelled", "noshow"}, "app-4"
    for participant in one["participant"]:
        yield "actor" in participant or "type" in participant, "app-1"


def _of_care_plan(one: Data) -> Iterator[tuple[bool, str]]:
    for activity in one.get("activity", ()):
        yield ("detail" in activity) != ("reference" in activity), "cpl-3"


def _of_bundle(one: Data) -> Iterator[tuple[bool, str]]:
    urls = [entry.get("fullUrl") for entry in one.get("entry", ())]
    known = [url for url in urls if url is not None]
    yield one["type"] == "history" or len(set(known)) == len(known), "bdl-7"
    yield "total" not in one or one["type"] in {"searchset", "history"}, "bdl-1"
    for entry in one.get("entry", ()):
        yield "search" not in entry or one["type"] == "searchset", "bdl-2"
        told = one["type"] in {"history", "batch-response", "transaction-response"}
        yield ("response" in entry) == told, "bdl-4"


def _of_statement(one: Data) -> Iterator[tuple[bool, str]]:
    for rest in one["rest"]:
        types = [each["type"] for each in rest["resource"]]
        yield len(set(types)) == len(types), "cpb-9"
        for each in rest["resource"]:
            names = [parameter["name"] for parameter in each.get("searchParam", ())]
            yield len(set(names)) == len(names), "cpb-12"


def _of_audit_event(one: Data) -> Iterator[tuple[bool, str]]:
    for entity in one.get("entity", ()):
        yield not {"name", "query"} <= entity.keys(), "sev-1"


def _of_encounter(one: Data) -> Iterator[tuple[bool, str]]:
    yield one["class"].get("code", "") != "", "class"


_OF_TYPES: Mapping[str, Callable[[Data], Iterator[tuple[bool, str]]]] = {
    "Appointment": _of_appointment,
    "AuditEvent": _of_audit_event,
    "Bundle": _of_bundle,
    "CapabilityStatement": _of_statement,
    "CarePlan": _of_care_plan,
    "Encounter": _of_encounter,
}


@cache
def _model(type_: str) -> Any:
    return get_fhir_model_class(type_)
