"""Clients that ask for tokens by assertions they sign: made, listed, revoked, found."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.permissions import Caller, Role, Scope, granted, refuse_more_than
from app.persistence.clinics import ClinicNotFound, ClinicRepository
from app.persistence.database import Database
from app.persistence.oauth import AssertionUsed, ClientNotFound, ClientRecord, ClientRepository
from app.services import events
from app.services.context import Context
from app.services.events import EventType

__all__ = ["AssertionUsed", "ClientNotFound", "ClientRecord", "Database"]

MARK = "rgc_"
_ID_BYTES = 16
# Longer than any leeway that is given to an assertion.
_KEPT_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ClientId:
    """What a client is called in public: it names its clinic, in whose rows it is looked for."""

    clinic_id: UUID
    id: UUID

    def __str__(self) -> str:
        raw = self.clinic_id.bytes + self.id.bytes
        return MARK + urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def read_client_id(text: str) -> ClientId:
    """A client's id from its text. Raises ClientNotFound."""
    encoded = text.removeprefix(MARK)
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        found = ClientId(UUID(bytes=raw[:_ID_BYTES]), UUID(bytes=raw[_ID_BYTES:]))
    except ValueError:
        raise ClientNotFound("there is no such client") from None
    if str(found) != text:
        raise ClientNotFound("there is no such client")
    return found


async def create_client(
    ctx: Context,
    name: str,
    role: Role,
    *,
    scopes: frozenset[Scope] | None = None,
    jwks: Mapping[str, Any] | None = None,
    jwks_url: str | None = None,
) -> ClientRecord:
    """Make a client, known by its public keys. Raises CallerExists or NotPermitted."""
    refuse_more_than(role, scopes)
    client = ClientRecord(
        id=ctx.new_id(),
        name=name,
        role=role,
        scopes=None if scopes is None else sorted(scopes),
        jwks=None if jwks is None else dict(jwks),
        jwks_url=jwks_url,
        created_at=ctx.real_now,
        created_by=ctx.actor,
    )
    await ClientRepository(ctx.connection, ctx.clinic_id).add(client)
    await events.append(
        ctx, EventType.CLIENT_CREATED, data={"client_id": str(client.id), "role": role}
    )
    return client


async def list_clients(ctx: Context) -> tuple[ClientRecord, ...]:
    """The clinic's clients, with those that were revoked."""
    return await ClientRepository(ctx.connection, ctx.clinic_id).all()


async def revoke_client(ctx: Context, client_id: UUID) -> None:
    """Give a client no more tokens; those it has end within seconds. Raises ClientNotFound."""
    await ClientRepository(ctx.connection, ctx.clinic_id).revoke(client_id, now=ctx.real_now)
    await events.append(ctx, EventType.CLIENT_REVOKED, data={"client_id": str(client_id)})


async def find_client(database: Database, which: ClientId) -> ClientRecord:
    """A client that may have tokens. Raises ClientNotFound."""
    async with database.reading(which.clinic_id) as connection:
        return await ClientRepository(connection, which.clinic_id).get(which.id)


async def use_assertion(
    database: Database, which: ClientId, jti: str, *, expires_at: datetime, now: datetime
) -> None:
    """Take an assertion this once. Raises AssertionUsed."""
    digest = hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest()
    async with database.writing(which.clinic_id) as connection:
        clients = ClientRepository(connection, which.clinic_id)
        await clients.use_assertion(which.id, digest, expires_at=expires_at + _KEPT_AFTER, now=now)


def caller_of(
    which: ClientId,
    client: ClientRecord,
    scopes: frozenset[Scope] | None = None,
    resources: frozenset[str] = frozenset(),
) -> Caller:
    """Who calls with a token of a client that was given for these scopes and resources."""
    own = granted(Role(client.role), None if client.scopes is None else map(Scope, client.scopes))
    if scopes is not None:
        own = granted(Role(client.role), own.scopes & scopes, resources)
    return Caller(which.clinic_id, f"client:{client.name}", own)


async def is_clinic(database: Database, clinic_id: UUID) -> bool:
    """Whether there is such a clinic."""
    async with database.reading(clinic_id) as connection:
        try:
            await ClinicRepository(connection, clinic_id).get()
        except ClinicNotFound:
            return False
    return True
