"""Steps that have become due or overdue since it was last said, location by location."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import and_, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.tables import WAITING, LocationRow, PlannedStepRow, PlanRow


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
        step = PlannedStepRow
        is_due, is_overdue = step.due_from <= today, step.due_until < today
        found = (
            select(
                *(step.clinic_id, step.day, step.id, step.plan_id),
                *(step.key, step.occurrence, step.kind, is_overdue.label("is_overdue")),
            )
            .where(
                # In the words of the worklist's indexes: among all steps it would take long.
                text(WAITING),
                step.clinic_id == self._clinic_id,
                step.location_id == location_id,
                step.status.in_(("planned", "booked")),
                step.plan_status == "active",
                step.end_day.is_(None),
                or_(
                    and_(is_overdue, step.announced.is_distinct_from("overdue")),
                    and_(is_due, step.announced.is_(None)),
                ),
            )
            .order_by(step.day, step.id)
            .limit(limit)
            .subquery()
            .c
        )
        of_plan = and_(found.clinic_id == PlanRow.clinic_id, found.plan_id == PlanRow.id)
        rows = await self._connection.execute(
            select(
                *(found.id, found.plan_id, PlanRow.patient_id, PlanRow.revision),
                *(found.key, found.occurrence, found.kind, found.is_overdue),
            )
            .where(of_plan)
            .order_by(found.day, found.id)
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
