"""Plain data as a FHIR extension and back: what R4 has no element for.

A member is an extension named by it, an item of a list one named ``_item``; text, whole numbers and
truths are values. Nothing is empty in FHIR: an empty list or object is a code.
"""

from collections.abc import Mapping
from typing import Any

_ITEM = "_item"
_EMPTY: dict[str, Any] = {"[]": [], "{}": {}}
MAX_DEPTH = 16


class NotPlainData(ValueError):
    """An extension that no plain data was written as."""


def to_extension(url: str, value: Any) -> dict[str, Any]:
    """Plain data under this url."""
    match value:
        case bool():
            return {"url": url, "valueBoolean": value}
        case int():
            return {"url": url, "valueInteger": value}
        case str():
            return {"url": url, "valueString": value}
        case [] | ():
            return {"url": url, "valueCode": "[]"}
        case list() | tuple():
            return {"url": url, "extension": [to_extension(_ITEM, item) for item in value]}
        case Mapping() if value:
            members = [to_extension(name, member) for name, member in value.items()]
            return {"url": url, "extension": members}
        case _:
            return {"url": url, "valueCode": "{}"}


def from_extension(extension: Any, depth: int = 0) -> Any:
    """The plain data of an extension. Raises NotPlainData."""
    if not isinstance(extension, Mapping) or depth > MAX_DEPTH:
        raise NotPlainData("is no extension that holds plain data")
    match {name: member for name, member in extension.items() if name not in {"url", "id"}}:
        case {"valueBoolean": bool() as value, **rest} if not rest:
            return value
        case {"valueInteger": int() as value, **rest} if not rest and not isinstance(value, bool):
            return value
        case {"valueString": str() as value, **rest} if not rest:
            return value
        case {"valueCode": "[]" | "{}" as value, **rest} if not rest:
            return _EMPTY[value].copy()
        case {"extension": [_, *_] as members, **rest} if not rest:
            return _members(members, depth + 1)
        case _:
            raise NotPlainData("has a value that is no text, whole number or truth")


def _members(members: list[Any], depth: int) -> Any:
    urls = [member.get("url") if isinstance(member, Mapping) else None for member in members]
    if all(url == _ITEM for url in urls):
        return [from_extension(member, depth) for member in members]
    named: dict[str, Any] = {}
    for url, member in zip(urls, members, strict=True):
        if not isinstance(url, str) or url in named or url == _ITEM:
            raise NotPlainData("has a member without a name of its own")
        named[url] = from_extension(member, depth)
    return named
