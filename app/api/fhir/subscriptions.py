"""Webhooks over FHIR: https://hl7.org/fhir/R4/subscription.html, channel ``rest-hook``"""

from app.api.etags import revision_in
from app.api.fhir.interactions import Answer, Ask, Face, Found, Resource
from app.api.fhir.queries import Parameter, Query
from app.api.fhir.reading import own_id
from app.api.fhir.writing import native, outcome_of_change, refuse, resource_in
from app.api.refusals import ResourceRefused
from app.api.webhooks import WebhookChangeIn, WebhookIn
from app.domain.errors import Fault
from app.integrations.addresses import UrlRefused, check_url
from app.integrations.fhir.patient_reading import left_out
from app.integrations.fhir.subscriptions import READ, native_webhook, subscription
from app.services import webhooks
from app.services.webhooks import MAX_WEBHOOKS, WebhookNotFound, WebhookRecord

_STATUS = "http://hl7.org/fhir/subscription-status"


async def _read(ask: Ask) -> Resource:
    return _shown(await _webhook(ask))


async def _vread(ask: Ask) -> Resource:
    """The same at one revision; earlier ones are not kept."""
    found = await _read(ask)
    if found["meta"]["versionId"] != ask.version:
        raise WebhookNotFound("that revision is not kept")
    return found


async def _search(ask: Ask, query: Query) -> Found:
    """All of them are looked through: a clinic has few."""
    listed = await webhooks.list_webhooks(ask.ctx, after=None, limit=MAX_WEBHOOKS)
    found = [one for webhook in listed.items if (one := subscription(webhook)) is not None]
    fitting = [one for one in found if _fits(query, one)]
    begin = 0
    if query.after is not None:
        places = [place for place, one in enumerate(fitting) if one["id"] == query.after[0]]
        begin = places[0] + 1 if places else len(fitting)
    shown = tuple(fitting[begin : begin + query.count])
    more = len(fitting) > begin + query.count and shown
    return Found(
        items=shown,
        next=(shown[-1]["id"],) if more else None,
        total=len(fitting) if query.total else None,
    )


def _fits(query: Query, one: Resource) -> bool:
    wanted = {
        "_id": (query.codes("_id"), one["id"]),
        "status": (query.codes("status", _STATUS), one["status"]),
        "url": (query.any_of("url"), one["channel"]["endpoint"]),
        "criteria": (query.words("criteria"), one["criteria"]),
    }
    return query.is_updated(one) and all(
        values is None or value in values for values, value in wanted.values()
    )


async def _create(ask: Ask) -> Answer:
    """Send events from now on."""
    resource, body = await _sent(ask)
    new = native(WebhookIn, {k: v for k, v in body.items() if k != "enabled"}, "Subscription")
    made = await webhooks.create_webhook(ask.ctx, new.to_domain())
    if not body["enabled"]:
        made = await webhooks.change_webhook(ask.ctx, made.id, {"enabled": False}, revision=1)
    return Answer(
        resource=_shown(made),
        status=201,
        location=f"Subscription/{made.id}/_history/{made.revision}",
        outcome=outcome_of_change(None, left_out(resource, READ)),
    )


async def _update(ask: Ask) -> Answer:
    """Change, stop or go on."""
    revision = revision_in(ask.headers.get("if-match"))
    known = await _webhook(ask)
    resource, body = await _sent(ask)
    wanted = native(WebhookChangeIn, body, "Subscription").to_domain()
    saved = await webhooks.change_webhook(ask.ctx, known.id, wanted, revision=revision)
    outcome = outcome_of_change(None, left_out(resource, READ))
    return Answer(resource=_shown(saved), outcome=outcome)


async def _delete(ask: Ask) -> Answer:
    """Send nothing more, and forget it."""
    await webhooks.delete_webhook(ask.ctx, (await _webhook(ask)).id)
    return Answer(resource=None, status=204)


async def _sent(ask: Ask) -> tuple[Resource, Resource]:
    """The subscription that is sent, and the native body. Raises ResourceRefused."""
    resource = await resource_in(ask, "Subscription")
    body, faults = native_webhook(resource)
    refuse(faults)
    try:
        check_url(body["url"], loopback=ask.loopback)
    except UrlRefused as error:
        fault = Fault("Subscription.channel.endpoint", "value", str(error))
        raise ResourceRefused((fault,)) from error
    return resource, body


async def _webhook(ask: Ask) -> WebhookRecord:
    missing = WebhookNotFound("no such subscription")
    found = await webhooks.get_webhook(ask.ctx, own_id(ask.id, missing))
    if subscription(found) is None:
        raise missing
    return found


def _shown(webhook: WebhookRecord) -> Resource:
    found = subscription(webhook)
    assert found is not None  # noqa: S101 - it was one when it was read or sent
    return found


FACE = Face(
    type="Subscription",
    text="A webhook that is sent what concerns one type of resource; messages are signed events.",
    mandatory=frozenset({"status", "reason", "criteria", "channel"}),
    summary=frozenset({"status", "reason", "criteria", "error", "channel"}),
    parameters=(
        Parameter(
            "status", "token", "`active`, `off` or `error`.", codes=("active", "off", "error")
        ),
        Parameter("url", "uri", "Where messages are sent to."),
        Parameter("criteria", "string", "The type of resource."),
    ),
    read=_read,
    vread=_vread,
    search=_search,
    create=_create,
    update=_update,
    delete=_delete,
)
