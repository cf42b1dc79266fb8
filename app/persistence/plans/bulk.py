"""Many plans stored at once: rows made ready one plan after another, then written table by table.

On PostgreSQL they are copied through the driver's connection, within the same transaction.
"""

from collections.abc import Collection, Sequence
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
from app.persistence.plans.records import PlanRecord, RevisionRecord
from app.persistence.plans.rows import event_rows, rows_of
from app.persistence.prepared import insert_row
from app.persistence.tables import EventRow, IdempotencyKeyRow, PlanIdentifierRow, Row

UNIQUE_VIOLATION = "23505"

Ordered = tuple[Any, ...]


class OvertakenMeanwhile(DomainError):
    """Somebody else took an identifier or a key after it was looked for: it is to be done anew."""


class ReadyPlans:
    """Rows of many plans of one clinic as the driver takes them; making them needs no database."""

    def __init__(self, dialect: str, clinic_id: UUID) -> None:
        self._dialect = dialect
        self._clinic_id = clinic_id
        self.rows: dict[type[Row], list[Ordered]] = {}
        self.events: list[NewEvent] = []

    def add(
        self,
        plan: PlanRecord,
        revision: RevisionRecord,
        event: NewEvent,
        kept: KeptAnswer | None = None,
    ) -> None:
        """One more plan, with the answer that is kept under its key.

        Raises UnstorableValue; then nothing was added.
        """
        rows = rows_of(self._clinic_id, plan, revision)
        if kept is not None:
            rows[IdempotencyKeyRow] = [kept_row(self._clinic_id, kept)]
        ready = {row: self.ordered(row, values) for row, values in rows.items()}
        for row, ordered in ready.items():
            self.rows.setdefault(row, []).extend(ordered)
        self.events.append(event)

    def ordered(self, row: type[Row], values: Sequence[dict[str, Any]]) -> list[Ordered]:
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
        try:
            for row, ordered in plans.rows.items():
                await self._write(row, ordered)
            if plans.events:
                log = EventRepository(self._connection, self._clinic_id)
                first = await log.take_numbers(len(plans.events))
                events = event_rows(self._clinic_id, plans.events, first=first)
                await self._write(EventRow, plans.ordered(EventRow, events))
        except IntegrityError as error:
            raise OvertakenMeanwhile("an identifier or a key was taken meanwhile") from error

    async def _write(self, row: type[Row], ordered: Sequence[Ordered]) -> None:
        statement = insert_row(row, self._connection.dialect.name)
        if not ordered:
            return
        if self._connection.dialect.name == "sqlite":
            await self._connection.exec_driver_sql(statement.sql, list(ordered))
            return
        names = [name for name, _ in statement.parameters]
        connection = (await self._connection.get_raw_connection()).driver_connection
        assert connection is not None  # noqa: S101 - an open connection has a driver's
        table, listed = row.__tablename__, ", ".join(names)
        # Row-level security takes no COPY: rows are copied beside the table, then inserted.
        beside = f"copied_{table}"
        try:
            await connection.execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {beside} (LIKE {table})"
                " ON COMMIT DELETE ROWS"
            )
            await connection.copy_records_to_table(beside, records=ordered, columns=names)
            await connection.execute(
                f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {beside};"  # noqa: S608 # our names
                f" TRUNCATE {beside}"
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            kind = IntegrityError if _is_taken(error) else DBAPIError
            raise kind("COPY", None, error) from error


def _is_taken(error: Exception) -> bool:
    return getattr(error, "sqlstate", None) == UNIQUE_VIOLATION
