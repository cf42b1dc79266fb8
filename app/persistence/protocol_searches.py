"""Searches over the versions of all protocols, as other systems ask for them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.bounds import NO_BOUNDS, Bounds
from app.persistence.searches import (
    Key,
    SearchPage,
    Text,
    beyond,
    in_order,
    key_of,
    ordering,
)
from app.persistence.tables import ProtocolVersionRow

VersionName = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSearch:
    """Which versions are wanted; ``None`` is any.

    ``canonicals``: our own key where it is one of ours, by which plans name what was imported, too,
    and the url. Of each group in ``titles`` any part of a title must be there.
    """

    names: tuple[VersionName, ...] | None = None
    canonicals: tuple[tuple[str | None, str], ...] | None = None
    versions: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    titles: tuple[tuple[Text, ...], ...] = ()
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
    by = {"_lastUpdated": ProtocolVersionRow.updated_at}
    name = (ProtocolVersionRow.protocol_key, ProtocolVersionRow.version)
    columns = ordering(page.sorts, by, *name)
    if page.after is not None:
        which.append(beyond(columns, page.after))
    statement = (
        select(*(column for column, _ in columns))
        .where(*which)
        .order_by(*in_order(columns))
        .limit(page.limit + 1)
    )
    rows = (await connection.execute(statement)).all()
    shown = rows[: page.limit]
    following = key_of(shown[-1]) if len(rows) > page.limit else None
    return VersionNames(tuple((row[-2], row[-1]) for row in shown), following, total)


async def list_names(connection: AsyncConnection, clinic_id: UUID) -> tuple[VersionName, ...]:
    """The keys and versions of all protocols."""
    found = await connection.execute(
        select(ProtocolVersionRow.protocol_key, ProtocolVersionRow.version)
        .where(ProtocolVersionRow.clinic_id == clinic_id)
        .order_by(ProtocolVersionRow.protocol_key, ProtocolVersionRow.version)
    )
    return tuple((key, version) for key, version in found)


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
        which.append(or_(*(title.within(ProtocolVersionRow.title) for title in titles)))
    return which


def _named(key: str | None, url: str) -> ColumnElement[bool]:
    theirs: ColumnElement[bool] = ProtocolVersionRow.imported["url"].as_string() == url
    return theirs if key is None else or_(theirs, ProtocolVersionRow.protocol_key == key)


def _is(key: str, version: str) -> ColumnElement[bool]:
    return and_(ProtocolVersionRow.protocol_key == key, ProtocolVersionRow.version == version)
