"""What was and will be sent to a webhook: the log, the test button, replays."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from app.api.deps import ContextDep, ReadContextDep
from app.api.events import LARGEST_NUMBER
from app.api.fields import In, Instant, Out, Whole, YesNo
from app.api.paging import PageDep
from app.api.problems import problems
from app.api.routing import Route
from app.integrations.addresses import Failure
from app.services import deliveries
from app.services.deliveries import (
    DeliveryNotFound,
    DeliveryRecord,
    DeliveryStatus,
    WebhookDisabled,
)
from app.services.events import EventType
from app.services.webhooks import WebhookNotFound

router = APIRouter(prefix="/v1/webhooks/{webhook_id}", tags=["webhooks"], route_class=Route)

_EXAMPLE: dict[str, Any] = {
    "event_number": 4711,
    "event_id": "01920000-0000-7000-8000-000000000900",
    "type": "step_moved",
    "status": "waiting",
    "attempts": 1,
    "next_at": "2027-02-05T16:00:06Z",
    "queued_at": "2027-02-05T16:00:00Z",
    "finished_at": None,
    "log": [
        {
            "at": "2027-02-05T16:00:01Z",
            "milliseconds": 84,
            "status_code": 503,
            "failure": None,
        }
    ],
}

EventNumber = Annotated[
    int, Path(ge=1, le=LARGEST_NUMBER, description="The number of the event in the log.")
]


class ReplayIn(In):
    """What shall be sent again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"after": 4700, "dead_only": False}]})

    after: Whole = Field(
        ge=0, le=LARGEST_NUMBER, description="Events that follow this number are sent again."
    )
    dead_only: YesNo = Field(
        default=False, description="Only what was given up; else also what arrived."
    )


class AttemptOut(Out):
    """One attempt at a delivery."""

    at: Instant = Field(description="When it began.")
    milliseconds: int = Field(description="How long it took.")
    status_code: int | None = Field(description="What was answered; 2xx means it arrived.")
    failure: Failure | None = Field(description="Why there was no answer.")


class DeliveryOut(Out):
    """The sending of one event to one webhook."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    event_number: int = Field(description="The number of the event in the log.")
    event_id: UUID = Field(description="The event's id, sent as `webhook-id` in every attempt.")
    type: EventType = Field(description="What happened.")
    status: DeliveryStatus = Field(
        description="`waiting` to be tried, perhaps again; `delivered`; or `dead`, given up."
    )
    attempts: int = Field(description="How often it was tried since it was queued or replayed.")
    next_at: Instant | None = Field(
        description="When it may be tried next; null behind what is before it in its plan."
    )
    queued_at: Instant = Field(description="When it was queued first.")
    finished_at: Instant | None = Field(description="When it arrived or was given up.")
    log: list[AttemptOut] = Field(description="The latest attempts, at most 20.", max_length=20)

    @classmethod
    def from_domain(cls, delivery: DeliveryRecord) -> "DeliveryOut":
        """The delivery as clients see it."""
        return cls(
            event_number=delivery.event_number,
            event_id=delivery.event_id,
            type=EventType(delivery.event_type),
            status=DeliveryStatus(delivery.status),
            attempts=delivery.attempts,
            next_at=delivery.next_at,
            queued_at=delivery.queued_at,
            finished_at=delivery.finished_at,
            log=[AttemptOut(**attempt) for attempt in delivery.log],
        )


class DeliveriesOut(Out):
    """A page of deliveries."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next": None}]})

    items: list[DeliveryOut] = Field(description="The deliveries, the latest event first.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class ReplayOut(Out):
    """What is sent again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"queued": 11}]})

    queued: int = Field(description="How many deliveries.")


@router.get("/deliveries", operation_id="list_deliveries", responses=problems(WebhookNotFound))
async def list_deliveries(
    webhook_id: UUID,
    page: PageDep,
    ctx: ReadContextDep,
    status: Annotated[
        DeliveryStatus | None, Query(description="Only these; `dead` are the dead letters.")
    ] = None,
) -> DeliveriesOut:
    """List what was and will be sent to a webhook."""
    before = None if page.after is None else int(page.after[0])
    found = await deliveries.list_deliveries(
        ctx, webhook_id, status=status, before=before, limit=page.limit
    )
    items = [DeliveryOut.from_domain(delivery) for delivery in found.items]
    return DeliveriesOut(items=items, next=page.next(found.next))


@router.get(
    "/deliveries/{event_number}",
    operation_id="get_delivery",
    responses=problems(DeliveryNotFound),
)
async def get_delivery(
    webhook_id: UUID, event_number: EventNumber, ctx: ReadContextDep
) -> DeliveryOut:
    """Read what became of one event's sending."""
    return DeliveryOut.from_domain(await deliveries.get_delivery(ctx, webhook_id, event_number))


@router.post(
    "/deliveries/{event_number}/replay",
    operation_id="replay_delivery",
    status_code=202,
    responses=problems(WebhookNotFound, DeliveryNotFound, WebhookDisabled),
)
async def replay_delivery(
    webhook_id: UUID, event_number: EventNumber, ctx: ContextDep
) -> DeliveryOut:
    """Send one event again, or at once where it waits; its id stays."""
    return DeliveryOut.from_domain(await deliveries.replay_delivery(ctx, webhook_id, event_number))


@router.post(
    "/replay",
    operation_id="replay_deliveries",
    status_code=202,
    responses=problems(WebhookNotFound, WebhookDisabled),
)
async def replay_deliveries(webhook_id: UUID, body: ReplayIn, ctx: ContextDep) -> ReplayOut:
    """Send again all that follows a number of the log, or what of it was given up.

    What the webhook wants by now is sent, also of the time before it was added.
    """
    queued = await deliveries.replay_deliveries(
        ctx, webhook_id, after=body.after, dead_only=body.dead_only
    )
    return ReplayOut(queued=queued)


@router.post(
    "/test",
    operation_id="test_webhook",
    status_code=202,
    responses=problems(WebhookNotFound, WebhookDisabled),
)
async def test_webhook(webhook_id: UUID, ctx: ContextDep) -> DeliveryOut:
    """Send a webhook an event of type `webhook_tested`, whatever types it wants.

    The answer's delivery says what became of it as soon as it was tried.
    """
    return DeliveryOut.from_domain(await deliveries.test_webhook(ctx, webhook_id))
