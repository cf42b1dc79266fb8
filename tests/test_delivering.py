"""Webhooks are sent to a real receiver: signed, at least once, in order in a plan, in good time."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.delivering import AT_ONCE
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from tests.given_sender import (
    HOUR,
    Sender,
    a_sender,
    fail_first,
    in_order,
    receiver,
    revisions,
    sender,
)
from tests.persistence.given import uid
from tests.receivers import DRIP, HANG, RESET, RUBBISH, Receiver, receiving

__all__ = ["receiver", "sender"]


async def test_a_message_is_signed_as_receivers_libraries_verify(
    sender: Sender, receiver: Receiver
) -> None:
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    secret = (await sender.ask("GET", f"/v1/webhooks/{webhook['id']}/secret"))["secret"]
    await sender.happen()

    await sender.send()

    (message,) = receiver.accepted
    verified = Webhook(secret).verify(message.body, message.headers)
    assert verified["type"] == "step_moved"
    assert verified["data"]["plan_id"] == str(uid(0))
    tampered = message.body.replace(b"step_moved", b"step_added")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(tampered, message.headers)


async def test_a_message_has_ids_and_nothing_else(sender: Sender, receiver: Receiver) -> None:
    await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen()

    await sender.send()

    (message,) = receiver.accepted
    assert message.data == {
        "event_id": message.id,
        "number": 2,
        "plan_id": str(uid(0)),
        "revision": 1,
        "step_id": str(uid(7)),
    }


async def test_a_message_of_a_sandbox_says_so(sender: Sender, receiver: Receiver) -> None:
    async with sender.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await ClinicRepository(connection, sender.app.state.clinic_id).make_sandbox()
    await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen()

    await sender.send()

    assert [message.data["sandbox"] for message in receiver.accepted] == [True]


async def test_only_chosen_types_are_sent_and_only_from_the_making_on(
    sender: Sender, receiver: Receiver
) -> None:
    await sender.happen(3)
    await sender.webhook(f"{receiver.url}/moved", event_types=["step_moved", "step_missed"])
    await sender.webhook(f"{receiver.url}/all")
    await sender.happen()
    await sender.happen(kind="step_booked")

    await sender.send()

    of_plans = [message for message in receiver.accepted if "plan_id" in message.data]
    paths = [(message.path, message.data["revision"]) for message in of_plans]
    assert len(receiver.accepted) > len(of_plans), "all types means those of webhooks too"
    assert [revision for path, revision in paths if path == "/moved"] == [4]
    assert [revision for path, revision in paths if path == "/all"] == [4, 5]


@pytest.mark.parametrize(
    "behaviour, status, failure",
    [
        pytest.param(503, 503, None, id="fails"),
        pytest.param(302, 302, None, id="redirects"),
        pytest.param(HANG, None, "timed_out", id="hangs"),
        pytest.param(DRIP, None, "timed_out", id="drips"),
        pytest.param(RESET, None, "broken_off", id="resets"),
        pytest.param(RUBBISH, None, "broken_off", id="answers rubbish"),
    ],
)
async def test_what_did_not_arrive_is_tried_again_with_the_same_id(
    sender: Sender, behaviour: int, status: int | None, failure: str | None
) -> None:
    async with receiving(fail_first(1, behaviour)) as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen()

        await sender.send()
        (waiting,) = await sender.deliveries(webhook)
        await sender.send(later=2 * HOUR)

    (delivery,) = await sender.deliveries(webhook)
    assert (waiting["status"], waiting["attempts"]) == ("waiting", 1)
    assert [message.id for message in receiver.received] == [delivery["event_id"]] * 2
    assert (delivery["status"], delivery["next_at"]) == ("delivered", None)
    first, second = delivery["log"]
    assert (first["status_code"], first["failure"]) == (status, failure)
    assert second["status_code"] == 200


@pytest.mark.parametrize("status, hours", [(503, 4), (429, 4), (500, 1)])
async def test_a_receiver_that_is_busy_says_when_it_takes_more(
    database_url: str, status: int, hours: int
) -> None:
    waits = (HOUR, 24 * HOUR)
    async with (
        receiving(fail_first(1, status)) as receiver,
        a_sender(database_url, waits=waits, seconds=2) as sender,
    ):
        receiver.retry_after = "14400"
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen()

        await sender.send()

        (waiting,) = await sender.deliveries(webhook)
    tried = datetime.fromisoformat(waiting["log"][0]["at"])
    wait = datetime.fromisoformat(waiting["next_at"]) - tried
    assert 0.8 * hours * HOUR <= wait <= 1.3 * hours * HOUR


async def test_a_receiver_that_is_away_is_tried_again(sender: Sender) -> None:
    webhook = await sender.webhook("http://127.0.0.1:1/", event_types=["step_moved"])
    await sender.happen()

    await sender.send()

    (delivery,) = await sender.deliveries(webhook, status="waiting")
    assert [attempt["failure"] for attempt in delivery["log"]] == ["not_connected"]


async def test_what_follows_in_a_plan_waits_and_other_plans_do_not(sender: Sender) -> None:
    async with receiving(lambda it: 503 if it.data["revision"] == 2 else 200) as receiver:
        await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(6, plans=2)

        await sender.send()
        first = revisions(receiver.accepted)
        receiver.behave = lambda _: 200
        await sender.send(later=2 * HOUR)

    assert first == [1, 3, 5]
    assert revisions(receiver.accepted) == [1, 3, 5, 2, 4, 6]


async def test_after_the_last_attempt_a_delivery_is_dead_and_the_next_goes_on(
    sender: Sender,
) -> None:
    async with receiving(lambda it: 500 if it.data["revision"] == 1 else 200) as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(2)
        for _ in range(3):
            await sender.send(later=2 * HOUR)

        (dead,) = await sender.deliveries(webhook, status="dead")
        assert (dead["attempts"], len(dead["log"])) == (3, 3)
        assert revisions(receiver.accepted) == [2]
        receiver.behave = lambda _: 200
        path = f"/v1/webhooks/{webhook['id']}/replay"
        replayed = await sender.ask("POST", path, json={"after": 0, "dead_only": True})
        await sender.send()

    assert replayed == {"queued": 1}
    assert revisions(receiver.accepted) == [2, 1]
    assert await sender.deliveries(webhook, status="dead") == []


async def test_what_lies_behind_has_no_time_of_its_own_until_it_is_first(
    sender: Sender,
) -> None:
    async with receiving(lambda _: 503) as receiver:
        webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(3)
        await sender.send()
        blocked = await sender.deliveries(webhook)
        receiver.behave = lambda it: 200 if it.data["revision"] == 1 else HANG
        await sender.send(later=2 * HOUR)

    moved_up = await sender.deliveries(webhook)
    assert [one["next_at"] is None for one in blocked] == [False, True, True]
    assert [one["attempts"] for one in moved_up] == [2, 1, 0]
    assert [one["next_at"] is None for one in moved_up] == [True, False, True]


async def test_the_deliverer_waits_for_a_database_that_is_away(tmp_path: Path) -> None:
    nowhere = f"sqlite+aiosqlite:///{tmp_path}/nowhere/regimen.db"
    async with a_sender(nowhere, waits=(), seconds=1) as sender:
        working = asyncio.create_task(sender.deliverer.run())
        await asyncio.sleep(0.1)

        assert not working.done()
        sender.deliverer.stop()
        await asyncio.wait_for(working, 5)


async def test_a_receiver_is_not_flooded(sender: Sender, receiver: Receiver) -> None:
    await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen(5 * AT_ONCE, plans=5 * AT_ONCE)

    await sender.send()

    assert len(receiver.accepted) == 5 * AT_ONCE
    assert receiver.most_at_once <= AT_ONCE


async def test_receivers_that_hang_delay_no_other(database_url: str, receiver: Receiver) -> None:
    async with (
        a_sender(database_url, waits=(HOUR,), seconds=30) as sender,
        receiving(lambda _: HANG) as hanging,
    ):
        for number in range(3):
            await sender.webhook(f"{hanging.url}/{number}", event_types=["step_moved"])
        await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(40, plans=10)

        receiver.expect(40)
        working = asyncio.create_task(sender.deliverer.run())
        await asyncio.wait_for(receiver.enough.wait(), 20)
        sender.deliverer.stop()
        hanging.hang_up()
        await working

    assert hanging.accepted == []
    in_order(receiver.accepted)
