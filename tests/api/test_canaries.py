"""What is said of patients is found in answers to whoever asked for them, and nowhere else."""

import base64
import io
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import select

from app.logs import JsonLines, configure_logs
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import (
    AccessBatchRow,
    AccessWaitingRow,
    BatchItemRow,
    BatchRow,
    DeliveryRow,
    EventRow,
)
from app.settings import LogFormat, LogLevel
from tests.api.given_changes import Living
from tests.api.given_plans import Data, Desk, good
from tests.api.test_spans import Collector, collector
from tests.client import Answer, client_of

pytestmark = pytest.mark.long

__all__ = ["collector"]

CANARY = "Qvorzbl"
IDENTIFIER = {"system": "urn:example:mrn", "value": f"{CANARY}-1"}
# In what no client asked for: events, their deliveries, long work, the account of access.
TOLD_TO_OTHERS = (EventRow, DeliveryRow, BatchRow, BatchItemRow, AccessWaitingRow, AccessBatchRow)
MALFORMED: tuple[Any, ...] = (
    {"name": [CANARY]},
    {"unknown": CANARY},
    {"name": CANARY, "birth_date": CANARY},
    {"identifiers": [{"system": CANARY, "value": CANARY, "unknown": CANARY}]},
    CANARY,
)
_URL = re.compile(r'"(?:/|https?://)[^"]*"')
_TOKEN = re.compile(r"[\w-]{16,}")


@dataclass(frozen=True, slots=True)
class Clinic:
    """A desk, all that its server answered, and what the server said beside."""

    desk: Desk
    answers: list[Answer] = field(default_factory=list)
    logs: io.StringIO = field(default_factory=io.StringIO)


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = [one for one in handlers if not isinstance(one.formatter, JsonLines)]
    root.setLevel(level)


@pytest.fixture
async def clinic(
    own_desk: Desk, collector: Collector, _logs_as_before: None
) -> AsyncIterator[Clinic]:
    """A clinic whose server says all that it can say."""
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    settings = replace(
        own_desk.app.state.settings,
        rate_limit=0,
        traces_endpoint=endpoint,
        log_level=LogLevel.DEBUG,
        log_format=LogFormat.JSON,
    )
    app = create_app(settings)

    async def fail() -> None:
        raise RuntimeError(CANARY)

    app.add_api_route("/docs/fail", fail)
    async with client_of(app) as api, app.router.lifespan_context(app):
        found = Clinic(replace(own_desk, app=app, api=api))
        configure_logs(settings, found.logs)

        async def note(answer: Any) -> None:
            found.answers.append(answer)

        api.event_hooks = {"response": [*api.event_hooks["response"], note]}
        yield found


async def test_nothing_of_patients_is_told_beside_answers(
    clinic: Clinic, collector: Collector
) -> None:
    await live(clinic.desk)
    await provoke(clinic.desk)
    figures = (await clinic.desk.api.get("/metrics")).text
    await clinic.desk.app.state.account.commit()
    clinic.desk.app.state.tracer_provider.force_flush()

    refused = [answer for answer in clinic.answers if answer.status_code >= 400]
    statuses = {answer.status_code for answer in refused}
    assert {400, 401, 404, 409, 412, 415, 422, 428, 500} <= statuses
    assert [text for text in map(refusal, refused) if CANARY in text] == []
    assert [url for answer in clinic.answers for url in urls_of(answer) if is_told(url)] == []
    assert "RuntimeError" in clinic.logs.getvalue()
    assert CANARY not in clinic.logs.getvalue()
    assert "regimen_requests" in figures
    assert CANARY not in figures
    assert collector.spans
    assert not any(CANARY.encode() in body for body in collector.bodies)
    rows = await told_to_others(clinic.desk)
    assert "plan_created" in rows
    assert CANARY not in rows


async def live(desk: Desk) -> None:
    """Whatever can be said of a patient is said, and read in every way."""
    api = desk.api
    patient = {"identifiers": [IDENTIFIER], "name": f"{CANARY} Doe", "birth_date": "1961-07-19"}
    id_ = (await good(api.post("/v1/patients", json=patient)))["id"]
    for number in (2, 3):
        await desk.patient(name=f"{CANARY} {number}")
    for search in ({"identifier": IDENTIFIER}, {"name": CANARY}):
        await good(api.post("/v1/patients/search", json=search))
    await good(api.get("/v1/patients", params={"limit": 1}))
    texts = {"note": CANARY, "condition": CANARY}
    named = {"identifiers": [{"system": "urn:x", "value": CANARY}], "patient": {"id": id_}}
    hook = {"url": "https://example.org/hook", "title": "all"}
    await good(api.post("/v1/webhooks", json=hook))
    plan = Living(desk, await desk.plan(**texts, **named))
    did = {"type": "perform", "step": "consult", "on": "2027-01-04", "note": CANARY}
    await plan.change(did, reason=CANARY)
    await good(api.get(f"{plan.url}/history"))
    address = f"/v1/patients/{id_}"
    report = {"agent": "corticosteroid_injection", "on": "2027-01-03", "note": CANARY}
    await good(api.post(f"{address}/events", json=report))
    away = {"from": "2027-02-10", "to": "2027-02-20", "note": CANARY}
    await good(api.post(f"{address}/unavailability", json=away))
    await desk.closure("2027-08-02", "2027-08-06", title="Flood")
    feed = await good(api.post("/v1/calendars", json={"patient_id": id_, "titles": "steps"}))
    await api.get(feed["path"])
    await good(api.get("/v1/worklist", params={"limit": 1}))
    for path in (f"/Patient/{id_}", "/Patient?_count=1", f"/CarePlan?subject={id_}&_count=1"):
        await good(api.get(f"/fhir/R4{path}"))
    await good(api.post("/fhir/R4/Patient/_search", data={"name": CANARY, "_count": "1"}))


