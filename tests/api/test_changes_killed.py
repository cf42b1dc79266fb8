"""A real server killed in a storm of changes: what it acknowledged is there, nothing by half."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGKILL
from time import sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from app.domain.plans.records import state_to_data
from app.main import create_app
from app.persistence.plans.repository import PlanRepository
from app.services.plans.correcting import replay
from app.settings import Settings
from tests.api.given_plans import Data, a_desk, make_clinic
from tests.client import client_of
from tests.processes import environ, regimen, running

TIMES = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 1
# Seconds of storm before each kill.
KILLED_AFTER = (0.1, 0.5) * TIMES
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
        tag = read.headers["etag"]
        moved = "2027-03-11" if json.loads(read.read())["revision"] % 2 else "2027-03-10"
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
    async with app.state.database.reading() as connection:
        repository = PlanRepository(connection, app.state.clinic_id)
        for plan in plans:
            stored = await repository.get(UUID(plan))
            revisions = await repository.revisions(UUID(plan), limit=100_000)
            check(stored, revisions, await repository.posted(UUID(plan)))
    await app.state.database.dispose()


def whole(stored: Any, revisions: Any, posted: Any) -> None:
    """Nothing is there by half: every revision, its plan, and what leads to it."""
    numbers = [revision.revision for revision in revisions]
    assert numbers == list(range(stored.revision, 0, -1))
    assert [bool(revision.snapshot) for revision in revisions] == [
        False,
        *[True] * (len(revisions) - 1),
    ]
    assert [r.snapshot["revision"] for r in revisions[1:]] == numbers[1:]
    assert state_to_data(replay(posted)) == stored.state
    assert len(stored.state.get("reported", ())) == stored.revision - 1
    session = next(step for step in stored.steps if step.occurrence.step == "session")
    assert session.day == date(2027, 3, 10 + (stored.revision + 1) % 2)
    assert stored.anchor["date"] == session.day.isoformat()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_server_loses_nothing_it_acknowledged(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue(f"{database}_url"))
    plans = asyncio.run(make_plans(url))
    storms: list[Storm] = []

    for seconds in KILLED_AFTER:
        environment = environ(REGIMEN_DATABASE_URL=url)
        with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
            storm = Storm(server.wait_for("at").split()[1], plans)
            server.wait_for("Ctrl-C")
            writers = [threading.Thread(target=storm.write, args=(n,)) for n in range(WRITERS)]
            for writer in writers:
                writer.start()
            while not storm.acknowledged:
                sleep(0.01)
            sleep(seconds)
            server.stop(SIGKILL)
            for writer in writers:
                writer.join()
        storms.append(storm)
        asyncio.run(look(url, whole, plans))

    kept: dict[str, int] = {}
    asyncio.run(look(url, lambda plan, *_: kept.update({str(plan.id): plan.revision}), plans))
    acknowledged = set[tuple[str, int]]().union(*(storm.acknowledged for storm in storms))
    assert all(kept[plan] >= revision for plan, revision in acknowledged)
    # No revision was acknowledged twice, and at most one a writer was not heard of any more.
    assert len(acknowledged) == sum(len(storm.acknowledged) for storm in storms)
    made = sum(revision - 1 for revision in kept.values())
    assert len(acknowledged) <= made <= len(acknowledged) + len(KILLED_AFTER) * WRITERS
    assert set[int]().union(*(storm.statuses for storm in storms)) <= {200, 412, 503}
