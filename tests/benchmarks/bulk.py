"""Measures bulk on PostgreSQL beside raw COPY: `python -m tests.benchmarks.bulk`.

In turns: a request of many lines; plans like them added by the repository that bulk uses, from rows
made ready before; and asyncpg's COPY of such rows. All three commit as often.
"""

import argparse
import asyncio
import http.client
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, open_database
from app.persistence.patients import PatientRepository
from app.persistence.plans.bulk import BulkRepository, ReadyPlans
from app.persistence.plans.statements import PLAN_TABLES
from app.persistence.tables import EventRow, PlannedStepRow, PlanRow, Row
from tests.benchmarks import given
from tests.benchmarks.figures import Figure
from tests.benchmarks.preparing import prepare
from tests.benchmarks.servers import report
from tests.benchmarks.serving import execute, new_database, served

PLANS, CHUNK, ROUNDS = 1000, 500, 5
WEEKS = 40
MUST, AIM = 0.5, 0.8

Rows = dict[type[Row], list[tuple[Any, ...]]]


@dataclass(slots=True)
class Seconds:
    """What each contestant took in each round, and the server's own work for a plan."""

    bulk: list[float]
    repository: list[float]
    copy: list[float]
    work: list[float]


def figures(server: str, rounds: int) -> Iterator[Figure]:
    """The ratios, and what they are made of."""
    with new_database(server) as url, ExitStack() as stack:
        prepared = prepare(url, patients=(3 * rounds + 2) * PLANS + 100)
        service = stack.enter_context(served(prepared.url))
        patients = iter(prepared.patient_ids)
        _post(service.port, patients, prepared.session)
        asyncio.run(execute(url, "VACUUM ANALYZE"))
        found = Seconds([], [], [], [])
        rows_of_plan = 0.0
        for number in range(rounds):
            begin = service.cpu_seconds()
            found.bulk.append(_post(service.port, patients, prepared.session))
            found.work.append((service.cpu_seconds() - begin) / PLANS * 1000)
            rows_of_plan = asyncio.run(_write(url, patients, found, number))
    yield from _figures(found, rows_of_plan)


def _figures(found: Seconds, rows_of_plan: float) -> Iterator[Figure]:
    rows = PLANS * rows_of_plan
    pairs = zip(found.copy, found.bulk, strict=True)
    yield Figure("bulk ÷ raw COPY, rows stored/s", tuple(c / b for c, b in pairs), MUST, AIM)
    pairs = zip(found.copy, found.repository, strict=True)
    yield Figure("    its database part ÷ raw COPY", tuple(c / r for c, r in pairs), MUST, AIM)
    yield Figure("    rows/s", tuple(rows / seconds for seconds in found.bulk))
    yield Figure("    rows/s of raw COPY", tuple(rows / seconds for seconds in found.copy))
    yield Figure("    plans/s", tuple(PLANS / seconds for seconds in found.bulk))
    yield Figure("    the server's own work a plan", tuple(found.work), unit=" ms")
    copied = tuple(seconds / PLANS * 1000 for seconds in found.copy)
    yield Figure("    raw COPY of a plan", copied, unit=" ms")


def _post(port: int, patients: Iterator[str], session: date) -> float:
    """The seconds that a request for as many plans took."""
    body = b"".join(
        json.dumps(_line(patient, session, number)).encode() + b"\n"
        for number, patient in enumerate(islice(patients, PLANS))
    )
    connection = http.client.HTTPConnection("127.0.0.1", port)
    begin = perf_counter()
    connection.request("POST", "/v1/plans/bulk", body, {"Content-Type": "application/x-ndjson"})
    *_, last = connection.getresponse().read().splitlines()
    seconds = perf_counter() - begin
    connection.close()
    assert json.loads(last)["summary"]["created"] == PLANS, last
    return seconds


def _line(patient: str, session: date, number: int) -> dict[str, Any]:
    """A plan as people are enrolled: on one of many days."""
    return given.plan_body(patient, session + timedelta(days=7 * (number % WEEKS)))


