"""Protocols and their versions: drafted, edited, checked, compared, approved and retired."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from anyio import to_thread

from app.domain.calendars import Calendar
from app.domain.checks import (
    Checked,
    Difference,
    StartDays,
    check_data,
    differences,
    simulate_start_days,
)
from app.domain.checks.checking import sound_document
from app.domain.documents import (
    InvalidProtocol,
    ProtocolDocument,
    content_hash,
    document_to_data,
    parse_protocol,
)
from app.domain.documents.approval import Approval, approval_faults
from app.domain.errors import DomainError, Fault, Faults
from app.domain.states import VersionStatus
from app.persistence.locations import LocationNotFound, LocationRepository
from app.persistence.protocols import (
    AnotherVersionActive,
    NoActiveVersion,
    ProtocolExists,
    ProtocolNotFound,
    ProtocolRecord,
    ProtocolRepository,
    VersionChangedMeanwhile,
    VersionExists,
    VersionNotDraft,
    VersionNotFound,
    VersionRecord,
    VersionSummary,
)
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.library import library_protocols
from app.services.listing import Listed, page_of
from app.services.plans.loading import load_calendar

__all__ = [
    "AnotherVersionActive",
    "LocationNotFound",
    "NoActiveVersion",
    "ProtocolExists",
    "ProtocolNotFound",
    "ProtocolRecord",
    "VersionChangedMeanwhile",
    "VersionExists",
    "VersionNotDraft",
    "VersionNotFound",
    "VersionRecord",
    "VersionSummary",
]

# Where one would expect a protocol there are operations: /v1/protocols/check.
_NOT_KEYS = {"check", "library", "schema"}


class ContentChanged(DomainError):
    """What is to be approved is not what was read: the version's content is another now."""


class ApprovalIncomplete(Faults):
    """Something that must be confirmed before activation is not; each figure is named."""


class VersionNotActive(DomainError):
    """Only an active version can be retired."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version as it is stored, with its document read."""

    record: VersionRecord
    document: ProtocolDocument


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; without faults also how many start days of a year work."""

    checked: Checked
    start_days: StartDays | None


async def read_document(data: Any) -> ProtocolDocument:
    """The protocol which this data writes down, checked beside the event loop.

    Raises InvalidProtocol with every fault.
    """
    document = await to_thread.run_sync(sound_document, data)
    if document.key in _NOT_KEYS:
        raise InvalidProtocol((Fault("/key", "not-allowed", "this key is taken by an address"),))
    return document


async def list_protocols(ctx: Context, *, after: str | None, limit: int) -> Listed[ProtocolRecord]:
    """The clinic's protocols by key, each with its versions."""
    rows = await _repository(ctx).page(after=after, limit=limit + 1)
    return page_of(rows, limit, lambda protocol: (protocol.key,))


async def get_protocol(ctx: Context, key: str) -> ProtocolRecord:
    """A protocol with its versions. Raises ProtocolNotFound."""
    return await _repository(ctx).get(key)


async def get_version(ctx: Context, key: str, version: str) -> StoredVersion:
    """One version with its document. Raises ProtocolNotFound or VersionNotFound."""
    return _stored(await _repository(ctx).get_version(key, version))


async def create_protocol(ctx: Context, document: ProtocolDocument) -> StoredVersion:
    """Store a new protocol with this draft as its first version. Raises ProtocolExists."""
    repository = _repository(ctx)
    await repository.add(document.key, document.title, now=ctx.now)
    stored = await _add_version(ctx, document)
    await _note(ctx, EventType.PROTOCOL_ADDED, stored)
    return stored


async def create_version(
    ctx: Context, key: str, *, version: str, source: str | None
) -> StoredVersion:
    """Store a new draft which says what another version says: by default the active one.

    Raises ProtocolNotFound, VersionNotFound, NoActiveVersion or VersionExists.
    """
    repository = _repository(ctx)
    if source is None:
        record = await repository.get_active(key)
    else:
        record = await repository.get_version(key, source)
    document = replace(parse_protocol(record.document), version=version)
    stored = await _add_version(ctx, document)
    await _note(ctx, EventType.VERSION_ADDED, stored)
    return stored


async def edit_version(
    ctx: Context, key: str, version: str, document: ProtocolDocument, *, revision: int
) -> StoredVersion:
    """Replace what a draft says; what came as an example stays marked as one.

    Raises InvalidProtocol when key, version or mark are another's, ProtocolNotFound,
    VersionNotFound, VersionNotDraft or VersionChangedMeanwhile.
    """
    repository = _repository(ctx)
    record = await repository.get_version(key, version)
    _refuse_another(document, record)
    edited = replace(
        record,
        title=document.title,
        document=document_to_data(document),
        content_hash=content_hash(document),
        updated_at=ctx.now,
    )
    new_revision = await repository.update_draft(edited, revision=revision)
    stored = StoredVersion(replace(edited, revision=new_revision), document)
    await _note(ctx, EventType.VERSION_CHANGED, stored)
    return stored


