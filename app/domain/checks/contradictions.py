"""Finds what cannot hold together even where every day is open: asked of the engine itself."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice

from app.domain.checks.assignments import Values, one_changed
from app.domain.checks.starts import occurrences_of, starting_on
from app.domain.documents import ProtocolDocument
from app.domain.engine import solve
from app.domain.errors import DomainError, Fault
from app.domain.protocols import Protocol, Step
from app.domain.schedules import Conflict

# A day in the middle of a month of 31 days, far from the ends of the calendar.
_DAY = date(2027, 1, 15)
_MOST_QUESTIONS = 60
_FEWEST_QUESTIONS = 3
# Questions times occurrences.
_MOST_WORK = 3000
# What follows a step in the name of a timing: timing:primer/1[2].latest
_AFTER_KEY = re.compile(r"[/.\[]")


def contradictions(document: ProtocolDocument) -> tuple[Fault, ...]:
    """Each set of timings and rules that allows no schedule on any day, with the loop shown.

    Asked with the defaults of the parameters, with every single other value of them, and with
    the greatest count of each step.
    """
    found: dict[str, Fault] = {}
    most = questions_for(document.protocol)
    for changed, values in islice(one_changed(document.protocol.parameters), most):
        fault = _asked(document.protocol, values)
        if fault is None:
            continue
        if changed is None:
            return (fault,)
        told = _with_value(document.protocol, fault, changed, values[changed])
        found.setdefault(told.text, told)
    for fault in _greatest_counts(document.protocol):
        found.setdefault(fault.text, fault)
    return tuple(found.values())


def questions_for(protocol: Protocol) -> int:
    """How often the engine is asked: the larger the protocol, the less often."""
    return max(_FEWEST_QUESTIONS, min(_MOST_QUESTIONS, _MOST_WORK // occurrences_of(protocol)))


def _asked(protocol: Protocol, values: Values) -> Fault | None:
    try:
        answer = solve(starting_on(protocol, _DAY, parameters=values, anchored=False))
    except DomainError as error:
        return Fault("", "unsolvable", str(error))
    if not isinstance(answer, Conflict):
        return None
    parts = [element for element in answer.elements if not element.id.startswith("anchor:")]
    text = "these cannot hold together: " + "; ".join(part.text for part in parts)
    places = (_pointer(protocol, part.id) for part in parts)
    pointer = next((place for place in places if place is not None), "")
    return Fault(pointer, "contradiction", text)


def _with_value(protocol: Protocol, fault: Fault, key: str, value: str | int) -> Fault:
    """The fault of one value of a parameter; of a number it is a count out of reach."""
    index = next(i for i, parameter in enumerate(protocol.parameters) if parameter.key == key)
    text = f"with {key} = {value} {fault.text}"
    if isinstance(value, int):
        return Fault(f"/parameters/{index}", "unreachable-count", text)
    return Fault(fault.pointer, fault.code, text)


def _greatest_counts(protocol: Protocol) -> Iterator[Fault]:
    """Counts which no parameter sets are asked at their greatest."""
    usual = {p.key: p.default for p in protocol.parameters if p.default is not None}
    often_steps = ((index, step, _most_often(step)) for index, step in enumerate(protocol.steps))
    asked = ((index, step, often) for index, step, often in often_steps if often is not None)
    for index, step, often in islice(asked, questions_for(protocol)):
        steps = (*protocol.steps[:index], often, *protocol.steps[index + 1 :])
        fault = _asked(replace(protocol, steps=steps), usual)
        if fault is not None:
            most = often.repeat.count.maximum if often.repeat else 0
            text = f"with {most} times '{step.key}' {fault.text}"
            yield Fault(f"/steps/{index}/repeat/count", "unreachable-count", text)


def _most_often(step: Step) -> Step | None:
    """The step with its greatest count, where nobody but a later choice would ask for it."""
    if step.repeat is None or step.repeat.count.parameter is not None:
        return None
    count = step.repeat.count
    if count.default == count.maximum:
        return None
    return replace(step, repeat=replace(step.repeat, count=replace(count, default=count.maximum)))


def _pointer(protocol: Protocol, element: str) -> str | None:
    """Where an element of a conflict stands in the document."""
    kind, _, name = element.partition(":")
    if kind == "rule":
        rules = (f"/rules/{i}" for i, rule in enumerate(protocol.rules) if rule.id == name)
        return next(rules, None)
    key = _AFTER_KEY.split(name)[0]
    steps = (f"/steps/{index}" for index, step in enumerate(protocol.steps) if step.key == key)
    return next(steps, None)
