"""What plans of many patients are made from, read by one statement for all of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Text, and_, cast, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.patient_reports import AbsenceRecord, PatientEventRecord
from app.persistence.patients import Identifier, PatientRecord
from app.persistence.plans.arrays import array, collected
from app.persistence.plans.bases import ABSENCE, EVENT, OTHER, PATIENT, Kind
from app.persistence.plans.records import PatientStep
from app.persistence.tables import (
    PatientAbsenceRow,
    PatientEventRow,
    PatientIdentifierRow,
    PatientRow,
    PlannedStepRow,
    PlanRow,
)

# The patient's id comes last: by it rows are told apart before they are read.
_STEP = Kind(PatientStep, (*OTHER.columns, PlanRow.patient_id), 0, -2)
_IDENTIFIERS = (
    PatientIdentifierRow.system,
    PatientIdentifierRow.value,
    PatientIdentifierRow.patient_id,
)


@dataclass(frozen=True, slots=True)
class PatientLife:
    """A patient with what was reported of it and every dated step of its plans.

    Steps of plans that are about to be stored are added to those which were read.
    """

    patient: PatientRecord
    events: tuple[PatientEventRecord, ...]
    absences: tuple[AbsenceRecord, ...]
    steps: list[PatientStep]


async def read_lives(
    connection: AsyncConnection, clinic_id: UUID, patient_ids: Sequence[UUID]
) -> tuple[PatientLife, ...]:
    """The lives of these patients, all as of one moment."""
    if not patient_ids:
        return ()
    found = await connection.execute(_statement(connection.dialect.name, clinic_id, patient_ids))
    patients, identifiers, events, absences, steps = json.loads(found.scalar_one())
    names = {
        patient_id: tuple(Identifier(system, value) for system, value, _ in sorted(rows))
        for patient_id, rows in _by_patient(identifiers).items()
    }
    of_events, of_absences = _by_patient(events, 1), _by_patient(absences, 1)
    of_steps = _by_patient(steps)
    return tuple(
        PatientLife(
            replace(patient, identifiers=names.get(str(patient.id), ())),
            tuple(EVENT.read(of_events.get(str(patient.id), []))),
            tuple(ABSENCE.read(of_absences.get(str(patient.id), []))),
            list(_STEP.read(of_steps.get(str(patient.id), []))),
        )
        for patient in PATIENT.read(patients)
    )


def _by_patient(rows: list[list[Any]], place: int = -1) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for row in rows:
        found.setdefault(row[place], []).append(row)
    return found


def _statement(dialect: str, clinic_id: UUID, patient_ids: Sequence[UUID]) -> Any:
    of_plan = and_(
        PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.plan_id == PlanRow.id
    )
    parts = [
        select(collected(dialect, PATIENT.columns)).where(
            PatientRow.clinic_id == clinic_id, PatientRow.id.in_(patient_ids)
        ),
        select(collected(dialect, _IDENTIFIERS)).where(
            PatientIdentifierRow.clinic_id == clinic_id,
            PatientIdentifierRow.patient_id.in_(patient_ids),
        ),
        select(collected(dialect, EVENT.columns)).where(
            PatientEventRow.clinic_id == clinic_id,
            PatientEventRow.patient_id.in_(patient_ids),
            PatientEventRow.withdrawn_at.is_(None),
        ),
        select(collected(dialect, ABSENCE.columns)).where(
            PatientAbsenceRow.clinic_id == clinic_id,
            PatientAbsenceRow.patient_id.in_(patient_ids),
        ),
        select(collected(dialect, _STEP.columns))
        .join_from(PlanRow, PlannedStepRow, of_plan)
        .where(
            PlanRow.clinic_id == clinic_id,
            PlanRow.patient_id.in_(patient_ids),
            PlannedStepRow.day.is_not(None),
        ),
    ]
    everything = array(dialect, [type_coerce(part.scalar_subquery(), JSON) for part in parts])
    return select(cast(everything, Text))
