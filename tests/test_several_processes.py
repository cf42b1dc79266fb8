"""Several servers and workers on one PostgreSQL, started and stopped in the middle of work."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGTERM
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

from tests.processes import Running, environ, regimen, running

pytestmark = pytest.mark.long

CLIENTS = 4
SECONDS = 4
PATIENCE_SECONDS = 60


@dataclass(slots=True)
class Clients:
    """Clients who post patients under keys, and repeat what was not answered somewhere else."""

    places: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    ids: dict[str, set[str]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)

    def run(self, client: int) -> None:
        """One post after another, each until it is stored."""
        count = 0
        while not self.stop.is_set():
            count += 1
            self._store(f"client-{client}-{count}", client + count)

    def _store(self, key: str, turn: int) -> None:
        give_up = monotonic() + PATIENCE_SECONDS
        while monotonic() < give_up:
            turn += 1
            with suppress(OSError, HTTPException):
                status, body = _post(self.places[turn % len(self.places)], key)
                if status == 201:
                    self.ids.setdefault(key, set()).add(json.loads(body)["id"])
                    return
                self.refused[status] += 1
            sleep(0.05)
        raise AssertionError(f"{key} was not stored: {self.refused}")


def _post(place: str, key: str) -> tuple[int, bytes]:
    parts = urlsplit(place)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        body = json.dumps({"identifiers": [{"system": "urn:many", "value": key}]})
        headers = {"content-type": "application/json", "idempotency-key": key}
        connection.request("POST", "/v1/patients", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _count(place: str) -> int:
    """How many patients there are."""
    parts = urlsplit(place)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    found, address = 0, "/v1/patients?limit=200"
    while address:
        connection.request("GET", address)
        page = json.loads(connection.getresponse().read())
        found += len(page["items"])
        address = f"/v1/patients?limit=200&cursor={page['next']}" if page["next"] else ""
    connection.close()
    return found


@contextmanager
def a_server(url: str, folder: Path) -> Iterator[tuple[Running, str]]:
    """A server that takes clients."""
    command = regimen("serve", "--port", "0")
    with running(command, cwd=folder, env=environ(REGIMEN_DATABASE_URL=url)) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        yield server, place


def _migrate_twice_at_once(url: str, folder: Path) -> None:
    """One of them makes the tables, the other one waits for it."""
    environment = environ(REGIMEN_DATABASE_URL=url)
    with ExitStack() as stack:
        migrating = [
            stack.enter_context(running(regimen("migrate"), cwd=folder, env=environment))
            for _ in range(2)
        ]
        assert [run.process.wait(PATIENCE_SECONDS) for run in migrating] == [0, 0]


def test_servers_and_workers_come_and_go_unnoticed(new_postgresql_url: str, tmp_path: Path) -> None:
    url = new_postgresql_url
    clients = Clients()
    with ExitStack() as stack:
        _migrate_twice_at_once(url, tmp_path)
        starting = [stack.enter_context(a_server(url, tmp_path)) for _ in range(2)]
        environment = environ(REGIMEN_DATABASE_URL=url)
        workers = [
            stack.enter_context(running(regimen("worker"), cwd=tmp_path, env=environment))
            for _ in range(2)
        ]
        clients.places = [place for _, place in starting]
        threads = [threading.Thread(target=clients.run, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        sleep(SECONDS / 2)
        later, place = stack.enter_context(a_server(url, tmp_path))
        clients.places = [starting[1][1], place]
        starting[0][0].stop(SIGTERM)
        workers[0].wait_for("Ctrl-C")
        workers[0].stop(SIGTERM)
        sleep(SECONDS / 2)
        clients.stop.set()
        for thread in threads:
            thread.join()

        assert all(len(ids) == 1 for ids in clients.ids.values())
        assert len(clients.ids) > CLIENTS
        assert _count(place) == len(clients.ids)
        assert clients.refused.keys() <= {409, 503}
        assert later.process.poll() is None
        said = "".join(line for run in (starting[0][0], later, *workers) for line in run.said)
        assert "Traceback" not in said
