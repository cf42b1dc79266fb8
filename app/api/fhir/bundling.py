"""Answers bundles: each entry of a batch in its own transaction, a transaction's in one.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import Request, Response
from pydantic_core import from_json, to_json

from app.api.accounting import account_for, account_for_refusal
from app.api.authentication import CALLER
from app.api.deps import (
    IDEMPOTENCY_KEY,
    STORING,
    Replayed,
    open_context,
    open_read_context,
    remember_answer,
)
from app.api.fhir import bundles
from app.api.fhir.bundles import Entry, Made
from app.api.fhir.interactions import Face, Interaction, Resource
from app.api.fhir.outcomes import MEDIA_TYPE, ROOT, outcome_of
from app.api.fhir.routing import Named, accounted, ask_of, base_of, check_form_spoken, read_body
from app.api.fhir.scopes import require_right
from app.api.fhir.serving import described
from app.api.fhir.shaping import shape_of
from app.api.handlers import note_unexpected, refusal_by_database
from app.api.problems import problem_data
from app.api.refusals import IdempotencyKeyRefused, ResourceRefused, Unexpected
from app.api.routing import StrictRequest
from app.domain.errors import DomainError, Fault
from app.services.context import Context
from app.services.plans import ScheduleConflict


class EntryRefused(Exception):
    """An entry of a transaction was refused, and so is all of it."""

    def __init__(self, status: int, outcome: Resource) -> None:
        super().__init__("an entry was refused")
        self.status = status
        self.outcome = outcome


class Bundles:
    """The address at which bundles are sent."""

    def __init__(self, routed: Sequence[Interaction], faces: Mapping[str, Face]) -> None:
        self._routed = routed
        self._faces = faces

    async def answer(self, request: Request) -> Response:
        """Answer a batch or a transaction."""
        request.scope["route"] = Named(ROOT)
        strict = StrictRequest(request.scope, request.receive)
        check_form_spoken(strict)
        body = await read_body(strict, bundles.MOST_BYTES)
        if not bundles.is_transaction(body):
            return await self._batch(strict, body)
        try:
            return await self._transaction(strict, body)
        except EntryRefused as refused:
            return Response(to_json(refused.outcome), refused.status, media_type=MEDIA_TYPE)

    async def _batch(self, request: StrictRequest, body: Resource) -> Response:
        if "idempotency-key" in request.headers:
            raise IdempotencyKeyRefused("a batch has no key: use a transaction, or ifNoneExist")
        answered = []
        for place, sent in enumerate(body.get("entry", ())):
            try:
                entry = bundles.entry_at(place, sent, self._routed, base_of(request))
                answered.append(await self._alone(request, entry))
            except Exception as error:  # noqa: BLE001 # told of this entry alone
                answered.append(bundles.refused_entry(*_told(error, place)))
        return Response(
            to_json(bundles.answered_bundle(bundles.BATCH, answered)), media_type=MEDIA_TYPE
        )

    async def _alone(self, request: StrictRequest, entry: Entry) -> Resource:
        """An entry in a transaction of its own."""
        opened = asynccontextmanager(open_context if entry.stores else open_read_context)
        _require(request, entry)
        try:
            async with opened(request) as ctx:
                return await self._entry(request, entry, ctx, entry.body)
        finally:
            request.scope.pop(STORING, None)

    async def _transaction(self, request: StrictRequest, body: Resource) -> Response:
        base = base_of(request)
        entries = [
            bundles.entry_at(place, sent, self._routed, base)
            for place, sent in enumerate(body.get("entry", ()))
        ]
        for entry in entries:
            self._require_rights(request, entry)
        stores = any(entry.stores for entry in entries)
        opened = asynccontextmanager(open_context if stores else open_read_context)
        answered: dict[int, Resource] = {}
        made = Made()
        try:
            async with opened(request) as ctx:
                for entry in bundles.in_order(entries):
                    answered[entry.place] = await self._together(request, entry, ctx, made)
                whole = [answered[place] for place in sorted(answered)]
                bundle = bundles.answered_bundle(bundles.TRANSACTION, whole)
                response = Response(to_json(bundle), media_type=MEDIA_TYPE)
                if IDEMPOTENCY_KEY in request.scope:
                    await remember_answer(request, response)
        except Replayed as replayed:
            await self._account_for_replayed(request, entries, replayed.response)
            return replayed.response
        return response

    def _require_rights(self, request: StrictRequest, entry: Entry) -> None:
        """Before an answer is given again, too. Raises EntryRefused."""
        try:
            _require(request, entry)
        except DomainError as error:
            raise EntryRefused(*_told(error, entry.place)) from error

    async def _account_for_replayed(
        self, request: StrictRequest, entries: Sequence[Entry], response: Response
    ) -> None:
        for entry, told in zip(entries, from_json(bytes(response.body))["entry"], strict=True):
            asked = accounted(entry.interaction, request, entry.ids)
            await account_for(asked, request, to_json(told))

    async def _together(
        self, request: StrictRequest, entry: Entry, ctx: Context, made: Made
    ) -> Resource:
        """An entry in the transaction of all. Raises EntryRefused."""
        try:
            await self._describe(request, entry, ctx, made)
            sent = made.with_references(entry.body)
            return await self._entry(request, entry, ctx, sent, made)
        except DomainError as error:
            raise EntryRefused(*_told(error, entry.place)) from error

    async def _describe(
        self, request: StrictRequest, entry: Entry, ctx: Context, made: Made
    ) -> None:
        """Note what an entry refers to by a search. Raises ResourceRefused or SeveralFit."""
        ask = ask_of(request, ctx, {}, (), headers={}, body=None)
        for name, type_, wanted in bundles.described_in(entry):
            face = self._faces.get(type_)
            if face is None or face.search is None or name in made.references:
                continue
            found = await described(ask, face, self._faces, wanted)
            if found is None:
                at = f"Bundle.entry[{entry.place}].resource"
                raise ResourceRefused((Fault(at, "not-found", "refers to what is not there"),))
            made.note_as(name, found)

    async def _entry(
        self,
        request: StrictRequest,
        entry: Entry,
        ctx: Context,
        body: Any,
        made: Made | None = None,
    ) -> Resource:
        interaction, prefer = entry.interaction, request.headers.get("prefer", "")
        shape = shape_of(entry.params, self._faces)
        asked = accounted(interaction, request, entry.ids, entry.params)
        headers = {"prefer": prefer, **entry.headers}
        ask = ask_of(request, ctx, entry.ids, entry.params, headers=headers, body=body)
        try:
            answer = await interaction.run(ask)
        except ScheduleConflict as conflict:
            account_for_refusal(asked, request, conflict)
            raise
        if made is not None:
            made.note(entry, answer)
        if answer.resource is not None:
            await account_for(asked, request, to_json(answer.resource))
            answer = replace(answer, resource=shape(answer.resource))
        minimal = "return=minimal" in prefer
        return bundles.answered_entry(entry, answer, base_of(request), minimal=minimal)


def _require(request: StrictRequest, entry: Entry) -> None:
    """Raise ScopeMissing unless the caller may do what an entry asks for."""
    grant = request.scope[CALLER].grant
    require_right(entry.interaction.right, grant)
    if entry.stores:
        require_right(entry.interaction.storing, grant)


def _told(error: Exception, place: int) -> tuple[int, Resource]:
    """The status of what was refused at a place, and why."""
    refusal = error if isinstance(error, DomainError) else refusal_by_database(error)
    if refusal is None:
        note_unexpected(error)
        refusal = Unexpected()
    problem = problem_data(refusal)
    return problem["status"], bundles.placed(outcome_of(problem), place)
