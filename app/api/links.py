"""With which operations a client goes on from what it made: the links of the published document.

https://spec.openapis.org/oas/v3.1.0#link-object
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

_ID = "$response.body#/id"
_PATIENT = "$request.path.patient_id"

# By the operation that makes something, where its answer or its own address has what the addresses
# of others name.
_NAMED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "add_absence": {"absence_id": _ID, "patient_id": _PATIENT},
        "amend_plans": {"batch_id": _ID},
        "create_calendar": {"calendar_id": _ID},
        "create_closure": {"closure_id": _ID},
        "create_key": {"key_id": _ID},
        "create_location": {"location_id": _ID},
        "create_plan": {
            "plan_id": _ID,
            "revision": "$response.body#/revision",
            "step_id": "$response.body#/steps/0/id",
            "day": "$response.body#/steps/0/date",
        },
        "create_protocol": {"key": "$response.body#/key", "version": "$response.body#/version"},
        "create_version": {"key": "$request.path.key", "version": "$response.body#/version"},
        "create_webhook": {"webhook_id": _ID},
        "preview_amendment": {"batch_id": _ID},
        "preview_clinic_rules": {"batch_id": _ID},
        "report_event": {"event_id": _ID, "patient_id": _PATIENT},
        "test_webhook": {
            "webhook_id": "$request.path.webhook_id",
            "event_number": "$response.body#/event_number",
        },
        "upsert_patient": {"patient_id": _ID},
    }
)
_MADE = "$response"
_TAG = {"header.If-Match": "$response.header.ETag"}


def add_links(paths: Mapping[str, Any]) -> None:
    """Link what is made to every operation on it whose whole address follows from the answer."""
    operations = [operation for path in paths.values() for operation in path.values()]
    for operation in operations:
        named = _NAMED.get(operation["operationId"])
        if named is None:
            continue
        links = dict(_links(named, operations))
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                response["links"] = links


def _links(
    named: Mapping[str, str], operations: list[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for operation in operations:
        parameters = operation.get("parameters", [])
        names = [one["name"] for one in parameters if one["in"] == "path"]
        given = {f"path.{name}": named.get(name, "") for name in names}
        if not all(given.values()) or not any(text.startswith(_MADE) for text in given.values()):
            continue
        if any(one["name"] == "If-Match" for one in parameters):
            given |= _TAG
        name = operation["operationId"]
        yield name, {"operationId": name, "parameters": given, "description": operation["summary"]}
