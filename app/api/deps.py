"""What routes ask for: the context with its transaction, the revision a change is based on.

Besides the worker the only place that reads the clock.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import MutableHeaders
from starlette.types import Scope

from app.api.authentication import CALLER
from app.api.etags import revision_in
from app.api.refusals import IdempotencyKeyRefused
from app.domain.permissions import NOTHING, Caller
from app.services import clock, idempotency
from app.services.context import Context
from app.services.idempotency import Answer, Claim

IDEMPOTENCY_KEY = "regimen.idempotency"
STORING = "regimen.storing"

KEY = r"[!-~]{1,255}"
_KEY = re.compile(KEY)
OpenContext = Callable[[], AbstractAsyncContextManager[Context]]

_KEPT_HEADERS = ("location", "etag", "content-type")


class Replayed(Exception):
    """The request was answered before: the first answer is given again, nothing is stored."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


async def open_context(request: Request) -> AsyncIterator[Context]:
    """The context of a change: its transaction is committed before the answer is sent.

    Raises Replayed when the request's idempotency key was answered before.
    """
    async with request.app.state.database.writing(_clinic_of(request)) as connection:
        ctx = await _context(request, connection)
        keys = request.headers.getlist("idempotency-key")
        if keys and request.method == "POST":
            await _claim(request, ctx, keys)
        request.scope[STORING] = ctx
        yield ctx


async def open_read_context(request: Request) -> AsyncIterator[Context]:
    """The context of a read; where reading and writing differ, it cannot write."""
    async with request.app.state.database.reading(_clinic_of(request)) as connection:
        yield await _context(request, connection)


async def open_secret_context(request: Request) -> AsyncIterator[Context]:
    """The context of a change whose answer shows a secret: it is never kept to be given again."""
    async with request.app.state.database.writing(_clinic_of(request)) as connection:
        yield await _context(request, connection)


async def open_feed_context(
    request: Request, connection: AsyncConnection, clinic_id: UUID
) -> Context:
    """The context of who shows nothing but an address that holds a secret."""
    return await clock.open_context(
        connection,
        clinic_id,
        actor="calendar",
        grant=NOTHING,
        now=read_clock(),
        ordinary=request.app.state.ordinary_clinics,
    )


async def open_keys_context(request: Request) -> AsyncIterator[Context]:
    """The context of a change to keys, which holds in this process as soon as it is stored.

    Its answer may show a secret, so it is never kept to be given again.
    """
    async with request.app.state.database.writing(_clinic_of(request)) as connection:
        yield await _context(request, connection)
    request.app.state.callers.forget()


async def read_contexts(request: Request) -> OpenContext:
    """For a read that looks again and again, and holds nothing of the database in between."""
    return partial(asynccontextmanager(open_read_context), request)


async def write_contexts(request: Request) -> OpenContext:
    """For work in many transactions, each of which is committed at the end of its block.

    One answer cannot be kept for all of it.
    """
    if "idempotency-key" in request.headers:
        raise IdempotencyKeyRefused("a key goes into each line, not into a header")
    return partial(asynccontextmanager(_open_write_context), request)


async def _open_write_context(request: Request) -> AsyncIterator[Context]:
    async with request.app.state.database.writing(_clinic_of(request)) as connection:
        yield await _context(request, connection)


async def if_match(
    tag: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The ETag that was read; its revision must still be the current one.",
        ),
    ] = None,
) -> int:
    """The revision which a change is based on."""
    return revision_in(tag)


ContextDep = Annotated[Context, Depends(open_context, scope="function")]
SecretContextDep = Annotated[Context, Depends(open_secret_context, scope="function")]
KeysContextDep = Annotated[Context, Depends(open_keys_context, scope="function")]
ReadContextDep = Annotated[Context, Depends(open_read_context, scope="function")]
ReadContextsDep = Annotated[OpenContext, Depends(read_contexts)]
WriteContextsDep = Annotated[OpenContext, Depends(write_contexts)]
IfMatchDep = Annotated[int, Depends(if_match)]


def read_clock() -> datetime:
    """What the clock says."""
    return datetime.now(UTC)


def _clinic_of(request: Request) -> UUID:
    caller: Caller = request.scope[CALLER]
    return caller.clinic_id


async def _context(request: Request, connection: AsyncConnection) -> Context:
    state = request.app.state
    caller: Caller = request.scope[CALLER]
    return await clock.open_context(
        connection,
        caller.clinic_id,
        actor=caller.actor,
        grant=caller.grant,
        now=read_clock(),
        ordinary=state.ordinary_clinics,
    )


async def _claim(request: Request, ctx: Context, keys: Sequence[str]) -> None:
    key = keys[0]
    if len(keys) > 1 or not _KEY.fullmatch(key):
        raise IdempotencyKeyRefused("idempotency-key must be 1 to 255 printable ASCII characters")
    claimed = await idempotency.claim(ctx, key, fingerprint=await _fingerprint(request))
    if isinstance(claimed, Answer):
        raise Replayed(_response(claimed))
    request.scope[IDEMPOTENCY_KEY] = (ctx, claimed)


async def _fingerprint(request: Request) -> str:
    return fingerprint(request.scope, await request.body())


def fingerprint(scope: Scope, body: bytes) -> str:
    """What makes two posts equal: their address and body."""
    digest = hashlib.sha256()
    for part in (scope["path"].encode(), scope["query_string"]):
        digest.update(len(part).to_bytes(4, "big") + part)
    digest.update(body)
    return digest.hexdigest()


async def remember_answer(request: Request, response: Response) -> None:
    """Store the answer in the request's own transaction, to give it again.

    What was refused was raised, and does not come here.
    """
    ctx, claimed = cast("tuple[Context, Claim]", request.scope[IDEMPOTENCY_KEY])
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    answer = Answer(response.status_code, headers, bytes(response.body))
    await idempotency.remember(ctx, claimed, answer)


def _response(answer: Answer) -> Response:
    response = Response(answer.body, status_code=answer.status)
    MutableHeaders(raw=response.raw_headers).update(answer.headers)
    return response
