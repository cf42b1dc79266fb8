"""Operations that store, each as a request of its own that can be sent and sent again."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import ColumnElement, func, literal, select, union_all

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import Row
from tests.api.given_bulk import FEW, body_of
from tests.api.given_plans import ANKLE, Data, Desk, good
from tests.api.given_protocols import approval

# Nobody waits longer for anything that a request of these does.
PATIENCE_SECONDS = 10

numbers = count(1)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Awaits something and cancels its task at the time it waits for something else."""

    work: Coroutine[Any, Any, None]
    at: int

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self.work.__await__()
        waited = 0
        send: Callable[[Any], Any] = steps.send
        value: Any = None
        while True:
            try:
                awaited = send(value)
            except StopIteration:
                return
            waited += 1
            if waited == self.at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                value = yield awaited
                send = steps.send
            except BaseException as error:  # noqa: BLE001 # handed on to where it belongs
                value, send = error, steps.throw


@dataclass(slots=True)
class Request:
    """A request that can be sent again as it is."""

    app: FastAPI
    path: str
    body: Data | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    media_type: str = "application/json"
    clinic_id: UUID = DEFAULT_CLINIC_ID
    is_keyed: bool = True
    """Whether it has a key, if it is a POST."""
    is_repeatable: bool = False
    """Whether the first answer is given again."""

    def __post_init__(self) -> None:
        if self.is_keyed and self.method == "POST":
            self.is_repeatable = True
            self.headers = {"idempotency-key": f"interrupted-{next(numbers)}", **self.headers}

    async def send(self, *, interrupted_at: int = 0) -> int | None:
        """Its status; none where it was interrupted before it was answered."""
        sent: list[Any] = []
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        if self.body is None:
            body = b""

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        path, _, query = self.path.partition("?")
        headers = {"host": "localhost", "content-type": self.media_type, **self.headers}
        scope = {
            "type": "http",
            "method": self.method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }

        async def run() -> None:
            await Interrupted(self.app(scope, receive, send), interrupted_at)

        task = asyncio.create_task(run())
        await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        assert task.done()
        if task.cancelled() or (sent and task.exception() is not None):
            return None  # of half an answer, too, a client hears no end
        task.result()
        return int(sent[0]["status"]) if sent else None

    async def rows(self) -> dict[str, int]:
        """How many rows every table has, and of those that count them the sum of revisions."""
        counts = []
        for table in Row.metadata.sorted_tables:
            number: ColumnElement[int] = func.count()
            if "revision" in table.c and "updated_at" in table.c:
                number = number + func.coalesce(func.sum(table.c.revision), 0)
            counts.append(
                select(literal(table.name), select(number).select_from(table).scalar_subquery())
            )
        async with self.app.state.database.reading(self.clinic_id) as connection:
            found = (await connection.execute(union_all(*counts))).all()
            return {str(name): int(number) for name, number in found}

    async def is_at_rest(self) -> bool:
        """Whether no connection is in use: a credential is looked up for whoever asks meanwhile."""
        database = self.app.state.database
        for _ in range(PATIENCE_SECONDS * 100):
            if database.pool_use().in_use == 0:
                return True
            await asyncio.sleep(0.01)
        return False

    async def difference(self, before: dict[str, int]) -> dict[str, int]:
        """Which tables are another than before, and by how much."""
        now = await self.rows()
        return {
            name: number - before[name] for name, number in now.items() if number != before[name]
        }


Making = Callable[[Desk], Coroutine[Any, Any, Request]]
STORING: dict[str, Making] = {}


def storing(*names: str) -> Callable[[Making], Making]:
    """Note how a request for an operation is made; of FHIR's face by type and interaction."""

    def note(make: Making) -> Making:
        STORING.update(dict.fromkeys(names, make))
        return make

    return note


async def _closing(desk: Desk) -> tuple[str, Data]:
    """A closure of a place of its own with a plan on its day: its address and body."""
    location = await desk.location()
    fields = {"patient": {"id": await desk.patient()}, "location_id": location}
    plan = await desk.plan(**fields, parameters=FEW)
    return "/v1/closures", _closure(location, plan["anchor"]["date"])


