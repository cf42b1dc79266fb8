"""A service that is told to stop ends what it does, and takes on nothing new."""

import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue
from time import monotonic, sleep
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.persistence.clinics import DEFAULT_CLINIC_ID
from tests.processes import environ, regimen, running

pytestmark = pytest.mark.long

PATIENCE_SECONDS = 10


class Caller:
    """A client with one request under way."""

    def __init__(self, place: str) -> None:
        parts = urlsplit(place)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._answers: Queue[tuple[int, str]] = Queue()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> None:
        """Send a request without waiting for its answer."""
        text = None if body is None else json.dumps(body)
        sent = {"content-type": "application/json", **headers}

        def run() -> None:
            self._connection.request(method, path, text, sent)
            answer = self._connection.getresponse()
            self._answers.put((answer.status, answer.read().decode()))

        threading.Thread(target=run, daemon=True).start()

    def hear(self) -> tuple[int, str]:
        """The answer."""
        return self._answers.get(timeout=PATIENCE_SECONDS)


@asynccontextmanager
async def held(url: str, statement: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold what a statement locks."""
    seen = {"regimen.clinic": str(DEFAULT_CLINIC_ID)}
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), server_settings=seen)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement)
    yield connection
    await transaction.rollback()
    await connection.close()


async def somebody_waits(connection: asyncpg.Connection) -> None:
    """Until somebody waits for the lock that is held."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_a_change_under_way_is_finished(postgresql_url: str, tmp_path: Path) -> None:
    environment = environ(REGIMEN_DATABASE_URL=postgresql_url)
    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as service:
        place = service.wait_for("at").split()[1]
        service.wait_for("Ctrl-C")
        caller = Caller(place)
        caller.ask("POST", "/v1/patients", {"name": "Alex"})
        status, patient = caller.hear()
        assert status == 201

        async def stop_meanwhile() -> None:
            async with held(postgresql_url, "UPDATE patients SET name = name") as holder:
                path = f"/v1/patients/{json.loads(patient)['id']}"
                caller.ask("PATCH", path, {"name": "Changed"}, **{"if-match": '"1"'})
                await somebody_waits(holder)
                service.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
                assert service.process.poll() is None

        asyncio.run(stop_meanwhile())
        status, changed = caller.hear()

        assert (status, json.loads(changed)["name"]) == (200, "Changed")
        assert service.process.wait(PATIENCE_SECONDS) == -signal.SIGTERM


def test_who_waits_for_events_is_answered_at_once(sqlite_url: str, tmp_path: Path) -> None:
    environment = environ(REGIMEN_DATABASE_URL=sqlite_url)
    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as service:
        place = service.wait_for("at").split()[1]
        service.wait_for("Ctrl-C")
        caller = Caller(place)
        caller.ask("GET", "/health/live")
        caller.hear()
        begin = monotonic()
        caller.ask("GET", "/v1/events?wait=25")
        sleep(0.5)  # nothing outside tells that it waits

        service.process.send_signal(signal.SIGTERM)
        status, body = caller.hear()

        assert (status, json.loads(body)) == (200, {"items": [], "last": 0})
        assert service.process.wait(PATIENCE_SECONDS) == -signal.SIGTERM
        assert monotonic() - begin < PATIENCE_SECONDS
