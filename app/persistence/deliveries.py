"""Deliveries: which event is to be sent to which webhook, claimed so that nobody sends it twice."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from app.domain.errors import DomainError
from app.persistence.events import EventRecord
from app.persistence.records import columns_of
from app.persistence.tables import (
    DeliveryRow,
    EventCounterRow,
    EventRow,
    JsonList,
    WebhookRow,
)
from app.persistence.upserts import upsert

# An event of this type concerns one webhook only, which is told of it whatever else it wants.
TEST = "webhook_tested"


_AGAIN = {"status": "waiting", "attempts": 0, "next_at": None, "finished_at": None}


class DeliveryNotFound(DomainError):
    """The webhook has no delivery of this event."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """The sending of an event to a webhook."""

    event_number: int
    event_id: UUID
    event_type: str
    status: str
    attempts: int
    next_at: datetime | None
    log: JsonList
    queued_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that only the claimant sends until ``until``; ``attempts`` counts this one."""

    event: EventRecord
    subject_id: UUID
    attempts: int
    log: JsonList
    until: datetime


_EVENT = columns_of(EventRow, EventRecord)
_DELIVERY = (
    DeliveryRow.event_number,
    EventRow.id,
    EventRow.type,
    DeliveryRow.status,
    DeliveryRow.attempts,
    DeliveryRow.next_at,
    DeliveryRow.log,
    DeliveryRow.queued_at,
    DeliveryRow.finished_at,
)
_OF_EVENT = and_(
    EventRow.clinic_id == DeliveryRow.clinic_id, EventRow.number == DeliveryRow.event_number
)


