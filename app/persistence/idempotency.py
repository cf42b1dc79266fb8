"""Keys of posts and the answers given under them; claimed inside the post's transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.passing import LOCK_NOT_AVAILABLE, code_of
from app.persistence.prepared import Prepared, prepare
from app.persistence.tables import IdempotencyKeyRow
from app.persistence.upserts import upsert

_KEPT = (
    IdempotencyKeyRow.key,
    IdempotencyKeyRow.fingerprint,
    IdempotencyKeyRow.status_code,
    IdempotencyKeyRow.headers,
    IdempotencyKeyRow.body,
    IdempotencyKeyRow.created_at,
)


class KeyReused(DomainError):
    """The key was used for another request."""


class KeyInUse(DomainError):
    """An equal request is still under way after the lock time-out."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The key is this request's: its answer is to be remembered under it."""

    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that was given under a key, to be given again byte for byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer under its key, with the fingerprint of what was asked and when it was given."""

    key: str
    fingerprint: str
    answer: Answer
    created_at: datetime


class IdempotencyRepository:
    """The keys of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def claim(
        self, key: str, fingerprint: str, *, now: datetime, kept_for: timedelta
    ) -> Claim | Answer:
        """Take the key, or find the answer given under it.

        The key is inserted first, so an equal request that comes meanwhile waits on it until
        this transaction ends. Raises KeyReused, and KeyInUse when it waited too long.
        """
        if await self._insert(key, fingerprint, now):
            return Claim(key)
        found = await self._connection.execute(select(*_KEPT).where(*self._is(key)))
        row = found.one_or_none()
        if row is None or row.created_at <= now - kept_for:
            await self.forget_until(now - kept_for)
            return await self.claim(key, fingerprint, now=now, kept_for=kept_for)
        if row.fingerprint != fingerprint:
            raise KeyReused("the idempotency key was used for another request")
        if row.status_code is None or row.headers is None or row.body is None:
            # The first request ended without an answer worth keeping: this one may give it.
            return Claim(key)
        return Answer(row.status_code, row.headers, row.body)

    async def remember(self, claimed: Claim, answer: Answer) -> None:
        """Keep the answer under a claimed key; it is committed with what was stored."""
        await _remember(self._connection.dialect.name).run(
            self._connection,
            {
                "of_clinic": self._clinic_id,
                "of_key": claimed.key,
                "status_code": answer.status,
                "headers": dict(answer.headers),
                "body": answer.body,
            },
        )

    async def find(
        self, keys: Collection[str], *, now: datetime, kept_for: timedelta
    ) -> dict[str, KeptAnswer]:
        """What was answered under these keys; what was kept long enough is forgotten.

        Takes no key: whoever then stores under one that is not found may be overtaken.
        """
        if not keys:
            return {}
        await self.forget_until(now - kept_for)
        found = await self._connection.execute(
            select(*_KEPT).where(
                IdempotencyKeyRow.clinic_id == self._clinic_id, IdempotencyKeyRow.key.in_(keys)
            )
        )
        return {
            row.key: KeptAnswer(
                row.key,
                row.fingerprint,
                Answer(row.status_code, row.headers, row.body),
                row.created_at,
            )
            for row in found
        }

    async def _insert(self, key: str, fingerprint: str, now: datetime) -> bool:
        values = {
            "clinic_id": self._clinic_id,
            "key": key,
            "fingerprint": fingerprint,
            "created_at": now,
        }
        try:
            taken = await _insert(self._connection.dialect.name).run(self._connection, values)
        except DBAPIError as error:
            if code_of(error) == LOCK_NOT_AVAILABLE:
                raise KeyInUse("a request with this idempotency key is under way") from error
            raise
        return taken == 1

    async def forget_until(self, instant: datetime) -> None:
        """Forget the keys that were used at this instant or before."""
        await self._connection.execute(
            delete(IdempotencyKeyRow).where(
                IdempotencyKeyRow.clinic_id == self._clinic_id,
                IdempotencyKeyRow.created_at <= instant,
            )
        )

    def _is(self, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return (IdempotencyKeyRow.clinic_id == self._clinic_id, IdempotencyKeyRow.key == key)


def kept_row(clinic_id: UUID, kept: KeptAnswer) -> dict[str, Any]:
    """The row of a key with the answer that is kept under it."""
    return {
        "clinic_id": clinic_id,
        "key": kept.key,
        "fingerprint": kept.fingerprint,
        "status_code": kept.answer.status,
        "headers": dict(kept.answer.headers),
        "body": kept.answer.body,
        "created_at": kept.created_at,
    }


def _parameter(column: str, name: str | None = None) -> BindParameter[Any]:
    return bindparam(name or column, type_=IdempotencyKeyRow.__table__.c[column].type)


@cache
def _insert(dialect: str) -> Prepared:
    names = ("clinic_id", "key", "fingerprint", "created_at")
    values = {name: _parameter(name) for name in names}
    statement = upsert(dialect, IdempotencyKeyRow).values(values)
    return prepare(statement.on_conflict_do_nothing(), dialect)


@cache
def _remember(dialect: str) -> Prepared:
    statement = (
        update(IdempotencyKeyRow)
        .where(
            IdempotencyKeyRow.clinic_id == _parameter("clinic_id", "of_clinic"),
            IdempotencyKeyRow.key == _parameter("key", "of_key"),
        )
        .values({name: _parameter(name) for name in ("status_code", "headers", "body")})
    )
    return prepare(statement, dialect)
