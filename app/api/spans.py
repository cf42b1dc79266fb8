"""A span of OpenTelemetry for each request: route, status and request id, no address and no text.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from http import HTTPStatus

from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.edge import REQUEST_ID
from app.api.problems import SLUG

# Whose trace a request belongs to; a state or baggage could say anything, and is not taken on.
_PARENT = TraceContextTextMapPropagator()
_TRACE = "traceparent"


class Spans:
    """Middleware that tells the tracer of every request."""

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        self._app = app
        self._tracer = provider.get_tracer("regimen")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within its span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            "request",
            context=_PARENT.extract({_TRACE: Headers(scope=scope).get(_TRACE, "")}),
            kind=SpanKind.SERVER,
            # An exception's text may hold what a client sent.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self._app(scope, receive, noted)
            finally:
                route = scope.get("route")
                path = route.path if route is not None else "none"
                method = scope["method"] if route is not None else "_OTHER"
                span.update_name(f"{method} {path}")
                span.set_attribute("http.request.method", method)
                span.set_attribute("http.route", path)
                span.set_attribute("http.response.status_code", status)
                span.set_attribute("regimen.request_id", REQUEST_ID.get())
                if SLUG in scope:
                    span.set_attribute("error.type", scope[SLUG])
                if not 0 < status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(Status(StatusCode.ERROR))
