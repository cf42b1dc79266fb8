"""Loads what a plan is made from: protocol version, patient, location, rules, other plans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from app.domain.calendars import Absence, Calendar, Closure
from app.domain.documents import ProtocolDocument
from app.domain.errors import DomainError
from app.domain.facts import Reported
from app.domain.plans.state import Surroundings
from app.domain.rules import Rule
from app.domain.states import VersionStatus
from app.persistence.locations import (
    ClosureRecord,
    ClosureRepository,
    LocationNotFound,
    LocationRecord,
)
from app.persistence.patient_reports import (
    AbsenceRecord,
    PatientEventRecord,
    PatientReportRepository,
)
from app.persistence.patients import (
    PatientNotFound,
    PatientRecord,
    PatientRepository,
)
from app.persistence.plans.bases import BasisRecord, ClosedDays, Named, closures_in, read_basis
from app.persistence.plans.records import PatientStep, PlanRecord
from app.persistence.plans.repository import PlanRepository
from app.persistence.protocols import ProtocolRepository, VersionSummary
from app.services import clinic
from app.services.context import Context
from app.services.plans.documents import parsed
from app.services.plans.others import HeldTo, load_held, other_plans
from app.services.plans.requests import PlanRequest
from app.services.presence import present

MAX_REMEMBERED = 256
# Offsets are at most ten years; facts of a plan may lie as far back.
CLOSED_BEFORE = timedelta(days=3650)
CLOSED_AFTER = timedelta(days=3650)


class LocationNotNamed(DomainError):
    """The clinic has several locations, or none; a plan must name one."""


class VersionNotUsable(DomainError):
    """New plans are made by active protocol versions only."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything a plan is made from, as of today at its location."""

    version: VersionSummary
    document: ProtocolDocument
    patient: PatientRecord
    location: LocationRecord
    around: Surroundings
    today: date


async def load_basis(
    ctx: Context,
    request: PlanRequest,
    *,
    allow_draft: bool = False,
    unstored: tuple[VersionSummary, ProtocolDocument] | None = None,
) -> Basis:
    """Look up what a request names, all at once; a version may be given that is not stored.

    Raises ProtocolNotFound, VersionNotFound, NoActiveVersion, VersionNotUsable, PatientNotFound,
    PatientErased, LocationNotFound or LocationNotNamed.
    """
    found = await read_basis(
        ctx.connection, ctx.clinic_id, _named(request), closed=_reach(ctx.now.date())
    )
    if unstored is None:
        version = await _usable(
            ctx,
            request.protocol_key,
            request.protocol_version,
            found=found.version,
            allow_draft=allow_draft,
        )
        unstored = version, await _document_of(ctx, version)
    return await _basis(
        ctx,
        found,
        *unstored,
        patient=only_patient(found.patient, request),
        location=only_location(found.locations, request.location_id),
        laterality=request.laterality,
    )


async def _document_of(ctx: Context, version: VersionSummary) -> ProtocolDocument:
    return await parsed.document(ProtocolRepository(ctx.connection, ctx.clinic_id), version)


async def load_standing(
    ctx: Context, plan: PlanRecord, *, clinic_rules: str | None = None
) -> Basis:
    """Look up what a stored plan is made from, all at once; its version may be retired by now.

    Rules may be given instead of the clinic's.
    """
    named = Named(
        protocol_key=plan.protocol_key,
        version=plan.protocol_version,
        patient_id=plan.patient_id,
        location_id=plan.location_id,
        besides=plan.id,
    )
    found = await read_basis(ctx.connection, ctx.clinic_id, named, closed=_reach(ctx.now.date()))
    if clinic_rules is not None:
        found = replace(found, clinic_rules=clinic_rules)
    (location,) = found.locations
    # What a plan names is there as long as the plan: nothing of it can be deleted.
    assert found.version is not None  # noqa: S101
    assert found.patient is not None  # noqa: S101
    return await _basis(
        ctx,
        found,
        found.version,
        await _document_of(ctx, found.version),
        patient=found.patient,
        location=location,
        laterality=plan.laterality,
        plan_id=plan.id,
    )


async def _basis(
    ctx: Context,
    found: BasisRecord,
    version: VersionSummary,
    document: ProtocolDocument,
    *,
    patient: PatientRecord,
    location: LocationRecord,
    laterality: str | None,
    plan_id: UUID | None = None,
) -> Basis:
    around = surroundings_of(
        document,
        patient,
        calendar=_calendar(tuple(location.open_weekdays), found.closures),
        clinic_rules=clinic.applied(found.clinic_rules, document.protocol),
        laterality=laterality,
        events=found.events,
        absences=found.absences,
        others=found.others,
        held=await load_held(ctx, found.others, found.clinic_rules),
        plan_id=plan_id,
    )
    return Basis(version, document, patient, location, around, ctx.today(location.time_zone))


async def hold_patient(ctx: Context, request: PlanRequest) -> None:
    """Let nobody else make a plan for this patient until this one is stored."""
    patient = request.patient_id or request.patient_identifier
    if patient is not None:
        await PatientRepository(ctx.connection, ctx.clinic_id).hold(patient)


def _named(request: PlanRequest) -> Named:
    return Named(
        protocol_key=request.protocol_key,
        version=request.protocol_version,
        patient_id=request.patient_id,
        patient_identifier=request.patient_identifier,
        location_id=request.location_id,
    )


