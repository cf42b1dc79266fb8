"""Solves a problem into a schedule with windows, reasons and moves, or a minimal conflict."""

from collections.abc import Callable
from datetime import date
from operator import itemgetter

from app.domain.engine.conflicts import minimal_conflict
from app.domain.engine.judging import breaches, spoken_day
from app.domain.engine.occurrences import Occurrence
from app.domain.engine.reasons import Explainer
from app.domain.engine.shifts import value
from app.domain.engine.solutions import Question, Solution, own_target, window_of
from app.domain.offsets import checked_day
from app.domain.problem import Problem
from app.domain.protocols import LatestIs
from app.domain.schedules import Conflict, Move, Offer, Placed, Reason, Schedule


def solve(problem: Problem) -> Schedule | Conflict:
    """Date every step of a plan, or say which elements cannot hold together.

    Pure: the same problem gives the same answer, whatever the order of its parts. Raises
    InvalidRequest for parameters or bounds the protocol does not allow, DateOutOfRange for days
    beyond 1900..2200, PlanTooLarge beyond the engine's bounds.
    """
    question = Question(problem)
    solution = question.solution()
    if solution is None:
        return minimal_conflict(question)
    return schedule_of(solution)


def schedule_of(solution: Solution) -> Schedule:
    """The schedule of a solution, with its reasons."""
    compilation = solution.compilation
    explainer = Explainer(solution)
    steps = tuple(
        _placed(solution, explainer, occurrence) for occurrence in compilation.expansion.occurrences
    )
    reasons = {step.id: step.reasons for step in steps}
    return Schedule(
        steps=steps,
        chosen=tuple(compilation.expansion.chosen.items()),
        moves=moves_of(solution, lambda occurrence: reasons[occurrence.id]),
        offers=_offers(solution),
        breaches=breaches(compilation, solution.days),
    )


def _placed(solution: Solution, explainer: Explainer, occurrence: Occurrence) -> Placed:
    index, days = occurrence.index, solution.days
    day = days.get(index)
    target = None if day is None else own_target(occurrence, days)
    end = None if day is None or occurrence.span is None else value(occurrence.span, day)
    deadline = any(link.bounds.latest_is is LatestIs.DEADLINE for link in occurrence.links)
    return Placed(
        id=occurrence.id,
        position=index,
        day=None if day is None else date.fromordinal(day),
        end=None if end is None else checked_day(end),
        window=None if day is None else window_of(solution.compilation, occurrence, days),
        performed=index in solution.compilation.performed,
        tentative=occurrence.tentative,
        deviation_days=None if day is None or target is None else day - target,
        deadline=deadline,
        reasons=explainer.reasons(occurrence),
        ordinal=occurrence.ordinal,
        of=occurrence.of,
    )


def moves_of(
    solution: Solution, reasons: Callable[[Occurrence], tuple[Reason, ...]]
) -> tuple[Move, ...]:
    """The days given out which are others now, in protocol order, with the new ones' reasons."""
    moves = []
    compilation = solution.compilation
    for kept in compilation.problem.kept:
        index = compilation.expansion.by_id.get(kept.occurrence)
        if index is None or index in compilation.performed:
            continue
        ordinal = solution.days.get(index)
        day = None if ordinal is None else date.fromordinal(ordinal)
        if day != kept.day:
            because = reasons(compilation.expansion.occurrences[index])
            moves.append((index, Move(kept.occurrence, kept.day, day, because)))
    return tuple(move for _, move in sorted(moves, key=itemgetter(0)))


def _offers(solution: Solution) -> tuple[Offer, ...]:
    """For steps kept where they are: the day they would have if nothing had been given out."""
    offers = []
    compilation = solution.compilation
    for kept in sorted(compilation.problem.kept, key=lambda kept: str(kept.occurrence)):
        index = compilation.expansion.by_id.get(kept.occurrence)
        if index is None or index in compilation.given or index not in solution.days:
            continue
        better = solution.unbound[index]
        occurrence = compilation.expansion.occurrences[index]
        target = own_target(occurrence, solution.days)
        if target is None or solution.days[index] != kept.day.toordinal():
            continue
        if abs(better - target) < abs(solution.days[index] - target):
            named = "is the target" if better == target else "is nearer to the target"
            text = f"{spoken_day(better)} {named} of {occurrence.label}"
            offers.append((index, Offer(kept.occurrence, date.fromordinal(better), text)))
    return tuple(offer for _, offer in sorted(offers, key=itemgetter(0)))
