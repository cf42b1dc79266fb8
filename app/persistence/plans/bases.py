"""What a plan is made from, read by one statement: whoever dates a plan needs all of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from functools import cache
from operator import itemgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    CTE,
    JSON,
    BindParameter,
    ColumnElement,
    Date,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from app.persistence.columns import Instant
from app.persistence.locations import LocationRecord
from app.persistence.patient_reports import AbsenceRecord, PatientEventRecord
from app.persistence.patients import Identifier, PatientRecord, is_called
from app.persistence.plans.arrays import array, collected
from app.persistence.plans.records import PatientStep
from app.persistence.prepared import Prepared, prepare
from app.persistence.protocols import VersionSummary
from app.persistence.records import Record, columns_of
from app.persistence.tables import (
    ClinicRulesRow,
    ClosureRow,
    LocationRow,
    PatientAbsenceRow,
    PatientEventRow,
    PatientIdentifierRow,
    PatientRow,
    PlannedStepRow,
    PlanRow,
    ProtocolVersionRow,
)

R = TypeVar("R", bound=Record)
Column = ColumnElement[Any] | InstrumentedAttribute[Any]

_CLINIC_ID = bindparam("clinic_id", type_=Uuid())
# Where no location is named the clinic must have just one; two are enough to say it has several.
SEVERAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a plan names.

    Without ``version`` it is the active one, without ``location_id`` the clinic's only one. The
    patient is named by id or identifier. A stored plan, ``besides``, is none of the others.
    """

    protocol_key: str
    version: str | None = None
    patient_id: UUID | None = None
    patient_identifier: Identifier | None = None
    location_id: UUID | None = None
    besides: UUID | None = None

    def given(self) -> dict[str, Any]:
        """What is named, by parameter."""
        names = ("version", "patient_id", "location_id", "besides")
        values = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.patient_identifier is not None:
            values["system"] = self.patient_identifier.system
            values["value"] = self.patient_identifier.value
        return {"protocol_key": self.protocol_key, **values}


@dataclass(frozen=True, slots=True, kw_only=True)
class BasisRecord:
    """What was found under the names, and what lies round the patient and the first location.

    ``closures`` is JSON text, for ``closures_in``: it rarely changes, and is long. So are the
    clinic's rules; None where it never saved any.
    """

    version: VersionSummary | None
    patient: PatientRecord | None
    locations: tuple[LocationRecord, ...]
    events: tuple[PatientEventRecord, ...]
    absences: tuple[AbsenceRecord, ...]
    others: tuple[PatientStep, ...]
    closures: str
    clinic_rules: str | None


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """Days on which a location is closed, both included."""

    key: str
    first_day: date
    last_day: date
    title: str


async def read_basis(
    connection: AsyncConnection, clinic_id: UUID, named: Named, *, closed: tuple[date, date]
) -> BasisRecord:
    """Everything as of one moment, with the closures that touch a range of days."""
    values = {"clinic_id": clinic_id, "from_day": closed[0], "to_day": closed[1], **named.given()}
    statement = _basis(connection.dialect.name, frozenset(values))
    ((everything, closures, clinic_rules),) = await statement.read(connection, values)
    versions, patients, identifiers, locations, events, absences, others = json.loads(everything)
    known_as = tuple(Identifier(*identifier) for identifier in sorted(identifiers))
    return BasisRecord(
        version=next(_VERSION.read(versions), None),
        patient=next((replace(p, identifiers=known_as) for p in PATIENT.read(patients)), None),
        locations=tuple(_LOCATION.read(locations)),
        events=tuple(EVENT.read(events)),
        absences=tuple(ABSENCE.read(absences)),
        others=tuple(OTHER.read(others)),
        closures=closures,
        clinic_rules=clinic_rules,
    )


def closures_in(text: str) -> tuple[ClosedDays, ...]:
    """The closures of a basis, by first day and key."""
    return tuple(_CLOSURE.read(json.loads(text)))


class Kind(Generic[R]):
    """A sort of record: its columns, named as its fields, and how JSON arrays are read as it.

    The arrays are sorted by what stands at ``order``. A column after the fields' own is for that.
    """

    def __init__(self, record: type[R], columns: Sequence[Column], *order: int) -> None:
        self.columns = columns
        self._record = record
        own = {field.name for field in fields(record)}
        self._names = [column.key for column in columns if column.key in own]
        self._order = itemgetter(*order)
        found = ((place, _reading(column.type)) for place, column in enumerate(columns))
        self._readings = [(place, read) for place, read in found if read is not None]

    def read(self, rows: list[list[Any]]) -> Iterator[R]:
        """The records in their order."""
        rows.sort(key=self._order)
        for row in rows:
            for place, read in self._readings:
                if row[place] is not None:
                    row[place] = read(row[place])
            yield self._record(**dict(zip(self._names, row, strict=False)))


def _reading(type_: TypeEngine[Any]) -> Callable[[str], Any] | None:
    """What turns JSON back into a value, where JSON does not have it."""
    if isinstance(type_, Uuid):
        return UUID
    if isinstance(type_, Date):
        return date.fromisoformat
    return datetime.fromisoformat if isinstance(type_, Instant) else None