async def stored(desk: Desk, path: str, body: Data, sent: dict[str, str] | None = None) -> Data:
    return await good(desk.api.post(path, json=body, headers=sent))


@storing("change_plan")
async def a_change(desk: Desk) -> Request:
    """A report to a plan of its own, and another day for it."""
    plan = await desk.plan(patient={"id": await desk.patient()})
    changes: list[Data] = [
        {"type": "report", "agent": "ibuprofen", "on": "2027-01-02"},
        {"type": "move_anchor", "to": "2027-03-11"},
    ]
    address = f"/v1/plans/{plan['id']}/changes"
    return Request(desk.app, address, {"changes": changes}, {"if-match": '"1"'})


@storing("create_plan")
async def a_plan(desk: Desk) -> Request:
    """A plan of its own patient."""
    patient = {"id": await desk.patient()}
    return Request(desk.app, "/v1/plans", desk.body(patient=patient))


@storing("create_plans")
async def plans(desk: Desk) -> Request:
    """Two plans, each under its key."""
    lines = [
        desk.body(
            patient={"id": await desk.patient()},
            parameters=FEW,
            idempotency_key=f"line-{next(numbers)}",
        )
        for _ in range(2)
    ]
    return Request(
        desk.app,
        "/v1/plans/bulk",
        body_of(lines),
        media_type="application/x-ndjson",
        is_keyed=False,
        is_repeatable=True,
    )


async def _amendment(desk: Desk, part: str) -> Request:
    body = {"protocol": ANKLE, "from": "0.9.0", "to": "1.0.0"}
    return Request(desk.app, f"/v1/plans/amendments{part}", body)


@storing("amend_plans")
async def an_amendment(desk: Desk) -> Request:
    """Plans of a version that is retired go on by another."""
    return await _amendment(desk, "")


@storing("preview_amendment")
async def a_tried_amendment(desk: Desk) -> Request:
    """Likewise, only tried: the batch with what would become of them is stored."""
    return await _amendment(desk, "/preview")


@storing("cancel_batch")
async def a_cancelled_batch(desk: Desk) -> Request:
    """Work over a plan that is not to be done."""
    closed = await stored(desk, *await _closing(desk))
    return Request(desk.app, f"/v1/batches/{closed['batch']['id']}", method="DELETE")


@storing("upsert_patient")
async def a_patient(desk: Desk) -> Request:
    """A patient with an identifier."""
    identifier = {"system": "urn:interrupted", "value": f"I-{next(numbers)}"}
    return Request(desk.app, "/v1/patients", {"identifiers": [identifier]})


@storing("change_patient")
async def a_name(desk: Desk) -> Request:
    """Another name."""
    address = f"/v1/patients/{await desk.patient()}"
    return Request(desk.app, address, {"name": "Other"}, {"if-match": '"1"'}, "PATCH")


@storing("merge_patient")
async def a_merger(desk: Desk) -> Request:
    """Two patients were one."""
    address = f"/v1/patients/{await desk.patient()}/merge"
    return Request(desk.app, address, {"into": await desk.patient()})


@storing("erase_patient")
async def an_erasure(desk: Desk) -> Request:
    """A patient is forgotten."""
    return Request(desk.app, f"/v1/patients/{await desk.patient(name='Alex')}/erase")


@storing("add_absence")
async def an_absence(desk: Desk) -> Request:
    """Days on which the patient is away."""
    address = f"/v1/patients/{await desk.patient()}/unavailability"
    return Request(desk.app, address, {"from": "2028-01-03", "to": "2028-01-04"})


@storing("remove_absence")
async def no_absence(desk: Desk) -> Request:
    """The patient is there after all."""
    return await _taken_back(desk, await an_absence(desk))


@storing("report_event")
async def a_report(desk: Desk) -> Request:
    """What happened to the patient elsewhere."""
    address = f"/v1/patients/{await desk.patient()}/events"
    return Request(desk.app, address, {"agent": "steroid", "on": "2027-01-02"})


