"""Measures the worklist's statements on PostgreSQL at one and at ten million planned steps.

`python -m tests.benchmarks.worklist [--most N]`: the statements the product sends, sent again by
asyncpg with other cursors, locations and practitioners; every step waits in a living plan.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import make_url

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, driver_url, open_database
from app.persistence.migrate import upgrade
from app.persistence.worklist.records import Place, Todays, WorklistFilter
from app.persistence.worklist.repository import WorklistRepository
from tests.benchmarks.capturing import Capture, Statement, captured
from tests.benchmarks.figures import Figure
from tests.benchmarks.servers import report

MOST = 10_000_000
STEPS_OF_A_PLAN = 8
LOCATIONS, PRACTITIONERS, PATIENTS = 50, 500, 1000
TODAY = date(2027, 3, 10)
DAYS = 730
PAGE = 51
VARIANTS, ROUNDS = 40, 9
# A server with so many steps has memory for what is asked for now: usually a quarter of its own.
SHARED_BUFFERS = "1GB"
OPEN = frozenset({"planned", "booked"})
MUST_MILLISECONDS, MUST_RATIO = 1.0, 1.5

# Two years of days, the first month behind today and all undone; windows of a day up to four weeks,
# some of two months, some steps without any. An eighth are restrictions, which no worklist shows.
FILL = f"""
INSERT INTO plans (clinic_id, id, revision, status, protocol_key, protocol_version, patient_id,
    location_id, practitioner, state, chosen, breaches, attention, needs_attention, created_at,
    updated_at, created_by)
SELECT $1, uuid_of(1, n), 1, 'active', 'ankle', '1.0.0', uuid_of(3, n % {PATIENTS}),
    uuid_of(4, n % {LOCATIONS}), 'dr-' || n % {PRACTITIONERS}, '{{}}', '{{}}', '[]', '[]', false,
    now(), now(), 'benchmark'
FROM generate_series($2::bigint, $3::bigint - 1) AS n;
INSERT INTO planned_steps (clinic_id, id, plan_id, position, key, kind, title, status, tentative,
    optional, day, window_earliest, window_target, window_latest, due_from, due_until, loose,
    deadline, duration_minutes, modes, reasons, instructions, location_id, practitioner,
    plan_status)
SELECT $1, uuid_of(2, n * {STEPS_OF_A_PLAN} + place), uuid_of(1, n), place, 'step-' || place,
    (ARRAY['procedure', 'injection', 'visit', 'visit', 'call', 'visit', 'restriction',
        'decision'])[place + 1],
    'Follow-up with ultrasound of the ankle', CASE WHEN n % 10 = 0 THEN 'booked' ELSE 'planned' END,
    place = 5, false, day, CASE WHEN place > 0 THEN earliest END, CASE WHEN place > 0 THEN day END,
    CASE WHEN place > 0 THEN latest END, earliest, latest, wide, false, 45,
    '["in_person"]', '[{{"code":"on_target","text":"6 weeks after session on 2027-01-27"}}]',
    '[{{"date":"2027-03-10","audience":"patient","text":"Wear loose clothing."}}]',
    uuid_of(4, n % {LOCATIONS}), 'dr-' || n % {PRACTITIONERS}, 'active'