async def compare_versions(
    ctx: Context, key: str, version: str, other: str
) -> tuple[Difference, ...]:
    """What differs from one version to another, in words.

    Raises ProtocolNotFound or VersionNotFound.
    """
    repository = _repository(ctx)
    old = await repository.get_version(key, version)
    new = await repository.get_version(key, other)
    return differences(parse_protocol(old.document), parse_protocol(new.document))


async def activate_version(
    ctx: Context, key: str, version: str, approval: Approval, *, retire_active: bool
) -> StoredVersion:
    """Let new plans be made by a draft which a clinician has approved.

    In a sandbox clinic an example needs nothing confirmed; its mark stays. Raises
    ProtocolNotFound, VersionNotFound, VersionNotDraft, ContentChanged, ApprovalIncomplete,
    AnotherVersionActive or VersionChangedMeanwhile.
    """
    repository = _repository(ctx)
    record = await repository.get_version(key, version)
    if record.status != VersionStatus.DRAFT:
        raise VersionNotDraft(f"version '{version}' of '{key}' is {record.status}")
    if approval.content_hash != record.content_hash:
        raise ContentChanged(f"version '{version}' of '{key}' was changed after it was read")
    document = parse_protocol(record.document)
    faults = approval_faults(approval, document, unconfirmed=ctx.sandbox and record.example)
    if faults:
        raise ApprovalIncomplete(faults)
    if retire_active:
        await _retire_active(ctx, key)
    await repository.activate(
        key,
        version,
        revision=record.revision,
        approval=approval.as_data() | {"at": ctx.now.isoformat(), "actor": ctx.actor},
        now=ctx.now,
    )
    stored = await get_version(ctx, key, version)
    await _note(ctx, EventType.VERSION_ACTIVATED, stored)
    return stored


async def retire_version(ctx: Context, key: str, version: str) -> StoredVersion:
    """Make no new plans by a version; those that are go on.

    Raises ProtocolNotFound, VersionNotFound or VersionNotActive.
    """
    repository = _repository(ctx)
    record = await repository.get_version(key, version)
    if record.status != VersionStatus.ACTIVE:
        raise VersionNotActive(f"version '{version}' of '{key}' is {record.status}")
    await repository.retire(key, version, now=ctx.now)
    stored = await get_version(ctx, key, version)
    await _note(ctx, EventType.VERSION_RETIRED, stored)
    return stored


async def install_library(ctx: Context) -> tuple[VersionSummary, ...]:
    """Copy the built-in protocols into the clinic as drafts; those whose key is taken stay."""
    installed = []
    for document in library_protocols():
        try:
            installed.append((await create_protocol(ctx, document)).record)
        except ProtocolExists:
            continue
    return tuple(installed)


async def check_protocol(
    ctx: Context,
    data: Any,
    *,
    location_id: UUID | None,
    open_weekdays: frozenset[int],
    first_day: date | None,
) -> CheckResult:
    """Check a document and, without faults, try every start day of a year; stores nothing.

    The calendar is the location's, else these weekdays without closures. Raises LocationNotFound.
    """
    zone, calendar = "UTC", Calendar(open_weekdays)
    if location_id is not None:
        location = await LocationRepository(ctx.connection, ctx.clinic_id).get(location_id)
        zone = location.time_zone
        calendar = await load_calendar(ctx, location, first_day or ctx.today(zone))
    checked = await to_thread.run_sync(check_data, data)
    if checked.document is None or checked.faults:
        return CheckResult(checked, None)
    start_days = await to_thread.run_sync(
        simulate_start_days, checked.document.protocol, calendar, first_day or ctx.today(zone)
    )
    return CheckResult(checked, start_days)


def _refuse_another(document: ProtocolDocument, record: VersionRecord) -> None:
    """A draft keeps its key, its version and the mark of an example."""
    kept = {
        "key": (document.key, record.protocol_key),
        "version": (document.version, record.version),
        "example": (document.example, record.example),
    }
    faults = [
        Fault(f"/{name}", "not-allowed", "must stay as it is in this version")
        for name, (given, wanted) in kept.items()
        if given != wanted
    ]
    if faults:
        raise InvalidProtocol(tuple(faults))


def _repository(ctx: Context) -> ProtocolRepository:
    return ProtocolRepository(ctx.connection, ctx.clinic_id)


def _stored(record: VersionRecord) -> StoredVersion:
    return StoredVersion(record, parse_protocol(record.document))


async def _add_version(ctx: Context, document: ProtocolDocument) -> StoredVersion:
    record = VersionRecord(
        protocol_key=document.key,
        version=document.version,
        status=VersionStatus.DRAFT,
        example=document.example,
        title=document.title,
        document=document_to_data(document),
        content_hash=content_hash(document),
        revision=1,
        created_at=ctx.now,
        updated_at=ctx.now,
    )
    await _repository(ctx).add_version(record)
    return StoredVersion(record, document)


async def _retire_active(ctx: Context, key: str) -> None:
    try:
        active = await _repository(ctx).get_summary(key)
    except NoActiveVersion:
        return
    await retire_version(ctx, key, active.version)


async def _note(ctx: Context, what: EventType, stored: StoredVersion) -> None:
    record = stored.record
    data = {"protocol": record.protocol_key, "version": record.version}
    await events.append(ctx, what, revision=record.revision, data=data)
