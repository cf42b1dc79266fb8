"""A receiver of webhooks on this machine: a real server that answers, fails, hangs or hangs up."""

import asyncio
import json
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

HANG = 0
"""No answer, until the caller gives up."""
RESET = -1
"""The connection is reset before an answer."""
RUBBISH = -2
"""What is answered is not HTTP."""
DRIP = -3
"""The answer comes a byte at a time, and never ends."""


@dataclass(frozen=True, slots=True)
class Received:
    """One attempt, as it reached the receiver."""

    path: str
    headers: dict[str, str]
    body: bytes
    count: int
    """How often this message came to this path, this time included."""

    @property
    def id(self) -> str:
        """The id by which a receiver knows a message again."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The ids in the message."""
        return dict(json.loads(self.body)["data"])


Behaviour = Callable[[Received], int]


@dataclass(slots=True)
class Receiver:
    """What came, and to what of it this receiver said 200."""

    behave: Behaviour = lambda _: 200
    retry_after: str = ""
    """What it asks for with every answer."""
    url: str = ""
    received: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    _expected: int = 0
    _ids: set[str] = field(default_factory=set)
    _at_once: int = 0
    _writers: set[StreamWriter] = field(default_factory=set)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take one message and do with it as this receiver does."""
        self._at_once += 1
        self._writers.add(writer)
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._at_once -= 1
            self._writers.discard(writer)
            writer.close()

    def expect(self, messages: int) -> None:
        """Set `enough` as soon as so many different messages were accepted."""
        self.enough.clear()
        self._expected = messages
        self._look()

    def _look(self) -> None:
        if 0 < self._expected <= len(self._ids):
            self.enough.set()

    def hang_up(self) -> None:
        """Break off every connection, those that hang among them."""
        for writer in self._writers:
            writer.transport.abort()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        path = lines[0].split()[1]
        key = (path, headers["webhook-id"])
        self._counts[key] = self._counts.get(key, 0) + 1
        message = Received(path, headers, body, self._counts[key])
        self.received.append(message)
        status = self.behave(message)
        if 200 <= status < 300:
            self.accepted.append(message)
            self._ids.add(message.id)
            self._look()
        await self._reply(status, reader, writer)

    async def _reply(self, status: int, reader: StreamReader, writer: StreamWriter) -> None:
        match status:
            case 0:
                await reader.read()
            case -1:
                writer.transport.abort()
            case -2:
                writer.write(b"\x00\x01 what is this?\r\n\r\n")
                await writer.drain()
            case -3:
                while not reader.at_eof():
                    writer.write(b"H")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            case _:
                busy = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
                moved = "Location: http://127.0.0.1:1/\r\n" if 300 <= status < 400 else ""
                writer.write(
                    f"HTTP/1.1 {status} X\r\n{busy}{moved}Content-Length: 0\r\n\r\n".encode()
                )
                await writer.drain()


@asynccontextmanager
async def receiving(
    behave: Behaviour = lambda _: 200, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    receiver = Receiver(behave)
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0, ssl=tls)
    receiver.url = (
        f"http{'' if tls is None else 's'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    )
    try:
        yield receiver
    finally:
        receiver.hang_up()
        server.close()
