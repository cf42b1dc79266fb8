"""How much is taken on: at once over all, and a minute from each caller."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from app.api.limits import (
    CREDENTIAL,
    STOPPING,
    WAITING_PER_PLACE,
    InFlight,
    RateLimit,
    place_given_up,
)
from app.main import create_app
from app.settings import Settings
from tests.client import client_of


@dataclass(slots=True)
class Clock:
    """A clock that somebody turns."""

    now: float = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@dataclass(slots=True)
class Desk:
    """An application whose requests end when they are told to."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    waited: list[bool] = field(default_factory=list)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Wait, as a request does for its turn or for something to happen."""
        if scope["path"] == "/wait":
            async with place_given_up(scope) as is_room:
                self.waited.append(is_room)
                if is_room:
                    await self.go_on.wait()
        elif scope["path"] == "/work":
            await self.go_on.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask(app: Any, path: str = "/", **scope: Any) -> tuple[int, dict[str, str]]:
    """One request: its status and headers."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    request = {"type": "http", "method": "GET", "path": path, "headers": [], **scope}
    await app(request, None, send)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers


async def begun(*requests: "asyncio.Task[Any]") -> None:
    """Let requests run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(request.done() for request in requests)


async def test_who_finds_no_place_is_asked_to_come_back_at_once() -> None:
    desk = Desk()
    places = InFlight(desk, most=2)
    working = [asyncio.create_task(ask(places, "/work")) for _ in range(2)]
    await begun(*working)

    status, headers = await ask(places)

    assert (status, headers["retry-after"]) == (503, "2")
    assert places.under_way == 2
    desk.go_on.set()
    assert [status for status, _ in await asyncio.gather(*working)] == [204, 204]
    assert (await ask(places))[0] == 204
    assert places.under_way == 0


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_operators_are_always_answered(path: str) -> None:
    desk, clock = Desk(), Clock()
    layers = InFlight(RateLimit(desk, 1, clock), most=1)
    working = asyncio.create_task(ask(layers, "/work"))
    await begun(working)

    assert (await ask(layers, path))[0] == 204

    desk.go_on.set()
    await working


async def test_who_waits_for_something_to_happen_takes_nobodys_place() -> None:
    desk = Desk()
    places = InFlight(desk, most=1)
    waiting = [asyncio.create_task(ask(places, "/wait")) for _ in range(WAITING_PER_PLACE)]
    await begun(*waiting)

    assert (await ask(places))[0] == 204

    desk.go_on.set()
    assert {status for status, _ in await asyncio.gather(*waiting)} == {204}
    assert places.under_way == 0


async def test_where_too_many_wait_already_nobody_else_does() -> None:
    desk = Desk()
    places = InFlight(desk, most=1)
    waiting = [asyncio.create_task(ask(places, "/wait")) for _ in range(WAITING_PER_PLACE)]
    await begun(*waiting)

    assert (await ask(places, "/wait"))[0] == 204

    assert desk.waited == [True] * WAITING_PER_PLACE + [False]
    desk.go_on.set()
    await asyncio.gather(*waiting)


async def test_without_places_there_is_room_for_everybody() -> None:
    async with place_given_up({"type": "http"}) as is_room:
        assert is_room


async def test_a_caller_may_send_so_many_a_minute_and_no_more() -> None:
    clock = Clock()
    limit = RateLimit(Desk(), 3, clock)

    answers = [await ask(limit) for _ in range(4)]

    assert [status for status, _ in answers] == [204, 204, 204, 429]
    assert [headers["ratelimit"] for _, headers in answers] == [
        '"caller";r=2;t=20',
        '"caller";r=1;t=40',
        '"caller";r=0;t=60',
        '"caller";r=0;t=60',
    ]
    assert {headers["ratelimit-policy"] for _, headers in answers} == {'"caller";q=3;w=60'}
    assert answers[-1][1]["retry-after"] == "20"


async def test_retry_after_tells_when_the_next_request_is_taken() -> None:
    clock = Clock()
    limit = RateLimit(Desk(), 3, clock)
    for _ in range(3):
        await ask(limit)
    _, headers = await ask(limit)

    clock.now += int(headers["retry-after"]) - 1
    early, _ = await ask(limit)
    clock.now += 1
    in_time, _ = await ask(limit)

    assert (early, in_time) == (429, 204)


