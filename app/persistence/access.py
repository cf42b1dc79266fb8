"""The account of access of a clinic: what waits, the chain of batches, and its pages."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    ColumnElement,
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.access import Access, chained, written
from app.persistence.prepared import Prepared, insert_row, parameter, prepare
from app.persistence.records import columns_of, read_record
from app.persistence.tables import (
    AccessBatchRow,
    AccessChainRow,
    AccessPatientRow,
    AccessWaitingRow,
    PatientRow,
    PlanRow,
)
from app.persistence.upserts import insert_unless_there

# What one batch holds at most, and one statement asks for.
MOST = 500


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain begins and ends."""

    first_number: int
    first_hash: str
    last_number: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class AccessBatch:
    """Some accesses and their place in the chain."""

    number: int
    first_at: datetime
    at: datetime
    previous_hash: str
    hash: str
    accesses: str
    """As they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFilter:
    """Which accesses are wanted; what is None does not matter."""

    patient_id: UUID | None = None
    credential: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, access: Access) -> bool:
        """Whether an access is wanted."""
        return (
            (self.patient_id is None or str(self.patient_id) in access.patients)
            and (self.credential is None or self.credential == access.credential)
            and (self.since is None or self.since <= access.at)
            and (self.until is None or access.at < self.until)
        )


_BATCH = columns_of(AccessBatchRow, AccessBatch)
_CHAIN = columns_of(AccessChainRow, Chain)
_NEW = Chain(0, "", 0, "")


class AccessRepository:
    """The account of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id
        self._dialect = connection.dialect.name

    async def wait(self, access_id: UUID, access: Access) -> None:
        """Note a change in its own transaction; it comes into the chain when one is added to it."""
        values = {"clinic_id": self._clinic_id, "id": access_id, "access": access.to_data()}
        await insert_row(AccessWaitingRow, self._dialect).run(self._connection, values)

    async def add_at_once(
        self, accesses: Sequence[Access], *, at: datetime, end: Chain
    ) -> Chain | None:
        """Add accesses by one statement; the chain's new end, or None if it did not end as told.

        For PostgreSQL, outside a transaction: what a group costs is how often it is asked.
        """
        part = await self._with_patients(accesses)
        values = _batch(self._clinic_id, end, part, at)
        given = {**values, "patients": _patients(part), "last_number": end.last_number}
        if not await _add(self._dialect).read(self._connection, given):
            return None
        return replace(end, last_number=values["number"], last_hash=values["hash"])

    async def add(self, accesses: Sequence[Access], *, at: datetime, waiting: bool) -> Chain | None:
        """Add accesses, and what is ``waiting`` too, to the chain; nobody else does until commit.

        A change that was noted a moment ago waits from the commit of its transaction on. None if
        there was nothing to add, else the chain.
        """
        if not accesses and not await self._does_wait():
            return None
        chain = await self._locked()
        if waiting:
            accesses = sorted([*accesses, *await self._waiting()], key=lambda one: one.at)
        for start in range(0, len(accesses), MOST):
            part = await self._with_patients(accesses[start : start + MOST])
            chain = await self._add_batch(chain, part, at)
        values = {"last_number": chain.last_number, "last_hash": chain.last_hash}
        await _seal(self._dialect).run(self._connection, {"of": self._clinic_id, **values})
        return chain

    async def _does_wait(self) -> bool:
        found = await self._connection.execute(
            select(AccessWaitingRow.id)
            .where(AccessWaitingRow.clinic_id == self._clinic_id)
            .limit(1)
        )
        return found.first() is not None

    async def _locked(self) -> Chain:
        values = {"of": self._clinic_id}
        rows = await _lock(self._dialect).read(self._connection, values)
        if not rows:
            await self._connection.execute(
                insert_unless_there(self._connection, AccessChainRow).values(
                    clinic_id=self._clinic_id,
                    first_number=_NEW.first_number,
                    first_hash=_NEW.first_hash,
                    last_number=_NEW.last_number,
                    last_hash=_NEW.last_hash,
                )
            )
            rows = await _lock(self._dialect).read(self._connection, values)
        return read_record(Chain, rows[0])

    async def _waiting(self) -> list[Access]:
        found = await self._connection.execute(
            delete(AccessWaitingRow)
            .where(AccessWaitingRow.clinic_id == self._clinic_id)
            .returning(AccessWaitingRow.access)
        )
        return [Access.from_data(access) for access in found.scalars()]

    async def _with_patients(self, accesses: Sequence[Access]) -> list[Access]:
        """The accesses with the patients of what they are to, where no answer named them."""
        unnamed = sorted({one for access in accesses if not access.patients for one in access.ids})
        owners = await self._owners(unnamed) if unnamed else {}
        return [
            access
            if access.patients
            else replace(
                access, patients=tuple(sorted({owners[one] for one in access.ids if one in owners}))
            )
            for access in accesses
        ]

    async def _owners(self, ids: Sequence[str]) -> dict[str, str]:
        """Whose data it is, by the id of a plan or of the patient."""
        owners: dict[str, str] = {}
        for start in range(0, len(ids), MOST):
            part = [UUID(one) for one in ids[start : start + MOST]]
            found = await self._connection.execute(
                union_all(
                    select(PlanRow.id, PlanRow.patient_id).where(
                        PlanRow.clinic_id == self._clinic_id, PlanRow.id.in_(part)
                    ),
                    select(PatientRow.id, PatientRow.id).where(
                        PatientRow.clinic_id == self._clinic_id, PatientRow.id.in_(part)
                    ),
                )
            )
            owners |= {str(row[0]): str(row[1]) for row in found}
        return owners

    async def _add_batch(self, chain: Chain, accesses: Sequence[Access], at: datetime) -> Chain:
        values = _batch(self._clinic_id, chain, accesses, at)
        await insert_row(AccessBatchRow, self._dialect).run(self._connection, values)
        found = {"of": self._clinic_id, "to": values["number"], "patients": _patients(accesses)}
        await _insert_patients(self._dialect).run(self._connection, found)
        return replace(chain, last_number=values["number"], last_hash=values["hash"])

    async def chain(self) -> Chain:
        """Where the chain begins and ends."""
        found = await self._connection.execute(
            select(*_CHAIN).where(AccessChainRow.clinic_id == self._clinic_id)
        )
        row = found.one_or_none()
        return _NEW if row is None else Chain(*row)

    async def batches(self, *, after: int, until: int, limit: int) -> tuple[AccessBatch, ...]:
        """The batches that follow a number up to another, in their order."""
        found = await self._connection.execute(
            select(*_BATCH)
            .where(
                AccessBatchRow.clinic_id == self._clinic_id,
                AccessBatchRow.number > after,
                AccessBatchRow.number <= until,
            )
            .order_by(AccessBatchRow.number)
            .limit(limit)
        )
        return tuple(AccessBatch(*row) for row in found)

    async def outside(self) -> int | None:
        """The number of a batch before or after the chain, where none is added."""
        its_chain = select(AccessChainRow.clinic_id).where(
            AccessChainRow.clinic_id == AccessBatchRow.clinic_id,
            AccessChainRow.first_number < AccessBatchRow.number,
            AccessChainRow.last_number >= AccessBatchRow.number,
        )
        mine = AccessBatchRow.clinic_id == self._clinic_id
        strays = select(AccessBatchRow.number).where(mine, ~its_chain.exists()).limit(1)
        return (await self._connection.execute(strays)).scalar_one_or_none()

    async def patients(self, first: int, last: int) -> set[tuple[int, UUID]]:
        """Of some batches the number and each patient by whom it is found."""
        found = await self._connection.execute(
            select(AccessPatientRow.number, AccessPatientRow.patient_id).where(
                AccessPatientRow.clinic_id == self._clinic_id,
                AccessPatientRow.number.between(first, last),
            )
        )
        return {(row[0], row[1]) for row in found}

    async def newest(
        self, which: AccessFilter, *, until: int | None, limit: int
    ) -> tuple[AccessBatch, ...]:
        """The batches in which wanted accesses may be, the newest first, from a number down."""
        statement = select(*_BATCH).where(
            AccessBatchRow.clinic_id == self._clinic_id, *_fitting(which)
        )
        if which.patient_id is not None:
            statement = statement.join(
                AccessPatientRow,
                (AccessPatientRow.clinic_id == AccessBatchRow.clinic_id)
                & (AccessPatientRow.number == AccessBatchRow.number),
            ).where(AccessPatientRow.patient_id == which.patient_id)
        if until is not None:
            statement = statement.where(AccessBatchRow.number <= until)
        found = await self._connection.execute(
            statement.order_by(AccessBatchRow.number.desc()).limit(limit)
        )
        return tuple(AccessBatch(*row) for row in found)

    async def forget_before(self, instant: datetime) -> None:
        """Forget the batches at the chain's beginning that are older; it then begins after them."""
        chain = await self._locked()
        mine = AccessBatchRow.clinic_id == self._clinic_id
        kept = select(AccessBatchRow.number).where(mine, AccessBatchRow.at >= instant)
        found = await self._connection.execute(kept.order_by(AccessBatchRow.number).limit(1))
        first_kept = found.scalar_one_or_none()
        last = chain.last_number if first_kept is None else first_kept - 1
        sealed = select(AccessBatchRow.hash).where(mine, AccessBatchRow.number == last)
        last_hash = (await self._connection.execute(sealed)).scalar_one_or_none()
        if last_hash is None:
            return
        await self._connection.execute(
            delete(AccessPatientRow).where(
                AccessPatientRow.clinic_id == self._clinic_id, AccessPatientRow.number <= last
            )
        )
        await self._connection.execute(
            delete(AccessBatchRow).where(mine, AccessBatchRow.number <= last)
        )
        await self._connection.execute(
            update(AccessChainRow)
            .where(AccessChainRow.clinic_id == self._clinic_id)
            .values(first_number=last, first_hash=last_hash)
        )


