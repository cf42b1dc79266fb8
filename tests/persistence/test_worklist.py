"""The worklist's window states in SQL are the domain's, whatever the zone; indexes serve it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, text

from app.domain.calendars import local_date
from app.domain.facts import OccurrenceId
from app.domain.offsets import LAST_DAY
from app.domain.plans.steps import PlannedStep
from app.domain.protocols import StepKind
from app.domain.schedules import Window
from app.domain.states import PlanStatus, StepStatus, due_window, planned_state
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, open_database
from app.persistence.locations import LocationRepository
from app.persistence.worklist.records import Place, Todays, WaitingStep, WorklistFilter
from app.persistence.worklist.repository import WorklistRepository
from tests.persistence.given import (
    LOCATION,
    OTHER_CLINIC_ID,
    a_location,
    a_plan,
    a_step,
    other_clinic,
    stored_plan,
    surroundings,
    uid,
)
from tests.postgres import OWNER, as_role

BASE = date(2027, 3, 10)
# At most instants it is two days at these, at some three.
NUMBERED = {2: "America/Denver", 3: "Pacific/Kiritimati", 4: "Pacific/Midway"}
ZONES = {uid(number): zone for number, zone in NUMBERED.items()}
PLAN_STATUSES = ("active", "on_hold", "draft", "completed")
STEP_STATUSES = ("planned", "booked", "missed", "performed")
OPEN = frozenset({"planned", "booked"})
STATES = ("upcoming", "due", "overdue")
RESTRICTION = a_step(1, id=uid(77), kind=StepKind.RESTRICTION, day=BASE)
ALL = 10_000

Edges = tuple[int | None, int, int | None]


@dataclass(frozen=True, slots=True)
class Known:
    """A stored step as the test knows it."""

    step: PlannedStep
    plan_status: str
    location_id: UUID

    @property
    def window(self) -> Window | None:
        step = self.step
        if step.target is None:
            return None
        return Window(step.earliest, step.target, step.latest)

    def state(self, today: date) -> str | None:
        """Its state by the domain's definition."""
        plan, step = PlanStatus(self.plan_status), self.step
        return planned_state(self.window, step.day, step.status, plan, today)

    def place(self) -> tuple[date, date, UUID]:
        """Where it stands in the list."""
        day = self.step.day
        assert day is not None
        until = due_window(self.window, day, PlanStatus(self.plan_status)).latest
        return day, until or LAST_DAY, self.step.id


def windows() -> Iterator[Edges | None]:
    """Every window within a day of the base day, also without bounds, and none at all."""
    yield None
    for target in (-1, 0, 1):
        earlier = [None, *range(-1, target + 1)]
        later = [None, *range(target, 2)]
        yield from ((first, target, last) for first, last in product(earlier, later))


def windows_and_days() -> Iterator[tuple[Edges | None, int]]:
    """Those with days round the base day; and about a month before and after it."""
    yield from product(windows(), (-1, 0, 1))
    opening: list[Edges] = [(first, 32, 33) for first in (-1, 0, 1)]
    closing: list[Edges] = [(-33, -32, last) for last in (-1, 0, 1)]
    yield from product(opening, (31, 32, 33))
    yield from product(closing, (-33, -32, -31))


def on(offset: int | None) -> date | None:
    return None if offset is None else BASE + timedelta(days=offset)


def steps_of(plan: int) -> Iterator[PlannedStep]:
    """A step of each status on each day with each window."""
    cases = product(windows_and_days(), STEP_STATUSES)
    for number, ((window, day), status) in enumerate(cases):
        earliest, target, latest = (None, None, None) if window is None else window
        yield a_step(
            number,
            # The order of ids is not that of anything else.
            id=uid(1_000_000 * plan + number * 7919 % 100_003),
            occurrence=OccurrenceId("visit", number),
            kind=StepKind.DECISION if number % 5 == 0 else StepKind.VISIT,
            tentative=number % 7 == 0,
            status=StepStatus(status),
            day=on(day),
            earliest=on(earliest),
            target=on(target),
            latest=on(latest),
        )


