"""The route class of every operation: strict bodies, repeatable POSTs, 304, documented refusals."""

import asyncio
import re
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self
from uuid import UUID

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.datastructures import Headers
from starlette.routing import compile_path, get_name
from starlette.types import Receive, Scope, Send

from app.api import refusals
from app.api.accounting import (
    ACCOUNTED,
    account_for,
    account_for_refusal,
    asked_for,
    require_account,
)
from app.api.authentication import require
from app.api.deps import (
    IDEMPOTENCY_KEY,
    Replayed,
    if_match,
    open_context,
    open_read_context,
    remember_answer,
    write_contexts,
)
from app.api.documents import MalformedDocument, read_json
from app.api.etags import is_unchanged, not_modified
from app.api.limits import ALWAYS_SERVED
from app.api.paging import read_page
from app.api.problems import BODY, merged, problems
from app.api.query import check_query, parameters_of
from app.api.scopes import scope_of
from app.services.idempotency import KeyInUse, KeyReused
from app.services.plans import ScheduleConflict

MIB = 1024 * 1024
MAX_BODY = MIB
MAX_YAML = 256 * 1024
BODY_SECONDS = 20

JSON = "application/json"
YAML = "application/yaml"


def _read_yaml(raw: bytes) -> Any:
    from app.api.yaml_documents import read_yaml  # noqa: PLC0415 - few send any

    return read_yaml(raw)


_READERS: Mapping[str, Callable[[bytes], Any]] = {JSON: read_json, YAML: _read_yaml}

# For the ``responses`` of a read that gives an ETag.
UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "What the ETag in If-None-Match names is still the answer."}
}

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_IDEMPOTENCY_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Any text of your own, new for each thing you want done. Posting again with the same key "
        "and body within 24 hours stores nothing and gives the first answer again."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_IF_NONE_MATCH_PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "An ETag that was read: where it still holds, the answer is 304 without a body.",
    "schema": {"type": "string"},
}


class StrictRequest(Request):
    """A request whose body was read strictly before the framework looks at it."""

    async def load(self, media_types: tuple[str, ...]) -> None:
        """Read the body, if there is one, within the limits of its media type.

        Raises BodyTooLarge, BodyTooSlow, MediaTypeRefused or MalformedDocument.
        """
        raw = await self.raw()
        if not raw:
            return
        media_type = media_type_of(self.headers.get("content-type"), media_types)
        if media_type == YAML and len(raw) > MAX_YAML:
            raise refusals.BodyTooLarge("a YAML document is at most 256 KiB")
        self._json = self.scope[BODY] = _READERS[media_type](raw)
        # The framework parses the header again, slowly, unless there is none.
        self._headers = Headers(raw=[h for h in self.headers.raw if h[0] != b"content-type"])

    async def raw(self, most: int = MAX_BODY) -> bytes:
        """The body of at most so many bytes.

        Raises BodyTooLarge, BodyTooSlow or MediaTypeRefused.
        """
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._read(most)
        except TimeoutError:
            raise refusals.BodyTooSlow("the body took too long") from None

    async def _read(self, most: int) -> bytes:
        declared = self.headers.get("content-length", "0")
        size = f"{most // MIB} MiB" if most >= MIB else f"{most // 1024} KiB"
        too_large = refusals.BodyTooLarge(f"a body is at most {size}")
        if not declared.isdecimal() or int(declared[:20]) > most:
            raise too_large
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            if len(body) > most:
                raise too_large
        if body:
            require_plain(self.headers)
        self._body = bytes(body)
        return self._body


def require_plain(headers: Headers) -> None:
    """Raise MediaTypeRefused for a compressed body: it may be a thousand times what was sent."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise refusals.MediaTypeRefused("the body must not be compressed")


def media_type_of(content_type: str | None, allowed: tuple[str, ...]) -> str:
    """The media type of a body, one of those that are read. Raises MediaTypeRefused."""
    media_type, _, parameters = (content_type or "").lower().partition(";")
    media_type = media_type.strip()
    charset = parameters.strip().replace('"', "")
    if media_type not in allowed or charset not in {"", "charset=utf-8"}:
        raise refusals.MediaTypeRefused(f"the body must be sent as {' or '.join(allowed)}")
    return media_type


class Route(APIRoute):
    """An operation that reads strict JSON.

    Before it is asked for, it is only what a request finds it by: reading the signatures and
    models of all operations takes a tenth of the start, and most are seldom asked for.
    """

    media_types: ClassVar[tuple[str, ...]] = (JSON,)

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.scope = scope_of(options.get("operation_id"))
        self.path, self.endpoint, self.name = path, endpoint, get_name(endpoint)
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.methods = set(options["methods"])
        self.app = self._answer_first
        self._declared: dict[str, Any] | None = {**options, "strict_content_type": False}
        self._names_refusals = False

    def completed(self) -> Self:
        """This, with all that the framework makes of its declaration."""
        if self._declared is not None:
            super().__init__(self.path, self.endpoint, **self._declared)
            self._declared = None
            if self.body_field is not None:
                with warnings.catch_warnings():
                    # Its model is made now. The framework, which gives it an alias that is not
                    # used, hides what is said of that where it makes a model by itself.
                    warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
                    self.body_field.validate(None)
            self.summary = self.summary or self.description.partition("\n")[0].rstrip(".")
            self.openapi_extra = {**self._documented(), **(self.openapi_extra or {})}
        return self

    async def _answer_first(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.completed().app(scope, receive, send)

    def name_refusals(self) -> None:
        """Add what may be refused before the operation: two megabytes, for those who read of it."""
        if not self._names_refusals:
            self.responses = merged(problems(*_refusals_of(self)), self.responses)
            self._names_refusals = True

    def get_route_handler(self) -> _Handler:
        """The framework's handler between our reading of the body and our answer."""
        return self.strict(super().get_route_handler())

    def strict(self, handle: _Handler) -> _Handler:
        """A handler between our reading of the body and our answer."""
        answer = self._accounted(_repeatable(handle))
        media_types = self.media_types if self.body_field is not None else None
        is_read = "GET" in (self.methods or ())
        parameters = parameters_of(self.dependant)

        needed = self.scope

        async def strict(request: Request) -> Response:
            require(needed, request)
            strict_request = StrictRequest(request.scope, request.receive)
            if request.scope["query_string"]:
                check_query(strict_request, parameters)
            if media_types is not None:
                await strict_request.load(media_types)
            response = await answer(strict_request)
            if is_read:
                tag = strict_request.headers.get("if-none-match")
                if tag is not None and is_unchanged(response, tag):
                    return not_modified(response)
            return response

        return strict

    def _accounted(self, handle: _Handler) -> _Handler:
        """Account for each answer of an operation on patients' data."""
        operation = self.operation_id
        if (
            operation is None
            or self.scope not in ACCOUNTED
            or write_contexts in _calls(self.dependant)
        ):
            return handle

        async def accounted(request: Request) -> Response:
            require_account(request)
            try:
                response = await handle(request)
            except ScheduleConflict as conflict:
                account_for_refusal(asked_for(operation, request), request, conflict)
                raise
            await account_for(asked_for(operation, request), request, bytes(response.body))
            return response

        return accounted

    def _documented(self) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if _stores(self):
            extra["parameters"] = [_IDEMPOTENCY_KEY_PARAMETER]
        if 304 in self.responses:
            extra["parameters"] = [_IF_NONE_MATCH_PARAMETER]
        return extra


