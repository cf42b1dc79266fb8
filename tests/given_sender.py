"""An application with a deliverer that does what it is told, for the tests of webhooks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from app.delivering import Deliverer
from app.integrations.outbound import Caller, open_client
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.events import EventRepository, NewEvent
from app.settings import Settings
from app.worker import ordinary_now
from tests.client import Client, client_of
from tests.persistence.given import uid
from tests.receivers import Received, Receiver, receiving

SECRET = "a-secret-of-more-than-thirty-two-characters"
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Clock:
    """What the deliverer takes for the time: now, and as much later as a test says."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return ordinary_now() + self.ahead


@dataclass(slots=True)
class Sender:
    """An application of its own with a deliverer that does what it is told."""

    app: FastAPI
    api: Client
    deliverer: Deliverer
    clock: Clock

    async def webhook(self, url: str, **fields: Any) -> dict[str, Any]:
        """A stored webhook."""
        return await self.ask("POST", "/v1/webhooks", json={"url": url, **fields})

    async def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The body of an answer that must be a good one."""
        answer = await self.api.request(method, path, **options)
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.content else {}

    async def change(self, webhook: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """The webhook changed, whatever its revision is."""
        path = f"/v1/webhooks/{webhook['id']}"
        revision = (await self.ask("GET", path))["revision"]
        return await self.ask("PATCH", path, json=fields, headers={"If-Match": f'"{revision}"'})

    async def happen(self, count: int = 1, *, plans: int = 1, kind: str = "step_moved") -> None:
        """Note events of some plans in turn."""
        async with self.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
            await EventRepository(connection, self.app.state.clinic_id).append(
                [
                    NewEvent(
                        id=UUID(int=uid(0).int + (number << 64)),
                        type=kind,
                        at=ordinary_now(),
                        actor="local",
                        plan_id=uid(number % plans),
                        revision=number,
                        data={"step": "primer/2", "step_id": str(uid(7))},
                    )
                    for number in self._numbers(count)
                ]
            )

    _next: int = 1

    def _numbers(self, count: int) -> range:
        self._next += count
        return range(self._next - count, self._next)

    async def send(self, *, later: timedelta = timedelta()) -> None:
        """Send all that may be sent at a time, and what that makes free."""
        self.clock.ahead += later
        while await self.deliverer.work():
            await self.deliverer.settle()

    async def deliveries(self, webhook: dict[str, Any], **filters: Any) -> list[dict[str, Any]]:
        """The webhook's log, oldest event first."""
        path = f"/v1/webhooks/{webhook['id']}/deliveries"
        found = await self.ask("GET", path, params={"limit": 200, **filters})
        return list(reversed(found["items"]))


@asynccontextmanager
async def a_sender(
    url: str, *, waits: tuple[timedelta, ...], seconds: float
) -> AsyncIterator[Sender]:
    """A sender on a database; attempts take at most so many seconds."""
    settings = Settings(database_url=url, pool_size=4, secret=SECRET, webhook_loopback=True)
    app, clock = create_app(settings), Clock()
    async with open_client() as client, client_of(app) as api:
        deliverer = Deliverer(
            database=app.state.database,
            caller=Caller(client=client, seconds=seconds, loopback=True),
            key=SECRET.encode(),
            waits=waits,
            now=clock,
        )
        yield Sender(app, api, deliverer, clock)
    await app.state.database.dispose()


@pytest.fixture
async def sender(database_url: str) -> AsyncIterator[Sender]:
    """A sender who tries three times, an hour apart."""
    async with a_sender(database_url, waits=(HOUR, HOUR), seconds=2) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything."""
    async with receiving() as found:
        yield found


def revisions(messages: list[Received]) -> list[int]:
    """Which events these are: a test numbers them as revisions."""
    return [message.data["revision"] for message in messages if "revision" in message.data]


def fail_first(times: int, status: int = 503) -> Callable[[Received], int]:
    """A behaviour: every message fails some times."""
    return lambda message: status if message.count <= times else 200


def in_order(messages: list[Received]) -> None:
    """Fail unless the messages of each plan came in the order of their events."""
    by_plan: dict[str, list[int]] = {}
    for message in messages:
        by_plan.setdefault(message.data["plan_id"], []).append(message.data["number"])
    for numbers in by_plan.values():
        assert all(first <= second for first, second in pairwise(numbers)), numbers
