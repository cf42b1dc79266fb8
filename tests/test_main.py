"""How the application is joined: browsers that may call, what happens at start and end."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI

from app.garbage import THRESHOLD
from app.main import create_app
from app.settings import Settings
from tests.client import client_of

DESK = "https://desk.clinic.example"


@pytest.fixture
async def open_to_browsers(sqlite_url: str) -> AsyncIterator[FastAPI]:
    """An application which one browser application may call."""
    app = create_app(Settings(database_url=sqlite_url, allowed_origins=(DESK,)))
    yield app
    await app.state.database.dispose()


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector's settings are put back."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


async def test_an_allowed_origin_may_read_tags_and_links(open_to_browsers: FastAPI) -> None:
    async with client_of(open_to_browsers) as api:
        answer = await api.get("/v1/patients", headers={"Origin": DESK})

    assert answer.headers["access-control-allow-origin"] == DESK
    assert "ETag" in answer.headers["access-control-expose-headers"]


async def test_an_allowed_origin_may_ask_before_it_changes(open_to_browsers: FastAPI) -> None:
    asked = {
        "Origin": DESK,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "If-Match",
    }

    async with client_of(open_to_browsers) as api:
        answer = await api.options("/health/live", headers=asked)

    assert answer.status_code == 200
    assert "PATCH" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"Origin": "https://evil.example"}, id="an origin"),
        pytest.param({"Access-Control-Request-Method": "BREW"}, id="a method"),
        pytest.param({"Access-Control-Request-Headers": "X-Secret"}, id="a header"),
    ],
)
async def test_what_is_not_allowed_is_refused_before_it_is_sent(
    open_to_browsers: FastAPI, wrong: dict[str, str]
) -> None:
    asked = {"Origin": DESK, "Access-Control-Request-Method": "PATCH"} | wrong

    async with client_of(open_to_browsers) as api:
        answer = await api.options("/v1/patients", headers=asked)

    assert (answer.status_code, answer.json()["type"]) == (400, "bad-request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Origin" in answer.headers["vary"]
    assert "evil" not in answer.text + str(answer.headers)


async def test_other_origins_may_not(open_to_browsers: FastAPI) -> None:
    async with client_of(open_to_browsers) as api:
        answer = await api.get("/v1/patients", headers={"Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in answer.headers


async def test_without_allowed_origins_no_browser_may_call(sqlite_url: str) -> None:
    app = create_app(Settings(database_url=sqlite_url))

    async with client_of(app) as api:
        answer = await api.get("/health/live", headers={"Origin": DESK})
    await app.state.database.dispose()

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.usefixtures("collector")
async def test_what_lives_for_ever_is_kept_from_the_collector(sqlite_url: str) -> None:
    app = create_app(Settings(database_url=sqlite_url))

    async with app.router.lifespan_context(app):
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == THRESHOLD
