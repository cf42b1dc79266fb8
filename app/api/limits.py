"""How much is taken on: requests at once over all callers, and requests a minute of each.

Pure ASGI, before any body is read. What is refused here has cost next to nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from ipaddress import ip_address, ip_network
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
_NAMES_KEPT = 10_000


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


class Allowance:
    """So many a minute of each name, evenly filled up again.

    Who was silent for a minute may have them all at once (a token bucket, kept as the instant at
    which it would be full). Each process counts for itself, and remembers so many names at most.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._interval = WINDOW_SECONDS / per_minute
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        """How many names are remembered."""
        return len(self._full_at)

    def wait(self, name: str) -> int:
        """Seconds until there is one again; 0 while there is."""
        now = self._clock()
        return self._over(self._full_at.get(name, now) + self._interval, now)

    def take(self, name: str) -> tuple[int, int, int]:
        """Seconds to wait (0: one is taken), how many are left, seconds until all are."""
        now = self._clock()
        full_at = max(now, self._full_at.get(name, now)) + self._interval
        wait = self._over(full_at, now)
        if wait:
            return wait, 0, ceil(full_at - self._interval - now)
        if name not in self._full_at and len(self._full_at) >= _NAMES_KEPT:
            self._forget(now)
        self._full_at[name] = full_at
        left = int((now + WINDOW_SECONDS - full_at) / self._interval + 0.001)
        return 0, left, ceil(full_at - now)

    def _over(self, full_at: float, now: float) -> int:
        over = full_at - now - WINDOW_SECONDS
        # What is left of rounding is none.
        return ceil(over) if over > self._interval / 1000 else 0

    def _forget(self, now: float) -> None:
        """Keep only names whose bucket is not full; if those are too many, the emptiest."""
        busy = sorted((at, name) for name, at in self._full_at.items() if at > now)
        self._full_at = {name: at for at, name in busy[-_NAMES_KEPT // 2 :]}


class RateLimit:
    """Takes so many requests a minute from each caller.

    Answers tell what is left:
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
    """

    def __init__(
        self, app: ASGIApp, per_minute: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._app = app
        self._policy = f'"caller";q={per_minute};w={WINDOW_SECONDS}'.encode("ascii")
        self.allowance = Allowance(per_minute, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request if its caller may send one."""
        if scope["type"] != "http" or scope["path"].startswith(ALWAYS_SERVED):
            await self._app(scope, receive, send)
            return
        wait, left, reset = self.allowance.take(_caller(scope))

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


def _caller(scope: Scope) -> str:
    """Whoever calls: the credential, or the address where none is known."""
    credential = scope.get(CREDENTIAL)
    if credential is not None:
        return str(credential)
    return f"address {peer_of(scope)}"


def peer_of(scope: Scope) -> str:
    """From where a request comes: an address, of IPv6 the network that one machine has for itself.

    https://www.rfc-editor.org/rfc/rfc4291#section-2.5.1
    """
    client = scope.get("client")
    return _network(client[0]) if client else "unknown"


@lru_cache
def _network(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ip_network((int(address), 64), strict=False))
