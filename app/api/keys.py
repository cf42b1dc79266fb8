"""Keys of the clinic's callers: made, listed, rotated and revoked by who administers it."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.api.deps import KeysContextDep, ReadContextDep
from app.api.fields import In, Instant, Key, Out, Whole
from app.api.paging import PageDep, uuid_of
from app.api.problems import problems
from app.api.routing import Route
from app.domain.permissions import NotPermitted, Role, Scope
from app.services import credentials
from app.services.credentials import (
    LONGEST_OVERLAP,
    CallerExists,
    InvalidKey,
    IssuedKey,
    KeyNotFound,
    KeyNotRotatable,
    KeyRecord,
)

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=Route)

_LONGEST_HOURS = LONGEST_OVERLAP // timedelta(hours=1)
_KEY: dict[str, Any] = {
    "id": "01920000-0000-7000-8000-000000000a00",
    "prefix": "rgm_h3kq7wz2np",
    "name": "booking-desk",
    "role": "front-desk",
    "scopes": ["patients:read", "plans:read", "plans:write"],
    "created_at": "2027-01-04T16:00:00Z",
    "created_by": "key:admin",
    "expires_at": "2028-01-04T16:00:00Z",
    "revoked_at": None,
    "last_used_at": None,
    "rotated_from": None,
}
_SECRET = "rgm_h3kq7wz2np_AZOKXgAAcACAAAAAAAAAAQrE7Z…"  # noqa: S105 # shown, opens nothing


class KeyOut(Out):
    """A key, without its secret, which is kept nowhere."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})

    id: UUID = Field(description="The key's id.")
    prefix: str = Field(description="How the key begins, to recognise it by.")
    name: str = Field(description="The caller's name: history shows `key:` and this.")
    role: Role = Field(description="What the caller is to the clinic.")
    scopes: list[Scope] | None = Field(
        description="The scopes of its role that it has; null is all of them."
    )
    created_at: Instant = Field(description="When it was made.")
    created_by: str = Field(description="Who made it.")
    expires_at: Instant | None = Field(description="When it ends by itself.")
    revoked_at: Instant | None = Field(description="When it was revoked.")
    last_used_at: Instant | None = Field(description="When it was last used, to the minute.")
    rotated_from: UUID | None = Field(description="The key that it replaces.")

    @classmethod
    def from_domain(cls, key: KeyRecord) -> "KeyOut":
        """The key as its clinic's administrator sees it."""
        return cls(**_shown(key))


class IssuedKeyOut(KeyOut):
    """A new key, with its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "key": _SECRET}]})

    key: str = Field(description="The key itself. It is shown this once.")

    @classmethod
    def of_issued(cls, issued: IssuedKey) -> "IssuedKeyOut":
        """The key as it is shown once."""
        return cls(**_shown(issued.record), key=issued.key)


class KeysOut(Out):
    """A page of keys."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_KEY], "next": None}]})

    items: list[KeyOut] = Field(description="The keys, the oldest first.")
    next: str | None = Field(description="Where the next page begins; null at the end.")


class KeyIn(In):
    """A new caller."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "booking-desk", "role": "front-desk", "expires_at": "2028-01-04T16:00:00Z"}
            ]
        }
    )

    name: Key = Field(description="What the caller is called; no other has or had the name.")
    role: Role = Field(description="What the caller is to the clinic.")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] | None = Field(
        default=None, description="Only these scopes of its role; by default all."
    )
    expires_at: Instant | None = Field(
        default=None, description="When it ends by itself; by default never."
    )


class KeyRotationIn(In):
    """How long the old key holds beside the new one, and when that ends."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"overlap_hours": 24, "expires_at": "2029-01-04T16:00:00Z"}]
        }
    )

    overlap_hours: Whole = Field(
        default=24, ge=0, le=_LONGEST_HOURS, description="For how many hours the old key holds."
    )
    expires_at: Instant | None = Field(
        default=None,
        description="When the new one ends by itself; by default when the old one would have.",
    )


def _shown(key: KeyRecord) -> dict[str, Any]:
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "role": Role(key.role),
        "scopes": None if key.scopes is None else [Scope(one) for one in key.scopes],
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "rotated_from": key.rotated_from,
    }


@router.get("", operation_id="list_keys")
async def list_keys(ctx: ReadContextDep, page: PageDep) -> KeysOut:
    """List the clinic's keys.

    With those that ended, the oldest first. Secrets are kept nowhere.
    """
    listed = await credentials.list_keys(ctx, after=uuid_of(page.after), limit=page.limit)
    return KeysOut(items=[*map(KeyOut.from_domain, listed.items)], next=page.next(listed.next))


@router.post(
    "",
    operation_id="create_key",
    status_code=201,
    responses=problems(CallerExists, NotPermitted, InvalidKey),
)
async def create_key(body: KeyIn, ctx: KeysContextDep) -> IssuedKeyOut:
    """Make a key for a new caller.

    The answer shows the key, this once. It takes no Idempotency-Key, because answers that are
    given again are stored.
    """
    issued = await credentials.create_key(
        ctx,
        body.name,
        body.role,
        scopes=None if body.scopes is None else frozenset(body.scopes),
        expires_at=body.expires_at,
    )
    return IssuedKeyOut.of_issued(issued)


@router.post(
    "/{key_id}/rotate",
    operation_id="rotate_key",
    status_code=201,
    responses=problems(KeyNotFound, KeyNotRotatable, InvalidKey),
)
async def rotate_key(key_id: UUID, body: KeyRotationIn, ctx: KeysContextDep) -> IssuedKeyOut:
    """Make a new key for the same caller.

    Both hold for a while, so that whoever uses the old one can change over without a gap.
    """
    overlap = timedelta(hours=body.overlap_hours)
    issued = await credentials.rotate_key(ctx, key_id, overlap=overlap, expires_at=body.expires_at)
    return IssuedKeyOut.of_issued(issued)


@router.post("/{key_id}/revoke", operation_id="revoke_key", responses=problems(KeyNotFound))
async def revoke_key(key_id: UUID, ctx: KeysContextDep) -> KeyOut:
    """Let a key end now.

    At once in the process that answers, within five seconds in all others.
    """
    return KeyOut.from_domain(await credentials.revoke_key(ctx, key_id))
