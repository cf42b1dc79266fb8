"""How much is taken on: requests at once over all callers, and requests a minute of each.

Pure ASGI, before any body is read. What is refused here has cost next to nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem_response
from app.api.refusals import Overloaded, RateExceeded

# Set by whoever authenticates: a name of the caller's credential that never holds the secret.
CREDENTIAL = "regimen.credential"
# Set on a request under way when the service is told to stop.
STOPPING = "regimen.stopping"
_PLACES = "regimen.places"

WINDOW_SECONDS = 60
# Requests that wait for something to happen cost little, but not nothing.
WAITING_PER_PLACE = 16
# What an operator asks must be answered when nothing else is.
ALWAYS_SERVED = ("/health/", "/metrics")
_CALLERS_KEPT = 10_000


class InFlight:
    """Takes on so many requests at once; more are asked to come back in a moment.

    Whoever is refused at once costs the others nothing. Without a bound a crowd would wait for each
    other until everybody's time is over.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._under_way = 0
        self._waiting = 0

    @property
    def under_way(self) -> int:
        """How many requests are being worked on."""
        return self._under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request if there is a place for it."""
        if scope["type"] != "http" or scope["path"].startswith(ALWAYS_SERVED):
            await self._app(scope, receive, send)
        elif self._under_way >= self._most:
            refused = Overloaded("too many requests are under way")
            await problem_response(refused)(scope, receive, send)
        else:
            scope[_PLACES] = self
            self._under_way += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._under_way -= 1

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[bool]:
        """Give the place to others for a while; false where too many wait already."""
        if self._waiting >= self._most * WAITING_PER_PLACE:
            yield False
            return
        self._under_way -= 1
        self._waiting += 1
        try:
            yield True
        finally:
            self._waiting -= 1
            self._under_way += 1


@asynccontextmanager
async def place_given_up(scope: Scope) -> AsyncIterator[bool]:
    """Sleep inside this block: others are served meanwhile. False where too many sleep."""
    places: InFlight | None = scope.get(_PLACES)
    if places is None:
        yield True
        return
    async with places.waiting() as is_room:
        yield is_room


class RateLimit:
    """Takes so many requests a minute from each caller, evenly filled up again.

    A caller who was silent for a minute may send them all at once (a token bucket, kept as the
    instant at which it would be full). Each process counts for itself. Answers tell what is left:
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
    """

    def __init__(
        self, app: ASGIApp, per_minute: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._app = app
        self._clock = clock
        self._interval = WINDOW_SECONDS / per_minute
        self._policy = f'"caller";q={per_minute};w={WINDOW_SECONDS}'.encode("ascii")
        self._full_at: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request if its caller may send one."""
        if scope["type"] != "http" or scope["path"].startswith(ALWAYS_SERVED):
            await self._app(scope, receive, send)
            return
        wait, left, reset = self._take(_caller(scope), self._clock())

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                limit = f'"caller";r={left};t={reset}'.encode("ascii")
                policy = (b"ratelimit-policy", self._policy)
                message["headers"] = [*message["headers"], policy, (b"ratelimit", limit)]
            await send(message)

        if wait:
            refused = RateExceeded(wait)
            await problem_response(refused)(scope, receive, told)
        else:
            await self._app(scope, receive, told)

    def _take(self, caller: str, now: float) -> tuple[int, int, int]:
        """Seconds to wait (0: the request is taken), requests left, seconds until all are."""
        full_at = max(now, self._full_at.get(caller, now)) + self._interval
        over = full_at - now - WINDOW_SECONDS
        if over > self._interval / 1000:  # what is left of rounding is no request
            return ceil(over), 0, ceil(full_at - self._interval - now)
        if caller not in self._full_at and len(self._full_at) >= _CALLERS_KEPT:
            self._forget(now)
        self._full_at[caller] = full_at
        left = int((now + WINDOW_SECONDS - full_at) / self._interval + 0.001)
        return 0, left, ceil(full_at - now)

    def _forget(self, now: float) -> None:
        """Keep only callers whose bucket is not full; if those are too many, the emptiest."""
        busy = sorted((at, caller) for caller, at in self._full_at.items() if at > now)
        self._full_at = {caller: at for at, caller in busy[-_CALLERS_KEPT // 2 :]}


def _caller(scope: Scope) -> str:
    """Whoever calls: the credential, or the address where none is known."""
    credential = scope.get(CREDENTIAL)
    if credential is not None:
        return str(credential)
    client = scope.get("client")
    return f"address {client[0]}" if client else "address unknown"
