"""Turns interactions into addresses, requests into what they ask for, and answers into responses.

https://hl7.org/fhir/R4/http.html. What is refused is raised: the application's own handlers answer
it, below this address as an OperationOutcome.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

from fastapi import Request, Response
from pydantic_core import to_json
from starlette.routing import Route

from app.api import refusals
from app.api.accounting import (
    ACCOUNTED,
    account_for,
    account_for_refusal,
    asked_for,
    require_account,
)
from app.api.authentication import CALLER
from app.api.deps import (
    IDEMPOTENCY_KEY,
    Replayed,
    open_context,
    open_read_context,
    remember_answer,
)
from app.api.documents import read_json
from app.api.etags import is_unchanged, not_modified
from app.api.fhir.interactions import Answer, Ask, Face, Interaction
from app.api.fhir.outcomes import MEDIA_TYPE, ROOT
from app.api.fhir.queries import params_in, uuid_in
from app.api.fhir.scopes import RIGHTS, require_right
from app.api.fhir.shaping import Shape, shape_of
from app.api.routing import StrictRequest
from app.services.access import Asked
from app.services.context import Context
from app.services.plans import ScheduleConflict

# What a search for a patient's resources is called.
_OF_PATIENT = frozenset({"patient", "subject"})
FORM = "application/x-www-form-urlencoded"
MAX_FORM = 64 * 1024
_JSON = frozenset({MEDIA_TYPE, "application/json", "text/json", "application/json-patch+json"})
# A line that ends as Windows has it, which FHIR allows in texts, escaped in JSON.
_LINE_END = re.compile(rb"(?<!\\)((?:\\\\)*)\\(?:r|u000[dD])(?:\\n|\\u000[aA])?")
_SPOKEN = frozenset({MEDIA_TYPE, "application/json", "text/json", "json", "application/*", "*/*"})


class Named(NamedTuple):
    """The route that logs and figures name."""

    path: str


def route_of(
    path: str, interactions: Mapping[str, Interaction], faces: Mapping[str, Face]
) -> Route:
    """The route of an address, with what is done there by each method."""
    named = Named(ROOT + path)

    async def answer(request: Request) -> Response:
        request.scope["route"] = named
        return await _answered(request, interactions[request.method], faces)

    route = Route(path, answer, methods=list(interactions))
    route.methods = set(interactions)
    return route


async def _answered(
    request: Request, interaction: Interaction, faces: Mapping[str, Face]
) -> Response:
    require_right(interaction.right, request.scope[CALLER].grant)
    strict = StrictRequest(request.scope, request.receive)
    check_form_spoken(strict)
    params = tuple(strict.query_params.multi_items())
    body: Any = None
    if interaction.reads_form:
        params, body = (*params, *await _form(strict)), ()
    elif interaction.method in {"POST", "PUT", "PATCH"}:
        body = await read_body(strict, interaction.most)
    shape = shape_of(params, faces)
    stores = interaction.stores(body)
    if stores:
        require_right(interaction.storing, request.scope[CALLER].grant)
    opened = asynccontextmanager(open_context if stores else open_read_context)
    asked = accounted(interaction, request, request.path_params, params)
    try:
        async with opened(strict) as ctx:
            answer = await interaction.run(
                ask_of(strict, ctx, strict.path_params, params, headers=strict.headers, body=body)
            )
            response = _rendered(answer, strict, shape, stored=stores)
            if IDEMPOTENCY_KEY in request.scope:
                await remember_answer(strict, response)
            await account_for(asked, request, bytes(response.body) or to_json(answer.resource))
    except Replayed as replayed:
        await account_for(asked, request, bytes(replayed.response.body))
        return replayed.response
    except ScheduleConflict as conflict:
        account_for_refusal(asked, request, conflict)
        raise
    return response


def accounted(
    interaction: Interaction,
    request: Request,
    ids: Mapping[str, str],
    params: Sequence[tuple[str, str]] = (),
) -> Asked | None:
    """Who asks for what, of which patient, where it is patients' data. Raises Overloaded."""
    if interaction.right is not None and RIGHTS[interaction.right] not in ACCOUNTED:
        return None
    require_account(request)
    type_ = "" if interaction.face is None else f"{interaction.face.type}."
    id_ = uuid_in(ids.get("id", ""))
    named = {} if id_ is None else {"id": str(id_)}
    for name, value in params:
        patient = uuid_in(value.removeprefix("Patient/"))
        if name in _OF_PATIENT and patient is not None:
            named["patient_id"] = str(patient)
    return asked_for(f"{type_}{interaction.code}", request, named)


