"""Measures the served product against its yardsticks, in turns, on both databases."""

import asyncio
import gc
import http.client
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from app.persistence.database import driver_url
from tests.benchmarks import capturing
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import Run, get, post, run
from tests.benchmarks.preparing import PAGE, WORKLIST, Prepared, body_bytes, prepare
from tests.benchmarks.servers import Server, running

STARTS = 5
PLANS_READ = 1000
CREATES, READS, PAGES = 600, 2000, 400
WARM_UP = 0.5

Requests = Callable[[int], Sequence[bytes]]


@dataclass(slots=True)
class Turns:
    """The runs of one server and what it computed for a request in each, in seconds."""

    server: Server
    runs: list[Run]
    cpu: list[float]

    def run(self, requests: Sequence[bytes], *, expect: int) -> None:
        """One more run."""
        begin = self.server.cpu_seconds()
        self.runs.append(run(self.server.port, requests, expect=expect))
        self.cpu.append((self.server.cpu_seconds() - begin) / len(requests))


@dataclass(frozen=True, slots=True)
class Measured:
    """Product and yardstick, run in turns."""

    product: Turns
    yardstick: Turns

    def figures(self, name: str, against: str, must: float, aim: float) -> Iterator[Figure]:
        """The ratio, how even the product is, and the rates themselves."""
        ours, theirs = self.product.runs, self.yardstick.runs
        pairs = zip(ours, theirs, strict=True)
        ratios = tuple(our.rate / their.rate for our, their in pairs)
        yield Figure(f"{name} ÷ {against}", ratios, must, aim)
        even = tuple(run.percentile(0.99) / run.percentile(0.5) for run in ours)
        yield Figure("    p99 ÷ p50", even, 4, 2.5, most=True)
        yield Figure("    requests/s", tuple(run.rate for run in ours))
        yield Figure("    requests/s of the yardstick", tuple(run.rate for run in theirs))
        p50 = tuple(run.percentile(0.5) * 1000 for run in ours)
        yield Figure("    p50", p50, unit=" ms")
        for whose, turns in (("", self.product), (" of the yardstick", self.yardstick)):
            cpu = tuple(seconds * 1000 for seconds in turns.cpu)
            yield Figure(f"    the server's own work a request{whose}", cpu, unit=" ms")


def postgresql_figures(server: str, rounds: int) -> Iterator[Figure]:
    """Create, read and list on PostgreSQL, then start-up and memory."""
    creates = _creates(rounds) * 2 + PLANS_READ
    with new_database(server) as url, ExitStack() as stack:
        prepared = prepare(url, patients=creates + 100)
        given = stack.enter_context(_saved(prepared))
        product = stack.enter_context(served(prepared.url))
        bare = stack.enter_context(_yardstick("postgresql", given))
        plain = stack.enter_context(_yardstick("fastapi", given))
        patients = iter(prepared.patient_ids)
        plan_ids = _make_plans(product, patients, prepared.session)
        # As a server does by itself when tables have grown: plans made for empty ones are not kept.
        asyncio.run(execute(url, "VACUUM ANALYZE"))

        def creating(count: int) -> Sequence[bytes]:
            return _creating(patients, prepared.session, count)

        reading = _asking(*(f"/v1/plans/{id_}" for id_ in plan_ids))
        over_fhir = _asking(*(f"/fhir/R4/CarePlan/{id_}" for id_ in plan_ids))
        listing, waiting = _asking(PAGE), _asking(WORKLIST)
        found = _in_turns(product, bare, creating, CREATES, rounds, expect=201)
        yield from found.figures("POST /v1/plans", "yardstick", 0.35, 0.6)
        found = _in_turns(product, plain, reading, READS, rounds, expect=200)
        yield from found.figures("GET /v1/plans/{id}", "plain FastAPI route", 0.22, 0.45)
        found = _in_turns(product, bare, listing, PAGES, rounds, expect=200)
        yield from found.figures("plan list page of 50", "yardstick", 0.35, 0.6)
        found = _in_turns(product, bare, waiting, PAGES, rounds, expect=200)
        yield from found.figures("worklist page of 50", "yardstick", 0.35, 0.6)
        memory = product.resident_mebibytes()
        found = _in_turns(product, product, over_fhir, READS, rounds, expect=200, instead=reading)
        yield from found.figures("GET /fhir/R4/CarePlan/{id}", "GET /v1/plans/{id}", 0.6, 0.8)
        memory_with_fhir = product.resident_mebibytes()
        asyncio.run(_check_rows(url))
        starts = tuple(_start(prepared.url) for _ in range(STARTS))
        yield Figure("ready to serve", starts, 1.0, 0.6, most=True, unit=" s")
        yield Figure("resident memory", (memory,), 100, 80, most=True, unit=" MiB")
        yield Figure("    once FHIR is called", (memory_with_fhir,), unit=" MiB")


