"""Statements of the worklist: window states by the days between which a step is due.

The states are those of the domain's ``planned_state``; a test compares the two case by case.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Date,
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
from sqlalchemy.orm import InstrumentedAttribute

from app.persistence.plans.statements import OF_VERSION
from app.persistence.prepared import Prepared, prepare
from app.persistence.tables import (
    DONE,
    LOOSE,
    NEAR_DAYS,
    STRAY,
    WAITING,
    LocationRow,
    PlannedStepRow,
    PlanRow,
    ProtocolVersionRow,
)
from app.persistence.worklist.records import WaitingStep

MAX_STATEMENTS = 512

_Condition = ColumnExpressionArgument[bool]


class Shape(NamedTuple):
    """All that makes one statement differ from another, but for values."""

    dialect: str
    statuses: frozenset[str]
    states: frozenset[str]
    kinds: frozenset[str]
    tentative: bool | None
    given: frozenset[str]
    others: tuple[int, ...]
    """How many locations have each of the other days."""
    rows: int = 0
    """How many rows at most, of a list."""


def _given(name: str, type_: Any) -> Any:
    return bindparam(name, type_=type_)


_PLACE = (PlannedStepRow.day, PlannedStepRow.due_until, PlannedStepRow.id)
_OPTIONAL: Mapping[str, _Condition] = {
    "first": PlannedStepRow.day >= _given("first", Date()),
    "until": PlannedStepRow.day <= _given("until", Date()),
    "location_id": PlannedStepRow.location_id == _given("location_id", Uuid()),
    "practitioner": PlannedStepRow.practitioner
    == _given("practitioner", PlannedStepRow.practitioner.type),
    "after_day": tuple_(*_PLACE)
    > tuple_(_given("after_day", Date()), _given("after_due", Date()), _given("after_id", Uuid())),
}

_NEAR: Mapping[str, ColumnElement[bool]] = {
    "near_from": PlannedStepRow.day >= _given("near_from", Date()),
    "near_until": PlannedStepRow.day <= _given("near_until", Date()),
}
_FAR: Mapping[str, ColumnElement[bool]] = {
    "near_from": PlannedStepRow.day < _given("near_from", Date()),
    "near_until": PlannedStepRow.day > _given("near_until", Date()),
}

_DECISIONS = frozenset({"decision"})
_OF_FEW = frozenset({"location_id", "practitioner"})

GIVEN = frozenset({*_OPTIONAL, *_NEAR})
"""What a statement may be given, or not."""


def near_days(states: frozenset[str], todays: Collection[date]) -> tuple[date | None, date | None]:
    """Between which days all steps lie that have one of the states, but for stray or loose ones.

    What is upcoming lies ahead and what is overdue behind, unless it strayed from the days on
    which it is due; what is due lies near, unless those days are loose.
    """
    first, last = min(todays), max(todays)
    near, one = timedelta(NEAR_DAYS), timedelta(days=1)
    lower = {"upcoming": first + one, "due": first - near}
    upper = {"due": last + near, "overdue": last - one}
    return (
        min(lower[state] for state in states) if states and states <= lower.keys() else None,
        max(upper[state] for state in states) if states and states <= upper.keys() else None,
    )


@lru_cache
def list_zones(dialect: str, *, one: bool) -> Prepared:
    which = [LocationRow.clinic_id == _given("clinic_id", Uuid())]
    if one:
        which.append(LocationRow.id == _given("location_id", Uuid()))
    return prepare(select(LocationRow.id, LocationRow.time_zone).where(*which), dialect)


def of_plan_or_version(name: str) -> InstrumentedAttribute[Any]:
    """What is shown of a step's plan, or of the version by which that is made."""
    row = PlanRow if hasattr(PlanRow, name) else ProtocolVersionRow
    found: InstrumentedAttribute[Any] = getattr(row, name)
    return found


_OF_STEP = tuple(
    getattr(PlannedStepRow, name) for name in WaitingStep.__slots__ if hasattr(PlannedStepRow, name)
)


