"""A subscription is a webhook that is sent what concerns one type of resource."""

from typing import Any

import pytest

from app.integrations.fhir.subscriptions import CRITERIA
from app.services.events import EventType
from tests.api.fhir.given_fhir import R4, SENT, SUBSCRIPTION, Data, get, issue_of
from tests.api.given_plans import Desk
from tests.client import Answer
from tests.given_sender import Sender, receiver, sender
from tests.receivers import Receiver, receiving

__all__ = ["receiver", "sender"]


async def post(desk: Desk, **fields: Any) -> Answer:
    """Ask for a subscription."""
    body = {name: one for name, one in {**SUBSCRIPTION, **fields}.items() if one is not ...}
    return await desk.api.post(f"{R4}/Subscription", json=body, headers=SENT)


async def put(desk: Desk, resource: Data, tag: str | None = None) -> Answer:
    """Change one."""
    version = tag or f'W/"{resource["meta"]["versionId"]}"'
    at = f"{R4}/Subscription/{resource['id']}"
    return await desk.api.put(at, json=resource, headers={**SENT, "If-Match": version})


async def test_a_message_is_sent_when_what_is_subscribed_to_changes(
    sender: Sender, receiver: Receiver
) -> None:
    body = {**SUBSCRIPTION, "channel": {"type": "rest-hook", "endpoint": receiver.url}}
    await sender.ask("POST", f"{R4}/Subscription", json=body, headers=SENT)

    await sender.happen()
    await sender.happen(kind="breach_found")
    await sender.send()

    assert len(receiver.accepted) == 1
    assert b"step_moved" in receiver.accepted[0].body


async def test_a_subscription_says_that_its_endpoint_wants_no_more(sender: Sender) -> None:
    async with receiving(lambda _: 410) as gone:
        body = {**SUBSCRIPTION, "channel": {"type": "rest-hook", "endpoint": gone.url}}
        made = await sender.ask("POST", f"{R4}/Subscription", json=body, headers=SENT)
        await sender.happen()
        await sender.send()

    found = await sender.ask("GET", f"{R4}/Subscription/{made['id']}")
    assert (found["status"], "410" in found["error"]) == ("off", True)


async def test_a_subscription_is_a_webhook(desk: Desk) -> None:
    made = (await post(desk)).json()
    webhook = (await desk.api.get(f"/v1/webhooks/{made['id']}")).json()

    assert made["status"] == "active"
    assert webhook["url"] == SUBSCRIPTION["channel"]["endpoint"]
    assert set(webhook["event_types"]) == CRITERIA["CarePlan"]
    assert webhook["title"] == SUBSCRIPTION["reason"]


async def test_a_subscription_is_stopped_goes_on_and_is_forgotten(desk: Desk) -> None:
    made = (await post(desk)).json()
    at = f"Subscription/{made['id']}"

    stopped = await put(desk, {**made, "status": "off"})
    stale = await put(desk, {**made, "criteria": "Task"})
    other = await put(desk, {**stopped.json(), "status": "requested", "criteria": "Task"})
    forgotten = await desk.api.delete(f"{R4}/{at}")

    assert stopped.json()["status"] == "off"
    assert issue_of(stale, 412)["code"] == "conflict"
    assert (other.json()["status"], other.json()["criteria"]) == ("active", "Task")
    assert (forgotten.status_code, forgotten.content) == (204, b"")
    assert (await desk.api.get(f"{R4}/{at}")).status_code == 404
    assert (await desk.api.delete(f"{R4}/{at}")).status_code == 404


async def test_what_is_made_off_sends_nothing_until_it_is_wanted(desk: Desk) -> None:
    made = (await post(desk, status="off")).json()

    assert made["status"] == "off"
    assert (await get(desk.api, f"Subscription/{made['id']}"))["status"] == "off"


async def test_a_webhook_for_something_else_is_no_subscription(desk: Desk) -> None:
    body = {"url": "https://ehr.example.org/hooks", "event_types": ["step_moved"]}
    webhook = (await desk.api.post("/v1/webhooks", json=body)).json()

    found = await get(desk.api, "Subscription?_count=200")

    assert (await desk.api.get(f"{R4}/Subscription/{webhook['id']}")).status_code == 404
    assert webhook["id"] not in [one["resource"]["id"] for one in found.get("entry", ())]


@pytest.mark.parametrize(
    "change, expression",
    [
        ({"criteria": "CarePlan?patient=1"}, "Subscription.criteria"),
        ({"criteria": "Observation"}, "Subscription.criteria"),
        ({"status": "error"}, "Subscription.status"),
        ({"end": "2027-12-31T00:00:00Z"}, "Subscription.end"),
        (
            {"channel": {"type": "email", "endpoint": "mailto:x@example.org"}},
            "Subscription.channel.type",
        ),
        ({"channel": {"type": "rest-hook"}}, "Subscription.channel.endpoint"),
        (
            {"channel": {"type": "rest-hook", "endpoint": "http://ehr.example.org/x"}},
            "Subscription.channel.endpoint",
        ),
        (
            {"channel": {**SUBSCRIPTION["channel"], "payload": "application/fhir+json"}},
            "Subscription.channel.payload",
        ),
        (
            {"channel": {**SUBSCRIPTION["channel"], "header": ["X: y"]}},
            "Subscription.channel.header",
        ),
        ({"reason": ...}, "Subscription.reason"),
    ],
)
async def test_a_subscription_that_cannot_be_honoured_is_refused(
    desk: Desk, change: Data, expression: str
) -> None:
    issue = issue_of(await post(desk, **change), 422)

    assert issue["expression"] == [expression]


def test_what_may_be_subscribed_to_is_told_by_events_of_its_own() -> None:
    assert len(set(CRITERIA.values())) == len(CRITERIA)
    assert frozenset().union(*CRITERIA.values()) <= set(EventType)