def _repeatable(handle: _Handler) -> _Handler:
    """Give the first answer again, or keep it for that, where a request has a key."""

    async def repeatable(request: Request) -> Response:
        try:
            response = await handle(request)
        except Replayed as replayed:
            return replayed.response
        if IDEMPOTENCY_KEY in request.scope:
            await remember_answer(request, response)
        return response

    return repeatable


class DocumentRoute(Route):
    """An operation that reads a document as JSON or YAML; its body is plain data."""

    media_types: ClassVar[tuple[str, ...]] = (JSON, YAML)


class HotRead(Route):
    """A read of one thing that is asked for all the time, by the ids in its path.

    The framework's way through its dependencies takes longer than such a read: it is gone only
    where the path has something else than ids, for the framework to refuse.
    """

    def completed(self) -> Self:
        """This, with a way of its own for ids."""
        if self._declared is not None:
            read = _reading(self.endpoint, _only_context(super().completed().dependant))
            self._direct, self._by_framework = self.strict(read), self.app
            self.app = self._answered
        return self

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        if all(map(_ID.fullmatch, scope["path_params"].values())):
            response = await self._direct(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self._by_framework(scope, receive, send)


def _only_context(dependant: Dependant) -> str:
    """The name of an endpoint's context, which is all it may ask for beside ids."""
    (context,) = dependant.dependencies
    others = dependant.query_params, dependant.header_params, dependant.body_params
    types = {field.field_info.annotation for field in dependant.path_params}
    if context.call is not open_read_context or any(others) or types != {UUID} or not context.name:
        raise TypeError("a hot read takes ids and a context for reading")
    return context.name


def _reading(endpoint: Callable[..., Awaitable[Response]], context: str) -> _Handler:
    open_ = asynccontextmanager(open_read_context)

    async def read(request: Request) -> Response:
        ids = {name: UUID(id_) for name, id_ in request.path_params.items()}
        async with open_(request) as ctx:
            return await endpoint(**ids, **{context: ctx})

    return read


def document_in(name: str) -> dict[str, Any]:
    """The ``openapi_extra`` of a route whose body is a document of this published schema."""
    content = {media_type: _of_schema(name) for media_type in DocumentRoute.media_types}
    return {"requestBody": {"content": content}}


def document_out(name: str) -> dict[int | str, dict[str, Any]]:
    """For the ``responses`` of a route that answers with a document of this published schema."""
    return {200: {"content": {JSON: _of_schema(name)}}}


def _of_schema(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def _calls(dependant: Dependant) -> set[Any]:
    found = {dependant.call}
    for below in dependant.dependencies:
        found |= _calls(below)
    return found


def _stores(route: APIRoute) -> bool:
    return "POST" in (route.methods or ()) and open_context in _calls(route.dependant)


_ALWAYS = (
    refusals.RequestRefused,
    refusals.HostRefused,
    refusals.AddressTooLong,
    refusals.HeadersTooLarge,
    refusals.Unexpected,
    refusals.Overloaded,
    refusals.Contended,
)


def _refusals_of(route: Route) -> list[type[Exception]]:
    """What every operation of this form may answer, whatever it does."""
    calls = _calls(route.dependant)
    found: list[type[Exception]] = [*_ALWAYS, refusals.FieldsRefused]
    if not route.path.startswith(ALWAYS_SERVED):
        found += [refusals.RateExceeded]
    if route.scope is not None:
        found += [refusals.CredentialMissing, refusals.CredentialRefused, refusals.ScopeMissing]
    if route.body_field is not None:
        found += [MalformedDocument, refusals.BodyTooLarge, refusals.MediaTypeRefused]
        found += [refusals.BodyTooSlow]
    if if_match in calls:
        found += [refusals.PreconditionMissing, refusals.IfMatchRefused]
    if read_page in calls:
        found += [refusals.CursorRefused]
    if _stores(route):
        found += [refusals.IdempotencyKeyRefused, KeyReused, KeyInUse]
    if write_contexts in calls:
        found += [refusals.IdempotencyKeyRefused]
    return found
