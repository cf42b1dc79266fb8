"""What an option asks for, applied to a problem."""

from dataclasses import replace
from types import MappingProxyType

from app.domain.engine.queries import forced
from app.domain.facts import Skipped, Waiver
from app.domain.problem import Problem
from app.domain.schedules import AskAnchor, AskParameter, AskPin, AskSkip, AskWaiver, Remedy


def apply_remedy(problem: Problem, remedy: Remedy) -> Problem:
    """The problem as it is once an option was taken."""
    match remedy:
        case AskAnchor(day):
            if problem.anchor is None:
                return problem
            anchor = replace(problem.anchor, day=day, earliest_from=None, until=None)
            return replace(problem, anchor=anchor)
        case AskPin(occurrence, day):
            return forced(problem, occurrence, day)
        case AskParameter(key, value):
            values = MappingProxyType({**problem.parameters, key: value})
            return replace(problem, parameters=values)
        case AskSkip(occurrence):
            return replace(problem, skipped=(*problem.skipped, Skipped(occurrence)))
        case AskWaiver(element, days, _):
            others = tuple(w for w in problem.waivers if w.element != element)
            return replace(problem, waivers=(*others, Waiver(element, days)))
