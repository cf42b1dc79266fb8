"""What is known of a patient's life outside plans: reported events and absences."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.domain.calendars import Absence
from app.domain.errors import Fault, Faults
from app.domain.facts import Reported
from app.persistence.locations import LocationRepository
from app.persistence.patient_reports import (
    AbsenceNotFound,
    AbsenceRecord,
    PatientEventNotFound,
    PatientEventRecord,
    PatientReportRepository,
)
from app.services import events, patients
from app.services.context import Context
from app.services.events import EventType
from app.services.plans import Rechecked, recheck_patient

__all__ = ["AbsenceNotFound", "AbsenceRecord", "PatientEventNotFound", "PatientEventRecord"]


class InvalidReport(Faults):
    """What is reported of a patient has not happened yet; each fault by its JSON pointer."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something reported of a patient, with what a person wrote beside it."""

    reported: Reported
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """An event that was stored, and every plan of the patient looked at again."""

    event: PatientEventRecord
    plans: tuple[Rechecked, ...]


@dataclass(frozen=True, slots=True)
class AddedAbsence:
    """An absence that was stored, and every plan of the patient looked at again."""

    absence: AbsenceRecord
    plans: tuple[Rechecked, ...]


async def report_event(ctx: Context, patient_id: UUID, new: NewEvent) -> ReportedEvent:
    """Keep what was given to a patient, or found, perhaps elsewhere; look at all plans again.

    No day moves: what is wrong is flagged, with what would make it right. Raises PatientNotFound,
    PatientErased or InvalidReport.
    """
    await patients.get_present_patient(ctx, patient_id)
    await _refuse_future(ctx, new.reported)
    event = PatientEventRecord(
        id=ctx.new_id(),
        patient_id=patient_id,
        agent=new.reported.agent,
        finding=new.reported.finding,
        on_day=new.reported.on,
        cleared_on=new.reported.cleared_on,
        body_site=new.reported.body_site,
        laterality=new.reported.laterality,
        note=new.note,
        created_at=ctx.now,
    )
    await PatientReportRepository(ctx.connection, ctx.clinic_id).add_event(event)
    rechecked = await recheck_patient(ctx, patient_id)
    await events.append(
        ctx,
        EventType.PATIENT_EVENT_REPORTED,
        patient_id=patient_id,
        data={"event_id": str(event.id)},
    )
    return ReportedEvent(event, rechecked)


async def _refuse_future(ctx: Context, reported: Reported) -> None:
    """A fact cannot lie after today, at whichever of the clinic's locations it is latest."""
    zones = await LocationRepository(ctx.connection, ctx.clinic_id).time_zones()
    today = max(ctx.today(zone) for zone in zones or ("UTC",))
    days = {"on": reported.on, "cleared_on": reported.cleared_on}
    faults = [
        Fault(f"/{member}", "after-today", "must not lie after today")
        for member, day in days.items()
        if day is not None and day > today
    ]
    if faults:
        raise InvalidReport(tuple(faults))


async def list_events(ctx: Context, patient_id: UUID) -> tuple[PatientEventRecord, ...]:
    """A patient's reported events by day. Raises PatientNotFound."""
    await patients.get_patient(ctx, patient_id)
    return await PatientReportRepository(ctx.connection, ctx.clinic_id).events(patient_id)


async def withdraw_event(ctx: Context, patient_id: UUID, event_id: UUID) -> None:
    """Take back what was reported in error; the record is kept.

    Raises PatientNotFound or PatientEventNotFound.
    """
    await patients.get_patient(ctx, patient_id)
    repository = PatientReportRepository(ctx.connection, ctx.clinic_id)
    await repository.withdraw_event(patient_id, event_id, now=ctx.now)
    await recheck_patient(ctx, patient_id)
    await events.append(
        ctx,
        EventType.PATIENT_EVENT_WITHDRAWN,
        patient_id=patient_id,
        data={"event_id": str(event_id)},
    )


async def add_absence(
    ctx: Context, patient_id: UUID, absence: Absence, *, note: str | None
) -> AddedAbsence:
    """Keep days on which a patient cannot come, and look at all plans again.

    Raises PatientNotFound or PatientErased.
    """
    await patients.get_present_patient(ctx, patient_id)
    record = AbsenceRecord(
        id=ctx.new_id(),
        patient_id=patient_id,
        first_day=absence.first,
        last_day=absence.last,
        note=note,
        created_at=ctx.now,
    )
    await PatientReportRepository(ctx.connection, ctx.clinic_id).add_absence(record)
    rechecked = await recheck_patient(ctx, patient_id)
    await events.append(
        ctx,
        EventType.ABSENCE_ADDED,
        patient_id=patient_id,
        data={"absence_id": str(record.id)},
    )
    return AddedAbsence(record, rechecked)


async def list_absences(
    ctx: Context, patient_id: UUID, *, from_day: date | None
) -> tuple[AbsenceRecord, ...]:
    """A patient's absences by first day. Raises PatientNotFound."""
    await patients.get_patient(ctx, patient_id)
    repository = PatientReportRepository(ctx.connection, ctx.clinic_id)
    return await repository.absences(patient_id, from_day=from_day)


async def remove_absence(ctx: Context, patient_id: UUID, absence_id: UUID) -> None:
    """The patient can come after all. Raises PatientNotFound or AbsenceNotFound."""
    await patients.get_patient(ctx, patient_id)
    repository = PatientReportRepository(ctx.connection, ctx.clinic_id)
    await repository.remove_absence(patient_id, absence_id)
    await recheck_patient(ctx, patient_id)
    await events.append(
        ctx,
        EventType.ABSENCE_REMOVED,
        patient_id=patient_id,
        data={"absence_id": str(absence_id)},
    )
