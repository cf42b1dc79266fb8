"""Clients that ask for tokens, and the assertions they have used."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.credentials import CallerExists
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import JsonObject, OauthAssertionRow, OauthClientRow
from app.persistence.upserts import insert_unless_there


class ClientNotFound(DomainError):
    """There is no such client in this clinic, or it was revoked."""


class AssertionUsed(DomainError):
    """The assertion was used before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """A client, with its public keys by value or by URL."""

    id: UUID
    name: str
    role: str
    scopes: list[Any] | None
    jwks: JsonObject | None
    jwks_url: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None


_COLUMNS = columns_of(OauthClientRow, ClientRecord)


class ClientRepository:
    """The clients of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, client: ClientRecord) -> None:
        """Store a new client. Raises CallerExists."""
        statement = insert_unless_there(self._connection, OauthClientRow).values(
            clinic_id=self._clinic_id, **values_of(client)
        )
        if (await self._connection.execute(statement)).rowcount == 0:
            raise CallerExists(f"there is a client '{client.name}' already")

    async def get(self, client_id: UUID) -> ClientRecord:
        """A client that was not revoked. Raises ClientNotFound."""
        found = await self._connection.execute(
            select(*_COLUMNS).where(
                OauthClientRow.clinic_id == self._clinic_id,
                OauthClientRow.id == client_id,
                OauthClientRow.revoked_at.is_(None),
            )
        )
        row = found.one_or_none()
        if row is None:
            raise ClientNotFound("there is no such client")
        return read_record(ClientRecord, row)

    async def all(self) -> tuple[ClientRecord, ...]:
        """Every client, the oldest first."""
        rows = await self._connection.execute(
            select(*_COLUMNS)
            .where(OauthClientRow.clinic_id == self._clinic_id)
            .order_by(OauthClientRow.id)
        )
        return tuple(read_record(ClientRecord, row) for row in rows)

    async def revoke(self, client_id: UUID, *, now: datetime) -> None:
        """Give the client no more tokens. Raises ClientNotFound."""
        done = await self._connection.execute(
            update(OauthClientRow)
            .where(
                OauthClientRow.clinic_id == self._clinic_id,
                OauthClientRow.id == client_id,
                OauthClientRow.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )
        if done.rowcount == 0:
            raise ClientNotFound("there is no such client")

    async def use_assertion(
        self, client_id: UUID, jti_hash: str, *, expires_at: datetime, now: datetime
    ) -> None:
        """Remember an assertion for as long as it holds. Raises AssertionUsed."""
        await self._connection.execute(
            delete(OauthAssertionRow).where(
                OauthAssertionRow.clinic_id == self._clinic_id, OauthAssertionRow.expires_at < now
            )
        )
        statement = insert_unless_there(self._connection, OauthAssertionRow).values(
            clinic_id=self._clinic_id,
            client_id=client_id,
            jti_hash=jti_hash,
            expires_at=expires_at,
        )
        if (await self._connection.execute(statement)).rowcount == 0:
            raise AssertionUsed("the assertion was used before")