def _fitting(which: AccessFilter) -> Iterator[ColumnElement[bool]]:
    if which.since is not None:
        yield AccessBatchRow.at >= which.since
    if which.until is not None:
        yield AccessBatchRow.first_at < which.until


@cache
def _lock(dialect: str) -> Prepared:
    """Hold a clinic's chain until commit, and tell where it begins and ends."""
    return prepare(
        update(AccessChainRow)
        .where(AccessChainRow.clinic_id == parameter(AccessChainRow.clinic_id, "of"))
        .values(last_number=AccessChainRow.last_number)
        .returning(*_CHAIN),
        dialect,
    )


@cache
def _seal(dialect: str) -> Prepared:
    return prepare(
        update(AccessChainRow)
        .where(AccessChainRow.clinic_id == parameter(AccessChainRow.clinic_id, "of"))
        .values(
            last_number=parameter(AccessChainRow.last_number),
            last_hash=parameter(AccessChainRow.last_hash),
        ),
        dialect,
    )


@cache
def _insert_patients(dialect: str) -> Prepared:
    """By which patients a batch is found."""
    ids = _given_patients(dialect)
    clinic, number = AccessPatientRow.clinic_id, AccessPatientRow.number
    return prepare(
        insert(AccessPatientRow).from_select(
            ["clinic_id", "patient_id", "number"],
            select(parameter(clinic, "of"), ids, parameter(number, "to")),
        ),
        dialect,
    )


