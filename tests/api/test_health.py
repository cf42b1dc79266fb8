"""Whether the service lives and is ready."""

import asyncio

import pytest
from fastapi import FastAPI
from sqlalchemy import event, text

from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.migrate import revisions
from app.settings import Settings
from tests.client import Client, client_of


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


async def test_another_version_of_the_tables_is_not_ready(sqlite_url: str) -> None:
    app = create_app(Settings(database_url=sqlite_url))
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))

    async with client_of(app) as api:
        answer = await api.get("/health/ready")
    await app.state.database.dispose()

    assert (answer.status_code, answer.json()["type"]) == (503, "not-ready")
    assert answer.headers["retry-after"] == "5"


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
