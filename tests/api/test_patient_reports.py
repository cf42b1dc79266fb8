"""Reported events and absences over HTTP."""

from typing import Any

import pytest

from tests.client import Client

NOTHING = "00000000-0000-7000-8000-000000000000"
STEROID: dict[str, Any] = {
    "agent": "corticosteroid_injection",
    "on": "2026-02-24",
    "body_site": "ankle",
    "laterality": "right",
    "note": "urgent care\nsecond line",
}
HOLIDAY = {"from": "2027-02-10", "to": "2027-02-20", "note": "skiing"}


@pytest.fixture
async def patient(api: Client) -> str:
    """The address of a stored patient."""
    return str((await api.post("/v1/patients", json={"name": "Alex"})).headers["location"])


async def test_what_is_reported_is_kept(api: Client, patient: str) -> None:
    answer = await api.post(f"{patient}/events", json=STEROID)

    event = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{patient}/events/{event['id']}"
    assert {field: event[field] for field in STEROID} == STEROID
    assert event.pop("plans") == []
    assert (await api.get(f"{patient}/events")).json() == {"items": [event], "next": None}


async def test_events_are_listed_by_day(api: Client, patient: str) -> None:
    for day in ("2026-03-02", "2026-03-01"):
        await api.post(f"{patient}/events", json={"finding": "fever", "on": day})

    answer = await api.get(f"{patient}/events")

    assert [event["on"] for event in answer.json()["items"]] == ["2026-03-01", "2026-03-02"]


async def test_what_was_reported_in_error_is_taken_back(api: Client, patient: str) -> None:
    event = (await api.post(f"{patient}/events", json=STEROID)).headers["location"]

    assert (await api.delete(event)).status_code == 204

    assert (await api.get(f"{patient}/events")).json()["items"] == []
    again = await api.delete(event)
    assert (again.status_code, again.json()["type"]) == (404, "patient-event-not-found")


@pytest.mark.parametrize(
    "changes, pointer, code",
    [
        pytest.param({"finding": "fever"}, "", "agent-or-finding", id="agent and finding"),
        pytest.param({"agent": None}, "", "agent-or-finding", id="neither"),
        pytest.param({"agent": "Cortisone!"}, "/agent", "wrong-form", id="not a key"),
        pytest.param({"laterality": "up"}, "/laterality", "not-allowed", id="no side"),
        pytest.param({"on": "2026-02-30"}, "/on", "not-a-day", id="no such day"),
        pytest.param(
            {"cleared_on": "2026-02-23"}, "/cleared_on", "before-its-beginning", id="ends before"
        ),
        pytest.param({"dose": 1}, "/dose", "unknown-field", id="unknown field"),
    ],
)
async def test_a_report_with_a_fault_is_refused(
    api: Client, patient: str, changes: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await api.post(f"{patient}/events", json=STEROID | changes)

    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]


async def test_an_absence_is_kept(api: Client, patient: str) -> None:
    answer = await api.post(f"{patient}/unavailability", json=HOLIDAY)

    absence = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{patient}/unavailability/{absence['id']}"
    assert {field: absence[field] for field in HOLIDAY} == HOLIDAY
    assert absence.pop("plans") == []
    assert (await api.get(f"{patient}/unavailability")).json()["items"] == [absence]


async def test_past_absences_can_be_left_out(api: Client, patient: str) -> None:
    await api.post(f"{patient}/unavailability", json=HOLIDAY)

    ended = await api.get(f"{patient}/unavailability", params={"from": "2027-02-21"})
    ending = await api.get(f"{patient}/unavailability", params={"from": "2027-02-20"})

    assert (len(ended.json()["items"]), len(ending.json()["items"])) == (0, 1)


async def test_an_absence_can_be_taken_back(api: Client, patient: str) -> None:
    absence = (await api.post(f"{patient}/unavailability", json=HOLIDAY)).headers["location"]

    assert (await api.delete(absence)).status_code == 204

    again = await api.delete(absence)
    assert (again.status_code, again.json()["type"]) == (404, "absence-not-found")


@pytest.mark.parametrize(
    "to, code",
    [
        pytest.param("2027-02-09", "before-its-beginning", id="backwards"),
        pytest.param("2047-02-10", "too-long-a-span", id="twenty years"),
    ],
)
async def test_an_absence_that_cannot_be_is_refused(
    api: Client, patient: str, to: str, code: str
) -> None:
    answer = await api.post(f"{patient}/unavailability", json=HOLIDAY | {"to": to})

    assert answer.status_code == 422
    assert answer.json()["errors"][0] | {"detail": ""} == {
        "pointer": "/to",
        "code": code,
        "detail": "",
    }


async def test_another_patients_absence_is_not_this_ones(api: Client, patient: str) -> None:
    absence = (await api.post(f"{patient}/unavailability", json=HOLIDAY)).json()["id"]
    other = (await api.post("/v1/patients", json={"name": "Other"})).headers["location"]

    assert (await api.delete(f"{other}/unavailability/{absence}")).status_code == 404
