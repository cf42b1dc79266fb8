"""Searches with many filters and a chosen order: one page of ids by key, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, SQLColumnExpression, Uuid, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from app.persistence.columns import Instant

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Which part of what fits is wanted, in which order."""

    limit: int
    after: Key | None = None
    sort: str | None = None
    """What it is sorted by before its id; None is the id alone."""
    descending: bool = False
    counted: bool = False
    """Whether the number of all that fit is wanted, too."""


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one page; ``next`` is the key of the last one while more follow."""

    ids: tuple[UUID, ...]
    next: Key | None
    total: int | None


async def page_of_ids(
    connection: AsyncConnection,
    id_: InstrumentedAttribute[UUID],
    which: Sequence[ColumnElement[bool]],
    page: SearchPage,
    *,
    by: SQLColumnExpression[Any] | None = None,
) -> Ids:
    """The ids of the rows that fit, ordered by a column that is never null, then by id."""
    columns: list[Any] = [id_] if by is None else [by, id_]
    total = None
    if page.counted:
        counted = await connection.execute(select(func.count(id_)).where(*which))
        total = int(counted.scalar_one())
    if not page.limit:
        return Ids((), None, total)
    order = [column.desc() if page.descending else column.asc() for column in columns]
    after = [] if page.after is None else [_after(columns, page.after, descending=page.descending)]
    statement = select(*columns).where(*which, *after).order_by(*order).limit(page.limit + 1)
    rows = (await connection.execute(statement)).all()
    shown = rows[: page.limit]
    following = tuple(_told(value) for value in shown[-1]) if len(rows) > page.limit else None
    return Ids(tuple(row[-1] for row in shown), following, total)


def _after(columns: Sequence[Any], key: Key, *, descending: bool) -> Any:
    values = [_read(column, value) for column, value in zip(columns, key, strict=True)]
    steps = [c < v if descending else c > v for c, v in zip(columns, values, strict=True)]
    if len(steps) == 1:
        return steps[0]
    return or_(steps[0], (columns[0] == values[0]) & steps[1])


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _read(column: Any, value: str | int) -> Any:
    if isinstance(column.type, Uuid):
        return UUID(str(value))
    if isinstance(column.type, Instant):
        return datetime.fromisoformat(str(value))
    if isinstance(column.type, Date):
        return date.fromisoformat(str(value))
    return value
