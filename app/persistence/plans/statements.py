"""Statements of the hot paths: written with the tables, compiled once, then sent as they are.

Building, hashing and binding such a statement costs more than the database needs to run it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Insert,
    Select,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import TableValuedAlias

from app.persistence.tables import (
    EventCounterRow,
    EventRow,
    LocationRow,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
    ProtocolVersionRow,
    Row,
)

PLAN_TABLES: tuple[type[Row], ...] = (PlanRow, PlannedStepRow, PlanRevisionRow, PlanIdentifierRow)

DIALECTS: dict[str, type[Dialect]] = {
    "sqlite": aiosqlite.dialect,
    "postgresql": asyncpg.dialect,
}
UUID_PARTS = ("1", "9", "13", "17", "21")

SHOWN_OF_PLAN = (
    PlanRow.id,
    PlanRow.revision,
    PlanRow.status,
    PlanRow.protocol_key,
    PlanRow.protocol_version,
    ProtocolVersionRow.example,
    PlanRow.patient_id,
    PlanRow.location_id,
    LocationRow.time_zone,
    PlanRow.body_site,
    PlanRow.laterality,
    PlanRow.condition,
    PlanRow.practitioner,
    PlanRow.note,
    PlanRow.anchor,
    PlanRow.state,
    PlanRow.chosen,
    PlanRow.breaches,
    PlanRow.attention,
    PlanRow.next_step_id,
    PlanRow.created_at,
    PlanRow.updated_at,
    PlanRow.created_by,
)
SHOWN_OF_STEP = (
    PlannedStepRow.id,
    PlannedStepRow.key,
    PlannedStepRow.occurrence,
    PlannedStepRow.ordinal,
    PlannedStepRow.of_count,
    PlannedStepRow.kind,
    PlannedStepRow.title,
    PlannedStepRow.agent,
    PlannedStepRow.status,
    PlannedStepRow.tentative,
    PlannedStepRow.optional,
    PlannedStepRow.day,
    PlannedStepRow.end_day,
    PlannedStepRow.window_earliest,
    PlannedStepRow.window_target,
    PlannedStepRow.window_latest,
    PlannedStepRow.deadline,
    PlannedStepRow.deviation_days,
    PlannedStepRow.duration_minutes,
    PlannedStepRow.modes,
    PlannedStepRow.reasons,
    PlannedStepRow.instructions,
    PlannedStepRow.appointment,
    PlannedStepRow.practitioner,
    PlannedStepRow.position,
)


class Prepared(NamedTuple):
    """A statement as the driver takes it, and the order of its parameters."""

    sql: str
    order: tuple[str, ...]

    def ordered(self, parameters: dict[str, Any]) -> tuple[Any, ...]:
        """The parameters in the order in which the statement names them."""
        return tuple(parameters[name] for name in self.order)


def key_for(connection: AsyncConnection, id_: UUID) -> UUID | str:
    """An id as the driver takes it in a prepared statement."""
    return id_.hex if connection.dialect.name == "sqlite" else id_


@cache
def store_plan() -> Prepared:
    """Insert the rows of a plan and number its events: PostgreSQL's only.

    Each table's rows come as one JSON parameter of the table's name. ``number`` of a given event
    counts from 1 to ``count``.
    """
    count = bindparam("count", type_=BigInteger())
    counter = postgresql_insert(EventCounterRow).values(
        clinic_id=bindparam("clinic_id", type_=Uuid()), last_number=count
    )
    numbers = (
        counter.on_conflict_do_update(
            index_elements=["clinic_id"],
            set_={"last_number": EventCounterRow.last_number + counter.excluded.last_number},
        )
        .returning(EventCounterRow.last_number)
        .cte("numbers")
    )
    events = _given(EventRow)
    names = [name for name in events.c.keys() if name != "number"]  # noqa: SIM118 # no dict
    number = numbers.c.last_number - count + events.c.number
    statement = insert(EventRow).from_select(
        [*names, "number"], select(*(events.c[name] for name in names), number)
    )
    for row in PLAN_TABLES:
        given = _given(row)
        stored = insert(row).from_select(given.c.keys(), select(*given.c))
        statement = statement.add_cte(stored.cte(f"stored_{row.__tablename__}"))
    return _prepared(statement, "postgresql")


@cache
def read_plan(dialect: str) -> Prepared:
    """One plan with all that is shown of it, as one JSON array in one statement."""
    clinic_id, plan_id = bindparam("clinic_id", type_=Uuid()), bindparam("plan_id", type_=Uuid())
    steps = select(_collected(dialect, SHOWN_OF_STEP)).where(
        PlannedStepRow.clinic_id == clinic_id, PlannedStepRow.plan_id == plan_id
    )
    identifiers = select(
        _collected(dialect, (PlanIdentifierRow.system, PlanIdentifierRow.value))
    ).where(PlanIdentifierRow.clinic_id == clinic_id, PlanIdentifierRow.plan_id == plan_id)
    parts = [type_coerce(part.scalar_subquery(), JSON) for part in (steps, identifiers)]
    whole = _array(dialect, (*SHOWN_OF_PLAN, *parts))
    statement = (
        select(cast(whole, Text))
        .select_from(PlanRow)
        .join(
            LocationRow,
            (LocationRow.clinic_id == PlanRow.clinic_id) & (LocationRow.id == PlanRow.location_id),
        )
        .join(
            ProtocolVersionRow,
            (ProtocolVersionRow.clinic_id == PlanRow.clinic_id)
            & (ProtocolVersionRow.protocol_key == PlanRow.protocol_key)
            & (ProtocolVersionRow.version == PlanRow.protocol_version),
        )
        .where(PlanRow.clinic_id == clinic_id, PlanRow.id == plan_id)
    )
    return _prepared(statement, dialect)


def _given(row: type[Row]) -> TableValuedAlias:
    """The rows of a table as they are given in the JSON parameter of its name."""
    name = row.__tablename__
    document = cast(bindparam(name, type_=Text()), JSON)
    columns = [column(given.name, given.type) for given in row.__table__.columns]
    rows = func.json_to_recordset(document).table_valued(*columns, name=f"given_{name}")
    return rows.render_derived(name=f"given_{name}", with_types=True)


def _collected(dialect: str, columns: Sequence[Any]) -> ColumnElement[Any]:
    """All rows as a JSON array of arrays, in no order."""
    array = _array(dialect, columns)
    if dialect == "sqlite":
        return func.json_group_array(array)
    return func.coalesce(func.json_agg(array), cast(literal_column("'[]'"), JSON))


def _array(dialect: str, columns: Sequence[Any]) -> ColumnElement[Any]:
    if dialect == "sqlite":
        return func.json_array(*(_sqlite_value(element) for element in columns))
    return func.json_build_array(*columns)


def _sqlite_value(element: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value as PostgreSQL would write it into JSON."""
    if isinstance(element.type, JSON):
        return func.json(element)
    if isinstance(element.type, Boolean):
        as_text = case((element, literal_column("'true'")), else_=literal_column("'false'"))
        return func.json(as_text)
    if isinstance(element.type, Uuid):
        parts = [func.substr(element, literal_column(first)) for first in UUID_PARTS]
        dashed = func.printf(literal_column("'%.8s-%.4s-%.4s-%.4s-%s'"), *parts)
        return func.nullif(dashed, literal_column("'----'"))
    return element


def _prepared(statement: Insert | Select[Any], dialect: str) -> Prepared:
    chosen: Dialect = DIALECTS[dialect]()
    compiled = statement.compile(dialect=chosen)
    return Prepared(str(compiled), tuple(compiled.positiontup or ()))
