"""What is asked of one patient or plan is not looked for among all of the clinic, on SQLite too."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.settings import Settings
from tests.api.given_plans import Desk, a_desk, good, make_clinic, steps_of
from tests.client import client_of

GROWING = frozenset(
    {
        "access_batches",
        "access_patients",
        "events",
        "former_steps",
        "patient_absences",
        "patient_events",
        "patient_identifiers",
        "patients",
        "plan_identifiers",
        "plan_revisions",
        "planned_steps",
        "plans",
    }
)
LOOKS = re.compile(r"(SCAN|SEARCH) (\w+)(.*)")
# By something beside the clinic that has one value.
NARROWLY = re.compile(r"\(clinic_id=\? AND \w+=\?")


@pytest.fixture(scope="module")
async def app(shared_sqlite_url: str) -> AsyncIterator[FastAPI]:
    """A clinic on SQLite without a worker, who looks through all of the clinic at times."""
    app = create_app(Settings(database_url=shared_sqlite_url))
    await make_clinic(app)
    yield app
    await app.state.database.dispose()


@pytest.fixture
async def desk(app: FastAPI) -> AsyncIterator[Desk]:
    """A desk of it with a patient of its own."""
    async with client_of(app) as api:
        yield await a_desk(app, api)


class Asked:
    """The statements which the database was sent meanwhile, with their values."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any]] = []

    def _note(self, _connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "EXPLAIN")):
            self.statements.append((statement, values))

    def __enter__(self) -> "Asked":
        event.listen(Engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._note)


async def looks(desk: Desk, asked: Asked) -> dict[str, str]:
    """How the tables that grow are looked through, each look with a statement that does so."""
    found = {}
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        for statement, values in asked.statements:
            one = values[0] if isinstance(values, list) else values
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", one)
            for row in rows:
                look = LOOKS.match(row.detail)
                if look is not None and look[2] in GROWING:
                    found[row.detail] = statement
    return found


@pytest.mark.parametrize(
    "method, path, body",
    [
        pytest.param("POST", "/v1/plans", "plan", id="making a plan"),
        pytest.param("POST", "/v1/plans/preview", "plan", id="looking at one before"),
        pytest.param("GET", "/v1/plans/{plan}", None, id="reading it"),
        pytest.param("GET", "/v1/plans/{plan}/history", None, id="its history"),
        pytest.param("POST", "/v1/plans/{plan}/changes", "change", id="changing it"),
        pytest.param(
            "GET",
            "/v1/plans/{plan}/steps/{step}/days?from=2027-03-01&until=2027-03-31",
            None,
            id="its days",
        ),
        pytest.param("GET", "/v1/plans?patient_id={patient}", None, id="a patient's plans"),
        pytest.param("GET", "/v1/patients/{patient}/restrictions", None, id="restrictions"),
        pytest.param("POST", "/v1/patients/{patient}/events", "event", id="reporting"),
        pytest.param("POST", "/v1/patients/{patient}/unavailability", "away", id="being away"),
        pytest.param("GET", "{calendar}", None, id="a patient's calendar"),
        pytest.param("GET", "/fhir/R4/CarePlan/{plan}", None, id="a CarePlan"),
        pytest.param("GET", "/fhir/R4/CarePlan?patient={patient}", None, id="CarePlans"),
        pytest.param(
            "GET",
            "/fhir/R4/ServiceRequest?patient={patient}&occurrence=ge2027-01-01&_sort=date",
            None,
            id="ServiceRequests by day",
        ),
        pytest.param(
            "GET", "/fhir/R4/ServiceRequest?based-on=CarePlan/{plan}", None, id="ServiceRequests"
        ),
        pytest.param(
            "GET", "/fhir/R4/Appointment?patient={patient}&date=ge2027-01-01", None, id="visits"
        ),
    ],
)
async def test_one_is_not_looked_for_among_all(
    desk: Desk, method: str, path: str, body: str | None
) -> None:
    plan = await desk.plan()
    feed = await good(desk.api.post("/v1/calendars", json={"patient_id": desk.patient_id}))
    sent: dict[str | None, Any] = {
        None: None,
        "plan": desk.body(laterality="left"),
        "change": {"changes": [{"type": "move_anchor", "to": "2027-03-19"}]},
        "event": {"agent": "steroid", "on": "2027-01-04", "body_site": "ankle"},
        "away": {"from": "2027-02-02", "to": "2027-02-03"},
    }
    step = steps_of(plan)["session"]["id"]
    names = {"plan": plan["id"], "step": step, "patient": desk.patient_id}
    url = path.format(**names, calendar=feed["path"])

    with Asked() as asked:
        answer = await desk.api.request(
            method, url, json=sent[body], headers={"if-match": '"1"'} if body == "change" else {}
        )

    assert answer.status_code < 300, answer.text
    found = await looks(desk, asked)
    wide = {look: sql for look, sql in found.items() if not NARROWLY.search(look)}
    assert found
    assert not wide


async def test_the_planner_is_told_of_every_index(desk: Desk) -> None:
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        told = await connection.execute(text("SELECT idx FROM sqlite_stat1"))
        there = await connection.execute(
            text("SELECT name FROM sqlite_schema WHERE type = 'index'")
        )

    assert set(told.scalars()) == set(there.scalars())