_VERSION = Kind(VersionSummary, columns_of(ProtocolVersionRow, VersionSummary), 0)
PATIENT = Kind(
    PatientRecord,
    (
        PatientRow.id,
        PatientRow.name,
        PatientRow.birth_date,
        PatientRow.revision,
        PatientRow.created_at,
        PatientRow.updated_at,
        PatientRow.merged_into,
        PatientRow.erased_at,
    ),
    0,
)
_LOCATION = Kind(LocationRecord, columns_of(LocationRow, LocationRecord), 0)
EVENT = Kind(PatientEventRecord, columns_of(PatientEventRow, PatientEventRecord), 4, 0)
ABSENCE = Kind(AbsenceRecord, columns_of(PatientAbsenceRow, AbsenceRecord), 2, 0)
OTHER = Kind(
    PatientStep,
    (
        PlanRow.id.label("plan_id"),
        PlanRow.status.label("plan_status"),
        PlanRow.body_site,
        PlanRow.laterality,
        PlannedStepRow.key,
        PlannedStepRow.occurrence,
        PlannedStepRow.kind,
        PlannedStepRow.agent,
        PlannedStepRow.status,
        PlannedStepRow.day,
        PlannedStepRow.end_day,
        PlannedStepRow.position,
    ),
    0,
    -1,
)
_CLOSURE = Kind(ClosedDays, columns_of(ClosureRow, ClosedDays), 1, 0)


@cache
def _basis(dialect: str, given: frozenset[str]) -> Prepared:
    version, patient, location = _version(given), _patient(given), _location(given)
    patient_id = select(patient.c.id).scalar_subquery()
    identifiers = (PatientIdentifierRow.system, PatientIdentifierRow.value)
    parts = [
        select(collected(dialect, [*version.c])),
        select(collected(dialect, [*patient.c])),
        select(collected(dialect, identifiers)).where(
            PatientIdentifierRow.clinic_id == _CLINIC_ID,
            PatientIdentifierRow.patient_id == patient_id,
        ),
        select(collected(dialect, [*location.c])),
        select(collected(dialect, EVENT.columns)).where(
            PatientEventRow.clinic_id == _CLINIC_ID,
            PatientEventRow.patient_id == patient_id,
            PatientEventRow.withdrawn_at.is_(None),
        ),
        select(collected(dialect, ABSENCE.columns)).where(
            PatientAbsenceRow.clinic_id == _CLINIC_ID, PatientAbsenceRow.patient_id == patient_id
        ),
        _others(dialect, patient_id, given),
    ]
    everything = array(dialect, [type_coerce(part.scalar_subquery(), JSON) for part in parts])
    closures = _closures(dialect, location).scalar_subquery()
    rules = select(ClinicRulesRow.document).where(ClinicRulesRow.clinic_id == _CLINIC_ID)
    texts = (everything, closures, type_coerce(rules.scalar_subquery(), JSON))
    return prepare(select(*(cast(text, Text) for text in texts)), dialect)


def _named(column: InstrumentedAttribute[Any]) -> BindParameter[Any]:
    """A parameter of a column's name and type."""
    return bindparam(column.key, type_=column.type)


def _version(given: frozenset[str]) -> CTE:
    named = ProtocolVersionRow.version == _named(ProtocolVersionRow.version)
    active = ProtocolVersionRow.status == literal_column("'active'")
    return (
        select(*_VERSION.columns)
        .where(
            ProtocolVersionRow.clinic_id == _CLINIC_ID,
            ProtocolVersionRow.protocol_key == _named(ProtocolVersionRow.protocol_key),
            named if "version" in given else active,
        )
        .cte("version")
    )


def _patient(given: frozenset[str]) -> CTE:
    if "patient_id" in given:
        is_named: ColumnElement[bool] = PatientRow.id == bindparam("patient_id", type_=Uuid())
    else:
        system, value = PatientIdentifierRow.system, PatientIdentifierRow.value
        is_named = is_called(_named(system), _named(value))
    mine = PatientRow.clinic_id == _CLINIC_ID
    return select(*PATIENT.columns).where(mine, is_named).cte("patient")


def _location(given: frozenset[str]) -> CTE:
    mine = select(*_LOCATION.columns).where(LocationRow.clinic_id == _CLINIC_ID)
    if "location_id" in given:
        return mine.where(LocationRow.id == bindparam("location_id", type_=Uuid())).cte("location")
    return mine.order_by(LocationRow.id).limit(literal_column(str(SEVERAL))).cte("location")


def _others(dialect: str, patient_id: ColumnElement[Any], given: frozenset[str]) -> Select[Any]:
    """Every dated step of the patient's other plans, whatever its status."""
    of_plan = and_(
        PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.plan_id == PlanRow.id
    )
    statement = (
        select(collected(dialect, OTHER.columns))
        .join_from(PlanRow, PlannedStepRow, of_plan)
        .where(
            PlanRow.clinic_id == _CLINIC_ID,
            PlanRow.patient_id == patient_id,
            PlannedStepRow.day.is_not(None),
        )
    )
    if "besides" in given:
        statement = statement.where(PlanRow.id != bindparam("besides", type_=Uuid()))
    return statement


def _closures(dialect: str, location: CTE) -> Select[Any]:
    """The closures of the location that was found."""
    return select(collected(dialect, _CLOSURE.columns)).where(
        ClosureRow.clinic_id == _CLINIC_ID,
        ClosureRow.location_id.in_(select(location.c.id)),
        ClosureRow.last_day >= bindparam("from_day", type_=Date()),
        ClosureRow.first_day <= bindparam("to_day", type_=Date()),
    )
