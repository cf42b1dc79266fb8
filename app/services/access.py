"""The account of access: changes are noted in their transaction, reads in groups, all in a chain.

What is read waits in this process for at most ``GROUP_SECONDS`` and the length of a commit: so much
a kill can lose. Nothing that was changed is lost, because it is committed with the change.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app.domain.access import Access, chained, read, shown_in
from app.domain.errors import DomainError
from app.persistence.access import MOST, AccessBatch, AccessFilter, AccessRepository, Chain
from app.persistence.database import Database
from app.services.context import Context
from app.services.listing import Key, Listed
from app.services.ranges import require_forwards

__all__ = ["Access", "AccessFilter"]

# The number of a batch, and the position in it.
Place = tuple[int, int]

GROUP_SECONDS = 0.1
# Of that so much is left for the commit.
COMMIT_SECONDS = 0.02
# So long after a change was noted its transaction is looked for: it commits right then.
LATE = timedelta(seconds=1)
# While the database takes nothing, so many reads are remembered; then nothing is read any more.
MOST_BEHIND = 10_000
# Answers are held until they are looked at: many large ones do not wait for the group's end.
GROUP_BYTES = 256 * 1024
MOST_BYTES = 32 * 1024 * 1024
# How many batches are looked through for one page, and at once.
MOST_BATCHES = 1000
BATCHES = 100
# So many answers are looked through before requests have their turn: about a millisecond.
TURN = 20

_log = logging.getLogger(__name__)


class AccessNotFound(DomainError):
    """The account has no such access."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for which operation, and the ids its address names."""

    clinic_id: UUID
    credential: str
    operation: str
    named: Mapping[str, str]


class Account:
    """What was read in this process and is not in the chain yet."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._read: list[tuple[datetime, Asked, bytes]] = []
        self._bytes = 0
        self._wanted = asyncio.Event()
        self._behind: dict[UUID, list[Access]] = defaultdict(list)
        self._count_behind = 0
        self._changed: dict[UUID, datetime] = {}
        self._ends: dict[UUID, Chain] = {}

    @property
    def is_behind(self) -> bool:
        """Whether more reads wait for the database than may."""
        return len(self._read) + self._count_behind > MOST_BEHIND or self._bytes > MOST_BYTES

    def note_read(self, asked: Asked, answer: bytes) -> None:
        """Remember that an answer is given; what is in it is looked at later."""
        self._read.append((self._now(), asked, answer))
        self._bytes += len(answer)
        if self._bytes > GROUP_BYTES:
            self._wanted.set()

    async def note_change(self, ctx: Context, asked: Asked, answer: bytes) -> None:
        """Store that something is stored, in the same transaction."""
        access = _access(ctx.real_now, asked, answer, stored=True)
        await AccessRepository(ctx.connection, ctx.clinic_id).wait(ctx.new_id(), access)
        self._changed[ctx.clinic_id] = self._now()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Commit in groups while the block runs, and what is left at its end."""
        stopping = asyncio.Event()
        keeping = asyncio.create_task(self._keep(stopping))
        try:
            yield
        finally:
            stopping.set()
            self._wanted.set()
            await keeping

    async def _keep(self, stopping: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        is_last, began = False, clock()
        while not is_last:
            # What was read during the last commit has waited since that began.
            wait = began + GROUP_SECONDS - COMMIT_SECONDS - clock()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), max(wait, 0))
            self._wanted.clear()
            began = clock()
            # Told to stop during a commit, what was read meanwhile is left.
            is_last = stopping.is_set()
            try:
                await self.commit()
            except Exception as error:  # noqa: BLE001 - whatever it is, later reads are accounted for
                _log.error("the account of access failed: %s", type(error).__name__)

    async def commit(self) -> None:
        """Put what was read and changed into the chain of each clinic."""
        noted, self._read, self._bytes = self._read, [], 0
        for place, (at, asked, answer) in enumerate(noted):
            self._behind[asked.clinic_id].append(_access(at, asked, answer, stored=False))
            if place % TURN == TURN - 1:
                await asyncio.sleep(0)
        self._count()
        for clinic_id in self._behind.keys() | self._changed.keys():
            await self._commit(clinic_id)
        self._count()

    def _count(self) -> None:
        self._count_behind = sum(map(len, self._behind.values()))

    async def _commit(self, clinic_id: UUID) -> None:
        """Commit what was read in a clinic, and for a while what was changed there.

        A change is noted just before its transaction commits, which takes a moment.
        """
        now, changed = self._now(), self._changed.get(clinic_id)
        accesses = self._behind.get(clinic_id, [])
        try:
            if changed is not None or not await self._commit_at_once(clinic_id, accesses, now):
                async with self._database.writing(clinic_id) as connection:
                    account = AccessRepository(connection, clinic_id)
                    chain = await account.add(accesses, at=now, waiting=changed is not None)
                if chain is not None:
                    self._ends[clinic_id] = chain
        except (SQLAlchemyError, OSError) as error:
            _log.warning("the account of access waits: %s", type(error).__name__)
        else:
            self._behind.pop(clinic_id, None)
            if changed is not None and self._changed[clinic_id] < now - LATE:
                del self._changed[clinic_id]

    async def _commit_at_once(
        self, clinic_id: UUID, accesses: Sequence[Access], now: datetime
    ) -> bool:
        """Commit what was read where nobody else added to the chain since; false: somebody did."""
        end = self._ends.pop(clinic_id, None)
        if end is None or len(accesses) > MOST or self._database.is_one_file:
            return False
        async with self._database.reading(clinic_id) as connection:
            account = AccessRepository(connection, clinic_id)
            chain = await account.add_at_once(accesses, at=now, end=end)
        if chain is None:
            return False
        self._ends[clinic_id] = chain
        return True