def _asking(*paths: str) -> Callable[[int], Sequence[bytes]]:
    """So many requests, for one after the other of these."""
    return lambda count: [get(paths[n % len(paths)]) for n in range(count)]


def sqlite_figures(rounds: int) -> Iterator[Figure]:
    """Create on SQLite."""
    with tempfile.TemporaryDirectory(prefix="regimen-bench-") as folder, ExitStack() as stack:
        url = f"sqlite+aiosqlite:///{folder}/regimen.db"
        prepared = prepare(url, patients=_creates(rounds) * 2 + 100)
        given = stack.enter_context(_saved(prepared))
        product = stack.enter_context(served(prepared.url))
        inline = stack.enter_context(_yardstick("sqlite", given))
        patients = iter(prepared.patient_ids)

        def creating(count: int) -> Sequence[bytes]:
            return _creating(patients, prepared.session, count)

        found = _in_turns(product, inline, creating, CREATES, rounds, expect=201)
        yield from found.figures("POST /v1/plans on SQLite", "inline sqlite3", 0.35, 0.7)


def _creates(rounds: int) -> int:
    return CREATES * rounds + int(CREATES * WARM_UP)


def _creating(patients: Iterator[str], session: date, count: int) -> Sequence[bytes]:
    """Requests for as many plans, each of a patient who has none yet."""
    found = [post("/v1/plans", body_bytes(patient, session)) for patient in islice(patients, count)]
    assert len(found) == count, "too few patients were prepared"
    return found


def _in_turns(
    product: Server,
    yardstick: Server,
    requests: Requests,
    count: int,
    rounds: int,
    *,
    expect: int,
    instead: Requests | None = None,
) -> Measured:
    """A B A B …, after both were warmed up; what begins a round changes with it.

    ``instead`` is what the yardstick is asked for, where that is not the same.
    """
    ours, theirs = Turns(product, [], []), Turns(yardstick, [], [])
    asked = ((ours, requests), (theirs, instead or requests))
    for one, wanted in asked:
        run(one.server.port, wanted(int(count * WARM_UP)), expect=expect)
    gc.disable()
    for number in range(rounds):
        for one, wanted in asked if number % 2 == 0 else asked[::-1]:
            one.run(wanted(count), expect=expect)
    gc.enable()
    return Measured(ours, theirs)


def _make_plans(product: Server, patients: Iterator[str], session: date) -> Sequence[str]:
    """Plans to be read, made through the server, and their ids."""
    run(product.port, _creating(patients, session, PLANS_READ), expect=201)
    ids: list[str] = []
    path: str | None = "/v1/plans?limit=200"
    connection = http.client.HTTPConnection("localhost", product.port)
    while path is not None and len(ids) < PLANS_READ:
        connection.request("GET", path)
        page = json.loads(connection.getresponse().read())
        ids += [plan["id"] for plan in page["items"]]
        path = f"/v1/plans?limit=200&cursor={page['next']}" if page["next"] else None
    connection.close()
    return ids


def _start(url: str) -> float:
    with served(url) as server:
        return server.ready_after


def served(url: str) -> AbstractContextManager[Server]:
    # Eight clients ask as fast as they can, and the yardsticks write no log either.
    limits = {"REGIMEN_RATE_LIMIT": "0", "REGIMEN_LOG_LEVEL": "warning"}
    settings = {"REGIMEN_DATABASE_URL": url, "REGIMEN_PORT": "{port}", **limits}
    return running(["app", "serve"], settings)


def _yardstick(name: str, captures: Path) -> AbstractContextManager[Server]:
    environ: Mapping[str, str] = {capturing.VARIABLE: str(captures)}
    return running(_uvicorn(f"tests.benchmarks.yardstick_{name}"), environ)


def _uvicorn(module: str) -> list[str]:
    options = (
        "--host 127.0.0.1 --port {port} --loop uvloop --http httptools "
        "--no-access-log --log-level warning --no-server-header"
    )
    return ["uvicorn", "--factory", f"{module}:create", *options.split()]


@contextmanager
def _saved(prepared: Prepared) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="regimen-bench-") as folder:
        path = Path(folder) / "captures"
        prepared.captures.save(path)
        yield path


@contextmanager
def new_database(server: str) -> Iterator[str]:
    name = "regimen_benchmark"
    asyncio.run(execute(server, f"CREATE DATABASE {name}"))
    try:
        url = make_url(driver_url(server)).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server.replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _check_rows(url: str) -> None:
    """Product and yardstick stored the same: eight steps, a revision, an event for each plan."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        plans = await connection.fetchval("SELECT count(*) FROM plans")
        steps = await connection.fetchval("SELECT count(*) FROM planned_steps")
        revisions = await connection.fetchval("SELECT count(*) FROM plan_revisions")
        events = await connection.fetchval("SELECT count(*) FROM events WHERE plan_id IS NOT NULL")
    finally:
        await connection.close()
    assert (steps, revisions, events) == (8 * plans, plans, plans)
