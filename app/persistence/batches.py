"""Work over many plans: what is to be done, what was done, claimed one plan at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import (
    BatchItemRow,
    BatchRow,
    JsonObject,
    PlanRow,
)

LIVING = ("active", "on_hold", "draft")


class BatchNotFound(DomainError):
    """There is no such batch in this clinic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """One request's work over many plans."""

    id: UUID
    kind: str
    status: str
    request: JsonObject
    total: int
    created_at: datetime
    created_by: str
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchItemRecord:
    """What became of one plan."""

    plan_id: UUID
    status: str
    result: JsonObject
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimedPlan:
    """A plan to be done now, and what for."""

    plan_id: UUID
    batch: BatchRecord


_BATCH = columns_of(BatchRow, BatchRecord)
_ITEM = columns_of(BatchItemRow, BatchItemRecord)


class BatchRepository:
    """The batches of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, batch: BatchRecord, plan_ids: Sequence[UUID]) -> None:
        """Store a batch with a waiting item for each plan."""
        await self._connection.execute(
            insert(BatchRow).values(clinic_id=self._clinic_id, **values_of(batch))
        )
        if plan_ids:
            await self._connection.execute(
                insert(BatchItemRow),
                [
                    {
                        "clinic_id": self._clinic_id,
                        "batch_id": batch.id,
                        "plan_id": plan_id,
                        "status": "waiting",
                        "result": {},
                        "done_at": None,
                    }
                    for plan_id in plan_ids
                ],
            )

    async def get(self, batch_id: UUID) -> BatchRecord:
        """One batch. Raises BatchNotFound."""
        row = await _batch(self._connection.dialect.name).fetch_one(
            self._connection, {"of_clinic": self._clinic_id, "of_batch": batch_id}
        )
        if row is None:
            raise BatchNotFound("no such batch")
        return read_record(BatchRecord, row)

    async def counts(self, batch_id: UUID) -> dict[str, int]:
        """How many plans of a batch have which status."""
        rows = await self._connection.execute(
            select(BatchItemRow.status, func.count().label("plans"))
            .where(BatchItemRow.clinic_id == self._clinic_id, BatchItemRow.batch_id == batch_id)
            .group_by(BatchItemRow.status)
        )
        return {row.status: row.plans for row in rows}

    async def items(
        self, batch_id: UUID, *, status: str | None, after: UUID | None, limit: int
    ) -> tuple[BatchItemRecord, ...]:
        """The plans of a batch by their ids, with what became of them."""
        which = [] if status is None else [BatchItemRow.status == status]
        if after is not None:
            which.append(BatchItemRow.plan_id > after)
        rows = await self._connection.execute(
            select(*_ITEM)
            .where(
                BatchItemRow.clinic_id == self._clinic_id, BatchItemRow.batch_id == batch_id, *which
            )
            .order_by(BatchItemRow.plan_id)
            .limit(limit)
        )
        return tuple(BatchItemRecord(*row) for row in rows)

    async def claim(self, batch_id: UUID) -> ClaimedPlan | None:
        """A waiting plan, held by this transaction alone; ``None`` when none is free.

        Whoever dies while holding it gives it back.
        """
        row = await _claim(self._connection.dialect.name).fetch_one(
            self._connection, {"of_clinic": self._clinic_id, "of_batch": batch_id}
        )
        return None if row is None else ClaimedPlan(row[0], read_record(BatchRecord, row[1:]))

    async def finish_item(
        self, batch_id: UUID, plan_id: UUID, *, status: str, result: JsonObject, now: datetime
    ) -> None:
        """Note what became of one plan."""
        of_item = {"of_clinic": self._clinic_id, "of_batch": batch_id, "of_plan": plan_id}
        became = {"status": status, "result": result, "done_at": now}
        await _finish_item(self._connection.dialect.name).run(
            self._connection, {**of_item, **became}
        )

    async def finish(self, batch_id: UUID, *, status: str, now: datetime) -> None:
        """End a running batch; plans still waiting are left as they are, cancelled."""
        await self._connection.execute(
            update(BatchItemRow)
            .where(
                BatchItemRow.clinic_id == self._clinic_id,
                BatchItemRow.batch_id == batch_id,
                BatchItemRow.status == "waiting",
            )
            .values(status="cancelled", done_at=now)
        )
        await self._connection.execute(
            update(BatchRow)
            .where(
                BatchRow.clinic_id == self._clinic_id,
                BatchRow.id == batch_id,
                BatchRow.status == "running",
            )
            .values(status=status, finished_at=now)
        )

    async def waiting(self, batch_id: UUID) -> int:
        """How many plans of a batch are not done yet, those held by others among them."""
        return (await self.counts(batch_id)).get("waiting", 0)

    async def living_plans(self) -> list[UUID]:
        """Every living plan of the clinic, by their ids."""
        rows = await self._connection.execute(
            select(PlanRow.id)
            .where(PlanRow.clinic_id == self._clinic_id, PlanRow.status.in_(LIVING))
            .order_by(PlanRow.id)
        )
        return list(rows.scalars())

    async def plans_of_version(
        self, key: str, version: str, *, location_id: UUID | None, limit: int
    ) -> tuple[UUID, ...]:
        """Living plans that follow a protocol version, by their ids; perhaps of one location."""
        which = [] if location_id is None else [PlanRow.location_id == location_id]
        rows = await self._connection.execute(
            select(PlanRow.id)
            .where(
                PlanRow.clinic_id == self._clinic_id,
                PlanRow.protocol_key == key,
                PlanRow.protocol_version == version,
                *which,
                PlanRow.status.in_(LIVING),
            )
            .order_by(PlanRow.id)
            .limit(limit)
        )
        return tuple(rows.scalars())


@cache
def _batch(dialect: str) -> Prepared:
    which = (
        BatchRow.clinic_id == parameter(BatchRow.clinic_id, "of_clinic"),
        BatchRow.id == parameter(BatchRow.id, "of_batch"),
    )
    return prepare(select(*_BATCH).where(*which), dialect)


@cache
def _claim(dialect: str) -> Prepared:
    """The index of what waits serves only a query which says so without a parameter."""
    of_batch = (BatchRow.clinic_id == BatchItemRow.clinic_id) & (
        BatchRow.id == BatchItemRow.batch_id
    )
    statement = (
        select(BatchItemRow.plan_id, *_BATCH)
        .join_from(BatchItemRow, BatchRow, of_batch)
        .where(
            BatchItemRow.clinic_id == parameter(BatchItemRow.clinic_id, "of_clinic"),
            BatchItemRow.batch_id == parameter(BatchItemRow.batch_id, "of_batch"),
            BatchItemRow.status == literal_column("'waiting'"),
        )
        .order_by(BatchItemRow.plan_id)
        .limit(literal_column("1"))
        .with_for_update(skip_locked=True, of=BatchItemRow)
    )
    return prepare(statement, dialect)


@cache
def _finish_item(dialect: str) -> Prepared:
    which = (
        BatchItemRow.clinic_id == parameter(BatchItemRow.clinic_id, "of_clinic"),
        BatchItemRow.batch_id == parameter(BatchItemRow.batch_id, "of_batch"),
        BatchItemRow.plan_id == parameter(BatchItemRow.plan_id, "of_plan"),
    )
    became = (BatchItemRow.status, BatchItemRow.result, BatchItemRow.done_at)
    values = {column.key: parameter(column) for column in became}
    return prepare(update(BatchItemRow).where(*which).values(values), dialect)


async def running_batches(connection: AsyncConnection) -> tuple[tuple[UUID, UUID], ...]:
    """Every running batch of every clinic: clinic and batch. For the worker."""
    rows = await connection.execute(
        select(BatchRow.clinic_id, BatchRow.id)
        .where(BatchRow.status == "running")
        .order_by(BatchRow.created_at, BatchRow.id)
    )
    return tuple((clinic_id, batch_id) for clinic_id, batch_id in rows)