async def load_active(
    ctx: Context, key: str, version: str | None
) -> tuple[VersionSummary, ProtocolDocument]:
    """A version by which plans are made, with its document.

    Raises ProtocolNotFound, VersionNotFound, NoActiveVersion or VersionNotUsable.
    """
    summary = await _usable(ctx, key, version)
    protocols = ProtocolRepository(ctx.connection, ctx.clinic_id)
    return summary, await parsed.document(protocols, summary)


async def _usable(
    ctx: Context,
    key: str,
    version: str | None,
    *,
    found: VersionSummary | None = None,
    allow_draft: bool = False,
) -> VersionSummary:
    if found is None:
        # Not looked for yet, or not there: the repository says what is missing.
        found = await ProtocolRepository(ctx.connection, ctx.clinic_id).get_summary(key, version)
    usable = {VersionStatus.ACTIVE, VersionStatus.DRAFT} if allow_draft else {VersionStatus.ACTIVE}
    if found.status not in usable:
        raise VersionNotUsable(f"version '{found.version}' is {found.status}, not active")
    return found


async def load_version(
    ctx: Context, key: str, version: str | None
) -> tuple[VersionSummary, ProtocolDocument]:
    """A version, else the active one, with its document."""
    protocols = ProtocolRepository(ctx.connection, ctx.clinic_id)
    summary = await protocols.get_summary(key, version)
    return summary, await parsed.document(protocols, summary)


async def load_surroundings(
    ctx: Context,
    document: ProtocolDocument,
    patient: PatientRecord,
    location: LocationRecord,
    *,
    laterality: str | None,
    today: date,
    plan_id: UUID | None = None,
) -> Surroundings:
    """What lies round a plan; ``plan_id`` is left out of the patient's other plans."""
    reports = PatientReportRepository(ctx.connection, ctx.clinic_id)
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    others = await plans.steps_of_patient(patient.id, besides=plan_id)
    clinic_rules = await clinic.rules_document(ctx)
    return surroundings_of(
        document,
        patient,
        calendar=await load_calendar(ctx, location, today),
        clinic_rules=clinic.applied(clinic_rules, document.protocol),
        laterality=laterality,
        events=await reports.events(patient.id),
        absences=await reports.absences(patient.id),
        others=others,
        held=await load_held(ctx, others, clinic_rules),
        plan_id=plan_id,
    )


def surroundings_of(
    document: ProtocolDocument,
    patient: PatientRecord,
    *,
    calendar: Calendar,
    clinic_rules: tuple[Rule, ...],
    laterality: str | None,
    events: Iterable[PatientEventRecord],
    absences: Iterable[AbsenceRecord],
    others: Iterable[PatientStep],
    held: Mapping[UUID, HeldTo],
    plan_id: UUID | None = None,
) -> Surroundings:
    """What lies round a plan, from what was loaded."""
    return Surroundings(
        calendar=calendar,
        clinic_rules=clinic_rules,
        birth_date=patient.birth_date,
        body_site=None if document.body_site is None else document.body_site.key,
        laterality=laterality,
        reported=tuple(
            Reported(
                id=str(event.id),
                on=event.on_day,
                agent=event.agent,
                finding=event.finding,
                body_site=event.body_site,
                laterality=event.laterality,
                cleared_on=event.cleared_on,
            )
            for event in events
        ),
        absences=tuple(
            Absence(str(absence.id), absence.first_day, absence.last_day) for absence in absences
        ),
        other_plans=other_plans(others, held, plan_id),
    )


async def load_calendar(ctx: Context, location: LocationRecord, today: date) -> Calendar:
    """A location's open weekdays, and its closures as far as plans reach."""
    first, last = _reach(today)
    closures = await ClosureRepository(ctx.connection, ctx.clinic_id).of_location(
        location.id, from_day=first, to_day=last
    )
    return _calendar_of(location.open_weekdays, closures)


def _reach(today: date) -> tuple[date, date]:
    return today - CLOSED_BEFORE, today + CLOSED_AFTER


@lru_cache(maxsize=MAX_REMEMBERED)
def _calendar(open_weekdays: tuple[int, ...], closures: str) -> Calendar:
    """Closures are many and rarely change: the same text gives the same calendar."""
    return _calendar_of(open_weekdays, closures_in(closures))


def _calendar_of(
    open_weekdays: Iterable[int], closures: Iterable[ClosureRecord | ClosedDays]
) -> Calendar:
    return Calendar(
        open_weekdays=frozenset(open_weekdays),
        closures=tuple(
            Closure(closure.key, closure.first_day, closure.last_day, closure.title)
            for closure in closures
        ),
    )


def only_patient(found: PatientRecord | None, request: PlanRequest) -> PatientRecord:
    """The patient of a request. Raises PatientNotFound or PatientErased."""
    if found is None:
        by_id = request.patient_id is not None
        raise PatientNotFound("no such patient" if by_id else "no patient has this identifier")
    return present(found)


def only_location(found: tuple[LocationRecord, ...], location_id: UUID | None) -> LocationRecord:
    """The location that is named, or the only one. Raises LocationNotFound or LocationNotNamed."""
    if location_id is not None and not found:
        raise LocationNotFound("no such location")
    if len(found) != 1:
        count = "no location" if not found else "several locations"
        raise LocationNotNamed(f"the clinic has {count}: location_id is needed")
    return found[0]


def default_not_before(today: date, location: LocationRecord) -> date:
    """The first day a location can be booked for."""
    return today + timedelta(days=location.notice_days)
