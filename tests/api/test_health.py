"""Whether the service lives and is ready."""

import asyncio

import pytest
from fastapi import FastAPI
from sqlalchemy import event, text

from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.migrate import revisions
from app.settings import Settings
from tests.client import Answer, Client, client_of


async def test_a_process_that_answers_is_alive(api: Client) -> None:
    answer = await api.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_a_migrated_database_is_ready(api: Client) -> None:
    answer = await api.get("/health/ready")

    assert (answer.status_code, answer.json()["revision"]) == (200, revisions()[-1])


async def test_whoever_asks_while_it_is_looked_at_is_answered_by_the_same_look(
    app: FastAPI, api: Client
) -> None:
    asked = []

    def note(*_args: object) -> None:
        asked.append(app.state.database.pool_use().in_use)

    event.listen(app.state.database.read.sync_engine, "before_cursor_execute", note)

    answers = await asyncio.gather(*(api.get("/health/ready") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert asked == [1]


async def answered_at(revision: str, url: str) -> Answer:
    """What is answered with the tables of a revision."""
    app = create_app(Settings(database_url=url))
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(
            text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )

    async with client_of(app) as api:
        answer = await api.get("/health/ready")
    await app.state.database.dispose()
    return answer


@pytest.mark.parametrize("revision", [revisions()[0], revisions()[-2]])
async def test_the_tables_of_a_version_before_are_not_ready(revision: str, sqlite_url: str) -> None:
    answer = await answered_at(revision, sqlite_url)

    assert (answer.status_code, answer.json()["type"]) == (503, "not-ready")
    assert answer.headers["retry-after"] == "5"


async def test_once_a_version_to_come_has_migrated_what_serves_goes_on(sqlite_url: str) -> None:
    answer = await answered_at("f00000000000", sqlite_url)

    assert (answer.status_code, answer.json()["revision"]) == (200, "f00000000000")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sqlite:///{folder}/empty.db", id="no tables"),
        pytest.param("postgresql://nobody@127.0.0.1:1/nothing", id="nobody there"),
    ],
)
async def test_no_database_is_not_ready(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("empty")
    app = create_app(Settings(database_url=url.format(folder=folder)))

    async with client_of(app) as api:
        answer = await api.get("/health/ready")
    await app.state.database.dispose()

    assert (answer.status_code, answer.json()["type"]) == (503, "not-ready")
