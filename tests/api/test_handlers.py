"""Errors that do not come from use-cases: of the database and of the framework."""

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import PatientRow
from app.settings import Settings
from tests.client import Client, client_of


class DriverError(Exception):
    """What a driver raises; ``sqlstate`` as PostgreSQL's has it."""

    def __init__(self, sqlstate: str | None = None, text: str = "Jane Doe") -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def failing(error: Exception) -> FastAPI:
    """An application one address of which fails."""
    app = create_app(Settings(database_url="sqlite+aiosqlite:///unused.db"))

    async def fail() -> None:
        raise error

    app.add_api_route("/docs/fail", fail)
    return app


def wrapped(error: DriverError, *, is_gone: bool = False) -> DBAPIError:
    """An error as SQLAlchemy hands it on."""
    return DBAPIError("SELECT 'Jane Doe'", None, error, connection_invalidated=is_gone)


@pytest.mark.parametrize(
    "error, status, kind",
    [
        pytest.param(wrapped(DriverError("55P03")), 503, "contended", id="lock time-out"),
        pytest.param(wrapped(DriverError("57014")), 503, "contended", id="statement time-out"),
        pytest.param(wrapped(DriverError("40001")), 503, "contended", id="not serializable"),
        pytest.param(wrapped(DriverError("40P01")), 503, "contended", id="deadlock"),
        pytest.param(
            wrapped(DriverError(text="database is locked")), 503, "contended", id="sqlite is locked"
        ),
        pytest.param(wrapped(DriverError(), is_gone=True), 503, "overloaded", id="server gone"),
        pytest.param(ConnectionRefusedError("Jane Doe"), 503, "overloaded", id="no server"),
        pytest.param(wrapped(DriverError("23505")), 500, "unexpected-error", id="anything else"),
        pytest.param(HTTPException(418, "Jane Doe"), 400, "bad-request", id="framework"),
    ],
)
async def test_an_error_from_outside_is_answered_without_its_text(
    error: Exception, status: int, kind: str
) -> None:
    async with client_of(failing(error)) as api:
        answer = await api.get("/docs/fail")

    assert (answer.status_code, answer.json()["type"]) == (status, kind)
    assert "Jane" not in answer.text


async def test_who_waits_too_long_for_a_row_is_asked_to_come_back(postgresql_url: str) -> None:
    app = create_app(Settings(database_url=postgresql_url, pool_size=2))
    async with client_of(app) as api:
        patient = (await api.post("/v1/patients", json={"name": "Alex"})).headers["location"]
        async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(update(PatientRow).values(name="Held"))

            answer = await _change(api, patient)
    await app.state.database.dispose()

    assert answer == (503, "contended", "1")


async def _change(api: Client, patient: str) -> tuple[int, str, str]:
    answer = await api.patch(patient, json={"name": "B"}, headers={"If-Match": '"1"'})
    return answer.status_code, answer.json()["type"], answer.headers["retry-after"]
