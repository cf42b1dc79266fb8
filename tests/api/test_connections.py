"""Heads, bodies and readers that are slow, huge or no HTTP, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.api.connections import MAX_HEAD, Connection
from app.api.limits import STOPPING

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = 32 * 1024 * 1024


class Impatient(Connection):
    """A connection that does not wait long."""

    head_seconds = 0.2
    rest_seconds = 0.2
    answer_seconds = 0.2


class Service:
    """A server on a port of its own."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked = asyncio.Event()
        self.stopped: list[bool] = []
        self.read: list[tuple[bytes, list[bytes]]] = []
        self.connections: list[Impatient] = []
        self.port = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, when it is time."""
        self.asked.set()
        if scope["path"] == "/wait":
            await self.go_on.wait()
        if scope["path"] == "/read" and not await self._read(scope, receive):
            return
        self.stopped.append(STOPPING in scope)
        bodies = {"/large": b"o" * LARGE, "/host": dict(scope["headers"])[b"host"]}
        body = bodies.get(scope["path"], b"ok")
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read(self, scope: Scope, receive: Receive) -> bool:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            body += message["body"]
            more = message["more_body"]
        self.read.append((body, [name for name, _ in scope["headers"]]))
        return True

    def connect(self) -> Impatient:
        """What serves one client."""
        config = uvicorn.Config(self, log_config=None, lifespan="off")
        made = Impatient(config, ServerState(), {})
        self.connections.append(made)
        return made


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A running server."""
    made = Service()
    server = await asyncio.get_running_loop().create_server(made.connect, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


class Client:
    """One connection to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        """Send something."""
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """One answer."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = [line.partition(": ") for line in head[1:-2]]
            headers = {name.lower(): value for name, _, value in pairs}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, body

    async def is_closed(self) -> bool:
        """Whether the server has hung up and said nothing more."""
        return await self.rest() == b""

    async def rest(self) -> bytes:
        """What the server said before it hung up."""
        async with asyncio.timeout(5):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    """A client of the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    yield Client(reader, writer)
    writer.close()


def refused(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, Any]:
    """Status and kind of a problem document that ends the connection."""
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"]
    return status, json.loads(body)["type"]


async def test_ordinary_requests_are_answered_one_after_another(client: Client) -> None:
    for _ in range(3):
        await client.say(GET + b"\r\n")

        assert (await client.hear())[0] == 200


async def test_requests_sent_at_once_are_answered_in_turn(client: Client) -> None:
    await client.say((GET + b"\r\n") * 3)

    assert [(await client.hear())[0] for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HT", id="half a line"),
        pytest.param(GET, id="headers without an end"),
        pytest.param(b"\r\n", id="an empty line"),
    ],
)
async def test_a_head_that_does_not_end_is_refused_in_time(client: Client, said: bytes) -> None:
    await client.say(said)

    assert refused(await client.hear()) == (408, "headers-too-slow")
    assert await client.is_closed()


async def test_a_byte_now_and_then_does_not_put_it_off(client: Client) -> None:
    began = asyncio.get_running_loop().time()
    await client.say(GET)
    hearing = asyncio.create_task(client.hear())
    while not hearing.done():
        await client.say(b"X-A: b\r\n")
        await asyncio.sleep(0.05)

    assert refused(await hearing) == (408, "headers-too-slow")
    assert asyncio.get_running_loop().time() - began < 2


async def test_the_second_head_has_its_time_too(client: Client) -> None:
    await client.say(GET + b"\r\n")
    await client.hear()
    await client.say(b"GET /")

    assert refused(await client.hear()) == (408, "headers-too-slow")


async def test_a_head_without_end_is_stopped(client: Client) -> None:
    await client.say(GET)
    line = b"X-Long: " + b"a" * 1000 + b"\r\n"
    for _ in range(MAX_HEAD // len(line) + 2):
        await client.say(line)

    assert refused(await client.hear()) == (431, "headers-too-large")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", id="TLS"),
        pytest.param(b"HELLO\r\n\r\n", id="not HTTP"),
        pytest.param(GET + b"Content-Length: x\r\n\r\n", id="a length that is none"),
        pytest.param(
            GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="two lengths"
        ),
        pytest.param(GET + b"Na me: x\r\n\r\n", id="a name with a blank"),
        pytest.param(GET + b"X: a\x00b\r\n\r\n", id="NUL in a header"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", id="a folded line"),
        pytest.param(b"CONNECT localhost:80 HTTP/1.1\r\nHost: a\r\n\r\n", id="a tunnel"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two sizes"),
        pytest.param(GET + b"Content-Length: +5\r\n\r\n", id="a length with a sign"),
        pytest.param(GET + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", id="a huge length"),
        pytest.param(GET + b"Transfer-Encoding: chunked, gzip\r\n\r\n", id="not chunked last"),
        pytest.param(POST + b"Transfer-Encoding : chunked\r\n\r\n", id="a blank at a name"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\r\r\n\r\n", id="other line ends"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", id="an address of odd bytes"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", id="a version of the future"),
    ],
)
async def test_what_is_not_http_is_refused_as_everything_is(client: Client, said: bytes) -> None:
    await client.say(said)

    assert refused(await client.hear()) == (400, "bad-request")
    assert await client.is_closed()


@pytest.mark.parametrize(
    "chunk", [b"-1\r\n", b"0x2\r\nab\r\n", b"2\r\nabc\r\n", b"f" * 17 + b"\r\n"]
)
async def test_a_body_that_cannot_be_read_ends_the_connection(
    client: Client, service: Service, chunk: bytes
) -> None:
    await client.say(POST + CHUNKED + chunk + GET + b"\r\n")

    assert refused(await client.hear()) == (400, "bad-request")
    assert await client.is_closed()
    assert not service.stopped


async def test_a_body_that_cannot_be_read_is_not_answered_twice(
    client: Client, service: Service
) -> None:
    await client.say(POST.replace(b"/read", b"/wait") + CHUNKED + b"zz\r\n")
    assert refused(await client.hear()) == (400, "bad-request")
    service.go_on.set()

    assert await client.is_closed()


async def test_before_answers_that_are_due_a_body_that_cannot_be_read_is_not_refused(
    client: Client, service: Service
) -> None:
    await client.say(GET.replace(b"/", b"/wait", 1) + b"\r\n" + POST + CHUNKED + b"zz\r\n")

    assert await client.is_closed()
    service.go_on.set()


@pytest.mark.parametrize(
    "target, host",
    [
        (b"/host", b"localhost"),
        (b"http://localhost/host", b"localhost"),
        (b"HTTP://evil.example:80/host", b"evil.example:80"),
        (b"http://me@[::1]/host?a=http://b/", b"me@[::1]"),
    ],
)
async def test_the_host_is_that_of_the_target_where_it_names_one(
    client: Client, target: bytes, host: bytes
) -> None:
    await client.say(GET.replace(b"/", target, 1) + b"\r\n")

    assert await client.hear() == (200, {"content-length": str(len(host))}, host)


async def test_trailers_are_no_headers(client: Client, service: Service) -> None:
    await client.say(POST + CHUNKED + b"2\r\nab\r\n0\r\nX-Api-Key: rgm_x\r\nHost: evil\r\n\r\n")

    assert (await client.hear())[0] == 200
    assert service.read == [(b"ab", [b"host", b"transfer-encoding"])]


@pytest.mark.parametrize("begun", [b"0\r\n", b"2;"], ids=["trailers", "extension of a chunk"])
@pytest.mark.parametrize("path", [b"/", b"/read"], ids=["answered before", "not answered"])
async def test_what_is_neither_head_nor_body_is_not_taken_without_end(
    client: Client, begun: bytes, path: bytes
) -> None:
    await client.say(POST.replace(b"/read", path) + CHUNKED)
    await client.say(begun)
    line = b"a" * 1000 + (b": b\r\n" if begun == b"0\r\n" else b"")
    with suppress(ConnectionError):
        for _ in range(10 * MAX_HEAD // len(line)):
            await client.say(line)

    await client.rest()


async def test_a_body_may_come_in_many_small_chunks(client: Client, service: Service) -> None:
    await client.say(POST + CHUNKED)
    for _ in range(20):
        await client.say(b"1;x=y\r\na\r\n" * 1000)
    await client.say(b"0\r\n\r\n")

    assert (await client.hear())[0] == 200
    assert service.read[0][0] == b"a" * 20_000


async def test_the_rest_of_what_is_answered_is_not_waited_for_long(client: Client) -> None:
    await client.say(GET + b"Content-Length: 1000\r\n\r\n")
    assert (await client.hear())[0] == 200
    closed = asyncio.create_task(client.is_closed())
    while not closed.done():
        with suppress(ConnectionError):
            await client.say(b"x")
        await asyncio.sleep(0.05)

    assert await closed


async def test_after_the_rest_of_what_is_answered_comes_the_next(client: Client) -> None:
    await client.say(GET + b"Content-Length: 3\r\n\r\n")
    await client.hear()
    await client.say(b"abc")
    await asyncio.sleep(0.3)
    await client.say(GET + b"\r\n")

    assert (await client.hear())[0] == 200


async def test_an_answer_that_nobody_reads_is_dropped(client: Client, service: Service) -> None:
    await client.say(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await client.say(GET + b"\r\n")
    await service.asked.wait()
    await asyncio.sleep(0.6)

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.hear()


async def test_an_answer_that_is_read_slowly_comes_whole(client: Client) -> None:
    await client.say(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await client.reader.readuntil(b"\r\n\r\n")
    size = 0
    while size < LARGE:
        size += len(await client.reader.readexactly(LARGE // 8))
        await asyncio.sleep(0.1)

    assert size == LARGE


async def test_who_asks_for_another_protocol_is_answered_in_this_one(
    client: Client, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    sized, body = b"Content-Length: 18\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"
    await client.say(POST + upgrade + sized + body + POST + sized + body)
    await client.say(POST + upgrade + sized)
    assert [(await client.hear())[0] for _ in range(2)] == [200, 200]
    await client.say(body + POST + upgrade + CHUNKED)
    assert (await client.hear())[0] == 200
    await client.say(b"2\r\nab\r\n0\r\n\r\n" + POST + b"\r\n")

    assert [(await client.hear())[0] for _ in range(2)] == [200, 200]
    assert [read[0] for read in service.read] == [body, body, body, b"ab", b""]
    assert caplog.text == ""


async def test_an_answer_under_way_is_never_mixed_with_a_refusal(
    client: Client, service: Service
) -> None:
    await client.say(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\nGET / ")
    await client.say(b"nonsense" * 20_000)

    assert await client.is_closed()
    service.go_on.set()


async def test_a_request_under_way_hears_that_the_service_stops(
    client: Client, service: Service
) -> None:
    await client.say(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await service.asked.wait()

    service.connections[0].shutdown()
    service.go_on.set()

    assert (await client.hear())[0] == 200
    assert service.stopped == [True]
    assert await client.is_closed()


async def test_an_idle_connection_ends_when_the_service_stops(
    client: Client, service: Service
) -> None:
    await client.say(GET + b"\r\n")
    await client.hear()

    service.connections[0].shutdown()

    assert await client.is_closed()
