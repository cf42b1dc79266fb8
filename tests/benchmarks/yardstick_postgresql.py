"""Yardstick on PostgreSQL: bare ASGI and asyncpg, written by hand for what it does and no more.

It sends the statements that the product sends, in as many transactions, stores as many rows with
as much in them, and answers with a body of the same shape. It validates nothing, computes no
dates, knows no clinic but the one, and has no idempotency, no limits and no error handling.
"""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import make_url

from tests.benchmarks.asgi import Receive, Scope, Send, answer, read_body
from tests.benchmarks.capturing import Captures, Statement, given

CONNECTIONS = 10

Row = dict[str, Any]


class Yardstick:
    """The application."""

    def __init__(self, captures: Captures) -> None:
        self._url = make_url(captures.database).set(drivername="postgresql")
        self._free: asyncio.LifoQueue[asyncpg.Connection] = asyncio.LifoQueue()
        self._creating = _Creating(captures)
        self._listing = captures.listed.statements
        self._waiting = captures.waiting.statements
        self._example = captures.waiting.answer["items"][0]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await receive()
            for _ in range(CONNECTIONS):
                self._free.put_nowait(
                    await asyncpg.connect(
                        self._url.render_as_string(hide_password=False),
                        server_settings={"timezone": "UTC", "jit": "off"},
                    )
                )
            await send({"type": "lifespan.startup.complete"})
        elif scope["method"] == "POST":
            await answer(send, 201, await self._create(await read_body(receive)))
        elif scope["path"] == "/v1/plans":
            await answer(send, 200, await self._list())
        elif scope["path"] == "/v1/worklist":
            await answer(send, 200, await self._wait())
        else:
            await answer(send, 200, b"{}")

    async def _create(self, body: bytes) -> bytes:
        asked = json.loads(body)
        patient_id = UUID(asked["patient"]["id"])
        connection = await self._free.get()
        try:
            async with connection.transaction():
                for sql, parameters in self._creating.reads(patient_id):
                    await connection.fetch(sql, *parameters)
                sql, parameters, shown = self._creating.store(patient_id)
                await connection.fetch(sql, *parameters)
                await connection.fetch(*self._creating.account())
        finally:
            self._free.put_nowait(connection)
        return json.dumps(shown, separators=(",", ":")).encode()

    async def _wait(self) -> bytes:
        rows = await self._fetch(self._waiting)
        items = [_waiting(row, self._example) for row in rows[:50]]
        return json.dumps({"items": items, "next": str(rows[-1]["id"])}).encode()

    async def _fetch(self, statements: list[Statement]) -> list[asyncpg.Record]:
        """The rows of the last of some statements."""
        connection = await self._free.get()
        rows: list[asyncpg.Record] = []
        try:
            for statement in statements:
                rows = await connection.fetch(statement.sql, *statement.parameters)
        finally:
            self._free.put_nowait(connection)
        return rows

    async def _list(self) -> bytes:
        rows = await self._fetch(self._listing)
        items = [_summary(row) for row in rows[:50]]
        return json.dumps({"items": items, "next": items[-1]["id"]}, separators=(",", ":")).encode()


