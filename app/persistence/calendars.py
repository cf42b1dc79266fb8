"""Calendar feeds: what they show, and the hash by which a subscriber's address is known again."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, false, insert, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.errors import DomainError
from app.persistence.plans.statements import with_place_and_version
from app.persistence.records import columns_of, values_of
from app.persistence.tables import (
    CALLED_OFF,
    DONE,
    WAITING,
    CalendarRow,
    FormerStepRow,
    JsonObject,
    LocationRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
    ProtocolVersionRow,
)


class CalendarNotFound(DomainError):
    """There is no such calendar feed, or it was revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRecord:
    """A feed of one plan, patient, location or practitioner."""

    id: UUID
    plan_id: UUID | None
    patient_id: UUID | None
    location_id: UUID | None
    practitioner: str | None
    title: str | None
    titles: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FeedStep:
    """A planned step on its day, with what a calendar says of its plan."""

    id: UUID
    plan_id: UUID
    kind: str
    title: str
    ordinal: int | None
    of_count: int | None
    status: str
    tentative: bool
    day: date
    end_day: date | None
    appointment: JsonObject | None
    plan_status: str
    plan_revision: int
    plan_updated_at: datetime
    example: bool
    time_zone: str
    location_name: str


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What a calendar says of a plan whatever its steps are."""

    plan_id: UUID
    plan_status: str
    plan_revision: int
    plan_updated_at: datetime
    example: bool
    time_zone: str
    location_name: str


_CALENDAR = columns_of(CalendarRow, CalendarRecord)
_OF_PLAN: tuple[InstrumentedAttribute[Any], ...] = (
    PlanRow.status,
    PlanRow.revision,
    PlanRow.updated_at,
    ProtocolVersionRow.example,
    LocationRow.time_zone,
    LocationRow.name,
)
_STEP = (
    PlannedStepRow.id,
    PlannedStepRow.plan_id,
    PlannedStepRow.kind,
    PlannedStepRow.title,
    PlannedStepRow.ordinal,
    PlannedStepRow.of_count,
    PlannedStepRow.status,
    PlannedStepRow.tentative,
    PlannedStepRow.day,
    PlannedStepRow.end_day,
    PlannedStepRow.appointment,
)
_FORMER_STEP = (
    FormerStepRow.step_id,
    FormerStepRow.plan_id,
    FormerStepRow.kind,
    FormerStepRow.title,
    FormerStepRow.ordinal,
    FormerStepRow.of_count,
    FormerStepRow.status,
    false(),
    FormerStepRow.day,
    FormerStepRow.end_day,
    FormerStepRow.appointment,
)


class CalendarRepository:
    """The calendar feeds of one clinic, and what they show."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, calendar: CalendarRecord, token_hash: bytes) -> None:
        """Store a feed under the hash of its token."""
        await self._connection.execute(
            insert(CalendarRow).values(
                clinic_id=self._clinic_id, token_hash=token_hash, **values_of(calendar)
            )
        )

    async def page(self, *, after: UUID | None, limit: int) -> tuple[CalendarRecord, ...]:
        """Feeds in the order of their ids, which is that of their making."""
        rows = await self._connection.execute(
            select(*_CALENDAR)
            .where(
                CalendarRow.clinic_id == self._clinic_id, CalendarRow.id > (after or UUID(int=0))
            )
            .order_by(CalendarRow.id)
            .limit(limit)
        )
        return tuple(CalendarRecord(**row._mapping) for row in rows)

    async def get(self, calendar_id: UUID) -> CalendarRecord:
        """One feed. Raises CalendarNotFound."""
        return await self._one(CalendarRow.id == calendar_id)

    async def find(self, token_hash: bytes) -> CalendarRecord:
        """The feed of a token. Raises CalendarNotFound."""
        return await self._one(CalendarRow.token_hash == token_hash)

    async def remove(self, calendar_id: UUID) -> None:
        """Forget a feed. Raises CalendarNotFound."""
        done = await self._connection.execute(
            delete(CalendarRow).where(
                CalendarRow.clinic_id == self._clinic_id, CalendarRow.id == calendar_id
            )
        )
        if done.rowcount == 0:
            raise CalendarNotFound("no such calendar")

    async def steps_of_plan(self, plan_id: UUID, *, limit: int) -> tuple[FeedStep, ...]:
        """Every step of a plan that has a day."""
        which = and_(self._steps(), PlannedStepRow.plan_id == plan_id)
        return await self._shown(which, limit)

    async def steps_of_patient(self, patient_id: UUID, *, limit: int) -> tuple[FeedStep, ...]:
        """Every step with a day of a patient's plans; drafts are nobody's appointments yet."""
        which = and_(self._steps(), PlanRow.patient_id == patient_id, PlanRow.status != "draft")
        return await self._shown(which, limit)

    async def steps_between(
        self, first: date, last: date, calendar: CalendarRecord, *, limit: int
    ) -> tuple[FeedStep, ...]:
        """Steps on these days which people work on, or would have, where the feed is of."""
        ids = union_all(
            *(
                select(PlannedStepRow.id).where(
                    self._steps(),
                    PlannedStepRow.day >= first,
                    PlannedStepRow.day <= last,
                    _where_it_is_of(PlannedStepRow, calendar),
                    text(condition),
                )
                for condition in (WAITING, DONE, CALLED_OFF)
            )
        ).subquery()
        return await self._shown(
            and_(self._steps(), PlannedStepRow.id.in_(select(ids.c.id))), limit
        )

    async def former_steps_between(
        self, first: date, last: date, calendar: CalendarRecord, *, limit: int
    ) -> tuple[FeedStep, ...]:
        """Steps which people worked on there on these days, each as it stood last."""
        of_plan = and_(
            FormerStepRow.clinic_id == PlanRow.clinic_id, FormerStepRow.plan_id == PlanRow.id
        )
        steps = select(FormerStepRow.revision, *_FORMER_STEP, *_OF_PLAN).join_from(
            FormerStepRow, PlanRow, of_plan
        )
        rows = await self._connection.execute(
            with_place_and_version(steps, FormerStepRow.location_id)
            .where(
                FormerStepRow.clinic_id == self._clinic_id,
                FormerStepRow.day >= first,
                FormerStepRow.day <= last,
                _where_it_is_of(FormerStepRow, calendar),
            )
            .order_by(FormerStepRow.day, FormerStepRow.step_id)
            .limit(limit)
        )
        by_revision = sorted(rows, key=lambda row: row.revision)
        return tuple({row.step_id: FeedStep(*row[1:]) for row in by_revision}.values())

    async def plans(self, *, plan_id: UUID | None, patient_id: UUID | None) -> tuple[FeedPlan, ...]:
        """The plan, or the plans of a patient that are no drafts."""
        which = PlanRow.id == plan_id
        if patient_id is not None:
            which = and_(PlanRow.patient_id == patient_id, PlanRow.status != "draft")
        rows = await self._connection.execute(
            with_place_and_version(select(PlanRow.id, *_OF_PLAN)).where(
                PlanRow.clinic_id == self._clinic_id, which
            )
        )
        return tuple(FeedPlan(*row) for row in rows)

    async def steps_of_revisions(self, plan_id: UUID, *, limit: int) -> list[JsonObject]:
        """The steps of a plan in its revisions, the latest first."""
        rows = await self._connection.scalars(
            select(PlanRevisionRow.snapshot)
            .where(PlanRevisionRow.clinic_id == self._clinic_id, PlanRevisionRow.plan_id == plan_id)
            .order_by(PlanRevisionRow.revision.desc())
            .limit(limit)
        )
        return [step for snapshot in rows for step in snapshot.get("steps", [])]

    def _steps(self) -> ColumnElement[bool]:
        return and_(PlannedStepRow.clinic_id == self._clinic_id, PlannedStepRow.day.is_not(None))

    async def _one(self, which: ColumnElement[bool]) -> CalendarRecord:
        rows = await self._connection.execute(
            select(*_CALENDAR).where(CalendarRow.clinic_id == self._clinic_id, which)
        )
        row = rows.one_or_none()
        if row is None:
            raise CalendarNotFound("no such calendar")
        return CalendarRecord(**row._mapping)

    async def _shown(self, which: ColumnElement[bool], limit: int) -> tuple[FeedStep, ...]:
        of_plan = and_(
            PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.plan_id == PlanRow.id
        )
        steps = select(*_STEP, *_OF_PLAN).join_from(PlanRow, PlannedStepRow, of_plan)
        rows = await self._connection.execute(
            with_place_and_version(steps)
            .where(which)
            .order_by(PlannedStepRow.day, PlannedStepRow.id)
            .limit(limit)
        )
        return tuple(FeedStep(*row) for row in rows)


def _where_it_is_of(
    row: type[PlannedStepRow | FormerStepRow], calendar: CalendarRecord
) -> ColumnElement[bool]:
    """Steps at the feed's location, or of plans for which its practitioner is responsible."""
    if calendar.location_id is not None:
        return row.location_id == calendar.location_id
    return row.practitioner == calendar.practitioner
