"""Statements of hot paths: written with the tables, compiled once, then sent as they are.

Building, hashing and compiling such a statement anew costs more than the database needs for it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Insert, Select, Update, bindparam, insert
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.columns import encode_json
from app.persistence.tables import Row

DIALECTS: dict[str, Callable[..., Dialect]] = {
    "sqlite": aiosqlite.dialect,
    "postgresql": asyncpg.dialect,
}

Values = Mapping[str, Any]
Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the driver takes it; its parameters in order, each with what turns a value
    into the driver's.
    """

    sql: str
    parameters: tuple[tuple[str, Process | None], ...]

    async def run(self, connection: AsyncConnection, values: Values) -> CursorResult[Any]:
        """Run the statement once. Rows come as the driver gives them."""
        return await connection.exec_driver_sql(self.sql, self._ordered(values))

    async def run_for_each(self, connection: AsyncConnection, rows: Iterable[Values]) -> None:
        """Run the statement for each of some rows, if there are any."""
        ordered = [self._ordered(values) for values in rows]
        if ordered:
            await connection.exec_driver_sql(self.sql, ordered)

    def _ordered(self, values: Values) -> tuple[Any, ...]:
        return tuple(
            values[name] if process is None else process(values[name])
            for name, process in self.parameters
        )


def prepare(statement: Insert | Update | Select[Any], dialect: str) -> Prepared:
    """Compile a statement for a kind of database; every value must be a named parameter."""
    kind = _dialect(dialect)
    compiled = statement.compile(dialect=kind)
    return Prepared(
        str(compiled),
        tuple(
            (name, compiled.binds[name].type.dialect_impl(kind).bind_processor(kind))
            for name in compiled.positiontup or ()
        ),
    )


@cache
def insert_row(row: type[Row], dialect: str) -> Prepared:
    """Insert a whole row of a table."""
    columns = row.__table__.columns
    return prepare(
        insert(row).values({c.name: bindparam(c.name, type_=c.type) for c in columns}), dialect
    )


@cache
def _dialect(name: str) -> Dialect:
    return DIALECTS[name](json_serializer=encode_json)
