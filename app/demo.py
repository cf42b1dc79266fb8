"""The command `demo`: a sandbox clinic on a fresh SQLite file, a plan in it, then the service.

Everything that the service offers is asked of the application itself, as any client would.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from rich.console import Console
from sqlalchemy.engine import URL

from app.databases import described
from app.failures import CommandFailed
from app.logs import configure_logs
from app.main import create_app
from app.migrating import migrate
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from app.printing import console, spoken
from app.serving import address, listening, serve_on
from app.settings import Settings
from app.telling import Data, named, tell_conflict, tell_options, tell_plan

PROTOCOL = "ankle-stem-cell-prp-full"
START = "2027-01-04T09:00:00-07:00"
LATER = "2027-03-03T09:00:00-07:00"
ASKED_DAY = "2027-02-17"

# Written into the file's header, so that no other file is ever replaced.
MARK = int.from_bytes(b"Rgmn", "big")

LOCATION: Data = {
    "name": "Foot and ankle clinic",
    "time_zone": "America/Denver",
    "open_weekdays": [2, 3, 4, 5],
}
CLOSURE: Data = {
    "key": "renovation",
    "title": "renovation",
    "from": "2027-04-19",
    "to": "2027-04-23",
}
AWAY: Data = {"from": "2027-02-10", "to": "2027-02-20", "note": "on holiday"}
PLAN: Data = {
    "protocol": {"key": PROTOCOL},
    "patient": {"identifier": {"system": "urn:example:mrn", "value": "DEMO-1"}},
    "anchor": {"date": "2027-03-10"},
    "laterality": "right",
    "parameters": {"primer_count": 2, "booster_timing": "six_weeks"},
}
TOO_LATE: Data = {
    "protocol": {"key": PROTOCOL},
    "patient": {"identifier": {"system": "urn:example:mrn", "value": "DEMO-2"}},
    "anchor": {"date": "2027-03-11"},
    "laterality": "right",
    "parameters": {"primer_count": 2, "orthotics": "already_has"},
    "changes": [{"type": "perform", "step": "consult", "on": "2027-02-10"}],
}


@dataclass(frozen=True, slots=True)
class Client:
    """Asks an application in this process, without a network."""

    app: FastAPI

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, expect: int = 200
    ) -> Data:
        """Send a request and give the body of the answer; another status is a defect."""
        content = b"" if body is None else json.dumps(body).encode()
        messages: Iterator[Data] = iter(
            [{"type": "http.request", "body": content, "more_body": False}]
        )
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self.app(_scope(method, path, len(content)), receive, send)
        status = sent[0]["status"]
        if status != expect and not (expect == 200 and status == 201):
            raise RuntimeError(f"{method} {path} was answered {status} instead of {expect}")
        answer: Data = json.loads(b"".join(message.get("body", b"") for message in sent))
        return answer


def _scope(method: str, path: str, length: int) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"content-length", str(length).encode()),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }


def run(settings: Settings, *, file: Path, serve: bool) -> None:
    """Make the demo's database, tell its story, and serve it unless told not to."""
    url = URL.create("sqlite", database=str(file)).render_as_string()
    settings = replace(settings, database_url=url)
    # The port first: who cannot serve shall not lose the database of the demo that is running.
    with listening(settings.host, settings.port) if serve else nullcontext() as sock:
        configure_logs(settings)
        start_afresh(file)
        migrate(settings)
        app, out = create_app(settings), console()
        day_path = asyncio.run(_live(app, out))
        out.print(f"\nAll this is stored in {described(url)}.", soft_wrap=True)
        if sock is not None:
            _tell_where(out, address(sock), day_path)
            serve_on(sock, app)


def start_afresh(file: Path) -> None:
    """Put an empty database in the place of the last demo's.

    Raises CommandFailed for a file that no demo made: it is somebody's data.
    """
    if file.exists() and not _is_of_a_demo(file):
        raise CommandFailed(f"{file} was not made by a demo, and is not replaced by one")
    if not file.parent.is_dir():
        raise CommandFailed(f"there is no folder {file.parent}")
    for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        path.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA application_id = {MARK}")
        connection.close()
    except sqlite3.Error as error:
        raise CommandFailed(f"cannot write {file}: {error}") from error