@pytest.fixture(scope="module")
async def known(shared: Database) -> list[Known]:
    """Steps of every sort at every location, in plans of different statuses."""
    await other_clinic(shared)
    async with shared.writing(DEFAULT_CLINIC_ID) as connection:
        await surroundings(connection)
        locations = LocationRepository(connection, DEFAULT_CLINIC_ID)
        for number in (3, 4):
            await locations.add(a_location(number, time_zone=NUMBERED[number]))
    found = []
    for number, (location, status) in enumerate(product(ZONES, PLAN_STATUSES), start=100):
        plan = a_plan(
            number,
            location_id=location,
            status=status,
            practitioner=f"dr-{number % 3}",
            steps=tuple(steps_of(number)),
        )
        await stored_plan(shared, plan)
        found += [Known(step, status, location) for step in plan.steps]
    await stored_plan(shared, a_plan(99, steps=(RESTRICTION,), next_step_id=None))
    await analyze(shared)
    return found


async def analyze(database: Database) -> None:
    """Let the planner know what there is; on PostgreSQL only the tables' owner may."""
    url = database.write.url.render_as_string(hide_password=False)
    owned = open_database(url if database.is_one_file else as_role(OWNER, url), pool_size=1)
    async with owned.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(text("ANALYZE"))
    await owned.dispose()


def todays(now: datetime) -> Todays:
    """Today at each location."""
    days = {id_: local_date(now, ZoneInfo(zone)) for id_, zone in ZONES.items()}
    usual = days[LOCATION]
    others = {day: [i for i in days if days[i] == day] for day in days.values() if day != usual}
    return Todays(usual, others)


async def page(
    database: Database, now: datetime, *, limit: int = ALL, after: Any = None, **which: Any
) -> list[WaitingStep]:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        worklist = WorklistRepository(connection, DEFAULT_CLINIC_ID)
        wanted = WorklistFilter(**{"statuses": OPEN, **which})
        return await worklist.page(wanted, todays(now), after=after, limit=limit)


def expected(
    known: list[Known], now: datetime, *, states: frozenset[str], statuses: frozenset[str] = OPEN
) -> list[UUID]:
    """What a worklist must have, in its order."""
    fitting = [
        one.place()
        for one in known
        if one.plan_status in {"active", "on_hold"}
        and one.step.status in statuses
        and (not states or one.state(todays(now).at(one.location_id)) in states)
    ]
    return [id_ for _, _, id_ in sorted(fitting)]


def instants() -> Iterator[datetime]:
    """Some of each of four days, so that it becomes midnight everywhere in between."""
    start = datetime(2027, 3, 8, 1, 30, tzinfo=UTC)
    return (start + timedelta(hours=hours) for hours in range(0, 110, 5))


async def test_states_in_sql_are_those_of_the_domain(shared: Database, known: list[Known]) -> None:
    different_days = set()
    for now in instants():
        different_days.add(1 + len(todays(now).others))
        for state in STATES:
            states = frozenset({state})
            found = await page(shared, now, states=states)

            assert [step.id for step in found] == expected(known, now, states=states), (now, state)
    assert different_days == {2, 3}


@pytest.mark.parametrize(
    "states", [{"due", "overdue"}, {"upcoming", "due"}, {"upcoming", "overdue"}, set(STATES), set()]
)
async def test_several_states_are_wanted_together(
    shared: Database, known: list[Known], states: set[str]
) -> None:
    now = datetime(2027, 3, 10, 18, tzinfo=UTC)

    found = await page(shared, now, states=frozenset(states))

    assert [step.id for step in found] == expected(known, now, states=frozenset(states))


