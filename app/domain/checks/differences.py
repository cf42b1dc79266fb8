"""What differs between two versions of a protocol, by step and field, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from app.domain.documents import ProtocolDocument, document_to_data
from app.domain.documents.timing_reading import placed
from app.domain.offsets import InvalidOffset, Offset

Part = Literal["protocol", "step", "rule", "parameter", "source"]
_PARTS: dict[str, Part] = {
    "steps": "step",
    "rules": "rule",
    "parameters": "parameter",
    "sources": "source",
}
_NAMES = ("key", "id")
_OFFSETS = {"earliest", "target", "latest", "offset"}
_LENGTHS = {"span", "before", "after", "min", "max"}

Leaf = str | int | bool | None


class DifferenceKind(StrEnum):
    """Whether something is new, gone or another."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: of which part (step, rule, parameter, source or the protocol itself)."""

    kind: DifferenceKind
    part: Part
    key: str | None
    field: str | None
    old: Leaf
    new: Leaf
    text: str


def differences(old: ProtocolDocument, new: ProtocolDocument) -> tuple[Difference, ...]:
    """Every difference from one version to another, the version itself apart.

    What they include is compared both as it was written and as it was taken in.
    """
    before, after = _data(old), _data(new)
    found: list[Difference] = []
    for name, part in _PARTS.items():
        found += _of_part(part, _named(before.pop(name, [])), _named(after.pop(name, [])))
    for data in (before, after):
        del data["version"]
    return (*_of_fields("protocol", None, before, after), *found)


def _data(document: ProtocolDocument) -> dict[str, Any]:
    data = document_to_data(document)
    if document.written_as is not None:
        data["include"] = document.written_as.data["include"]
    return data


def _of_part(
    part: Part, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    for key in dict.fromkeys((*before, *after)):
        if key not in after:
            text = f"{part} '{key}' is gone"
            yield Difference(DifferenceKind.REMOVED, part, key, None, None, None, text)
        elif key not in before:
            text = f"{part} '{key}' is new"
            yield Difference(DifferenceKind.ADDED, part, key, None, None, None, text)
        else:
            yield from _of_fields(part, key, before[key], after[key])
    kept_before = [key for key in before if key in after]
    kept_after = [key for key in after if key in before]
    if kept_before != kept_after:
        text = f"the order of the {part}s is another"
        yield Difference(DifferenceKind.CHANGED, part, None, "order", None, None, text)


def _of_fields(
    part: Part, key: str | None, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    one, other = dict(_leaves(before, ())), dict(_leaves(after, ()))
    name = part if key is None else f"{part} '{key}'"
    for path in dict.fromkeys((*one, *other)):
        old, new = one.get(path), other.get(path)
        if old == new:
            continue
        field, words = ".".join(path), " ".join(path)
        if path not in one:
            kind, text = DifferenceKind.ADDED, f"{name}: {words} is new: {_said(path, new)}"
        elif path not in other:
            kind, text = DifferenceKind.REMOVED, f"{name}: {words} is gone: {_said(path, old)}"
        else:
            kind = DifferenceKind.CHANGED
            text = f"{name}: {words} is {_said(path, new)} instead of {_said(path, old)}"
        yield Difference(kind, part, key, field, old, new, text)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Leaf]]:
    """Every single value with the names that lead to it; a list of words is one value."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, (*path, name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for name, item in _named(value).items():
            yield from _leaves(item, (*path, name))
    elif isinstance(value, list):
        yield path, ", ".join(str(item) for item in value)
    else:
        yield path, value


def _named(items: list[Any]) -> dict[str, Any]:
    """Objects by their key or id, others by their number."""
    named = {}
    for number, item in enumerate(items, start=1):
        name = next((item[name] for name in _NAMES if name in item), None)
        named[name if isinstance(name, str) and name not in named else str(number)] = item
    return named


def _said(path: tuple[str, ...], value: Leaf) -> str:
    """A value in words; offsets as people say them."""
    if not isinstance(value, str):
        return str(value).lower()
    if path[-1] in _OFFSETS | _LENGTHS:
        try:
            offset = Offset.parse(value, is_age=True)
        except InvalidOffset:
            return f"'{value}'"
        return placed(offset) if path[-1] in _OFFSETS else offset.in_words()
    return f"'{value}'"
