"""Bulk while things go wrong: a client that is gone, a killed server, others in the way."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from app.api.plans import bulk as api_bulk
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.columns import UnstorableValue
from app.persistence.plans.bulk import BulkRepository, OvertakenMeanwhile, ReadyPlans
from app.settings import Settings
from tests.api.given_bulk import BULK, FEW, bodies, body_of, bulk, summary
from tests.api.given_plans import Data, Desk, a_desk, good, make_clinic
from tests.client import client_of
from tests.processes import PATIENCE_SECONDS, Running, environ, regimen, running

pytestmark = pytest.mark.long

LINES = 600
PATIENTS = 60


class Talk:
    """A connection on which a body is sent and its results are read as both come."""

    def __init__(self, place: str, length: int) -> None:
        parts = urlsplit(place)
        self.socket = socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS)
        head = f"POST {BULK} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        self.socket.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def results(self) -> Iterator[Data]:
        """Every result that still comes; the chunks' sizes between them are passed over."""
        try:
            for line in self._file:
                if line.startswith(b"{"):
                    yield json.loads(line)
                elif line == b"0\r\n":
                    return
        except OSError:
            return


@contextmanager
def served(url: str, folder: Path) -> Iterator[tuple[Running, str]]:
    """A server of its own process, and where it is."""
    environment = environ(REGIMEN_DATABASE_URL=url)
    with running(regimen("serve", "--port", "0"), cwd=folder, env=environment) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        yield server, place


async def make_lines(url: str, count: int) -> list[Data]:
    """A clinic with some patients, and lines under keys of their own."""
    app = create_app(Settings(database_url=url, pool_size=4))
    async with client_of(app) as api:
        await make_clinic(app)
        desk = await a_desk(app, api)
        patients = [await desk.patient() for _ in range(min(count, PATIENTS))]
        lines = [
            desk.body(
                patient={"id": patients[n % PATIENTS]},
                parameters=FEW,
                status="draft",
                idempotency_key=f"row-{n}",
            )
            for n in range(count)
        ]
    await app.state.database.dispose()
    return lines


async def count_plans(url: str) -> Counter[str]:
    """How many rows there are of what makes a plan."""
    app = create_app(Settings(database_url=url, pool_size=4))
    found: Counter[str] = Counter()
    async with app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        for table in ("plans", "plan_revisions", "idempotency_keys"):
            counted = await connection.execute(text(f"SELECT count(*) FROM {table}"))
            found[table] = counted.scalar_one()
    await app.state.database.dispose()
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def test_a_killed_server_has_stored_what_it_told_and_the_rest_is_done_when_sent_again(
    url: str, tmp_path: Path
) -> None:
    body = body_of(asyncio.run(make_lines(url, LINES)))
    told: list[Data] = []

    with served(url, tmp_path) as (server, place):
        with Talk(place, len(body)) as talk:
            talk.socket.sendall(body)
            for result in talk.results():
                if not told:
                    server.process.send_signal(SIGKILL)
                told.append(result)
        server.process.wait()
    after_kill = asyncio.run(count_plans(url))
    with served(url, tmp_path) as (_, place), Talk(place, len(body)) as talk:
        talk.socket.sendall(body)
        *again, last = talk.results()

    assert 0 < len(told) <= after_kill["plans"] < LINES
    assert len(set(after_kill.values())) == 1
    assert [r["id"] for r in again[: len(told)]] == [r["id"] for r in told]
    assert {r["status"] for r in again} == {201}
    replayed = after_kill["plans"]
    assert last == summary(created=LINES - replayed, replayed=replayed)
    assert set(asyncio.run(count_plans(url)).values()) == {LINES}


def test_results_come_while_the_client_is_still_sending(url: str, tmp_path: Path) -> None:
    lines = asyncio.run(make_lines(url, 4))
    body = body_of(lines)

    with served(url, tmp_path) as (_, place), Talk(place, len(body)) as talk:
        results = talk.results()
        heard = []
        for line in lines:
            talk.socket.sendall(body_of([line]))
            heard.append(next(results))

        assert [r["line"] for r in heard] == [1, 2, 3, 4]
        assert next(results) == summary(created=4)


@pytest.mark.parametrize("sent", [1.0, 0.5], ids=["all sent", "half sent"])
def test_a_client_that_is_gone_leaves_whole_plans_and_a_service_that_serves(
    url: str, tmp_path: Path, sent: float
) -> None:
    body = body_of(asyncio.run(make_lines(url, LINES)))

    with served(url, tmp_path) as (server, place):
        with Talk(place, len(body)) as talk:
            talk.socket.sendall(body[: int(len(body) * sent)])
            first = next(talk.results())
        with Talk(place, len(body)) as talk:
            talk.socket.sendall(body)
            *again, last = talk.results()

    assert again[0] == {**first, "replayed": True}
    assert last["summary"]["refused"] == 0
    assert last["summary"]["created"] + last["summary"]["replayed"] == LINES
    assert set(asyncio.run(count_plans(url)).values()) == {LINES}
    assert "error" not in "".join(server.said).lower()


