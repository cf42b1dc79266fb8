"""Selections among actions as parameters: what may be taken together, and what is taken at first.

A group of which some parts are to be chosen becomes a parameter whose values are the selections
allowed, those of groups within it counted in. Where each part is for itself ("any"), each is a
parameter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from app.integrations.fhir.action_tree import Action
from app.integrations.fhir.findings import Findings

MAX_SELECTIONS = 50
_NONE = "none"
_ONE = {"exactly-one", "at-most-one"}
Selection = frozenset[str]


@dataclass(frozen=True, slots=True)
class Selected:
    """A parameter for a choice among actions, and the values with which each step exists."""

    parameter: dict[str, Any]
    when: dict[str, list[str]]


def read_selections(actions: list[Action], findings: Findings) -> list[Selected]:
    """The parameters which the groups of some actions need."""
    return [found for action in actions for found in _of(action, findings)]


def _of(action: Action, findings: Findings) -> Iterator[Selected]:
    """The parameters at and below an action, one for each choice that is for itself."""
    if action.event is not None:
        return
    if _is_offered(action):
        yield from _made(action, "at-most-one", [action], findings)
        return
    if action.is_step:
        return
    behavior = _behavior(action)
    if behavior == "any":
        for child in action.children:
            yield from _made(child, "at-most-one", [child], findings)
    elif behavior == "all":
        yield from read_selections(action.children, findings)
    else:
        yield from _made(action, behavior, action.children, findings)


def _is_offered(action: Action) -> bool:
    """Whether an action by itself may be taken and is not unless somebody says so."""
    data = action.data
    return data.get("requiredBehavior") == "could" and data.get("precheckBehavior") == "no"


def _behavior(action: Action) -> str:
    """What may be taken of a group; where there is no choice, all of it."""
    behavior = str(action.data.get("selectionBehavior", "all"))
    if behavior in {"exactly-one", "one-or-more"} and len(action.children) == 1:
        return "all"
    return behavior


def _made(
    group: Action, behavior: str, parts: list[Action], findings: Findings
) -> Iterator[Selected]:
    found = _combined(behavior, parts)
    if found is None:
        text = f"has more than {MAX_SELECTIONS} selections"
        findings.refuse(f"{group.at}.selectionBehavior", "too-costly", text)
        return
    names = _names(found, parts)
    default = _default(found, parts)
    parameter: dict[str, Any] = {
        "key": group.key,
        "title": _title(group),
        "type": "choice",
        "options": names,
    }
    if default is not None:
        parameter["default"] = names[found.index(default)]
    steps = [step.key for part in parts for step in part.steps()]
    when = {
        step: [name for name, taken in zip(names, found, strict=True) if step in taken]
        for step in steps
    }
    yield Selected(parameter, when)


def _title(group: Action) -> str:
    for name in ("title", "textEquivalent", "description"):
        if isinstance(group.data.get(name), str):
            return str(group.data[name])[:200]
    return group.key


def _selections(action: Action) -> list[Selection] | None:
    """What may be taken of an action once it is taken; ``None`` where that is too much."""
    if action.event is not None:
        return [frozenset()]
    if action.is_step:
        return [frozenset({action.key})]
    return _combined(_behavior(action), action.children)


def _combined(behavior: str, parts: list[Action]) -> list[Selection] | None:
    each = [_selections(part) for part in parts]
    if any(one is None for one in each):
        return None
    known = [one for one in each if one is not None]
    nothing: Selection = frozenset()
    if behavior in _ONE:
        found = [taken for one in known for taken in one if taken]
        may_be_none = behavior == "at-most-one" or any(nothing in one for one in known)
        return _few([*found, nothing] if may_be_none else found)
    optional = behavior in {"any", "one-or-more"}
    lists = [[nothing, *one] if optional else one for one in known]
    size = 1
    for one in lists:
        size *= len(one)
        if size > MAX_SELECTIONS + 1:
            return None
    found = [frozenset().union(*taken) for taken in product(*lists)]
    if behavior == "one-or-more":
        found = [taken for taken in found if taken]
    if behavior == "all-or-none":
        found.append(nothing)
    return _few(found)


def _few(found: list[Selection]) -> list[Selection] | None:
    unique = list(dict.fromkeys(found))
    return unique if len(unique) <= MAX_SELECTIONS else None


def _names(found: list[Selection], parts: list[Action]) -> list[str]:
    """A value for each selection: the key of the part or step taken, else numbered."""
    whole = {frozenset(step.key for step in part.steps()): part.key for part in parts}
    names: list[str] = []
    for number, taken in enumerate(found, start=1):
        if not taken:
            name = _NONE
        elif taken in whole:
            name = whole[taken]
        else:
            name = "-and-".join(sorted(taken))
        names.append(name if len(name) <= 64 and name not in names else f"selection-{number}")
    return names


def _default(found: list[Selection], parts: list[Action]) -> Selection | None:
    """What is taken unless somebody says otherwise: what is prechecked, else nothing if allowed."""
    taken = frozenset(
        step.key for part in parts for step in part.steps() if _is_prechecked(step, parts)
    )
    if taken in found:
        return taken
    return found[0] if len(found) == 1 else None


def _is_prechecked(step: Action, parts: list[Action]) -> bool:
    """Whether a step, or a group it is in within the choice, is preselected."""
    action: Action | None = step
    while action is not None:
        if action.data.get("precheckBehavior") == "yes":
            return True
        if action in parts:
            return False
        action = action.parent
    return False
