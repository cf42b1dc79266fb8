"""Protocol versions over FHIR: https://hl7.org/fhir/R4/plandefinition.html

What is sent becomes a draft; the resource is kept as it was sent until the draft is edited.
"""

from typing import Any

from anyio import to_thread

from app.api.etags import revision_in
from app.api.fhir.interactions import Answer, Ask, Face, Found, Resource
from app.api.fhir.naming import version_of, versions_of
from app.api.fhir.queries import Parameter, Query, Token, page_of
from app.api.refusals import ResourceRefused
from app.domain.documents import ProtocolDocument, document_to_data
from app.domain.errors import Fault
from app.domain.states import VersionStatus
from app.integrations.fhir.elements import meta
from app.integrations.fhir.findings import Finding, Verdict
from app.integrations.fhir.plan_definitions import (
    ReadPlanDefinition,
    plan_definition_of,
    read_sent,
    without_narratives,
)
from app.integrations.fhir.urls import PROTOCOLS, version_id
from app.services import protocols
from app.services.including import Unexpanded, whole_document
from app.services.protocol_searches import VersionSearch, find_versions
from app.services.protocols import StoredVersion, VersionNotFound

MAX_TOLD = 2000


async def read(ask: Ask) -> Resource:
    """One version of a protocol."""
    name = await version_of(ask.ctx, ask.id)
    return resource_of(await protocols.get_version(ask.ctx, *name))


async def vread(ask: Ask) -> Resource:
    """The same at one revision; a draft keeps no earlier ones."""
    found = await read(ask)
    if found["meta"]["versionId"] != ask.version:
        raise VersionNotFound("that revision is not kept")
    return found


async def search(ask: Ask, query: Query) -> Found:
    """Versions of all protocols."""
    found = await find_versions(ask.ctx, await _wanted(ask, query), page_of(query))
    items = tuple(resource_of(one) for one in found.items)
    return Found(items=items, next=found.next, total=found.total)


async def create(ask: Ask) -> Answer:
    """Import what was sent as a draft."""
    sent = await read_body(ask.body)
    document = await _document(ask, sent)
    stored = await protocols.import_version(ask.ctx, document, without_narratives(ask.body))
    return _stored(stored, sent, status=201)


async def update(ask: Ask) -> Answer:
    """Replace what a draft says by what was sent."""
    name = await version_of(ask.ctx, ask.id)
    revision = revision_in(ask.headers.get("if-match"))
    sent = await read_body(ask.body)
    document = await _document(ask, sent)
    known = await protocols.get_version(ask.ctx, *name)
    refuse_another("PlanDefinition", (ask.body.get("id"), ask.id), document, known)
    stored = await protocols.edit_version(
        ask.ctx, *name, document, revision=revision, imported=without_narratives(ask.body)
    )
    return _stored(stored, sent, status=200)


def resource_of(stored: StoredVersion) -> Resource:
    """A protocol version: as it was sent if it was, else as its document says it."""
    record = stored.record
    said = record.imported or plan_definition_of(stored.document)
    return {
        **said,
        "id": version_id(record.protocol_key, record.version),
        "meta": {**said.get("meta", {}), **meta(record.revision, record.updated_at)},
        "status": record.status,
        "date": said.get("date", record.updated_at.date().isoformat()),
    }


async def read_body(body: Any) -> ReadPlanDefinition:
    """What was sent, understood. Raises ResourceRefused with every place."""
    if not isinstance(body, dict) or body.get("resourceType") != "PlanDefinition":
        text = "must be a PlanDefinition"
        raise ResourceRefused((Fault("PlanDefinition", "structure", text),))
    sent = await to_thread.run_sync(read_sent, body)
    if sent.refused:
        raise ResourceRefused(
            tuple(Fault(one.expression, one.code, one.text) for one in sent.refused)
        )
    return sent


async def _document(ask: Ask, sent: ReadPlanDefinition) -> ProtocolDocument:
    """The document, what it includes taken in as the clinic's protocols say it now."""
    document = sent.document
    assert document is not None  # noqa: S101 - nothing was refused
    if sent.written_as is None:
        return document
    whole = await whole_document(ask.ctx, Unexpanded(sent.written_as.get("document") or {}))
    if document_to_data(whole) != document_to_data(document):
        text = "what it includes says something else than its actions"
        raise ResourceRefused((Fault("PlanDefinition.extension", "business-rule", text),))
    return whole


def refuse_another(
    type_: str,
    ids: tuple[Any, str],
    document: ProtocolDocument,
    known: StoredVersion,
) -> None:
    """Raise ResourceRefused unless a draft keeps its key, version and mark of an example."""
    record = known.record
    kept = {
        "id": ids,
        "url": (document.key, record.protocol_key),
        "version": (document.version, record.version),
        "experimental": (document.example, record.example),
    }
    faults = [
        Fault(f"{type_}.{name}", "value", "must stay as it is in this version")
        for name, (given, wanted) in kept.items()
        if given != wanted
    ]
    if faults:
        raise ResourceRefused(tuple(faults))


def _stored(stored: StoredVersion, sent: ReadPlanDefinition, *, status: int) -> Answer:
    resource = resource_of(stored)
    place = f"PlanDefinition/{resource['id']}/_history/{resource['meta']['versionId']}"
    return Answer(
        resource=resource,
        status=status,
        location=place if status == 201 else None,
        outcome=report_of(sent),
    )


def report_of(sent: ReadPlanDefinition) -> Resource:
    """What became of each element; of very many the first."""
    issues = [_issue(one) for one in sent.findings[:MAX_TOLD]]
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(one: Finding) -> Resource:
    is_lost = one.verdict is Verdict.KEPT and one.code == "not-supported"
    return {
        "severity": "warning" if is_lost else "information",
        "code": one.code,
        "details": {"text": str(one.verdict)},
        "diagnostics": one.text,
        "expression": [one.expression],
    }


async def _wanted(ask: Ask, query: Query) -> VersionSearch:
    ids: tuple[Token, ...] | None = query.any_of("_id")
    codes = None if ids is None else [one.code for one in ids]
    urls: tuple[str, ...] | None = query.any_of("url")
    return VersionSearch(
        names=None if codes is None else await versions_of(ask.ctx, codes),
        canonicals=None if urls is None else tuple((_key_in(url), url) for url in urls),
        versions=query.codes("version"),
        statuses=query.codes("status"),
        titles=query.criteria.get("title", ()),
        updated=query.instants("_lastUpdated"),
    )


def _key_in(url: str) -> str | None:
    """The protocol's key in a canonical of ours."""
    own, _, key = url.rpartition(":")
    return key if own == PROTOCOLS else None


FACE = Face(
    type="PlanDefinition",
    text="A version of a protocol; what is sent is imported as a draft.",
    mandatory=frozenset({"status"}),
    summary=frozenset(
        {"url", "identifier", "version", "name", "title", "type", "status", "experimental"}
        | {"date", "publisher", "contact", "description", "useContext", "jurisdiction"}
        | {"effectivePeriod"}
    ),
    parameters=(
        Parameter("url", "uri", "The canonical address, without a version."),
        Parameter("version", "token", "The version, as the protocol has it."),
        Parameter("status", "token", "draft, active or retired.", codes=tuple(VersionStatus)),
        Parameter("title", "string", "A part of the title."),
    ),
    sorts=("_id", "_lastUpdated"),
    read=read,
    vread=vread,
    search=search,
    create=create,
    update=update,
)
