"""A client's connection before there is a request: heads that are slow, huge or no HTTP.

The server itself waits for ever, holds any size and answers in plain text.
"""

import asyncio
from http import HTTPStatus
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.edge import MAX_HEADERS_SIZE, with_headers_of_every_answer
from app.api.limits import STOPPING
from app.api.problems import problem_response
from app.api.refusals import HeadersTooLarge, HeadersTooSlow, Refusal, RequestRefused

# From the first byte, or from connecting, to the end of the headers.
HEAD_SECONDS = 10
# Address and headers; the edge judges whole heads more exactly.
MAX_HEAD = 2 * MAX_HEADERS_SIZE


class Connection(HttpToolsProtocol):
    """A connection on which heads of requests come whole, in time and in reason."""

    head_seconds: float = HEAD_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _is_head_open = True
    _heads = 0
    _head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client may not connect and say nothing."""
        super().connection_made(transport)  # type: ignore[arg-type] # as the server calls it
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came; a head that goes on is counted."""
        heads, was_open = self._heads, self._is_head_open
        super().data_received(data)
        if not (was_open and self._is_head_open and heads == self._heads):
            self._head_size = 0
            return
        self._head_size += len(data)
        if self._head_size > MAX_HEAD:
            self._refuse(HeadersTooLarge("the headers are too large"))
        elif self._timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._expect_nothing()
        self._is_head_open = False
        self._heads += 1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is another head."""
        self._is_head_open = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the server's words
        """What is not HTTP is answered as everything else is."""
        self._refuse(RequestRefused("the request is not HTTP"))

    def shutdown(self) -> None:
        """Let a request under way know that it is the last."""
        if self.cycle is not None:
            cast("Scope", self.cycle.scope)[STOPPING] = True
        super().shutdown()

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_is_late(self) -> None:
        self._timer = None
        self._refuse(HeadersTooSlow("the headers took too long"))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer, unless another answer is under way, and close."""
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            response = problem_response(refusal)
            phrase = HTTPStatus(response.status_code).phrase
            lines = [f"HTTP/1.1 {response.status_code} {phrase}".encode("ascii")]
            headers = [*response.raw_headers, (b"connection", b"close")]
            for name, value in with_headers_of_every_answer(headers):
                lines.append(name + b": " + value)
            self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
