"""Renames the steps, parameters and rules of a document, wherever the notation names them."""

from collections.abc import Callable, Iterable
from typing import Any

from app.domain.documents.shapes import Either, Many, Name, Record, Shape, Table

# What takes the place of a name: usually one, several in a list of steps, none for what is gone.
Rename = Callable[[Name, str], Iterable[str]]


def renamed(shape: Shape, value: Any, rename: Rename) -> Any:
    """The value with its new names, ``None`` when it spoke of nothing but what is gone."""
    match shape:
        case Name():
            names = _names(shape, value, rename)
            # Where one name must stand several cannot: then it is what it was.
            return names[0] if len(names) == 1 else value if names else None
        case Many(item=Name() as item):
            return _left(shape, value, [new for one in value for new in _names(item, one, rename)])
        case Many(item=item):
            items = (renamed(item, one, rename) for one in value)
            return _left(shape, value, [one for one in items if one is not None])
        case Table(item=item):
            members = {key: renamed(item, one, rename) for key, one in value.items()}
            return {key: one for key, one in members.items() if one is not None} or None
        case Either(cases=cases):
            return renamed(next(c.shape for c in cases if c.suits(value)), value, rename)
        case Record():
            return _record(shape, value, rename)
        case _:
            return value


def _names(shape: Name, value: str, rename: Rename) -> list[str]:
    """The new names; the occurrence of a selector stays: primer/last."""
    key, slash, occurrence = value.partition("/")
    return [f"{new}{slash}{occurrence}" for new in rename(shape, key)]


def _left(shape: Many, before: list[Any], after: list[Any]) -> list[Any] | None:
    return None if before and len(after) < max(shape.least, 1) else after


def _record(shape: Record, value: dict[str, Any], rename: Rename) -> dict[str, Any] | None:
    found = {}
    for field in shape.fields:
        if field.name not in value:
            continue
        member = renamed(field.shape, value[field.name], rename)
        if member is not None:
            found[field.name] = member
        elif field.required:
            return None
    return found
