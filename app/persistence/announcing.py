"""Steps that have become due or overdue since it was last said, location by location."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.tables import LocationRow, PlannedStepRow, PlanRow


@dataclass(frozen=True, slots=True)
class AnnouncedUntil:
    """Until which local day a location's steps were announced."""

    clinic_id: UUID
    location_id: UUID
    time_zone: str
    announced_on: date | None


@dataclass(frozen=True, slots=True)
class StepToAnnounce:
    """A step that is due or overdue and was not said to be."""

    id: UUID
    plan_id: UUID
    patient_id: UUID
    revision: int
    key: str
    occurrence: str | None
    kind: str
    is_overdue: bool


async def announced_until(connection: AsyncConnection) -> tuple[AnnouncedUntil, ...]:
    """Every location of every clinic. For the worker."""
    rows = await connection.execute(
        select(
            LocationRow.clinic_id, LocationRow.id, LocationRow.time_zone, LocationRow.announced_on
        ).order_by(LocationRow.clinic_id, LocationRow.id)
    )
    return tuple(AnnouncedUntil(*row) for row in rows)


class AnnouncingRepository:
    """What of one clinic is to be announced."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def next_steps(
        self, location_id: UUID, today: date, *, limit: int
    ) -> tuple[StepToAnnounce, ...]:
        """Steps of active plans which are due or overdue today and were not said to be."""
        is_due, is_overdue = PlannedStepRow.due_from <= today, PlannedStepRow.due_until < today
        of_plan = and_(
            PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.plan_id == PlanRow.id
        )
        rows = await self._connection.execute(
            select(
                PlannedStepRow.id,
                PlannedStepRow.plan_id,
                PlanRow.patient_id,
                PlanRow.revision,
                PlannedStepRow.key,
                PlannedStepRow.occurrence,
                PlannedStepRow.kind,
                is_overdue.label("is_overdue"),
            )
            .join_from(PlannedStepRow, PlanRow, of_plan)
            .where(
                PlannedStepRow.clinic_id == self._clinic_id,
                PlannedStepRow.location_id == location_id,
                PlannedStepRow.status.in_(("planned", "booked")),
                PlannedStepRow.plan_status == "active",
                PlannedStepRow.day.is_not(None),
                PlannedStepRow.end_day.is_(None),
                PlannedStepRow.kind != "restriction",
                or_(
                    and_(is_overdue, PlannedStepRow.announced.is_distinct_from("overdue")),
                    and_(is_due, PlannedStepRow.announced.is_(None)),
                ),
            )
            .order_by(PlannedStepRow.day, PlannedStepRow.id)
            .limit(limit)
        )
        return tuple(StepToAnnounce(*row) for row in rows)

    async def mark(self, steps: Sequence[StepToAnnounce]) -> None:
        """Remember what was said of these steps."""
        for state, is_overdue in (("overdue", True), ("due", False)):
            ids = [step.id for step in steps if step.is_overdue is is_overdue]
            if ids:
                await self._connection.execute(
                    update(PlannedStepRow)
                    .where(PlannedStepRow.clinic_id == self._clinic_id, PlannedStepRow.id.in_(ids))
                    .values(announced=state)
                )

    async def finish(self, location_id: UUID, today: date) -> None:
        """Everything of a location was announced until this day."""
        await self._connection.execute(
            update(LocationRow)
            .where(LocationRow.clinic_id == self._clinic_id, LocationRow.id == location_id)
            .values(announced_on=today)
        )