@storing("withdraw_event")
async def no_report(desk: Desk) -> Request:
    """It did not happen."""
    return await _taken_back(desk, await a_report(desk))


async def _taken_back(desk: Desk, made: Request) -> Request:
    assert isinstance(made.body, dict)
    known = await stored(desk, made.path, made.body)
    return Request(desk.app, f"{made.path}/{known['id']}", method="DELETE")


@storing("create_calendar")
async def a_calendar(desk: Desk) -> Request:
    """A patient's feed."""
    return Request(desk.app, "/v1/calendars", {"patient_id": await desk.patient()})


@storing("delete_calendar")
async def no_calendar(desk: Desk) -> Request:
    """A feed that is revoked."""
    made = await stored(desk, "/v1/calendars", {"patient_id": desk.patient_id})
    return Request(desk.app, f"/v1/calendars/{made['id']}", method="DELETE")


@storing("create_location")
async def a_location(desk: Desk) -> Request:
    """A location."""
    body = {"name": "West", "time_zone": "America/Denver", "open_weekdays": [2, 3]}
    return Request(desk.app, "/v1/locations", body)


@storing("change_location")
async def other_hours(desk: Desk) -> Request:
    """A location that is open on other days."""
    address = f"/v1/locations/{await desk.location()}"
    return Request(desk.app, address, {"open_weekdays": [1]}, {"if-match": '"1"'}, "PATCH")


def _closure(location_id: str, day: str) -> Data:
    return {"location_id": location_id, "title": "Flood", "from": day, "to": day}


@storing("create_closure")
async def a_closure(desk: Desk) -> Request:
    """A closure, which makes a batch."""
    return Request(desk.app, *await _closing(desk))


@storing("delete_closure")
async def no_closure(desk: Desk) -> Request:
    """A closure that is not needed any more."""
    made = await stored(desk, "/v1/closures", _closure(await desk.location(), "2028-01-03"))
    return Request(desk.app, f"/v1/closures/{made['id']}", method="DELETE")


def _document(key: str, version: str = "1.0.0") -> Data:
    timing = {"relative_to": "plan_start", "target": "P1D"}
    step = {"key": "visit", "kind": "visit", "title": "Visit", "timings": [timing]}
    return {"format": 1, "key": key, "version": version, "title": "Visit", "steps": [step]}


async def _draft(desk: Desk) -> Data:
    return await stored(desk, "/v1/protocols", _document(f"interrupted-{next(numbers)}"))


@storing("create_protocol")
async def a_protocol(desk: Desk) -> Request:
    """A protocol's first draft."""
    return Request(desk.app, "/v1/protocols", _document(f"interrupted-{next(numbers)}"))


@storing("create_version")
async def a_version(desk: Desk) -> Request:
    """A draft after another."""
    key = (await _draft(desk))["key"]
    body = {"from": "1.0.0", "version": "1.1.0"}
    return Request(desk.app, f"/v1/protocols/{key}/versions", body)


@storing("edit_version")
async def an_edit(desk: Desk) -> Request:
    """A draft that says something else."""
    key = (await _draft(desk))["key"]
    body = {**_document(key), "title": "Other"}
    address = f"/v1/protocols/{key}/versions/1.0.0"
    return Request(desk.app, address, body, {"if-match": '"1"'}, "PUT")


@storing("activate_version")
async def an_approval(desk: Desk) -> Request:
    """A draft is approved."""
    draft = await _draft(desk)
    return Request(
        desk.app, f"/v1/protocols/{draft['key']}/versions/1.0.0/activate", approval(draft)
    )


@storing("retire_version")
async def a_retirement(desk: Desk) -> Request:
    """A version is used no more."""
    approved = await an_approval(desk)
    assert isinstance(approved.body, dict)
    await stored(desk, approved.path, approved.body)
    return Request(desk.app, approved.path.replace("activate", "retire"))
