"""Today and now over HTTP."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from tests.client import Client, client_of


@pytest.fixture
async def sandbox(app: FastAPI) -> AsyncIterator[Client]:
    """A client of a sandbox clinic."""
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await ClinicRepository(connection, app.state.clinic_id).make_sandbox()
    async with client_of(app) as client:
        yield client


async def test_the_clock_shows_every_zone_of_the_clinic(sandbox: Client) -> None:
    for zone in ("America/Denver", "Asia/Tokyo", "America/Denver"):
        await sandbox.post("/v1/locations", json={"name": zone, "time_zone": zone})

    answer = await sandbox.put("/v1/clock", json={"now": "2027-02-05T20:00:00-07:00"})

    assert answer.json() == {
        "now": "2027-02-06T03:00:00Z",
        "sandbox": True,
        "zones": [
            {
                "time_zone": "America/Denver",
                "today": "2027-02-05",
                "now": "2027-02-05T20:00:00-07:00",
            },
            {"time_zone": "Asia/Tokyo", "today": "2027-02-06", "now": "2027-02-06T12:00:00+09:00"},
        ],
    }
    assert (await sandbox.get("/v1/clock")).json() == answer.json()


async def test_what_happens_in_a_sandbox_happens_by_its_clock(sandbox: Client) -> None:
    await sandbox.put("/v1/clock", json={"now": "2027-02-05T16:00:00Z"})

    answer = await sandbox.post("/v1/patients", json={"name": "Alex"})

    assert answer.json()["created_at"] == "2027-02-05T16:00:00Z"


async def test_a_clock_that_was_set_can_run_again(sandbox: Client) -> None:
    await sandbox.put("/v1/clock", json={"now": "2127-02-05T16:00:00Z"})

    answer = await sandbox.put("/v1/clock", json={"now": None})

    assert answer.json()["now"] < "2127"
    assert (await sandbox.get("/v1/clock")).json()["now"] < "2127"


async def test_the_clock_of_any_other_clinic_cannot_be_set(api: Client) -> None:
    answer = await api.put("/v1/clock", json={"now": "2027-02-05T16:00:00Z"})

    assert (answer.status_code, answer.json()["type"]) == (409, "not-a-sandbox")
    assert (await api.get("/v1/clock")).json()["sandbox"] is False


@pytest.mark.parametrize(
    "now, code",
    [
        pytest.param("2027-02-05T16:00:00", "not-an-instant", id="no offset"),
        pytest.param("2027-02-30T16:00:00Z", "not-an-instant", id="no such day"),
        pytest.param("2027-02-05", "not-an-instant", id="a day"),
        pytest.param(1770000000, "not-an-instant", id="a number"),
        pytest.param("1899-12-31T23:59:59Z", "instant-out-of-range", id="before 1900"),
        pytest.param("9999-12-31T23:59:59-12:00", "not-an-instant", id="beyond the calendar"),
    ],
)
async def test_what_is_no_instant_is_refused(api: Client, now: object, code: str) -> None:
    answer = await api.put("/v1/clock", json={"now": now})

    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [("/now", code)]
