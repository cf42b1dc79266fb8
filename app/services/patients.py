"""Shadow patients: found and kept up to date by what other systems call them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypedDict
from uuid import UUID

from app.persistence.patients import (
    Identifier,
    IdentifierTaken,
    PatientChangedMeanwhile,
    PatientNotFound,
    PatientRecord,
    PatientRepository,
    PatientSearch,
)
from app.persistence.searches import SearchPage
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.listing import Listed, Searched, page_of
from app.services.plans.rechecking import recheck_patient
from app.services.presence import PatientErased, present

__all__ = [
    "Identifier",
    "IdentifierTaken",
    "PatientChangedMeanwhile",
    "PatientErased",
    "PatientNotFound",
    "PatientRecord",
    "PatientSearch",
]


class PatientChange(TypedDict, total=False):
    """What is to be different; what is absent stays."""

    identifiers: tuple[Identifier, ...]
    name: str | None
    birth_date: date | None


@dataclass(frozen=True, slots=True)
class Upserted:
    """The patient, and whether it was added just now."""

    patient: PatientRecord
    is_new: bool


async def upsert_patient(ctx: Context, change: PatientChange) -> Upserted:
    """Add a patient, or bring the one up to date who has any of the identifiers.

    Identifiers are added to those known. Raises IdentifierTaken when the identifiers belong to
    different patients.
    """
    known = await _find(ctx, change.get("identifiers", ()))
    if known is None:
        return Upserted(await _add(ctx, change), is_new=True)
    identifiers = (*known.identifiers, *change.get("identifiers", ()))
    wanted = _changed(known, {**change, "identifiers": identifiers})
    if wanted == known:
        return Upserted(known, is_new=False)
    return Upserted(await _save(ctx, known, wanted, revision=known.revision), is_new=False)


async def add_patient(ctx: Context, change: PatientChange) -> PatientRecord:
    """Add a patient. Raises IdentifierTaken where another one is known by an identifier."""
    return await _add(ctx, change)


async def get_patient(ctx: Context, patient_id: UUID) -> PatientRecord:
    """One patient. Raises PatientNotFound."""
    return await PatientRepository(ctx.connection, ctx.clinic_id).get(patient_id)


async def get_present_patient(ctx: Context, patient_id: UUID) -> PatientRecord:
    """One patient who is to get something new. Raises PatientNotFound or PatientErased."""
    return present(await get_patient(ctx, patient_id))


async def list_patients(ctx: Context, *, after: UUID | None, limit: int) -> Listed[PatientRecord]:
    """The clinic's patients in the order in which they were added."""
    repository = PatientRepository(ctx.connection, ctx.clinic_id)
    rows = await repository.page(after=after, limit=limit + 1)
    return page_of(rows, limit, lambda patient: (str(patient.id),))


async def search_patients(
    ctx: Context,
    *,
    name: str | None,
    birth_date: date | None,
    identifier: Identifier | None,
    after: UUID | None,
    limit: int,
) -> Listed[PatientRecord]:
    """Patients who match everything given; a part of the name is enough."""
    rows = await PatientRepository(ctx.connection, ctx.clinic_id).search(
        name=name, birth_date=birth_date, identifier=identifier, after=after, limit=limit + 1
    )
    return page_of(rows, limit, lambda patient: (str(patient.id),))


async def find_patients(
    ctx: Context, wanted: PatientSearch, page: SearchPage
) -> Searched[PatientRecord]:
    """One page of the patients who fit, in the order that is asked for."""
    repository = PatientRepository(ctx.connection, ctx.clinic_id)
    ids = await repository.find_all(wanted, page)
    return Searched(await repository.all_of(ids.ids), ids.next, ids.total)


async def change_patient(
    ctx: Context, patient_id: UUID, change: PatientChange, *, revision: int
) -> PatientRecord:
    """Change a patient; identifiers, where given, replace those known.

    By another birth date plans are looked at again: what counts from it may have to move. Raises
    PatientNotFound, PatientErased, PatientChangedMeanwhile or IdentifierTaken.
    """
    known = await get_present_patient(ctx, patient_id)
    return await _save(ctx, known, _changed(known, change), revision=revision)


async def _find(ctx: Context, identifiers: tuple[Identifier, ...]) -> PatientRecord | None:
    repository = PatientRepository(ctx.connection, ctx.clinic_id)
    found = {}
    for identifier in identifiers:
        patient = await repository.find(identifier)
        if patient is not None:
            found[patient.id] = patient
    if len(found) > 1:
        raise IdentifierTaken("the identifiers belong to different patients")
    return next(iter(found.values()), None)


async def _add(ctx: Context, change: PatientChange) -> PatientRecord:
    patient = PatientRecord(
        id=ctx.new_id(),
        identifiers=_sorted(change.get("identifiers", ())),
        name=change.get("name"),
        birth_date=change.get("birth_date"),
        revision=1,
        created_at=ctx.now,
        updated_at=ctx.now,
    )
    await PatientRepository(ctx.connection, ctx.clinic_id).add(patient)
    await events.append(ctx, EventType.PATIENT_ADDED, patient_id=patient.id, revision=1)
    return patient


async def _save(
    ctx: Context, known: PatientRecord, patient: PatientRecord, *, revision: int
) -> PatientRecord:
    repository = PatientRepository(ctx.connection, ctx.clinic_id)
    saved = await repository.save(replace(patient, updated_at=ctx.now), revision=revision)
    if saved.birth_date != known.birth_date:
        await recheck_patient(ctx, saved.id)
    await events.append(
        ctx, EventType.PATIENT_CHANGED, patient_id=saved.id, revision=saved.revision
    )
    return saved


def _changed(patient: PatientRecord, change: PatientChange) -> PatientRecord:
    values: dict[str, Any] = dict(change)
    if "identifiers" in change:
        values["identifiers"] = _sorted(change["identifiers"])
    return replace(patient, **values)


def _sorted(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Each once, in the order in which they are stored."""
    return tuple(sorted(set(identifiers), key=lambda one: (one.system, one.value)))
