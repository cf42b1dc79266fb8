"""Statements of hot paths: written with the tables, compiled once, then sent as they are.

Building, hashing and compiling such a statement anew costs more than the database needs for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Insert, Select, Update, bindparam, insert
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from app.persistence.columns import encode_json
from app.persistence.tables import Row

# The drivers' names, by what SQLAlchemy calls the kinds of databases.
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

# How many rows statements ask for, at most a few more than are wanted.
PAGES = (26, 51, 101, 201)

Values = Mapping[str, Any]
Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the driver takes it; its parameters in order, each with what turns a value
    into the driver's.
    """

    sql: str
    parameters: tuple[tuple[str, Process | None], ...]
    constants: Values
    results: tuple[tuple[int, Process], ...]

    async def fetch_one(self, connection: AsyncConnection, values: Values) -> list[Any] | None:
        """The only row of a query, if there is one."""
        rows = await self.fetch(connection, values)
        return rows[0] if rows else None

    async def fetch(self, connection: AsyncConnection, values: Values) -> list[list[Any]]:
        """Run a query; its rows have the values that belong to its columns' types."""
        rows = [list(row) for row in await self.read(connection, values)]
        for index, process in self.results:
            for row in rows:
                row[index] = process(row[index])
        return rows

    async def read(self, connection: AsyncConnection, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query; rows come as the driver gives them."""
        driver, ordered = _driver_of(connection), self.ordered(values)
        if driver is None:
            return (await connection.exec_driver_sql(self.sql, ordered)).fetchall()
        try:
            rows: Sequence[Sequence[Any]] = await driver.fetch(self.sql, *ordered)
        except _errors(connection.dialect.name).any as error:
            raise await _named(error, self.sql, connection, driver) from error
        return rows

    async def run(self, connection: AsyncConnection, values: Values) -> int:
        """Run the statement once; gives how many rows it touched."""
        driver, ordered = _driver_of(connection), self.ordered(values)
        if driver is None:
            return (await connection.exec_driver_sql(self.sql, ordered)).rowcount
        try:
            status: str = await driver.execute(self.sql, *ordered)
        except _errors(connection.dialect.name).any as error:
            raise await _named(error, self.sql, connection, driver) from error
        return int(status.rpartition(" ")[2])

    async def run_for_each(self, connection: AsyncConnection, rows: Iterable[Values]) -> None:
        """Run the statement for each of some rows, if there are any."""
        ordered = [self.ordered(values) for values in rows]
        if not ordered:
            return
        driver = _driver_of(connection)
        if driver is None:
            await connection.exec_driver_sql(self.sql, ordered)
            return
        try:
            await driver.executemany(self.sql, ordered)
        except _errors(connection.dialect.name).any as error:
            raise await _named(error, self.sql, connection, driver) from error

    def ordered(self, values: Values) -> tuple[Any, ...]:
        """The values in the order of the parameters, each as the driver takes it."""
        known = {**self.constants, **values} if self.constants else values
        return tuple(
            known[name] if process is None else process(known[name])
            for name, process in self.parameters
        )


def _driver_of(connection: AsyncConnection) -> Any:
    """The driver, to be asked directly at a third of the cost.

    None inside a transaction that SQLAlchemy has not begun yet, which it does with the first
    statement on PostgreSQL, and where somebody listens for statements.
    """
    inner = connection.sync_connection
    if inner is None or inner.dispatch.before_cursor_execute:
        return None
    driver: Any = inner.connection.driver_connection
    # On SQLite whoever writes has begun to, and whoever reads has no transaction.
    alone = inner.dialect.name == "sqlite" or (
        inner.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    )
    return driver if alone or driver.is_in_transaction() else None


class _Errors(NamedTuple):
    """What a driver raises: all of it, of that where a constraint does not hold, its own faults."""

    any: tuple[type[Exception], ...]
    of_a_constraint: type[Exception]
    of_the_driver: tuple[type[Exception], ...] = ()


@cache
def _errors(dialect: str) -> _Errors:
    """Of one of the drivers: nobody loads the other, which takes a megabyte."""
    if dialect == "sqlite":
        import sqlite3  # noqa: PLC0415

        return _Errors((sqlite3.Error,), sqlite3.IntegrityError)
    from asyncpg import (  # noqa: PLC0415
        IntegrityConstraintViolationError,
        InterfaceError,
        InternalClientError,
        PostgresError,
    )

    raised = (PostgresError, InterfaceError, InternalClientError, OSError)
    return _Errors(raised, IntegrityConstraintViolationError, (InternalClientError,))


async def _named(
    error: Exception, sql: str, connection: AsyncConnection, driver: Any
) -> DBAPIError:
    """What the driver raises, under the name that SQLAlchemy has for it.

    It is in no state to be asked while it takes in why the server ends the connection.
    """
    known = _errors(connection.dialect.name)
    lost = isinstance(error, known.of_the_driver) or bool(driver.is_closed())
    if lost:
        await connection.invalidate()
    kind = IntegrityError if isinstance(error, known.of_a_constraint) else DBAPIError
    return kind(sql, None, error, connection_invalidated=lost)


def prepare(statement: Insert | Update | Select[*tuple[Any, ...]], dialect: str) -> Prepared:
    """Compile a statement for a kind of database; what it is given are named parameters."""
    kind = _dialect(dialect)
    compiled = statement.compile(dialect=kind)
    return Prepared(
        str(compiled),
        tuple(
            (name, compiled.binds[name].type.dialect_impl(kind).bind_processor(kind))
            for name in compiled.positiontup or ()
        ),
        {name: bound.value for name, bound in compiled.binds.items() if not bound.required},
        tuple(_result_processes(statement, kind)),
    )


def _result_processes(
    statement: Insert | Update | Select[*tuple[Any, ...]], kind: Dialect
) -> Iterator[tuple[int, Process]]:
    if isinstance(statement, Select):
        for index, column in enumerate(statement.selected_columns):
            process = column.type.dialect_impl(kind).result_processor(kind, None)
            if process is not None:
                yield index, process


def page_of_rows(limit: int) -> int:
    """How many rows to ask for where so many are wanted: written into the statement.

    PostgreSQL takes a limit that is a parameter for a tenth of all rows, and plans the statement
    anew each time, which costs more than to run it.
    """
    return next((rows for rows in PAGES if limit <= rows), limit)


def parameter(column: InstrumentedAttribute[Any], name: str | None = None) -> BindParameter[Any]:
    """A parameter of a column's type, named as the column unless told otherwise."""
    return bindparam(name or column.key, type_=column.type)


@cache
def insert_row(row: type[Row], dialect: str) -> Prepared:
    """Insert a whole row of a table."""
    columns = row.__table__.columns
    return prepare(
        insert(row).values({c.name: bindparam(c.name, type_=c.type) for c in columns}), dialect
    )


@cache
def _dialect(name: str) -> Dialect:
    make: Callable[..., Dialect] = make_url(f"{DRIVERS[name]}://").get_dialect()
    return make(json_serializer=encode_json)
