"""Many plans stored at once: rows made ready one plan after another, then written table by table.

On PostgreSQL they are copied through the driver's connection, within the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.events import EventRepository, NewEvent
from app.persistence.idempotency import KeptAnswer, kept_row
from app.persistence.patients import Identifier
from app.persistence.plans.patterns import Ordered, ReadyRows, RowPattern
from app.persistence.plans.records import PlanRecord, RevisionRecord
from app.persistence.plans.rows import event_rows, identifier_rows, rows_of
from app.persistence.prepared import insert_row
from app.persistence.tables import EventRow, IdempotencyKeyRow, PlanIdentifierRow, Row

UNIQUE_VIOLATION = "23505"

# What plans that are otherwise alike have each for itself: it says nothing about their days.
OWN = frozenset(
    {"patient_id", "condition", "practitioner", "note", "created_at", "updated_at", "at"}
)


class OvertakenMeanwhile(DomainError):
    """Somebody else took an identifier or a key after it was looked for: it is to be done anew."""


class ReadyPlans:
    """Rows of many plans of one clinic as the driver takes them; making them needs no database."""

    def __init__(self, dialect: str, clinic_id: UUID) -> None:
        self._dialect = dialect
        self._clinic_id = clinic_id
        self.rows: ReadyRows = {}

    def rows_of(self, plan: PlanRecord, revision: RevisionRecord, event: NewEvent) -> ReadyRows:
        """The rows of a plan but for its identifiers. Raises UnstorableValue."""
        rows = rows_of(self._clinic_id, plan, revision)
        del rows[PlanIdentifierRow]
        rows[EventRow] = event_rows(self._clinic_id, [event])
        return {row: self._ordered(row, values) for row, values in rows.items()}

    def pattern(self, rows: ReadyRows, ids: Sequence[UUID]) -> RowPattern:
        """What makes such rows for plans like this one, which alone was given these ids."""
        return RowPattern(self._dialect, rows, ids, OWN)

    def add(
        self,
        rows: ReadyRows,
        plan_id: UUID,
        identifiers: Iterable[Identifier] = (),
        kept: KeptAnswer | None = None,
    ) -> None:
        """One more plan, with what it is called and the answer that is kept under its key.

        Raises UnstorableValue; then nothing was added.
        """
        named = identifier_rows(self._clinic_id, plan_id, identifiers)
        of_key = [] if kept is None else [kept_row(self._clinic_id, kept)]
        ready: ReadyRows = {
            **rows,
            PlanIdentifierRow: self._ordered(PlanIdentifierRow, named),
            IdempotencyKeyRow: self._ordered(IdempotencyKeyRow, of_key),
        }
        for row, ordered in ready.items():
            self.rows.setdefault(row, []).extend(ordered)

    def _ordered(self, row: type[Row], values: Sequence[dict[str, Any]]) -> list[Ordered]:
        """Rows of a table with their values in the order of its columns."""
        statement = insert_row(row, self._dialect)
        return [statement.ordered(one) for one in values]


class BulkRepository:
    """Stores many plans of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    def ready(self) -> ReadyPlans:
        """An empty collection of plans to be stored here."""
        return ReadyPlans(self._connection.dialect.name, self._clinic_id)

    async def taken(self, identifiers: Collection[Identifier]) -> set[Identifier]:
        """Which of these are identifiers of plans."""
        if not identifiers:
            return set()
        values: dict[str, list[str]] = {}
        for identifier in identifiers:
            values.setdefault(identifier.system, []).append(identifier.value)
        which = [
            and_(PlanIdentifierRow.system == system, PlanIdentifierRow.value.in_(of_system))
            for system, of_system in values.items()
        ]
        found = await self._connection.execute(
            select(PlanIdentifierRow.system, PlanIdentifierRow.value).where(
                PlanIdentifierRow.clinic_id == self._clinic_id, or_(*which)
            )
        )
        return {Identifier(*row) for row in found}

    async def add(self, plans: ReadyPlans) -> None:
        """Store them; the last thing a transaction does, because it numbers events.

        Raises OvertakenMeanwhile.
        """
        rows = {row: ordered for row, ordered in plans.rows.items() if ordered}
        if not rows:
            return
        events = rows.pop(EventRow)
        try:
            if self._connection.dialect.name == "sqlite":
                await self._insert(rows, events)
            else:
                await self._copy(rows, events)
        except IntegrityError as error:
            raise OvertakenMeanwhile("an identifier or a key was taken meanwhile") from error

    async def _insert(self, rows: ReadyRows, events: Sequence[Ordered]) -> None:
        for row, ordered in rows.items():
            await self._connection.exec_driver_sql(insert_row(row, "sqlite").sql, list(ordered))
        numbered = _numbered(events, await self._first_number(len(events)))
        await self._connection.exec_driver_sql(insert_row(EventRow, "sqlite").sql, numbered)

    async def _copy(self, rows: ReadyRows, events: Sequence[Ordered]) -> None:
        """Row-level security takes no COPY: rows are copied beside the tables, then inserted."""
        driver = (await self._connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101 - an open connection has a driver's
        assert driver.is_in_transaction()  # noqa: S101 - else what is copied were gone at once
        copied: ReadyRows = {**rows, EventRow: _numbered(events, 0)}
        try:
            await driver.execute("".join(map(_beside, copied)))
            for row, ordered in copied.items():
                await driver.copy_records_to_table(
                    f"copied_{row.__tablename__}", records=ordered, columns=_names(row)
                )
            await driver.execute(";".join(map(_insert_copied, rows)))
            first = await self._first_number(len(events))
            await driver.execute(_insert_copied(EventRow, {"number": "number + $1"}), first)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            kind = IntegrityError if _is_taken(error) else DBAPIError
            raise kind("COPY", None, error) from error

    async def _first_number(self, count: int) -> int:
        return await EventRepository(self._connection, self._clinic_id).take_numbers(count)


def _numbered(events: Sequence[Ordered], first: int) -> list[Ordered]:
    place = _names(EventRow).index("number")
    return [
        (*event[:place], number, *event[place + 1 :])
        for number, event in enumerate(events, start=first)
    ]


@cache
def _names(row: type[Row]) -> list[str]:
    return [name for name, _ in insert_row(row, "postgresql").parameters]


def _beside(row: type[Row]) -> str:
    table = row.__tablename__
    return (
        f"CREATE TEMPORARY TABLE IF NOT EXISTS copied_{table} (LIKE {table}) ON COMMIT DELETE ROWS;"
    )


def _insert_copied(row: type[Row], values: Mapping[str, str] = MappingProxyType({})) -> str:
    table, names = row.__tablename__, _names(row)
    taken = ", ".join(values.get(name, name) for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {taken} FROM copied_{table}"  # noqa: S608 # our names


def _is_taken(error: Exception) -> bool:
    return getattr(error, "sqlstate", None) == UNIQUE_VIOLATION