def _access(at: datetime, asked: Asked, answer: bytes, *, stored: bool) -> Access:
    shown = shown_in(asked.named, answer)
    return Access(
        at=at,
        credential=asked.credential,
        operation=asked.operation,
        stored=stored,
        ids=shown.ids,
        patients=shown.patients,
    )


async def list_access(
    ctx: Context, which: AccessFilter, *, after: Key | None, limit: int
) -> Listed[Access]:
    """Accesses that fit, the newest first.

    A page ends early where many batches were looked through in vain; its ``next`` goes on there.
    Raises RangeNotAllowed.
    """
    require_forwards(which.since, which.until)
    page = await find_access(ctx, which, after=after, limit=limit)
    return Listed(tuple(access for _, access in page.items), page.next)


async def find_access(
    ctx: Context, which: AccessFilter, *, after: Key | None, limit: int
) -> Listed[tuple[Place, Access]]:
    """The same with their places, by which each can be read again."""
    account = AccessRepository(ctx.connection, ctx.clinic_id)
    place = None if after is None else (int(after[0]), int(after[1]))
    found: list[tuple[Place, Access]] = []
    for _ in range(MOST_BATCHES // BATCHES):
        until = None if place is None else place[0]
        batches = await account.newest(which, until=until, limit=BATCHES)
        for batch in batches:
            for position, access in _backwards(batch, place):
                if which.fits(access):
                    found.append(((batch.number, position), access))
                    if len(found) == limit:
                        return Listed(tuple(found), (batch.number, position))
            place = (batch.number, 0)
        if len(batches) < BATCHES:
            return Listed(tuple(found), None)
    return Listed(tuple(found), place)


async def read_access(ctx: Context, place: Place) -> Access:
    """One access. Raises AccessNotFound, also for what was forgotten."""
    account = AccessRepository(ctx.connection, ctx.clinic_id)
    for batch in await account.newest(AccessFilter(), until=place[0], limit=1):
        accesses = read(batch.accesses)
        if batch.number == place[0] and place[1] < len(accesses):
            return accesses[place[1]]
    raise AccessNotFound("no such access, or it was forgotten")


def _backwards(batch: AccessBatch, place: tuple[int, int] | None) -> list[tuple[int, Access]]:
    """The accesses of a batch before a place, the last first."""
    is_begun = place is not None and place[0] == batch.number
    accesses = read(batch.accesses)
    end = place[1] if place is not None and is_begun else len(accesses)
    return [(at, accesses[at]) for at in reversed(range(end))]


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking through a clinic's chain gave; ``fault`` says what is wrong first.

    ``since`` is the beginning of what is kept, ``noted`` are the hashes that were asked for and
    found.
    """

    batches: int
    accesses: int
    since: datetime | None
    last_number: int
    last_hash: str
    fault: str | None
    noted: frozenset[str]


async def verify(ctx: Context, *, noted: frozenset[str] = frozenset()) -> Verified:
    """Look through the clinic's whole chain for a batch that was removed or altered.

    ``noted`` are hashes with which chains ended once.
    """
    account = AccessRepository(ctx.connection, ctx.clinic_id)
    while True:
        chain = await account.chain()
        found = await _verified(ctx.clinic_id, account, chain, noted)
        # Otherwise batches that were kept long enough were forgotten meanwhile.
        if (await account.chain()).first_number == chain.first_number:
            return found


async def _verified(
    clinic_id: UUID, account: AccessRepository, chain: Chain, noted: frozenset[str]
) -> Verified:
    number, sealed, counted, fault = chain.first_number, chain.first_hash, 0, None
    since: datetime | None = None
    seen = noted & {sealed}
    while fault is None and number < chain.last_number:
        batches = await account.batches(after=number, until=chain.last_number, limit=BATCHES)
        if not batches:
            break
        indexed = await account.patients(batches[0].number, batches[-1].number)
        for batch in batches:
            mine = {patient for of, patient in indexed if of == batch.number}
            fault = _fault(clinic_id, batch, number + 1, sealed, mine)
            if fault is not None:
                break
            number, sealed, since = batch.number, batch.hash, since or batch.first_at
            counted += len(read(batch.accesses))
            seen |= noted & {sealed}
    if fault is None and (number, sealed) != (chain.last_number, chain.last_hash):
        fault = f"the chain ends at batch {number}, where batch {chain.last_number} should be last"
    if fault is None and (outside := await account.outside()) is not None:
        fault = f"batch {outside} is not of the chain"
    return Verified(number - chain.first_number, counted, since, number, sealed, fault, seen)


def _fault(
    clinic_id: UUID, batch: AccessBatch, expected: int, previous: str, indexed: set[UUID]
) -> str | None:
    if batch.number != expected:
        return f"batch {expected} is missing"
    if batch.previous_hash != previous:
        return f"batch {expected} does not follow the batch before it"
    if chained(clinic_id, expected, batch.at, previous, batch.accesses) != batch.hash:
        return f"batch {expected} was altered"
    accesses = read(batch.accesses)
    if {UUID(one) for access in accesses for one in access.patients} != indexed:
        return f"batch {expected} is not found by its patients"
    if batch.first_at != accesses[0].at:
        return f"batch {expected} is not found by its time"
    return None


async def forget(ctx: Context, kept_for: timedelta) -> None:
    """Forget the clinic's batches that were kept long enough, always whole ones.

    Before that, changes come into the chain whose process was killed before it could do that.
    """
    account = AccessRepository(ctx.connection, ctx.clinic_id)
    await account.add((), at=ctx.real_now, waiting=True)
    await account.forget_before(ctx.real_now - kept_for)