def _given_patients(dialect: str) -> ColumnElement[Any]:
    """The parameter ``patients`` as rows: a list of ids as SQLite keeps them, in JSON."""
    given = bindparam("patients", type_=Text())
    if dialect == "sqlite":
        value: ColumnElement[Any] = func.json_each(given).table_valued("value").c.value
        return value
    listed = func.json_array_elements_text(cast(given, JSON)).table_valued("value")
    return cast(listed.c.value, Uuid())


@cache
def _add(dialect: str) -> Prepared:
    """Add a batch where the chain ends as told; a row says that it did."""
    batch = AccessBatchRow
    sealed = (
        update(AccessChainRow)
        .where(
            AccessChainRow.clinic_id == parameter(batch.clinic_id),
            AccessChainRow.last_number == parameter(AccessChainRow.last_number),
            AccessChainRow.last_hash == parameter(batch.previous_hash),
        )
        .values(last_number=parameter(batch.number), last_hash=parameter(batch.hash))
        .returning(AccessChainRow.clinic_id)
        .cte("sealed")
    )
    others = [column for column in batch.__table__.columns if column.name != "clinic_id"]
    given = [bindparam(column.name, type_=column.type) for column in others]
    added = insert(batch).from_select(
        ["clinic_id", *(column.name for column in others)], select(sealed.c.clinic_id, *given)
    )
    found = insert(AccessPatientRow).from_select(
        ["clinic_id", "patient_id", "number"],
        select(sealed.c.clinic_id, _given_patients(dialect), parameter(batch.number)),
    )
    return prepare(
        select(sealed.c.clinic_id).add_cte(added.cte("added"), found.cte("found")), dialect
    )


def _batch(clinic_id: UUID, end: Chain, accesses: Sequence[Access], at: datetime) -> dict[str, Any]:
    """The row of a batch that follows a chain's end."""
    number, text = end.last_number + 1, written(accesses)
    return {
        "clinic_id": clinic_id,
        "number": number,
        "first_at": accesses[0].at,
        "at": at,
        "previous_hash": end.last_hash,
        "hash": chained(clinic_id, number, at, end.last_hash, text),
        "accesses": text,
    }


def _patients(accesses: Iterable[Access]) -> str:
    found = {patient.replace("-", "") for access in accesses for patient in access.patients}
    return json.dumps(sorted(found))