FROM generate_series($2::bigint, $3::bigint - 1) AS n,
    generate_series(0, {STEPS_OF_A_PLAN - 1}) AS place,
    LATERAL (SELECT $4::date - 30 + ((n * 7919 + place * 13) % {DAYS})::int AS day) AS placed,
    LATERAL (SELECT place = 4 AND n % 4 = 0 AS wide) AS far,
    LATERAL (SELECT
        CASE WHEN wide THEN day - 60 WHEN place > 0 THEN day - (n % 15)::int ELSE day END
            AS earliest,
        CASE WHEN place > 0 THEN day + (n % 13)::int ELSE day END AS latest) AS due;
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of question, asked in several variants."""

    name: str
    variants: Sequence[tuple[WorklistFilter, Place | None]]


def uuid_of(kind: int, number: int) -> UUID:
    """The id of a filled row, as `uuid_of` of the database makes it."""
    return UUID(f"{kind:08x}-0000-7000-8000-{number:012x}")


def _where(**fields: Any) -> WorklistFilter:
    return WorklistFilter(**{"statuses": OPEN, **fields})


def _after(number: int) -> Place:
    day = TODAY + timedelta(days=number * 10 % 600)
    return Place(day, day, uuid_of(2, number))


def cases() -> Iterator[Case]:
    """What desks, practitioners and dashboards ask."""
    numbers = range(VARIANTS)
    yield Case("first page", [(_where(), None)] * VARIANTS)
    yield Case("a page further on", [(_where(), _after(n)) for n in numbers])
    for state in ("overdue", "due", "upcoming"):
        which = _where(states=frozenset({state}))
        yield Case(state, [(which, None)] * VARIANTS)
    week = {"first": TODAY, "until": TODAY + timedelta(days=7)}
    places = [uuid_of(4, n % LOCATIONS) for n in numbers]
    yield Case("a week of a location", [(_where(location_id=p, **week), None) for p in places])
    late = frozenset({"overdue"})
    yield Case(
        "overdue of a practitioner",
        [(_where(practitioner=f"dr-{n}", states=late), None) for n in numbers],
    )
    due = {"kinds": frozenset({"decision"}), "states": frozenset({"due"})}
    yield Case(
        "decisions due at a location", [(_where(location_id=p, **due), None) for p in places]
    )


def figures(server: str, most: int) -> Iterator[Figure]:
    """The median of each statement at both sizes, and their ratio."""
    with _database(server) as url:
        upgrade(url)
        less = most // 10
        at_less = asyncio.run(_measure(url, 0, less))
        at_most = asyncio.run(_measure(url, less, most))
    for name, few in at_less.items():
        many = at_most[name]
        ratios = tuple(slow / quick for slow, quick in zip(many, few, strict=True))
        yield Figure(f"worklist, {name}, {less:,} steps", few, unit=" ms")
        yield Figure(
            f"worklist, {name}, {most:,} steps", many, MUST_MILLISECONDS, 0.5, most=True, unit=" ms"
        )
        yield Figure("    ratio", ratios, MUST_RATIO, 1.2, most=True)


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = "regimen_worklist"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        url = make_url(driver_url(server)).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server.replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _measure(url: str, first: int, last: int) -> dict[str, tuple[float, ...]]:
    database = open_database(url)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), server_settings={"jit": "off"})
    try:
        await _fill(connection, first, last)
        sent = {case.name: await _sent(database, case) for case in cases()}
        return {name: await _medians(connection, statements) for name, statements in sent.items()}
    finally:
        await connection.close()
        await database.dispose()


async def _fill(connection: asyncpg.Connection, first: int, last: int) -> None:
    """Steps from one number to another; indexes are made anew, as that is quicker."""
    made = perf_counter()
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute(
        "CREATE OR REPLACE FUNCTION uuid_of(kind int, number bigint) RETURNS uuid LANGUAGE sql"
        " IMMUTABLE AS $$ SELECT (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' ||"
        " lpad(to_hex(number), 12, '0'))::uuid $$"
    )
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'planned_steps'"
        " AND indexname LIKE 'ix_%'"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    plans = (first // STEPS_OF_A_PLAN, last // STEPS_OF_A_PLAN)
    for statement in FILL.split(";")[:-1]:
        given = (DEFAULT_CLINIC_ID, *plans, TODAY) if "$4" in statement else None
        await connection.execute(statement, *(given or (DEFAULT_CLINIC_ID, *plans)))
    for index in indexes:
        await connection.execute(index["indexdef"])
    await connection.execute("VACUUM ANALYZE plans")
    await connection.execute("VACUUM ANALYZE planned_steps")
    taken = perf_counter() - made
    print(f"{last:,} steps after {taken:.0f} s more", file=sys.stderr, flush=True)


async def _sent(database: Database, case: Case) -> list[Statement]:
    """The statement of each variant, as the product sends it."""
    capture = Capture()
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        worklist = WorklistRepository(connection, DEFAULT_CLINIC_ID)
        with captured(capture):
            for which, after in case.variants:
                await worklist.page(which, Todays(TODAY, {}), after=after, limit=PAGE)
    assert len(capture.statements) == len(case.variants)
    return capture.statements


async def _medians(
    connection: asyncpg.Connection, statements: Sequence[Statement]
) -> tuple[float, ...]:
    """The median time of a statement in each round, in milliseconds."""
    found = []
    for _ in range(ROUNDS + 1):
        taken = []
        for statement in statements:
            begin = perf_counter()
            await connection.fetch(statement.sql, *statement.parameters)
            taken.append((perf_counter() - begin) * 1000)
        found.append(median(taken))
    return tuple(found[1:])


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when something that must be reached is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.worklist")
    parser.add_argument("--most", type=int, default=MOST, help="how many steps at most")
    asked = parser.parse_args(arguments)
    return report(lambda server: figures(server, asked.most), shared_buffers=SHARED_BUFFERS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
