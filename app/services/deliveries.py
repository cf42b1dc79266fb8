"""Deliveries: events queued for webhooks, claimed, tried again and again, given up, replayed.

What is sent and how is not known here; nothing here waits for the network.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.errors import DomainError
from app.persistence.deliveries import (
    ClaimedDelivery,
    DeliveryNotFound,
    DeliveryRecord,
    DeliveryRepository,
    webhooks_with_due,
)
from app.persistence.events import EventRecord
from app.persistence.webhooks import (
    WebhookNotFound,
    WebhookRecord,
    WebhookRepository,
    webhooks_behind,
)
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.listing import Listed, page_of
from app.services.webhooks import DisabledBecause

__all__ = [
    "ClaimedDelivery",
    "DeliveryNotFound",
    "DeliveryRecord",
    "webhooks_behind",
    "webhooks_with_due",
]

# How many numbers of the log are queued in one transaction.
AT_ONCE = 1000
# A webhook where nothing arrived for so long is disabled.
PATIENCE = timedelta(days=3)
# How long what arrived stays in the log of deliveries; what did not stays until it does.
KEPT_FOR = timedelta(days=30)
LOGGED_ATTEMPTS = 20
GONE = 410


class WebhookDisabled(DomainError):
    """Nothing is sent to a webhook that is disabled."""


class DeliveryStatus(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt: the status answered, or why there was none."""

    at: datetime
    milliseconds: int
    status_code: int | None
    failure: str | None

    @property
    def arrived(self) -> bool:
        """Whether the receiver has it: it answered 2xx."""
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class Claimed:
    """Deliveries that only the claimant sends for a while, and where to."""

    webhook: WebhookRecord
    deliveries: tuple[ClaimedDelivery, ...]


async def list_deliveries(
    ctx: Context, webhook_id: UUID, *, status: DeliveryStatus | None, before: int | None, limit: int
) -> Listed[DeliveryRecord]:
    """What was and will be sent to a webhook, the latest event first. Raises WebhookNotFound."""
    await WebhookRepository(ctx.connection, ctx.clinic_id).get(webhook_id)
    rows = await _deliveries(ctx, webhook_id).page(status=status, before=before, limit=limit + 1)
    return page_of(rows, limit, lambda delivery: (delivery.event_number,))


async def get_delivery(ctx: Context, webhook_id: UUID, number: int) -> DeliveryRecord:
    """One delivery. Raises DeliveryNotFound."""
    return await _deliveries(ctx, webhook_id).get(number)


async def test_webhook(ctx: Context, webhook_id: UUID) -> DeliveryRecord:
    """Send a webhook an event made for trying it out.

    Raises WebhookNotFound or WebhookDisabled.
    """
    await _enabled(ctx, webhook_id)
    number = await events.append(
        ctx, EventType.WEBHOOK_TESTED, data={"webhook_id": str(webhook_id)}
    )
    deliveries = _deliveries(ctx, webhook_id)
    await deliveries.queue_one(number, now=ctx.real_now)
    return await deliveries.get(number)


async def replay_delivery(ctx: Context, webhook_id: UUID, number: int) -> DeliveryRecord:
    """Send one event again, or at once. Raises WebhookNotFound, -Disabled or DeliveryNotFound."""
    await _enabled(ctx, webhook_id)
    deliveries = _deliveries(ctx, webhook_id)
    await deliveries.get(number)
    await deliveries.queue_one(number, now=ctx.real_now)
    return await deliveries.get(number)


async def replay_deliveries(ctx: Context, webhook_id: UUID, *, after: int, dead_only: bool) -> int:
    """Send again what follows a number, all of it or what was given up; gives how many.

    Raises WebhookNotFound or WebhookDisabled.
    """
    webhook = await _enabled(ctx, webhook_id)
    deliveries = _deliveries(ctx, webhook_id)
    if dead_only:
        return await deliveries.queue_dead(after=after, now=ctx.real_now)
    return await deliveries.queue(
        webhook.event_types, after=after, until=webhook.queued_until, now=ctx.real_now
    )


async def queue_events(ctx: Context, webhook_id: UUID) -> bool:
    """Queue for a webhook what happened since; false when that is nothing.

    As much as comes is forgotten of what arrived long ago.
    """
    deliveries = _deliveries(ctx, webhook_id)
    if not await deliveries.queue_new(now=ctx.real_now, limit=AT_ONCE):
        return False
    await deliveries.forget_delivered(before=ctx.real_now - KEPT_FOR, limit=AT_ONCE)
    return True


