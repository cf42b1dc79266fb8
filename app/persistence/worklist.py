"""Planned steps over all plans: what waits, in pages and counted, the domain's states in SQL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ColumnExpressionArgument,
    Date,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.prepared import Prepared, prepare
from app.persistence.records import columns_of
from app.persistence.tables import (
    DONE,
    STRAY,
    WAITING,
    JsonList,
    JsonObject,
    LocationRow,
    PlannedStepRow,
    PlanRow,
)

LIVING = ("active", "on_hold")
UNDONE = frozenset({"planned", "booked"})
MAX_STATEMENTS = 512

_Condition = ColumnExpressionArgument[bool]


@dataclass(slots=True)
class WaitingStep:
    """A planned step with what is needed of its plan."""

    id: UUID
    plan_id: UUID
    plan_status: str
    key: str
    occurrence: str | None
    ordinal: int | None
    of_count: int | None
    kind: str
    title: str
    optional: bool
    status: str
    tentative: bool
    day: date
    end_day: date | None
    window_earliest: date | None
    window_target: date | None
    window_latest: date | None
    deadline: bool
    duration_minutes: int | None
    modes: JsonList
    appointment: JsonObject | None
    location_id: UUID
    practitioner: str | None
    revision: int
    patient_id: UUID
    protocol_key: str
    protocol_version: str


@dataclass(slots=True)
class WaitingPlan:
    """A living plan which a person must look at, and why."""

    id: UUID
    revision: int
    status: str
    protocol_key: str
    protocol_version: str
    patient_id: UUID
    location_id: UUID
    practitioner: str | None
    attention: JsonList
    updated_at: datetime


@dataclass(slots=True)
class Counted:
    """How many undone steps of a day have a state; no day stands for all days before the first."""

    day: date | None
    state: str
    steps: int
    decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistFilter:
    """Which planned steps are wanted; an empty set and None do not matter, except statuses."""

    statuses: frozenset[str]
    states: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    first: date | None = None
    until: date | None = None
    location_id: UUID | None = None
    practitioner: str | None = None
    tentative: bool | None = None

    def possible(self) -> frozenset[str]:
        """The statuses that fit: only what is planned or booked has a state to be wanted."""
        return self.statuses & UNDONE if self.states else self.statuses


@dataclass(frozen=True, slots=True)
class Todays:
    """Today at the locations of a clinic: usually one day, at some of them perhaps others."""

    usual: date
    others: Mapping[date, Sequence[UUID]]

    def at(self, location_id: UUID) -> date:
        """Today at a location."""
        return next((day for day, ids in self.others.items() if location_id in ids), self.usual)


class _Shape(NamedTuple):
    """All that makes one statement differ from another, but for values."""

    dialect: str
    statuses: frozenset[str]
    states: frozenset[str]
    kinds: frozenset[str]
    tentative: bool | None
    given: frozenset[str]
    others: tuple[int, ...]
    """How many locations have each of the other days."""


class WorklistRepository:
    """The worklist of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def zones(self, location_id: UUID | None) -> list[tuple[UUID, str]]:
        """The time zone of every location, or of one."""
        values = {"clinic_id": self._clinic_id, "location_id": location_id}
        statement = _zones(self._connection.dialect.name, one=location_id is not None)
        return [(id_, zone) for id_, zone in await statement.fetch(self._connection, values)]

    async def page(
        self,
        which: WorklistFilter,
        todays: Todays,
        *,
        after: tuple[date, UUID] | None = None,
        limit: int,
    ) -> list[WaitingStep]:
        """Steps that fit, by day and id, beginning after such a pair."""
        if not which.possible():
            return []
        values = {**self._values(which, todays), "limit": limit}
        if after is not None:
            values |= {"after_day": after[0], "after_id": after[1]}
        statement = _page(self._shape(which, todays, values))
        return [WaitingStep(*row) for row in await statement.fetch(self._connection, values)]

    async def counts(self, which: WorklistFilter, todays: Todays, *, first: date) -> list[Counted]:
        """How many steps that fit there are, by state and, from the first day on, by day."""
        values = {**self._values(which, todays), "counted_from": first}
        statement = _counts(self._shape(which, todays, values))
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
            select(*_PLAN).where(*which).order_by(PlanRow.id).limit(limit)
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
        values: dict[str, Any] = {
            "clinic_id": self._clinic_id,
            "today": todays.usual,
            "first_today": min(days),
            "last_today": max(days),
        }
        for place, (day, ids) in enumerate(todays.others.items()):
            values[f"today_{place}"] = day
            values |= {f"at_{place}_{number}": id_ for number, id_ in enumerate(ids)}
        for name in ("first", "until", "location_id", "practitioner"):
            value = getattr(which, name)
            if value is not None:
                values[name] = value
        return values

    def _shape(self, which: WorklistFilter, todays: Todays, values: Mapping[str, Any]) -> _Shape:
        return _Shape(
            self._connection.dialect.name,
            which.possible(),
            which.states,
            which.kinds,
            which.tentative,
            frozenset(values.keys() & _OPTIONAL),
            tuple(len(ids) for ids in todays.others.values()),
        )


