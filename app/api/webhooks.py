"""Webhooks: where events are sent to, which ones, and how their secrets are had."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict, Field

from app.api.deps import ContextDep, IfMatchDep, ReadContextDep
from app.api.etags import created, etag
from app.api.fields import In, Instant, Line, Out, Whole, YesNo, absent
from app.api.paging import PageDep, uuid_of
from app.api.problems import problems
from app.api.routing import UNCHANGED, Route
from app.integrations.addresses import MAX_URL, UrlRefused, check_url
from app.integrations.webhooks import derived_secret, shown
from app.services import webhooks
from app.services.events import EventType
from app.services.webhooks import (
    DisabledBecause,
    NewWebhook,
    TooManyWebhooks,
    WebhookChange,
    WebhookChangedMeanwhile,
    WebhookNotFound,
    WebhookRecord,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Route)

_EXAMPLE: dict[str, Any] = {
    "url": "https://ehr.example.org/hooks/regimen",
    "title": "Our EHR",
    "event_types": ["plan_created", "plan_changed", "step_moved"],
}
_OUT_EXAMPLE: dict[str, Any] = {
    "id": "01920000-0000-7000-8000-000000000300",
    "revision": 1,
    **_EXAMPLE,
    "enabled": True,
    "disabled_because": None,
    "failing_since": None,
    "queued_until": 4711,
    "created_at": "2027-01-04T16:00:00Z",
    "updated_at": "2027-01-04T16:00:00Z",
}

Url = Annotated[str, Field(min_length=1, max_length=MAX_URL, pattern="^https?://[!-~]+$")]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(EventType))]


@dataclass(frozen=True, slots=True)
class Sending:
    """How this service signs, and whether it may send to its own machine."""

    key: bytes
    loopback: bool

    def check(self, url: str | None) -> None:
        """Refuse a URL that would never be called. Raises UrlRefused."""
        if url is not None:
            check_url(url, loopback=self.loopback)


async def read_sending(request: Request) -> Sending:
    """What the service's settings say of sending."""
    settings = request.app.state.settings
    return Sending(settings.secret.encode(), settings.webhook_loopback)


SendingDep = Annotated[Sending, Depends(read_sending)]


class WebhookIn(In):
    """Where events shall be sent to."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    url: Url = Field(description="Where to: `https`, a public host, no user name or password.")
    title: Line | None = Field(default=None, description="What people call the receiver.")
    event_types: EventTypes | None = Field(
        default=None, description="Only these types; null or absent for all, later ones too."
    )

    def to_domain(self) -> NewWebhook:
        """What the use-case takes."""
        return NewWebhook(url=self.url, title=self.title, event_types=self.event_types)


class WebhookChangeIn(In):
    """What shall be different about a webhook; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}]})

    url: Url = absent("Where to: `https`, a public host, no user name or password.")
    title: Line | None = absent("What people call the receiver; null clears it.")
    event_types: EventTypes | None = absent("Only these types; null for all, later ones too.")
    enabled: YesNo = absent("Whether anything is sent. What happens meanwhile is sent later.")

    def to_domain(self) -> WebhookChange:
        """What the use-case takes."""
        return cast("WebhookChange", {name: getattr(self, name) for name in self.model_fields_set})


class RotationIn(In):
    """How a secret shall be replaced."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"former_valid_hours": 24}]})

    former_valid_hours: Whole = Field(
        default=24,
        ge=0,
        le=168,
        description="How long messages are signed by the former secret too.",
    )


class WebhookOut(Out):
    """Where events are sent to."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT_EXAMPLE]})

    id: UUID = Field(description="Its id.")
    revision: int = Field(description="How often it was stored; changes need it in `If-Match`.")
    url: str = Field(description="Where to.")
    title: str | None = Field(description="What people call the receiver.")
    event_types: list[EventType] | None = Field(description="Only these types; null for all.")
    enabled: bool = Field(description="Whether anything is sent.")
    disabled_because: DisabledBecause | None = Field(
        description="Why nothing is sent: `by_hand`; `failing`, nothing arrived for three days; "
        "`gone`, the receiver answered 410."
    )
    failing_since: Instant | None = Field(description="The first failure after the last success.")
    queued_until: int = Field(description="The number of the last event that was looked at.")
    created_at: Instant = Field(description="When it was added.")
    updated_at: Instant = Field(description="When it was last changed.")

    @classmethod
    def from_domain(cls, webhook: WebhookRecord) -> "WebhookOut":
        """The webhook as clients see it."""
        types, because = webhook.event_types, webhook.disabled_because
        return cls(
            id=webhook.id,
            revision=webhook.revision,
            url=webhook.url,
            title=webhook.title,
            event_types=None if types is None else [EventType(type_) for type_ in types],
            enabled=webhook.enabled,
            disabled_because=None if because is None else DisabledBecause(because),
            failing_since=webhook.failing_since,
            queued_until=webhook.queued_until,
            created_at=webhook.created_at,
            updated_at=webhook.updated_at,
        )


