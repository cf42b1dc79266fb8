"""What an option asks for, applied to a problem."""

from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from app.domain.engine.queries import forced
from app.domain.facts import OtherPlan, Skipped, Waiver
from app.domain.problem import Problem
from app.domain.schedules import (
    AskAnchor,
    AskCancelOther,
    AskParameter,
    AskPin,
    AskSkip,
    AskToLeave,
    AskUnpin,
    AskWaiver,
    Remedy,
)


def apply_remedy(problem: Problem, remedy: Remedy | AskToLeave) -> Problem:
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
        case AskUnpin(occurrence):
            pins = tuple(pin for pin in problem.pinned if pin.occurrence != occurrence)
            return replace(problem, pinned=pins)
        case AskCancelOther(plan, step):
            others = tuple(_without(other, plan, step) for other in problem.other_plans)
            return replace(problem, other_plans=others)
        case AskWaiver(element, days, _):
            waivers = tuple(w for w in problem.waivers if w.element != element)
            return replace(problem, waivers=(*waivers, Waiver(element, days)))
        case AskToLeave(left):
            return replace(problem, left=left)
        case never:
            assert_never(never)


def _without(other: OtherPlan, plan: str, step: str) -> OtherPlan:
    if other.id != plan:
        return other
    return replace(other, steps=tuple(one for one in other.steps if one.key != step))
