"""Yardstick on SQLite: bare ASGI and `sqlite3` called inline, written by hand and no more.

One connection with synchronous FULL; a request blocks the event loop until its transaction is
committed, which is the quickest way there is. It sends the product's statements with new ids.
"""

import json
import re
import sqlite3
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import make_url

from tests.benchmarks.asgi import Receive, Scope, Send, answer, read_body
from tests.benchmarks.capturing import Captures, Statement, given

_COLUMNS = re.compile(r"INSERT INTO (\w+) \(([^)]+)\)")


class Yardstick:
    """The application."""

    def __init__(self, captures: Captures) -> None:
        path = make_url(captures.database).database
        assert path is not None
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        sent = captures.create.statements
        self._statements = [one for one in sent if not one.sql.startswith("BEGIN")]
        self._answer: dict[str, Any] = captures.create.answer
        self._patient = captures.patient_id
        self._event_id, self._number = _event(self._statements)
        self._access_id = _parameter(self._statements, "access_waiting", "id")[0]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
        elif scope["method"] == "POST":
            await answer(send, 201, self._create(await read_body(receive)))
        else:
            await answer(send, 200, b"{}")

    def _create(self, body: bytes) -> bytes:
        patient = json.loads(body)["patient"]["id"]
        shown = self._shown(patient)
        mine = self._replacements(shown)
        connection, number = self._connection, None
        connection.execute("BEGIN IMMEDIATE")
        for statement in self._statements:
            if statement.many:
                rows = [_replaced(row, mine) for row in statement.parameters]
                connection.executemany(statement.sql, rows)
                continue
            parameters = _replaced(statement.parameters, mine)
            if statement.sql.startswith("INSERT INTO events"):
                parameters[self._number] = number
            found = connection.execute(statement.sql, parameters).fetchall()
            if "event_counters" in statement.sql:
                number = found[0][0]
        connection.execute("COMMIT")
        return json.dumps(shown, separators=(",", ":")).encode()

    def _shown(self, patient: str) -> dict[str, Any]:
        """The answer, with new ids."""
        ids = {step["id"]: str(uuid4()) for step in self._answer["steps"]}
        return {
            **self._answer,
            "id": str(uuid4()),
            "patient_id": patient,
            "next_step": ids[self._answer["next_step"]],
            "steps": [{**step, "id": ids[step["id"]]} for step in self._answer["steps"]],
        }

    def _replacements(self, shown: dict[str, Any]) -> dict[str, str]:
        """The captured ids with those to send instead."""
        old, new = self._answer, shown
        pairs = [(old["id"], new["id"]), (self._patient, new["patient_id"])]
        pairs += [(o["id"], n["id"]) for o, n in zip(old["steps"], new["steps"], strict=True)]
        mine = {UUID(was).hex: UUID(now).hex for was, now in pairs}
        mine |= {self._event_id: uuid4().hex, self._access_id: uuid4().hex}
        return mine


def _replaced(parameters: Any, mine: dict[str, str]) -> list[Any]:
    return [mine.get(given, given) for given in parameters]


def _event(statements: list[Statement]) -> tuple[str, int]:
    """The captured event's id, and which parameter is its number."""
    return _parameter(statements, "events", "id")[0], _parameter(statements, "events", "number")[1]


def _parameter(statements: list[Statement], table: str, column: str) -> tuple[str, int]:
    """What a captured row of a table has in a column, and as which parameter."""
    for statement in statements:
        found = _COLUMNS.match(statement.sql)
        if found is not None and found.group(1) == table:
            place = [one.strip() for one in found.group(2).split(",")].index(column)
            row = statement.parameters[0] if statement.many else statement.parameters
            return str(row[place]), place
    raise AssertionError(f"nothing was stored in {table}")


def create() -> Yardstick:
    """The application, as uvicorn's command line starts it."""
    return Yardstick(given())