def _given(name: str, type_: Any) -> Any:
    return bindparam(name, type_=type_)


_OPTIONAL: Mapping[str, _Condition] = {
    "first": PlannedStepRow.day >= _given("first", Date()),
    "until": PlannedStepRow.day <= _given("until", Date()),
    "location_id": PlannedStepRow.location_id == _given("location_id", Uuid()),
    "practitioner": PlannedStepRow.practitioner
    == _given("practitioner", PlannedStepRow.practitioner.type),
    "after_day": tuple_(PlannedStepRow.day, PlannedStepRow.id)
    > tuple_(_given("after_day", Date()), _given("after_id", Uuid())),
}


@lru_cache
def _zones(dialect: str, *, one: bool) -> Prepared:
    which = [LocationRow.clinic_id == _given("clinic_id", Uuid())]
    if one:
        which.append(LocationRow.id == _given("location_id", Uuid()))
    return prepare(select(LocationRow.id, LocationRow.time_zone).where(*which), dialect)


_SHOWN = tuple(
    getattr(PlannedStepRow if hasattr(PlannedStepRow, name) else PlanRow, name)
    for name in WaitingStep.__slots__
)

_PLAN = columns_of(PlanRow, WaitingPlan)


@lru_cache(MAX_STATEMENTS)
def _page(shape: _Shape) -> Prepared:
    """A page of steps: found by an index, then looked up with their plans."""
    limit = _given("limit", BigInteger())
    parts = [select(part.subquery()) for part in _parts(shape, limit)]
    found = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("found")
    in_clinic = _given("clinic_id", Uuid())
    statement = (
        select(*_SHOWN)
        .join_from(
            found,
            PlannedStepRow,
            and_(PlannedStepRow.clinic_id == in_clinic, PlannedStepRow.id == found.c.id),
        )
        .join(PlanRow, and_(PlanRow.clinic_id == in_clinic, PlanRow.id == PlannedStepRow.plan_id))
        .order_by(found.c.day, found.c.id)
        .limit(limit)
    )
    return prepare(statement, shape.dialect)


def _parts(shape: _Shape, limit: Any) -> Iterator[Select[*tuple[Any, ...]]]:
    """Each part of the steps in its order, no more than a page of it."""
    key = (PlannedStepRow.day, PlannedStepRow.id)
    for conditions in _branches(shape):
        yield select(*key).where(*conditions).order_by(*key).limit(limit)


