"""What is known of a patient's life outside plans: reported events and absences."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import PatientAbsenceRow, PatientEventRow


class PatientEventNotFound(DomainError):
    """The patient has no such reported event."""


class AbsenceNotFound(DomainError):
    """The patient has no such absence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEventRecord:
    """An agent given, or a finding made, on a day; a withdrawn one was reported in error."""

    id: UUID
    patient_id: UUID
    agent: str | None = None
    finding: str | None = None
    on_day: date
    cleared_on: date | None = None
    body_site: str | None = None
    laterality: str | None = None
    note: str | None = None
    created_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceRecord:
    """Days on which the patient cannot come, both included."""

    id: UUID
    patient_id: UUID
    first_day: date
    last_day: date
    note: str | None = None
    created_at: datetime


class PatientReportRepository:
    """The reported events and absences of one clinic's patients."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add_event(self, event: PatientEventRecord) -> None:
        """Store a reported event of a stored patient."""
        await self._connection.execute(
            insert(PatientEventRow).values(clinic_id=self._clinic_id, **values_of(event))
        )

    async def events(
        self, patient_id: UUID, *, withdrawn: bool = False
    ) -> tuple[PatientEventRecord, ...]:
        """A patient's events by day; withdrawn ones only when asked for."""
        statement = _events(self._connection.dialect.name, withdrawn=withdrawn)
        rows = await statement.fetch(
            self._connection, {"clinic_id": self._clinic_id, "patient_id": patient_id}
        )
        return tuple(read_record(PatientEventRecord, row) for row in rows)

    async def withdraw_event(self, patient_id: UUID, event_id: UUID, *, now: datetime) -> None:
        """Mark an event as reported in error; it is kept. Raises PatientEventNotFound."""
        done = await self._connection.execute(
            update(PatientEventRow)
            .where(
                PatientEventRow.clinic_id == self._clinic_id,
                PatientEventRow.patient_id == patient_id,
                PatientEventRow.id == event_id,
                PatientEventRow.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=now)
        )
        if done.rowcount == 0:
            raise PatientEventNotFound("the patient has no such event")

    async def add_absence(self, absence: AbsenceRecord) -> None:
        """Store an absence of a stored patient."""
        await self._connection.execute(
            insert(PatientAbsenceRow).values(clinic_id=self._clinic_id, **values_of(absence))
        )

    async def absences(
        self, patient_id: UUID, *, from_day: date | None = None
    ) -> tuple[AbsenceRecord, ...]:
        """A patient's absences by first day, without those that ended before a day."""
        rows = await _absences(self._connection.dialect.name).fetch(
            self._connection,
            {
                "clinic_id": self._clinic_id,
                "patient_id": patient_id,
                "from_day": from_day or date.min,
            },
        )
        return tuple(read_record(AbsenceRecord, row) for row in rows)

    async def remove_absence(self, patient_id: UUID, absence_id: UUID) -> None:
        """The patient can come after all. Raises AbsenceNotFound."""
        done = await self._connection.execute(
            delete(PatientAbsenceRow).where(
                PatientAbsenceRow.clinic_id == self._clinic_id,
                PatientAbsenceRow.patient_id == patient_id,
                PatientAbsenceRow.id == absence_id,
            )
        )
        if done.rowcount == 0:
            raise AbsenceNotFound("the patient has no such absence")


@cache
def _events(dialect: str, *, withdrawn: bool) -> Prepared:
    statement = (
        select(*columns_of(PatientEventRow, PatientEventRecord))
        .where(
            PatientEventRow.clinic_id == parameter(PatientEventRow.clinic_id),
            PatientEventRow.patient_id == parameter(PatientEventRow.patient_id),
        )
        .order_by(PatientEventRow.on_day, PatientEventRow.id)
    )
    if not withdrawn:
        statement = statement.where(PatientEventRow.withdrawn_at.is_(None))
    return prepare(statement, dialect)


@cache
def _absences(dialect: str) -> Prepared:
    statement = (
        select(*columns_of(PatientAbsenceRow, AbsenceRecord))
        .where(
            PatientAbsenceRow.clinic_id == parameter(PatientAbsenceRow.clinic_id),
            PatientAbsenceRow.patient_id == parameter(PatientAbsenceRow.patient_id),
            PatientAbsenceRow.last_day >= parameter(PatientAbsenceRow.last_day, "from_day"),
        )
        .order_by(PatientAbsenceRow.first_day, PatientAbsenceRow.id)
    )
    return prepare(statement, dialect)
