"""The guide tells of webhooks what is so: its code verifies, its figures are the real ones."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.api import docs
from app.delivering import AT_ONCE, CLAIMED_FOR_CALLS
from app.integrations.addresses import Failure
from app.integrations.outbound import SECONDS
from app.services.deliveries import KEPT_FOR, PATIENCE
from app.settings import Settings
from tests.given_sender import Sender, receiver, sender
from tests.receivers import Receiver

__all__ = ["receiver", "sender"]

PAGE = Path(docs.__file__).with_name("guide").joinpath("webhooks.md").read_text("utf-8")
UNITS = {"s": 1, "min": 60, "h": 3600}


def block(language: str) -> str:
    """The one block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


async def test_a_message_is_verified_by_the_code_that_is_shown(
    sender: Sender, receiver: Receiver
) -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    is_ours: Callable[[str, dict[str, str], bytes], bool] = names["is_ours"]
    webhook = await sender.webhook(receiver.url, event_types=["step_moved"])
    secret = (await sender.ask("GET", f"/v1/webhooks/{webhook['id']}/secret"))["secret"]
    await sender.happen()
    await sender.send()

    (message,) = receiver.accepted
    old = {**message.headers, "webhook-timestamp": "1000000000"}
    assert is_ours(secret, message.headers, message.body)
    assert not is_ours(secret, message.headers, message.body + b" ")
    assert not is_ours(secret, old, message.body)


async def test_a_message_looks_as_the_one_that_is_shown(sender: Sender, receiver: Receiver) -> None:
    await sender.webhook(receiver.url, event_types=["step_moved"])
    await sender.happen()
    await sender.send()

    shown, sent = json.loads(block("json")), json.loads(receiver.accepted[0].body)
    assert shown.keys() == sent.keys()
    assert shown["data"].keys() == {*sent["data"], "patient_id"}
    assert re.sub(r"\d", "0", shown["timestamp"]) == re.sub(r"\d", "0", sent["timestamp"])


def test_the_figures_are_the_real_ones() -> None:
    told = re.search(r"tried again after (.*) and four times after 24 h", PAGE, re.DOTALL)
    assert told is not None
    waits = [int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+) (s|min|h)\b", told[1])]

    assert (*waits, *[24 * 3600] * 4) == Settings().webhook_retry_seconds
    assert f"given up after {SECONDS:.0f} seconds" in PAGE
    assert Settings().webhook_timeout_seconds == SECONDS
    assert f"at most {AT_ONCE} messages" in PAGE
    assert f"stays in it for {KEPT_FOR.days} days" in PAGE
    assert (PATIENCE.days, CLAIMED_FOR_CALLS) == (3, 4)


def test_every_failure_is_told() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(Failure)
