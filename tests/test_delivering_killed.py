"""Workers killed in the middle of a storm: no message is missing, and none comes out of order."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from signal import SIGINT, SIGKILL

import pytest

from tests.given_sender import SECRET, Sender, a_sender, in_order
from tests.processes import Running, environ, regimen, running
from tests.receivers import HANG, RESET, Received, Receiver, receiving

pytestmark = [pytest.mark.long, pytest.mark.deep]

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
EVENTS, PLANS = (1000, 50) if DEEP else (60, 20)
# After which parts of the messages a worker is killed.
KILLED_AFTER = (0.2, 0.5, 0.8) if DEEP else (0.4,)
PATIENCE_SECONDS = 600 if DEEP else 60


def mostly_fail(message: Received) -> int:
    """A behaviour: seven of ten attempts fail, some hang, the same ones every time."""
    chance = sha256(f"{message.data['revision']} {message.count}".encode()).digest()[0] / 256
    if message.count > 12 or chance > 0.7:
        return 200
    if chance < 0.02:
        return HANG
    return RESET if chance < 0.2 else 503


@dataclass(slots=True)
class Workers:
    """Processes that send what waits in one database."""

    command: list[str]
    env: dict[str, str]
    folder: Path
    stack: ExitStack
    at_once: int
    running: list[Running] = field(default_factory=list)

    async def start(self) -> None:
        """Start as many as may work at once."""
        while len(self.running) < self.at_once:
            worker = self.stack.enter_context(running(self.command, cwd=self.folder, env=self.env))
            await asyncio.to_thread(worker.wait_for, "Ctrl-C")
            self.running.append(worker)

    async def kill_one(self) -> None:
        """Kill one in the middle of its work, and start another."""
        await asyncio.to_thread(self.running.pop(0).stop, SIGKILL)
        await self.start()

    async def stop(self) -> list[int]:
        """Ask all to stop; gives their statuses."""
        return [await asyncio.to_thread(worker.stop, SIGINT) for worker in self.running]


@pytest.fixture
async def workers(database_url: str, tmp_path: Path) -> AsyncIterator[Workers]:
    """Two workers on PostgreSQL; on SQLite the one process that serves the file."""
    env = environ(
        REGIMEN_DATABASE_URL=database_url.replace("+asyncpg", ""),
        REGIMEN_SECRET=SECRET,
        REGIMEN_PORT="0",
        REGIMEN_WEBHOOK_LOOPBACK="yes",
        REGIMEN_WEBHOOK_TIMEOUT_SECONDS="1",
        REGIMEN_WEBHOOK_RETRY_SECONDS=",".join(["0"] * 99),
    )
    is_file = database_url.startswith("sqlite")
    command = regimen("serve") if is_file else regimen("worker")
    with ExitStack() as stack:
        yield Workers(command, env, tmp_path, stack, at_once=1 if is_file else 2)


@pytest.fixture
async def sender(database_url: str) -> AsyncIterator[Sender]:
    """Somebody who makes webhooks and events, and sends nothing."""
    async with a_sender(database_url, waits=(), seconds=1) as found:
        yield found


async def accepted(receiver: Receiver, count: int) -> None:
    """Wait until a receiver has so many different messages."""
    receiver.expect(count)
    await asyncio.wait_for(receiver.enough.wait(), PATIENCE_SECONDS)


async def test_what_workers_send_in_a_storm_is_complete_and_in_order(
    sender: Sender, workers: Workers
) -> None:
    async with (
        receiving(mostly_fail) as flaky,
        receiving() as steady,
        receiving(lambda _: HANG) as slow,
    ):
        for receiver in (slow, flaky, steady):
            await sender.webhook(receiver.url, event_types=["step_moved"])
        await sender.happen(EVENTS, plans=PLANS)
        await workers.start()

        for part in KILLED_AFTER:
            await accepted(flaky, int(EVENTS * part))
            await workers.kill_one()
        await accepted(flaky, EVENTS)
        slow.hang_up()
        statuses = await workers.stop()

    # The server ends as a shell expects of what Ctrl-C ends.
    assert set(statuses) <= {0, 130}
    failed = 1 - len(flaky.accepted) / len(flaky.received)
    assert 0.5 < failed < 0.9
    for receiver in (flaky, steady):
        ids = {message.data["number"]: message.id for message in receiver.accepted}
        assert len(ids) == EVENTS
        assert (
            len({(message.data["number"], message.id) for message in receiver.received}) == EVENTS
        )
        in_order(receiver.accepted)
    assert slow.accepted == []
