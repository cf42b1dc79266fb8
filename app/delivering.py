"""Sends events to webhooks: at least once each, in order within a plan, nobody waiting for another.

It joins what is queued in the database with the calls that send it.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.permissions import UNRESTRICTED
from app.integrations.addresses import NotSent
from app.integrations.outbound import Caller
from app.integrations.webhooks import asked_to_wait, body_of, derived_secret, headers_of
from app.persistence.database import Database
from app.services import clock, deliveries
from app.services.context import Context
from app.services.deliveries import Attempt, ClaimedDelivery
from app.services.webhooks import WebhookRecord

IDLE_SECONDS = 0.5
# To one webhook at a time, so that a receiver is not flooded, and a slow one holds few.
AT_ONCE = 8
# So many times as long as an attempt may take, nobody else tries; then who did is dead.
CLAIMED_FOR_CALLS = 4

# Too many messages, or not at the moment: the receiver may say when it takes more.
BUSY = frozenset({429, 503})

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Deliverer:
    """Sends what waits in one database until it is told to stop; any number may share one.

    The webhooks' secrets are derived from ``key``; ``waits`` are the times between the attempts
    of one delivery.
    """

    database: Database
    caller: Caller
    key: bytes
    waits: tuple[timedelta, ...]
    now: Callable[[], datetime]
    _ordinary_clinics: set[UUID] = field(default_factory=set)
    _under_way: Counter[UUID] = field(default_factory=Counter)
    _attempts: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Finish the attempts under way, then end."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Send until told to stop; wait a moment where nothing is to be sent, or goes wrong."""
        while not self._stopping:
            self._wake.clear()
            try:
                busy = await self.work()
            except Exception as error:  # noqa: BLE001 - whatever it is, later work is not to suffer
                _log.warning("the deliverer waits: %s", type(error).__name__)
                busy = False
            if not busy:
                await self._rest()
        await self.settle()

    async def work(self) -> bool:
        """Queue what happened and begin to send what may be sent; false when there was nothing."""
        async with self.database.overlooking() as connection:
            behind = await deliveries.webhooks_behind(connection)
        busy = False
        for clinic_id, webhook_id in behind:
            async with self._context(clinic_id) as ctx:
                busy |= await deliveries.queue_events(ctx, webhook_id)
        async with self.database.overlooking() as connection:
            due = await deliveries.webhooks_with_due(connection, self.now())
        for clinic_id, webhook_id in due:
            busy |= await self._begin(clinic_id, webhook_id)
        return busy

    async def settle(self) -> None:
        """Wait until no attempt is under way."""
        while self._attempts:
            await asyncio.wait(self._attempts)

    async def _begin(self, clinic_id: UUID, webhook_id: UUID) -> bool:
        """Begin attempts at a webhook, as many as it may have; false when there was none."""
        free = AT_ONCE - self._under_way[webhook_id]
        if free <= 0 or self._stopping:
            return False
        kept_for = timedelta(seconds=CLAIMED_FOR_CALLS * self.caller.seconds)
        async with self._context(clinic_id) as ctx:
            claimed = await deliveries.claim_deliveries(
                ctx, webhook_id, limit=free, kept_for=kept_for
            )
        if claimed is None:
            return False
        for delivery in claimed.deliveries:
            attempt = asyncio.create_task(self._attempt(ctx, claimed.webhook, delivery))
            self._attempts.add(attempt)
            self._under_way[webhook_id] += 1
            attempt.add_done_callback(lambda done: self._end(done, webhook_id))
        return True

    def _end(self, attempt: asyncio.Task[None], webhook_id: UUID) -> None:
        self._attempts.discard(attempt)
        self._under_way[webhook_id] -= 1
        self._wake.set()
        if not attempt.cancelled() and attempt.exception() is not None:
            # The delivery is taken over when nobody is heard of any more.
            _log.warning("an attempt was not noted: %s", type(attempt.exception()).__name__)

    async def _attempt(
        self, ctx: Context, webhook: WebhookRecord, delivery: ClaimedDelivery
    ) -> None:
        attempt, asked = await self._send(webhook, delivery, sandbox=ctx.sandbox)
        wait = deliveries.wait_after(
            delivery.attempts, self.waits, chance=secrets.SystemRandom().random(), asked=asked
        )
        async with self._context(ctx.clinic_id) as finishing:
            await deliveries.finish_attempt(finishing, webhook.id, delivery, attempt, wait=wait)

    async def _send(
        self, webhook: WebhookRecord, delivery: ClaimedDelivery, *, sandbox: bool
    ) -> tuple[Attempt, timedelta]:
        """What became of an attempt, and how long its receiver wants to be left alone."""
        at, began = self.now(), time.monotonic()
        event = delivery.event
        body = body_of(
            type=event.type,
            at=event.at,
            event_id=event.id,
            number=event.number,
            ids=deliveries.ids_of(event),
            sandbox=sandbox,
        )
        salts = deliveries.signing_salts(webhook, at)
        signed_by = [derived_secret(self.key, webhook.id, salt) for salt in salts]
        headers = headers_of(event.id, body, at=at, secrets=signed_by)
        status, failure, asked = None, None, timedelta()
        try:
            answered = await self.caller.post(webhook.url, headers=headers, body=body)
            status = answered.status
            if status in BUSY:
                asked = asked_to_wait(answered.retry_after, now=self.now())
        except NotSent as error:
            failure = error.failure.value
        took = round((time.monotonic() - began) * 1000)
        return Attempt(at, took, status, failure), asked

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    @asynccontextmanager
    async def _context(self, clinic_id: UUID) -> AsyncIterator[Context]:
        async with self.database.writing(clinic_id) as connection:
            yield await clock.open_context(
                connection,
                clinic_id,
                actor="worker",
                grant=UNRESTRICTED,
                now=self.now(),
                ordinary=self._ordinary_clinics,
            )
