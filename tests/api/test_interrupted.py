"""Requests that store, interrupted wherever they wait: whole or not at all, and to be repeated."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from asyncpg import Connection
from asyncpg.prepared_stmt import PreparedStatement

from app.api.deps import open_context, open_keys_context, open_secret_context, write_contexts
from app.api.fhir.application import interactions
from app.api.routing import Route
from app.main import ROUTERS
from app.persistence.lending import CountingPool
from app.persistence.sqlite_driver import SqliteConnection, SqliteCursor
from tests.api.given_plans import Desk
from tests.api.given_storing import Making, Request
from tests.api.given_storing_apart import STORING

pytestmark = pytest.mark.deep
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
FEW = ("change_plan", "create_plan", "upsert_patient", "create_closure", "Patient.create")
ALL = tuple(STORING) if DEEP else FEW
FAILING = ALL if DEEP else FEW[:2]
MORE = ("change_plan", "create_closure", "report_event", "create_protocol", "Bundle.transaction")
POSTED_OFTEN = ("create_plan", "upsert_patient", *(MORE if DEEP else ()))
# Through these goes everything that the drivers are asked.
ASKED = (
    (SqliteCursor, "execute"),
    (SqliteConnection, "commit"),
    (SqliteConnection, "execute"),
    (SqliteConnection, "fetch"),
    (SqliteConnection, "executemany"),
    (Connection, "execute"),
    (Connection, "fetch"),
    (PreparedStatement, "fetch"),
    (PreparedStatement, "executemany"),
)


def is_good(status: int | None) -> bool:
    """Whether the request was stored and its client was told."""
    return status is not None and 200 <= status < 300


def test_every_operation_that_stores_is_tried() -> None:
    opening = {open_context, open_keys_context, open_secret_context, write_contexts}
    native = {
        route.operation_id
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, Route) and opening & _calls(route.completed().dependant)
    }
    fhir = {f"{one.face.type}.{one.code}" for one in interactions() if one.face and one.writes}
    others = {"issue_token", "Bundle.transaction"}

    assert set(STORING) == native | fhir | others


def _calls(dependant: Any) -> set[Any]:
    return {dependant.call}.union(*(_calls(below) for below in dependant.dependencies))


async def once(desk: Desk, make: Making) -> tuple[int, dict[str, int]]:
    """The status of a request, and what it changes."""
    request = await make(desk)
    before = await request.rows()
    status = await request.send()
    assert status is not None
    assert is_good(status), status
    return status, await request.difference(before)


async def interrupted(request: Request, before: dict[str, int], whole: dict[str, int]) -> None:
    """What was interrupted is there as a whole or not at all, and the request can be repeated."""
    assert await request.is_at_rest()
    found = await request.difference(before)
    assert found in ({}, whole)
    again = await request.send()
    if request.is_repeatable or not found:
        assert is_good(again), again
    else:
        assert again is not None
        assert again < 500
    # What is done without a key may be done a second time, where its client was not told.
    if request.is_repeatable or not found or not is_good(again):
        done = await request.difference(before)
        # Lines that are told again are accounted for again.
        assert done == whole or (found and done == {**whole, "access_waiting": 2})


@pytest.mark.parametrize("name", ALL)
async def test_cancelled_at_any_await_it_is_whole_or_not_at_all(own_desk: Desk, name: str) -> None:
    make = STORING[name]
    _, whole = await once(own_desk, make)

    for at in count(1):
        request = await make(own_desk)
        before = await request.rows()
        status = await request.send(interrupted_at=at)

        await interrupted(request, before, whole)
        if status is not None:
            break
    assert at > 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ALL)
async def test_failing_as_a_disk_does_nothing_is_stored(
    own_desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = await once(own_desk, STORING[name])

    for at in count(1):
        request = await STORING[name](own_desk)
        before = await request.rows()
        with monkeypatch.context() as patched:
            left = failing_at(patched, at)
            status = await request.send()

        if not left.failed:
            assert is_good(status)
            break
        assert status in {500, 503} or name == "create_plans"
        assert await request.difference(before) == {}
        await interrupted(request, before, whole)
    assert at > 3


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", FAILING)
async def test_failing_beside_any_statement_it_is_whole_or_not_at_all(
    own_desk: Desk, name: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = await once(own_desk, STORING[name])

    for at in count(1):
        request = await STORING[name](own_desk)
        before = await request.rows()
        with monkeypatch.context() as patched:
            asked = failing_beside(patched, at, moment)
            status = await request.send()

        if next(asked) <= at:
            assert is_good(status)
            break
        assert is_good(status) or status in {None, 500, 503}
        await interrupted(request, before, whole)
    assert at > 3


class Failed(Exception):
    """Something that nobody foresaw."""


def failing_beside(patched: pytest.MonkeyPatch, at: int, moment: str) -> Iterator[int]:
    """Let something fail before or after a statement of either driver, the first and the last ones
    of a transaction among them, or before a connection is had; counts them.
    """
    numbers = count(1)

    def failing(asked: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*args: Any, **options: Any) -> Any:
            is_turn = next(numbers) == at
            if is_turn and moment == "before":
                raise Failed
            answer = await asked(*args, **options)
            if is_turn:
                raise Failed
            return answer

        return ask

    def get(pool: CountingPool) -> Any:
        if next(numbers) == at:
            raise Failed
        return had(pool)

    for owner, name in ASKED:
        patched.setattr(owner, name, failing(getattr(owner, name)))
    had = CountingPool._do_get
    patched.setattr(CountingPool, "_do_get", get)
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

    def failing(asked: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*args: Any) -> Any:
            left.take()
            return await asked(*args)

        return ask

    for owner, name in ASKED:
        if owner in {SqliteCursor, SqliteConnection}:
            patched.setattr(owner, name, failing(getattr(owner, name)))
    return left


@pytest.mark.parametrize("name", POSTED_OFTEN)
async def test_fifty_equal_posts_are_one(own_desk: Desk, name: str) -> None:
    _, whole = await once(own_desk, STORING[name])
    request = await STORING[name](own_desk)
    before = await request.rows()

    async def post() -> Any:
        return await own_desk.api.post(request.path, json=request.body, headers=request.headers)

    answers = await asyncio.gather(*(post() for _ in range(50)))
    while any(answer.status_code in {409, 503} for answer in answers):
        answers = [
            await post() if answer.status_code in {409, 503} else answer for answer in answers
        ]

    (told,) = {
        (answer.status_code, answer.content, answer.headers.get("location"),
         answer.headers.get("etag"))
        for answer in answers
    }  # fmt: skip
    assert is_good(told[0])
    assert await request.difference(before) == whole