async def test_a_minute_of_silence_fills_the_bucket_and_no_more() -> None:
    clock = Clock()
    limit = RateLimit(Desk(), 3, clock)
    for _ in range(4):
        await ask(limit)

    clock.now += 600

    assert [(await ask(limit))[0] for _ in range(4)] == [204, 204, 204, 429]


@pytest.mark.parametrize(
    "one, other",
    [
        pytest.param({CREDENTIAL: "a"}, {CREDENTIAL: "b"}, id="credentials"),
        pytest.param({"client": ("10.0.0.1", 1)}, {"client": ("10.0.0.2", 1)}, id="addresses"),
        pytest.param({"client": ("10.0.0.1", 1)}, {}, id="no address"),
        pytest.param(
            {"client": ("10.0.0.1", 1)},
            {"client": ("10.0.0.1", 1), CREDENTIAL: "a"},
            id="a credential before its address",
        ),
    ],
)
async def test_one_caller_does_not_use_up_anothers(one: Any, other: Any) -> None:
    limit = RateLimit(Desk(), 1, Clock())

    assert [(await ask(limit, **one))[0] for _ in range(2)] == [204, 429]
    assert (await ask(limit, **other))[0] == 204


async def test_a_credential_is_the_same_caller_from_everywhere() -> None:
    limit = RateLimit(Desk(), 1, Clock())
    here: Any = {CREDENTIAL: "a", "client": ("10.0.0.1", 1)}
    await ask(limit, **here)

    status, _ = await ask(limit, **{**here, "client": ("10.0.0.2", 1)})

    assert status == 429


async def test_a_crowd_of_callers_is_not_remembered_for_ever() -> None:
    clock = Clock()
    limit = RateLimit(Desk(), 1, clock)
    for number in range(10_000):
        await ask(limit, client=(f"silent {number}", 1))
    clock.now += 61

    await ask(limit, client=("busy", 1))

    assert (await ask(limit, client=("busy", 1)))[0] == 429
    assert (await ask(limit, client=("silent 1", 1)))[0] == 204
    assert len(limit.allowance) == 2


@pytest.fixture
async def strict_app(sqlite_url: str) -> FastAPI:
    """An application that takes one request a minute from a caller."""
    return create_app(Settings(database_url=sqlite_url, rate_limit=1))


async def test_too_many_requests_are_refused_as_documented(strict_app: FastAPI) -> None:
    async with client_of(strict_app) as api:
        first = await api.get("/v1/patients")
        second = await api.get("/v1/patients")
        health = await api.get("/health/live")
    await strict_app.state.database.dispose()

    assert (first.status_code, first.headers["ratelimit"]) == (200, '"caller";r=0;t=60')
    assert (second.status_code, second.json()["type"]) == (429, "rate-exceeded")
    assert re.fullmatch("[1-9][0-9]?", second.headers["retry-after"])
    assert health.status_code == 200


async def test_a_browser_may_read_that_it_asked_too_often(sqlite_url: str) -> None:
    desk = "https://desk.clinic.example"
    app = create_app(Settings(database_url=sqlite_url, rate_limit=1, allowed_origins=(desk,)))

    async with client_of(app) as api:
        for _ in range(2):
            answer = await api.get("/v1/patients", headers={"Origin": desk})
    await app.state.database.dispose()

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (429, desk)
    assert "RateLimit" in answer.headers["access-control-expose-headers"]


async def test_a_service_that_stops_does_not_wait_for_events(sqlite_url: str) -> None:
    app = create_app(Settings(database_url=sqlite_url))

    async def stopping(scope: Scope, receive: Receive, send: Send) -> None:
        scope[STOPPING] = True
        await app(scope, receive, send)

    async with client_of(stopping) as api:  # type: ignore[arg-type] # any ASGI application will do
        async with asyncio.timeout(5):
            answer = await api.get("/v1/events", params={"wait": 25})
    await app.state.database.dispose()

    assert answer.json() == {"items": [], "last": 0}
