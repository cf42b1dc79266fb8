"""Strict reading of JSON text into plain data, and what reading YAML shares with it.

Both refuse what parsers usually let through: duplicate keys, numbers of any length, not-a-number,
control characters, lone surrogates, aliases, tags. Every fault is named by its JSON pointer.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.domain.errors import Fault, Faults

MAX_DEPTH = 32
MAX_DIGITS = 19
MAX_FAULTS = 20

# Tab and line feed are text; other controls, what reverses the reading direction, and what no XML
# may have are not: pictures and the narratives of FHIR are XML.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SUSPECT_ESCAPE = re.compile(
    r"\\(?:[bfr]|u(?:00[01]|007[fF]|00[89]|[dD][89a-fA-F]|061[cC]|200[eEfF]|202[a-eA-E]|206[6-9]"
    r"|[fF]{3}[eEfF]))"
)
LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
# Possessive, and to the end where it is not closed: each character is looked at once.
_JSON_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_ONE_KIND = str.maketrans("{}", "[]")
_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


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


LONG = _Refused("number-too-long", f"a number has at most {MAX_DIGITS} digits")
NOT_FINITE = _Refused("not-a-number", "a number must be finite")
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
    text = decoded(raw)
    if _too_deep(text):
        raise malformed("", "too-deep", f"nests more than {MAX_DEPTH} levels")
    try:
        if _is_suspicious(text):
            return _read_thoroughly(text)
        return _QUICK.decode(text)
    except _Suspicious:
        return _read_thoroughly(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise malformed("", "invalid-json", f"is not JSON: {where}") from None


def malformed(pointer: str, code: str, text: str) -> MalformedDocument:
    """The error for a single fault."""
    return MalformedDocument((Fault(pointer, code, text),))


def decoded(raw: bytes) -> str:
    """The text of a body in UTF-8. Raises MalformedDocument."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("", "not-utf-8", "must be encoded in UTF-8") from None
    if text.startswith("\ufeff"):
        raise malformed("", "byte-order-mark", "must not begin with a byte order mark")
    return text


def _is_suspicious(text: str) -> bool:
    if "\\" in text and _SUSPECT_ESCAPE.search(text):
        return True
    if not text.isascii() and FORBIDDEN.search(text):
        return True
    return LONG_NUMBER.search(text) is not None or "\x7f" in text


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
    return LONG if len(text.lstrip("-")) > MAX_DIGITS else int(text)


def _thorough_float(text: str) -> float | _Refused:
    if LONG_NUMBER.search(text):
        return LONG
    return float(text) if math.isfinite(float(text)) else NOT_FINITE


_THOROUGH = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_int=_thorough_int,
    parse_float=_thorough_float,
    parse_constant=lambda _: NOT_FINITE,
)


def _read_thoroughly(text: str) -> Any:
    faults = first_faults(_THOROUGH.decode(text))
    if faults:
        raise MalformedDocument(faults)
    return json.loads(text)


def first_faults(data: Any) -> tuple[Fault, ...]:
    """At most ``MAX_FAULTS`` faults of what was read."""
    return tuple(islice(_faults_in(data, ""), MAX_FAULTS))


def _faults_in(value: Any, pointer: str) -> Iterator[Fault]:
    """Every fault below a value, in the order of the text."""
    match value:
        case _Refused():
            yield Fault(pointer, value.code, value.text)
        case str() if FORBIDDEN.search(value):
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
        if FORBIDDEN.search(key):
            yield Fault(pointer, _CONTROL.code, "a key must not hold control characters")
        seen.add(key)
        yield from _faults_in(value, below)
