"""What is worked on elsewhere or no more is told where it was, as far as feeds look back."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from app.domain.states import StepStatus
from app.persistence.calendars import CalendarRepository, FeedStep
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.locations import LocationRepository
from app.persistence.plans.records import PlanRecord
from app.persistence.plans.repository import PlanRepository
from app.persistence.tables import FEED_DAYS_AHEAD, FEED_DAYS_BACK
from tests.persistence.given import (
    LOCATION,
    NOW,
    OTHER_CLINIC_ID,
    a_calendar,
    a_location,
    a_plan,
    a_revision,
    a_step,
    other_clinic,
    stored_plan,
    surroundings,
    uid,
)

EAST = uid(3)
CLINIC = DEFAULT_CLINIC_ID


@pytest.fixture(autouse=True)
async def _surroundings(database: Database) -> None:
    async with database.writing(CLINIC) as connection:
        await surroundings(connection)
        await LocationRepository(connection, CLINIC).add(
            a_location(3, name="East", time_zone="Europe/Vienna")
        )


async def save(database: Database, before: PlanRecord, **fields: Any) -> PlanRecord:
    """The plan's next revision."""
    plan = replace(before, revision=before.revision + 1, **fields)
    async with database.writing(CLINIC) as connection:
        plans = PlanRepository(connection, CLINIC)
        await plans.save(before, plan, a_revision(plan.revision), events=[], superseded={})
    return plan


async def former(database: Database, **where: Any) -> tuple[FeedStep, ...]:
    """What feeds at a location or of a practitioner show of steps that are there no more."""
    calendar = a_calendar(**{"patient_id": None, **where})
    first, last = date(2026, 1, 1), date(2028, 1, 1)
    async with database.reading(CLINIC) as connection:
        calendars = CalendarRepository(connection, CLINIC)
        return await calendars.former_steps_between(first, last, calendar, limit=10)


async def test_what_goes_to_another_place_is_off_where_it_was(database: Database) -> None:
    plan = await stored_plan(database, a_plan(practitioner="dr-1"))

    moved = await save(database, plan, location_id=EAST)
    await save(database, moved, practitioner="dr-2")

    here, there = [await former(database, location_id=place) for place in (LOCATION, EAST)]
    assert {step.id for step in here} == {step.id for step in there} == {s.id for s in plan.steps}
    assert {(step.status, step.plan_revision, step.day) for step in here} == {
        ("cancelled", 3, date(2027, 3, 10))
    }
    assert {(step.location_name, step.time_zone) for step in here} == {("Main", "America/Denver")}
    assert {(step.location_name, step.time_zone) for step in there} == {("East", "Europe/Vienna")}
    assert {step.location_name for step in await former(database, practitioner="dr-1")} == {"East"}
    assert await former(database, practitioner="dr-2") == ()


async def test_another_clinics_steps_are_on_no_feed_though_names_are_the_same(
    database: Database,
) -> None:
    plan = await stored_plan(database, a_plan(practitioner="dr-1"))
    plan = await save(database, plan, steps=plan.steps[:1])
    await other_clinic(database)
    first, last, patient = date(2026, 1, 1), date(2028, 1, 1), plan.patient_id
    found: list[list[Any]] = []

    for clinic in (CLINIC, OTHER_CLINIC_ID):
        async with database.reading(clinic) as connection:
            calendars = CalendarRepository(connection, clinic)
            named = a_calendar(patient_id=None, practitioner="dr-1")
            found.append(
                [
                    await calendars.steps_between(first, last, named, limit=10),
                    await calendars.former_steps_between(first, last, named, limit=10),
                    await calendars.steps_of_plan(plan.id, limit=10),
                    await calendars.steps_of_patient(patient, limit=10),
                    await calendars.plans(plan_id=plan.id, patient_id=None),
                ]
            )

    ours, theirs = found
    assert all(ours)
    assert not any(theirs)


async def test_a_step_that_went_twice_is_where_it_stood_last(database: Database) -> None:
    plan = await stored_plan(database, a_plan(steps=(a_step(),)))
    (step,) = plan.steps

    for day in (None, date(2027, 3, 4), None):
        plan = await save(database, plan, steps=(replace(step, day=day),))

    assert [step.day for step in await former(database, location_id=LOCATION)] == [date(2027, 3, 4)]


async def test_what_feeds_show_no_more_is_not_kept(database: Database) -> None:
    first = NOW.date() - timedelta(FEED_DAYS_BACK)
    steps = tuple(a_step(n, day=first + timedelta(n - 1)) for n in (0, 1))
    plan = await stored_plan(database, a_plan(steps=steps))

    await save(database, plan, steps=())

    assert [step.day for step in await former(database, location_id=LOCATION)] == [first]


async def test_what_feeds_show_or_never_showed_is_not_kept_beside(database: Database) -> None:
    plan = await stored_plan(database, a_plan(status="draft"))
    step, other = plan.steps

    plan = await save(database, plan, steps=(step,))
    plan = await save(database, plan, status="active", steps=(step, other))
    moved, skipped = (
        replace(step, day=date(2027, 3, 11)),
        replace(other, status=StepStatus.SKIPPED),
    )
    plan = await save(database, plan, status="on_hold", steps=(moved, skipped))
    await save(
        database,
        plan,
        status="revoked",
        steps=(replace(moved, status=StepStatus.CANCELLED), skipped),
    )

    assert await former(database, location_id=LOCATION) == ()


@pytest.mark.parametrize(
    "days, status",
    [
        pytest.param(FEED_DAYS_AHEAD + 1, StepStatus.PLANNED, id="planned further ahead"),
        pytest.param(-FEED_DAYS_BACK - 1, StepStatus.PERFORMED, id="performed further back"),
    ],
)
async def test_what_goes_to_a_day_that_no_feed_shows_is_off_where_it_stood(
    database: Database, days: int, status: StepStatus
) -> None:
    plan = await stored_plan(database, a_plan(steps=(a_step(),)))
    (step,) = plan.steps
    day = NOW.date() + timedelta(days)

    await save(database, plan, steps=(replace(step, day=day, end=None, status=status),))

    (shown,) = await former(database, location_id=LOCATION)
    assert (shown.status, shown.day) == ("cancelled", step.day)


async def test_the_last_day_that_feeds_show_is_no_way_off(database: Database) -> None:
    plan = await stored_plan(database, a_plan(steps=(a_step(),)))
    (step,) = plan.steps

    for days in (FEED_DAYS_AHEAD, -FEED_DAYS_BACK):
        there = replace(step, day=NOW.date() + timedelta(days), end=None)
        plan = await save(database, plan, steps=(there,))

    assert await former(database, location_id=LOCATION) == ()


async def test_what_is_performed_as_its_plan_ends_is_on_the_day_on_which_it_was(
    database: Database,
) -> None:
    plan = await stored_plan(database, a_plan(steps=(a_step(),)))
    (step,) = plan.steps
    done = replace(step, day=date(2027, 3, 8), status=StepStatus.PERFORMED)

    await save(database, plan, status="completed", steps=(done,))

    (shown,) = await former(database, location_id=LOCATION)
    assert (shown.status, shown.day) == ("performed", date(2027, 3, 8))
