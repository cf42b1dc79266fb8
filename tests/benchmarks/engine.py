"""Measures the engine alone, reasons included: no HTTP, no database."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from statistics import median
from time import perf_counter

from app.domain.engine import bookable_days, find_options, solve
from app.domain.facts import Commitment, Kept, OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Conflict, Schedule
from tests.benchmarks import given
from tests.benchmarks.figures import Figure

BATCHES = 9
BATCH_SECONDS = 0.25
BOOSTER = OccurrenceId("booster")
FROM, UNTIL = date(2026, 6, 1), date(2026, 7, 31)


def figures() -> Iterator[Figure]:
    """One figure after the other."""
    eight, eighteen, thirty = given.eight_steps(), given.story_one(), given.thirty_steps()
    _check_steps(eight, 8, off_target=0)
    _check_steps(eighteen, 18, off_target=3)
    _check_steps(thirty, 30, off_target=12)
    yield _timed("engine, 8 steps on target", lambda: solve(eight), 0.5, 0.15)
    yield _timed("engine, story 1 (18 occurrences)", lambda: solve(eighteen), 3, 1)
    yield _timed("engine, 30 steps with directed gaps", lambda: solve(thirty), 40, 15)
    late = given.too_late()
    assert _with_options(late) >= 3
    yield _timed("conflict with its options, 8 steps", lambda: _with_options(late), 20, 4)
    stored = _stored(eight)
    assert len(bookable_days(stored, BOOSTER, FROM, UNTIL)) == 10
    yield _timed(
        "bookable days of one step, each with cost and moves",
        lambda: bookable_days(stored, BOOSTER, FROM, UNTIL),
        1,
        0.1,
    )


def _timed(name: str, work: Callable[[], object], must: float, aim: float) -> Figure:
    """The median of each of some batches, in milliseconds."""
    work()
    gc.collect()
    gc.disable()
    try:
        batches = tuple(_batch(work) for _ in range(BATCHES))
    finally:
        gc.enable()
    return Figure(name, batches, must, aim, most=True, unit=" ms")


def _batch(work: Callable[[], object]) -> float:
    taken: list[float] = []
    until = perf_counter() + BATCH_SECONDS
    while perf_counter() < until:
        begin = perf_counter()
        work()
        taken.append(perf_counter() - begin)
    return median(taken) * 1000


def _with_options(problem: Problem) -> int:
    conflict = solve(problem)
    assert isinstance(conflict, Conflict)
    return len(find_options(problem, conflict))


def _stored(problem: Problem) -> Problem:
    """The same plan once it is active: every day was given out."""
    schedule = solve(problem)
    assert isinstance(schedule, Schedule)
    kept = (Kept(step.id, step.day, Commitment.ACTIVE) for step in schedule.steps if step.day)
    return replace(problem, kept=tuple(kept))


def _check_steps(problem: Problem, count: int, *, off_target: int) -> None:
    """Measure what the line says: so many steps, at least so many of them off their target."""
    schedule = solve(problem)
    assert isinstance(schedule, Schedule)
    assert len(schedule.steps) == count
    off = sum(1 for step in schedule.steps if step.deviation_days)
    assert off >= off_target, off
    assert off == 0 or off_target