@pytest.mark.parametrize(
    "statuses", [{"planned"}, {"missed"}, {"performed"}, {"booked", "performed"}]
)
async def test_other_statuses_are_wanted(
    shared: Database, known: list[Known], statuses: set[str]
) -> None:
    now = datetime(2027, 3, 10, 18, tzinfo=UTC)
    wanted = frozenset(statuses)

    found = await page(shared, now, statuses=wanted)

    assert [step.id for step in found] == expected(known, now, states=frozenset(), statuses=wanted)


async def test_only_what_is_planned_or_booked_has_a_state_to_be_wanted(
    shared: Database, known: list[Known]
) -> None:
    now = datetime(2027, 3, 10, 18, tzinfo=UTC)
    states = frozenset({"overdue"})
    everything = frozenset(STEP_STATUSES)

    found = await page(shared, now, states=states, statuses=everything)

    assert [step.id for step in found] == expected(known, now, states=states)
    assert await page(shared, now, states=states, statuses=everything - OPEN) == []


@pytest.mark.parametrize("states", [set(), {"overdue"}, {"upcoming"}, {"due"}])
async def test_pages_follow_each_other(
    shared: Database, known: list[Known], states: set[str]
) -> None:
    now = datetime(2027, 3, 10, 10, 30, tzinfo=UTC)
    seen: list[UUID] = []
    after = None

    while rows := await page(shared, now, states=frozenset(states), after=after, limit=37):
        seen += [row.id for row in rows]
        after = Place(rows[-1].day, rows[-1].due_until, rows[-1].id)

    assert seen == expected(known, now, states=frozenset(states))


DECISIONS = {"kinds": frozenset({"decision"})}
WORKLIST = "ix_planned_steps_worklist"
PLACES = (("location_id", uid(3), "location"), ("practitioner", "dr-1", "practitioner"))


def state(name: str) -> dict[str, Any]:
    """Steps of one state."""
    return {"states": frozenset({name})}


@pytest.mark.parametrize(
    "which, fits",
    [
        pytest.param(
            {"location_id": uid(3)}, lambda step: step.location_id == uid(3), id="location"
        ),
        pytest.param(
            {"practitioner": "dr-1"}, lambda step: step.practitioner == "dr-1", id="practitioner"
        ),
        pytest.param(DECISIONS, lambda step: step.kind == "decision", id="kind"),
        pytest.param(
            {"practitioner": "dr-1", **DECISIONS},
            lambda step: (step.practitioner, step.kind) == ("dr-1", "decision"),
            id="both",
        ),
        pytest.param({"tentative": True}, lambda step: step.tentative, id="tentative"),
        pytest.param({"tentative": False}, lambda step: not step.tentative, id="firm"),
        pytest.param({"first": BASE}, lambda step: step.day >= BASE, id="from"),
        pytest.param({"until": BASE}, lambda step: step.day <= BASE, id="until"),
        pytest.param(
            {"first": BASE, "until": BASE, "practitioner": "dr-2"},
            lambda step: step.day == BASE and step.practitioner == "dr-2",
            id="several",
        ),
    ],
)
@pytest.mark.parametrize("states", [set(), {"overdue"}])
async def test_filters_leave_what_fits(
    shared: Database, known: list[Known], which: dict[str, Any], fits: Any, states: set[str]
) -> None:
    now = datetime(2027, 3, 11, 18, tzinfo=UTC)
    everything = await page(shared, now, states=frozenset(states))

    found = await page(shared, now, states=frozenset(states), **which)

    assert found == [step for step in everything if fits(step)]
    assert 0 < len(found) < len(everything)


async def test_counts_are_those_of_the_lists(shared: Database, known: list[Known]) -> None:
    now = datetime(2027, 3, 10, 10, 30, tzinfo=UTC)
    which = WorklistFilter(statuses=OPEN, until=BASE)

    async with shared.reading(DEFAULT_CLINIC_ID) as connection:
        worklist = WorklistRepository(connection, DEFAULT_CLINIC_ID)
        counted = await worklist.counts(which, todays(now), first=BASE)

    found = {(one.day, one.state): (one.steps, one.decisions) for one in counted}
    for state in STATES:
        listed = await page(shared, now, states=frozenset({state}), until=BASE)
        for day in (None, BASE):
            of_day = [step for step in listed if (step.day == BASE) is (day == BASE)]
            decisions = sum(step.kind == "decision" for step in of_day)
            assert found.pop((day, state)) == (len(of_day), decisions)
    assert found == {}


