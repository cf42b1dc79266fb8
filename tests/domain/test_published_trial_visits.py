"""A real trial replayed: each subject's visits are recorded in date order and the plan follows.

The windows and states are the published ones; a telephone contact counts from the actual day of the
visit before; nothing that is done moves; visits nobody came to never make the plan impossible.
"""

from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import pytest

from app.domain.engine import solve
from app.domain.facts import Anchor, Commitment, Kept, OccurrenceId, Performed
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, Protocol, Step, StepKind, StepReference, Timing
from app.domain.schedules import Placed, Schedule
from app.domain.states import window_state
from tests.domain.published import read_json, read_rows

pytestmark = pytest.mark.long

Row = dict[str, str]

VISITS: list[dict[str, Any]] = read_json("trial-visits/schedule.json")
TITLES = {visit["visit_number"]: visit["visit"] for visit in VISITS}
ENDS = ("earliest", "target", "latest")
BASELINE = OccurrenceId("visit_3")
ROWS = {
    subject: [row for row in rows if TITLES.get(row["visit_number"]) == row["visit"]]
    for subject, rows in groupby(
        read_rows("trial-visits/visits.csv"), key=lambda row: row["subject"]
    )
}


def _id(visit_number: str) -> OccurrenceId:
    return OccurrenceId("visit_" + visit_number.replace(".", "_"))


def _step(visit: dict[str, Any]) -> Step:
    timings: tuple[Timing, ...] = ()
    if "relative_to" in visit:
        earliest, target, latest = (
            Offset.parse(visit[end]) if end in visit else None for end in ENDS
        )
        reference = StepReference(_id(visit["relative_to"]).step)
        timings = (Timing(reference, Bounds(earliest, target, latest)),)
    kind = StepKind.CALL if "(T)" in visit["visit"] else StepKind.VISIT
    key = _id(visit["visit_number"]).step
    return Step(key, kind, visit["visit"], importance=3, timings=timings)


PROTOCOL = Protocol(tuple(_step(visit) for visit in VISITS), anchor=BASELINE.step)


def _first_plan(rows: list[Row]) -> Problem:
    """The plan made at the first visit, the baseline hoped for a fortnight later."""
    today = date.fromisoformat(min(row["actual"] for row in rows))
    return Problem(PROTOCOL, as_of=today, anchor=Anchor(BASELINE, today + timedelta(days=14)))


def _replayed(rows: list[Row]) -> list[Schedule]:
    """The plan after each visit, the days given out before being kept."""
    problem = _first_plan(rows)
    schedules: list[Schedule] = []
    for row in sorted(rows, key=lambda row: row["actual"]):
        today = date.fromisoformat(row["actual"])
        problem = replace(
            problem,
            as_of=today,
            performed=(*problem.performed, Performed(_id(row["visit_number"]), today)),
        )
        found = solve(problem)
        assert isinstance(found, Schedule), found
        schedules.append(found)
        problem = replace(problem, kept=_given_out(found))
    return schedules


def _given_out(schedule: Schedule) -> tuple[Kept, ...]:
    return tuple(
        Kept(step.id, step.day, Commitment.ACTIVE)
        for step in schedule.steps
        if step.day is not None and not step.performed
    )


def _steps(schedule: Schedule) -> dict[OccurrenceId, Placed]:
    return {step.id: step for step in schedule.steps}


def _last_day(rows: list[Row]) -> date:
    return date.fromisoformat(max(row["actual"] for row in rows))


@pytest.mark.parametrize("subject", ROWS)
def test_a_replayed_subject_has_the_published_windows_and_states(subject: str) -> None:
    rows = ROWS[subject]

    final = _replayed(rows)[-1]

    for row in rows:
        placed = _steps(final)[_id(row["visit_number"])]
        actual = date.fromisoformat(row["actual"])
        assert placed.day == actual
        if row["state"]:
            assert placed.window is not None
            window = tuple(str(day) for day in (getattr(placed.window, end) for end in ENDS))
            assert window == tuple(row[end] for end in ENDS)
            assert window_state(placed.window, _last_day(rows), actual) == row["state"]
        elif row["target"]:
            assert placed.window is not None
            assert str(placed.window.target) == row["target"]


@pytest.mark.parametrize("subject", ROWS)
def test_nothing_that_is_done_moves_and_what_follows_is_anchored_again(subject: str) -> None:
    rows = sorted(ROWS[subject], key=lambda row: row["actual"])

    schedules = _replayed(rows)

    for done, schedule in enumerate(schedules, 1):
        for row in rows[:done]:
            assert str(schedule.day_of(_id(row["visit_number"]))) == row["actual"]
        contacts = {_id(number) for number in TITLES if "." in number}
        for contact in contacts:
            before = schedule.day_of(OccurrenceId(contact.step.removesuffix("_1")))
            window = _steps(schedule)[contact].window
            assert before is not None
            assert window is not None
            assert window.target == before + timedelta(days=14)


@pytest.mark.parametrize("subject", list(ROWS)[::10])
def test_the_order_in_which_visits_are_recorded_does_not_matter(subject: str) -> None:
    rows = ROWS[subject]
    facts = tuple(
        Performed(_id(row["visit_number"]), date.fromisoformat(row["actual"])) for row in rows
    )
    problem = replace(_first_plan(rows), as_of=_last_day(rows) + timedelta(days=400))
    kept = tuple(
        Kept(OccurrenceId(step.key), problem.as_of - timedelta(days=1), Commitment.ACTIVE)
        for step in PROTOCOL.steps
    )

    first = solve(replace(problem, performed=facts, kept=kept))
    second = solve(replace(problem, performed=facts[::-1], kept=kept[::-1]))

    assert isinstance(first, Schedule)
    assert first == second


def test_all_the_published_states_are_there() -> None:
    states = [row["state"] for rows in ROWS.values() for row in rows if row["state"]]

    assert {state: states.count(state) for state in set(states)} == {
        "in_window": 602,
        "late": 160,
        "early": 28,
    }
    assert len(ROWS) == 127
