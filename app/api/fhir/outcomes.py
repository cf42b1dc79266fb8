"""Problems told as FHIR tells them: https://hl7.org/fhir/R4/operationoutcome.html

Pure: it turns the document of a problem into an OperationOutcome, and knows no error itself.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic_core import to_json

from app.integrations.fhir.elements import own_extension
from app.integrations.fhir.provenances import move_text

ROOT = "/fhir/R4"
MEDIA_TYPE = "application/fhir+json"
PROBLEMS = "urn:regimen:problem"

# https://hl7.org/fhir/R4/valueset-issue-type.html
_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "invalid",
        401: "login",
        403: "forbidden",
        404: "not-found",
        405: "not-supported",
        406: "not-supported",
        408: "timeout",
        409: "conflict",
        410: "deleted",
        412: "conflict",
        413: "too-long",
        414: "too-long",
        415: "not-supported",
        422: "processing",
        428: "required",
        429: "throttled",
        431: "too-long",
        500: "exception",
        503: "transient",
    }
)
# What a fault says by its code where FHIR has a word of its own for it.
_FAULT_CODES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "required",
        "not-allowed": "code-invalid",
        "not-supported": "not-supported",
        "unknown-parameter": "not-supported",
        "not-found": "not-found",
        "both-choices": "structure",
        "invalid-json": "structure",
        "too-deep": "structure",
        "structure": "structure",
        "too-many": "too-costly",
        # Readers of resources say it as FHIR does.
        **{
            word: word
            for word in ("structure", "required", "value", "code-invalid", "business-rule")
        },
        "too-costly": "too-costly",
        "too-long": "too-long",
    }
)
_INDEX = re.compile(r"\.([0-9]+)(?=\.|$)")


def is_below(path: str) -> bool:
    """Whether an address is one of the FHIR face."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def outcome_of(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The OperationOutcome of a problem: one issue for each fault, conflict and way out."""
    issues = [_issue(problem, fault) for fault in problem.get("errors", ())]
    if not issues:
        issues = [_whole(problem)]
    conflict = problem.get("conflict", {})
    issues += [_said("error", "business-rule", one["text"]) for one in conflict.get("elements", ())]
    issues += [_option(option) for option in problem.get("options", ())]
    return {"resourceType": "OperationOutcome", "issue": issues}


def informing(*texts: str, severity: str = "information") -> dict[str, Any]:
    """An OperationOutcome that refuses nothing."""
    issues = [_said(severity, "informational", text) for text in texts]
    return {"resourceType": "OperationOutcome", "issue": issues}


def expression_of(pointer: str) -> str | None:
    """The FHIRPath of a fault's place; None where it names no place of a resource."""
    if pointer.startswith("/"):
        return _INDEX.sub(r"[\1]", pointer.replace("/", ".")).removeprefix(".")
    return pointer if pointer[:1].isupper() else None


def move_extension(move: Mapping[str, Any]) -> dict[str, Any]:
    """A day that moves, in the shape of the API, as an extension."""
    id_ = move["step_id"]
    request = {"url": "request", "valueReference": {"reference": f"ServiceRequest/{id_}"}}
    parts = [
        *([] if id_ is None else [request]),
        {"url": "from", "valueDate": move["from"]},
        *([{"url": "to", "valueDate": move["to"]}] if move["to"] else []),
        {"url": "text", "valueString": move_text(dict(move))},
    ]
    return own_extension("move", extension=parts)


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    """A way out: what would be posted for it, where to, who may, and what moves then."""
    issue = _said("information", "informational", f"possible instead: {option['text']}")
    parts: list[dict[str, Any]] = []
    if "address" in option:
        body = to_json(option["request"]).decode()
        parts.append({"url": "address", "valueUrl": option["address"]})
        parts.append({"url": "request", "valueString": body})
    if option.get("needs_role") is not None:
        parts.append({"url": "needs-role", "valueCode": option["needs_role"]})
    parts += [move_extension(move) for move in option.get("moves", ())]
    if parts:
        issue["extension"] = [own_extension("option", extension=parts)]
    return issue


def _whole(problem: Mapping[str, Any]) -> dict[str, Any]:
    status = int(problem["status"])
    severity = "fatal" if status == 500 else "error"
    issue = _said(severity, _CODES.get(status, "processing"), problem.get("detail") or "")
    return _told(issue, problem)


def _issue(problem: Mapping[str, Any], fault: Mapping[str, str]) -> dict[str, Any]:
    code = _FAULT_CODES.get(fault["code"])
    if code is None:
        code = "value" if problem["status"] in {400, 422} else _CODES[int(problem["status"])]
    expression = expression_of(fault["pointer"])
    where = fault["pointer"] if expression is None else ""
    issue = _said("error", code, f"{where}: {fault['detail']}" if where else fault["detail"])
    if expression is not None:
        issue["expression"] = [expression]
    return _told(issue, problem)


def _said(severity: str, code: str, text: str) -> dict[str, Any]:
    issue: dict[str, Any] = {"severity": severity, "code": code}
    if text:
        issue["diagnostics"] = text
    return issue


def _told(issue: dict[str, Any], problem: Mapping[str, Any]) -> dict[str, Any]:
    coding = {"system": PROBLEMS, "code": problem["type"]}
    return {**issue, "details": {"coding": [coding], "text": problem["title"]}}
