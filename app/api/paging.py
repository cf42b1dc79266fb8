"""Keyset paging: opaque cursors, signed and bound to the clinic, the list and its filters."""

import binascii
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response

from app.api.refusals import CursorRefused

Key = tuple[str | int, ...]

_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Page:
    """The page asked for: at most ``limit`` items ``after`` a key, and how to name the next."""

    limit: int
    after: Key | None
    response: Response
    request: Request
    binding: bytes
    secret: bytes

    def next(self, key: Key | None) -> str | None:
        """The cursor after the last item shown, also sent as ``Link``; ``None`` ends the list."""
        if key is None:
            return None
        cursor = signed(key, self.binding, self.secret)
        others = [(k, v) for k, v in self.request.query_params.multi_items() if k != "cursor"]
        address = f"{self.request.scope['path']}?{urlencode([*others, ('cursor', cursor)])}"
        self.response.headers["link"] = f'<{address}>; rel="next"'
        return cursor


def signed(key: Key, binding: bytes, secret: bytes) -> str:
    """A cursor that only this clinic's same list with the same filters takes back."""
    payload = json.dumps(key, separators=(",", ":")).encode()
    return urlsafe_b64encode(_signature(payload, binding, secret) + payload).decode().rstrip("=")


def opened(cursor: str, binding: bytes, secret: bytes) -> Key:
    """The key in a cursor. Raises CursorRefused when it was not given out for this list."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        raise _refused() from None
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload, binding, secret)):
        raise _refused()
    return tuple(json.loads(payload))


def _refused() -> CursorRefused:
    return CursorRefused("the cursor was not given out for this list and these filters")


def _signature(payload: bytes, binding: bytes, secret: bytes) -> bytes:
    message = len(binding).to_bytes(4, "big") + binding + payload
    return hmac.digest(secret, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def binding_of(clinic_id: str, path: str, filters: Sequence[tuple[str, str]]) -> bytes:
    """What a cursor belongs to; the number of items on a page is not part of it."""
    kept = sorted((key, value) for key, value in filters if key not in {"cursor", "limit"})
    return json.dumps([clinic_id, path, kept]).encode()


async def read_page(
    request: Request,
    response: Response,
    limit: Annotated[
        int, Query(ge=1, le=200, description="How many items a page has at most.")
    ] = 50,
    cursor: Annotated[
        str | None,
        Query(
            description="Where to go on: `next` of the page before, with the same filters.",
            json_schema_extra={"maxLength": 1024, "pattern": "^[A-Za-z0-9_-]+$"},
        ),
    ] = None,
) -> Page:
    """The page that a list is asked for."""
    state = request.app.state
    path = request.scope["path"]
    binding = binding_of(str(state.clinic_id), path, request.query_params.multi_items())
    after = None if cursor is None else opened(cursor, binding, state.cursor_secret)
    return Page(limit, after, response, request, binding, state.cursor_secret)


PageDep = Annotated[Page, Depends(read_page)]
