"""Plans on days of a location which are not theirs any more: found, and flagged until solved."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Text, bindparam, cast, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.facts import OccurrenceId
from app.domain.plans.steps import UNRESOLVED
from app.persistence.batches import LIVING
from app.persistence.records import columns_of
from app.persistence.tables import JsonList, JsonObject, PlannedStepRow, PlanRow, ProtocolVersionRow

T = TypeVar("T")

UNDONE = ("planned", "booked", "proposed", "missed")
# Parameters of one statement are limited.
AT_ONCE = 500


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
    appointment: JsonObject | None


@dataclass(frozen=True, slots=True)
class TouchedStep:
    """A step on a day that is not its day any more: by which rule, and why, in words."""

    step: StepOnDay
    rule: str
    why: str


_FLAGGED = columns_of(PlanRow, FlaggedPlan)
_ON_DAY = columns_of(PlannedStepRow, StepOnDay)


class TouchedPlanRepository:
    """The living plans of one clinic, as the days of its locations concern them."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def days_of_steps(self, location_id: UUID, first: date, last: date) -> list[date]:
        """The days of a range on which living plans of a location have undone steps."""
        rows = await self._connection.execute(
            select(PlannedStepRow.day)
            .where(*self._undone(location_id), PlannedStepRow.day.between(first, last))
            .distinct()
            .order_by(PlannedStepRow.day)
        )
        return [day for day in rows.scalars() if day is not None]

    async def steps_on_days(
        self, location_id: UUID, days: Sequence[date], statuses: Sequence[str] = UNDONE
    ) -> dict[UUID, list[StepOnDay]]:
        """Undone steps of living plans of a location on these days, by plan."""
        found: dict[UUID, list[StepOnDay]] = {}
        for some in batched(days, AT_ONCE):
            rows = await self._connection.execute(
                select(PlannedStepRow.plan_id, *_ON_DAY)
                .where(*self._undone(location_id, statuses), PlannedStepRow.day.in_(some))
                .order_by(PlannedStepRow.plan_id, PlannedStepRow.day, PlannedStepRow.position)
            )
            for plan_id, *step in rows:
                found.setdefault(plan_id, []).append(StepOnDay(*step))
        return found

    async def versions_of(self, plan_ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
        """The key and version of the protocol that each plan follows."""
        found: dict[UUID, tuple[str, str]] = {}
        for some in batched(plan_ids, AT_ONCE):
            rows = await self._connection.execute(
                select(PlanRow.id, PlanRow.protocol_key, PlanRow.protocol_version).where(
                    PlanRow.clinic_id == self._clinic_id, PlanRow.id.in_(some)
                )
            )
            found |= {id_: (key, version) for id_, key, version in rows}
        return found

    def _undone(
        self, location_id: UUID, statuses: Sequence[str] = UNDONE
    ) -> tuple[ColumnElement[bool], ...]:
        return (
            PlannedStepRow.clinic_id == self._clinic_id,
            PlannedStepRow.status.in_(statuses),
            PlannedStepRow.location_id == location_id,
            PlannedStepRow.plan_status.in_(LIVING),
        )

    async def flag(
        self, touched: Mapping[UUID, Sequence[TouchedStep]], *, now: datetime
    ) -> list[FlaggedPlan]:
        """Show on plans that some of their steps break a rule, until they are looked at again.

        Their days and revisions stay.
        """
        flagged: list[FlaggedPlan] = []
        for plan_ids in batched(sorted(touched), AT_ONCE):
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
                [_flags(plan, touched[plan.id]) for plan in found],
            )
            flagged += found
        return flagged

    async def flagged_plans(self, location_id: UUID, rules: Set[str]) -> list[UUID]:
        """Living plans of a location that are flagged for one of these rules."""
        rows = await self._connection.execute(
            select(PlanRow.id, PlanRow.breaches)
            .where(
                PlanRow.clinic_id == self._clinic_id,
                PlanRow.location_id == location_id,
                PlanRow.needs_attention,
                PlanRow.status.in_(LIVING),
            )
            .order_by(PlanRow.id)
        )
        return [id_ for id_, found in rows if any(breach["rule"] in rules for breach in found)]

    async def counting_plans(self, location_id: UUID) -> list[UUID]:
        """Living plans of a location whose protocols count working days."""
        counting = await self._connection.execute(
            select(ProtocolVersionRow.protocol_key, ProtocolVersionRow.version).where(
                ProtocolVersionRow.clinic_id == self._clinic_id,
                cast(ProtocolVersionRow.document, Text).contains('"working_days"'),
            )
        )
        versions = [(key, version) for key, version in counting]
        if not versions:
            return []
        rows = await self._connection.execute(
            select(PlanRow.id)
            .where(
                PlanRow.clinic_id == self._clinic_id,
                PlanRow.location_id == location_id,
                PlanRow.status.in_(LIVING),
                tuple_(PlanRow.protocol_key, PlanRow.protocol_version).in_(versions),
            )
            .order_by(PlanRow.id)
        )
        return list(rows.scalars())


def _flags(plan: FlaggedPlan, touched: Sequence[TouchedStep]) -> dict[str, object]:
    breaches, attention = list(plan.breaches), list(plan.attention)
    known = {breach["id"] for breach in breaches}
    for one in touched:
        step, rule = one.step, one.rule
        text = f"{step.title} on {step.day.isoformat()}: {one.why}; {UNRESOLVED}"
        id_ = f"{rule}:{OccurrenceId(step.key, step.occurrence)}"
        if id_ in known:
            continue
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


def batched(all_: Sequence[T], size: int) -> Iterator[list[T]]:
    """All of them in lists of a size, the last perhaps shorter."""
    rest = iter(all_)
    while some := list(islice(rest, size)):
        yield some
