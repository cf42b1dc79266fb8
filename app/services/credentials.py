"""Keys of callers: made, listed, rotated, revoked, and told by what a caller sends."""

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from app.domain.errors import Fault, Faults
from app.domain.permissions import Caller, Role, Scope, granted, refuse_more_than
from app.persistence.credentials import (
    CallerExists,
    KeyNotFound,
    KeyNotRotatable,
    KeyRecord,
    KeyRepository,
)
from app.persistence.database import Database
from app.persistence.overviews import any_caller
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.listing import Listed, page_of

__all__ = [
    "CallerExists",
    "KeyNotFound",
    "KeyNotRotatable",
    "KeyRecord",
    "has_callers",
]

# What all keys begin with, so that scanners for leaked secrets know them.
MARK = "rgm_"
_PREFIX_LENGTH = 10
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_CLINIC_LENGTH = 22
# A mark, the prefix by which people know it, the clinic's id and 256 random bits.
_KEY = re.compile(r"(rgm_[a-z2-9]{10})_([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{43})")

LONGEST_OVERLAP = timedelta(days=30)


class InvalidKey(Faults):
    """The key would have ended before it is made."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key; ``key`` is shown this once and not kept."""

    record: KeyRecord
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """Who calls by a credential that holds now, and when it ends by itself.

    ``key_id`` and ``last_used_at`` are a key's.
    """

    caller: Caller
    ends_at: datetime | None
    key_id: UUID | None = None
    last_used_at: datetime | None = None


async def create_key(
    ctx: Context,
    name: str,
    role: Role,
    *,
    scopes: frozenset[Scope] | None = None,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make a key for a new caller.

    Raises CallerExists, InvalidKey, or NotPermitted for too many scopes.
    """
    refuse_more_than(role, scopes)
    _refuse_past(expires_at, ctx.real_now)
    record = KeyRecord(
        id=ctx.new_id(),
        prefix=_new_prefix(),
        name=name,
        role=role,
        scopes=None if scopes is None else sorted(scopes),
        created_at=ctx.real_now,
        created_by=ctx.actor,
        expires_at=expires_at,
    )
    return await _issue(ctx, record, EventType.KEY_CREATED)


async def list_keys(ctx: Context, *, after: UUID | None, limit: int) -> Listed[KeyRecord]:
    """The clinic's keys, the oldest first, with those that ended."""
    rows = await _repository(ctx).page(after=after, limit=limit + 1)
    return page_of(rows, limit, lambda key: (str(key.id),))


async def rotate_key(
    ctx: Context, key_id: UUID, *, overlap: timedelta, expires_at: datetime | None = None
) -> IssuedKey:
    """Make a new key for the same caller; the old one holds for as long as they overlap.

    The new one ends when it is told to, else when the old one would have. Raises KeyNotFound,
    KeyNotRotatable or InvalidKey.
    """
    repository = _repository(ctx)
    _refuse_past(expires_at, ctx.real_now)
    old, now = await repository.get(key_id), ctx.real_now
    if not _holds(old, now):
        raise KeyNotRotatable("the key has ended")
    new = replace(
        old,
        id=ctx.new_id(),
        prefix=_new_prefix(),
        created_at=now,
        created_by=ctx.actor,
        expires_at=expires_at or old.expires_at,
        last_used_at=None,
        rotated_from=old.id,
    )
    issued = await _issue(ctx, new, EventType.KEY_ROTATED)
    await repository.end(key_id, expires_at=now + overlap)
    return issued


async def revoke_key(ctx: Context, key_id: UUID) -> KeyRecord:
    """Let a key end now. Raises KeyNotFound."""
    repository = _repository(ctx)
    found = await repository.get(key_id)
    if found.revoked_at is None:
        await repository.revoke(key_id, now=ctx.real_now)
        await events.append(ctx, EventType.KEY_REVOKED, data={"key_id": str(key_id)})
    return await repository.get(key_id)


async def find_key(database: Database, key: str, *, now: datetime) -> Found | None:
    """Who calls by a key; None where it is unknown or has ended."""
    parts = _KEY.fullmatch(key)
    if parts is None:
        return None
    clinic_id = UUID(bytes=urlsafe_b64decode(parts[2] + "=="))
    async with database.reading(clinic_id) as connection:
        found = await KeyRepository(connection, clinic_id).find(parts[1])
    if found is None:
        return None
    record, secret_hash = found
    if not compare_digest(secret_hash, _hash(key)) or not _holds(record, now):
        return None
    scopes = None if record.scopes is None else map(Scope, record.scopes)
    caller = Caller(clinic_id, f"key:{record.name}", granted(Role(record.role), scopes))
    return Found(caller, record.expires_at, record.id, record.last_used_at)


async def note_key_use(database: Database, clinic_id: UUID, key_id: UUID, at: datetime) -> None:
    """Remember when a key was used last."""
    async with database.writing(clinic_id) as connection:
        await KeyRepository(connection, clinic_id).note_use(key_id, at=at)


async def has_callers(database: Database) -> bool:
    """Whether any clinic ever had a key or a client; before that nobody can be told apart."""
    async with database.overlooking() as connection:
        return await any_caller(connection)


async def _issue(ctx: Context, record: KeyRecord, what: EventType) -> IssuedKey:
    key = _new_key(record.prefix, ctx.clinic_id)
    await _repository(ctx).add(record, secret_hash=_hash(key))
    await events.append(ctx, what, data={"key_id": str(record.id), "role": record.role})
    return IssuedKey(record, key)


def _refuse_past(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidKey((Fault("/expires_at", "in-the-past", "must be later than now"),))


def _new_prefix() -> str:
    return MARK + "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))


def _new_key(prefix: str, clinic_id: UUID) -> str:
    clinic = urlsafe_b64encode(clinic_id.bytes).decode("ascii")[:_CLINIC_LENGTH]
    return f"{prefix}_{clinic}{secrets.token_urlsafe(32)}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def _holds(key: KeyRecord, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def _repository(ctx: Context) -> KeyRepository:
    return KeyRepository(ctx.connection, ctx.clinic_id)
