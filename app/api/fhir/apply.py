"""Applies a protocol to a patient: https://hl7.org/fhir/R4/plandefinition-operation-apply.html

A preview unless ``persist`` is true; then the plan is stored as ``POST /v1/plans`` stores it, and
has to be posted. A preview may be asked for by GET where its parameters have no parts.
"""

from dataclasses import dataclass, replace

from anyio import to_thread

from app.api.fhir.apply_request import refuse, request_of
from app.api.fhir.interactions import Answer, Ask
from app.api.fhir.naming import version_of
from app.api.fhir.outcomes import ROOT
from app.api.fhir.plan_definitions import read_body
from app.api.fhir.searching import SHAPING
from app.api.fhir.ways_out import of_applying
from app.api.refusals import ResourceRefused
from app.domain.documents import ProtocolDocument
from app.domain.errors import Fault
from app.domain.states import PlanStatus
from app.integrations.fhir.applied import applied_care_plan
from app.integrations.fhir.apply_parameters import Asked, parameters_of, read_parameters
from app.integrations.fhir.care_plans import care_plan
from app.integrations.fhir.findings import Findings, Verdict
from app.integrations.fhir.plan_definitions import ReadPlanDefinition, read_protocol
from app.integrations.fhir.urls import PROTOCOLS
from app.services import plans, protocols
from app.services.listing import SearchPage
from app.services.plans import ScheduleConflict
from app.services.plans.requests import PlanRequest
from app.services.protocol_searches import VersionName, VersionSearch, find_versions

_AT = "Parameters.parameter"


@dataclass(frozen=True, slots=True)
class Applied:
    """What is applied: a document, whether it is stored, and how it was read if it was foreign."""

    document: ProtocolDocument
    stored: bool
    read: ReadPlanDefinition | None = None


async def apply(ask: Ask) -> Answer:
    """The plan which a protocol makes for a patient, every step with its day."""
    findings = Findings()
    in_address = [(name, value) for name, value in ask.params if name not in SHAPING]
    body = parameters_of(in_address) if ask.body is None else ask.body
    asked = read_parameters(body, findings)
    if asked.persist and ask.body is None:
        findings.refuse(_AT, "not-supported", "nothing is stored by GET: post it")
    refuse(findings)
    applied = await _applied(ask, asked)
    _refuse_unevaluated(applied)
    request = await request_of(ask.ctx, asked, applied.document, applied.read)
    try:
        return await _planned(ask, request, applied, persist=asked.persist)
    except ScheduleConflict as error:
        error.told = of_applying(
            error,
            parameters=body,
            address=f"{ROOT}/PlanDefinition/{ask.id}/$apply".replace("//", "/"),
            document=applied.document,
            request=request if applied.stored else None,
        )
        raise


async def _planned(ask: Ask, request: PlanRequest, applied: Applied, *, persist: bool) -> Answer:
    if not persist:
        request = replace(request, status=PlanStatus.DRAFT)
        if applied.stored:
            planned = await plans.preview_plan(ask.ctx, request)
        else:
            planned = await plans.preview_document(ask.ctx, request, applied.document)
        return Answer(resource=applied_care_plan(plans.view_of_planned(planned)))
    if not applied.stored:
        text = "only what is stored can be followed: create it, and apply it by its id"
        raise ResourceRefused((Fault(_AT, "business-rule", text),))
    view = plans.view_of_planned(await plans.create_plan(ask.ctx, request))
    resource = care_plan(view)
    place = f"CarePlan/{view.id}/_history/{view.revision}"
    return Answer(resource=resource, status=201, location=place)


async def _applied(ask: Ask, asked: Asked) -> Applied:
    """What is to be applied. Raises ResourceRefused unless it is named once."""
    given = [bool(ask.id), asked.definition is not None, asked.canonical is not None]
    if sum(given) != 1:
        text = "one protocol is applied: by its id, as planDefinition, or by its canonical"
        raise ResourceRefused((Fault(_AT, "required", text),))
    if asked.definition is not None:
        read = await read_body(asked.definition)
        assert read.document is not None  # noqa: S101 - nothing was refused
        return Applied(read.document, stored=False, read=read)
    if ask.id:
        name = await version_of(ask.ctx, ask.id)
    else:
        name = await _named(ask, asked.canonical or "")
    stored = await protocols.get_version(ask.ctx, *name)
    imported = stored.record.imported
    sent = None if imported is None else await to_thread.run_sync(read_protocol, imported)
    return Applied(stored.document, stored=True, read=sent)


async def _named(ask: Ask, canonical: str) -> VersionName:
    """The version which a canonical names, else the active one. Raises ResourceRefused."""
    url, _, version = canonical.partition("|")
    own, _, last = url.rpartition(":")
    key = last if own == PROTOCOLS else None
    wanted = VersionSearch(canonicals=((key, url),))
    found = (await find_versions(ask.ctx, wanted, SearchPage(limit=200))).items
    for stored in found:
        record = stored.record
        versions = {record.version, (record.imported or {}).get("version")}
        if version in versions if version else record.status == "active":
            return record.protocol_key, record.version
    raise ResourceRefused((Fault(_AT, "not-found", "there is no such version, or none active"),))


def _refuse_unevaluated(applied: Applied) -> None:
    """Raise ResourceRefused for what would fill in the requests and is not evaluated."""
    found = () if applied.read is None else applied.read.findings
    faults = tuple(
        Fault(one.expression, "not-supported", one.text)
        for one in found
        if one.verdict is Verdict.KEPT and one.code == "not-supported"
    )
    if faults:
        raise ResourceRefused(faults)
