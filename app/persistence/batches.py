"""Work over many plans: what is to be done, what was done, claimed one plan at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.records import columns_of, values_of
from app.persistence.tables import (
    BatchItemRow,
    BatchRow,
    JsonObject,
    PlannedStepRow,
    PlanRow,
)


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
        rows = await self._connection.execute(
            select(*_BATCH).where(BatchRow.clinic_id == self._clinic_id, BatchRow.id == batch_id)
        )
        row = rows.one_or_none()
        if row is None:
            raise BatchNotFound("no such batch")
        return BatchRecord(**row._mapping)

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

    async def claim(self, batch_id: UUID) -> UUID | None:
        """A waiting plan, held by this transaction alone; ``None`` when none is free.

        Whoever dies while holding it gives it back.
        """
        rows = await self._connection.execute(
            select(BatchItemRow.plan_id)
            .where(
                BatchItemRow.clinic_id == self._clinic_id,
                BatchItemRow.batch_id == batch_id,
                BatchItemRow.status == "waiting",
            )
            .order_by(BatchItemRow.plan_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return rows.scalar_one_or_none()

    async def finish_item(
        self, batch_id: UUID, plan_id: UUID, *, status: str, result: JsonObject, now: datetime
    ) -> None:
        """Note what became of one plan."""
        await self._connection.execute(
            update(BatchItemRow)
            .where(
                BatchItemRow.clinic_id == self._clinic_id,
                BatchItemRow.batch_id == batch_id,
                BatchItemRow.plan_id == plan_id,
            )
            .values(status=status, result=result, done_at=now)
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

    async def plans_on_days(
        self, location_id: UUID, first: date, last: date
    ) -> dict[UUID, list[tuple[UUID, list[str], str, date | None]]]:
        """Living plans with undone steps on these days: step id, modes, kind and end by plan."""
        of_plan = (PlannedStepRow.clinic_id == PlanRow.clinic_id) & (
            PlannedStepRow.plan_id == PlanRow.id
        )
        rows = await self._connection.execute(
            select(
                PlannedStepRow.plan_id,
                PlannedStepRow.id,
                PlannedStepRow.modes,
                PlannedStepRow.kind,
                PlannedStepRow.end_day,
            )
            .join_from(PlannedStepRow, PlanRow, of_plan)
            .where(
                PlannedStepRow.clinic_id == self._clinic_id,
                PlannedStepRow.day >= first,
                PlannedStepRow.day <= last,
                PlannedStepRow.status.in_(("planned", "booked", "proposed")),
                PlanRow.location_id == location_id,
                PlanRow.status.in_(("active", "on_hold", "draft")),
            )
            .order_by(PlannedStepRow.plan_id, PlannedStepRow.day)
        )
        found: dict[UUID, list[tuple[UUID, list[str], str, date | None]]] = {}
        for plan_id, step_id, modes, kind, end in rows:
            found.setdefault(plan_id, []).append((step_id, modes, kind, end))
        return found

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
                PlanRow.status.in_(("active", "on_hold", "draft")),
            )
            .order_by(PlanRow.id)
            .limit(limit)
        )
        return tuple(rows.scalars())


async def running_batches(connection: AsyncConnection) -> tuple[tuple[UUID, UUID], ...]:
    """Every running batch of every clinic: clinic and batch. For the worker."""
    rows = await connection.execute(
        select(BatchRow.clinic_id, BatchRow.id)
        .where(BatchRow.status == "running")
        .order_by(BatchRow.created_at, BatchRow.id)
    )
    return tuple((clinic_id, batch_id) for clinic_id, batch_id in rows)
