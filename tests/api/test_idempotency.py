"""Posts under an idempotency key: done once, answered alike."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select, text, update

from app.domain.permissions import Role
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import IdempotencyKeyRow
from app.settings import Settings
from tests.api.given_callers import headers, second_clinic
from tests.client import Answer, Client, client_of

KEY = {"Idempotency-Key": "desk-7/2027-03-01/alex"}
ALEX = {"name": "Alex"}


async def post(api: Client, body: dict[str, Any] | None = None, **headers: str) -> Answer:
    """Add a patient under a key."""
    return await api.post("/v1/patients", json=body or ALEX, headers=KEY | headers)


async def count(api: Client) -> int:
    """How many patients are stored."""
    return len((await api.get("/v1/patients")).json()["items"])


async def test_the_first_answer_is_given_again_byte_for_byte(api: Client) -> None:
    first = await post(api)

    again = await post(api)

    assert await count(api) == 1
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]


async def test_without_a_key_every_post_counts(api: Client) -> None:
    await api.post("/v1/patients", json=ALEX)
    await api.post("/v1/patients", json=ALEX)

    assert await count(api) == 2


async def test_another_body_under_the_key_is_refused(api: Client) -> None:
    await post(api)

    answer = await post(api, {"name": "Someone else"})

    assert (answer.status_code, answer.json()["type"]) == (422, "idempotency-key-reused")
    assert await count(api) == 1


async def test_another_address_under_the_key_is_refused(api: Client) -> None:
    first = await post(api)
    other = await api.post("/v1/patients", json=ALEX)
    body = {"agent": "nsaid", "on": "2026-03-01"}
    report = {"Idempotency-Key": "report"}
    await api.post(f"{first.headers['location']}/events", json=body, headers=report)

    answer = await api.post(f"{other.headers['location']}/events", json=body, headers=report)

    assert (answer.status_code, answer.json()["type"]) == (422, "idempotency-key-reused")


async def test_a_refused_post_leaves_the_key_free(api: Client) -> None:
    refused = await api.post(
        "/v1/closures",
        json={
            "location_id": "00000000-0000-7000-8000-000000000000",
            "title": "x",
            "from": "2027-01-01",
            "to": "2027-01-01",
        },
        headers=KEY,
    )

    answer = await post(api)

    assert (refused.status_code, answer.status_code) == (404, 201)


async def test_a_post_with_faults_leaves_the_key_free(api: Client) -> None:
    refused = await post(api, {"name": 5})

    answer = await post(api)

    assert (refused.status_code, answer.status_code) == (422, 201)


async def test_a_key_is_kept_for_a_day_and_then_forgotten(app: FastAPI, api: Client) -> None:
    first = await post(api)
    answers = []
    for ago in (timedelta(hours=23, minutes=55), timedelta(minutes=5)):
        async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(
                update(IdempotencyKeyRow).values(created_at=await _moved(connection, -ago))
            )
        answers.append(await post(api))

    kept, forgotten = answers
    assert kept.headers["location"] == first.headers["location"]
    assert forgotten.headers["location"] != first.headers["location"]


async def _moved(connection: Any, by: timedelta) -> Any:
    found = await connection.execute(select(IdempotencyKeyRow.created_at))
    return found.scalar_one() + by


async def test_equal_posts_at_once_do_it_once(api: Client) -> None:
    answers: list[Answer] = []

    async def send() -> None:
        answers.append(await post(api))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(send)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await count(api) == 1


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("two words", id="a blank"),
        pytest.param("x" * 256, id="too long"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(api: Client, key: str) -> None:
    answer = await api.post("/v1/patients", json=ALEX, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-idempotency-key")
    assert await count(api) == 0


async def test_a_key_is_sent_once(api: Client) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    answer = await api.post("/v1/patients", json=ALEX, headers=twice)

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-idempotency-key")


async def test_a_key_is_another_one_in_another_clinic(app: FastAPI, api: Client) -> None:
    other = await second_clinic(app)
    theirs = await headers(app, Role.INTEGRATION, clinic_id=other)
    ours = await headers(app, Role.INTEGRATION)

    first, second = await post(api, ALEX, **ours), await post(api, ALEX, **theirs)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert (await post(api, ALEX, **ours)).json() == first.json()


async def test_who_waits_too_long_is_asked_to_come_back(postgresql_url: str) -> None:
    app = create_app(Settings(database_url=postgresql_url, pool_size=2))
    async with client_of(app) as api, app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(
            insert(IdempotencyKeyRow).values(
                clinic_id=DEFAULT_CLINIC_ID,
                key=KEY["Idempotency-Key"],
                fingerprint="x",
                created_at=await _now(connection),
            )
        )

        answer = await post(api)
    await app.state.database.dispose()

    assert (answer.status_code, answer.json()["type"]) == (409, "idempotency-key-in-use")
    assert answer.headers["retry-after"] == "1"


async def _now(connection: Any) -> Any:
    return (await connection.execute(text("SELECT now()"))).scalar_one()
