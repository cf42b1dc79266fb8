"""Protocols that include others: their parts are found among the clinic's, as they are now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anyio import to_thread

from app.domain.checks import Checked, check_data
from app.domain.documents import (
    InvalidProtocol,
    ProtocolDocument,
    VersionName,
    WrittenAs,
    content_hash,
    document_to_data,
    parse_protocol,
    versions_included,
    written_as_data,
)
from app.domain.documents.approval import taken_over
from app.domain.documents.protocols import IncludedVersion
from app.domain.errors import Fault
from app.persistence.protocols import (
    ProtocolNotFound,
    ProtocolRepository,
    VersionNotFound,
    VersionRecord,
)
from app.services.context import Context

# Where one would expect a protocol there are operations: /v1/protocols/check.
_NOT_KEYS = {"check", "library", "schema"}


@dataclass(frozen=True, slots=True)
class Unexpanded:
    """A document as it was sent, which cannot be read without what it includes."""

    data: Mapping[str, Any]


async def read_document(data: Mapping[str, Any]) -> ProtocolDocument | Unexpanded:
    """The protocol which this data writes down, checked beside the event loop.

    What includes others waits for a transaction to find them in. Raises InvalidProtocol with
    every fault.
    """
    return Unexpanded(data) if "include" in data else await _sound(data, {})


async def whole_document(ctx: Context, posted: ProtocolDocument | Unexpanded) -> ProtocolDocument:
    """A document with what it includes taken in. Raises InvalidProtocol with every fault."""
    if isinstance(posted, ProtocolDocument):
        return posted
    return await _sound(posted.data, await load_parts(ctx, posted.data))


async def _sound(
    data: Mapping[str, Any], parts: Mapping[VersionName, ProtocolDocument]
) -> ProtocolDocument:
    return (await check(data, parts)).sound()


async def check(data: Any, parts: Mapping[VersionName, ProtocolDocument]) -> Checked:
    """Check a written document beside the event loop, and whether its key could be its own."""
    checked = await to_thread.run_sync(check_data, data, parts)
    key = data.get("key") if isinstance(data, Mapping) else None
    return replace(checked, faults=(*_key_faults(key), *checked.faults))


def refuse_taken_key(document: ProtocolDocument) -> None:
    """Raise InvalidProtocol where the protocol could not be found by its key."""
    faults = _key_faults(document.key)
    if faults:
        raise InvalidProtocol(faults)


def _key_faults(key: object) -> tuple[Fault, ...]:
    if isinstance(key, str) and key in _NOT_KEYS:
        text = "must be another key: this one is taken by an address of the service"
        return (Fault("/key", "not-allowed", text),)
    return ()


async def load_parts(ctx: Context, data: Any) -> dict[VersionName, ProtocolDocument]:
    """The clinic's versions which a written document includes; drafts too, none that is not."""
    found = {}
    for name in sorted(versions_included(data)):
        record = await _version(ctx, *name)
        if record is not None:
            found[name] = document_of(record)
    return found


async def parts_changed(ctx: Context, document: ProtocolDocument) -> bool:
    """Whether any version which a document includes says something else by now."""
    for _, origin in _includes(document):
        record = await _version(ctx, origin.protocol, origin.version)
        if record is None or record.content_hash != origin.content_hash:
            return True
    return False


async def part_writers(ctx: Context, document: ProtocolDocument) -> frozenset[str]:
    """Everybody who wrote what a document includes, as far as nobody approved it."""
    found: frozenset[str] = frozenset()
    known: set[VersionName] = set()
    waiting = [document]
    while waiting:
        for _, origin in _includes(waiting.pop()):
            name = (origin.protocol, origin.version)
            record = None if name in known else await _version(ctx, *name)
            known.add(name)
            if record is not None and record.approval is None:
                found |= record.writers
                waiting.append(document_of(record))
    return found


async def taken_over_figures(ctx: Context, document: ProtocolDocument) -> frozenset[str]:
    """Figures of a document which the approvals of what it includes have confirmed."""
    found: frozenset[str] = frozenset()
    for include, origin in _includes(document):
        record = await _version(ctx, origin.protocol, origin.version)
        if record is None or record.approval is None or record.content_hash != origin.content_hash:
            continue
        found |= taken_over(include, parse_protocol(record.document), record.approval)
    return found


def _includes(document: ProtocolDocument) -> list[tuple[Mapping[str, Any], IncludedVersion]]:
    """Each include as it was written, with what it was then."""
    if document.written_as is None:
        return []
    origins = {one.key: one for one in document.written_as.included}
    written = document.written_as.data["include"]
    return [(include, origins[include["key"]]) for include in written]


async def _version(ctx: Context, key: str, version: str) -> VersionRecord | None:
    try:
        return await ProtocolRepository(ctx.connection, ctx.clinic_id).get_version(key, version)
    except (ProtocolNotFound, VersionNotFound):
        return None


def document_of(record: VersionRecord) -> ProtocolDocument:
    """The document of a stored version."""
    document = parse_protocol(record.document)
    if record.written_as is None:
        return document
    included = tuple(IncludedVersion(**one) for one in record.written_as["included"])
    return replace(document, written_as=WrittenAs(record.written_as["document"], included))


def content_of(document: ProtocolDocument) -> dict[str, Any]:
    """What is stored of a document."""
    origin = document.written_as
    return {
        "title": document.title,
        "document": document_to_data(document),
        "written_as": None if origin is None else written_as_data(origin),
        "content_hash": content_hash(document),
    }
