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
    differences,
    simulate_start_days,
)
from app.domain.documents import (
    InvalidProtocol,
    ProtocolDocument,
    parse_protocol,
)
from app.domain.documents.approval import Approval, approval_faults
from app.domain.errors import DomainError, Fault, Faults
from app.domain.permissions import NotPermitted, Right
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
from app.services import engine_time, events
from app.services.context import Context
from app.services.events import EventType
from app.services.including import (
    Unexpanded,
    check,
    content_of,
    document_of,
    load_parts,
    part_writers,
    parts_changed,
    read_document,
    refuse_taken_key,
    taken_over_figures,
    whole_document,
)
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
    "read_document",
]


class ContentChanged(DomainError):
    """What is to be approved is not what was read: it, or what it includes, is another now."""


class ApprovalIncomplete(Faults):
    """Something that must be confirmed before activation is not; each figure is named."""


class VersionNotActive(DomainError):
    """Only an active version can be retired."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version as it is stored, with its document read.

    ``taken_over`` are figures confirmed already by who approved an included version.
    """

    record: VersionRecord
    document: ProtocolDocument
    taken_over: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; without faults also how many start days of a year work."""

    checked: Checked
    start_days: StartDays | None


async def list_protocols(ctx: Context, *, after: str | None, limit: int) -> Listed[ProtocolRecord]:
    """The clinic's protocols by key, each with its versions."""
    rows = await _repository(ctx).page(after=after, limit=limit + 1)
    return page_of(rows, limit, lambda protocol: (protocol.key,))


async def get_protocol(ctx: Context, key: str) -> ProtocolRecord:
    """A protocol with its versions. Raises ProtocolNotFound."""
    return await _repository(ctx).get(key)


async def get_version(ctx: Context, key: str, version: str) -> StoredVersion:
    """One version with its document. Raises ProtocolNotFound or VersionNotFound."""
    return await _stored(ctx, await _repository(ctx).get_version(key, version))


async def create_protocol(ctx: Context, posted: ProtocolDocument | Unexpanded) -> StoredVersion:
    """Store a new protocol with this draft as its first version.

    Raises InvalidProtocol for faults of what it includes, ProtocolExists.
    """
    return await _add_protocol(ctx, posted, written_by=ctx.actor)


async def _add_protocol(
    ctx: Context, posted: ProtocolDocument | Unexpanded, *, written_by: str | None
) -> StoredVersion:
    repository, document = _repository(ctx), await whole_document(ctx, posted)
    await repository.add(document.key, document.title, now=ctx.now)
    stored = await _add_version(ctx, document, written_by=written_by)
    await _note(ctx, EventType.PROTOCOL_ADDED, stored)
    return stored


async def import_version(
    ctx: Context, posted: ProtocolDocument | Unexpanded, imported: dict[str, Any]
) -> StoredVersion:
    """Store a draft that was read from another system's resource, which is kept beside it.

    A further version where there is such a protocol. Raises InvalidProtocol or VersionExists.
    """
    repository, document = _repository(ctx), await whole_document(ctx, posted)
    refuse_taken_key(document)
    try:
        await repository.add(document.key, document.title, now=ctx.now)
        event = EventType.PROTOCOL_ADDED
    except ProtocolExists:
        event = EventType.VERSION_ADDED
    stored = await _add_version(ctx, document, written_by=ctx.actor, imported=imported)
    await _note(ctx, event, stored)
    return stored


async def create_version(
    ctx: Context, key: str, *, version: str, source: str | None
) -> StoredVersion:
    """Store a new draft which says what another version says: by default the active one.

    Who wrote that is its author, too, unless it was approved. What it includes is taken in as it is
    now. Raises ProtocolNotFound, VersionNotFound, NoActiveVersion, VersionExists, or
    InvalidProtocol where what it includes has changed.
    """
    repository = _repository(ctx)
    named = repository.get_active(key) if source is None else repository.get_version(key, source)
    record = await named
    if record.written_as is None:
        document = replace(parse_protocol(record.document), version=version)
    else:
        written = {**record.written_as["document"], "version": version}
        document = await whole_document(ctx, Unexpanded(written))
    before = record.writers if record.approval is None else frozenset()
    stored = await _add_version(ctx, document, written_by=ctx.actor, before=before)
    await _note(ctx, EventType.VERSION_ADDED, stored)
    return stored


