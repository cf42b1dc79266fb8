"""Strict reading of JSON and YAML text into plain data; knows nothing of HTTP or of models.

Both refuse what parsers usually let through: duplicate keys, numbers of any length, not-a-number,
control characters, lone surrogates, aliases, tags. Every fault is named by its JSON pointer.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from app.domain.errors import Fault, Faults

MAX_DEPTH = 32
MAX_DIGITS = 19
MAX_FAULTS = 20

# Tab and line feed are text; other controls, and what reverses the reading direction, are not.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SUSPECT_ESCAPE = re.compile(
    r"\\(?:[bfr]|u(?:00[01]|007[fF]|00[89]|[dD][89a-fA-F]|061[cC]|200[eEfF]|202[a-eA-E]|206[6-9]))"
)
_LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
# Possessive, and to the end where it is not closed: each character is looked at once.
_JSON_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_ONE_KIND = str.maketrans("{}", "[]")
_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")

_YAML_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_YAML_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)")
_YAML_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}


class MalformedDocument(Faults):
    """The body is not a well-formed document."""


class _Members(list[tuple[str, Any]]):
    """The members of an object in their order, before duplicate keys are looked for."""


@dataclass(frozen=True, slots=True)
class _Refused:
    code: str
    text: str


class _Suspicious(Exception):
    """The quick reader met something that the thorough one must look at."""


_LONG = _Refused("number-too-long", f"a number has at most {MAX_DIGITS} digits")
_NOT_FINITE = _Refused("not-a-number", "a number must be finite")
_CONTROL = _Refused("invalid-character", "text must not hold control characters")


def pointer_to(parent: str, key: str | int) -> str:
    """The JSON pointer of a member.

    A key that does not look like a field name may be anything, even a patient's data: then the
    parent's pointer is given instead.
    """
    if isinstance(key, str) and not _FIELD_NAME.fullmatch(key):
        return parent
    return f"{parent}/{key}"


def read_json(raw: bytes) -> Any:
    """Read strict JSON: UTF-8, no duplicate keys, finite numbers, at most 32 levels deep.

    Raises MalformedDocument.
    """
    text = _decoded(raw)
    if _too_deep(text):
        raise _malformed("", "too-deep", f"nests more than {MAX_DEPTH} levels")
    try:
        if _is_suspicious(text):
            return _read_thoroughly(text)
        return _QUICK.decode(text)
    except _Suspicious:
        return _read_thoroughly(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed("", "invalid-json", f"is not JSON: {where}") from None


def read_yaml(raw: bytes) -> Any:
    """Read one YAML document in which every word is text except numbers, true, false and null.

    ``no``, ``on``, ``12:30`` and dates stay text. Anchors, aliases, tags and duplicate keys are
    refused. Raises MalformedDocument.
    """
    text = _decoded(raw)
    builder = _YamlBuilder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _malformed("", "invalid-yaml", f"is not YAML{where}") from None
    except yaml.YAMLError:
        raise _malformed("", "invalid-yaml", "is not YAML") from None
    faults = tuple(builder.faults) or tuple(_first(_faults_in(builder.data, "")))
    if faults:
        raise MalformedDocument(faults)
    return builder.data


def _malformed(pointer: str, code: str, text: str) -> MalformedDocument:
    return MalformedDocument((Fault(pointer, code, text),))


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("", "not-utf-8", "must be encoded in UTF-8") from None
    if text.startswith("\ufeff"):
        raise _malformed("", "byte-order-mark", "must not begin with a byte order mark")
    return text


def _is_suspicious(text: str) -> bool:
    if "\\" in text and _SUSPECT_ESCAPE.search(text):
        return True
    if not text.isascii() and _FORBIDDEN.search(text):
        return True
    return _LONG_NUMBER.search(text) is not None or "\x7f" in text


def _too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    brackets = _NOT_BRACKETS.sub("", _JSON_STRING.sub("", text)).translate(_ONE_KIND)
    # Each round takes away the innermost level; faster than walking the text in Python.
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace("[]", "")
        if not brackets:
            return False
    return True


def _quick_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Suspicious
    return members


def _quick_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Suspicious
    return number


def _quick_constant(_: str) -> float:
    raise _Suspicious


_QUICK = json.JSONDecoder(
    object_pairs_hook=_quick_members, parse_float=_quick_float, parse_constant=_quick_constant
)


def _thorough_int(text: str) -> int | _Refused:
    return _LONG if len(text.lstrip("-")) > MAX_DIGITS else int(text)


def _thorough_float(text: str) -> float | _Refused:
    if _LONG_NUMBER.search(text):
        return _LONG
    return float(text) if math.isfinite(float(text)) else _NOT_FINITE


_THOROUGH = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_int=_thorough_int,
    parse_float=_thorough_float,
    parse_constant=lambda _: _NOT_FINITE,
)


def _read_thoroughly(text: str) -> Any:
    faults = tuple(_first(_faults_in(_THOROUGH.decode(text), "")))
    if faults:
        raise MalformedDocument(faults)
    return json.loads(text)


def _first(faults: Iterator[Fault]) -> Iterator[Fault]:
    for _, fault in zip(range(MAX_FAULTS), faults, strict=False):
        yield fault


def _faults_in(value: Any, pointer: str) -> Iterator[Fault]:
    """Every fault below a value, in the order of the text."""
    match value:
        case _Refused():
            yield Fault(pointer, value.code, value.text)
        case str() if _FORBIDDEN.search(value):
            yield Fault(pointer, _CONTROL.code, _CONTROL.text)
        case _Members():
            yield from _member_faults(value, pointer)
        case dict():
            yield from _member_faults(_Members(value.items()), pointer)
        case list():
            for index, item in enumerate(value):
                yield from _faults_in(item, f"{pointer}/{index}")
        case _:
            pass


def _member_faults(members: _Members, pointer: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for key, value in members:
        below = pointer_to(pointer, key)
        if key in seen:
            yield Fault(below, "duplicate-key", "occurs twice in its object")
        if _FORBIDDEN.search(key):
            yield Fault(pointer, _CONTROL.code, "a key must not hold control characters")
        seen.add(key)
        yield from _faults_in(value, below)


_MISSING = object()


class _YamlBuilder:
    """Builds plain data from the parser's events, so that no constructor of the library runs."""

    def __init__(self) -> None:
        self.data: Any = None
        self.faults: list[Fault] = []
        self._documents = 0
        self._open: list[tuple[Any, str]] = []
        self._keys: list[Any] = []

    def take(self, event: yaml.Event) -> None:
        """Take the next event; raises MalformedDocument where reading on makes no sense."""
        match event:
            case yaml.AliasEvent():
                self._stop("alias", "aliases are not allowed")
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop("many-documents", "holds more than one document")
            case yaml.ScalarEvent():
                self._check_node(event)
                self._add(self._scalar(event))
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._keys.pop()
            case _:
                pass

    def _begin(self, event: Any, collection: Any) -> None:
        self._check_node(event)
        if len(self._open) >= MAX_DEPTH:
            self._stop("too-deep", f"nests more than {MAX_DEPTH} levels")
        if self._expects_key():
            self._stop("invalid-key", "a key must be text")
        pointer = self._pointer()
        self._add(collection)
        self._open.append((collection, pointer))
        self._keys.append(_MISSING)

    def _check_node(self, event: Any) -> None:
        if event.anchor is not None:
            self._stop("anchor", "anchors are not allowed")
        if event.tag is not None:
            self._stop("tag", "tags are not allowed")

    def _stop(self, code: str, text: str) -> None:
        raise _malformed(self._pointer(), code, text)

    def _expects_key(self) -> bool:
        return bool(
            self._open and isinstance(self._open[-1][0], dict) and self._keys[-1] is _MISSING
        )

    def _pointer(self) -> str:
        if not self._open:
            return ""
        collection, pointer = self._open[-1]
        if isinstance(collection, list):
            return f"{pointer}/{len(collection)}"
        return pointer if self._keys[-1] is _MISSING else pointer_to(pointer, self._keys[-1])

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if event.style or self._expects_key():
            return text
        if text in _YAML_WORDS:
            return _YAML_WORDS[text]
        if _YAML_INT.fullmatch(text) or _YAML_FLOAT.fullmatch(text):
            return self._number(text)
        return text

    def _number(self, text: str) -> int | float | None:
        if _LONG_NUMBER.search(text):
            self.faults.append(Fault(self._pointer(), _LONG.code, _LONG.text))
            return None
        if _YAML_INT.fullmatch(text):
            return int(text)
        number = float(text)
        if math.isfinite(number):
            return number
        self.faults.append(Fault(self._pointer(), _NOT_FINITE.code, _NOT_FINITE.text))
        return None

    def _add(self, value: Any) -> None:
        if not self._open:
            self.data = value
            return
        collection = self._open[-1][0]
        if isinstance(collection, list):
            collection.append(value)
        elif self._keys[-1] is _MISSING:
            self._keys[-1] = value
            if value in collection:
                text = "occurs twice in its object"
                self.faults.append(Fault(self._pointer(), "duplicate-key", text))
        else:
            collection[self._keys[-1]] = value
            self._keys[-1] = _MISSING
