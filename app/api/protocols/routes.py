"""Routes of protocols: their documents come as JSON or YAML and are given as JSON."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field
from pydantic_core import to_json

from app.api.deps import ContextDep, IfMatchDep, ReadContextDep
from app.api.etags import created, etag
from app.api.fields import Day, Key
from app.api.paging import PageDep
from app.api.problems import problems
from app.api.protocols.findings import CheckOut, DifferenceOut, DifferencesOut
from app.api.protocols.models import (
    ApprovalIn,
    InstalledOut,
    NewVersionIn,
    ProtocolOut,
    ProtocolsOut,
    Version,
    VersionOut,
    VersionsOut,
    VersionSummaryOut,
)
from app.api.routing import JSON, UNCHANGED, DocumentRoute, Route, document_in
from app.domain.documents import InvalidProtocol, ProtocolDocument, protocol_schema
from app.domain.engine import PlanTooLarge
from app.domain.permissions import NotPermitted
from app.services import protocols
from app.services.including import Unexpanded
from app.services.protocols import (
    AnotherVersionActive,
    ApprovalIncomplete,
    ContentChanged,
    LocationNotFound,
    NoActiveVersion,
    ProtocolExists,
    ProtocolNotFound,
    VersionChangedMeanwhile,
    VersionExists,
    VersionNotActive,
    VersionNotDraft,
    VersionNotFound,
)

documents = APIRouter(prefix="/v1/protocols", tags=["protocols"], route_class=DocumentRoute)
router = APIRouter(prefix="/v1/protocols", tags=["protocols"], route_class=Route)

KeyInPath = Annotated[Key, Path(description="The protocol's key.")]
VersionInPath = Annotated[Version, Path(description="The version.")]
OtherInPath = Annotated[Version, Path(description="The version it is compared with.")]


async def read_document(body: dict[str, Any]) -> ProtocolDocument | Unexpanded:
    """The document that was sent, without faults; read before a transaction is opened.

    One that includes others waits for it: they are in the database.
    """
    return await protocols.read_document(body)


DocumentDep = Annotated[ProtocolDocument | Unexpanded, Depends(read_document)]


@documents.post(
    "",
    operation_id="create_protocol",
    status_code=201,
    responses=problems(InvalidProtocol, ProtocolExists),
    openapi_extra=document_in("Protocol"),
)
async def create_protocol(document: DocumentDep, ctx: ContextDep, response: Response) -> VersionOut:
    """Add a protocol, with this document as the draft of its first version.

    JSON or YAML. A document with any fault is refused, and every fault is named. What it includes
    is taken in as the clinic's protocols say it now. No plan is made by a draft until a clinician
    has approved it.
    """
    stored = await protocols.create_protocol(ctx, document)
    record = stored.record
    address = f"/v1/protocols/{record.protocol_key}/versions/{record.version}"
    created(response, address, etag(record.revision))
    return VersionOut.of_version(stored)


@documents.post(
    "/check",
    operation_id="check_protocol",
    responses=problems(LocationNotFound, PlanTooLarge),
    openapi_extra=document_in("Protocol"),
)
async def check_protocol(
    body: dict[str, Any],
    ctx: ReadContextDep,
    location_id: Annotated[
        UUID | None, Query(description="Whose calendar is tried; without, the weekdays below.")
    ] = None,
    open_weekdays: Annotated[
        list[Annotated[int, Field(ge=1, le=7)]],
        Query(description="ISO weekdays that are open, 1 is Monday.", min_length=1, max_length=7),
    ] = [1, 2, 3, 4, 5],  # noqa: B006 - the framework copies it
    from_day: Annotated[
        Day | None, Query(alias="from", description="First start day; by default today.")
    ] = None,
) -> CheckOut:
    """Look for everything that is wrong or doubtful in a protocol; stores nothing.

    Without faults every start day of a year is tried on a calendar: how many have no schedule,
    and why.
    """
    found = await protocols.check_protocol(
        ctx,
        body,
        location_id=location_id,
        open_weekdays=frozenset(open_weekdays),
        first_day=from_day,
    )
    return CheckOut.from_domain(found)


@documents.put(
    "/{key}/versions/{version}",
    operation_id="edit_version",
    responses=problems(
        InvalidProtocol,
        ProtocolNotFound,
        VersionNotFound,
        VersionNotDraft,
        VersionChangedMeanwhile,
    ),
    openapi_extra=document_in("Protocol"),
)
async def edit_version(  # noqa: PLR0917 - the framework passes them by name
    key: KeyInPath,
    version: VersionInPath,
    document: DocumentDep,
    revision: IfMatchDep,
    ctx: ContextDep,
    response: Response,
) -> VersionOut:
    """Replace what a draft says.

    JSON or YAML. Active and retired versions never change. What it includes is taken in anew.
    """
    stored = await protocols.edit_version(ctx, key, version, document, revision=revision)
    response.headers["etag"] = etag(stored.record.revision)
    return VersionOut.of_version(stored)


@router.get("", operation_id="list_protocols")
async def list_protocols(page: PageDep, ctx: ReadContextDep) -> ProtocolsOut:
    """List the clinic's protocols, each with its versions."""
    after = None if page.after is None else str(page.after[0])
    found = await protocols.list_protocols(ctx, after=after, limit=page.limit)
    items = [ProtocolOut.from_domain(protocol) for protocol in found.items]
    return ProtocolsOut(items=items, next=page.next(found.next))