async def claim_deliveries(
    ctx: Context, webhook_id: UUID, *, limit: int, kept_for: timedelta
) -> Claimed | None:
    """Take deliveries to try, which others leave alone for a while; None where there are none."""
    claimed = await _deliveries(ctx, webhook_id).claim(
        now=ctx.real_now, until=ctx.real_now + kept_for, limit=limit
    )
    if not claimed:
        return None
    return Claimed(await WebhookRepository(ctx.connection, ctx.clinic_id).get(webhook_id), claimed)


def ids_of(event: EventRecord) -> dict[str, UUID | str | int | None]:
    """The ids of what an event concerns, and the revision it made of that."""
    ids = {name: value for name, value in event.data.items() if name.endswith("_id")}
    return {
        "plan_id": event.plan_id,
        "patient_id": event.patient_id,
        "revision": event.revision,
        **ids,
    }


def signing_salts(webhook: WebhookRecord, now: datetime) -> list[bytes]:
    """The salts of the secrets that sign now, the latest first."""
    if webhook.former_salt is None or webhook.former_until is None or webhook.former_until <= now:
        return [webhook.salt]
    return [webhook.salt, webhook.former_salt]


async def finish_attempt(
    ctx: Context,
    webhook_id: UUID,
    claimed: ClaimedDelivery,
    attempt: Attempt,
    *,
    wait: timedelta | None,
) -> None:
    """Note what became of an attempt; unless it arrived, try again after ``wait``, or give up.

    A webhook that is gone, or where nothing has arrived for days, is disabled.
    """
    webhooks = WebhookRepository(ctx.connection, ctx.clinic_id)
    try:
        await webhooks.get(webhook_id, hold=True)
    except WebhookNotFound:
        return
    because = None
    if attempt.arrived:
        await webhooks.note_success(webhook_id)
    else:
        await webhooks.note_failure(webhook_id, now=ctx.real_now)
        because = await _disabled(ctx, webhooks, webhook_id, attempt)
    await _note(ctx, _deliveries(ctx, webhook_id), claimed, attempt, wait)
    if because is not None:
        data = {"webhook_id": str(webhook_id), "because": because.value}
        await events.append(ctx, EventType.WEBHOOK_DISABLED, data=data)


async def _note(
    ctx: Context,
    deliveries: DeliveryRepository,
    claimed: ClaimedDelivery,
    attempt: Attempt,
    wait: timedelta | None,
) -> None:
    log = [*claimed.log, _logged(attempt)][-LOGGED_ATTEMPTS:]
    if attempt.arrived:
        await deliveries.finish(claimed, DeliveryStatus.DELIVERED, log=log, now=ctx.real_now)
    elif wait is None:
        await deliveries.finish(claimed, DeliveryStatus.DEAD, log=log, now=ctx.real_now)
    else:
        await deliveries.put_off(claimed, log=log, until=ctx.real_now + wait)


async def _disabled(
    ctx: Context, webhooks: WebhookRepository, webhook_id: UUID, attempt: Attempt
) -> DisabledBecause | None:
    """Why the webhook is disabled now, if it is."""
    gone = attempt.status_code == GONE
    because = DisabledBecause.GONE if gone else DisabledBecause.FAILING
    failing_before = None if gone else ctx.real_now - PATIENCE
    disabled = await webhooks.disable(
        webhook_id, because, failing_before=failing_before, now=ctx.real_now
    )
    return because if disabled else None


def wait_after(
    attempts: int,
    waits: tuple[timedelta, ...],
    *,
    chance: float,
    asked: timedelta = timedelta(),
) -> timedelta | None:
    """How long to wait after so many attempts; None when there were enough.

    ``chance`` from 0 to 1 shifts it by up to a fifth either way, so that what failed together
    is not tried again together. A receiver may have ``asked`` for more, up to the longest wait.
    """
    if attempts > len(waits):
        return None
    return max(waits[attempts - 1] * (0.8 + 0.4 * chance), min(asked, max(waits)))


def _logged(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at.isoformat(timespec="milliseconds"),
        "milliseconds": attempt.milliseconds,
        "status_code": attempt.status_code,
        "failure": attempt.failure,
    }


async def _enabled(ctx: Context, webhook_id: UUID) -> WebhookRecord:
    """The webhook, held until commit."""
    webhook = await WebhookRepository(ctx.connection, ctx.clinic_id).get(webhook_id, hold=True)
    if not webhook.enabled:
        raise WebhookDisabled("the webhook is disabled")
    return webhook


def _deliveries(ctx: Context, webhook_id: UUID) -> DeliveryRepository:
    return DeliveryRepository(ctx.connection, ctx.clinic_id, webhook_id)
