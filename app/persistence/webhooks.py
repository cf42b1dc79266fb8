"""Webhooks: where events are sent to, how they are signed, how far the log was queued for them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError
from app.persistence.records import columns_of, read_record, values_of
from app.persistence.tables import DeliveryRow, EventCounterRow, JsonList, WebhookRow


class WebhookNotFound(DomainError):
    """There is no such webhook in this clinic."""


class WebhookChangedMeanwhile(DomainError):
    """The webhook was changed by somebody else after it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRecord:
    """Where events are sent to; ``event_types`` None means every type.

    The secret that signs is derived from ``salt``; until ``former_until`` the one derived from
    ``former_salt`` signs too.
    """

    id: UUID
    url: str
    title: str | None
    event_types: JsonList | None
    enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    queued_until: int
    salt: bytes
    former_salt: bytes | None
    former_until: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime


_WEBHOOK = columns_of(WebhookRow, WebhookRecord)
# What the worker notes while clients may be changing the rest.
_WORKERS_OWN = frozenset({"id", "revision", "created_at", "queued_until"})


class WebhookRepository:
    """The webhooks of one clinic.

    Whoever holds a webhook takes its deliveries after it, and the numbers of events last of all:
    in one order nobody locks up with anybody.
    """

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(self, webhook: WebhookRecord) -> None:
        """Store a new webhook."""
        await self._connection.execute(
            insert(WebhookRow).values(clinic_id=self._clinic_id, **values_of(webhook))
        )

    async def get(self, webhook_id: UUID, *, hold: bool = False) -> WebhookRecord:
        """One webhook, perhaps held until commit. Raises WebhookNotFound."""
        wanted = select(*_WEBHOOK).where(
            WebhookRow.clinic_id == self._clinic_id, WebhookRow.id == webhook_id
        )
        rows = await self._connection.execute(
            wanted.with_for_update(key_share=True) if hold else wanted
        )
        row = rows.one_or_none()
        if row is None:
            raise WebhookNotFound("no such webhook")
        return read_record(WebhookRecord, row)

    async def page(self, *, after: UUID | None, limit: int) -> tuple[WebhookRecord, ...]:
        """Webhooks in the order of their ids, which is that of their making."""
        rows = await self._connection.execute(
            select(*_WEBHOOK)
            .where(WebhookRow.clinic_id == self._clinic_id, WebhookRow.id > (after or UUID(int=0)))
            .order_by(WebhookRow.id)
            .limit(limit)
        )
        return tuple(read_record(WebhookRecord, row) for row in rows)

    async def save(self, webhook: WebhookRecord, *, revision: int) -> WebhookRecord:
        """Replace the webhook that was read at ``revision``; gives it with its new revision.

        Raises WebhookChangedMeanwhile.
        """
        done = await self._connection.execute(
            update(WebhookRow)
            .where(
                WebhookRow.clinic_id == self._clinic_id,
                WebhookRow.id == webhook.id,
                WebhookRow.revision == revision,
            )
            .values(revision=revision + 1, **values_of(webhook, without=_WORKERS_OWN))
        )
        if done.rowcount == 0:
            raise WebhookChangedMeanwhile("the webhook was changed meanwhile")
        return await self.get(webhook.id)

    async def remove(self, webhook_id: UUID) -> None:
        """Forget a webhook and its deliveries. Raises WebhookNotFound."""
        await self.get(webhook_id, hold=True)
        await self._connection.execute(
            delete(DeliveryRow).where(
                DeliveryRow.clinic_id == self._clinic_id, DeliveryRow.webhook_id == webhook_id
            )
        )
        await self._connection.execute(
            delete(WebhookRow).where(
                WebhookRow.clinic_id == self._clinic_id, WebhookRow.id == webhook_id
            )
        )

    async def last_number(self) -> int:
        """The number of the clinic's last event; those that come later have a larger one."""
        found = await self._connection.scalar(
            select(EventCounterRow.last_number).where(EventCounterRow.clinic_id == self._clinic_id)
        )
        return found or 0

    async def note_success(self, webhook_id: UUID) -> None:
        """The webhook works."""
        await self._connection.execute(
            update(WebhookRow)
            .where(
                WebhookRow.clinic_id == self._clinic_id,
                WebhookRow.id == webhook_id,
                WebhookRow.failing_since.is_not(None),
            )
            .values(failing_since=None)
        )

    async def note_failure(self, webhook_id: UUID, *, now: datetime) -> None:
        """The webhook does not work, if it did until now."""
        await self._connection.execute(
            update(WebhookRow)
            .where(
                WebhookRow.clinic_id == self._clinic_id,
                WebhookRow.id == webhook_id,
                WebhookRow.failing_since.is_(None),
            )
            .values(failing_since=now)
        )

    async def disable(
        self, webhook_id: UUID, because: str, *, failing_before: datetime | None, now: datetime
    ) -> bool:
        """Send nothing more to a webhook; false if it is not enabled, or not failing so long."""
        which = [] if failing_before is None else [WebhookRow.failing_since < failing_before]
        done = await self._connection.execute(
            update(WebhookRow)
            .where(
                WebhookRow.clinic_id == self._clinic_id,
                WebhookRow.id == webhook_id,
                WebhookRow.enabled,
                *which,
            )
            .values(
                enabled=False,
                disabled_because=because,
                revision=WebhookRow.revision + 1,
                updated_at=now,
            )
        )
        return done.rowcount > 0


async def webhooks_behind(connection: AsyncConnection) -> tuple[tuple[UUID, UUID], ...]:
    """Enabled webhooks of every clinic whose log has more: clinic and webhook. For the worker."""
    of_clinic = EventCounterRow.clinic_id == WebhookRow.clinic_id
    rows = await connection.execute(
        select(WebhookRow.clinic_id, WebhookRow.id)
        .join_from(WebhookRow, EventCounterRow, of_clinic)
        .where(WebhookRow.enabled, WebhookRow.queued_until < EventCounterRow.last_number)
        .order_by(WebhookRow.clinic_id, WebhookRow.id)
    )
    return tuple((clinic_id, webhook_id) for clinic_id, webhook_id in rows)