class DeliveryRepository:
    """The deliveries of one webhook of one clinic.

    Of those that wait only the first of each subject has a time at which it may be tried; the
    next gets one when it is done. So to find what may be tried costs the same however much waits.
    Whoever queues or finishes holds the webhook, or what comes next might be overlooked.
    """

    def __init__(self, connection: AsyncConnection, clinic_id: UUID, webhook_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id
        self._webhook_id = webhook_id

    async def page(
        self, *, status: str | None, before: int | None, limit: int
    ) -> tuple[DeliveryRecord, ...]:
        """Deliveries by the numbers of their events, the latest first."""
        which = [] if status is None else [DeliveryRow.status == status]
        if before is not None:
            which.append(DeliveryRow.event_number < before)
        rows = await self._connection.execute(
            select(*_DELIVERY)
            .join_from(DeliveryRow, EventRow, _OF_EVENT)
            .where(*self._own(), *which)
            .order_by(DeliveryRow.event_number.desc())
            .limit(limit)
        )
        return tuple(DeliveryRecord(*row) for row in rows)

    async def get(self, number: int) -> DeliveryRecord:
        """One delivery. Raises DeliveryNotFound."""
        rows = await self._connection.execute(
            select(*_DELIVERY)
            .join_from(DeliveryRow, EventRow, _OF_EVENT)
            .where(*self._own(), DeliveryRow.event_number == number)
        )
        row = rows.one_or_none()
        if row is None:
            raise DeliveryNotFound("no such delivery")
        return DeliveryRecord(*row)

    async def queue_new(self, *, now: datetime, limit: int) -> bool:
        """Queue what happened since the last look, of at most ``limit`` numbers.

        False when there was nothing, or another worker is at it.
        """
        rows = await self._connection.execute(
            select(WebhookRow.queued_until, WebhookRow.event_types, EventCounterRow.last_number)
            .join_from(
                WebhookRow, EventCounterRow, EventCounterRow.clinic_id == WebhookRow.clinic_id
            )
            .where(WebhookRow.clinic_id == self._clinic_id, WebhookRow.id == self._webhook_id)
            .with_for_update(of=WebhookRow, skip_locked=True, key_share=True)
        )
        row = rows.one_or_none()
        if row is None or row.queued_until >= row.last_number:
            return False
        until = min(row.last_number, row.queued_until + limit)
        await self.queue(row.event_types, after=row.queued_until, until=until, now=now)
        await self._connection.execute(
            update(WebhookRow)
            .where(WebhookRow.clinic_id == self._clinic_id, WebhookRow.id == self._webhook_id)
            .values(queued_until=until)
        )
        return True

    async def queue(
        self, types: Collection[str] | None, *, after: int, until: int, now: datetime
    ) -> int:
        """Queue events of these numbers, also those that were sent before; gives how many."""
        wanted = [
            EventRow.clinic_id == self._clinic_id,
            EventRow.number > after,
            EventRow.number <= until,
            EventRow.type != TEST,
        ]
        if types is not None:
            wanted.append(EventRow.type.in_(types))
        return await self._queue(wanted, after=after, now=now)

    async def queue_one(self, number: int, *, now: datetime) -> None:
        """Queue one event, whether it was sent before or not."""
        which = [EventRow.clinic_id == self._clinic_id, EventRow.number == number]
        await self._queue(which, after=number - 1, now=now)

    async def queue_dead(self, *, after: int, now: datetime) -> int:
        """Queue again what was given up; gives how many deliveries."""
        done = await self._connection.execute(
            update(DeliveryRow)
            .where(*self._own(), DeliveryRow.status == "dead", DeliveryRow.event_number > after)
            .values(**_AGAIN)
        )
        await self._line_up(after=after, now=now)
        return done.rowcount

    async def hurry(self, *, now: datetime) -> None:
        """Try at once what waits."""
        await self._connection.execute(
            update(DeliveryRow)
            .where(*self._own(), DeliveryRow.next_at.is_not(None))
            .values(attempts=0, next_at=now)
        )

    async def claim(
        self, *, now: datetime, until: datetime, limit: int
    ) -> tuple[ClaimedDelivery, ...]:
        """Take deliveries that may be tried now, and keep others from them for a while.

        A delivery keeps waiting while it is tried, so that what follows it waits too; who dies
        while trying is replaced after ``until``.
        """
        due = (
            select(DeliveryRow.event_number)
            .where(*self._own(), DeliveryRow.next_at <= now)
            .order_by(DeliveryRow.next_at, DeliveryRow.event_number)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        rows = await self._connection.execute(
            update(DeliveryRow)
            .where(*self._own(), DeliveryRow.event_number.in_(select(due.c.event_number)))
            .values(next_at=until, attempts=DeliveryRow.attempts + 1)
            .returning(
                DeliveryRow.event_number,
                DeliveryRow.subject_id,
                DeliveryRow.attempts,
                DeliveryRow.log,
            )
        )
        taken = {row.event_number: row for row in rows}
        if not taken:
            return ()
        events = await self._connection.execute(
            select(*_EVENT)
            .where(EventRow.clinic_id == self._clinic_id, EventRow.number.in_(taken))
            .order_by(EventRow.number)
        )
        return tuple(
            ClaimedDelivery(event, claim.subject_id, claim.attempts, claim.log, until)
            for event in (EventRecord(*row) for row in events)
            for claim in (taken[event.number],)
        )

    async def forget_delivered(self, *, before: datetime, limit: int) -> None:
        """Delete, of the oldest deliveries that were made, those made before a moment."""
        oldest = (
            select(DeliveryRow.event_number)
            .where(*self._own(), DeliveryRow.status == "delivered")
            .order_by(DeliveryRow.event_number)
            .limit(limit)
        )
        await self._connection.execute(
            delete(DeliveryRow).where(
                *self._own(),
                DeliveryRow.event_number.in_(oldest.scalar_subquery()),
                DeliveryRow.status == "delivered",
                DeliveryRow.finished_at < before,
            )
        )

    async def put_off(self, claimed: ClaimedDelivery, *, log: JsonList, until: datetime) -> None:
        """Try again later, unless somebody else took the delivery over."""
        await self._note(claimed, log=log, next_at=until)

    async def finish(
        self, claimed: ClaimedDelivery, status: str, *, log: JsonList, now: datetime
    ) -> None:
        """Be done with a delivery, and let the next of its subject go, unless taken over."""
        ended = {"status": status, "next_at": None, "finished_at": now}
        if await self._note(claimed, log=log, **ended):
            following = select(func.min(DeliveryRow.event_number)).where(
                *self._own(),
                DeliveryRow.subject_id == claimed.subject_id,
                DeliveryRow.status == "waiting",
            )
            await self._connection.execute(
                update(DeliveryRow)
                .where(*self._own(), DeliveryRow.event_number == following.scalar_subquery())
                .values(next_at=now)
            )

    async def _note(self, claimed: ClaimedDelivery, **values: Any) -> bool:
        done = await self._connection.execute(
            update(DeliveryRow)
            .where(
                *self._own(),
                DeliveryRow.event_number == claimed.event.number,
                DeliveryRow.status == "waiting",
                DeliveryRow.next_at == claimed.until,
            )
            .values(**values)
        )
        return done.rowcount > 0

    def _own(self) -> tuple[ColumnElement[bool], ...]:
        return (
            DeliveryRow.clinic_id == self._clinic_id,
            DeliveryRow.webhook_id == self._webhook_id,
        )

    async def _queue(self, wanted: list[ColumnElement[bool]], *, after: int, now: datetime) -> int:
        columns = {
            "clinic_id": EventRow.clinic_id,
            "webhook_id": literal(self._webhook_id, DeliveryRow.webhook_id.type),
            "event_number": EventRow.number,
            "subject_id": func.coalesce(EventRow.plan_id, EventRow.patient_id, EventRow.id),
            "status": literal("waiting"),
            "attempts": literal(0),
            "log": literal([], DeliveryRow.log.type),
            "queued_at": literal(now, DeliveryRow.queued_at.type),
        }
        new = upsert(self._connection.dialect.name, DeliveryRow).from_select(
            [*columns], select(*columns.values()).where(*wanted)
        )
        done = await self._connection.execute(
            new.on_conflict_do_update(
                index_elements=["clinic_id", "webhook_id", "event_number"], set_=_AGAIN
            )
        )
        await self._line_up(after=after, now=now)
        return done.rowcount

    async def _line_up(self, *, after: int, now: datetime) -> None:
        """Let the first of each subject be tried, and nothing behind it, from a number on."""
        earlier = aliased(DeliveryRow)
        is_behind = exists().where(
            earlier.clinic_id == DeliveryRow.clinic_id,
            earlier.webhook_id == DeliveryRow.webhook_id,
            earlier.subject_id == DeliveryRow.subject_id,
            earlier.status == "waiting",
            earlier.event_number < DeliveryRow.event_number,
        )
        waiting = (*self._own(), DeliveryRow.event_number > after, DeliveryRow.status == "waiting")
        await self._connection.execute(
            update(DeliveryRow)
            .where(*waiting, DeliveryRow.next_at.is_not(None), is_behind)
            .values(next_at=None)
        )
        await self._connection.execute(
            update(DeliveryRow)
            .where(*waiting, DeliveryRow.next_at.is_(None), ~is_behind)
            .values(next_at=now)
        )


async def webhooks_with_due(
    connection: AsyncConnection, now: datetime
) -> tuple[tuple[UUID, UUID], ...]:
    """Enabled webhooks of every clinic to which something may be sent now. For the worker."""
    rows = await connection.execute(
        select(WebhookRow.clinic_id, WebhookRow.id)
        .where(
            WebhookRow.enabled,
            exists().where(
                DeliveryRow.clinic_id == WebhookRow.clinic_id,
                DeliveryRow.webhook_id == WebhookRow.id,
                DeliveryRow.next_at <= now,
            ),
        )
        .order_by(WebhookRow.clinic_id, WebhookRow.id)
    )
    return tuple((clinic_id, webhook_id) for clinic_id, webhook_id in rows)
