"""Who calls, told by what a caller sends and remembered for seconds: asking costs a query.

One for each process. A credential revoked in this process ends at once, elsewhere after at most
``REMEMBERED``.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.permissions import UNRESTRICTED, Caller
from app.persistence.database import Database
from app.services.credentials import MARK, Found, find_key, has_callers, note_key_use

REMEMBERED = timedelta(seconds=5)
MAX_REMEMBERED = 10_000
USE_NOTED_EVERY = timedelta(minutes=1)

LOCAL = "local"
LONG_AGO = datetime.min.replace(tzinfo=UTC)


# Who calls by a bearer token that is no key; None where it does not hold.
ReadToken = Callable[[str, datetime], Awaitable[Found | None]]


@dataclass(slots=True)
class Callers:
    """Everybody who called this process a moment ago.

    ``open_clinic`` is the clinic in which anybody on this machine may do everything as long as no
    clinic has a caller; None is none, as on every address that others can reach.
    """

    database: Database
    now: Callable[[], datetime]
    open_clinic: UUID | None = None
    read_token: ReadToken | None = None
    _known: dict[bytes, tuple[datetime, Caller]] = field(default_factory=dict)
    _once_known: dict[bytes, None] = field(default_factory=dict)
    _asked: "dict[bytes, asyncio.Task[Caller | None]]" = field(default_factory=dict)
    _used: dict[UUID, tuple[UUID, datetime]] = field(default_factory=dict)
    _open_until: datetime = LONG_AGO
    _forgotten: int = 0

    async def find(self, credential: str) -> Caller | None:
        """Who calls by this; None where it is unknown, has expired or was revoked."""
        digest = hashlib.sha256(credential.encode("utf-8")).digest()
        known = self._known.get(digest)
        if known is not None and self.now() < known[0]:
            return known[1]
        asked = self._asked.get(digest)
        if asked is None:
            # However many requests wait for it, it is looked up once.
            asked = self._asked[digest] = asyncio.create_task(self._look_up(credential, digest))
            asked.add_done_callback(lambda _: self._asked.pop(digest, None))
        return await asyncio.shield(asked)

    def knew(self, credential: str) -> bool:
        """Whether somebody called by this before, whatever has become of it."""
        return hashlib.sha256(credential.encode("utf-8")).digest() in self._once_known

    async def local(self) -> Caller | None:
        """Whoever tries the service out on this machine, while nobody can be told apart."""
        if self.open_clinic is None:
            return None
        now = self.now()
        if now >= self._open_until:
            if await has_callers(self.database):
                return None
            self._open_until = now + REMEMBERED
        return Caller(self.open_clinic, LOCAL, UNRESTRICTED)

    def forget(self) -> None:
        """Look every credential up again: one of them was made or revoked."""
        self._forgotten += 1
        self._known.clear()
        self._open_until = LONG_AGO

    async def note_uses(self) -> None:
        """Store when keys were used last, as far as that was not stored within the minute."""
        used, self._used = self._used, {}
        for key_id, (clinic_id, at) in used.items():
            await note_key_use(self.database, clinic_id, key_id, at)

    async def _look_up(self, credential: str, digest: bytes) -> Caller | None:
        began = self._forgotten
        now = self.now()
        found = await self._found(credential, now)
        if found is None:
            self._known.pop(digest, None)
            return None
        self._note(found, now)
        if len(self._once_known) >= MAX_REMEMBERED:
            self._once_known.clear()
        self._once_known[digest] = None
        if began == self._forgotten:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            forgotten = now + REMEMBERED
            until = forgotten if found.ends_at is None else min(forgotten, found.ends_at)
            self._known[digest] = (until, found.caller)
        return found.caller

    async def _found(self, credential: str, now: datetime) -> Found | None:
        if credential.startswith(MARK):
            return await find_key(self.database, credential, now=now)
        return None if self.read_token is None else await self.read_token(credential, now)

    def _note(self, found: Found, now: datetime) -> None:
        if found.key_id is None:
            return
        if found.last_used_at is None or now - found.last_used_at >= USE_NOTED_EVERY:
            self._used[found.key_id] = (found.caller.clinic_id, now)
