"""Storms of changes on a real server, and how to look at what is stored afterwards."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.client import HTTPConnection, HTTPException
from time import sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from app.domain.plans.records import state_to_data
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.plans.repository import PlanRepository
from app.services.plans.correcting import replay
from app.settings import Settings
from tests.api.given_plans import Data, a_desk, make_clinic
from tests.client import client_of

WRITERS = 4
PLANS = 3


@dataclass(slots=True)
class Storm:
    """Writers who change plans as fast as they can until the server is gone."""

    place: str
    plans: list[str]
    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)

    def write(self, writer: int) -> None:
        """Change one plan after another."""
        parts = urlsplit(self.place)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        count = 0
        try:
            while True:
                plan = self.plans[(writer + count) % len(self.plans)]
                count += 1
                self._change(connection, plan, writer, count)
        except (OSError, HTTPException):
            return
        finally:
            connection.close()

    def _change(self, connection: HTTPConnection, plan: str, writer: int, count: int) -> None:
        connection.request("GET", f"/v1/plans/{plan}")
        read = connection.getresponse()
        plan_read, tag = json.loads(read.read()), read.headers["etag"]
        self.statuses.add(read.status)
        if read.status != 200:
            sleep(0.02)
            return
        moved = "2027-03-11" if plan_read["revision"] % 2 else "2027-03-10"
        changes: list[Data] = [
            {"type": "report", "agent": f"agent-{writer}-{count}", "on": "2027-01-04"},
            {"type": "move_anchor", "to": moved},
        ]
        body = json.dumps({"changes": changes})
        headers = {"content-type": "application/json", "if-match": tag or ""}
        connection.request("POST", f"/v1/plans/{plan}/changes", body, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        self.statuses.add(answer.status)
        if answer.status == 200:
            self.acknowledged.add((plan, found["plan"]["revision"]))


async def make_plans(url: str) -> list[str]:
    """A sandbox clinic with some plans."""
    app = create_app(Settings(database_url=url, pool_size=4))
    async with client_of(app) as api:
        await make_clinic(app)
        desk = await a_desk(app, api)
        few: dict[str, Any] = {"parameters": {"primer_count": 1, "orthotics": "declined"}}
        found = [
            (await desk.plan(patient={"id": await desk.patient()}, **few))["id"]
            for _ in range(PLANS)
        ]
    await app.state.database.dispose()
    return [str(plan) for plan in found]


async def look(url: str, check: Callable[[Any, Any, Any], None], plans: list[str]) -> None:
    """Check every plan as it is stored, with its revisions and what was posted."""
    app = create_app(Settings(database_url=url, pool_size=4))
    async with app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        repository = PlanRepository(connection, app.state.clinic_id)
        for plan in plans:
            stored = await repository.get(UUID(plan))
            revisions = await repository.revisions(UUID(plan), limit=100_000)
            snapshots = {
                r.revision: await repository.snapshot(UUID(plan), r.revision) for r in revisions
            }
            check(stored, snapshots, await repository.posted(UUID(plan)))
    await app.state.database.dispose()


def whole(stored: Any, snapshots: Any, posted: Any) -> None:
    """Nothing is there by half: every revision, its plan, and what leads to it."""
    numbers = list(snapshots)
    assert numbers == list(range(stored.revision, 0, -1))
    assert [snapshots[number].get("revision") for number in numbers] == [None, *numbers[1:]]
    assert state_to_data(replay(posted)) == stored.state
    assert len(stored.state.get("reported", ())) == stored.revision - 1
    session = next(step for step in stored.steps if step.occurrence.step == "session")
    assert session.day == date(2027, 3, 10 + (stored.revision + 1) % 2)
    assert stored.anchor["date"] == session.day.isoformat()


@contextmanager
def blowing(place: str, plans: list[str], count: int = WRITERS) -> Iterator[Storm]:
    """A storm that has begun; it ends with the server, for which the block must see."""
    storm = Storm(place, plans)
    writers = [threading.Thread(target=storm.write, args=(n,)) for n in range(count)]
    for writer in writers:
        writer.start()
    while not storm.acknowledged:
        sleep(0.01)
    try:
        yield storm
    finally:
        for writer in writers:
            writer.join()


def plans_made(url: str) -> list[str]:
    """A sandbox clinic with some plans."""
    return asyncio.run(make_plans(url))


def revisions_kept(url: str, plans: list[str]) -> dict[str, int]:
    """Every plan's revision, after all of it was looked at."""
    kept: dict[str, int] = {}

    def check(plan: Any, revisions: Any, posted: Any) -> None:
        whole(plan, revisions, posted)
        kept[str(plan.id)] = plan.revision

    asyncio.run(look(url, check, plans))
    return kept