async def _write(url: str, patients: Iterator[str], found: Seconds, number: int) -> float:
    """Store plans like those of the last request in both other ways; gives the rows of a plan."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), server_settings={"jit": "off"})
    database = open_database(url, pool_size=1)
    try:
        rows = await _last_rows(connection)
        copied, added = (_chunks(rows, list(islice(patients, PLANS))) for _ in range(2))
        await _number(connection, copied)
        before = await connection.fetchval("SELECT count(*) FROM planned_steps")
        turns = [(found.copy, _copy(connection, copied)), (found.repository, _add(database, added))]
        for seconds, working in turns if number % 2 else reversed(turns):
            begin = perf_counter()
            await working
            seconds.append(perf_counter() - begin)
        after = await connection.fetchval("SELECT count(*) FROM planned_steps")
        assert after - before == 2 * len(rows[PlannedStepRow]), "not everything was stored"
    finally:
        await connection.close()
        await database.dispose()
    return sum(map(len, rows.values())) / PLANS


async def _last_rows(connection: asyncpg.Connection) -> Rows:
    """The rows of the plans made last, table by table as bulk writes them."""
    newest = f"SELECT id FROM plans WHERE status = 'active' ORDER BY id DESC LIMIT {PLANS}"
    ids = [row["id"] for row in await connection.fetch(newest)]
    found: Rows = {}
    tables: tuple[type[Row], ...] = (*PLAN_TABLES, EventRow)
    for table_row in tables:
        name = table_row.__tablename__
        key = "id" if name == "plans" else "plan_id"
        columns = ", ".join(column.name for column in table_row.__table__.columns)
        rows = await connection.fetch(f"SELECT {columns} FROM {name} WHERE {key} = ANY($1)", ids)
        found[table_row] = [tuple(row) for row in rows]
    return found


def _chunks(rows: Rows, patients: Sequence[str]) -> list[Rows]:
    """The same rows with ids of their own, for other patients, in chunks of whole plans."""
    plan_ids = [row[1] for row in rows[PLAN_TABLES[0]]]
    place = {plan_id: number // CHUNK for number, plan_id in enumerate(plan_ids)}
    ids: dict[Any, Any] = {plan_id: uuid4() for plan_id in plan_ids}
    old = {row[1]: row for row in rows[PLAN_TABLES[0]]}
    names = [column.name for column in PLAN_TABLES[0].__table__.columns]
    patient = names.index("patient_id")
    ids |= {old[plan][patient]: UUID(new) for plan, new in zip(plan_ids, patients, strict=True)}
    chunks: list[Rows] = [{} for _ in range(0, len(plan_ids), CHUNK)]
    for table_row, values in rows.items():
        columns = [column.name for column in table_row.__table__.columns]
        own = columns.index("id" if table_row.__tablename__ == "plans" else "plan_id")
        fresh = columns.index("id") if "id" in columns else None
        for row in values:
            if fresh is not None:
                ids.setdefault(row[fresh], uuid4())
            chunk = chunks[place[row[own]]]
            copy = tuple(
                ids.get(value, value) if isinstance(value, UUID) else value for value in row
            )
            chunk.setdefault(table_row, []).append(copy)
    return chunks


async def _number(connection: asyncpg.Connection, chunks: Sequence[Rows]) -> None:
    """Give the events numbers of their own, as if others had been stored before."""
    columns = [column.name for column in EventRow.__table__.columns]
    place = columns.index("number")
    for chunk in chunks:
        events = chunk[EventRow]
        last = await connection.fetchval(
            "UPDATE event_counters SET last_number = last_number + $1 WHERE clinic_id = $2"
            " RETURNING last_number",
            len(events),
            DEFAULT_CLINIC_ID,
        )
        chunk[EventRow] = [
            (*row[:place], last - number, *row[place + 1 :]) for number, row in enumerate(events)
        ]


async def _copy(connection: asyncpg.Connection, chunks: Sequence[Rows]) -> None:
    for chunk in chunks:
        async with connection.transaction():
            for table_row, rows in chunk.items():
                columns = [column.name for column in table_row.__table__.columns]
                await connection.copy_records_to_table(
                    table_row.__tablename__, records=rows, columns=columns
                )


async def _add(database: Database, chunks: Sequence[Rows]) -> None:
    patient = [column.name for column in PlanRow.__table__.columns].index("patient_id")
    for chunk in chunks:
        async with database.writing(DEFAULT_CLINIC_ID) as connection:
            held = {row[patient] for row in chunk[PlanRow]}
            await PatientRepository(connection, DEFAULT_CLINIC_ID).hold_all(held, ())
            ready = ReadyPlans("postgresql", DEFAULT_CLINIC_ID)
            ready.rows = chunk
            await BulkRepository(connection, DEFAULT_CLINIC_ID).add(ready)


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when something that must be reached is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bulk")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is run")
    asked = parser.parse_args(arguments)
    return report(lambda server: figures(server, asked.rounds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
