"""A client that keeps a number of connections busy over raw sockets and notes every latency."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

import uvloop

CONCURRENCY = 8
GIVE_UP_SECONDS = 120

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of requests took: the whole in seconds, each request in seconds."""

    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency that this share of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class WrongAnswer(Exception):
    """The server answered with another status than the one that is measured."""


def get(path: str) -> bytes:
    """A GET request as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request with a JSON body as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, requests: Sequence[bytes], *, expect: int) -> Run:
    """Send these requests over eight kept connections, one at a time on each."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(port, requests, expect))


async def _run(port: int, requests: Sequence[bytes], expect: int) -> Run:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    waiting = iter(requests)
    connections = []
    for _ in range(CONCURRENCY):
        _, connection = await loop.create_connection(
            lambda: _Connection(waiting, latencies, b"HTTP/1.1 %d " % expect), "127.0.0.1", port
        )
        connections.append(connection)
    begin = perf_counter()
    for connection in connections:
        connection.send_next()
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await asyncio.gather(*(connection.done for connection in connections))
    return Run(perf_counter() - begin, tuple(latencies))


class _Connection(asyncio.Protocol):
    def __init__(self, waiting: Iterator[bytes], latencies: list[float], status: bytes) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting, self._latencies, self._status = waiting, latencies, status
        self._received = bytearray()
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports only look like asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def send_next(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(received, 0, end)
        if length is None or len(received) < end + 4 + int(length.group(1)):
            return
        self._latencies.append(perf_counter() - self._sent)
        if not received.startswith(self._status):
            self.done.set_exception(WrongAnswer(bytes(received[:600]).decode(errors="replace")))
            self._transport.close()
            return
        received.clear()
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            lost = exc or ConnectionError("the server closed the connection")
            self.done.set_exception(lost)
