"""Shadow patients, found by what other systems call them."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.bounds import NO_BOUNDS, Bounds
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.searches import Ids, SearchPage, Text, holding, page_of_ids
from app.persistence.tables import PatientIdentifierRow, PatientRow
from app.persistence.upserts import insert_unless_there


class PatientNotFound(DomainError):
    """There is no such patient in this clinic."""


class PatientChangedMeanwhile(DomainError):
    """The patient was changed by somebody else after it was read."""


class IdentifierTaken(DomainError):
    """Another patient of the clinic has this identifier."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What another system calls something."""

    system: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRecord:
    """A patient; one that was merged lives on in ``merged_into``."""

    id: UUID
    identifiers: tuple[Identifier, ...] = ()
    name: str | None = None
    birth_date: date | None = None
    revision: int
    created_at: datetime
    updated_at: datetime
    merged_into: UUID | None = None
    erased_at: datetime | None = None

    @property
    def is_present(self) -> bool:
        """Whether it was neither merged into another nor erased."""
        return self.merged_into is None and self.erased_at is None


_PATIENT = (
    PatientRow.id,
    PatientRow.name,
    PatientRow.birth_date,
    PatientRow.revision,
    PatientRow.created_at,
    PatientRow.updated_at,
    PatientRow.merged_into,
    PatientRow.erased_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientSearch:
    """Whom a search is after; of each group of names or identifiers one must fit."""

    ids: tuple[UUID, ...] | None = None
    identifiers: tuple[tuple[tuple[str | None, str], ...], ...] = ()
    names: tuple[tuple[Text, ...], ...] = ()
    born: Bounds[date] = NO_BOUNDS
    has_identifier: bool | None = None
    has_name: bool | None = None
    has_birth_date: bool | None = None
    updated: Bounds[datetime] = NO_BOUNDS


_NAMES = tuple(column.key for column in _PATIENT)
_NAMED = (
    PatientIdentifierRow.clinic_id == PatientRow.clinic_id,
    PatientIdentifierRow.patient_id == PatientRow.id,
)


class PatientRepository:
    """The patients of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, patient: PatientRecord) -> None:
        """Store a new patient with its identifiers. Raises IdentifierTaken."""
        await self._connection.execute(
            insert(PatientRow).values(
                clinic_id=self._clinic_id,
                id=patient.id,
                created_at=patient.created_at,
                **_values(patient),
            )
        )
        await self._add_identifiers(patient.id, patient.identifiers)

    async def get(self, patient_id: UUID) -> PatientRecord:
        """One patient. Raises PatientNotFound."""
        rows = await _one(self._connection.dialect.name).fetch(
            self._connection, {"clinic_id": self._clinic_id, "id": patient_id}
        )
        if not rows:
            raise PatientNotFound("no such patient")
        named = [Identifier(*row[-2:]) for row in rows if row[-1] is not None]
        return PatientRecord(identifiers=tuple(named), **dict(zip(_NAMES, rows[0], strict=False)))

    async def hold(self, patient: UUID | Identifier) -> None:
        """Make others who would hold this patient wait until this transaction has ended.

        Whoever decides by all plans of a patient holds the patient first, so that no two plans
        are made unseen by each other.
        """
        if self._connection.dialect.name == "sqlite":
            return  # there is one writer at a time
        which: dict[str, UUID | str] = (
            {"id": patient}
            if isinstance(patient, UUID)
            else {"system": patient.system, "value": patient.value}
        )
        statement = _held(self._connection.dialect.name, frozenset(which))
        await statement.read(self._connection, {"clinic_id": self._clinic_id, **which})

    async def hold_all(
        self, patient_ids: Iterable[UUID], identifiers: Iterable[Identifier]
    ) -> tuple[UUID, ...]:
        """Hold every patient of these ids and identifiers who is there; gives their ids.

        In the order of ids, so that two who hold some of the same patients do not lock up.
        """
        values: dict[str, list[str]] = {}
        for identifier in identifiers:
            values.setdefault(identifier.system, []).append(identifier.value)
        named = union_all(
            select(PatientRow.id).where(
                PatientRow.clinic_id == self._clinic_id, PatientRow.id.in_(list(patient_ids))
            ),
            *(
                select(PatientIdentifierRow.patient_id).where(
                    PatientIdentifierRow.clinic_id == self._clinic_id,
                    PatientIdentifierRow.system == system,
                    PatientIdentifierRow.value.in_(of_system),
                )
                for system, of_system in values.items()
            ),
        )
        held = await self._connection.execute(
            select(PatientRow.id)
            .where(PatientRow.clinic_id == self._clinic_id, PatientRow.id.in_(named))
            .order_by(PatientRow.id)
            .with_for_update(key_share=True, of=PatientRow)
        )
        return tuple(held.scalars())

    async def find(self, identifier: Identifier) -> PatientRecord | None:
        """The patient whom another system calls so, if there is one."""
        rows = await self._patients(is_called(identifier.system, identifier.value), limit=1)
        return rows[0] if rows else None

    async def save(self, patient: PatientRecord, *, revision: int) -> PatientRecord:
        """Replace the patient that was read at ``revision``; gives it with its new revision.

        Raises PatientNotFound, PatientChangedMeanwhile or IdentifierTaken.
        """
        done = await self._connection.execute(
            update(PatientRow)
            .where(
                PatientRow.clinic_id == self._clinic_id,
                PatientRow.id == patient.id,
                PatientRow.revision == revision,
            )
            .values(_values(patient) | {"revision": revision + 1})
        )
        if done.rowcount == 0:
            await self.get(patient.id)
            raise PatientChangedMeanwhile("the patient was changed meanwhile")
        await self._connection.execute(
            delete(PatientIdentifierRow).where(
                PatientIdentifierRow.clinic_id == self._clinic_id,
                PatientIdentifierRow.patient_id == patient.id,
            )
        )
        await self._add_identifiers(patient.id, patient.identifiers)
        return await self.get(patient.id)

    async def page(self, *, after: UUID | None, limit: int) -> tuple[PatientRecord, ...]:
        """Patients in the order of their ids, which is that of their making."""
        return await self._patients(*_after(after), limit=limit)

    async def search(
        self,
        *,
        name: str | None = None,
        birth_date: date | None = None,
        identifier: Identifier | None = None,
        after: UUID | None = None,
        limit: int,
    ) -> tuple[PatientRecord, ...]:
        """Patients who match everything given; a part of the name is enough, case is ignored."""
        which = [*_after(after), PatientRow.merged_into.is_(None), PatientRow.erased_at.is_(None)]
        if name is not None:
            which.append(PatientRow.name_folded.contains(folded(name), autoescape=True))
        if birth_date is not None:
            which.append(PatientRow.birth_date == birth_date)
        if identifier is not None:
            which.append(is_called(identifier.system, identifier.value))
        return await self._patients(*which, limit=limit)

    async def find_all(self, wanted: PatientSearch, page: SearchPage) -> Ids:
        """The ids of one page of the patients who fit."""
        which = [PatientRow.clinic_id == self._clinic_id]
        which += wanted.updated.of(PatientRow.updated_at, PatientRow.updated_at)
        which += wanted.born.of(PatientRow.birth_date, PatientRow.birth_date)
        if wanted.ids is None:
            which += [PatientRow.merged_into.is_(None), PatientRow.erased_at.is_(None)]
        else:
            which.append(PatientRow.id.in_(wanted.ids))
        which += holding(
            (wanted.has_identifier, exists().where(*_NAMED)),
            (wanted.has_name, PatientRow.name.is_not(None)),
            (wanted.has_birth_date, PatientRow.birth_date.is_not(None)),
        )
        for names in wanted.names:
            found = [_has_name(name) for name in names]
            which.append(or_(*found))
        for named in wanted.identifiers:
            which.append(or_(*(is_called(system, value) for system, value in named)))
        by = {"_lastUpdated": PatientRow.updated_at}
        return await page_of_ids(self._connection, PatientRow.id, which, page, by=by)

    async def all_of(self, ids: Sequence[UUID]) -> tuple[PatientRecord, ...]:
        """These patients, in this order."""
        found = await self._patients(PatientRow.id.in_(ids), limit=len(ids))
        return tuple(sorted(found, key=lambda patient: ids.index(patient.id)))

    async def _patients(self, *which: ColumnElement[bool], limit: int) -> tuple[PatientRecord, ...]:
        found = await self._connection.execute(
            select(*_PATIENT)
            .where(PatientRow.clinic_id == self._clinic_id, *which)
            .order_by(PatientRow.id)
            .limit(limit)
        )
        rows = found.all()
        identifiers = await self._identifiers([row.id for row in rows])
        return tuple(
            PatientRecord(identifiers=tuple(identifiers.get(row.id, ())), **row._mapping)
            for row in rows
        )

    async def _identifiers(self, patient_ids: Sequence[UUID]) -> dict[UUID, list[Identifier]]:
        if not patient_ids:
            return {}
        rows = await self._connection.execute(
            select(
                PatientIdentifierRow.patient_id,
                PatientIdentifierRow.system,
                PatientIdentifierRow.value,
            )
            .where(
                PatientIdentifierRow.clinic_id == self._clinic_id,
                PatientIdentifierRow.patient_id.in_(patient_ids),
            )
            .order_by(PatientIdentifierRow.system, PatientIdentifierRow.value)
        )
        found: dict[UUID, list[Identifier]] = {}
        for patient_id, system, value in rows:
            found.setdefault(patient_id, []).append(Identifier(system, value))
        return found

    async def _add_identifiers(self, patient_id: UUID, identifiers: Sequence[Identifier]) -> None:
        for identifier in identifiers:
            statement = insert_unless_there(self._connection, PatientIdentifierRow).values(
                clinic_id=self._clinic_id,
                system=identifier.system,
                value=identifier.value,
                patient_id=patient_id,
            )
            if (await self._connection.execute(statement)).rowcount == 0:
                raise IdentifierTaken("another patient has this identifier, or it was given twice")


def _has_name(name: Text) -> ColumnElement[bool]:
    if name.whole:
        return PatientRow.name == name.words
    return PatientRow.name_folded.contains(folded(name.words), autoescape=True)


def folded(name: str) -> str:
    """A name without case and accents: both databases compare it alike."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _after(patient_id: UUID | None) -> list[ColumnElement[bool]]:
    return [] if patient_id is None else [PatientRow.id > patient_id]


def is_called(system: object, value: object) -> ColumnElement[bool]:
    """Whether a system, any where none is given, calls the patient so; both may be parameters."""
    of_system = [] if system is None else [PatientIdentifierRow.system == system]
    return exists().where(*_NAMED, PatientIdentifierRow.value == value, *of_system)


@cache
def _held(dialect: str, given: frozenset[str]) -> Prepared:
    """A patient by id or identifier, held until the transaction ends.

    Not so strongly that rows which point at the patient could not be inserted by others.
    """
    if "id" in given:
        which: ColumnElement[bool] = PatientRow.id == parameter(PatientRow.id)
    else:
        system, value = PatientIdentifierRow.system, PatientIdentifierRow.value
        which = is_called(parameter(system), parameter(value))
    mine = PatientRow.clinic_id == parameter(PatientRow.clinic_id)
    held = select(PatientRow.id).where(mine, which).with_for_update(key_share=True, of=PatientRow)
    return prepare(held, dialect)


def _values(patient: PatientRecord) -> dict[str, object]:
    return {
        "name": patient.name,
        "name_folded": None if patient.name is None else folded(patient.name),
        "birth_date": patient.birth_date,
        "revision": patient.revision,
        "updated_at": patient.updated_at,
        "merged_into": patient.merged_into,
        "erased_at": patient.erased_at,
    }


@cache
def _one(dialect: str) -> Prepared:
    """One patient, in a row for each of its identifiers."""
    named = and_(
        PatientIdentifierRow.clinic_id == PatientRow.clinic_id,
        PatientIdentifierRow.patient_id == PatientRow.id,
    )
    statement = (
        select(*_PATIENT, PatientIdentifierRow.system, PatientIdentifierRow.value)
        .outerjoin_from(PatientRow, PatientIdentifierRow, named)
        .where(
            PatientRow.clinic_id == parameter(PatientRow.clinic_id),
            PatientRow.id == parameter(PatientRow.id),
        )
        .order_by(PatientIdentifierRow.system, PatientIdentifierRow.value)
    )
    return prepare(statement, dialect)
