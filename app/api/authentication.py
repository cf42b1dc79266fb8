"""Who calls, told from the headers before the body is read. Pure ASGI.

It knows no operation: whether a caller may do what it asks for is judged by the route.
"""

import re
from functools import lru_cache
from ipaddress import ip_address

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from app.api.handlers import refusal_by_database
from app.api.limits import CREDENTIAL, Allowance, peer_of
from app.api.problems import problem_response
from app.api.refusals import CredentialMissing, CredentialRefused, RateExceeded, ScopeMissing
from app.domain.errors import DomainError
from app.domain.permissions import Caller, Scope
from app.services.callers import Callers

CALLER = "regimen.caller"

# What everybody may see: documentation, health, what FHIR clients ask for first, and where tokens
# are asked for; and calendars, whose address holds a secret: their programs send no header.
PUBLIC = re.compile(
    r"/(?:|docs(?:/.*)?|redoc|guide(?:/.*)?|openapi\.json|health/[a-z]+|oauth/token"
    r"|calendars/[^/]+\.ics|fhir/R4/(?:metadata|\.well-known/smart-configuration))"
)
# Of these, where a credential may be tried, and how it is then refused.
GUESSED = re.compile(r"/oauth/token|/calendars/[^/]+\.ics")
_WRONG = frozenset({400, 401, 404})
# So many wrong ones are looked at from an address in a minute.
WRONG_PER_MINUTE = 60
_TOO_MANY = "too many wrong credentials came from this address"

_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]{1,4096})")
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-real-ip"}


class Authentication:
    """Middleware that lets nobody in whom it does not know, but to what is public.

    Of wrong credentials so many a minute are looked at from each address; then only credentials
    that were right before, so that nobody can shut out those who share an address.
    """

    def __init__(self, app: ASGIApp, callers: Callers, wrong: Allowance | None) -> None:
        self._app = app
        self._callers = callers
        self._wrong = wrong

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Name the caller in the scope, or refuse the request."""
        path = scope["path"] if scope["type"] == "http" else "/"
        if GUESSED.fullmatch(path):
            await self._guessed(scope, receive, send)
            return
        if not PUBLIC.fullmatch(path):
            try:
                caller = await self._caller(scope)
            except Exception as error:  # noqa: BLE001 # answered, or raised again
                await _answer_to(error)(scope, receive, send)
                return
            scope[CALLER] = caller
            scope[CREDENTIAL] = f"{caller.clinic_id} {caller.actor}"
        await self._app(scope, receive, send)

    async def _caller(self, scope: Connection) -> Caller:
        try:
            credential = _credential(scope)
            if credential is not None:
                return await self._known(scope, credential)
        except CredentialRefused:
            self._note_wrong(scope)
            raise
        caller = await self._callers.local() if _is_of_this_machine(scope) else None
        if caller is None:
            raise CredentialMissing("send a key or token as `Authorization: Bearer …`")
        return caller

    async def _known(self, scope: Connection, credential: str) -> Caller:
        wait = 0 if self._wrong is None else self._wrong.wait(peer_of(scope))
        if wait and not self._callers.knew(credential):
            raise RateExceeded(wait, _TOO_MANY)
        caller = await self._callers.find(credential)
        if caller is None:
            raise CredentialRefused("the credential is unknown, has expired or was revoked")
        return caller

    def _note_wrong(self, scope: Connection) -> None:
        if self._wrong is not None:
            self._wrong.take(peer_of(scope))

    async def _guessed(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer where what is secret is in the address or the body."""
        wait = 0 if self._wrong is None else self._wrong.wait(peer_of(scope))
        if wait:
            await problem_response(RateExceeded(wait, _TOO_MANY))(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _WRONG:
                self._note_wrong(scope)
            await send(message)

        await self._app(scope, receive, noted)


def require(needed: Scope | None, request: Request) -> None:
    """Raise ScopeMissing unless the caller has the scope."""
    if needed is not None and needed not in request.scope[CALLER].grant.scopes:
        raise ScopeMissing(f"this needs the scope {needed}")


def _answer_to(error: Exception) -> Response:
    """The answer where a caller is not known; raises again what nobody foresaw."""
    refusal = error if isinstance(error, DomainError) else refusal_by_database(error)
    if refusal is None:
        raise error
    return problem_response(refusal)


def _credential(scope: Connection) -> str | None:
    """What the caller sends to be known by. Raises CredentialRefused when that is unclear."""
    found: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"authorization":
            bearer = _BEARER.fullmatch(value)
            if bearer is None:
                raise CredentialRefused(
                    "the Authorization header must be `Bearer` and a credential"
                )
            found.append(bearer[1])
        elif name == b"x-api-key":
            if not _KEY.fullmatch(value):
                raise CredentialRefused("the X-API-Key header must be a key")
            found.append(value)
    if len(found) > 1:
        raise CredentialRefused("one credential is needed, not several")
    return found[0].decode("ascii") if found else None


def _is_of_this_machine(scope: Connection) -> bool:
    """Whether nobody but a program on this machine can have sent it, and no proxy handed it on."""
    client, server = scope.get("client"), scope.get("server")
    return (
        client is not None
        and server is not None
        and is_loopback(client[0])
        and is_loopback(server[0])
        and not any(name in _FORWARDED for name, _ in scope["headers"])
    )


@lru_cache
def is_loopback(host: str) -> bool:
    """Whether an address can be reached from its own machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
