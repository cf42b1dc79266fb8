"""Keys by which callers are known: found by their prefix, judged by whoever asked for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import ApiKeyRow


class KeyNotFound(DomainError):
    """There is no such key in this clinic."""


class CallerExists(DomainError):
    """The clinic has a caller of this name; its key can be rotated."""


class KeyNotRotatable(DomainError):
    """The key was replaced or revoked already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key without its secret."""

    id: UUID
    prefix: str
    name: str
    role: str
    scopes: list[Any] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    rotated_from: UUID | None = None


_COLUMNS = columns_of(ApiKeyRow, KeyRecord)


class KeyRepository:
    """The keys of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, key: KeyRecord, *, secret_hash: str) -> None:
        """Store a new key. Raises CallerExists, or KeyNotRotatable for a second successor."""
        values = {"clinic_id": self._clinic_id, "secret_hash": secret_hash, **values_of(key)}
        try:
            await self._connection.execute(insert(ApiKeyRow).values(**values))
        except IntegrityError as error:
            if key.rotated_from is not None:
                raise KeyNotRotatable("the key was replaced already") from error
            raise CallerExists(f"there is a caller '{key.name}' already") from error

    async def get(self, key_id: UUID) -> KeyRecord:
        """A key. Raises KeyNotFound."""
        found = await self._connection.execute(select(*_COLUMNS).where(self._is(key_id)))
        row = found.one_or_none()
        if row is None:
            raise KeyNotFound("no such key")
        return read_record(KeyRecord, row)

    async def page(self, *, after: UUID | None, limit: int) -> tuple[KeyRecord, ...]:
        """Keys by id, and so by age, beginning after one."""
        statement = select(*_COLUMNS).where(ApiKeyRow.clinic_id == self._clinic_id)
        if after is not None:
            statement = statement.where(ApiKeyRow.id > after)
        rows = await self._connection.execute(statement.order_by(ApiKeyRow.id).limit(limit))
        return tuple(read_record(KeyRecord, row) for row in rows)

    async def find(self, prefix: str) -> tuple[KeyRecord, str] | None:
        """The key that begins so and the hash of the whole."""
        found = await self._connection.execute(
            select(*_COLUMNS, ApiKeyRow.secret_hash).where(
                ApiKeyRow.clinic_id == self._clinic_id, ApiKeyRow.prefix == prefix
            )
        )
        row = found.one_or_none()
        return None if row is None else (read_record(KeyRecord, row[:-1]), row[-1])

    async def end(self, key_id: UUID, *, expires_at: datetime) -> None:
        """Let a key end at an instant, unless it ends earlier."""
        await self._connection.execute(
            update(ApiKeyRow)
            .where(
                self._is(key_id),
                (ApiKeyRow.expires_at.is_(None)) | (ApiKeyRow.expires_at > expires_at),
            )
            .values(expires_at=expires_at)
        )

    async def revoke(self, key_id: UUID, *, now: datetime) -> None:
        """Let a key end now; one that was revoked before stays as it was."""
        await self._connection.execute(
            update(ApiKeyRow)
            .where(self._is(key_id), ApiKeyRow.revoked_at.is_(None))
            .values(revoked_at=now)
        )

    async def note_use(self, key_id: UUID, *, at: datetime) -> None:
        """Remember when a key was used last."""
        await self._connection.execute(
            update(ApiKeyRow).where(self._is(key_id)).values(last_used_at=at)
        )

    def _is(self, key_id: UUID) -> ColumnElement[bool]:
        return (ApiKeyRow.clinic_id == self._clinic_id) & (ApiKeyRow.id == key_id)
