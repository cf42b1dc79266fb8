"""Steps are found by their days and windows, each once, in order, and by an index."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from app.domain.facts import OccurrenceId
from app.domain.plans.steps import PlannedStep
from app.persistence.bounds import Bounds
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.plans.searching import PlanSearches, StepSearch
from app.persistence.searches import SearchPage, Sorting
from tests.persistence.given import LOCATION, a_plan, a_step, stored_plan, surroundings, uid

BASE = date(2027, 3, 10)
ALL = 10_000
FAR = (date.min, date.max)
EDGES = (None, -40, -1, 0, 1, 40)


def on(offset: int | None) -> date | None:
    """A day so far from the base day."""
    return None if offset is None else BASE + timedelta(offset)


def steps_of(plan: int) -> Iterator[PlannedStep]:
    """With every window, without one, spans and not, on several days and on none."""
    windows = [
        (first, 0, last)
        for first, last in product(EDGES, EDGES)
        if (first or 0) <= 0 <= (last or 0)
    ]
    cases = product([*windows, (None, None, None)], (None, -60, -2, 0, 1, 50), (None, 3, 80))
    for number, (window, day, length) in enumerate(cases):
        if day is None and length is not None:
            continue
        yield a_step(
            number,
            id=uid(1_000_000 * plan + number * 7919 % 100_003),
            occurrence=OccurrenceId("visit", number),
            day=on(day),
            end=None if day is None or length is None else on(day + length),
            **dict(zip(("earliest", "target", "latest"), map(on, window), strict=True)),
        )


@pytest.fixture(scope="module")
async def known(shared: Database) -> list[PlannedStep]:
    """Such steps of an active plan and one on hold."""
    async with shared.writing(DEFAULT_CLINIC_ID) as connection:
        await surroundings(connection)
    plans = [
        a_plan(number, status=status, steps=tuple(steps_of(number)))
        for number, status in enumerate(("active", "on_hold"), start=100)
    ]
    for plan in plans:
        await stored_plan(shared, plan)
    return [step for plan in plans for step in plan.steps]


async def found(
    database: Database, wanted: StepSearch, *sorts: Sorting, limit: int = ALL
) -> list[UUID]:
    """All that fits, page by page."""
    ids: list[UUID] = []
    page = SearchPage(limit=limit, sorts=sorts)
    while True:
        async with database.reading(DEFAULT_CLINIC_ID) as connection:
            some = await PlanSearches(connection, DEFAULT_CLINIC_ID).steps(wanted, page)
        ids += some.ids
        if some.next is None:
            return ids
        page = replace(page, after=some.next)


def window_of(step: PlannedStep) -> tuple[date, date] | None:
    """Between which days a step may be, as FHIR shows it; what is missing is open."""
    if step.target is not None:
        return step.earliest or FAR[0], step.latest or FAR[1]
    return None if step.day is None else (step.day, step.end or step.day)


def day_of(step: PlannedStep) -> tuple[date, date] | None:
    """The one day that a step has."""
    return None if step.day is None else (step.day, step.day)


TODAY: Bounds[date] = Bounds(begins_from=BASE, ends_until=BASE)
WEEK: Bounds[date] = Bounds(begins_until=BASE + timedelta(7), ends_from=BASE)
FROM_NOW: Bounds[date] = Bounds(ends_from=BASE)


@pytest.mark.parametrize(
    "bounds",
    [
        pytest.param(TODAY, id="eq"),
        pytest.param(Bounds(begins_until=BASE, ends_from=BASE), id="ap"),
        pytest.param(WEEK, id="ge and le"),
        pytest.param(FROM_NOW, id="ge"),
        pytest.param(Bounds(begins_until=BASE), id="le"),
        pytest.param(Bounds(begins_from=BASE + timedelta(1)), id="sa"),
        pytest.param(Bounds(ends_until=BASE - timedelta(1)), id="eb"),
        pytest.param(Bounds(ends_from=BASE + timedelta(45)), id="later"),
        pytest.param(Bounds(not_within=((BASE, BASE),)), id="ne"),
    ],
)
@pytest.mark.parametrize("by", ["days", "windows"])
async def test_what_fits_is_found_once_in_order_of_days(
    shared: Database, known: list[PlannedStep], by: str, bounds: Bounds[date]
) -> None:
    span_of = day_of if by == "days" else window_of
    spans = {step.id: span for step in known if (span := span_of(step)) is not None}
    wanted = StepSearch(days=bounds) if by == "days" else StepSearch(windows=bounds)

    ids = await found(shared, wanted, limit=101)

    assert len(ids) == len(set(ids))
    assert set(ids) == {
        id_
        for id_, (begins, ends) in spans.items()
        if (bounds.begins_from or FAR[0]) <= begins <= (bounds.begins_until or FAR[1])
        and (bounds.ends_from or FAR[0]) <= ends <= (bounds.ends_until or FAR[1])
        and all(begins < first or last < ends for first, last in bounds.not_within)
    }
    assert 0 < len(ids) < len(known)
    if by == "days":
        assert ids == sorted(ids, key=lambda id_: (spans[id_], id_))
    dated = Sorting("date", descending=True)
    assert set(await found(shared, wanted, dated, limit=101)) == set(ids)
    of_plan = replace(wanted, plan_ids=(uid(100), uid(101)))
    assert set(await found(shared, of_plan)) == set(ids)


DAY, UNTIL = "ix_planned_steps_clinic_id_day_id", "ix_planned_steps_clinic_id_due_until_due_from_id"
UNTIMED = "ix_planned_steps_untimed_spans"


@pytest.mark.parametrize(
    "wanted, sorts, indexes",
    [
        pytest.param({"days": TODAY}, (), {DAY}, id="a day"),
        pytest.param({"days": FROM_NOW}, (Sorting("date"),), {DAY}, id="from a day"),
        pytest.param({"days": WEEK, "location_ids": (LOCATION,)}, (), {DAY}, id="at a place"),
        pytest.param({"windows": TODAY}, (), {UNTIL}, id="windows in a day"),
        pytest.param({"windows": WEEK}, (), {UNTIL, UNTIMED}, id="windows in days"),
    ],
)
async def test_an_index_serves_the_search(
    shared: Database,
    known: list[PlannedStep],
    wanted: dict[str, Any],
    sorts: tuple[Sorting, ...],
    indexes: set[str],
) -> None:
    plan = await explained(shared, StepSearch(**wanted), sorts)

    assert {name for name in plan.split() if name.startswith("ix_planned")} == indexes, plan
    assert "Seq Scan on planned_steps" not in plan
    assert "SCAN planned_steps" not in plan


async def explained(database: Database, wanted: StepSearch, sorts: tuple[Sorting, ...]) -> str:
    """How the database finds a page without sorting, which many steps could not wait for."""
    sent: list[Any] = []
    engine = database.read.sync_engine

    def note(*args: Any) -> None:
        sent.append(args[2:4])

    event.listen(engine, "before_cursor_execute", note)
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        searches = PlanSearches(connection, DEFAULT_CLINIC_ID)
        await searches.steps(wanted, SearchPage(limit=50, sorts=sorts))
    event.remove(engine, "before_cursor_execute", note)
    sql, parameters = sent[-1]
    is_postgresql = engine.dialect.name == "postgresql"
    how = "EXPLAIN" if is_postgresql else "EXPLAIN QUERY PLAN"
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        if is_postgresql:
            await connection.execute(text("SET enable_sort = off"))
            await connection.execute(text("SET enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"{how} {sql}", parameters)
        return "\n".join(" ".join(map(str, row)) for row in rows)