async def test_the_loop_serves_others_while_plans_are_computed(desk: Desk) -> None:
    asked = [desk.body(status="draft") for _ in range(100)]
    gaps = [0.0]
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            begin = monotonic()
            await asyncio.sleep(0.001)
            gaps.append(monotonic() - begin)

    ticking = asyncio.create_task(tick())
    begin = monotonic()
    await bulk(desk, *asked)
    whole = monotonic() - begin
    done.set()
    await ticking

    assert max(gaps) < whole / 2
    assert len(gaps) > 20


async def test_a_transaction_ends_when_its_time_is_up_and_the_rest_goes_on_in_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.plans.bulk.MAX_SECONDS", 0)
    commits = []
    engine = desk.app.state.database.write.sync_engine
    first, second = await bodies(desk, 2)

    def note(connection: Any) -> None:
        commits.append(connection)

    event.listen(engine, "commit", note)
    *results, last = await bulk(desk, first, b"{", second)
    event.remove(engine, "commit", note)

    assert [(r["line"], r["status"]) for r in results] == [(1, 201), (2, 400), (3, 201)]
    assert last == summary(created=2, refused=1)
    assert len(commits) == 2


async def test_who_holds_a_patient_for_long_is_waited_for_and_then_told(own_desk: Desk) -> None:
    database = own_desk.app.state.database
    if database.write.dialect.name == "sqlite":
        holding = "UPDATE clinics SET name = name"
    else:
        holding = "SELECT id FROM patients FOR UPDATE"

    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(text(holding))
        refused, last = await bulk(own_desk, own_desk.body())

    assert refused["status"] == 503
    assert refused["problem"]["type"] in {"contended", "overloaded"}
    assert last == summary(refused=1)
    assert (await bulk(own_desk, own_desk.body()))[0]["status"] == 201


async def test_what_is_overtaken_is_done_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = await bodies(desk, 2, identifiers=[{"system": "urn:x", "value": desk.patient_id}])
    looked = BulkRepository.taken
    others = [asked[0]]

    async def overtaken(self: BulkRepository, identifiers: Any) -> Any:
        found = await looked(self, identifiers)
        if others and self._connection.dialect.name == "postgresql":
            await good(desk.post(others.pop()))
        return found

    monkeypatch.setattr(BulkRepository, "taken", overtaken)

    refused, _ = await bulk(desk, asked[1])

    if not others:
        assert (refused["status"], refused["problem"]["type"]) == (409, "plan-identifier-taken")
    else:
        assert refused["status"] == 201


@pytest.mark.parametrize(
    "error, kind, tries",
    [
        pytest.param(OvertakenMeanwhile("again"), "contended", 3, id="overtaken again"),
        pytest.param(ConnectionError(), "overloaded", 1, id="no database"),
        pytest.param(
            OperationalError("", None, Exception("the disk is full")),
            "unexpected-error",
            1,
            id="unforeseen",
        ),
    ],
)
async def test_a_chunk_that_cannot_be_stored_is_told_line_by_line(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: str,
    tries: int,
) -> None:
    before = await desk.rows()
    adding = BulkRepository.add
    tried = []

    async def broken(self: BulkRepository, plans: ReadyPlans) -> None:
        await adding(self, plans)
        tried.append(plans)
        raise error

    monkeypatch.setattr(BulkRepository, "add", broken)

    first, bad, second, last = await bulk(
        desk, desk.body(parameters=FEW, idempotency_key=desk.patient_id), b"{", desk.body()
    )

    assert [r["problem"]["type"] for r in (first, bad, second)] == [kind, "malformed-body", kind]
    assert first["status"] == (500 if kind == "unexpected-error" else 503)
    assert "disk" not in str(first)
    assert last == summary(refused=3)
    assert len(tried) == tries
    assert await desk.rows() == before


async def test_a_line_nobody_foresaw_spoils_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding = ReadyPlans.add
    errors: list[Exception] = [UnstorableValue("not this"), RuntimeError("nor that")]

    def broken(self: ReadyPlans, *args: Any) -> None:
        if errors:
            raise errors.pop(0)
        adding(self, *args)

    monkeypatch.setattr(ReadyPlans, "add", broken)

    first, second, third, _ = await bulk(desk, *await bodies(desk, 3))

    assert [r["status"] for r in (first, second, third)] == [422, 500, 201]
    assert "nor that" not in str(second)


async def test_few_statements_store_many_plans(desk: Desk) -> None:
    asked = await bodies(desk, 20)
    keyed = [{**line, "idempotency_key": f"{desk.patient_id}-{n}"} for n, line in enumerate(asked)]
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    *_, last = await bulk(desk, *keyed)
    event.remove(Engine, "before_cursor_execute", note)

    assert last == summary(created=20)
    assert len(statements) <= api_bulk.ATTEMPTS * 6, statements
