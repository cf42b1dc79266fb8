"""Webhooks: addresses to which a clinic's events are sent, each with its own choice and secret."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TypedDict
from uuid import UUID

from app.domain.errors import DomainError
from app.persistence.deliveries import DeliveryRepository
from app.persistence.webhooks import (
    WebhookChangedMeanwhile,
    WebhookNotFound,
    WebhookRecord,
    WebhookRepository,
)
from app.services import events
from app.services.context import Context
from app.services.events import EventType
from app.services.listing import Listed, page_of

__all__ = ["WebhookChangedMeanwhile", "WebhookNotFound", "WebhookRecord"]

MAX_WEBHOOKS = 100
SALT_BYTES = 32


class TooManyWebhooks(DomainError):
    """The clinic has as many webhooks as it may have."""


class DisabledBecause(StrEnum):
    """Why nothing is sent to a webhook."""

    BY_HAND = "by_hand"
    FAILING = "failing"
    """Nothing arrived there for days."""
    GONE = "gone"
    """The receiver answered 410: it wants no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """What a webhook needs; ``event_types`` None means every type."""

    url: str
    title: str | None
    event_types: Sequence[EventType] | None


class WebhookChange(TypedDict, total=False):
    """What is to be different; what is absent stays."""

    url: str
    title: str | None
    event_types: Sequence[EventType] | None
    enabled: bool


async def create_webhook(ctx: Context, new: NewWebhook) -> WebhookRecord:
    """Add a webhook; it is sent what happens from now on. Raises TooManyWebhooks."""
    webhooks = WebhookRepository(ctx.connection, ctx.clinic_id)
    if len(await webhooks.page(after=None, limit=MAX_WEBHOOKS)) == MAX_WEBHOOKS:
        raise TooManyWebhooks(f"a clinic has at most {MAX_WEBHOOKS} webhooks")
    webhook = WebhookRecord(
        id=ctx.new_id(),
        url=new.url,
        title=new.title,
        event_types=_listed(new.event_types),
        enabled=True,
        disabled_because=None,
        failing_since=None,
        queued_until=await webhooks.last_number(),
        salt=secrets.token_bytes(SALT_BYTES),
        former_salt=None,
        former_until=None,
        revision=1,
        created_at=ctx.real_now,
        updated_at=ctx.real_now,
    )
    await webhooks.add(webhook)
    await _note(ctx, EventType.WEBHOOK_ADDED, webhook)
    return webhook


async def get_webhook(ctx: Context, webhook_id: UUID) -> WebhookRecord:
    """One webhook. Raises WebhookNotFound."""
    return await WebhookRepository(ctx.connection, ctx.clinic_id).get(webhook_id)


async def list_webhooks(ctx: Context, *, after: UUID | None, limit: int) -> Listed[WebhookRecord]:
    """The clinic's webhooks in the order in which they were added."""
    rows = await WebhookRepository(ctx.connection, ctx.clinic_id).page(after=after, limit=limit + 1)
    return page_of(rows, limit, lambda webhook: (str(webhook.id),))


async def change_webhook(
    ctx: Context, webhook_id: UUID, change: WebhookChange, *, revision: int
) -> WebhookRecord:
    """Change a webhook; enabled again, it goes on where it stopped and nothing is missing.

    Raises WebhookNotFound or WebhookChangedMeanwhile.
    """
    webhooks = WebhookRepository(ctx.connection, ctx.clinic_id)
    webhook = await webhooks.get(webhook_id, hold=True)
    saved = await webhooks.save(_changed(ctx, webhook, change), revision=revision)
    if saved.enabled and not webhook.enabled:
        deliveries = DeliveryRepository(ctx.connection, ctx.clinic_id, webhook_id)
        await deliveries.hurry(now=ctx.real_now)
    await _note(ctx, EventType.WEBHOOK_CHANGED, saved)
    return saved


async def rotate_secret(
    ctx: Context, webhook_id: UUID, *, former_valid_for: timedelta
) -> WebhookRecord:
    """Give a webhook a new secret; for a while messages are signed with the former one too.

    Raises WebhookNotFound or WebhookChangedMeanwhile.
    """
    webhooks = WebhookRepository(ctx.connection, ctx.clinic_id)
    webhook = await webhooks.get(webhook_id, hold=True)
    rotated = replace(
        webhook,
        salt=secrets.token_bytes(SALT_BYTES),
        former_salt=webhook.salt,
        former_until=ctx.real_now + former_valid_for,
        updated_at=ctx.real_now,
    )
    saved = await webhooks.save(rotated, revision=webhook.revision)
    await _note(ctx, EventType.WEBHOOK_CHANGED, saved)
    return saved


async def delete_webhook(ctx: Context, webhook_id: UUID) -> None:
    """Send nothing more to a webhook, and forget it. Raises WebhookNotFound."""
    await WebhookRepository(ctx.connection, ctx.clinic_id).remove(webhook_id)
    await events.append(ctx, EventType.WEBHOOK_REMOVED, data={"webhook_id": str(webhook_id)})


def _changed(ctx: Context, webhook: WebhookRecord, change: WebhookChange) -> WebhookRecord:
    changed = replace(
        webhook,
        url=change.get("url", webhook.url),
        title=change.get("title", webhook.title),
        event_types=_listed(change["event_types"])
        if "event_types" in change
        else webhook.event_types,
        updated_at=ctx.real_now,
    )
    enabled = change.get("enabled", webhook.enabled)
    if enabled == webhook.enabled:
        return changed
    because = None if enabled else DisabledBecause.BY_HAND.value
    return replace(changed, enabled=enabled, disabled_because=because, failing_since=None)


def _listed(types: Sequence[EventType] | None) -> list[str] | None:
    return None if types is None else sorted({type_.value for type_ in types})


async def _note(ctx: Context, type_: EventType, webhook: WebhookRecord) -> None:
    data = {"webhook_id": str(webhook.id)}
    await events.append(ctx, type_, revision=webhook.revision, data=data)
