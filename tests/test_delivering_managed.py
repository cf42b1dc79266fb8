"""Webhooks that are tested, replayed, disabled, enabled and forgotten, at a real receiver."""

from datetime import timedelta

from standardwebhooks import Webhook

from app.services.deliveries import KEPT_FOR
from tests.given_sender import (
    HOUR,
    Sender,
    a_sender,
    fail_first,
    receiver,
    revisions,
    sender,
)
from tests.receivers import HANG, Receiver, receiving

__all__ = ["receiver", "sender"]


async def test_one_delivery_is_replayed_with_its_id(sender: Sender, receiver: Receiver) -> None:
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen(2)
    await sender.send()
    number = (await sender.deliveries(webhook))[0]["event_number"]

    path = f"/v1/webhooks/{webhook['id']}/deliveries/{number}"
    replayed = await sender.ask("POST", f"{path}/replay")
    await sender.send()

    assert (replayed["status"], replayed["attempts"]) == ("waiting", 0)
    assert revisions(receiver.accepted) == [1, 2, 1]
    assert receiver.accepted[0].id == receiver.accepted[2].id
    assert (await sender.ask("GET", path))["status"] == "delivered"


async def test_everything_since_a_number_is_replayed_in_order(
    sender: Sender, receiver: Receiver
) -> None:
    await sender.happen(3)
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen(2)
    await sender.send()

    path = f"/v1/webhooks/{webhook['id']}/replay"
    replayed = await sender.ask("POST", path, json={"after": 1})
    await sender.send()

    assert replayed == {"queued": 4}
    assert revisions(receiver.accepted) == [4, 5, 2, 3, 4, 5]


async def test_a_test_is_sent_to_one_webhook_whatever_it_wants(
    sender: Sender, receiver: Receiver
) -> None:
    webhook = await sender.webhook(f"{receiver.url}/one", event_types=["step_moved"])
    await sender.webhook(f"{receiver.url}/other", event_types=["step_moved", "webhook_tested"])

    delivery = await sender.ask("POST", f"/v1/webhooks/{webhook['id']}/test")
    await sender.send()

    (message,) = receiver.accepted
    assert (message.path, message.id) == ("/one", delivery["event_id"])
    assert message.data["webhook_id"] == webhook["id"]


async def test_during_a_rotation_both_secrets_sign(sender: Sender, receiver: Receiver) -> None:
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    path = f"/v1/webhooks/{webhook['id']}/secret"
    former = (await sender.ask("GET", path))["secret"]
    await sender.ask("POST", f"{path}/rotate", json={"former_valid_hours": 2})
    secret = (await sender.ask("GET", path))["secret"]

    await sender.happen()
    await sender.send()
    await sender.happen()
    sender.clock.ahead = timedelta(hours=2, minutes=1)
    await sender.send()

    during, after = receiver.accepted
    assert secret != former
    for known in (former, secret):
        Webhook(known).verify(during.body, during.headers)
    assert len(after.headers["webhook-signature"].split()) == 1


async def test_nothing_is_sent_while_disabled_and_nothing_is_missing_then(
    sender: Sender, receiver: Receiver
) -> None:
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    disabled = await sender.change(webhook, enabled=False)
    await sender.happen(2)
    await sender.send()
    before = len(receiver.received)

    enabled = await sender.change(webhook, enabled=True)
    await sender.send()

    assert (disabled["enabled"], disabled["disabled_because"], before) == (False, "by_hand", 0)
    assert (enabled["enabled"], enabled["disabled_because"]) == (True, None)
    assert revisions(receiver.accepted) == [1, 2]


async def test_a_webhook_that_fails_for_days_is_disabled_and_loses_nothing(
    database_url: str,
) -> None:
    async with (
        a_sender(database_url, waits=(HOUR,) * 99, seconds=1) as sender,
        receiving(lambda _: 500) as receiver,
    ):
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(2)
        await sender.send()
        await sender.send(later=timedelta(days=2))
        failing = await sender.ask("GET", f"/v1/webhooks/{webhook['id']}")

        await sender.send(later=timedelta(days=1, minutes=1))

        disabled = await sender.ask("GET", f"/v1/webhooks/{webhook['id']}")
        events = (await sender.ask("GET", "/v1/events?type=webhook_disabled"))["items"]
        receiver.behave = lambda _: 200
        await sender.change(webhook, enabled=True)
        await sender.send()
    assert (failing["enabled"], failing["failing_since"] is None) == (True, False)
    assert (disabled["enabled"], disabled["disabled_because"]) == (False, "failing")
    assert [event["data"]["because"] for event in events] == ["failing"]
    assert revisions(receiver.accepted) == [1, 2]


async def test_one_success_is_enough_to_stay_enabled(sender: Sender) -> None:
    async with receiving(fail_first(1)) as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen()
        await sender.send()
        await sender.send(later=timedelta(days=4))

    assert (await sender.ask("GET", f"/v1/webhooks/{webhook['id']}"))["failing_since"] is None


async def test_a_receiver_that_is_gone_is_left_alone(sender: Sender) -> None:
    async with receiving(lambda _: 410) as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(2)
        await sender.send()
        await sender.send(later=2 * HOUR)

    found = await sender.ask("GET", f"/v1/webhooks/{webhook['id']}")
    assert (found["disabled_because"], len(receiver.received)) == ("gone", 1)


async def test_what_is_replayed_goes_before_what_waits_in_its_plan(sender: Sender) -> None:
    async with receiving() as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen()
        await sender.send()
        receiver.behave = lambda _: 503
        await sender.happen()
        await sender.send()
        receiver.behave = lambda _: 200
        first, _ = await sender.deliveries(webhook)

        path = f"/v1/webhooks/{webhook['id']}/deliveries/{first['event_number']}/replay"
        await sender.ask("POST", path)
        await sender.send(later=2 * HOUR)

    assert revisions(receiver.accepted) == [1, 1, 2]


async def test_a_webhook_forgotten_while_it_is_tried_is_no_trouble(sender: Sender) -> None:
    async with receiving(lambda _: HANG) as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen()
        await sender.deliverer.work()

        await sender.ask("DELETE", f"/v1/webhooks/{webhook['id']}")
        await sender.deliverer.settle()

        assert await sender.deliverer.work() is False


async def test_what_arrived_long_ago_is_forgotten_and_can_still_be_replayed(
    sender: Sender, receiver: Receiver
) -> None:
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen(2)
    await sender.send()
    await sender.happen()
    await sender.send(later=KEPT_FOR + HOUR)
    left = await sender.deliveries(webhook)

    path = f"/v1/webhooks/{webhook['id']}/replay"
    replayed = await sender.ask("POST", path, json={"after": 0})

    assert [one["status"] for one in left] == ["delivered"]
    assert replayed == {"queued": 3}
