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
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from app.api.authentication import CALLER
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

    def next(self, key: Key | None) -> str | None:
        """The cursor after the last item shown, also sent as ``Link``; ``None`` ends the list."""
        filters = self.request.query_params.multi_items()
        cursor = cursor_for(key, self.request, filters)
        if cursor is None:
            return None
        others = [(name, value) for name, value in filters if name != "cursor"]
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


def uuid_of(key: Key | None) -> UUID | None:
    """The id in the key of a list that is ordered by id."""
    return None if key is None else UUID(str(key[0]))


def _refused() -> CursorRefused:
    return CursorRefused("the cursor was not given out for this list and these filters")


def _signature(payload: bytes, binding: bytes, secret: bytes) -> bytes:
    message = len(binding).to_bytes(4, "big") + binding + payload
    return hmac.digest(secret, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def binding_of(clinic_id: str, path: str, filters: Sequence[tuple[str, str]]) -> bytes:
    """What a cursor belongs to; the number of items on a page is not part of it."""
    kept = sorted((key, value) for key, value in filters if key not in {"cursor", "limit"})
    return json.dumps([clinic_id, path, kept]).encode()


def cursor_for(key: Key | None, request: Request, filters: Sequence[tuple[str, str]]) -> str | None:
    """The cursor of the next page of a list whose filters stand in the body."""
    if key is None:
        return None
    return signed(key, _binding(request, filters), request.app.state.cursor_secret)


def key_in(cursor: str | None, request: Request, filters: Sequence[tuple[str, str]]) -> Key | None:
    """The key in a cursor of a list whose filters stand in the body. Raises CursorRefused."""
    if cursor is None:
        return None
    return opened(cursor, _binding(request, filters), request.app.state.cursor_secret)


def _binding(request: Request, filters: Sequence[tuple[str, str]]) -> bytes:
    return binding_of(str(request.scope[CALLER].clinic_id), request.scope["path"], filters)


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
    filters = request.query_params.multi_items()
    after = key_in(cursor, request, filters)
    return Page(limit, after, response, request)


PageDep = Annotated[Page, Depends(read_page)]