def _is_of_a_demo(file: Path) -> bool:
    """Whether the header of a SQLite file has our mark, at bytes 68 to 71."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(72)[68:] == MARK.to_bytes(4, "big")


async def _live(app: FastAPI, out: Console) -> str:
    """Everything up to serving; gives the address of the day that was asked for in vain."""
    client = Client(app)
    try:
        async with app.state.database.writing() as connection:
            await ClinicRepository(connection, DEFAULT_CLINIC_ID).make_sandbox()
        await _furnish(client, out)
        plan = await _plan(client, out)
        day_path = await _ask_why_not(client, out, plan)
        await _ask_too_late(client, out)
    finally:
        await app.state.database.dispose()
    return day_path


async def _furnish(client: Client, out: Console) -> None:
    await client.ask("PUT", "/v1/clock", {"now": START})
    location = await client.ask("POST", "/v1/locations", LOCATION)
    await client.ask("POST", "/v1/closures", {"location_id": location["id"], **CLOSURE})
    patient = await client.ask("POST", "/v1/patients", _patient(PLAN))
    await client.ask("POST", f"/v1/patients/{patient['id']}/unavailability", AWAY)
    protocol = await _activate(client)
    out.print(
        f"A sandbox clinic: its clock stands at {spoken(START[:10])}.\n"
        f"  location  {LOCATION['name']}, {LOCATION['time_zone']}, open Tuesday to Friday\n"
        f"  closed    {CLOSURE['from']} to {CLOSURE['to']} ({CLOSURE['title']})\n"
        f"  patient   {_name(PLAN)}, away {AWAY['from']} to {AWAY['to']}\n"
        f"  protocol  {protocol['title']}\n"
        "            An example, not approved by a clinician: only a sandbox may plan by it."
    )


async def _activate(client: Client) -> Data:
    """Install the library and let plans be made by one of its examples, with its mark on it."""
    await client.ask("POST", "/v1/protocols/library")
    versions = await client.ask("GET", f"/v1/protocols/{PROTOCOL}/versions")
    draft = versions["items"][0]
    approval = {
        "name": "Nobody",
        "credential": "a sandbox, for trying out",
        "content_hash": draft["content_hash"],
        "evidence_note_read": False,
    }
    address = f"/v1/protocols/{PROTOCOL}/versions/{draft['version']}/activate"
    return await client.ask("POST", address, approval)


async def _plan(client: Client, out: Console) -> Data:
    plan = await client.ask("POST", "/v1/plans", PLAN)
    out.print(
        f"\nA plan for {_name(PLAN)}: session on {spoken(PLAN['anchor']['date'])}, right ankle, "
        "two primers, booster at six weeks.\n"
    )
    tell_plan(out, plan)
    out.print("\nTentative days hang on a decision: they are held, and not announced as firm.")
    return plan


async def _ask_why_not(client: Client, out: Console, plan: Data) -> str:
    primer = next(s for s in plan["steps"] if (s["key"], s["occurrence"]) == ("primer", 1))
    day_path = f"/v1/plans/{plan['id']}/steps/{primer['id']}/days/{ASKED_DAY}"
    answer = await client.ask("GET", day_path)
    out.print(f"\nWhy not {spoken(ASKED_DAY)} for {named(primer)}? Because all of these hold:")
    tell_conflict(out, answer["conflict"])
    return day_path


async def _ask_too_late(client: Client, out: Console) -> None:
    await client.ask("PUT", "/v1/clock", {"now": LATER})
    await client.ask("POST", "/v1/patients", _patient(TOO_LATE))
    refusal = await client.ask("POST", "/v1/plans", TOO_LATE, expect=409)
    await client.ask("PUT", "/v1/clock", {"now": START})
    out.print(
        f"\nOn {spoken(LATER[:10])} somebody asks for {_name(TOO_LATE)}: two primers, session on "
        f"{spoken(TOO_LATE['anchor']['date'])}. It is refused, because all of these hold:"
    )
    tell_conflict(out, refusal["conflict"])
    out.print("Ways out, each a request that works as it stands:")
    tell_options(out, refusal["options"])


def _tell_where(out: Console, place: str, day_path: str) -> None:
    plan_path = day_path.partition("/steps/")[0]
    out.print(
        f"\nServing it at {place} until Ctrl-C. Documentation: {place}/docs\n"
        "Try in another terminal:\n"
        f"  curl -s {place}/v1/plans\n"
        f"  curl -s {place}{plan_path}\n"
        f"  curl -s {place}{day_path}",
        soft_wrap=True,
    )


def _patient(plan: Data) -> Data:
    return {"identifiers": [plan["patient"]["identifier"]]}


def _name(plan: Data) -> str:
    return str(plan["patient"]["identifier"]["value"])
