"""The outermost layer, pure ASGI: request ids, security headers, limits of headers, last resort.

It reads no body and knows no route; what became of each request it tells a watcher.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.handlers import unexpected_response
from app.api.problems import problem_response
from app.api.refusals import (
    AddressTooLong,
    HeadersTooLarge,
    HostRefused,
    Refusal,
    RequestRefused,
)

MAX_ADDRESS = 8 * 1024
MAX_HEADERS = 100
MAX_HEADERS_SIZE = 32 * 1024

# The id of the request that is being served; empty where none is.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Told the request, the status of its answer (0: none was sent) and the seconds it took.
Watcher = Callable[[Scope, int, float], None]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")

# Added unless the answer brings its own.
_SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Edge:
    """Middleware around the whole application.

    ``hosts`` are the names the service answers to, without ports; ``*.example.org`` takes every
    name below a domain, ``*`` any name.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], watch: Watcher) -> None:
        names = [host.lower() for host in hosts]
        self._app = app
        self._watch = watch
        self._hosts = frozenset(name for name in names if not name.startswith("*."))
        self._is_open = "*" in names
        self._domains = tuple(name[1:] for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever goes wrong inside becomes a problem document."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = perf_counter()
        if scope["method"] == "HEAD":
            # The server leaves the body out.
            scope = {**scope, "method": "GET"}
        answer = _Answer(send)
        host, refusal = _look_over(scope, answer)
        token = REQUEST_ID.set(answer.request_id.decode("ascii"))
        if refusal is None and not self._serves(host):
            refusal = HostRefused("the Host header does not name this service")
        try:
            if refusal is None:
                await self._served(scope, receive, answer)
            else:
                await problem_response(refusal)(scope, receive, answer.send)
        finally:
            self._watch(scope, answer.status, perf_counter() - begin)
            REQUEST_ID.reset(token)

    async def _served(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:  # the last resort: no error leaves the service
            response: Response = unexpected_response(error)
            if answer.status:
                raise  # the server cuts the connection: half an answer must not look whole
            await response(scope, receive, answer.send)

    def _serves(self, host: bytes) -> bool:
        found = _HOST.fullmatch(host.decode("latin-1").lower())
        if found is None:
            return False
        name = found.group(1)
        return name in self._hosts or self._is_open or name.endswith(self._domains)


class _Answer:
    """Sends an answer on with the headers that every answer has."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.request_id = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = with_headers_of_every_answer(message["headers"], self.request_id)
        await self._send(message)


def with_headers_of_every_answer(
    headers: Iterable[tuple[bytes, bytes]], request_id: bytes | None = None
) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, completed."""
    own = [*headers, (b"x-request-id", request_id or new_request_id())]
    present = {name for name, _ in own}
    return [*own, *(header for header in _SECURITY_HEADERS if header[0] not in present)]


def new_request_id() -> bytes:
    """An id for a request that brings none."""
    return secrets.token_hex(8).encode("ascii")


def _look_over(scope: Scope, answer: _Answer) -> tuple[bytes, Refusal | None]:
    """The host asked for, and what is wrong with the headers; names the request on the way."""
    hosts: list[bytes] = []
    size, encoded = 0, False
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"host":
            hosts.append(value)
        elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            answer.request_id = value
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            encoded = True
    answer.request_id = answer.request_id or new_request_id()
    if len(hosts) != 1 or encoded:
        return b"", RequestRefused("one Host header is needed, and no encoding but chunked")
    if size > MAX_HEADERS_SIZE or len(scope["headers"]) > MAX_HEADERS:
        return hosts[0], HeadersTooLarge("the headers are too large")
    if len(scope["path"]) + len(scope["query_string"]) > MAX_ADDRESS:
        return hosts[0], AddressTooLong("the address is too long")
    return hosts[0], None
