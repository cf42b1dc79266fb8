"""The worklist of one clinic: what waits in living plans, in pages and counted."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnExpressionArgument, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.plans.statements import OF_VERSION
from app.persistence.prepared import page_of_rows
from app.persistence.tables import PlanRow, ProtocolVersionRow
from app.persistence.worklist.records import (
    Counted,
    Place,
    Todays,
    WaitingPlan,
    WaitingStep,
    WorklistFilter,
)
from app.persistence.worklist.statements import (
    GIVEN,
    Shape,
    count_steps,
    list_steps,
    list_zones,
    near_days,
    of_plan_or_version,
)

LIVING = ("active", "on_hold")

_PLAN = tuple(of_plan_or_version(name) for name in WaitingPlan.__slots__)


class WorklistRepository:
    """The worklist of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def zones(self, location_id: UUID | None) -> list[tuple[UUID, str]]:
        """The time zone of every location, or of one."""
        values = {"clinic_id": self._clinic_id, "location_id": location_id}
        statement = list_zones(self._connection.dialect.name, one=location_id is not None)
        return [(id_, zone) for id_, zone in await statement.fetch(self._connection, values)]

    async def page(
        self,
        which: WorklistFilter,
        todays: Todays,
        *,
        after: Place | None = None,
        limit: int,
    ) -> list[WaitingStep]:
        """Steps that fit, by day and the end of their window, beginning after a place."""
        if not which.possible():
            return []
        values = self._values(which, todays)
        if after is not None:
            values |= {"after_day": after.day, "after_due": after.due_until, "after_id": after.id}
        shape = self._shape(which, todays, values)._replace(rows=page_of_rows(limit))
        found = await list_steps(shape).fetch(self._connection, values)
        return [WaitingStep(*row) for row in found[:limit]]

    async def counts(self, which: WorklistFilter, todays: Todays, *, first: date) -> list[Counted]:
        """How many steps that fit there are, by state and, from the first day on, by day."""
        values = {**self._values(which, todays), "counted_from": first}
        statement = count_steps(self._shape(which, todays, values))
        return [Counted(*row) for row in await statement.fetch(self._connection, values)]

    async def plans(
        self,
        *,
        location_id: UUID | None,
        practitioner: str | None,
        after: UUID | None = None,
        limit: int,
    ) -> list[WaitingPlan]:
        """Living plans which a person must look at, by id."""
        which = _needing(self._clinic_id, location_id, practitioner)
        if after is not None:
            which.append(PlanRow.id > after)
        rows = await self._connection.execute(
            select(*_PLAN)
            .join_from(PlanRow, ProtocolVersionRow, OF_VERSION)
            .where(*which)
            .order_by(PlanRow.id)
            .limit(limit)
        )
        return [WaitingPlan(*row) for row in rows]

    async def count_plans(self, *, location_id: UUID | None, practitioner: str | None) -> int:
        """How many living plans a person must look at."""
        which = _needing(self._clinic_id, location_id, practitioner)
        found = await self._connection.execute(
            select(func.count()).select_from(PlanRow).where(*which)
        )
        return found.scalar_one()

    def _values(self, which: WorklistFilter, todays: Todays) -> dict[str, Any]:
        days = (todays.usual, *todays.others)
        near_from, near_until = near_days(which.states, days)
        values: dict[str, Any] = {
            "clinic_id": self._clinic_id,
            "today": todays.usual,
            "first_today": min(days),
            "last_today": max(days),
            "near_from": near_from,
            "near_until": near_until,
        }
        for place, (day, ids) in enumerate(todays.others.items()):
            values[f"today_{place}"] = day
            values |= {f"at_{place}_{number}": id_ for number, id_ in enumerate(ids)}
        for name in ("first", "until", "location_id", "practitioner"):
            value = getattr(which, name)
            if value is not None:
                values[name] = value
        return values

    def _shape(self, which: WorklistFilter, todays: Todays, values: Mapping[str, Any]) -> Shape:
        return Shape(
            self._connection.dialect.name,
            which.possible(),
            which.states,
            which.kinds,
            which.tentative,
            frozenset(name for name in GIVEN if values.get(name) is not None),
            tuple(len(ids) for ids in todays.others.values()),
        )


def _needing(
    clinic_id: UUID, location_id: UUID | None, practitioner: str | None
) -> list[ColumnExpressionArgument[bool]]:
    living = PlanRow.status.in_(LIVING)
    which: list[ColumnExpressionArgument[bool]] = [
        PlanRow.clinic_id == clinic_id,
        PlanRow.needs_attention,
        living,
    ]
    if location_id is not None:
        which.append(PlanRow.location_id == location_id)
    if practitioner is not None:
        which.append(PlanRow.practitioner == practitioner)
    return which
