"""Bodies of many lines (NDJSON): read as they come, within limits, and answered as they are done.

Knows nothing of what the lines say.
"""

from collections import deque
from dataclasses import dataclass

from anyio import CancelScope, move_on_after
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.api.refusals import BodyTooLarge, BodyTooSlow, Refusal
from app.api.routing import media_type_of, require_plain

NDJSON = "application/x-ndjson"
MAX_LINES = 10_000
MAX_BODY = 32 * 1024 * 1024
MAX_LINE = 64 * 1024
CHUNK_LINES = 500
CHUNK_SIZE = 1024 * 1024
# When nothing more comes for so long, what has come is dealt with; then no more is waited for.
PAUSE_SECONDS = 0.05
SILENCE_SECONDS = 60

_TOO_MANY = f"a body has at most {MAX_LINES} lines: this one and those after it were not read"
_TOO_LARGE = "a body is at most 32 MiB: this line and those after it were not read"
_TOO_LONG = "a line is at most 64 KiB"
_TOO_SLOW = (
    f"nothing came for {SILENCE_SECONDS} seconds: this line and those after it were not read"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its number from 1; what cannot be taken is not kept."""

    number: int
    text: bytes
    refusal: Refusal | None = None


class LineReader:
    """Reads a body line by line; holds a chunk, the last message and an unfinished line at most."""

    def __init__(self, request: Request) -> None:
        """Raises MediaTypeRefused or BodyTooLarge, as far as the headers say."""
        media_type_of(request.headers.get("content-type"), (NDJSON,))
        require_plain(request.headers)
        declared = request.headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > MAX_BODY:
            raise BodyTooLarge("a body is at most 32 MiB")
        self._receive = request.receive
        self._ready: deque[Line] = deque()
        self._ready_size = 0
        self._begun = bytearray()
        self._is_too_long = False
        self._size = 0
        self._number = 1
        self._ended = False
        self.complete = True

    async def read(self) -> list[Line]:
        """The next lines: a chunk of them, or fewer where no more come at once; none at the end.

        Empty lines are passed over. Raises ClientDisconnect.
        """
        while not self._ended and not self._has_chunk():
            seconds = PAUSE_SECONDS if self._ready else SILENCE_SECONDS
            with move_on_after(seconds) as waiting:
                message = await self._receive()
            if waiting.cancelled_caught:
                if not self._ready:
                    self._stop(BodyTooSlow(_TOO_SLOW))
                break
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._take(message.get("body", b""))
            if not message.get("more_body", False):
                self._end()
        return self._chunk()

    async def check(self) -> None:
        """Whether the client is still there, once everything is read. Raises ClientDisconnect."""
        if not self._ended:
            return
        with CancelScope() as at_once:
            at_once.cancel()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect

    def _has_chunk(self) -> bool:
        return len(self._ready) >= CHUNK_LINES or self._ready_size >= CHUNK_SIZE

    def _chunk(self) -> list[Line]:
        taken: list[Line] = []
        size = 0
        while self._ready and len(taken) < CHUNK_LINES and size < CHUNK_SIZE:
            taken.append(self._ready.popleft())
            size += len(taken[-1].text)
        self._ready_size -= size
        return taken

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY:
            self._stop(BodyTooLarge(_TOO_LARGE))
            return
        *ends, begin = data.split(b"\n")
        for end in ends:
            self._grow(end)
            self._finish()
            if self._ended:
                return
        self._grow(begin)

    def _grow(self, data: bytes) -> None:
        self._is_too_long |= len(self._begun) + len(data) > MAX_LINE
        if self._is_too_long:
            self._begun.clear()
        else:
            self._begun += data

    def _finish(self) -> None:
        text, is_too_long = bytes(self._begun).strip(), self._is_too_long
        self._begun.clear()
        self._is_too_long = False
        if self._number > MAX_LINES:
            self._stop(BodyTooLarge(_TOO_MANY))
        elif is_too_long:
            self._add(b"", BodyTooLarge(_TOO_LONG))
        elif text:
            self._add(text)
        self._number += 1

    def _end(self) -> None:
        if self._begun or self._is_too_long:
            self._finish()
        self._ended = True

    def _stop(self, why: Refusal) -> None:
        self._ended, self.complete = True, False
        self._begun.clear()
        self._add(b"", why)

    def _add(self, text: bytes, refusal: Refusal | None = None) -> None:
        self._ready.append(Line(self._number, text, refusal))
        self._ready_size += len(text)


class LinesResponse(StreamingResponse):
    """An answer line by line to a body that is still being read."""

    media_type = NDJSON

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Whoever writes the lines reads the body, and so learns that the client is gone.

        The framework's own answer would listen for that, and take the body from its reader.
        """
        del scope, receive
        await self.stream_response(send)