def base_of(request: Request) -> str:
    """Where the FHIR face is found."""
    base_url: str = request.app.state.settings.base_url
    return base_url + ROOT


def check_form_spoken(request: Request) -> None:
    """Raise FormNotSpoken where the client wants no JSON."""
    accepted = request.headers.get("accept") or "*/*"
    wanted = request.query_params.get("_format", accepted).replace(" ", "+")
    forms = {one.partition(";")[0].strip("+") for one in wanted.lower().split(",")}
    if not forms & _SPOKEN:
        raise refusals.FormNotSpoken(f"only {MEDIA_TYPE} is spoken")


def ask_of(
    request: StrictRequest,
    ctx: Context,
    ids: Mapping[str, str],
    params: tuple[tuple[str, str], ...],
    *,
    headers: Mapping[str, str],
    body: Any,
) -> Ask:
    """What is asked for by a request, or by an entry of its bundle."""
    return Ask(
        ctx=ctx,
        base=base_of(request),
        secret=request.app.state.cursor_secret,
        loopback=request.app.state.settings.webhook_loopback,
        id=ids.get("id", ""),
        version=ids.get("vid", ""),
        params=params,
        headers=headers,
        body=body,
    )


async def read_body(request: StrictRequest, most: int) -> Any:
    """The resource that is sent, lines of its texts ended by feeds; None where there is none."""
    raw = await request.raw(most)
    if not raw:
        return None
    media_type, _, rest = request.headers.get("content-type", "").lower().partition(";")
    charset = rest.strip().replace('"', "").partition("charset=")[2] or "utf-8"
    if media_type.strip() not in _JSON or not charset.startswith("utf-8"):
        raise refusals.MediaTypeRefused(f"the body must be sent as {MEDIA_TYPE}")
    return read_json(_LINE_END.sub(rb"\1\\n", raw))


async def _form(request: StrictRequest) -> tuple[tuple[str, str], ...]:
    """The search parameters in a form. Raises MediaTypeRefused or SearchRefused."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.raw(MAX_FORM)
    if raw and media_type != FORM:
        raise refusals.MediaTypeRefused(f"a search must be sent as {FORM}")
    return params_in(raw.decode("latin-1"))


def _rendered(answer: Answer, request: StrictRequest, shape: Shape, *, stored: bool) -> Response:
    """The response; of what was stored as much as is preferred."""
    headers = {}
    if answer.version is not None:
        headers["etag"] = f'W/"{answer.version}"'
        modified = datetime.fromisoformat((answer.resource or {})["meta"]["lastUpdated"])
        headers["last-modified"] = format_datetime(modified, usegmt=True)
    if answer.location is not None:
        headers["location"] = f"{base_of(request)}/{answer.location}"
    shown = answer.resource
    if stored:
        preference = request.headers.get("prefer", "")
        if "return=minimal" in preference:
            shown = None
        elif "return=OperationOutcome" in preference and answer.outcome is not None:
            shown = answer.outcome
    content = b"" if shown is None else to_json(shape(shown))
    response = Response(content, answer.status, headers, MEDIA_TYPE if content else None)
    tag = request.headers.get("if-none-match")
    if request.method == "GET" and tag is not None and _is_known(response, tag):
        return not_modified(response)
    return response


def _is_known(response: Response, tag: str) -> bool:
    """Whether the client has this version: ours are weak, and so is the comparison."""
    ours = response.headers.get("etag", "").removeprefix("W/")
    return bool(ours) and is_unchanged(Response(headers={"etag": ours}), tag)
