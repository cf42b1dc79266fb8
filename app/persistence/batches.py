"""Work over many plans: what is to be done, what was done, claimed one plan at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import islice
from uuid import UUID

from sqlalchemy import bindparam, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.domain.facts import OccurrenceId
from app.domain.plans.steps import UNRESOLVED
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import (
    BatchItemRow,
    BatchRow,
    ClosureRow,
    JsonList,
    JsonObject,
    PlannedStepRow,
    PlanRow,
)

LIVING = ("active", "on_hold", "draft")
# Parameters of one statement are limited.
AT_ONCE = 500


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


@dataclass(frozen=True, slots=True)
class FlaggedPlan:
    """A plan that is flagged, as it is shown so far."""

    id: UUID
    patient_id: UUID
    revision: int
    breaches: JsonList
    attention: JsonList


@dataclass(frozen=True, slots=True)
class StepOnDay:
    """An undone step of a plan on one of the days looked at."""

    id: UUID
    key: str
    occurrence: str | None
    kind: str
    title: str
    modes: list[str]
    day: date
    end_day: date | None


_FLAGGED = columns_of(PlanRow, FlaggedPlan)
_ON_DAY = columns_of(PlannedStepRow, StepOnDay)
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

    async def steps_on_days(
        self, location_id: UUID, first: date, last: date
    ) -> dict[UUID, list[StepOnDay]]:
        """Undone steps of living plans on these days, by plan."""
        of_plan = (PlannedStepRow.clinic_id == PlanRow.clinic_id) & (
            PlannedStepRow.plan_id == PlanRow.id
        )
        rows = await self._connection.execute(
            select(PlannedStepRow.plan_id, *_ON_DAY)
            .join_from(PlannedStepRow, PlanRow, of_plan)
            .where(
                PlannedStepRow.clinic_id == self._clinic_id,
                PlannedStepRow.day >= first,
                PlannedStepRow.day <= last,
                PlannedStepRow.status.in_(("planned", "booked", "proposed", "missed")),
                PlanRow.location_id == location_id,
                PlanRow.status.in_(LIVING),
            )
            .order_by(PlannedStepRow.plan_id, PlannedStepRow.day, PlannedStepRow.position)
        )
        found: dict[UUID, list[StepOnDay]] = {}
        for plan_id, *step in rows:
            found.setdefault(plan_id, []).append(StepOnDay(*step))
        return found

    async def flag(
        self, steps: Mapping[UUID, Sequence[StepOnDay]], *, rule: str, why: str, now: datetime
    ) -> list[FlaggedPlan]:
        """Show on plans that some of their steps break a rule, until they are looked at again.

        Their days and revisions stay.
        """
        flagged: list[FlaggedPlan] = []
        for plan_ids in batched(sorted(steps), AT_ONCE):
            rows = await self._connection.execute(
                select(*_FLAGGED)
                .where(PlanRow.clinic_id == self._clinic_id, PlanRow.id.in_(plan_ids))
                .order_by(PlanRow.id)
                .with_for_update()
            )
            found = [FlaggedPlan(*row) for row in rows]
            await self._connection.execute(
                update(PlanRow)
                .where(PlanRow.clinic_id == self._clinic_id, PlanRow.id == bindparam("plan"))
                .values(
                    breaches=bindparam("found", type_=PlanRow.breaches.type),
                    attention=bindparam("looked_at", type_=PlanRow.attention.type),
                    needs_attention=True,
                    updated_at=now,
                ),
                [_flags(plan, steps[plan.id], rule, why) for plan in found],
            )
            flagged += found
        return flagged

    async def flagged_plans(self, closure_id: UUID) -> list[UUID]:
        """Living plans that are flagged because their location is closed on some days."""
        of_plan = (ClosureRow.clinic_id == PlanRow.clinic_id) & (
            ClosureRow.location_id == PlanRow.location_id
        )
        rows = await self._connection.execute(
            select(PlanRow.id, PlanRow.breaches, ClosureRow.key)
            .join_from(PlanRow, ClosureRow, of_plan)
            .where(
                PlanRow.clinic_id == self._clinic_id,
                ClosureRow.id == closure_id,
                PlanRow.needs_attention,
                PlanRow.status.in_(LIVING),
            )
            .order_by(PlanRow.id)
        )
        return [id_ for id_, found, key in rows if f"closure:{key}" in {b["rule"] for b in found}]

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


def batched(ids: Sequence[UUID], size: int) -> Iterator[list[UUID]]:
    """The ids in lists of a size, the last perhaps shorter."""
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some


def _flags(plan: FlaggedPlan, steps: Sequence[StepOnDay], rule: str, why: str) -> dict[str, object]:
    breaches, attention = list(plan.breaches), list(plan.attention)
    for step in steps:
        name = str(OccurrenceId(step.key, step.occurrence))
        text = f"{step.title} on {step.day.isoformat()}: {why}; {UNRESOLVED}"
        id_ = f"{rule}:{name}"
        breaches.append(
            {
                "id": id_,
                "rule": rule,
                "severity": "block",
                "text": text,
                "step_ids": [str(step.id)],
                "acknowledged": False,
            }
        )
        attention.append({"code": "breach", "text": text, "breach": id_})
    return {"plan": plan.id, "found": breaches, "looked_at": attention}


async def running_batches(connection: AsyncConnection) -> tuple[tuple[UUID, UUID], ...]:
    """Every running batch of every clinic: clinic and batch. For the worker."""
    rows = await connection.execute(
        select(BatchRow.clinic_id, BatchRow.id)
        .where(BatchRow.status == "running")
        .order_by(BatchRow.created_at, BatchRow.id)
    )
    return tuple((clinic_id, batch_id) for clinic_id, batch_id in rows)