@lru_cache(MAX_STATEMENTS)
def _counts(shape: _Shape) -> Prepared:
    counted_from = _given("counted_from", Date())
    day = case((PlannedStepRow.day >= counted_from, PlannedStepRow.day)).label("counted_day")
    states = _states(shape).items()
    named: list[Any] = [(when, literal_column(f"'{name}'")) for name, when in states]
    state = case(*named).label("state")
    is_decision = case((PlannedStepRow.kind == literal_column("'decision'"), 1), else_=0)
    statement = (
        select(day, state, func.count(), func.sum(is_decision))
        .where(text(WAITING), *_filters(shape))
        .group_by(day, state)
    )
    return prepare(statement, shape.dialect)


def _branches(shape: _Shape) -> Iterator[list[_Condition]]:
    """The parts of a query that an index serves, each in the order of days."""
    waiting: list[_Condition] = [text(WAITING), *_filters(shape)]
    if not shape.states:
        if shape.statuses - {"performed"}:
            yield waiting
        if "performed" in shape.statuses:
            yield [text(DONE), *_filters(shape)]
        return
    states = _states(shape)
    waiting.append(or_(*(states[state] for state in sorted(shape.states))))
    behind = PlannedStepRow.day <= _given("last_today", Date())
    before = PlannedStepRow.day > _given("first_today", Date())
    if shape.states == {"overdue"}:
        yield [*waiting, behind]
        yield [*waiting, text(STRAY), ~behind]
    elif shape.states == {"upcoming"}:
        yield [*waiting, before]
        yield [*waiting, text(STRAY), ~before]
    else:
        yield waiting


def _filters(shape: _Shape) -> Iterator[_Condition]:
    yield PlannedStepRow.clinic_id == _given("clinic_id", Uuid())
    yield _one_of(PlannedStepRow.status, shape.statuses)
    if shape.kinds:
        yield _one_of(PlannedStepRow.kind, shape.kinds)
    if shape.tentative is not None:
        yield PlannedStepRow.tentative if shape.tentative else ~PlannedStepRow.tentative
    for name in sorted(shape.given):
        yield _OPTIONAL[name]


def _one_of(column: Any, values: frozenset[str]) -> _Condition:
    """Written out, for every value is one of ours and plans may depend on it."""
    written: list[ColumnElement[str]] = [literal_column(f"'{value}'") for value in sorted(values)]
    condition: ColumnElement[bool] = column.in_(written)
    return condition


def _states(shape: _Shape) -> dict[str, ColumnElement[bool]]:
    """When an undone step is in a state today at its location; without timings its day counts."""
    today = _today(shape.others)
    untimed = PlannedStepRow.window_target.is_(None)
    earliest = case((untimed, PlannedStepRow.day), else_=PlannedStepRow.window_earliest)
    latest = case((untimed, PlannedStepRow.day), else_=PlannedStepRow.window_latest)
    held = PlannedStepRow.plan_status == literal_column("'on_hold'")
    return {
        "upcoming": earliest > today,
        "due": and_(
            or_(earliest.is_(None), earliest <= today),
            or_(latest.is_(None), latest >= today, held),
        ),
        "overdue": and_(latest < today, ~held),
    }


def _today(others: tuple[int, ...]) -> ColumnElement[date]:
    usual = _given("today", Date())
    whens = [
        (
            PlannedStepRow.location_id.in_(
                [_given(f"at_{place}_{number}", Uuid()) for number in range(count)]
            ),
            _given(f"today_{place}", Date()),
        )
        for place, count in enumerate(others)
    ]
    return case(*whens, else_=usual) if whens else usual


def _needing(
    clinic_id: UUID, location_id: UUID | None, practitioner: str | None
) -> list[_Condition]:
    living = PlanRow.status.in_(LIVING)
    which: list[_Condition] = [PlanRow.clinic_id == clinic_id, PlanRow.needs_attention, living]
    if location_id is not None:
        which.append(PlanRow.location_id == location_id)
    if practitioner is not None:
        which.append(PlanRow.practitioner == practitioner)
    return which
