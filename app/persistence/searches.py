"""Searches with many filters and a chosen order: one page of ids by key, and how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    SQLColumnExpression,
    Uuid,
    and_,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from app.persistence.columns import Instant

Key = tuple[str | int, ...]
Columns = list[tuple[Any, bool]]
_Keys = Select[*tuple[Any, ...]]


class Sorting(NamedTuple):
    """One of the things by which what is found is put in order."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Words that are looked for: any part of a text, or the ``whole`` of it as it is written."""

    words: str
    whole: bool = False

    def within(self, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Whether a column has them; upper and lower case are alike in a part."""
        if self.whole:
            return column == self.words
        return column.icontains(self.words, autoescape=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Which part of what fits is wanted, in which order."""

    limit: int
    after: Key | None = None
    sorts: tuple[Sorting, ...] = ()
    """What it is sorted by; ``_id`` comes last whether it is named or not."""
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
    by: Mapping[str, SQLColumnExpression[Any]],
    parts: Sequence[ColumnElement[bool]] = (),
) -> Ids:
    """The ids of the rows that fit, ordered by columns that are never null, the last by id.

    Where an index serves but a part of all that fits, parts are looked for apart: nearly all that
    fits is in the first, each row in one.
    """
    columns = ordering(page.sorts, by, id_)
    total = None
    if page.counted:
        counted = await connection.execute(select(func.count(id_)).where(*which))
        total = int(counted.scalar_one())
    if not page.limit:
        return Ids((), None, total)
    after = [] if page.after is None else [beyond(columns, page.after)]
    fitting = select(*(column for column, _ in columns)).where(*which, *after)
    if parts:
        fitting, columns = _merged(fitting, columns, parts, page.limit + 1)
    statement = fitting.order_by(*in_order(columns)).limit(page.limit + 1)
    rows = (await connection.execute(statement)).all()
    shown = rows[: page.limit]
    following = key_of(shown[-1]) if len(rows) > page.limit else None
    return Ids(tuple(row[-1] for row in shown), following, total)


def holding(*asked: tuple[bool | None, ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Conditions that must hold, or must not; None does not matter."""
    return [condition if holds else ~condition for holds, condition in asked if holds is not None]


def _merged(
    fitting: _Keys, columns: Columns, parts: Sequence[ColumnElement[bool]], limit: int
) -> tuple[_Keys, Columns]:
    """The first rows of the first part in the order of its index, and the few of the others."""
    first = fitting.where(parts[0]).order_by(*in_order(columns)).limit(limit).subquery()
    found = union_all(select(first), *(fitting.where(part) for part in parts[1:])).subquery()
    kept = [(column, down) for column, (_, down) in zip(found.c, columns, strict=True)]
    return select(found), kept


def ordering(
    sorts: Sequence[Sorting], by: Mapping[str, SQLColumnExpression[Any]], *id_: Any
) -> Columns:
    """The columns by which rows are ordered, each with whether it goes down.

    What follows the id makes no difference; where it is not named, it goes the way of the last.
    """
    found: Columns = []
    descending = False
    for name, descending in sorts:
        if name == "_id":
            break
        found.append((by[name], descending))
    return [*found, *((column, descending) for column in id_)]


def in_order(columns: Columns) -> list[ColumnElement[Any]]:
    """What rows are ordered by."""
    return [column.desc() if descending else column.asc() for column, descending in columns]


def beyond(columns: Columns, key: Key) -> ColumnElement[bool]:
    """What comes after a key in the order of these columns."""
    found: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for (column, descending), told in zip(columns, key, strict=True):
        value = _read(column, told)
        found.append(and_(*same, column < value if descending else column > value))
        same.append(column == value)
    return or_(*found)


def key_of(row: Sequence[Any]) -> Key:
    """The key of a row in a cursor."""
    return tuple(_told(value) for value in row)


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
