"""Judges FHIR answers by somebody else's models of R4 and by rules which those leave out."""

import json
import re
from collections.abc import Iterator, Mapping
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
BINDINGS: Mapping[tuple[str, str], set[str]] = {
    ("Appointment", "status"): {
        *("proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow"),
        *("entered-in-error", "checked-in", "waitlist"),
    },
    ("CarePlan", "status"): _REQUEST_STATUS,
    ("CarePlan", "intent"): {"proposal", "plan", "order", "option"},
    ("Encounter", "status"): {
        *("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled"),
        *("entered-in-error", "unknown"),
    },
    ("Location", "status"): {"active", "suspended", "inactive"},
    ("Procedure", "status"): {
        *("preparation", "in-progress", "not-done", "on-hold", "stopped", "completed"),
        *("entered-in-error", "unknown"),
    },
    ("RequestGroup", "status"): _REQUEST_STATUS,
    ("RequestGroup", "intent"): _INTENTS,
    ("ServiceRequest", "status"): _REQUEST_STATUS,
    ("ServiceRequest", "intent"): _INTENTS,
    ("Subscription", "status"): {"requested", "active", "error", "off"},
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
    for one in resources_in(resource):
        for (type_, element), codes in BINDINGS.items():
            if one["resourceType"] == type_ and element in one:
                assert one[element] in codes, (type_, element, one[element])
        if "SUBSETTED" not in str(one.get("meta")):
            faults = [text for holds, text in _invariants(one) if not holds]
            assert faults == [], one


def resources_in(resource: Data) -> Iterator[Data]:
    """The resource, and those in its entries."""
    yield resource
    for entry in resource.get("entry", ()):
        for name in ("resource", "outcome"):
            if name in entry:
                yield from resources_in(entry[name])
        if "outcome" in entry.get("response", {}):
            yield entry["response"]["outcome"]


def _invariants(one: Data) -> Iterator[tuple[bool, str]]:
    yield _ID.fullmatch(one.get("id", "x")) is not None, "id"
    match one["resourceType"]:
        case "Appointment":
            timed = "start" in one and "end" in one
            yield ("start" in one) == ("end" in one), "app-2"
            yield timed or one["status"] in {"proposed", "cancelled", "waitlist"}, "app-3"
            yield "cancelationReason" not in one or one["status"] == "cancelled", "app-4"
            for participant in one["participant"]:
                yield "actor" in participant or "type" in participant, "app-1"
        case "CarePlan":
            for activity in one.get("activity", ()):
                yield ("detail" in activity) != ("reference" in activity), "cpl-3"
        case "Bundle":
            urls = [entry.get("fullUrl") for entry in one.get("entry", ())]
            known = [url for url in urls if url is not None]
            yield one["type"] == "history" or len(set(known)) == len(known), "bdl-7"
            yield "total" not in one or one["type"] in {"searchset", "history"}, "bdl-1"
        case _:
            pass


@cache
def _model(type_: str) -> Any:
    return get_fhir_model_class(type_)