class _Creating:
    """The statements of one create, with another patient and new ids."""

    def __init__(self, captures: Captures) -> None:
        self._sample = UUID(captures.patient_id)
        *self._reads, self._store, self._account = captures.create.statements
        self._answer: Row = captures.create.answer
        self._names = _names(self._store)
        given = zip(self._names, self._store.parameters, strict=True)
        self._rows = {name: json.loads(value) for name, value in given if name is not None}
        assert set(self._rows) >= {"plans", "planned_steps", "plan_revisions", "events"}

    def reads(self, patient_id: UUID) -> list[tuple[str, list[Any]]]:
        """What is read, for this patient."""
        sample, text = self._sample, str(self._sample)
        mine = {sample: patient_id, text: str(patient_id)}
        return [
            (
                read.sql,
                [mine.get(p, p) if isinstance(p, (UUID, str)) else p for p in read.parameters],
            )
            for read in self._reads
        ]

    def account(self) -> tuple[str, Any, UUID, Any]:
        """Who made it, under a new id."""
        clinic_id, _, access = self._account.parameters
        return self._account.sql, clinic_id, uuid4(), access

    def store(self, patient_id: UUID) -> tuple[str, list[Any], Row]:
        """What is stored, with new ids, and the answer that shows it."""
        plan_id, rows = str(uuid4()), self._rows
        ids = {step["id"]: str(uuid4()) for step in rows["planned_steps"]}
        [plan], [revision], [event] = rows["plans"], rows["plan_revisions"], rows["events"]
        next_id = ids[plan["next_step_id"]]
        patient = str(patient_id)
        stored = {
            **rows,
            "plans": [
                {**plan, "id": plan_id, "patient_id": patient, "next_step_id": next_id},
            ],
            "planned_steps": [
                {**step, "id": ids[step["id"]], "plan_id": plan_id}
                for step in rows["planned_steps"]
            ],
            "plan_revisions": [{**revision, "plan_id": plan_id}],
            "events": [{**event, "id": str(uuid4()), "plan_id": plan_id, "patient_id": patient}],
        }
        shown = {
            **self._answer,
            "id": plan_id,
            "patient_id": patient,
            "next_step": next_id,
            "steps": [{**step, "id": ids[step["id"]]} for step in self._answer["steps"]],
        }
        parameters = [
            given if name is None else json.dumps(stored[name], separators=(",", ":"))
            for name, given in zip(self._names, self._store.parameters, strict=True)
        ]
        return self._store.sql, parameters, shown


def _names(store: Statement) -> list[str | None]:
    """Which table's rows each parameter holds; None is no table's."""
    found: list[str | None] = []
    for parameter in store.parameters:
        rows = json.loads(parameter) if isinstance(parameter, str) else None
        found.append(_table(rows) if isinstance(rows, list) else None)
    return found


def _table(rows: list[Row]) -> str | None:
    if not rows:
        return None
    marks = {
        "needs_attention": "plans",
        "window_target": "planned_steps",
        "snapshot": "plan_revisions",
        "actor": "events",
    }
    return next((table for mark, table in marks.items() if mark in rows[0]), None)


def _summary(row: asyncpg.Record) -> Row:
    following = None
    if row["next_step_id"] is not None:
        following = {
            "id": str(row["next_step_id"]),
            "key": row["key"],
            "title": row["title"],
            "date": row["day"].isoformat(),
        }
    return {
        "id": str(row["id"]),
        "revision": row["revision"],
        "status": row["status"],
        "protocol": {"key": row["protocol_key"], "version": row["protocol_version"]},
        "patient_id": str(row["patient_id"]),
        "location_id": str(row["location_id"]),
        "body_site": row["body_site"],
        "laterality": row["laterality"],
        "condition": row["condition"],
        "practitioner": row["practitioner"],
        "anchor": json.loads(row["anchor"]),
        "next_step": following,
        "needs_attention": json.loads(row["attention"]),
        "created_at": row["created_at"].isoformat(),
        "updated_at": row["updated_at"].isoformat(),
    }


def _waiting(row: asyncpg.Record, example: Row) -> Row:
    """A step in the product's shape: what the row has by its names, else as the example has it."""
    days = ("window_earliest", "window_target", "window_latest")
    earliest, target, latest = (row[name] and row[name].isoformat() for name in days)
    return {
        **example,
        "step_id": str(row["id"]),
        "plan_id": str(row["plan_id"]),
        "plan_status": row["plan_status"],
        "location_id": str(row["location_id"]),
        "practitioner": row["practitioner"],
        "key": row["key"],
        "occurrence": row["occurrence"],
        "ordinal": row["ordinal"],
        "of": row["of_count"],
        "kind": row["kind"],
        "title": row["title"],
        "optional": row["optional"],
        "status": row["status"],
        "tentative": row["tentative"],
        "date": row["day"].isoformat(),
        "end_date": row["end_day"] and row["end_day"].isoformat(),
        "duration_minutes": row["duration_minutes"],
        "modes": json.loads(row["modes"]),
        "window": {"earliest": earliest, "target": target, "latest": latest},
        "deadline": row["deadline"],
    }


def create() -> Yardstick:
    """The application, as uvicorn's command line starts it."""
    return Yardstick(given())
