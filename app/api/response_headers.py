"""Which headers answers have, in the published document."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

_TEXT = {"type": "string"}
_HEADERS: Mapping[str, dict[str, Any]] = {
    "ETag": {
        "description": "Names this state of it. Sent back in `If-Match` it lets it be changed.",
        "required": True,
        "schema": _TEXT,
    },
    "Link": {
        "description": 'Where to go on: `rel="next"` is the next page, `rel="monitor"` the batch '
        "that was begun.",
        "schema": _TEXT,
    },
    "Location": {
        "description": "The address of what was made.",
        "required": True,
        "schema": _TEXT,
    },
    "Retry-After": {
        "description": "After how many seconds to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "What kind of credential is needed.", "schema": _TEXT},
}
_REFUSALS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "WWW-Authenticate",
    HTTPStatus.FORBIDDEN: "WWW-Authenticate",
    HTTPStatus.TOO_MANY_REQUESTS: "Retry-After",
    HTTPStatus.SERVICE_UNAVAILABLE: "Retry-After",
}
# Beside the operations which ask for an ETag, or are asked whether one still holds.
_TAGGED = frozenset(
    {
        *("activate_version", "create_location", "create_plan", "create_protocol"),
        *("create_version", "create_webhook", "preview_change", "retire_version"),
        *("rotate_webhook_secret", "upsert_patient"),
    }
)
# What has begun a batch is the answer, and the batch beside it.
_MONITORED = frozenset({"change_location", "save_clinic_rules"})
# What is made so has no address of its own.
_NAMELESS = frozenset(
    {"create_key", "replay_deliveries", "replay_delivery", "rotate_key", "test_webhook"}
)


def add_headers(document: dict[str, Any]) -> None:
    """Say of every answer which headers it has besides those of all answers."""
    document["components"]["headers"] = dict(_HEADERS)
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                names = sorted(_names(operation, int(status)))
                if names:
                    response["headers"] = {
                        name: {"$ref": f"#/components/headers/{name}"} for name in names
                    }


def _names(operation: Mapping[str, Any], status: int) -> Iterator[str]:
    taken = {parameter["name"] for parameter in operation.get("parameters", ())}
    responses, name = operation["responses"], operation["operationId"]
    is_tagged = "304" in responses or "If-Match" in taken or name in _TAGGED
    if status in _REFUSALS:
        yield _REFUSALS[status]
    if status == HTTPStatus.CONFLICT and "Idempotency-Key" in taken:
        yield "Retry-After"
    if is_tagged and status < HTTPStatus.BAD_REQUEST:
        yield "ETag"
    if ("cursor" in taken or name in _MONITORED) and status == HTTPStatus.OK:
        yield "Link"
    makes = not responses.keys().isdisjoint({"201", "202"}) and name not in _NAMELESS
    if makes and status in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
        yield "Location"
