"""What became of each request: a log line, and figures for Prometheus. Neither has patient data.

Both name the route's template, never an address or a query; who called is not a figure.
"""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import Scope

from app.api.problems import SLUG
from app.services import engine_time
from app.services.health import PoolUse

FIELDS = "fields"

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# How old what is told of the connections may be; where it is asked for, it is new.
LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Watch:
    """Told of every request when it is answered."""

    def __init__(self, registry: CollectorRegistry, pool: Callable[[], PoolUse]) -> None:
        route = ("method", "route")
        self._requests = Counter(
            "regimen_requests", "Requests answered.", (*route, "status"), registry=registry
        )
        self._seconds = Histogram(
            "regimen_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            route,
            registry=registry,
            buckets=_SECONDS,
        )
        self._engine = Histogram(
            "regimen_engine_seconds",
            "Seconds of the engine for a request that asked it.",
            route,
            registry=registry,
            buckets=_SECONDS,
        )
        self._problems = Counter(
            "regimen_problems",
            "Requests refused, by kind of problem.",
            ("type",),
            registry=registry,
        )
        self._pool = pool
        self._look_again = 0.0
        self._in_use = _gauge("regimen_pool_in_use", "Database connections in use.", registry)
        self._waiting = _gauge(
            "regimen_pool_waiting", "Requests that wait for a database connection.", registry
        )

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log a request; status 0 where nobody was there to be answered."""
        now = perf_counter()
        if now > self._look_again:
            self._look_again = now + LOOK_SECONDS
            self.look()
        found = scope.get("route")
        route = found.path if found is not None else "none"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
        fields = {"method": method, "route": route, "status": status, "ms": _ms(seconds)}
        engine = engine_time.taken()
        if engine:
            self._engine.labels(method, route).observe(engine)
            fields["engine_ms"] = _ms(engine)
        problem = scope.get(SLUG)
        if problem is not None:
            self._problems.labels(problem).inc()
            fields["problem"] = problem
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        level = logging.WARNING if failed else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, "request", extra={FIELDS: fields})

    def look(self) -> None:
        """Take note of what the database's connections do now."""
        use = self._pool()
        self._in_use.set(use.in_use)
        self._waiting.set(use.waiting)


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """Something that rises and falls; of several processes the sum."""
    return Gauge(name, text, registry=registry, multiprocess_mode="livesum")


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """What a log entry says besides its text."""
    fields: Mapping[str, object] = getattr(record, FIELDS, {})
    return fields


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
