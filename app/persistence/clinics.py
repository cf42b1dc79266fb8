"""A clinic's own row, its sandbox clock and the rules that hold for all its plans."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.records import columns_of
from app.persistence.tables import ClinicRow, ClinicRulesRow, JsonObject
from app.persistence.upserts import insert_unless_there

# Made by the first migration; everything belongs to it until callers are told apart.
DEFAULT_CLINIC_ID = UUID("01938a5e-0000-7000-8000-000000000001")


class ClinicNotFound(DomainError):
    """There is no such clinic."""


class ClockNotSettable(DomainError):
    """Only a sandbox clinic's clock can be set."""


class ClinicRulesChangedMeanwhile(DomainError):
    """The rules were saved by somebody else after they were read."""


@dataclass(frozen=True, slots=True)
class ClinicRecord:
    """A clinic; ``clock_at`` is the instant to which a sandbox clinic's clock was set."""

    id: UUID
    name: str
    sandbox: bool
    clock_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ClinicRulesRecord:
    """The clinic's rules as a document; revision 0 was never saved."""

    document: JsonObject
    revision: int
    updated_at: datetime | None


_COLUMNS = (
    ClinicRow.clinic_id,
    ClinicRow.name,
    ClinicRow.sandbox,
    ClinicRow.clock_at,
    ClinicRow.created_at,
)


class ClinicRepository:
    """One clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, name: str, *, sandbox: bool, now: datetime) -> None:
        """Store a new clinic under the id given at construction."""
        await self._connection.execute(
            insert(ClinicRow).values(
                clinic_id=self._clinic_id, name=name, sandbox=sandbox, created_at=now
            )
        )

    async def get(self) -> ClinicRecord:
        """The clinic. Raises ClinicNotFound."""
        row = await _clinic(self._connection.dialect.name).fetch_one(
            self._connection, {"clinic_id": self._clinic_id}
        )
        if row is None:
            raise ClinicNotFound("no such clinic")
        return ClinicRecord(*row)

    async def make_sandbox(self) -> None:
        """Turn the clinic into a sandbox, which stays one: its plans show it."""
        await self._connection.execute(
            update(ClinicRow).where(ClinicRow.clinic_id == self._clinic_id).values(sandbox=True)
        )

    async def set_clock(self, at: datetime | None) -> None:
        """Stop the clock at an instant, or with None let it run. Raises ClockNotSettable."""
        done = await self._connection.execute(
            update(ClinicRow)
            .where(ClinicRow.clinic_id == self._clinic_id, ClinicRow.sandbox)
            .values(clock_at=at)
        )
        if done.rowcount == 0:
            raise ClockNotSettable("only a sandbox clinic's clock can be set")


async def every_clinic(connection: AsyncConnection) -> tuple[ClinicRecord, ...]:
    """All clinics, the oldest first."""
    rows = await connection.execute(
        select(*_COLUMNS).order_by(ClinicRow.created_at, ClinicRow.clinic_id)
    )
    return tuple(ClinicRecord(*row) for row in rows)


class ClinicRulesRepository:
    """The rules which hold for every plan of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def get(self) -> ClinicRulesRecord:
        """The rules as last saved; an empty document of revision 0 before."""
        row = await _rules(self._connection.dialect.name).fetch_one(
            self._connection, {"clinic_id": self._clinic_id}
        )
        return ClinicRulesRecord({}, 0, None) if row is None else ClinicRulesRecord(*row)

    async def save(self, document: JsonObject, *, revision: int, now: datetime) -> int:
        """Replace the rules that were read at ``revision``; gives the new revision.

        Raises ClinicRulesChangedMeanwhile.
        """
        values = {"document": document, "revision": revision + 1, "updated_at": now}
        if revision == 0:
            done = await self._connection.execute(
                insert_unless_there(self._connection, ClinicRulesRow).values(
                    clinic_id=self._clinic_id, **values
                )
            )
        else:
            done = await self._connection.execute(
                update(ClinicRulesRow)
                .where(
                    ClinicRulesRow.clinic_id == self._clinic_id,
                    ClinicRulesRow.revision == revision,
                )
                .values(**values)
            )
        if done.rowcount == 0:
            raise ClinicRulesChangedMeanwhile("the clinic's rules were changed meanwhile")
        return revision + 1


@cache
def _clinic(dialect: str) -> Prepared:
    which = ClinicRow.clinic_id == parameter(ClinicRow.clinic_id)
    return prepare(select(*_COLUMNS).where(which), dialect)


@cache
def _rules(dialect: str) -> Prepared:
    columns = columns_of(ClinicRulesRow, ClinicRulesRecord)
    which = ClinicRulesRow.clinic_id == parameter(ClinicRulesRow.clinic_id)
    return prepare(select(*columns).where(which), dialect)
