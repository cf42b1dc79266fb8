"""The actions of a PlanDefinition as a tree whose elements were looked at one by one.

https://hl7.org/fhir/R4/plandefinition-definitions.html#PlanDefinition.action
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.integrations.fhir.findings import Data, Findings
from app.integrations.fhir.nested_extensions import NotPlainData, from_extension
from app.integrations.fhir.urls import DAYS_OF_CYCLE, REFERENCE, STEP, extensions_named

MAX_ACTIONS = 400
MAX_DEPTH = 12

_KEPT = "says nothing about days; it stays with the resource"
_NOT_EVALUATED = "is not evaluated; it stays with the resource"
_THOUGHT_OF = "says when the whole is to be thought of; it stays with the resource"
KEPT_ELEMENTS = {
    "prefix": _KEPT,
    "priority": _KEPT,
    "reason": _KEPT,
    "documentation": _KEPT,
    "goalId": _KEPT,
    "subjectCodeableConcept": _KEPT,
    "subjectReference": _KEPT,
    "trigger": _THOUGHT_OF,
    "input": _KEPT,
    "output": _KEPT,
    "type": _KEPT,
    "transform": _NOT_EVALUATED,
    "dynamicValue": _NOT_EVALUATED,
}
# What fills in the requests that an application makes: without it they would be others.
UNEVALUATED = ("transform", "dynamicValue")
_READ = {
    "id",
    "extension",
    "title",
    "description",
    "textEquivalent",
    "code",
    "condition",
    "relatedAction",
    "timingTiming",
    "timingAge",
    "participant",
    "definitionCanonical",
    "definitionUri",
    "action",
}
_NOT_SUPPORTED = {
    "timingDateTime": "a day of the calendar is no part of a protocol",
    "timingPeriod": "a day of the calendar is no part of a protocol",
    "timingDuration": "does not say what it counts from",
    "timingRange": "does not say what it counts from",
    "modifierExtension": "may change the meaning of everything and is not known",
}
_WORDS: dict[str, tuple[str, ...]] = {
    "groupingBehavior": ("visual-group", "logical-group", "sentence-group"),
    "selectionBehavior": ("any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"),
    "requiredBehavior": ("must", "could", "must-unless-documented"),
    "precheckBehavior": ("yes", "no"),
    "cardinalityBehavior": ("single", "multiple"),
}
_CHOICES = ("timing", "subject", "definition")
_KEY = re.compile("[a-z][a-z0-9_-]{0,63}")
_NO_KEY = re.compile(r"[^a-z0-9_-]+")


@dataclass(slots=True, eq=False)
class Action:
    """An action with its place; ``own`` is what our own extension says of its step.

    ``event`` is the outside day for which an action of our own stands that is no step.
    """

    at: str
    data: Data
    key: str
    parent: "Action | None"
    children: "list[Action]" = field(default_factory=list)
    own: dict[str, Any] | None = None
    event: Any = None

    @property
    def id(self) -> str | None:
        """Its id within the resource."""
        found: str | None = self.data.get("id")
        return found

    @property
    def is_step(self) -> bool:
        """Whether it becomes a step: it has no parts, or we wrote its parts ourselves."""
        return self.event is None and (self.own is not None or not self.children)

    def steps(self) -> "Iterator[Action]":
        """The steps at and below it, in their order."""
        if self.event is not None:
            return
        if self.is_step:
            yield self
            return
        for child in self.children:
            yield from child.steps()

    def everything(self) -> "Iterator[Action]":
        """It and all below it."""
        yield self
        for child in self.children:
            yield from child.everything()

    def ancestors(self) -> "Iterator[Action]":
        """The groups it is in, the nearest first."""
        group = self.parent
        while group is not None:
            yield group
            group = group.parent


def read_actions(resource: Data, findings: Findings) -> list[Action]:
    """The actions of a resource, every element noted; none where there are too many."""
    number = _count(resource)
    if number > MAX_ACTIONS:
        text = f"has more actions than the {MAX_ACTIONS} allowed, or deeper ones"
        findings.refuse("PlanDefinition.action", "too-costly", text)
        return []
    return _actions(resource, "PlanDefinition", None, findings, _Keys.of(resource))


@dataclass(slots=True)
class _Keys:
    """The keys of actions, no two alike: by their ids where they have some."""

    by_id: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, resource: Data) -> "_Keys":
        """Those of all actions with an id; a key of ours stays what it is."""
        keys = cls()
        ids = list(_ids(resource))
        for name in sorted(ids, key=lambda name: as_key(name) != name):
            if name not in keys.by_id:
                keys.by_id[name] = keys.free(name)
        return keys

    def free(self, text: str) -> str:
        """A key like this text that no other action has."""
        key = as_key(text) or "action"
        unique, number = key, 2
        while unique in self.taken:
            unique, number = f"{key[:58]}-{number}", number + 1
        self.taken.add(unique)
        return unique

    def key(self, data: Data) -> str:
        """The key of an action."""
        name = data.get("id")
        if isinstance(name, str) and name in self.by_id:
            return self.by_id[name]
        texts = (data.get(member) for member in ("id", "title", "textEquivalent"))
        return self.free(next((text for text in texts if isinstance(text, str)), ""))


def _ids(resource: Data) -> Iterator[str]:
    """The ids of all actions."""
    waiting: list[Any] = [resource]
    while waiting:
        below = waiting.pop().get("action")
        for action in below if isinstance(below, list) else ():
            if isinstance(action, dict):
                waiting.append(action)
                if isinstance(action.get("id"), str):
                    yield action["id"]


def _count(resource: Data) -> int:
    """How many actions there are, without ever going deeper or further than allowed."""
    waiting: list[tuple[Any, int]] = [(resource, 0)]
    number = 0
    while waiting and number <= MAX_ACTIONS:
        data, depth = waiting.pop()
        below = data.get("action") if isinstance(data, dict) else None
        if isinstance(below, list):
            if depth >= MAX_DEPTH:
                return MAX_ACTIONS + 1
            number += len(below)
            waiting.extend((one, depth + 1) for one in below[: MAX_ACTIONS + 1])
    return number


def _actions(
    data: Data, at: str, parent: Action | None, findings: Findings, keys: _Keys
) -> list[Action]:
    found = []
    for place, item in findings.objects(data, "action", at):
        action = Action(place, item, keys.key(item), parent)
        _look_at(action, findings)
        # What we wrote below a step of ours has no key of its own.
        below = keys if action.own is None else _Keys()
        action.children = _actions(item, place, action, findings, below)
        if not action.is_step and action.event is None:
            _look_at_group(action, findings)
        found.append(action)
    return found


def as_key(text: str) -> str:
    """The key nearest to a text; a key is its own, nothing is left of what has no letter."""
    if _KEY.fullmatch(text):
        return text
    key = _NO_KEY.sub("-", text[:200].lower().replace(".", "_")).strip("-")
    if key and not key[0].isalpha():
        key = f"a-{key.lstrip('_-')}"
    return key[:64]


def without_tabs(value: Any) -> Any:
    """The same, with spaces in the place of tabs: FHIR has those in its texts, a protocol not."""
    if isinstance(value, list):
        return [without_tabs(one) for one in value]
    if isinstance(value, dict):
        return {name: without_tabs(one) for name, one in value.items()}
    return value.replace("\t", " ") if isinstance(value, str) else value


def _look_at(action: Action, findings: Findings) -> None:
    """Note every element of an action; those with a meaning are read by others."""
    data, at = action.data, action.at
    if "id" in data:
        findings.text(data, "id", at)
    for name in data:
        _look_at_element(data, name, at, findings)
    for choice in _CHOICES:
        given = [name for name in data if name.startswith(choice) and name != choice]
        if len(given) > 1:
            findings.refuse(f"{at}.{choice}[x]", "structure", "must have one type only")
    _look_at_extensions(action, findings)
    _look_at_triggers(action, findings)


def _look_at_triggers(action: Action, findings: Findings) -> None:
    """A trigger with days of its own would say when, or how often, the action is."""
    for place, trigger in findings.objects(action.data, "trigger", action.at):
        for name in trigger:
            if name.startswith("timing"):
                findings.kept(f"{place}.{name}", _NOT_EVALUATED, "not-supported")


def _look_at_group(group: Action, findings: Findings) -> None:
    """Note what has a meaning for steps only; a choice among its actions has its title."""
    for name in ("title", "description", "textEquivalent", "code", "participant"):
        if name in group.data:
            findings.kept(f"{group.at}.{name}", "is of a group; it stays with the resource")
    for name in ("definitionCanonical", "definitionUri"):
        if name in group.data:
            findings.kept(f"{group.at}.{name}", "is not looked up; it stays with the resource")


def _look_at_element(data: Data, name: str, at: str, findings: Findings) -> None:
    place = f"{at}.{name}"
    if name in _WORDS:
        if findings.word(data, name, at, _WORDS[name]) is not None:
            _note_word(name, place, findings)
    elif name in KEPT_ELEMENTS:
        code = "not-supported" if name in UNEVALUATED else "informational"
        findings.kept(place, KEPT_ELEMENTS[name], code)
    elif name in _NOT_SUPPORTED:
        findings.refuse(place, "not-supported", _NOT_SUPPORTED[name])
    elif name.startswith("_"):
        findings.kept(place, _KEPT)
    elif name not in _READ:
        findings.refuse(at, "structure", "has an element that R4 does not know")


def _note_word(name: str, place: str, findings: Findings) -> None:
    if name in {"groupingBehavior", "cardinalityBehavior"}:
        findings.kept(place, _KEPT)
    else:
        findings.understood(place)


def _look_at_extensions(action: Action, findings: Findings) -> None:
    for place, extension in findings.objects(action.data, "extension", action.at):
        url = extension.get("url")
        if url in (STEP, REFERENCE):
            _read_own(action, place, extension, findings)
        elif url != DAYS_OF_CYCLE:
            findings.kept(place, "is an extension that is not known; it stays with the resource")
    for url in (STEP, REFERENCE):
        if len(extensions_named(action.data, url)) > 1:
            findings.refuse(f"{action.at}.extension", "structure", "has one of ours twice")


def _read_own(action: Action, place: str, extension: Data, findings: Findings) -> None:
    try:
        value = from_extension(extension)
    except NotPlainData as error:
        findings.refuse(place, "structure", str(error))
        return
    if extension["url"] == REFERENCE:
        action.event = value
        if value not in ("plan_start", "birth_date") and not isinstance(value, dict):
            findings.refuse(place, "structure", "must be plan_start, birth_date or an event")
    elif isinstance(value, dict):
        action.own = value
    else:
        findings.refuse(place, "structure", "must hold members of a step")
