"""Problem documents (RFC 9457): the one table from errors to statuses, and their wire form.

No problem repeats what the client sent.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from fastapi import Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from app.api import refusals
from app.api.documents import MalformedDocument
from app.api.fhir import outcomes
from app.api.plans.refusing import ScheduleConflictProblem, conflict_members
from app.api.problem_model import MAX_ERRORS, Problem, TokenProblem
from app.domain.documents import InvalidClinicRules, InvalidProtocol
from app.domain.errors import DomainError, Fault, Faults
from app.domain.permissions import NotPermitted
from app.integrations.addresses import UrlRefused
from app.services.access import AccessNotFound
from app.services.batches import BatchNotFound, InvalidAmendment
from app.services.calendars import CalendarNotFound
from app.services.clinic import ClinicRulesChangedMeanwhile
from app.services.clock import ClockNotSettable
from app.services.credentials import CallerExists, InvalidKey, KeyNotFound, KeyNotRotatable
from app.services.deliveries import DeliveryNotFound, WebhookDisabled
from app.services.health import NotReady
from app.services.idempotency import KeyInUse, KeyReused
from app.services.locations import (
    ClosureExists,
    ClosureNotFound,
    LocationChangedMeanwhile,
    LocationNotFound,
)
from app.services.patient_lives import PatientNotMergeable
from app.services.patient_reports import AbsenceNotFound, InvalidReport, PatientEventNotFound
from app.services.patients import (
    IdentifierTaken,
    PatientChangedMeanwhile,
    PatientErased,
    PatientNotFound,
)
from app.services.plans import (
    ContradictoryChange,
    InvalidChange,
    InvalidPlan,
    LocationNotNamed,
    NoActiveVersion,
    NoAnchorToPropose,
    PlanChangedMeanwhile,
    PlanIdentifierTaken,
    PlanNotFound,
    PlanTooLarge,
    ProtocolNotFound,
    RangeTooLong,
    RevisionNotFound,
    ScheduleConflict,
    StepNotFound,
    StepNotMovable,
    VersionNotFound,
    VersionNotUsable,
)
from app.services.protocols import (
    AnotherVersionActive,
    ApprovalIncomplete,
    ContentChanged,
    ProtocolExists,
    VersionChangedMeanwhile,
    VersionExists,
    VersionNotActive,
    VersionNotDraft,
)
from app.services.ranges import RangeNotAllowed
from app.services.webhooks import TooManyWebhooks, WebhookChangedMeanwhile, WebhookNotFound

MEDIA_TYPE = "application/problem+json"
BODY = "regimen.body"
# Where a request keeps the kind of problem it was answered with.
SLUG = "regimen.problem"
MAX_ERRORS_SIZE = 16 * 1024


class Kind(NamedTuple):
    """How one class of errors is answered.

    ``closes`` says that what is left of the request is not read; ``members`` gives further
    members of the document from the error and the request's body, for a ``model`` that has them.
    """

    status: int
    slug: str
    title: str
    model: type[BaseModel] = Problem
    retry_after: int | None = None
    closes: bool = False
    members: Callable[[Any, Any], Mapping[str, Any]] | None = None


CHANGED = "Somebody changed it meanwhile"

# The one table of statuses. An error that is not in it is answered as its nearest parent.
KINDS: Mapping[type[Exception], Kind] = {
    refusals.Unexpected: Kind(500, "unexpected-error", "The service failed"),
    refusals.Overloaded: Kind(503, "overloaded", "The service is busy", retry_after=2),
    refusals.Contended: Kind(503, "contended", "The data is in use", retry_after=1),
    refusals.RequestRefused: Kind(400, "bad-request", "The request is malformed"),
    refusals.HostRefused: Kind(400, "unknown-host", "The host is not served here"),
    refusals.AddressTooLong: Kind(414, "address-too-long", "The address is too long"),
    refusals.HeadersTooLarge: Kind(431, "headers-too-large", "The headers are too large"),
    refusals.AddressNotFound: Kind(404, "no-such-address", "Nothing is found here"),
    refusals.MethodNotAllowed: Kind(405, "method-not-allowed", "The method is not allowed"),
    refusals.BodyTooLarge: Kind(413, "body-too-large", "The body is too large", closes=True),
    refusals.HeadersTooSlow: Kind(408, "headers-too-slow", "The headers were too slow"),
    refusals.BodyTooSlow: Kind(408, "body-too-slow", "The body was too slow", closes=True),
    refusals.RateExceeded: Kind(429, "rate-exceeded", "Too many requests"),
    refusals.CredentialMissing: Kind(401, "credential-needed", "A credential is needed"),
    refusals.CredentialRefused: Kind(401, "credential-refused", "The credential is not taken"),
    refusals.ScopeMissing: Kind(403, "scope-missing", "The caller does not have the scope"),
    refusals.TokenNotGiven: Kind(
        400,
        "token-not-given",
        "No token is given",
        model=TokenProblem,
        members=lambda error, _: {"error": error.error},
    ),
    AccessNotFound: Kind(404, "access-not-found", "There is no such access"),
    NotPermitted: Kind(403, "not-permitted", "The caller may not do that"),
    KeyNotFound: Kind(404, "key-not-found", "There is no such key"),
    InvalidKey: Kind(422, "invalid-key", "The key has faults"),
    CallerExists: Kind(409, "caller-exists", "The caller's name is taken"),
    KeyNotRotatable: Kind(409, "key-not-rotatable", "The key cannot be rotated"),
    refusals.MediaTypeRefused: Kind(
        415, "unsupported-media-type", "The body's media type is not read"
    ),
    refusals.FormNotSpoken: Kind(406, "not-acceptable", "The form asked for is not spoken"),
    MalformedDocument: Kind(400, "malformed-body", "The body is malformed"),
    refusals.FieldsRefused: Kind(422, "invalid-request", "The request has faults"),
    refusals.SearchRefused: Kind(400, "invalid-search", "The search is not understood"),
    refusals.ResourceRefused: Kind(422, "invalid-resource", "The resource cannot be taken"),
    refusals.SeveralFit: Kind(412, "several-fit", "Several resources fit"),
    refusals.PreconditionMissing: Kind(428, "precondition-required", "If-Match is required"),
    refusals.IfMatchRefused: Kind(400, "invalid-if-match", "If-Match is malformed"),
    refusals.CursorRefused: Kind(400, "invalid-cursor", "The cursor is not valid"),
    refusals.IdempotencyKeyRefused: Kind(
        400, "invalid-idempotency-key", "Idempotency-Key is malformed"
    ),
    KeyReused: Kind(422, "idempotency-key-reused", "The key was used for another request"),
    KeyInUse: Kind(409, "idempotency-key-in-use", "An equal request is under way", retry_after=1),
    ClockNotSettable: Kind(409, "not-a-sandbox", "The clinic is not a sandbox"),
    NotReady: Kind(503, "not-ready", "The service is not ready", retry_after=5),
    ClinicRulesChangedMeanwhile: Kind(412, "changed-meanwhile", CHANGED),
    InvalidClinicRules: Kind(422, "invalid-clinic-rules", "The rules have faults"),
    LocationNotFound: Kind(404, "location-not-found", "There is no such location"),
    LocationChangedMeanwhile: Kind(412, "changed-meanwhile", CHANGED),
    ClosureNotFound: Kind(404, "closure-not-found", "There is no such closure"),
    ClosureExists: Kind(409, "closure-exists", "The location has such a closure"),
    PatientNotFound: Kind(404, "patient-not-found", "There is no such patient"),
    PatientChangedMeanwhile: Kind(412, "changed-meanwhile", CHANGED),
    IdentifierTaken: Kind(409, "identifier-taken", "The identifier is another patient's"),
    InvalidReport: Kind(422, "invalid-report", "The report has faults"),
    PatientEventNotFound: Kind(404, "patient-event-not-found", "There is no such event"),
    AbsenceNotFound: Kind(404, "absence-not-found", "There is no such absence"),
    ProtocolNotFound: Kind(404, "protocol-not-found", "There is no such protocol"),
    VersionNotFound: Kind(404, "version-not-found", "There is no such protocol version"),
    ProtocolExists: Kind(409, "protocol-exists", "The protocol's key is taken"),
    VersionExists: Kind(409, "version-exists", "The protocol has this version already"),
    VersionChangedMeanwhile: Kind(412, "changed-meanwhile", CHANGED),
    VersionNotDraft: Kind(409, "version-not-draft", "Only a draft can be changed or activated"),
    VersionNotActive: Kind(409, "version-not-active", "The protocol version is not active"),
    AnotherVersionActive: Kind(409, "another-version-active", "Another version is active"),
    ContentChanged: Kind(409, "content-changed", "The version says something else by now"),
    ApprovalIncomplete: Kind(422, "approval-incomplete", "The approval is not complete"),
    InvalidProtocol: Kind(422, "invalid-protocol", "The protocol has faults"),
    NoActiveVersion: Kind(409, "no-active-version", "No version of the protocol is active"),
    VersionNotUsable: Kind(409, "version-not-active", "The protocol version is not active"),
    PatientErased: Kind(409, "patient-erased", "The patient is no longer here"),
    LocationNotNamed: Kind(422, "location-needed", "The plan must name a location"),
    PlanNotFound: Kind(404, "plan-not-found", "There is no such plan"),
    PlanChangedMeanwhile: Kind(412, "changed-meanwhile", CHANGED),
    PatientNotMergeable: Kind(422, "patient-not-mergeable", "The patients cannot be merged"),
    InvalidAmendment: Kind(422, "invalid-amendment", "The amendment has faults"),
    BatchNotFound: Kind(404, "batch-not-found", "There is no such batch"),
    CalendarNotFound: Kind(404, "calendar-not-found", "There is no such calendar"),
    WebhookNotFound: Kind(404, "webhook-not-found", "There is no such webhook"),
    WebhookChangedMeanwhile: Kind(412, "changed-meanwhile", CHANGED),
    WebhookDisabled: Kind(409, "webhook-disabled", "The webhook is disabled"),
    TooManyWebhooks: Kind(409, "too-many-webhooks", "The clinic has too many webhooks"),
    UrlRefused: Kind(422, "url-refused", "The URL cannot be called"),
    DeliveryNotFound: Kind(404, "delivery-not-found", "There is no such delivery"),
    RevisionNotFound: Kind(404, "revision-not-found", "The plan has no such revision"),
    InvalidChange: Kind(422, "invalid-change", "The changes do not fit the plan"),
    ContradictoryChange: Kind(422, "contradictory-change", "The changes contradict the plan"),
    PlanIdentifierTaken: Kind(409, "plan-identifier-taken", "The identifier is another plan's"),
    StepNotFound: Kind(404, "step-not-found", "The plan has no such step"),
    StepNotMovable: Kind(409, "step-not-movable", "The step's day is not to be found any more"),
    NoAnchorToPropose: Kind(422, "no-anchor", "The protocol has no anchor step"),
    RangeNotAllowed: Kind(422, "range-not-allowed", "The range is not allowed"),
    RangeTooLong: Kind(422, "range-not-allowed", "The range is not allowed"),
    PlanTooLarge: Kind(422, "plan-too-large", "The plan is too large to compute"),
    InvalidPlan: Kind(422, "invalid-plan", "The request does not fit the protocol"),
    ScheduleConflict: Kind(
        409,
        "schedule-conflict",
        "The plan cannot be scheduled",
        model=ScheduleConflictProblem,
        members=conflict_members,
    ),
    Faults: Kind(422, "invalid-document", "The document has faults"),
    DomainError: Kind(422, "invalid-value", "A value is not valid"),
}


class ProblemResponse(Response):
    """A problem document, told as an OperationOutcome to who asked for FHIR."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(_encoded(problem), problem["status"], headers)
        self._problem = problem
        self._own_headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the request remembers its kind."""
        scope[SLUG] = self._problem["type"]
        if not outcomes.is_below(scope["path"]):
            await super().__call__(scope, receive, send)
            return
        outcome = _encoded(outcomes.outcome_of(self._problem))
        told = Response(outcome, self.status_code, self._own_headers, outcomes.MEDIA_TYPE)
        await told(scope, receive, send)


def kind_of(error: type[Exception]) -> Kind:
    """How errors of this class are answered."""
    return next(KINDS[parent] for parent in error.__mro__ if parent in KINDS)


def problems(*errors: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may raise these errors, one entry for each status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in dict.fromkeys(errors):
        kind = kind_of(error)
        entry = responses.setdefault(kind.status, _entry(kind))
        content = entry["content"][MEDIA_TYPE]
        content["examples"][kind.slug] = _example(kind, error)
        reference = _schema(kind)
        if reference not in content["schema"]["anyOf"]:
            content["schema"]["anyOf"].append(reference)
    return responses


def merged(
    first: Mapping[int | str, dict[str, Any]], second: Mapping[int | str, dict[str, Any]]
) -> dict[int | str, dict[str, Any]]:
    """Both sets of responses; the problems of one status are joined, nothing is lost."""
    result = {status: dict(entry) for status, entry in first.items()}
    for status, entry in second.items():
        ours = result.get(status, {}).get("content", {}).get(MEDIA_TYPE)
        theirs = entry.get("content", {}).get(MEDIA_TYPE)
        if ours is None or theirs is None:
            result[status] = {**result.get(status, {}), **entry}
            continue
        schemas = ours["schema"]["anyOf"] + theirs["schema"]["anyOf"]
        joined = {
            "schema": {"anyOf": [s for i, s in enumerate(schemas) if s not in schemas[:i]]},
            "examples": {**ours["examples"], **theirs["examples"]},
        }
        result[status] = {**result[status], "content": {MEDIA_TYPE: joined}}
    return result


def models() -> Iterator[type[BaseModel]]:
    """Every model that a problem document may follow, for the published document."""
    yield from dict.fromkeys(kind.model for kind in KINDS.values())


def _entry(kind: Kind) -> dict[str, Any]:
    return {
        "description": HTTPStatus(kind.status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"anyOf": []}, "examples": {}}},
    }


def _schema(kind: Kind) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.model.__name__}"}


def _example(kind: Kind, error: type[Exception]) -> dict[str, Any]:
    meaning = " ".join((error.__doc__ or kind.title).split("\n\n")[0].split())
    value: dict[str, Any] = {"type": kind.slug, "title": kind.title, "status": kind.status}
    if kind.model is not Problem:
        extra = cast("dict[str, Any]", kind.model.model_config["json_schema_extra"])
        value |= extra["examples"][0]
    elif issubclass(error, Faults):
        value["errors"] = [{"pointer": "/field", "code": "missing", "detail": "is required"}]
    return {"summary": meaning, "value": value}


def problem_response(error: Exception, body: Any = None) -> Response:
    """The answer to an error of the table; ``body`` is what was read from the request."""
    return ProblemResponse(problem_data(error, body), _headers(kind_of(type(error)), error))


def problem_data(error: Exception, body: Any = None) -> dict[str, Any]:
    """The document of an error of the table."""
    kind = kind_of(type(error))
    content: dict[str, Any] = {"type": kind.slug, "title": kind.title, "status": kind.status}
    if isinstance(error, Faults):
        content["errors"] = _bounded(error.faults)
    elif str(error):
        content["detail"] = str(error)
    if kind.members is not None:
        content.update(kind.members(error, body))
    return content


def _encoded(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _headers(kind: Kind, error: Exception) -> dict[str, str]:
    headers = {}
    if kind.retry_after is not None:
        headers["Retry-After"] = str(kind.retry_after)
    if kind.closes:
        headers["Connection"] = "close"
    if isinstance(error, refusals.RateExceeded):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, refusals.MethodNotAllowed):
        headers["Allow"] = error.allow
    if isinstance(error, refusals.CredentialRefused):
        headers["WWW-Authenticate"] = 'Bearer realm="regimen", error="invalid_token"'
    elif isinstance(error, refusals.CredentialMissing):
        headers["WWW-Authenticate"] = 'Bearer realm="regimen"'
    elif isinstance(error, refusals.ScopeMissing):
        headers["WWW-Authenticate"] = 'Bearer realm="regimen", error="insufficient_scope"'
    return headers


def _bounded(faults: tuple[Fault, ...]) -> list[dict[str, str]]:
    size, entries = 0, []
    for fault in faults[:MAX_ERRORS]:
        size += len(fault.pointer.encode()) + len(fault.text.encode()) + len(fault.code) + 48
        if size > MAX_ERRORS_SIZE:
            break
        entries.append({"pointer": fault.pointer, "code": fault.code, "detail": fault.text})
    return entries