async def edit_version(
    ctx: Context,
    key: str,
    version: str,
    posted: ProtocolDocument | Unexpanded,
    *,
    revision: int,
    imported: dict[str, Any] | None = None,
) -> StoredVersion:
    """Replace what a draft says; what came as an example stays marked as one.

    Raises InvalidProtocol when key, version or mark are another's, ProtocolNotFound,
    VersionNotFound, VersionNotDraft or VersionChangedMeanwhile.
    """
    repository, document = _repository(ctx), await whole_document(ctx, posted)
    record = await repository.get_version(key, version)
    _refuse_another(document, record)
    content = content_of(document)
    content |= {"imported": imported, "written_by": ctx.actor}
    content["authors"] = sorted(record.writers | {ctx.actor})
    edited = replace(record, **content, updated_at=ctx.now)
    new_revision = await repository.update_draft(edited, revision=revision)
    stored = await _stored(ctx, replace(edited, revision=new_revision))
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
    return differences(document_of(old), document_of(new))


async def activate_version(
    ctx: Context, key: str, version: str, approval: Approval, *, retire_active: bool
) -> StoredVersion:
    """Let new plans be made by a draft which a clinician has approved.

    In a sandbox clinic an example needs nothing confirmed; its mark stays. Of what it includes
    the figures need no confirming which the approval of that version has confirmed. Nobody who
    wrote into it may approve it. Raises NotPermitted, ProtocolNotFound, VersionNotFound,
    VersionNotDraft, ContentChanged, ApprovalIncomplete, AnotherVersionActive or
    VersionChangedMeanwhile.
    """
    repository = _repository(ctx)
    record = await repository.get_version(key, version)
    if record.status != VersionStatus.DRAFT:
        raise VersionNotDraft(f"version '{version}' of '{key}' is {record.status}")
    draft = await _stored(ctx, record)
    await _refuse_its_authors(ctx, draft)
    await _refuse_incomplete(ctx, draft, approval)
    if retire_active:
        await _retire_active(ctx, key)
    kept = {
        **approval.as_data(),
        "taken_over": sorted(draft.taken_over),
        "at": ctx.now.isoformat(),
        "actor": ctx.actor,
    }
    await repository.activate(key, version, revision=record.revision, approval=kept, now=ctx.now)
    stored = await get_version(ctx, key, version)
    await _note(ctx, EventType.VERSION_ACTIVATED, stored)
    return stored


async def _refuse_incomplete(ctx: Context, draft: StoredVersion, approval: Approval) -> None:
    name = f"version '{draft.record.version}' of '{draft.record.protocol_key}'"
    if approval.content_hash != draft.record.content_hash:
        raise ContentChanged(f"{name} was changed after it was read")
    if await parts_changed(ctx, draft.document):
        raise ContentChanged(f"what {name} includes was changed: save it again")
    faults = approval_faults(
        approval,
        draft.document,
        unconfirmed=ctx.sandbox and draft.record.example,
        taken_over=draft.taken_over,
    )
    if faults:
        raise ApprovalIncomplete(faults)


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
            installed.append((await _add_protocol(ctx, document, written_by=None)).record)
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
    checked = await check(data, await load_parts(ctx, data))
    if checked.document is None or checked.faults:
        return CheckResult(checked, None)
    with engine_time.measured():
        start_days = await to_thread.run_sync(
            simulate_start_days, checked.document.protocol, calendar, first_day or ctx.today(zone)
        )
    return CheckResult(checked, start_days)


async def _refuse_its_authors(ctx: Context, draft: StoredVersion) -> None:
    """Four eyes: nobody approves what they wrote, be it in a part that nobody approved."""
    if ctx.grant.unrestricted:
        return
    if not ctx.grant.may(Right.APPROVE):
        raise NotPermitted("only an approver may let plans be made by a protocol")
    if ctx.actor in draft.record.writers | await part_writers(ctx, draft.document):
        raise NotPermitted("whoever wrote into a version may not approve it")


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


async def _stored(ctx: Context, record: VersionRecord) -> StoredVersion:
    document = document_of(record)
    return StoredVersion(record, document, await taken_over_figures(ctx, document))


async def _add_version(
    ctx: Context,
    document: ProtocolDocument,
    *,
    written_by: str | None,
    before: frozenset[str] = frozenset(),
    imported: dict[str, Any] | None = None,
) -> StoredVersion:
    record = VersionRecord(
        protocol_key=document.key,
        version=document.version,
        status=VersionStatus.DRAFT,
        example=document.example,
        revision=1,
        created_at=ctx.now,
        updated_at=ctx.now,
        written_by=written_by,
        authors=sorted(before.union(() if written_by is None else (written_by,))),
        imported=imported,
        **content_of(document),
    )
    await _repository(ctx).add_version(record)
    return await _stored(ctx, record)


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
