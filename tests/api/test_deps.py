"""One transaction for each request: committed before the answer, undone with a refusal."""

import anyio
from fastapi import FastAPI
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.persistence.clinics import DEFAULT_CLINIC_ID
from tests.client import Answer, Client

ALEX = {"name": "Alex"}


async def test_a_commit_that_fails_is_not_answered_as_stored(app: FastAPI, api: Client) -> None:
    def fail(connection: object) -> None:
        raise OperationalError("commit", None, Exception("the disk is full"))

    event.listen(app.state.database.write.sync_engine, "commit", fail)

    answer = await api.post("/v1/patients", json=ALEX)

    assert (answer.status_code, answer.json()["type"]) == (500, "unexpected-error")
    assert "disk" not in answer.text
    assert (await api.get("/v1/patients")).json()["items"] == []


async def test_what_is_answered_is_stored_already(app: FastAPI, api: Client) -> None:
    committed: list[bool] = []

    def note(connection: object) -> None:
        committed.append(True)

    event.listen(app.state.database.write.sync_engine, "commit", note)

    answer = await api.post("/v1/patients", json=ALEX)

    assert (answer.status_code, committed) == (201, [True])


async def test_a_read_cannot_write_on_sqlite(sqlite_url: str, app: FastAPI) -> None:
    async with app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        if connection.dialect.name == "sqlite":
            found = await connection.execute(text("PRAGMA query_only"))
            assert found.scalar_one() == 1


async def test_when_every_connection_is_busy_clients_are_asked_to_come_back(
    app: FastAPI, api: Client
) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(app.state.database.write.pool.size()):
            await group.start(_hold, app)

        answer = await api.post("/v1/patients", json=ALEX)
        group.cancel_scope.cancel()

    assert (answer.status_code, answer.json()["type"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "2"


async def _hold(
    app: FastAPI, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    async with app.state.database.writing(DEFAULT_CLINIC_ID):
        task_status.started()
        await anyio.sleep_forever()


async def test_many_at_once_are_all_served(api: Client) -> None:
    answers: list[Answer] = []

    async def send() -> None:
        answers.append(await api.post("/v1/patients", json=ALEX))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(send)

    assert [answer.status_code for answer in answers] == [201] * 10