@router.get(
    "/schema",
    operation_id="get_protocol_schema",
    responses={200: {"content": {JSON: {"schema": {"type": "object"}}}}},
)
async def get_protocol_schema() -> Response:
    """Read the JSON Schema (2020-12) of protocol documents."""
    return Response(to_json(protocol_schema()), media_type=JSON)


@router.post("/library", operation_id="install_library")
async def install_library(ctx: ContextDep) -> InstalledOut:
    """Copy the built-in protocols into the clinic, as drafts marked as examples.

    Each must be approved by a clinician before plans are made by it.
    """
    installed = await protocols.install_library(ctx)
    return InstalledOut(installed=[VersionSummaryOut.from_domain(one) for one in installed])


@router.get("/{key}", operation_id="get_protocol", responses=problems(ProtocolNotFound) | UNCHANGED)
async def get_protocol(key: KeyInPath, ctx: ReadContextDep, response: Response) -> ProtocolOut:
    """Read one protocol with its versions."""
    protocol = await protocols.get_protocol(ctx, key)
    response.headers["etag"] = etag(sum(version.revision for version in protocol.versions))
    return ProtocolOut.from_domain(protocol)


@router.get("/{key}/versions", operation_id="list_versions", responses=problems(ProtocolNotFound))
async def list_versions(key: KeyInPath, ctx: ReadContextDep) -> VersionsOut:
    """List the versions of a protocol, all of them, the newest first."""
    protocol = await protocols.get_protocol(ctx, key)
    items = [VersionSummaryOut.from_domain(version) for version in protocol.versions]
    return VersionsOut(items=items, next=None)


@router.post(
    "/{key}/versions",
    operation_id="create_version",
    status_code=201,
    responses=problems(
        ProtocolNotFound, VersionNotFound, NoActiveVersion, VersionExists, InvalidProtocol
    ),
)
async def create_version(
    key: KeyInPath, body: NewVersionIn, ctx: ContextDep, response: Response
) -> VersionOut:
    """Begin a new draft with the document of another version.

    What that includes is taken in anew: where it no longer fits, the faults are named. The authors
    of a version that was not approved are authors of the new one, too.
    """
    stored = await protocols.create_version(ctx, key, version=body.version, source=body.source)
    address = f"/v1/protocols/{key}/versions/{body.version}"
    created(response, address, etag(stored.record.revision))
    return VersionOut.of_version(stored)


@router.get(
    "/{key}/versions/{version}",
    operation_id="get_version",
    responses=problems(ProtocolNotFound, VersionNotFound) | UNCHANGED,
)
async def get_version(
    key: KeyInPath, version: VersionInPath, ctx: ReadContextDep, response: Response
) -> VersionOut:
    """Read one version with its document and what an approval has to confirm."""
    stored = await protocols.get_version(ctx, key, version)
    response.headers["etag"] = etag(stored.record.revision)
    return VersionOut.of_version(stored)


@router.get(
    "/{key}/versions/{version}/diff/{other}",
    operation_id="compare_versions",
    responses=problems(ProtocolNotFound, VersionNotFound),
)
async def compare_versions(
    key: KeyInPath, version: VersionInPath, other: OtherInPath, ctx: ReadContextDep
) -> DifferencesOut:
    """Tell what differs from one version to another, by step and field, in words."""
    found = await protocols.compare_versions(ctx, key, version, other)
    return DifferencesOut(differences=[DifferenceOut.from_domain(one) for one in found])


@router.post(
    "/{key}/versions/{version}/activate",
    operation_id="activate_version",
    responses=problems(
        NotPermitted,
        ProtocolNotFound,
        VersionNotFound,
        VersionNotDraft,
        ContentChanged,
        ApprovalIncomplete,
        AnotherVersionActive,
        VersionChangedMeanwhile,
    ),
)
async def activate_version(
    key: KeyInPath,
    version: VersionInPath,
    body: ApprovalIn,
    ctx: ContextDep,
    response: Response,
) -> VersionOut:
    """Approve a draft: from now on plans are made by it, and it never changes again.

    A clinician names themself, the content that was read, that the evidence note was read, and
    every default that holds for this clinic. Only an approver may, and nobody who wrote into the
    draft: see its `authors`. Software data is no medical advice.
    """
    stored = await protocols.activate_version(
        ctx, key, version, body.to_domain(), retire_active=body.retire_active
    )
    response.headers["etag"] = etag(stored.record.revision)
    return VersionOut.of_version(stored)


@router.post(
    "/{key}/versions/{version}/retire",
    operation_id="retire_version",
    responses=problems(ProtocolNotFound, VersionNotFound, VersionNotActive),
)
async def retire_version(
    key: KeyInPath, version: VersionInPath, ctx: ContextDep, response: Response
) -> VersionOut:
    """Make no new plans by a version; plans already made by it go on."""
    stored = await protocols.retire_version(ctx, key, version)
    response.headers["etag"] = etag(stored.record.revision)
    return VersionOut.of_version(stored)
