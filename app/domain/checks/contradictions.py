"""Finds what cannot hold together even where every day is open: asked of the engine itself."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice

from app.domain.checks.assignments import Values, one_changed
from app.domain.checks.starts import starting_on
from app.domain.documents import ProtocolDocument
from app.domain.engine import solve
from app.domain.errors import DomainError, Fault
from app.domain.protocols import Protocol, Step
from app.domain.schedules import Conflict

# A day in the middle of a month of 31 days, far from the ends of the calendar.
_DAY = date(2027, 1, 15)
_MOST_QUESTIONS = 60
_TIMING = re.compile(r"timing:([^/.\[]+)[^.\[]*(?:\[([0-9]+)\])?\.(?:earliest|latest)")


def contradictions(document: ProtocolDocument) -> tuple[Fault, ...]:
    """Each set of timings and rules that allows no schedule on any day, with the loop shown.

    Asked with the defaults of the parameters, with every single other value of them, and with
    the greatest count of each step.
    """
    found: dict[str, Fault] = {}
    for changed, values in islice(one_changed(document.protocol.parameters), _MOST_QUESTIONS):
        for fault in _asked(document.protocol, values):
            if changed is None:
                return (fault,)
            told = _with_value(document.protocol, fault, changed, values[changed])
            found.setdefault(told.text, told)
    for fault in _greatest_counts(document.protocol):
        found.setdefault(fault.text, fault)
    return tuple(found.values())


def _asked(protocol: Protocol, values: Values) -> Iterator[Fault]:
    try:
        answer = solve(starting_on(protocol, _DAY, parameters=values, anchored=False))
    except DomainError as error:
        yield Fault("", "unsolvable", str(error))
        return
    if isinstance(answer, Conflict):
        parts = [element for element in answer.elements if not element.id.startswith("anchor:")]
        text = "these cannot hold together: " + "; ".join(part.text for part in parts)
        places = (_pointer(protocol, part.id) for part in parts)
        pointer = next((place for place in places if place is not None), "")
        yield Fault(pointer, "contradiction", text)


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
    for index, step in islice(enumerate(protocol.steps), _MOST_QUESTIONS):
        often = _most_often(step)
        if often is None:
            continue
        steps = (*protocol.steps[:index], often, *protocol.steps[index + 1 :])
        for fault in _asked(replace(protocol, steps=steps), usual):
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
    if element.startswith("rule:"):
        rule_id = element.removeprefix("rule:")
        places = (i for i, rule in enumerate(protocol.rules) if rule.id == rule_id)
        return next((f"/rules/{index}" for index in places), None)
    timing = _TIMING.fullmatch(element)
    if timing is None:
        return None
    places = (i for i, step in enumerate(protocol.steps) if step.key == timing[1])
    return next((f"/steps/{index}" for index in places), None)
