"""A client's connection around its requests: heads that are slow, huge or no HTTP, trailers,
bodies that nobody reads any more, answers that are not read.

The server itself waits for ever, holds any size and answers in plain text.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import cast

from httptools import HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.edge import MAX_HEADERS_SIZE, with_headers_of_every_answer
from app.api.limits import STOPPING
from app.api.problems import problem_response
from app.api.refusals import HeadersTooLarge, HeadersTooSlow, Refusal, RequestRefused

# From the first byte, or from connecting, to the end of the headers.
HEAD_SECONDS = 10
# Address and headers; the edge judges whole heads more exactly. Also what may come between two
# parts of a body that is no body: extensions of chunks, trailers.
MAX_HEAD = 2 * MAX_HEADERS_SIZE
# Of a request that is answered already the rest may come for so long.
REST_SECONDS = 20
# So long an answer may stay as it is, with nothing of it taken.
ANSWER_SECONDS = 30


class Connection(HttpToolsProtocol):
    """A connection on which requests come and answers go, in time and in reason."""

    head_seconds: float = HEAD_SECONDS
    rest_seconds: float = REST_SECONDS
    answer_seconds: float = ANSWER_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None
    _is_head_open = True
    # How many heads, parts of bodies and ends have come, and how much since the last of them.
    _parts = 0
    _size_between = 0
    # What the parser is given, and what it is to be given again.
    _data = b""
    _again = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client may not connect and say nothing."""
        super().connection_made(transport)  # type: ignore[arg-type] # as the server calls it
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._expect_nothing()
        self._forget_answer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came; what is neither a whole head nor of a body is counted."""
        parts = self._parts
        self._data = data
        while self._data:
            super().data_received(self._data)
            self._data, self._again = self._again, b""
        if parts != self._parts:
            self._size_between = 0
            return
        self._size_between += len(data)
        if self._size_between > MAX_HEAD:
            self._refuse(HeadersTooLarge("the headers are too large"))
        elif self._timer is None and self._is_head_open:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole. Trailers would be added to it after it was judged."""
        if self.parser.should_upgrade():
            return
        if not self.url.startswith((b"/", b"*")):
            self._take_host_of_target()
        self._expect_nothing()
        self._is_head_open = False
        self._parts += 1
        super().on_headers_complete()
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Some of the body has come."""
        self._parts += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes next is another head."""
        if self.parser.should_upgrade():
            return
        self._expect_nothing()
        self._is_head_open = True
        self._parts += 1
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is given; what is left of its request is passed over, for a while."""
        super().on_response_complete()
        if not self._is_head_open and self.cycle.response_complete:
            self._timer = self.loop.call_later(self.rest_seconds, self.transport.close)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """It has read nearly all."""
        self._forget_answer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the server's words
        """What is not HTTP is answered as everything else is."""
        if not self._is_head_open and not self.cycle.response_started and not self.pipeline:
            # It is the body of a request that was not answered yet, and is not any more.
            self.cycle.disconnected = True
        self._refuse(RequestRefused("the request is not HTTP"))

    def _take_host_of_target(self) -> None:
        """Where the target names a host it is that one which was asked, whatever Host says.

        https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
        """
        host = self.url.split(b"/", 3)[2]
        self.headers[:] = [(n, host if n == b"host" else value) for n, value in self.headers]

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for another protocol is answered in this one.

        The parser takes what follows for that protocol, and would then take a body for requests:
        the head is read again without what asks for it.
        """
        stopped = sys.exc_info()[1]
        if self.parser.get_method() == b"CONNECT" or not isinstance(stopped, HttpParserUpgrade):
            self.send_400_response("")
            return
        version = self.parser.get_http_version().encode("ascii")
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self._again = b"\r\n".join([*lines, b"", self._data[stopped.args[0] :]])
        self.parser = HttpRequestParser(self)

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

    def _expect_reading(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._answer_timer = self.loop.call_later(self.answer_seconds, self._look_at_reader, left)

    def _forget_answer(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _look_at_reader(self, left: int) -> None:
        """Whoever takes nothing of an answer would keep it, and a place, for ever."""
        if self.transport.get_write_buffer_size() < left:
            self._expect_reading()
        else:
            self.transport.abort()

    def _head_is_late(self) -> None:
        self._timer = None
        self._refuse(HeadersTooSlow("the headers took too long"))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer, unless another answer is under way, and close."""
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete or cycle.disconnected:
            response = problem_response(refusal)
            phrase = HTTPStatus(response.status_code).phrase
            lines = [f"HTTP/1.1 {response.status_code} {phrase}".encode("ascii")]
            headers = [*response.raw_headers, (b"connection", b"close")]
            for name, value in with_headers_of_every_answer(headers):
                lines.append(name + b": " + value)
            self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
