"""The account of access of a clinic: what waits, the chain of batches, and its pages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.access import Access, chained
from app.persistence.prepared import insert_row
from app.persistence.records import columns_of
from app.persistence.tables import (
    AccessBatchRow,
    AccessChainRow,
    AccessPatientRow,
    AccessWaitingRow,
    JsonList,
    PatientRow,
    PlanRow,
)
from app.persistence.upserts import upsert

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
    at: datetime
    previous_hash: str
    hash: str
    accesses: JsonList


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

    async def wait(self, access_id: UUID, access: Access) -> None:
        """Note a change in its own transaction; it comes into the chain when one is added to it."""
        values = {"clinic_id": self._clinic_id, "id": access_id, "access": access.to_data()}
        await insert_row(AccessWaitingRow, self._connection.dialect.name).run(
            self._connection, values
        )

    async def add(self, accesses: Iterable[Access], *, at: datetime) -> None:
        """Add accesses, and all that wait, to the chain; nobody else does until commit."""
        chain = await self._locked()
        whole = sorted([*accesses, *await self._waiting()], key=lambda one: one.at)
        for start in range(0, len(whole), MOST):
            part = await self._with_patients(whole[start : start + MOST])
            chain = await self._add_batch(chain, part, at)
        await self._connection.execute(
            update(AccessChainRow)
            .where(AccessChainRow.clinic_id == self._clinic_id)
            .values(last_number=chain.last_number, last_hash=chain.last_hash)
        )

    async def _locked(self) -> Chain:
        statement = (
            upsert(self._connection.dialect.name, AccessChainRow)
            .values(
                clinic_id=self._clinic_id,
                first_number=_NEW.first_number,
                first_hash=_NEW.first_hash,
                last_number=_NEW.last_number,
                last_hash=_NEW.last_hash,
            )
            .on_conflict_do_update(
                index_elements=["clinic_id"], set_={"last_number": AccessChainRow.last_number}
            )
        )
        found = await self._connection.execute(statement.returning(*_CHAIN))
        return Chain(*found.one())

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
        number, rows = chain.last_number + 1, [access.to_data() for access in accesses]
        sealed = chained(self._clinic_id, number, at, chain.last_hash, rows)
        await self._connection.execute(
            insert(AccessBatchRow).values(
                clinic_id=self._clinic_id,
                number=number,
                first_at=accesses[0].at,
                at=at,
                previous_hash=chain.last_hash,
                hash=sealed,
                accesses=rows,
            )
        )
        patients = sorted({one for access in accesses for one in access.patients})
        if patients:
            await self._connection.execute(
                insert(AccessPatientRow),
                [
                    {"clinic_id": self._clinic_id, "patient_id": UUID(one), "number": number}
                    for one in patients
                ],
            )
        return replace(chain, last_number=number, last_hash=sealed)

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