async def test_a_restriction_is_nobodys_work(shared: Database, known: list[Known]) -> None:
    now = datetime(2027, 3, 10, 18, tzinfo=UTC)

    assert RESTRICTION.id not in {step.id for step in await page(shared, now)}


async def test_another_clinics_steps_are_not_listed(shared: Database, known: list[Known]) -> None:
    async with shared.reading(DEFAULT_CLINIC_ID) as connection:
        worklist = WorklistRepository(connection, OTHER_CLINIC_ID)
        which, days = WorklistFilter(statuses=OPEN), Todays(BASE, {})
        assert await worklist.page(which, days, limit=10) == []
        assert await worklist.counts(which, days, first=BASE) == []
        assert await worklist.plans(location_id=None, practitioner=None, limit=10) == []
        assert await worklist.count_plans(location_id=None, practitioner=None) == 0
        assert await worklist.zones(None) == []


@pytest.mark.parametrize(
    "which, indexes",
    [
        pytest.param({}, {"ix_planned_steps_worklist"}, id="everything"),
        pytest.param(state("overdue"), {WORKLIST, f"{WORKLIST}_stray"}, id="overdue"),
        pytest.param(state("due"), {WORKLIST, f"{WORKLIST}_loose"}, id="due"),
        pytest.param(state("upcoming"), {WORKLIST, f"{WORKLIST}_stray"}, id="upcoming"),
        pytest.param({"location_id": uid(3), "first": BASE}, {f"{WORKLIST}_location"}),
        pytest.param({"practitioner": "dr-1"}, {f"{WORKLIST}_practitioner"}, id="a practitioner"),
        *(
            pytest.param({name: value, **asked}, {f"{index}_{what}" for index in indexes})
            for name, value, what in PLACES
            for asked, indexes in (
                (DECISIONS, {f"{WORKLIST}_undecided"}),
                ({**DECISIONS, **state("due")}, {f"{WORKLIST}_undecided"}),
                (state("overdue"), {WORKLIST, f"{WORKLIST}_stray"}),
            )
        ),
        pytest.param(
            {"statuses": frozenset({"performed"})}, {"ix_planned_steps_worklist_done"}, id="done"
        ),
    ],
)
async def test_an_index_serves_the_page(
    shared: Database, known: list[Known], which: dict[str, Any], indexes: set[str]
) -> None:
    plan = await explained(shared, which)

    assert {name for name in plan.split() if name.startswith("ix_planned")} == indexes, plan
    assert "Seq Scan on planned_steps" not in plan
    assert "SCAN planned_steps" not in plan.replace("SCAN planned_steps USING INDEX", "")


async def explained(database: Database, which: dict[str, Any]) -> str:
    """How the database finds a page in the order of an index, in its own words.

    PostgreSQL may sort so few steps, which a page of millions could not wait for: told not to, it
    shows whether an index gives the order.
    """
    sent: list[Any] = []
    engine = database.read.sync_engine

    def note(*args: Any) -> None:
        sent.append(args[2:4])

    event.listen(engine, "before_cursor_execute", note)
    await page(database, datetime(2027, 3, 10, 18, tzinfo=UTC), limit=51, **which)
    event.remove(engine, "before_cursor_execute", note)
    [(sql, parameters)] = sent
    is_postgresql = engine.dialect.name == "postgresql"
    how = "EXPLAIN" if is_postgresql else "EXPLAIN QUERY PLAN"
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        if is_postgresql:
            await connection.execute(text("SET enable_sort = off"))
        rows = await connection.exec_driver_sql(f"{how} {sql}", parameters)
        return "\n".join(" ".join(map(str, row)) for row in rows)
