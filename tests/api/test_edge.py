"""The outermost layer: hosts, limits of headers, headers of every answer, the last resort."""

import json
import logging
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.edge import REQUEST_ID, Edge, Watcher

HOSTS = ("localhost", "[::1]", "*.clinic.example")
SECRET = "Jane Doe"


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with nothing."""
    headers = [(b"cache-control", b"public")] if scope["path"] == "/own" else []
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """An application with a defect."""
    raise RuntimeError(SECRET)


async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that breaks in the middle of its answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError(SECRET)


class Answer:
    """What came back."""

    def __init__(self, sent: list[Message]) -> None:
        self.status: int = sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in sent[1:])

    @property
    def problem(self) -> Any:
        """The problem document."""
        return json.loads(self.body)


def unwatched(scope: Scope, status: int, seconds: float) -> None:
    """Nobody looks."""


async def call(
    app: ASGIApp = plain,
    headers: list[tuple[bytes, bytes]] | None = None,
    path: str = "/",
    hosts: tuple[str, ...] = HOSTS,
    watch: Watcher = unwatched,
) -> Answer:
    """One request through the edge."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost")] if headers is None else headers,
    }
    await Edge(app, hosts, watch)(scope, receive, send)
    return Answer(sent)


async def test_every_answer_has_the_security_headers() -> None:
    answer = await call()

    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_an_answer_may_bring_its_own() -> None:
    answer = await call(path="/own")

    assert answer.headers["cache-control"] == "public"


async def test_every_answer_names_its_request() -> None:
    first, second = await call(), await call()

    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_a_clients_request_id_is_kept() -> None:
    headers = [(b"host", b"localhost"), (b"x-request-id", b"booking-desk-0001")]

    assert (await call(headers=headers)).headers["x-request-id"] == "booking-desk-0001"


@pytest.mark.parametrize("name", [b"short", b"a" * 65, b"with blanks in it", b"new\nline-000"])
async def test_a_request_id_that_could_be_anything_is_replaced(name: bytes) -> None:
    headers = [(b"host", b"localhost"), (b"x-request-id", name)]

    assert (await call(headers=headers)).headers["x-request-id"] != name.decode()


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(b"localhost", id="its name"),
        pytest.param(b"LOCALHOST:8000", id="with a port, in capitals"),
        pytest.param(b"[::1]:8000", id="an IPv6 address"),
        pytest.param(b"api.clinic.example", id="below a domain"),
    ],
)
async def test_a_known_host_is_served(host: bytes) -> None:
    assert (await call(headers=[(b"host", host)])).status == 204


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(b"evil.example", id="another name"),
        pytest.param(b"localhost.evil.example", id="a name that begins alike"),
        pytest.param(b"evilclinic.example", id="a name that ends alike"),
        pytest.param(b"clinic.example", id="the domain itself"),
        pytest.param(b"localhost/path", id="with a path"),
        pytest.param(b"localhost@evil.example", id="with a user"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="not ASCII"),
    ],
)
async def test_any_other_host_is_refused(host: bytes) -> None:
    answer = await call(headers=[(b"host", host)])

    assert (answer.status, answer.problem["type"]) == (400, "unknown-host")


async def test_without_an_allow_list_no_host_with_dots_slips_through() -> None:
    answer = await call(headers=[(b"host", b"evil.example")], hosts=())

    assert answer.status == 400


async def test_an_operator_may_allow_any_host() -> None:
    assert (await call(headers=[(b"host", b"any.example")], hosts=("*",))).status == 204


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([(b"host", b"localhost"), (b"host", b"localhost")], id="two"),
    ],
)
async def test_exactly_one_host_is_needed(headers: list[tuple[bytes, bytes]]) -> None:
    answer = await call(headers=headers)

    assert (answer.status, answer.problem["type"]) == (400, "bad-request")


@pytest.mark.parametrize("encoding", [b"gzip, chunked", b"xchunked", b"identity", b"", b"gzip"])
async def test_the_only_transfer_encoding_is_chunked(encoding: bytes) -> None:
    host = (b"host", b"localhost")

    answer = await call(headers=[host, (b"transfer-encoding", encoding)])

    assert (answer.status, answer.problem["type"]) == (400, "bad-request")
    assert (await call(headers=[host, (b"transfer-encoding", b"Chunked")])).status == 204


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"x", b"y" * 33_000)], id="one large"),
        pytest.param([(b"x", b"y")] * 100, id="many"),
    ],
)
async def test_too_many_headers_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    answer = await call(headers=[(b"host", b"localhost"), *headers])

    assert (answer.status, answer.problem["type"]) == (431, "headers-too-large")


async def test_too_long_an_address_is_refused() -> None:
    answer = await call(path="/" + "a" * 9000)

    assert (answer.status, answer.problem["type"]) == (414, "address-too-long")


async def test_a_defect_is_answered_without_detail_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await call(broken)

    assert (answer.status, answer.problem["type"]) == (500, "unexpected-error")
    assert "detail" not in answer.problem
    assert "RuntimeError" in caplog.text
    assert "test_edge.py" in caplog.text
    assert SECRET not in caplog.text


async def test_half_an_answer_is_cut_off_rather_than_ended() -> None:
    with pytest.raises(RuntimeError):
        await call(breaking)


async def test_a_client_that_is_gone_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await Edge(app, HOSTS, unwatched)(scope, None, send)  # type: ignore[arg-type] # nothing is received

    assert (sent, caplog.text) == ([], "")


@pytest.mark.parametrize(
    "app, path, status",
    [
        pytest.param(plain, "/", 204, id="answered"),
        pytest.param(broken, "/", 500, id="failed"),
        pytest.param(plain, "/" + "a" * 9000, 414, id="refused at the edge"),
    ],
)
async def test_every_request_is_watched_under_its_id(app: ASGIApp, path: str, status: int) -> None:
    seen = []

    def watch(scope: Scope, answered: int, seconds: float) -> None:
        seen.append((answered, REQUEST_ID.get()))
        assert 0 < seconds < 60

    answer = await call(app, path=path, watch=watch)

    assert seen == [(status, answer.headers["x-request-id"])]
    assert REQUEST_ID.get() == ""


async def test_half_an_answer_is_watched_too() -> None:
    seen = []

    with pytest.raises(RuntimeError):
        await call(breaking, watch=lambda *told: seen.append(told[1]))

    assert seen == [200]


async def test_other_connections_pass_through() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await Edge(app, HOSTS, unwatched)({"type": "lifespan"}, None, None)  # type: ignore[arg-type] # unused

    assert seen == ["lifespan"]
