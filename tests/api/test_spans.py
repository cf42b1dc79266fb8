"""Spans reach a collector over HTTP, and hold nothing of what was asked."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.main import create_app
from app.settings import Settings
from tests.client import client_of

NAME = "Jane-Doe"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(HTTPServer):
    """What a collector was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Any]:
        """Every span."""
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for one in found
            for resource in one.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Taker(BaseHTTPRequestHandler):
    """Takes everything in."""

    server: Collector

    def do_POST(self) -> None:
        """Take a body in."""
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that runs during the test."""
    made = Collector()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def told(span: Any) -> dict[str, Any]:
    """A span's attributes."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def test_a_request_is_a_span_by_route_and_request_id(
    sqlite_url: str, collector: Collector
) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    app = create_app(Settings(database_url=sqlite_url, traces_endpoint=endpoint))

    async def fail() -> None:
        raise RuntimeError(NAME)

    app.add_api_route("/docs/fail", fail)
    async with client_of(app) as api, app.router.lifespan_context(app):
        said = f"name={NAME}"
        headers = {"traceparent": PARENT, "tracestate": said, "baggage": said}
        answer = await api.post("/v1/patients", json={"name": NAME}, headers=headers)
        await api.get("/v1/patients", params={"name": NAME})
        await api.get(f"/{NAME}")
        await api.get("/docs/fail")

    spans = collector.spans
    assert [span.name for span in spans] == [
        "POST /v1/patients",
        "GET /v1/patients",
        "_OTHER none",
        "GET /docs/fail",
    ]
    assert told(spans[0]) == {
        "http.request.method": "POST",
        "http.route": "/v1/patients",
        "http.response.status_code": 201,
        "regimen.request_id": answer.headers["x-request-id"],
    }
    assert told(spans[1])["error.type"] == "invalid-request"
    assert [span.status.code for span in spans] == [0, 0, 0, 2]
    assert spans[0].trace_id.hex() == PARENT.split("-")[1]
    assert not any(NAME.encode() in body for body in collector.bodies)


async def test_without_a_collector_there_are_no_spans(sqlite_url: str) -> None:
    app = create_app(Settings(database_url=sqlite_url))

    async with client_of(app) as api, app.router.lifespan_context(app):
        assert (await api.get("/health/live")).status_code == 200

    assert app.state.tracer_provider is None
