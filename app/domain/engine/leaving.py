"""Leaves steps on their days where no schedule exists: what happened is recorded all the same."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.domain.engine.judging import spoken_day, violations
from app.domain.engine.scheduling import solve
from app.domain.engine.solutions import Question
from app.domain.engine.standing import standing_days
from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Conflict, Schedule

EDGES = ("earliest", "latest")


@dataclass(frozen=True, slots=True)
class Left:
    """A problem with some steps left on their days, in words, and the schedule it has so."""

    problem: Problem
    schedule: Schedule
    text: str = ""


def leaving(problem: Problem) -> Left:
    """Leave as few steps on their kept days as it takes to have a schedule.

    What has no day to stay on, as it was missed or never done after all, is left without one. So
    there is always a schedule, at last with everything left.
    """
    occurrences = standing_days(problem)[0].expansion.occurrences
    undone = {one.id for one in occurrences} - {fact.occurrence for fact in problem.performed}
    while isinstance(found := solve(problem), Conflict):
        names = {element.id for element in found.elements}
        more = (undone - problem.left).intersection(_taking_part(problem, names))
        more = more or undone - problem.left
        assert more  # noqa: S101 # between facts nothing is judged
        problem = replace(problem, left=problem.left | more)
    if not problem.left:
        return Left(problem, found)
    return _fewest(problem)


def _fewest(problem: Problem) -> Left:
    """The same without steps that need not be left."""
    for occurrence in sorted(problem.left, key=str, reverse=True):
        fewer = replace(problem, left=problem.left - {occurrence})
        if Question(fewer).feasible():
            problem = fewer
    found = solve(problem)
    assert isinstance(found, Schedule)  # noqa: S101 # only what is not needed was let go
    return Left(problem, found, " and ".join(_in_words(problem, found)))


def _in_words(problem: Problem, found: Schedule) -> Iterator[str]:
    """Each step that is left, and where."""
    for occurrence in standing_days(problem)[0].expansion.occurrences:
        if occurrence.id in problem.left:
            day = found.day_of(occurrence.id)
            where = "without a day" if day is None else f"on {spoken_day(day.toordinal())}"
            yield f"{occurrence.label} {where}"


def _taking_part(problem: Problem, names: set[str]) -> Iterator[OccurrenceId]:
    """The steps of which the elements of a conflict speak."""
    compilation, days = standing_days(problem)
    occurrences = compilation.expansion.occurrences
    for occurrence in occurrences:
        own = {f"{kind}:{occurrence.id}" for kind in ("pin", "anchor")}
        own |= {f"{link.name}.{edge}" for link in occurrence.links for edge in EDGES}
        if names & own:
            yield occurrence.id
    for rule in compilation.frame.rules:
        if f"rule:{rule.id}" in names:
            for violation in violations(compilation, rule, days):
                yield from (occurrences[index].id for index in violation.occurrences)