class WebhooksOut(Out):
    """A page of webhooks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_OUT_EXAMPLE], "next": None}]}
    )

    items: list[WebhookOut] = Field(description="The webhooks, in the order they were added.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class WebhookSecretOut(Out):
    """What a webhook's messages are signed with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "former_until": None}]
        }
    )

    secret: str = Field(description="The secret, as libraries of Standard Webhooks take it.")
    former_until: Instant | None = Field(
        description="Until when messages are signed by the former secret too; null: they are not."
    )


@router.get("", operation_id="list_webhooks")
async def list_webhooks(page: PageDep, ctx: ReadContextDep) -> WebhooksOut:
    """List the clinic's webhooks."""
    found = await webhooks.list_webhooks(ctx, after=uuid_of(page.after), limit=page.limit)
    items = [WebhookOut.from_domain(webhook) for webhook in found.items]
    return WebhooksOut(items=items, next=page.next(found.next))


@router.post(
    "",
    operation_id="create_webhook",
    status_code=201,
    responses=problems(UrlRefused, TooManyWebhooks),
)
async def create_webhook(
    body: WebhookIn, sending: SendingDep, ctx: ContextDep, response: Response
) -> WebhookOut:
    """Have events sent to an address.

    What happens from now on is sent, at least once each, in order within a plan, signed as
    Standard Webhooks has it. The secret is read from `…/secret`.
    """
    sending.check(body.url)
    webhook = await webhooks.create_webhook(ctx, body.to_domain())
    created(response, f"/v1/webhooks/{webhook.id}", etag(webhook.revision))
    return WebhookOut.from_domain(webhook)


@router.get(
    "/{webhook_id}",
    operation_id="get_webhook",
    responses=problems(WebhookNotFound) | UNCHANGED,
)
async def get_webhook(webhook_id: UUID, ctx: ReadContextDep, response: Response) -> WebhookOut:
    """Read one webhook."""
    webhook = await webhooks.get_webhook(ctx, webhook_id)
    response.headers["etag"] = etag(webhook.revision)
    return WebhookOut.from_domain(webhook)


@router.patch(
    "/{webhook_id}",
    operation_id="change_webhook",
    responses=problems(WebhookNotFound, WebhookChangedMeanwhile, UrlRefused),
)
async def change_webhook(  # noqa: PLR0917 - the framework passes them by name
    webhook_id: UUID,
    body: WebhookChangeIn,
    revision: IfMatchDep,
    sending: SendingDep,
    ctx: ContextDep,
    response: Response,
) -> WebhookOut:
    """Change, disable or enable a webhook.

    Enabled again, it goes on where it stopped: what happened meanwhile is sent, nothing is missed.
    """
    change = body.to_domain()
    sending.check(change.get("url"))
    webhook = await webhooks.change_webhook(ctx, webhook_id, change, revision=revision)
    response.headers["etag"] = etag(webhook.revision)
    return WebhookOut.from_domain(webhook)


@router.delete(
    "/{webhook_id}",
    operation_id="delete_webhook",
    status_code=204,
    responses=problems(WebhookNotFound),
)
async def delete_webhook(webhook_id: UUID, ctx: ContextDep) -> None:
    """Send nothing more to an address, and forget what was sent."""
    await webhooks.delete_webhook(ctx, webhook_id)


@router.get(
    "/{webhook_id}/secret",
    operation_id="read_webhook_secret",
    responses=problems(WebhookNotFound),
)
async def read_webhook_secret(
    webhook_id: UUID, sending: SendingDep, ctx: ReadContextDep
) -> WebhookSecretOut:
    """Read the secret with which a webhook's messages are signed."""
    return _secret(sending, await webhooks.get_webhook(ctx, webhook_id))


@router.post(
    "/{webhook_id}/secret/rotate",
    operation_id="rotate_webhook_secret",
    responses=problems(WebhookNotFound),
)
async def rotate_webhook_secret(
    webhook_id: UUID, body: RotationIn, ctx: ContextDep, response: Response
) -> WebhookOut:
    """Replace the secret of a webhook.

    For some hours messages are signed by both secrets, so that receivers change when they like.
    The new one is read from `…/secret`.
    """
    webhook = await webhooks.rotate_secret(
        ctx, webhook_id, former_valid_for=timedelta(hours=body.former_valid_hours)
    )
    response.headers["etag"] = etag(webhook.revision)
    return WebhookOut.from_domain(webhook)


def _secret(sending: Sending, webhook: WebhookRecord) -> WebhookSecretOut:
    secret = derived_secret(sending.key, webhook.id, webhook.salt)
    return WebhookSecretOut(secret=shown(secret), former_until=webhook.former_until)
