"""Two patients found to be one, a person to be forgotten, and what a patient must not do when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from app.domain.errors import Fault, Faults
from app.domain.facts import OccurrenceId
from app.domain.protocols import StepKind
from app.domain.restrictions import MergedRestriction, RestrictionSpan, merged_restrictions
from app.domain.states import PlanStatus, StepStatus
from app.persistence.events import EventRepository, NewEvent
from app.persistence.patient_lives import PatientLifeRepository
from app.persistence.patients import PatientRecord, PatientRepository
from app.persistence.plans.records import PatientStep, PlanView
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.rows import record_of, view_data
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.plans import Rechecked, recheck_patient
from app.services.plans.revising import revise

SHOWN_PLANS = frozenset({PlanStatus.ACTIVE, PlanStatus.ON_HOLD})
SHOWN_STEPS = frozenset({StepStatus.PLANNED, StepStatus.BOOKED, StepStatus.PERFORMED})


class PatientNotMergeable(Faults):
    """A patient cannot be merged with itself, nor one that was merged or erased before.

    Faults are those of the body; the empty pointer stands for the patient of the address.
    """


@dataclass(frozen=True, slots=True)
class MergedPatient:
    """The patient that lives on, and all its plans looked at again."""

    patient: PatientRecord
    plans: tuple[Rechecked, ...]


async def merge_patient(ctx: Context, patient_id: UUID, into: UUID) -> MergedPatient:
    """Give everything of one patient to another; rules over all plans are looked at again.

    Raises PatientNotFound or PatientNotMergeable.
    """
    patients = PatientRepository(ctx.connection, ctx.clinic_id)
    for held in sorted((patient_id, into)):
        await patients.hold(held)
    one, other = await patients.get(patient_id), await patients.get(into)
    if one.id == other.id:
        raise PatientNotMergeable((Fault("/into", "itself", "must be another patient"),))
    text = "was merged or erased before"
    faults = [
        Fault(pointer, "gone", text)
        for pointer, patient in (("", one), ("/into", other))
        if not patient.is_present
    ]
    if faults:
        raise PatientNotMergeable(tuple(faults))
    lives = PatientLifeRepository(ctx.connection, ctx.clinic_id)
    given = await _plans_of(ctx, one.id)
    await lives.give_all(one.id, other.id)
    happened = await _revise(ctx, given, other.id, "the patient was found to be another")
    gone = replace(one, identifiers=(), merged_into=other.id, updated_at=ctx.now)
    await patients.save(gone, revision=one.revision)
    kept = await patients.get(other.id)
    saved = await patients.save(replace(kept, updated_at=ctx.now), revision=kept.revision)
    plans = await recheck_patient(ctx, other.id)
    data = {"into": str(other.id)}
    await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    await events.append(ctx, EventType.PATIENT_MERGED, patient_id=one.id, data=data)
    return MergedPatient(saved, plans)


async def erase_patient(ctx: Context, patient_id: UUID) -> PatientRecord:
    """Forget who a patient is: name, birth date, identifiers and everything people wrote.

    Plans, revisions and counts stay; each plan has one more revision, so that nobody goes on by a
    copy of what was there. An erased patient gets no new plans. Raises PatientNotFound.
    """
    patients = PatientRepository(ctx.connection, ctx.clinic_id)
    await patients.hold(patient_id)
    patient = await patients.get(patient_id)
    if patient.erased_at is not None:
        return patient
    await PatientLifeRepository(ctx.connection, ctx.clinic_id).forget(patient_id)
    empty = replace(
        patient,
        identifiers=(),
        name=None,
        birth_date=None,
        erased_at=ctx.now,
        updated_at=ctx.now,
    )
    saved = await patients.save(empty, revision=patient.revision)
    plans = await _plans_of(ctx, patient_id)
    happened = await _revise(ctx, plans, patient_id, "the patient was erased")
    await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    await events.append(ctx, EventType.PATIENT_ERASED, patient_id=patient_id)
    return saved


async def _plans_of(ctx: Context, patient_id: UUID) -> list[PlanView]:
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    ids = await PatientLifeRepository(ctx.connection, ctx.clinic_id).plans_of(patient_id)
    return [await plans.view(id_) for id_ in sorted(ids)]


async def _revise(
    ctx: Context, views: Iterable[PlanView], patient_id: UUID, reason: str
) -> list[NewEvent]:
    """A further revision of plans that now show another patient, or less of one."""
    happened: list[NewEvent] = []
    for view in views:
        before = record_of(view)
        happened += await revise(
            ctx,
            before,
            replace(before, patient_id=patient_id),
            superseded=view_data(view),
            today=ctx.today(view.time_zone),
            reason=reason,
        )
    return happened


async def list_restrictions(ctx: Context, patient_id: UUID) -> tuple[MergedRestriction, ...]:
    """What a patient must not do or take, merged over all plans. Raises PatientNotFound."""
    await PatientRepository(ctx.connection, ctx.clinic_id).get(patient_id)
    steps = await PlanRepository(ctx.connection, ctx.clinic_id).steps_of_patient(patient_id)
    return merged_restrictions(_spans(steps))


def _spans(steps: Iterable[PatientStep]) -> list[RestrictionSpan]:
    return [
        RestrictionSpan(
            subject=step.agent or step.key,
            first=step.day,
            last=step.end_day or step.day,
            plan=str(step.plan_id),
            step=str(OccurrenceId(step.key, step.occurrence)),
        )
        for step in steps
        if step.kind == StepKind.RESTRICTION
        and step.plan_status in SHOWN_PLANS
        and step.status in SHOWN_STEPS
    ]