async def provoke(desk: Desk) -> None:
    """Everything is refused that can be, and each time there is something to be told."""
    api, tag = desk.api, {"if-match": '"1"'}
    plan = await desk.plan(identifiers=[{"system": "urn:x", "value": f"{CANARY}-2"}])
    patient, change = f"/v1/patients/{desk.patient_id}", f"/v1/plans/{plan['id']}/changes"
    for body in MALFORMED:
        await api.post("/v1/patients", json=body)
        await api.post("/v1/plans", json=body)
        await api.post(change, json=body, headers=tag)
        await api.post("/fhir/R4/Patient", json=body)
    typed = {"content-type": "application/json"}
    await api.post("/v1/patients", content=f'{{"name": "{CANARY}'.encode(), headers=typed)
    await api.post("/v1/patients", content=CANARY, headers={"content-type": CANARY})
    changes = {"changes": [{"type": "miss", "step": CANARY, "note": CANARY}], "reason": CANARY}
    for headers in ({}, tag, {"if-match": '"7"'}, {"if-match": CANARY}):
        await api.post(change, json=changes, headers=headers)
    await desk.post(desk.body(anchor={"date": "2027-03-14"}, note=CANARY, condition=CANARY))
    await desk.post(desk.body(identifiers=[{"system": "urn:x", "value": f"{CANARY}-2"}]))
    await desk.post(desk.body(patient={"identifier": {"system": "urn:x", "value": CANARY}}))
    for body in ({"name": CANARY}, {"name": f"{CANARY} 2"}):
        await api.post("/v1/patients", json=body, headers={"idempotency-key": CANARY})
    await api.patch(patient, json={"name": CANARY}, headers={"if-match": '"9"'})
    for path in (
        "/v1/patients/{}",
        "/v1/plans?status={}",
        "/v1/plans?cursor={}",
        "/{}",
        "/docs/{}",
    ):
        await api.get(path.format(CANARY))
    for search in (f"Patient/{CANARY}", f"Patient?birthdate={CANARY}", f"Patient?unknown={CANARY}"):
        await api.get(f"/fhir/R4/{search}")
    await api.get(f"/calendars/{CANARY}{'a' * 36}.ics")
    await api.get("/v1/patients", headers={"authorization": f"Bearer {CANARY}"})
    await api.get("/docs/fail")


def refusal(answer: Answer) -> str:
    """What is said to whoever is refused, without what they may post instead: it is their own."""
    said: Data = json.loads(answer.text)
    return json.dumps({name: value for name, value in said.items() if name != "options"})


def urls_of(answer: Answer) -> list[str]:
    """The addresses that an answer gives: in its headers and, as texts of their own, its body."""
    given = [value for name, value in answer.headers.items() if name in {"location", "link"}]
    return given + _URL.findall(answer.text) + cursors(answer)


def cursors(answer: Answer) -> list[str]:
    """What goes on from a page."""
    if not answer.headers.get("content-type", "").endswith("json"):
        return []
    body: Any = json.loads(answer.text)
    next_ = body.get("next") if isinstance(body, dict) else None
    return [next_] if isinstance(next_, str) else []


def is_told(url: str) -> bool:
    """Whether an address tells it, in plain letters or encoded."""
    if CANARY in url:
        return True
    for token in _TOKEN.findall(url):
        # One letter over is none of a code.
        whole = token[: len(token) - (len(token) % 4 == 1)]
        decoded = base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
        if CANARY.encode() in decoded:
            return True
    return False


async def told_to_others(desk: Desk) -> str:
    """Everything in the tables of what is told to others."""
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        found = [(await connection.execute(select(row))).all() for row in TOLD_TO_OTHERS]
    return repr(found)


def test_what_is_told_in_code_is_found() -> None:
    hidden = base64.urlsafe_b64encode(f'["{CANARY}"] and more'.encode()).decode().rstrip("=")

    assert is_told(f"/v1/plans?cursor={hidden}")
    assert not is_told("/v1/plans?cursor=abcdefghijklmnopqrstuvwxyz")
