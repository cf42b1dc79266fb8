"""What became of each request: a log line and figures by route, without patient data."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from app.logs import configure_logs
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.settings import LogFormat, Settings
from tests.api.given_plans import Desk
from tests.client import Client, client_of

NAME = "Jane Doe"

Told = Callable[[], list[dict[str, Any]]]


@contextmanager
def logging_to(log_format: LogFormat) -> Iterator[StringIO]:
    """Log as the program does, into a text."""
    root = logging.getLogger()
    level, client = root.level, logging.getLogger("httpx")
    text = StringIO()
    configure_logs(Settings(log_format=log_format), text)
    (ours,) = root.handlers
    client.disabled = True  # it would tell addresses
    yield text
    client.disabled = False
    root.removeHandler(ours)
    root.setLevel(level)


@pytest.fixture
def lines() -> Iterator[Told]:
    """What was logged since it was asked for last, as machines read it."""
    with logging_to(LogFormat.JSON) as text:

        def told() -> list[dict[str, Any]]:
            found = [json.loads(line) for line in text.getvalue().splitlines()]
            text.seek(0)
            text.truncate()
            return found

        yield told


async def figures(api: Client) -> dict[str, float]:
    """Every figure by its name and labels."""
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_every_request_is_a_line_with_its_id_and_route(api: Client, lines: Told) -> None:
    answer = await api.get(
        "/v1/patients/01920000-0000-7000-8000-000000000001",
        headers={"X-Request-Id": "desk-0000-0001"},
    )

    (line,) = lines()
    assert answer.headers["x-request-id"] == line["request_id"] == "desk-0000-0001"
    assert (line["method"], line["route"]) == ("GET", "/v1/patients/{patient_id}")
    assert (line["status"], line["problem"]) == (404, "patient-not-found")
    assert (line["level"], line["text"]) == ("info", "request")
    assert 0 < line["ms"] < 60_000


async def test_an_address_that_is_none_of_ours_is_not_logged(api: Client, lines: Told) -> None:
    await api.get(f"/{NAME}", params={"name": NAME})
    await api.request("BREW", "/v1/patients")
    await api.get("/v1/patients", headers={"Host": NAME.replace(" ", ".")})

    told = lines()
    assert [line["route"] for line in told] == ["none", "/v1/patients", "none"]
    assert [line["status"] for line in told] == [404, 405, 400]
    assert told[1]["method"] == "other"
    assert "Jane" not in json.dumps(told)


async def test_the_engines_time_is_told_of_requests_that_asked_it(desk: Desk, lines: Told) -> None:
    await desk.plan()
    await desk.api.get("/v1/plans")

    created, read = lines()
    assert 0 < created["engine_ms"] < created["ms"]
    assert "engine_ms" not in read


async def test_a_failure_is_a_warning_beside_the_place_where_it_arose(
    api: Client, app: FastAPI, lines: Told
) -> None:
    async def fail() -> None:
        raise RuntimeError(NAME)

    app.add_api_route("/docs/fail", fail)

    answer = await api.get("/docs/fail")

    where, request = lines()
    assert (where["level"], request["level"]) == ("error", "warning")
    assert where["request_id"] == request["request_id"] == answer.headers["x-request-id"]
    assert (request["status"], request["problem"]) == (500, "unexpected-error")
    assert NAME not in json.dumps([where, request])


async def test_people_read_the_same_on_one_line(api: Client) -> None:
    with logging_to(LogFormat.CONSOLE) as text:
        answer = await api.get("/health/live")

    line = text.getvalue()
    assert f"request request_id={answer.headers['x-request-id']} method=GET" in line
    assert " route=/health/live status=200 ms=" in line


async def test_requests_are_counted_by_route_and_status(api: Client) -> None:
    for name in ("A", "B"):
        await api.post("/v1/patients", json={"name": name})
    await api.post("/v1/patients", json={"name": 5})
    await api.get("/v1/patients?cursor=x")

    found = await figures(api)
    assert found["regimen_requests_total POST /v1/patients 201"] == 2
    assert found["regimen_requests_total POST /v1/patients 422"] == 1
    assert found["regimen_request_seconds_count POST /v1/patients"] == 3
    assert found["regimen_request_seconds_count GET /v1/patients"] == 1
    assert found["regimen_problems_total invalid-request"] == 1
    assert found["regimen_problems_total invalid-cursor"] == 1
    assert found["regimen_queue_depth"] == 0
    assert found["regimen_deliveries_waiting"] == 0
    assert found["regimen_deliveries_oldest_seconds"] == 0
    assert found["regimen_webhooks_failing"] == 0


async def test_conflicts_and_the_engines_time_are_counted(own_desk: Desk) -> None:
    await own_desk.plan()
    refused = own_desk.body(anchor={"date": "2027-03-13"})
    assert (await own_desk.post(refused)).status_code == 409

    found = await figures(own_desk.api)
    assert found["regimen_problems_total schedule-conflict"] == 1
    assert found["regimen_engine_seconds_count POST /v1/plans"] == 2
    assert 0 < found["regimen_engine_seconds_sum POST /v1/plans"] < 60


async def test_figures_hold_no_patient_data(own_desk: Desk) -> None:
    plan = await own_desk.plan(note=NAME)
    await own_desk.api.get(f"/v1/plans/{plan['id']}")

    text = (await own_desk.api.get("/metrics")).text
    assert plan["id"] not in text
    assert "Jane" not in text


async def test_plans_that_wait_for_the_worker_are_the_queue(own_desk: Desk) -> None:
    await own_desk.plan()
    closure = {"location_id": own_desk.location_id, "title": "Flood"}
    closure |= {"from": "2027-03-10", "to": "2027-03-10"}
    answer = await own_desk.api.post("/v1/closures", json=closure)
    assert answer.status_code < 300, answer.text

    assert (await figures(own_desk.api))["regimen_queue_depth"] == 1


async def test_connections_in_use_and_waited_for_are_told(postgresql_url: str) -> None:
    app = create_app(Settings(database_url=postgresql_url, pool_size=2))
    database = app.state.database
    async with client_of(app) as api:
        async with database.writing(DEFAULT_CLINIC_ID), database.reading(DEFAULT_CLINIC_ID):
            waiting = asyncio.create_task(api.get("/v1/patients"))
            await asyncio.sleep(0.1)
            app.state.watch.look()
            use = database.pool_use()
        await waiting

        found = await figures(api)
    await database.dispose()
    assert (use.in_use, use.waiting) == (2, 1)
    assert (found["regimen_pool_in_use"], found["regimen_pool_waiting"]) == (0, 0)
