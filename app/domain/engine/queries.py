"""Questions about single days: which ones a step could have, at what cost, and why not another."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice

from app.domain.engine.compiling import Compilation
from app.domain.engine.feasibility import Orders
from app.domain.engine.reasons import Explainer
from app.domain.engine.scheduling import moves_of, solve
from app.domain.engine.solutions import Beside, Question, Solution, best_solution, occurrence_index
from app.domain.facts import InvalidRequest, OccurrenceId, Pinned
from app.domain.problem import Problem
from app.domain.schedules import BookableDay, Conflict, Schedule

MAX_RANGE_DAYS = 120


class RangeTooLong(InvalidRequest):
    """Days are listed for at most 120 days at once."""


def first_possible_day(
    problem: Problem, occurrence: OccurrenceId, first: date, last: date
) -> date | None:
    """The first day from ``first`` to ``last`` that a step could have, if there is any."""
    walks = (
        _walk(compilation, occurrence, first, last)
        for compilation in _freed(problem, occurrence, first, last)
    )
    days = [day for walk in walks for day in islice(walk, 1)]
    return date.fromordinal(min(days)) if days else None


def bookable_days(
    problem: Problem, occurrence: OccurrenceId, first: date, last: date
) -> tuple[BookableDay, ...]:
    """Every day from ``first`` to ``last`` that a step could have, all else being free to follow.

    Each with its cost (importance times days from target, over the whole plan) and the days given
    out which would move: they do not bind. The step's own asked or pinned day is set aside.
    """
    found: dict[int, BookableDay] = {}
    for compilation in _freed(problem, occurrence, first, last):
        for day, solution in _solved(compilation, occurrence, first, last):
            if day not in found:
                moved = moves_of(solution, Explainer(solution).reasons)
                moves = tuple(move for move in moved if move.id != occurrence)
                found[day] = BookableDay(date.fromordinal(day), solution.cost, moves)
    return tuple(found[day] for day in sorted(found))


def _solved(
    compilation: Compilation, occurrence: OccurrenceId, first: date, last: date
) -> Iterator[tuple[int, Solution]]:
    """The best solution with each of a step's days; what does not depend on it is solved once."""
    index, base = compilation.expansion.by_id[occurrence], compilation.frame.base
    beside: Beside | None = None
    for day in _walk(compilation, occurrence, first, last):
        net = compilation.net.within(index, day - base, day - base)
        solution = None if net is None else best_solution(compilation, net, beside)
        assert solution is not None  # noqa: S101 # only days with a schedule are walked
        yield day, solution
        beside = beside or Beside.of(solution, index)


def why_not(problem: Problem, occurrence: OccurrenceId, day: date) -> Schedule | Conflict:
    """The schedule with this step forced to a day, or the conflict that forbids it.

    The past day on which an undone step is held is the one it has, though none to be booked.
    """
    return solve(forced(problem, occurrence, day))


def forced(problem: Problem, occurrence: OccurrenceId, day: date) -> Problem:
    """The same problem with a person asking for this day of one step."""
    anchor = problem.anchor
    if anchor is not None and anchor.occurrence == occurrence:
        moved = replace(anchor, day=day, earliest_from=None, until=None)
        return replace(problem, anchor=moved, postponed=False)
    others = tuple(pin for pin in problem.pinned if pin.occurrence != occurrence)
    return replace(problem, pinned=(*others, Pinned(occurrence, day)))


def _freed(
    problem: Problem, occurrence: OccurrenceId, first: date, last: date
) -> Iterator[Compilation]:
    if (last - first).days >= MAX_RANGE_DAYS:
        raise RangeTooLong(f"days are listed for at most {MAX_RANGE_DAYS} days at once")
    if any(fact.occurrence == occurrence for fact in problem.performed):
        return
    # A step that is asked for has a day also where its references have none.
    asked = forced(problem, occurrence, first)
    free = frozenset({f"{kind}:{occurrence}" for kind in ("pin", "anchor", "fact")})
    for compilation in Question(asked).networks(free):
        if occurrence_index(compilation, occurrence) is not None:
            yield compilation


def _walk(
    compilation: Compilation, occurrence: OccurrenceId, first: date, last: date
) -> Iterator[int]:
    """Walk upward: the least schedule above each day gives the next bookable one, exactly."""
    index = compilation.expansion.by_id[occurrence]
    base = compilation.frame.base
    low, high = max(0, first.toordinal() - base), last.toordinal() - base
    while low <= high:
        net = compilation.net.within(index, low, high)
        day = None if net is None else Orders().first(net, index)
        if day is None:
            return
        yield day + base
        low = day + 1
