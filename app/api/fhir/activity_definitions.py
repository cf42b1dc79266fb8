"""Steps of protocols over FHIR: https://hl7.org/fhir/R4/activitydefinition.html

An activity that is sent is imported as the draft of a protocol of one step.
"""

from collections.abc import AsyncIterator
from typing import Any

from app.api.etags import revision_in
from app.api.fhir.interactions import Answer, Ask, Face, Found, Resource
from app.api.fhir.naming import StepName, step_of, versions_of
from app.api.fhir.plan_definitions import read_body, refuse_another, report_of
from app.api.fhir.queries import Parameter, Query, Token
from app.api.fhir.writing import refuse
from app.api.refusals import ResourceRefused
from app.domain.errors import Fault
from app.domain.protocols import Step
from app.domain.states import VersionStatus
from app.integrations.fhir.activity_definitions import ACTIVITY, activity_definition, as_protocol
from app.integrations.fhir.elements import meta
from app.integrations.fhir.plan_definitions import without_narratives
from app.integrations.fhir.urls import activity_id, activity_parts, is_named
from app.integrations.fhir.validating import faults_by_r4
from app.services import protocols
from app.services.listing import SearchPage, Text
from app.services.protocol_searches import VersionSearch, find_versions
from app.services.protocols import StoredVersion, VersionNotFound

_PAGE = 50


async def read(ask: Ask) -> Resource:
    """What is done at one step of one version."""
    name, step = await step_of(ask.ctx, ask.id)
    stored = await protocols.get_version(ask.ctx, *name)
    return _resource(stored, _step(stored, step))


async def vread(ask: Ask) -> Resource:
    """The same at one revision of the version; a draft keeps no earlier ones."""
    found = await read(ask)
    if found["meta"]["versionId"] != ask.version:
        raise VersionNotFound("that revision is not kept")
    return found


async def search(ask: Ask, query: Query) -> Found:
    """Steps of all protocols, by protocol, version and their order."""
    found: list[tuple[StoredVersion, Step]] = []
    total = 0
    async for one in _fitting(ask, query):
        total += 1
        if len(found) <= query.count:
            found.append(one)
        elif not query.total:
            break
    shown = found[: query.count]
    following = None
    if shown and len(found) > len(shown):
        stored, step = shown[-1]
        following = (stored.record.protocol_key, stored.record.version, step.key)
    items = tuple(_resource(*one) for one in shown)
    return Found(items=items, next=following, total=total if query.total else None)


async def create(ask: Ask) -> Answer:
    """Import what was sent as a protocol of one step."""
    return await _import(ask)


async def update(ask: Ask) -> Answer:
    """Replace a draft of one step by what was sent."""
    name = await step_of(ask.ctx, ask.id)
    return await _import(ask, name, revision_in(ask.headers.get("if-match")))


async def _import(ask: Ask, name: StepName | None = None, revision: int = 0) -> Answer:
    body = _checked(ask.body)
    resource = without_narratives(as_protocol(body))
    sent = await read_body(resource)
    document = sent.document
    assert document is not None  # noqa: S101 - nothing was refused
    if name is None:
        stored = await protocols.import_version(ask.ctx, document, resource)
    else:
        known = await protocols.get_version(ask.ctx, *name[0])
        _step(known, name[1])
        refuse_another("ActivityDefinition", (body.get("id"), ask.id), document, known)
        stored = await protocols.edit_version(
            ask.ctx, *name[0], document, revision=revision, imported=resource
        )
    made = _resource(stored, _step(stored, ACTIVITY))
    place = f"ActivityDefinition/{made['id']}/_history/{made['meta']['versionId']}"
    return Answer(
        resource=made,
        status=201 if name is None else 200,
        location=place if name is None else None,
        outcome=report_of(sent),
    )


def _checked(body: Any) -> dict[str, Any]:
    at = "ActivityDefinition"
    if not isinstance(body, dict) or body.get("resourceType") != at:
        raise ResourceRefused((Fault(at, "structure", "must be an ActivityDefinition"),))
    refuse(faults_by_r4(body))
    return body


def _step(stored: StoredVersion, name: str) -> Step:
    for step in stored.document.protocol.steps:
        if is_named(name, step.key):
            return step
    raise VersionNotFound("the version has no such step")


def _resource(stored: StoredVersion, step: Step) -> Resource:
    record = stored.record
    said = activity_definition(stored.document, step, record.imported)
    return {
        **said,
        "id": activity_id(record.protocol_key, record.version, step.key),
        "meta": {**said.get("meta", {}), **meta(record.revision, record.updated_at)},
        "status": record.status,
    }


async def _fitting(ask: Ask, query: Query) -> AsyncIterator[tuple[StoredVersion, Step]]:
    """Every step that fits, after the one that was shown last."""
    last = tuple(str(part) for part in query.after or ())
    async for stored in _versions(ask, query, last):
        steps = list(stored.document.protocol.steps)
        record = stored.record
        if last[:2] == (record.protocol_key, record.version):
            keys = [step.key for step in steps]
            steps = steps[keys.index(last[2]) + 1 :] if last[2] in keys else []
        for step in steps:
            if _fits(query, _resource(stored, step)):
                yield stored, step


async def _versions(ask: Ask, query: Query, last: tuple[str, ...]) -> AsyncIterator[StoredVersion]:
    """The versions that fit, from that of the step that was shown last."""
    ids: tuple[Token, ...] | None = query.any_of("_id")
    names = None
    if ids is not None:
        parts = [found for one in ids if (found := activity_parts(one.code)) is not None]
        names = await versions_of(ask.ctx, [of_version for of_version, _ in parts])
    wanted = VersionSearch(
        names=names,
        versions=query.codes("version"),
        statuses=query.codes("status"),
        updated=query.instants("_lastUpdated"),
    )
    after: tuple[str | int, ...] | None = last[:2] or None
    if last:
        yield await protocols.get_version(ask.ctx, last[0], last[1])
    while True:
        page = await find_versions(ask.ctx, wanted, SearchPage(limit=_PAGE, after=after))
        for stored in page.items:
            yield stored
        if page.next is None:
            return
        after = page.next


def _fits(query: Query, resource: Resource) -> bool:
    ids: tuple[Token, ...] | None = query.any_of("_id")
    urls: tuple[str, ...] | None = query.any_of("url")
    title = str(resource.get("title", ""))
    return (
        (ids is None or resource["id"] in {one.code for one in ids})
        and (urls is None or resource.get("url") in urls)
        and all(
            any(_is_titled(title, part) for part in group)
            for group in query.criteria.get("title", ())
        )
    )


def _is_titled(title: str, part: Text) -> bool:
    return title == part.words if part.whole else part.words.casefold() in title.casefold()


FACE = Face(
    type="ActivityDefinition",
    text="What is done at a step; what is sent is imported as a protocol of one step.",
    mandatory=frozenset({"status"}),
    summary=frozenset(
        {"url", "identifier", "version", "name", "title", "status", "experimental", "date"}
        | {"publisher", "contact", "description", "useContext", "jurisdiction", "effectivePeriod"}
        | {"kind", "code"}
    ),
    parameters=(
        Parameter("url", "uri", "The canonical address, without a version."),
        Parameter("version", "token", "The protocol's version."),
        Parameter("status", "token", "draft, active or retired.", codes=tuple(VersionStatus)),
        Parameter("title", "string", "A part of the title."),
    ),
    read=read,
    vread=vread,
    search=search,
    create=create,
    update=update,
)
