"""What plans of many patients are made from, read by one statement for all of them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, Text, and_, cast, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.patient_reports import AbsenceRecord, PatientEventRecord
from app.persistence.patients import Identifier, PatientRecord
from app.persistence.plans.arrays import among, array, collected, given_ids
from app.persistence.plans.bases import ABSENCE, EVENT, OTHER, PATIENT, Kind
from app.persistence.plans.records import PatientStep
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.protocols import VersionSummary
from app.persistence.records import columns_of
from app.persistence.tables import (
    JsonObject,
    PatientAbsenceRow,
    PatientEventRow,
    PatientIdentifierRow,
    PatientRow,
    PlannedStepRow,
    PlanRow,
    ProtocolVersionRow,
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
    """A patient with what was reported of it and every dated step of its plans."""

    patient: PatientRecord
    events: tuple[PatientEventRecord, ...]
    absences: tuple[AbsenceRecord, ...]
    steps: tuple[PatientStep, ...]


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """What a plan goes by: its facts and choices, and its version of a protocol."""

    plan_id: UUID
    state: JsonObject
    version: VersionSummary


async def read_lives(
    connection: AsyncConnection, clinic_id: UUID, patient_ids: Sequence[UUID]
) -> tuple[PatientLife, ...]:
    """The lives of these patients, all as of one moment."""
    if not patient_ids:
        return ()
    dialect = connection.dialect.name
    values = {"clinic_id": clinic_id, "ids": given_ids(dialect, patient_ids)}
    ((found,),) = await _statement(dialect).read(connection, values)
    patients, identifiers, events, absences, steps = json.loads(found)
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
            tuple(_STEP.read(of_steps.get(str(patient.id), []))),
        )
        for patient in PATIENT.read(patients)
    )


async def read_standings(
    connection: AsyncConnection, clinic_id: UUID, plan_ids: Collection[UUID]
) -> tuple[PlanStanding, ...]:
    """What these plans go by."""
    by_version = and_(
        ProtocolVersionRow.clinic_id == PlanRow.clinic_id,
        ProtocolVersionRow.protocol_key == PlanRow.protocol_key,
        ProtocolVersionRow.version == PlanRow.protocol_version,
    )
    columns = columns_of(ProtocolVersionRow, VersionSummary)
    rows = await connection.execute(
        select(PlanRow.id, PlanRow.state, *columns)
        .join_from(PlanRow, ProtocolVersionRow, by_version)
        .where(PlanRow.clinic_id == clinic_id, PlanRow.id.in_(plan_ids))
    )
    names = [column.key for column in columns]
    return tuple(
        PlanStanding(id_, state, VersionSummary(**dict(zip(names, version, strict=True))))
        for id_, state, *version in rows
    )


def _by_patient(rows: list[list[Any]], place: int = -1) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for row in rows:
        found.setdefault(row[place], []).append(row)
    return found


@cache
def _statement(dialect: str) -> Prepared:
    of_plan = and_(
        PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.plan_id == PlanRow.id
    )

    def of_patients(row: Any, column: Any) -> ColumnElement[bool]:
        return and_(row.clinic_id == parameter(row.clinic_id), among(dialect, column, "ids"))

    parts = [
        select(collected(dialect, PATIENT.columns)).where(of_patients(PatientRow, PatientRow.id)),
        select(collected(dialect, _IDENTIFIERS)).where(
            of_patients(PatientIdentifierRow, PatientIdentifierRow.patient_id)
        ),
        select(collected(dialect, EVENT.columns)).where(
            of_patients(PatientEventRow, PatientEventRow.patient_id),
            PatientEventRow.withdrawn_at.is_(None),
        ),
        select(collected(dialect, ABSENCE.columns)).where(
            of_patients(PatientAbsenceRow, PatientAbsenceRow.patient_id)
        ),
        select(collected(dialect, _STEP.columns))
        .join_from(PlanRow, PlannedStepRow, of_plan)
        .where(of_patients(PlanRow, PlanRow.patient_id), PlannedStepRow.day.is_not(None)),
    ]
    everything = array(dialect, [type_coerce(part.scalar_subquery(), JSON) for part in parts])
    return prepare(select(cast(everything, Text)), dialect)
