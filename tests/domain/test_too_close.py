"""Two steps that lie too close to each other: one visit for both, or a later day of one."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.engine import solve, ways_apart
from app.domain.facts import Anchor, OccurrenceId, Performed
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    Bounds,
    Count,
    Order,
    Protocol,
    Repeat,
    Step,
    StepKind,
    StepReference,
    Timing,
)
from app.domain.rules import MinGap, MinGapBetween, Rule, Severity, StepSelector
from app.domain.schedules import Schedule

ONE, OTHER = OccurrenceId("one"), OccurrenceId("other")
APART = MinGapBetween(
    id="apart",
    severity=Severity.WARN,
    one=StepSelector("one"),
    other=StepSelector("other"),
    offset=Offset.of_days(7),
    one_visit=True,
)
FIRST = date(2027, 4, 6)


def _visit(key: str, target: int, latest: int) -> Step:
    bounds = Bounds(Offset.of_days(target), Offset.of_days(target), Offset.of_days(latest))
    timing = Timing(StepReference("session"), bounds)
    return Step(key, StepKind.VISIT, key.title(), 3, timings=(timing,))


def two_visits(other: tuple[int, int], *rules: Rule) -> Problem:
    """One visit 10 to 20 days after the session, and another between two numbers of days."""
    session = Step("session", StepKind.PROCEDURE, "Session", 10)
    steps = (session, _visit("one", 10, 20), _visit("other", *other))
    anchor = Anchor(OccurrenceId("session"), FIRST)
    protocol = Protocol(steps, anchor="session", rules=rules)
    return Problem(protocol=protocol, as_of=FIRST, anchor=anchor)


def offered(
    problem: Problem, moved: frozenset[OccurrenceId] = frozenset()
) -> list[tuple[str, int]]:
    """Which steps are offered days, and so many days after the session."""
    schedule = solve(problem)
    assert isinstance(schedule, Schedule)
    found = ways_apart(problem, schedule, moved)
    assert all(offer.breach in {breach.id for breach in schedule.breaches} for offer in found)
    return [(str(offer.id), (offer.day - FIRST).days) for offer in found]


@pytest.mark.parametrize(
    "other, expected",
    [
        pytest.param((10, 30), [("other", 10), ("other", 17), ("one", 17)], id="on one day"),
        pytest.param((12, 30), [("one", 12), ("other", 17), ("one", 19)], id="in one week"),
        pytest.param((14, 15), [("one", 14)], id="no later day"),
        pytest.param((17, 30), [], id="far enough apart"),
    ],
)
def test_one_visit_or_a_later_day_is_offered(
    other: tuple[int, int], expected: list[tuple[str, int]]
) -> None:
    assert offered(two_visits(other, APART)) == expected


def test_what_has_moved_is_what_moves_on() -> None:
    problem = two_visits((10, 30), replace(APART, one_visit=False))

    assert offered(problem, frozenset({OTHER})) == [("other", 17)]


def test_no_visit_for_both_where_their_days_do_not_meet() -> None:
    one = _visit("one", 10, 11)
    problem = two_visits((14, 15), APART)
    session, _, other = problem.protocol.steps
    protocol = replace(problem.protocol, steps=(session, one, other))

    assert offered(replace(problem, protocol=protocol)) == []


def test_repeated_steps_are_offered_by_the_numbers_that_people_know() -> None:
    problem = two_visits((12, 30), APART)
    session, one, other = problem.protocol.steps
    spacing = Bounds(Offset.of_days(-14), Offset.of_days(-14), Offset.of_days(-14))
    ones = replace(one, repeat=Repeat(Count(2, 2, 2), spacing, Order.BACKWARD))
    protocol = replace(problem.protocol, steps=(session, ones, other))
    problem = replace(problem, protocol=protocol, as_of=date(2027, 4, 1))
    schedule = solve(problem)
    assert isinstance(schedule, Schedule)

    found = ways_apart(problem, schedule, ())

    assert [offer.text for offer in found] == [
        "other and one 2 in one visit on Sun 2027-04-18",
        "other on Fri 2027-04-23, far enough from one 2",
        "one 2 on Sun 2027-04-25, far enough from other",
    ]


def test_what_is_done_stays_and_only_the_other_step_is_offered_a_day() -> None:
    done = (Performed(OccurrenceId("session"), FIRST), Performed(ONE, date(2027, 4, 16)))
    problem = replace(two_visits((12, 30), APART), performed=done, as_of=date(2027, 4, 17))

    assert offered(problem) == [("other", 17)]


def test_other_rules_are_left_to_people() -> None:
    gap = MinGap(
        id="gap",
        severity=Severity.WARN,
        begin=StepSelector("one"),
        end=StepSelector("other"),
        offset=Offset.of_days(7),
    )

    assert offered(two_visits((10, 30), gap)) == []
