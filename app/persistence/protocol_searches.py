"""Searches over the versions of all protocols, as other systems ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.bounds import NO_BOUNDS, Bounds
from app.persistence.searches import Key, SearchPage
from app.persistence.tables import ProtocolVersionRow

VersionName = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSearch:
    """Which versions are wanted; ``None`` is any.

    ``canonicals``: our own key where it is one of ours, and the url; what was imported has its
    own. Of each group in ``titles`` any part of a title must be there.
    """

    names: tuple[VersionName, ...] | None = None
    canonicals: tuple[tuple[str | None, str], ...] | None = None
    versions: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    titles: tuple[tuple[str, ...], ...] = ()
    updated: Bounds[datetime] = NO_BOUNDS


@dataclass(frozen=True, slots=True)
class VersionNames:
    """The keys and versions of one page; ``next`` is the key of the last while more follow."""

    names: tuple[VersionName, ...]
    next: Key | None
    total: int | None


async def find_versions(
    connection: AsyncConnection, clinic_id: UUID, wanted: VersionSearch, page: SearchPage
) -> VersionNames:
    """One page of the versions that fit, by key and version, or first by when they changed."""
    which = [ProtocolVersionRow.clinic_id == clinic_id, *_fitting(wanted)]
    total = None
    if page.counted:
        counted = select(func.count(ProtocolVersionRow.version)).where(*which)
        total = int((await connection.execute(counted)).scalar_one())
    if not page.limit:
        return VersionNames((), None, total)
    name = [ProtocolVersionRow.protocol_key, ProtocolVersionRow.version]
    columns = [ProtocolVersionRow.updated_at, *name] if page.sort == "_lastUpdated" else name
    if page.after is not None:
        which.append(_after(columns, page))
    order = [column.desc() if page.descending else column.asc() for column in columns]
    statement = select(*columns).where(*which).order_by(*order).limit(page.limit + 1)
    rows = (await connection.execute(statement)).all()
    shown = rows[: page.limit]
    following = None
    if len(rows) > page.limit:
        last = shown[-1]
        following = tuple(v.isoformat() if isinstance(v, datetime) else str(v) for v in last)
    return VersionNames(tuple((row[-2], row[-1]) for row in shown), following, total)


def _after(columns: Sequence[Any], page: SearchPage) -> ColumnElement[bool]:
    values: list[Any] = list(page.after or ())
    if len(values) == 3:
        values[0] = datetime.fromisoformat(str(values[0]))
    pairs = zip(columns, values, strict=True)
    mark = tuple_(*(literal(value, column.type) for column, value in pairs))
    here: Any = tuple_(*columns)
    beyond: ColumnElement[bool] = here < mark if page.descending else here > mark
    return beyond


def _fitting(wanted: VersionSearch) -> list[ColumnElement[bool]]:
    which = wanted.updated.of(ProtocolVersionRow.updated_at, ProtocolVersionRow.updated_at)
    if wanted.names is not None:
        which.append(or_(false(), *(_is(*name) for name in wanted.names)))
    if wanted.versions is not None:
        which.append(ProtocolVersionRow.version.in_(wanted.versions))
    if wanted.statuses is not None:
        which.append(ProtocolVersionRow.status.in_(wanted.statuses))
    if wanted.canonicals is not None:
        which.append(or_(false(), *(_named(*one) for one in wanted.canonicals)))
    for titles in wanted.titles:
        found = [ProtocolVersionRow.title.icontains(title, autoescape=True) for title in titles]
        which.append(or_(*found))
    return which


def _named(key: str | None, url: str) -> ColumnElement[bool]:
    theirs: ColumnElement[bool] = ProtocolVersionRow.imported["url"].as_string() == url
    if key is None:
        return theirs
    ours = and_(ProtocolVersionRow.protocol_key == key, ProtocolVersionRow.imported.is_(None))
    return or_(theirs, ours)


def _is(key: str, version: str) -> ColumnElement[bool]:
    return and_(ProtocolVersionRow.protocol_key == key, ProtocolVersionRow.version == version)
