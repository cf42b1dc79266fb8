"""A patient's rows when two patients turn out to be one, or a person must be forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.plans.changes import ADDED
from app.persistence.tables import (
    CalendarRow,
    FormerStepRow,
    IdempotencyKeyRow,
    JsonObject,
    PatientAbsenceRow,
    PatientEventRow,
    PatientIdentifierRow,
    PatientRow,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
)

_OWNED = (PatientIdentifierRow, PatientEventRow, PatientAbsenceRow, PlanRow, CalendarRow)
# What people wrote or other systems named; a plan's days and counts stay. Who is responsible is
# not the patient.
_FORGOTTEN = frozenset({"note", "identifiers", "identifier", "said", "reason", "condition"})


class PatientLifeRepository:
    """The rows of one clinic's patients, wherever they are."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def give_all(self, patient_id: UUID, to: UUID) -> None:
        """Everything of one patient is another's from now on; who pointed at it, at the other."""
        for row in _OWNED:
            await self._connection.execute(
                update(row)
                .where(row.clinic_id == self._clinic_id, row.patient_id == patient_id)
                .values(patient_id=to)
            )
        await self._connection.execute(
            update(PatientRow)
            .where(PatientRow.clinic_id == self._clinic_id, PatientRow.merged_into == patient_id)
            .values(merged_into=to, revision=PatientRow.revision + 1)
        )

    async def plans_of(self, patient_id: UUID) -> Sequence[UUID]:
        """The ids of a patient's plans."""
        return await self._ids(PlanRow, PlanRow.patient_id == patient_id)

    async def forget(self, patient_id: UUID) -> None:
        """Delete what tells who the patient is, and what was written about the person.

        Plans, their days, revisions and counts stay.
        """
        patients = [patient_id, *await self._ids(PatientRow, PatientRow.merged_into == patient_id)]
        plans = await self.plans_of(patient_id)
        await self._connection.execute(
            delete(PatientIdentifierRow).where(
                PatientIdentifierRow.clinic_id == self._clinic_id,
                PatientIdentifierRow.patient_id == patient_id,
            )
        )
        await self._connection.execute(
            update(PatientRow)
            .where(PatientRow.clinic_id == self._clinic_id, PatientRow.merged_into == patient_id)
            .values(name=None, name_folded=None, birth_date=None, revision=PatientRow.revision + 1)
        )
        for row in (PatientEventRow, PatientAbsenceRow):
            await self._connection.execute(
                update(row)
                .where(row.clinic_id == self._clinic_id, row.patient_id == patient_id)
                .values(note=None)
            )
        await self._connection.execute(
            delete(CalendarRow).where(
                CalendarRow.clinic_id == self._clinic_id,
                or_(CalendarRow.patient_id == patient_id, CalendarRow.plan_id.in_(plans)),
            )
        )
        for plan_id in plans:
            await self._forget_plan(plan_id)
        await self._forget_answers([*patients, *plans])

    async def _ids(
        self, row: type[PatientRow | PlanRow], which: ColumnElement[bool]
    ) -> Sequence[UUID]:
        found = await self._connection.execute(
            select(row.id).where(row.clinic_id == self._clinic_id, which)
        )
        return found.scalars().all()

    async def _forget_plan(self, plan_id: UUID) -> None:
        mine = (PlanRow.clinic_id == self._clinic_id, PlanRow.id == plan_id)
        state = await self._connection.scalar(select(PlanRow.state).where(*mine))
        await self._connection.execute(
            update(PlanRow)
            .where(*mine)
            .values(note=None, condition=None, state=_without_words(state or {}))
        )
        await self._forget_steps(plan_id)
        for row in (FormerStepRow, PlanIdentifierRow):
            await self._connection.execute(
                delete(row).where(row.clinic_id == self._clinic_id, row.plan_id == plan_id)
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

    async def _forget_steps(self, plan_id: UUID) -> None:
        """What bookings are called elsewhere, and the titles people gave to added steps."""
        mine = (PlannedStepRow.clinic_id == self._clinic_id, PlannedStepRow.plan_id == plan_id)
        found = await self._connection.execute(
            select(PlannedStepRow.id, PlannedStepRow.appointment).where(
                *mine, PlannedStepRow.appointment.is_not(None)
            )
        )
        for id_, appointment in found.all():
            await self._connection.execute(
                update(PlannedStepRow)
                .where(*mine, PlannedStepRow.id == id_)
                .values(appointment=appointment and _without_words(appointment))
            )
        await self._connection.execute(
            update(PlannedStepRow)
            .where(*mine, PlannedStepRow.key.startswith(ADDED, autoescape=True))
            .values(title=PlannedStepRow.kind)
        )

    async def _forget_answers(self, ids: Sequence[UUID]) -> None:
        """Answers kept for repeated posts hold what was posted: those that name one of these.

        What was posted to a patient's address is named by the address of what it made.
        """
        postgres = self._connection.dialect.name == "postgresql"
        for id_ in ids:
            named = literal(str(id_).encode(), LargeBinary)
            place = (
                func.position(named.op("IN")(IdempotencyKeyRow.body))
                if postgres
                else func.instr(IdempotencyKeyRow.body, cast(named, LargeBinary))
            )
            located = cast(IdempotencyKeyRow.headers, Text).contains(str(id_))
            await self._connection.execute(
                delete(IdempotencyKeyRow).where(
                    IdempotencyKeyRow.clinic_id == self._clinic_id, or_(place > 0, located)
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
    if {"title", "kind"} <= data.keys() and str(data.get("key")).startswith(ADDED):
        cleaned["title"] = data["kind"]
    return cleaned


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_words(dict(value))
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value
