"""Requests that store, interrupted wherever they wait: whole or not at all, and to be repeated."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from asyncpg import Connection
from asyncpg.prepared_stmt import PreparedStatement
from fastapi import FastAPI
from sqlalchemy import func, literal, select, union_all

from app.persistence.sqlite_driver import SqliteConnection, SqliteCursor
from app.persistence.tables import Row
from tests.api.given_plans import Data, Desk

# Nobody waits longer for anything that a request of these does.
PATIENCE_SECONDS = 10

_keys = count(1)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Awaits something and cancels its task at the time it waits for something else."""

    work: Coroutine[Any, Any, None]
    at: int

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self.work.__await__()
        waited = 0
        send: Callable[[Any], Any] = steps.send
        value: Any = None
        while True:
            try:
                awaited = send(value)
            except StopIteration:
                return
            waited += 1
            if waited == self.at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                value = yield awaited
                send = steps.send
            except BaseException as error:  # noqa: BLE001 # handed on to where it belongs
                value, send = error, steps.throw


@dataclass(slots=True)
class Request:
    """A POST that can be sent again as it is."""

    app: FastAPI
    path: str
    body: Data
    headers: dict[str, str] = field(default_factory=dict)
    key: str = field(default_factory=lambda: f"interrupted-{next(_keys)}")

    async def send(self, *, interrupted_at: int = 0) -> int | None:
        """Its status; none where it was interrupted before it was answered."""
        sent: list[Any] = []
        body = json.dumps(self.body).encode()

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = {
            "host": "localhost",
            "content-type": "application/json",
            "idempotency-key": self.key,
            **self.headers,
        }
        scope = {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }

        async def run() -> None:
            await Interrupted(self.app(scope, receive, send), interrupted_at)

        task = asyncio.create_task(run())
        await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        assert task.done()
        if task.cancelled():
            return None
        task.result()
        return int(sent[0]["status"]) if sent else None


async def rows(app: FastAPI) -> dict[str, int]:
    """How many rows every table has."""
    tables = Row.metadata.sorted_tables
    counts = (
        select(literal(table.name), select(func.count()).select_from(table).scalar_subquery())
        for table in tables
    )
    async with app.state.database.reading(app.state.clinic_id) as connection:
        found = (await connection.execute(union_all(*counts))).all()
        return {str(name): int(number) for name, number in found}


async def a_change(desk: Desk) -> Request:
    """A report to a plan of its own."""
    plan = await desk.plan(patient={"id": await desk.patient()})
    changes: list[Data] = [
        {"type": "report", "agent": "ibuprofen", "on": "2027-01-02"},
        {"type": "move_anchor", "to": "2027-03-11"},
    ]
    address = f"/v1/plans/{plan['id']}/changes"
    return Request(desk.app, address, {"changes": changes}, {"if-match": '"1"'})


async def a_plan(desk: Desk) -> Request:
    """A plan of its own patient."""
    patient = {"id": await desk.patient()}
    return Request(desk.app, "/v1/plans", desk.body(patient=patient))


async def a_patient(desk: Desk) -> Request:
    """A patient with an identifier."""
    identifier = {"system": "urn:interrupted", "value": f"I-{next(_keys)}"}
    return Request(desk.app, "/v1/patients", {"identifiers": [identifier]})


async def a_location(desk: Desk) -> Request:
    """A location."""
    body = {"name": "West", "time_zone": "America/Denver", "open_weekdays": [2, 3]}
    return Request(desk.app, "/v1/locations", body)


async def a_closure(desk: Desk) -> Request:
    """A closure, which makes a batch."""
    day = (date(2028, 1, 3) + timedelta(days=next(_keys))).isoformat()
    days = {"from": day, "to": day}
    body = {"location_id": desk.location_id, "title": f"Flood {next(_keys)}", **days}
    return Request(desk.app, "/v1/closures", body)


async def an_absence(desk: Desk) -> Request:
    """Days on which the patient is away."""
    address = f"/v1/patients/{desk.patient_id}/unavailability"
    return Request(desk.app, address, {"from": "2028-01-03", "to": "2028-01-04"})


async def a_report(desk: Desk) -> Request:
    """What happened to the patient elsewhere."""
    address = f"/v1/patients/{desk.patient_id}/events"
    return Request(desk.app, address, {"agent": "steroid", "on": "2027-01-02"})


async def a_protocol(desk: Desk) -> Request:
    """A protocol's first draft."""
    timing = {"relative_to": "plan_start", "target": "P1D"}
    step = {"key": "visit", "kind": "visit", "title": "Visit", "timings": [timing]}
    key = f"interrupted-{next(_keys)}"
    return Request(
        desk.app,
        "/v1/protocols",
        {"format": 1, "key": key, "version": "1.0.0", "title": "Visit", "steps": [step]},
    )


STORING = (
    a_change, a_plan, a_patient, a_location, a_closure, an_absence, a_report, a_protocol,
)  # fmt: skip
pytestmark = pytest.mark.deep
# With the others it takes the same way.
# Through these goes everything that the drivers are asked.
ASKED = (
    (SqliteCursor, "execute"),
    (SqliteConnection, "commit"),
    (Connection, "execute"),
    (Connection, "fetch"),
    (PreparedStatement, "fetch"),
    (PreparedStatement, "executemany"),
)
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
POSTED_OFTEN = STORING if DEEP else STORING[1:3]
FAILING = STORING if DEEP else STORING[:2]
Making = Callable[[Desk], Coroutine[Any, Any, Request]]


