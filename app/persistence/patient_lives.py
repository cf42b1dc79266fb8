"""A patient's rows when two patients turn out to be one, or a person must be forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, cast, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.tables import (
    IdempotencyKeyRow,
    JsonObject,
    PatientAbsenceRow,
    PatientEventRow,
    PatientIdentifierRow,
    PatientRow,
    PlanIdentifierRow,
    PlanRevisionRow,
    PlanRow,
)

_OWNED = (PatientIdentifierRow, PatientEventRow, PatientAbsenceRow, PlanRow)
# What people wrote or other systems named; a plan's days and counts stay.
_FORGOTTEN = frozenset({"note", "identifiers", "said", "reason"})


class PatientLifeRepository:
    """The rows of one clinic's patients, wherever they are."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def give_all(self, patient_id: UUID, to: UUID) -> None:
        """Everything of one patient is another's from now on."""
        for row in _OWNED:
            await self._connection.execute(
                update(row)
                .where(row.clinic_id == self._clinic_id, row.patient_id == patient_id)
                .values(patient_id=to)
            )

    async def forget(self, patient_id: UUID) -> None:
        """Delete what tells who the patient is, and what was written about the person.

        Plans, their days, revisions and counts stay.
        """
        plans = await self._plans(patient_id)
        await self._connection.execute(
            delete(PatientIdentifierRow).where(
                PatientIdentifierRow.clinic_id == self._clinic_id,
                PatientIdentifierRow.patient_id == patient_id,
            )
        )
        await self._connection.execute(
            update(PatientRow)
            .where(PatientRow.clinic_id == self._clinic_id, PatientRow.merged_into == patient_id)
            .values(name=None, name_folded=None, birth_date=None)
        )
        for row in (PatientEventRow, PatientAbsenceRow):
            await self._connection.execute(
                update(row)
                .where(row.clinic_id == self._clinic_id, row.patient_id == patient_id)
                .values(note=None)
            )
        for plan_id in plans:
            await self._forget_plan(plan_id)
        await self._forget_answers([patient_id, *plans])

    async def _plans(self, patient_id: UUID) -> Sequence[UUID]:
        found = await self._connection.execute(
            select(PlanRow.id).where(
                PlanRow.clinic_id == self._clinic_id, PlanRow.patient_id == patient_id
            )
        )
        return found.scalars().all()

    async def _forget_plan(self, plan_id: UUID) -> None:
        mine = (PlanRow.clinic_id == self._clinic_id, PlanRow.id == plan_id)
        state = await self._connection.scalar(select(PlanRow.state).where(*mine))
        await self._connection.execute(
            update(PlanRow).where(*mine).values(note=None, state=_without_words(state or {}))
        )
        await self._connection.execute(
            delete(PlanIdentifierRow).where(
                PlanIdentifierRow.clinic_id == self._clinic_id,
                PlanIdentifierRow.plan_id == plan_id,
            )
        )
        found = await self._connection.execute(
            select(
                PlanRevisionRow.revision, PlanRevisionRow.change, PlanRevisionRow.snapshot
            ).where(
                PlanRevisionRow.clinic_id == self._clinic_id, PlanRevisionRow.plan_id == plan_id
            )
        )
        for revision, change, snapshot in found.all():
            await self._connection.execute(
                update(PlanRevisionRow)
                .where(
                    PlanRevisionRow.clinic_id == self._clinic_id,
                    PlanRevisionRow.plan_id == plan_id,
                    PlanRevisionRow.revision == revision,
                )
                .values(
                    reason=None,
                    change=None if change is None else _without_words(change),
                    snapshot=_without_words(snapshot),
                )
            )

    async def _forget_answers(self, ids: Sequence[UUID]) -> None:
        """Answers kept for repeated posts hold what was posted: those that name one of these."""
        postgres = self._connection.dialect.name == "postgresql"
        for id_ in ids:
            named = literal(str(id_).encode(), LargeBinary)
            place = (
                func.position(named.op("IN")(IdempotencyKeyRow.body))
                if postgres
                else func.instr(IdempotencyKeyRow.body, cast(named, LargeBinary))
            )
            await self._connection.execute(
                delete(IdempotencyKeyRow).where(
                    IdempotencyKeyRow.clinic_id == self._clinic_id, place > 0
                )
            )


def _without_words(data: JsonObject) -> JsonObject:
    """The same data without what people wrote or other systems named, however deep it lies."""
    cleaned: JsonObject = {}
    for key, value in data.items():
        if key in _FORGOTTEN and not isinstance(value, bool):
            cleaned[key] = [] if isinstance(value, list) else ({"reason": ""}.get(key))
        else:
            cleaned[key] = _cleaned(value)
    return cleaned


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_words(dict(value))
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value
