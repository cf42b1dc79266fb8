"""The antenatal contacts of a published care plan, from the last menstrual period by the engine."""

from datetime import date
from typing import Any

import pytest

from app.domain.engine import solve
from app.domain.facts import OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    Bounds,
    OutsideEvent,
    Protocol,
    Step,
    StepKind,
    Timepoint,
    Timing,
)
from app.domain.schedules import Schedule
from tests.domain.published import read_json

CARE_PLAN: dict[str, Any] = read_json("fhir/CarePlan-who-anc-first-contact.json")
LAST_PERIOD = date(2019, 3, 8)  # inferred by the data's README; the file does not state it
WEEKS = (20, 26, 30, 34, 36, 38, 40)


def _contacts() -> Step:
    points = tuple(
        Timepoint(f"week_{week}", Bounds(Offset(weeks=week), Offset(weeks=week))) for week in WEEKS
    )
    timing = Timing(OutsideEvent("last_menstrual_period"), points[0].bounds)
    return Step("contact", StepKind.VISIT, "Contact", 3, timings=(timing,), timepoints=points)


def _delivery() -> Step:
    forty, forty_two = Offset(weeks=40), Offset(weeks=42)
    timing = Timing(OutsideEvent("last_menstrual_period"), Bounds(forty, forty, forty_two))
    return Step("delivery", StepKind.PROCEDURE, "Delivery", 10, timings=(timing,))


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    """The plan after the first visit."""
    problem = Problem(
        Protocol((_contacts(), _delivery())),
        as_of=date.fromisoformat(CARE_PLAN["period"]["start"]),
        events={"last_menstrual_period": LAST_PERIOD},
    )
    found = solve(problem)
    assert isinstance(found, Schedule)
    return found


def _published(description: str) -> dict[str, str]:
    """The period of the activity described so."""
    details = [activity["detail"] for activity in CARE_PLAN["activity"]]
    found: dict[str, str] = next(
        detail["scheduledPeriod"]
        for detail in details
        if "scheduledPeriod" in detail and description in detail["description"]
    )
    return found


@pytest.mark.parametrize("week", WEEKS)
def test_a_contact_is_on_the_published_day(schedule: Schedule, week: int) -> None:
    day = schedule.day_of(OccurrenceId("contact", f"week_{week}"))

    assert str(day) == _published(f"at {week} weeks")["start"]


def test_the_delivery_has_the_published_window(schedule: Schedule) -> None:
    window = next(step.window for step in schedule.steps if step.id == OccurrenceId("delivery"))

    assert window is not None
    assert str(window.earliest) == _published("Delivery")["start"]
    assert str(window.latest) == _published("Delivery")["end"]