@lru_cache(MAX_STATEMENTS)
def list_steps(shape: Shape) -> Prepared:
    """A page of steps with what is said of their plans.

    Each part is read in the order of an index and ends after a page, so that its cost does not
    depend on how many steps there are.
    """
    limit: ColumnElement[int] = literal_column(str(shape.rows))
    parts = [
        select(select(*_OF_STEP).where(*branch).order_by(*_PLACE).limit(limit).subquery())
        for branch in _branches(shape)
    ]
    found = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("found")
    of_plan = and_(PlanRow.clinic_id == _given("clinic_id", Uuid()), PlanRow.id == found.c.plan_id)
    shown = (
        found.c[name] if name in found.c else of_plan_or_version(name)
        for name in WaitingStep.__slots__
    )
    statement = (
        select(*shown)
        .join_from(found, PlanRow, of_plan)
        .join(ProtocolVersionRow, OF_VERSION)
        .order_by(found.c.day, found.c.due_until, found.c.id)
        .limit(limit)
    )
    return prepare(statement, shape.dialect)


@lru_cache(MAX_STATEMENTS)
def count_steps(shape: Shape) -> Prepared:
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


def _branches(shape: Shape) -> Iterator[list[_Condition]]:
    """The parts of a query that an index serves, each in the order of the list.

    States bound the days to be read; beyond them only what is stray or loose is looked at.
    """
    waiting: list[_Condition] = [text(WAITING), *_filters(shape)]
    if not shape.states:
        if shape.statuses - {"performed"}:
            yield waiting
        if "performed" in shape.statuses:
            yield [text(DONE), *_filters(shape)]
        return
    states = _states(shape)
    waiting.append(or_(*(states[state] for state in sorted(shape.states))))
    # Decisions of a location or practitioner are few: all of them are looked through.
    are_few = shape.kinds == _DECISIONS and bool(shape.given & _OF_FEW)
    bounds = [name for name in _NEAR if name in shape.given and not are_few]
    yield [*waiting, *(_NEAR[name] for name in bounds)]
    for name in bounds:
        yield [*waiting, text(LOOSE if "due" in shape.states else STRAY), _FAR[name]]


def _filters(shape: Shape) -> Iterator[_Condition]:
    yield PlannedStepRow.clinic_id == _given("clinic_id", Uuid())
    yield _one_of(PlannedStepRow.status, shape.statuses)
    if shape.kinds:
        yield _one_of(PlannedStepRow.kind, shape.kinds)
    if shape.tentative is not None:
        yield PlannedStepRow.tentative if shape.tentative else ~PlannedStepRow.tentative
    for name in sorted(shape.given & _OPTIONAL.keys()):
        yield _OPTIONAL[name]


def _one_of(column: Any, values: frozenset[str]) -> _Condition:
    """Written out, for every value is one of ours and plans may depend on it.

    A single one as indexes say it: SQLite takes them for a query in the same words only.
    """
    written: list[ColumnElement[str]] = [literal_column(f"'{value}'") for value in sorted(values)]
    condition: ColumnElement[bool] = (
        column.in_(written) if len(written) > 1 else column == written[0]
    )
    return condition


def _states(shape: Shape) -> dict[str, ColumnElement[bool]]:
    """When an undone step is in a state today at its location."""
    today = _today(shape.others)
    exact = {
        "upcoming": PlannedStepRow.due_from > today,
        "due": and_(PlannedStepRow.due_from <= today, PlannedStepRow.due_until >= today),
        "overdue": PlannedStepRow.due_until < today,
    }
    if not shape.others:
        return exact
    # No index knows today at a step's location, but all know what no location's today fits.
    first, last = _given("first_today", Date()), _given("last_today", Date())
    possible = {
        "upcoming": PlannedStepRow.due_from > first,
        "due": and_(PlannedStepRow.due_from <= last, PlannedStepRow.due_until >= first),
        "overdue": PlannedStepRow.due_until < last,
    }
    return {state: and_(possible[state], exact[state]) for state in exact}


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
