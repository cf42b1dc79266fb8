"""Measures what living plans cost on both databases: `python -m tests.benchmarks.living`.

Changing a plan beside creating one, in turns; and a closure that touches a thousand plans, done by
one worker: within the process that serves on SQLite, in one of its own on PostgreSQL.
"""

import argparse
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from statistics import median
from time import perf_counter, sleep
from typing import Any

from sqlalchemy import make_url

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.load import post, run
from tests.benchmarks.preparing import body_bytes, prepare
from tests.benchmarks.servers import ROOT, Server
from tests.benchmarks.serving import new_database, served
from tests.postgres import PostgresUnavailable, running_postgres

SQLITE = "SQLite"
PLANS, ROUNDS = 150, 3
TOUCHED = 1000
PATIENCE_SECONDS = 120
LOOKS_EVERY_SECONDS = 0.2
COMMITS = 300


def figures(url: str, name: str, rounds: int) -> Iterator[Figure]:
    """The figures on one database."""
    prepared = prepare(url, patients=(rounds + 1) * PLANS + TOUCHED + 100)
    with served(prepared.url) as server:
        patients, session = iter(prepared.patient_ids), prepared.session
        yield from _changes(server, patients, session, name, rounds)
        enrolled = _enrol(server, patients, session)
        with _worker(prepared.url):
            found = _close(server, enrolled)
    rate = found.plans / found.seconds
    yield Figure(f"a closure of {found.plans} plans, {name}: plans/s", (rate,), 100, 200)
    yield Figure("    a plan read meanwhile, median", (found.median_answer * 1000,), unit=" ms")
    yield Figure("    … the slowest of twenty", (found.slow_answer * 1000,), unit=" ms")
    if name == SQLITE:
        commits = _commits(prepared.url)
        yield Figure("    bare commits of one row on this disk/s", (commits,))
        yield Figure("    plans of the closure ÷ bare commits", (rate / commits,))


def _changes(
    server: Server, patients: Iterator[str], session: date, name: str, rounds: int
) -> Iterator[Figure]:
    """Changing plans beside creating them, in turns."""
    _create(server, patients, session)
    _change(server, session)
    pairs = [(_create(server, patients, session), _change(server, session)) for _ in range(rounds)]
    ratios = tuple(change / create for create, change in pairs)
    yield Figure(f"changing a plan ÷ creating one, {name}", ratios, 3, 2, most=True)
    for what, taken in zip(("creating", "changing"), zip(*pairs, strict=True), strict=True):
        each = tuple(seconds / PLANS * 1000 for seconds in taken)
        yield Figure(f"    {what} a plan", each, unit=" ms")


def _commits(url: str) -> float:
    """Transactions of one changed row a second, by hand, each on the disk before the next."""
    path = make_url(url).database
    assert path is not None
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    begin = perf_counter()
    for _ in range(COMMITS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE event_counters SET last_number = last_number + 1")
        connection.execute("COMMIT")
    seconds = perf_counter() - begin
    connection.close()
    return COMMITS / seconds


@contextmanager
def _worker(url: str) -> Iterator[None]:
    """What does batches, where the server does not; it has started."""
    if url.startswith("sqlite"):
        yield
        return
    environ = {**os.environ, "REGIMEN_DATABASE_URL": url}
    command = [sys.executable, "-m", "app", "worker"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    ) as worker:
        try:
            assert worker.stdout is not None
            while "stops it" not in worker.stdout.readline():
                assert worker.poll() is None, "the worker ended"
            yield
        finally:
            worker.terminate()


def _create(server: Server, patients: Iterator[str], session: date) -> float:
    """The seconds which so many posts took."""
    requests = [
        post("/v1/plans", body_bytes(patient, session)) for patient in islice(patients, PLANS)
    ]
    assert len(requests) == PLANS, "too few patients were prepared"
    return run(server.port, requests, expect=201).seconds


def _change(server: Server, session: date) -> float:
    """The seconds which changes of the plans made last took."""
    path: str | None = "/v1/plans?limit=200"
    ids: list[str] = []
    while path is not None and len(ids) < PLANS:
        page = _ask(server, "GET", path)
        ids += [plan["id"] for plan in page["items"] if plan["revision"] == 1]
        path = f"/v1/plans?limit=200&cursor={page['next']}" if page["next"] else None
    later = (session + timedelta(days=7)).isoformat()
    changes = [{"type": "move_anchor", "to": later}]
    body = json.dumps({"changes": changes, "reason": "asked for"}).encode()
    requests = [
        post(f"/v1/plans/{id_}/changes", body).replace(b"\r\n", b'\r\nIf-Match: "1"\r\n', 1)
        for id_ in ids[:PLANS]
    ]
    return run(server.port, requests, expect=200).seconds


def _enrol(server: Server, patients: Iterator[str], session: date) -> str:
    """Make the plans that the closure touches; gives the id of one."""
    lines = b"\n".join(body_bytes(patient, session) for patient in islice(patients, TOUCHED))
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/v1/plans/bulk", lines, {"Content-Type": "application/x-ndjson"})
    made = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    assert made[-1]["summary"]["created"] == TOUCHED, made[-1]
    return str(made[0]["id"])


@dataclass(frozen=True, slots=True)
class Closed:
    """What a closure touched, the seconds from its post to the last plan, and how long somebody
    waited meanwhile who read a plan.
    """

    plans: int
    seconds: float
    answers: tuple[float, ...]

    @property
    def median_answer(self) -> float:
        """In seconds."""
        return median(self.answers)

    @property
    def slow_answer(self) -> float:
        """In seconds; one of twenty is slower."""
        return sorted(self.answers)[len(self.answers) * 19 // 20]


def _close(server: Server, plan_id: str) -> Closed:
    place = _ask(server, "GET", "/v1/locations")["items"][0]["id"]
    steps = _ask(server, "GET", f"/v1/plans/{plan_id}")["steps"]
    day = next(step["date"] for step in steps if step["key"] == "followup_2")
    body = {"location_id": place, "title": "Closed", "from": day, "to": day}
    answers = []
    begin = perf_counter()
    batch = _ask(server, "POST", "/v1/closures", body)["batch"]
    while batch["status"] == "running" and perf_counter() - begin < PATIENCE_SECONDS:
        sleep(LOOKS_EVERY_SECONDS)
        asked = perf_counter()
        _ask(server, "GET", f"/v1/plans/{plan_id}")
        answers.append(perf_counter() - asked)
        batch = _ask(server, "GET", f"/v1/batches/{batch['id']}")
    seconds = perf_counter() - begin
    assert batch["status"] == "done", batch
    assert batch["total"] >= TOUCHED, batch
    assert batch["counts"] == {"changed": batch["total"]}, batch
    return Closed(batch["total"], seconds, tuple(answers))


def _ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    assert answer.status < 300, found
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when something that must be reached is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.living")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each pair is run")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="regimen-bench-") as folder:
        url = f"sqlite+aiosqlite:///{folder}/regimen.db"
        found = list(figures(url, SQLITE, asked.rounds))
    try:
        with running_postgres(os.environ) as server, new_database(server) as url:
            found += figures(url, "PostgreSQL", asked.rounds)
    except PostgresUnavailable as error:
        print(f"NOT MEASURED ON POSTGRESQL: {error}", file=sys.stderr)
    print(table(found))
    return 1 if any(figure.mark == "MISSED" for figure in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
