"""Protocols and their versions: drafts are edited, active versions never change, one is active."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal_column, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import JsonObject, ProtocolRow, ProtocolVersionRow
from app.persistence.upserts import insert_unless_there


class ProtocolNotFound(DomainError):
    """There is no such protocol in this clinic."""


class VersionNotFound(DomainError):
    """The protocol has no such version."""


class ProtocolExists(DomainError):
    """The protocol's key is taken."""


class VersionExists(DomainError):
    """The protocol has this version already."""


class NoActiveVersion(DomainError):
    """No version of the protocol is active."""


class AnotherVersionActive(DomainError):
    """One version is active already; it is to be retired first."""


class VersionNotDraft(DomainError):
    """Only a draft may be edited or activated."""


class VersionChangedMeanwhile(DomainError):
    """The version was changed by somebody else after it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """What a list says of a version: all but its document."""

    protocol_key: str
    version: str
    status: str
    example: bool
    title: str
    content_hash: str
    revision: int
    created_at: datetime
    updated_at: datetime
    activated_at: datetime | None = None
    approval: JsonObject | None = None
    retired_at: datetime | None = None
    written_by: str | None = None
    authors: list[Any] | None = None

    @property
    def writers(self) -> frozenset[str]:
        """Everybody who wrote what it says, as far as nobody approved that before.

        A process of an earlier version of this program notes the last one only.
        """
        last = () if self.written_by is None else (self.written_by,)
        return frozenset([*(self.authors or ()), *last])


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord(VersionSummary):
    """A protocol version with its document, and what that was written as if it includes others.

    ``imported`` is the resource of another system that says the same.
    """

    document: JsonObject
    written_as: JsonObject | None = None
    imported: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ProtocolRecord:
    """A protocol with its versions, the newest first."""

    key: str
    title: str
    created_at: datetime
    versions: tuple[VersionSummary, ...]


_SUMMARY = columns_of(ProtocolVersionRow, VersionSummary)
_CONTENT = columns_of(ProtocolVersionRow, VersionRecord)


class ProtocolRepository:
    """The protocols of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, key: str, title: str, *, now: datetime) -> None:
        """Store a protocol without versions. Raises ProtocolExists."""
        statement = insert_unless_there(self._connection, ProtocolRow).values(
            clinic_id=self._clinic_id, key=key, title=title, created_at=now
        )
        if (await self._connection.execute(statement)).rowcount == 0:
            raise ProtocolExists(f"there is a protocol '{key}' already")

    async def add_version(self, version: VersionRecord) -> None:
        """Store a version of a stored protocol. Raises VersionExists."""
        statement = insert_unless_there(self._connection, ProtocolVersionRow).values(
            clinic_id=self._clinic_id, **values_of(version)
        )
        if (await self._connection.execute(statement)).rowcount == 0:
            raise VersionExists(
                f"protocol '{version.protocol_key}' has a version '{version.version}' already"
            )

    async def get(self, key: str) -> ProtocolRecord:
        """A protocol with its versions. Raises ProtocolNotFound."""
        rows = await self._protocols(ProtocolRow.key == key, limit=1)
        if not rows:
            raise ProtocolNotFound(f"there is no protocol '{key}'")
        return rows[0]

    async def page(self, *, after: str | None, limit: int) -> tuple[ProtocolRecord, ...]:
        """Protocols by key, beginning after one."""
        return await self._protocols(ProtocolRow.key > (after or ""), limit=limit)

    async def get_version(self, key: str, version: str) -> VersionRecord:
        """One version with its document. Raises ProtocolNotFound or VersionNotFound."""
        found = await self._version(key, ProtocolVersionRow.version == version)
        if found is None:
            await self.get(key)
            raise VersionNotFound(f"protocol '{key}' has no version '{version}'")
        return found

    async def get_active(self, key: str) -> VersionRecord:
        """The version by which new plans are made. Raises ProtocolNotFound or NoActiveVersion."""
        found = await self._version(key, ProtocolVersionRow.status == "active")
        if found is None:
            await self.get(key)
            raise NoActiveVersion(f"no version of protocol '{key}' is active")
        return found

    async def get_summary(self, key: str, version: str | None = None) -> VersionSummary:
        """A version, else the active one, without its document.

        For those who keep what a document says in memory, by its hash. Raises ProtocolNotFound,
        VersionNotFound or NoActiveVersion.
        """
        statement = _summary(self._connection.dialect.name, named=version is not None)
        row = await statement.fetch_one(
            self._connection,
            {"clinic_id": self._clinic_id, "protocol_key": key, "version": version},
        )
        if row is not None:
            return read_record(VersionSummary, row)
        return await (self.get_active(key) if version is None else self.get_version(key, version))

    async def update_draft(self, draft: VersionRecord, *, revision: int) -> int:
        """Replace a draft's title, mark, document, hash and authors; gives the new revision.

        Raises VersionNotFound, VersionNotDraft or VersionChangedMeanwhile.
        """
        return await self._change(
            draft.protocol_key,
            draft.version,
            revision,
            {
                "title": draft.title,
                "example": draft.example,
                "document": draft.document,
                "written_as": draft.written_as,
                "imported": draft.imported,
                "content_hash": draft.content_hash,
                "updated_at": draft.updated_at,
                "written_by": draft.written_by,
                "authors": draft.authors,
            },
        )

    async def activate(
        self, key: str, version: str, *, revision: int, approval: JsonObject, now: datetime
    ) -> int:
        """Let new plans be made by a draft; gives the new revision.

        Raises AnotherVersionActive beside what ``update_draft`` raises.
        """
        values = {
            "status": "active",
            "approval": approval,
            "activated_at": now,
            "updated_at": now,
        }
        try:
            return await self._change(key, version, revision, values)
        except IntegrityError as error:
            raise AnotherVersionActive(
                f"protocol '{key}' has an active version: retire it first"
            ) from error

    async def retire(self, key: str, version: str, *, now: datetime) -> None:
        """Make no new plans by a version; those that are go on. Raises VersionNotFound."""
        done = await self._connection.execute(
            update(ProtocolVersionRow)
            .where(*self._is(key, version))
            .values(
                status="retired",
                retired_at=now,
                updated_at=now,
                revision=ProtocolVersionRow.revision + 1,
            )
        )
        if done.rowcount == 0:
            raise VersionNotFound(f"protocol '{key}' has no version '{version}'")

    async def _change(
        self, key: str, version: str, revision: int, values: dict[str, object]
    ) -> int:
        done = await self._connection.execute(
            update(ProtocolVersionRow)
            .where(
                *self._is(key, version),
                ProtocolVersionRow.status == "draft",
                ProtocolVersionRow.revision == revision,
            )
            .values(revision=revision + 1, **values)
        )
        if done.rowcount == 0:
            found = await self.get_version(key, version)
            if found.status != "draft":
                raise VersionNotDraft(f"version '{version}' of '{key}' is {found.status}")
            raise VersionChangedMeanwhile(f"version '{version}' of '{key}' was changed meanwhile")
        return revision + 1

    async def _version(self, key: str, which: ColumnElement[bool]) -> VersionRecord | None:
        rows = await self._connection.execute(
            select(*_CONTENT).where(
                ProtocolVersionRow.clinic_id == self._clinic_id,
                ProtocolVersionRow.protocol_key == key,
                which,
            )
        )
        row = rows.one_or_none()
        return None if row is None else VersionRecord(**row._mapping)

    async def _protocols(
        self, which: ColumnElement[bool], *, limit: int
    ) -> tuple[ProtocolRecord, ...]:
        found = await self._connection.execute(
            select(ProtocolRow.key, ProtocolRow.title, ProtocolRow.created_at)
            .where(ProtocolRow.clinic_id == self._clinic_id, which)
            .order_by(ProtocolRow.key)
            .limit(limit)
        )
        rows = found.all()
        versions = await self._summaries([row.key for row in rows])
        return tuple(
            ProtocolRecord(*row, tuple(v for v in versions if v.protocol_key == row.key))
            for row in rows
        )

    async def _summaries(self, keys: Sequence[str]) -> tuple[VersionSummary, ...]:
        rows = await self._connection.execute(
            select(*_SUMMARY)
            .where(
                ProtocolVersionRow.clinic_id == self._clinic_id,
                ProtocolVersionRow.protocol_key.in_(keys),
            )
            .order_by(ProtocolVersionRow.created_at.desc(), ProtocolVersionRow.version.desc())
        )
        return tuple(VersionSummary(**row._mapping) for row in rows)

    def _is(self, key: str, version: str) -> tuple[ColumnElement[bool], ...]:
        return (
            ProtocolVersionRow.clinic_id == self._clinic_id,
            ProtocolVersionRow.protocol_key == key,
            ProtocolVersionRow.version == version,
        )


@cache
def _summary(dialect: str, *, named: bool) -> Prepared:
    """One version of a protocol: the one that is named, or the active one."""
    statement = select(*_SUMMARY).where(
        ProtocolVersionRow.clinic_id == parameter(ProtocolVersionRow.clinic_id),
        ProtocolVersionRow.protocol_key == parameter(ProtocolVersionRow.protocol_key),
        ProtocolVersionRow.version == parameter(ProtocolVersionRow.version)
        if named
        else ProtocolVersionRow.status == literal_column("'active'"),
    )
    return prepare(statement, dialect)