def is_good(status: int | None) -> bool:
    """Whether the request was stored and its client was told."""
    return status is not None and 200 <= status < 300


async def difference(app: FastAPI, before: dict[str, int]) -> dict[str, int]:
    """What tables have more rows than before."""
    now = await rows(app)
    return {name: number - before[name] for name, number in now.items() if number != before[name]}


@pytest.mark.parametrize("make", STORING, ids=lambda make: make.__name__)
async def test_cancelled_at_any_await_it_is_whole_or_not_at_all(desk: Desk, make: Making) -> None:
    request = await make(desk)
    before = await rows(desk.app)
    status = await request.send()
    assert is_good(status)
    whole = await difference(desk.app, before)

    for at in count(1):
        request = await make(desk)
        before = await rows(desk.app)
        interrupted = await request.send(interrupted_at=at)

        assert desk.app.state.database.pool_use().in_use == 0
        assert await difference(desk.app, before) in ({}, whole), at
        again = await request.send()
        assert again == status, at
        assert await difference(desk.app, before) == whole, at
        if interrupted is not None:
            break
    assert at > 2


async def test_failing_at_any_statement_nothing_is_stored(
    plans_sqlite_url: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not desk.app.state.database.is_one_file:
        pytest.skip("PostgreSQL fails as a whole: its server is killed by another test")
    for make in STORING:
        for at in count(1):
            request = await make(desk)
            before = await rows(desk.app)
            with monkeypatch.context() as patched:
                left = failing_at(patched, at)
                status = await request.send()

            if not left.failed:
                assert is_good(status)
                break
            assert status in {500, 503}, (make.__name__, at)
            assert desk.app.state.database.pool_use().in_use == 0
            assert await difference(desk.app, before) == {}, (make.__name__, at)
            assert is_good(await request.send()), (make.__name__, at)
        assert at > 3


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("make", FAILING, ids=lambda make: make.__name__)
async def test_failing_beside_any_statement_it_is_whole_or_not_at_all(
    desk: Desk, make: Making, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await make(desk)
    empty = await rows(desk.app)
    assert is_good(await request.send())
    whole = await difference(desk.app, empty)

    for at in count(1):
        request = await make(desk)
        before = await rows(desk.app)
        with monkeypatch.context() as patched:
            asked = failing_beside(patched, at, moment)
            status = await request.send()

        assert desk.app.state.database.pool_use().in_use == 0
        assert await difference(desk.app, before) in ({}, whole), at
        if next(asked) <= at:
            assert is_good(status)
            break
        assert is_good(status) or status in {500, 503}, at
        assert is_good(await request.send()), at
        assert await difference(desk.app, before) == whole, at
    assert at > 3


class Failed(Exception):
    """Something that nobody foresaw."""


def failing_beside(patched: pytest.MonkeyPatch, at: int, moment: str) -> Iterator[int]:
    """Let something fail before or after a statement of either driver; counts them."""
    numbers = count(1)

    def failing(asked: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*args: Any, **options: Any) -> Any:
            # Where a transaction cannot begin the connection is lost, which is tried elsewhere.
            is_turn = not str(args[1:2]).startswith("('BEGIN") and next(numbers) == at
            if is_turn and moment == "before":
                raise Failed
            answer = await asked(*args, **options)
            if is_turn:
                raise Failed
            return answer

        return ask

    for owner, name in ASKED:
        patched.setattr(owner, name, failing(getattr(owner, name)))
    return numbers


@dataclass(slots=True)
class Left:
    """How many statements are left until one fails."""

    statements: int
    failed: bool = False

    def take(self) -> None:
        """One statement. Raises SQLite's error when it is its turn."""
        self.statements -= 1
        if self.statements == 0:
            self.failed = True
            raise sqlite3.OperationalError("disk I/O error")


def failing_at(patched: pytest.MonkeyPatch, at: int) -> Left:
    """Let a statement, or the commit, fail as a disk does."""
    left = Left(at)
    execute, commit = SqliteCursor.execute, SqliteConnection.commit

    async def failing_execute(self: SqliteCursor, *args: Any) -> None:
        left.take()
        await execute(self, *args)

    async def failing_commit(self: SqliteConnection) -> None:
        left.take()
        await commit(self)

    patched.setattr(SqliteCursor, "execute", failing_execute)
    patched.setattr(SqliteConnection, "commit", failing_commit)
    return left


@pytest.mark.parametrize("make", POSTED_OFTEN, ids=lambda make: make.__name__)
async def test_fifty_equal_posts_are_one(desk: Desk, make: Making) -> None:
    request = await make(desk)
    before = await rows(desk.app)
    headers = {"Idempotency-Key": request.key, **request.headers}

    answers = await asyncio.gather(
        *(desk.api.post(request.path, json=request.body, headers=headers) for _ in range(50))
    )
    while any(answer.status_code in {409, 503} for answer in answers):
        answers = [
            await desk.api.post(request.path, json=request.body, headers=headers)
            if answer.status_code in {409, 503}
            else answer
            for answer in answers
        ]

    (told,) = {
        (answer.status_code, answer.content, answer.headers.get("location"),
         answer.headers.get("etag"))
        for answer in answers
    }  # fmt: skip
    assert is_good(told[0])
    fifty = await difference(desk.app, before)
    other = await make(desk)
    before = await rows(desk.app)
    assert is_good(await other.send())
    assert await difference(desk.app, before) == fifty
