"""Applicability conditions as parameters: whoever applies the protocol evaluates them.

An action whose conditions do not all hold does not exist, nor does anything in its group.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.integrations.fhir.action_tree import Action
from app.integrations.fhir.findings import Data, Findings

FHIRPATH = "text/fhirpath"
MAX_EXPRESSION = 1000
_KINDS = ("applicability", "start", "stop")
YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Condition:
    """A FHIRPath expression with its place."""

    at: str
    expression: str


@dataclass(frozen=True, slots=True)
class Applicability:
    """A parameter that is ``yes`` where all of its conditions hold, and the steps it is about."""

    parameter: dict[str, Any]
    conditions: tuple[Condition, ...]
    steps: tuple[str, ...]


def read_conditions(actions: list[Action], findings: Findings) -> list[Applicability]:
    """A parameter for each set of conditions under which steps exist."""
    by_conditions: dict[tuple[Condition, ...], list[Action]] = {}
    known: dict[str, tuple[Condition, ...]] = {}
    for action in actions:
        for one in action.everything():
            known[one.at] = tuple(_conditions(one, findings))
    for action in actions:
        for step in action.steps():
            within = [*reversed(list(step.ancestors())), step]
            holding = tuple(condition for one in within for condition in known[one.at])
            if holding:
                by_conditions.setdefault(holding, []).append(step)
    return [
        _applicability(number, conditions, steps)
        for number, (conditions, steps) in enumerate(by_conditions.items(), start=1)
    ]


def _applicability(
    number: int, conditions: tuple[Condition, ...], steps: list[Action]
) -> Applicability:
    parameter = {
        "key": f"applies-{number}",
        "title": f"Whether the conditions of {steps[0].key} hold"[:200],
        "type": "choice",
        "options": [YES, NO],
    }
    return Applicability(parameter, conditions, tuple(step.key for step in steps))


def _conditions(action: Action, findings: Findings) -> Iterator[Condition]:
    for at, data in findings.objects(action.data, "condition", action.at):
        kind = findings.word(data, "kind", at, _KINDS)
        if "kind" not in data:
            findings.refuse(f"{at}.kind", "required", "is required")
        elif kind in {"start", "stop"}:
            findings.refuse(at, "not-supported", f"a {kind} condition is not evaluated")
        elif kind is not None:
            yield from _condition(at, data, findings)


def _condition(at: str, data: Data, findings: Findings) -> Iterator[Condition]:
    for name in data:
        if name not in {"id", "extension", "kind", "expression"}:
            findings.refuse(at, "structure", "has an element that R4 does not know")
    place, expression = f"{at}.expression", data.get("expression")
    if not isinstance(expression, dict):
        findings.refuse(place, "required", "is required")
        return
    language = findings.text(expression, "language", place)
    text = findings.text(expression, "expression", place)
    if language != FHIRPATH:
        findings.refuse(place, "not-supported", f"only {FHIRPATH} is evaluated")
    elif text is None:
        findings.refuse(f"{place}.expression", "required", "is required")
    elif len(text) > MAX_EXPRESSION:
        said = f"is longer than {MAX_EXPRESSION} characters"
        findings.refuse(f"{place}.expression", "too-long", said)
    else:
        findings.understood(place, "is evaluated when the protocol is applied")
        yield Condition(place, text)
