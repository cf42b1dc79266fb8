"""Turns validation errors into faults: our pointers, codes and words, never the client's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from app.api.documents import MAX_FAULTS, pointer_to
from app.domain.errors import Fault

_Words = Callable[[Mapping[str, Any]], str]


def _fixed(text: str) -> _Words:
    return lambda _: text


def _with(template: str) -> _Words:
    return template.format_map


def _number(words: str, name: str, things: str) -> _Words:
    return lambda context: f"{words} {context[name]} {things}{'s' * (context[name] != 1)}"


# Of an error's context only what our own schema says is used: bounds, patterns, allowed values.
WORDS: dict[str, tuple[str, _Words]] = {
    "missing": ("missing", _fixed("is required")),
    "extra_forbidden": ("unknown-field", _fixed("is not a known field")),
    "string_type": ("not-text", _fixed("must be text")),
    "string_too_short": ("too-short", _number("must have at least", "min_length", "character")),
    "string_too_long": ("too-long", _number("must have at most", "max_length", "character")),
    "string_pattern_mismatch": ("wrong-form", _with("must match {pattern}")),
    "int_type": ("not-an-integer", _fixed("must be an integer")),
    "int_parsing": ("not-an-integer", _fixed("must be an integer")),
    "int_from_float": ("not-an-integer", _fixed("must be an integer")),
    "int_parsing_size": ("too-large", _fixed("is too large a number")),
    "float_type": ("not-a-number", _fixed("must be a number")),
    "float_parsing": ("not-a-number", _fixed("must be a number")),
    "finite_number": ("not-a-number", _fixed("must be a finite number")),
    "bool_type": ("not-a-boolean", _fixed("must be true or false")),
    "bool_parsing": ("not-a-boolean", _fixed("must be true or false")),
    "greater_than": ("too-small", _with("must be greater than {gt}")),
    "greater_than_equal": ("too-small", _with("must be at least {ge}")),
    "less_than": ("too-large", _with("must be less than {lt}")),
    "less_than_equal": ("too-large", _with("must be at most {le}")),
    "list_type": ("not-a-list", _fixed("must be a list")),
    "tuple_type": ("not-a-list", _fixed("must be a list")),
    "too_long": ("too-many", _number("must have at most", "max_length", "item")),
    "too_short": ("too-few", _number("must have at least", "min_length", "item")),
    "dict_type": ("not-an-object", _fixed("must be an object")),
    "model_type": ("not-an-object", _fixed("must be an object")),
    "model_attributes_type": ("not-an-object", _fixed("must be an object")),
    "literal_error": ("not-allowed", _with("must be {expected}")),
    "enum": ("not-allowed", _with("must be {expected}")),
    "union_tag_invalid": ("not-allowed", _with("its kind must be one of {expected_tags}")),
    "union_tag_not_found": ("missing", _fixed("does not say its kind")),
    "none_required": ("not-null", _fixed("must be null")),
    "uuid_type": ("not-an-id", _fixed("must be an id (UUID)")),
    "uuid_parsing": ("not-an-id", _fixed("must be an id (UUID)")),
    "uuid_version": ("not-an-id", _fixed("must be an id (UUID)")),
    "timezone_aware": ("no-time-zone", _fixed("must have a time zone or offset")),
    "datetime_type": ("not-an-instant", _fixed("must be an instant such as 2027-03-10T09:00:00Z")),
    "datetime_parsing": (
        "not-an-instant",
        _fixed("must be an instant such as 2027-03-10T09:00:00Z"),
    ),
    "datetime_from_date_parsing": (
        "not-an-instant",
        _fixed("must be an instant such as 2027-03-10T09:00:00Z"),
    ),
    "time_type": ("not-a-time", _fixed("must be a time of day such as 09:00")),
    "time_parsing": ("not-a-time", _fixed("must be a time of day such as 09:00")),
}
# Codes of our own validators: their words name nothing the client sent.
OWN = "regimen:"


def faults_of(errors: Sequence[Mapping[str, Any]], body: Any) -> tuple[Fault, ...]:
    """The first faults of a refused request; pointers lead into the body, parameters are named."""
    found = (_fault_of(error, body) for error in islice(_told_once(errors, body), MAX_FAULTS))
    return tuple(found)


def _told_once(errors: Sequence[Mapping[str, Any]], body: Any) -> Iterable[Mapping[str, Any]]:
    """A value that fits no member of a union is one fault, not one per member."""
    told: set[tuple[Any, ...]] = set()
    for error in errors:
        where = (_place_of(error, body), error["type"] == "extra_forbidden")
        if where not in told:
            told.add(where)
            yield error


def _fault_of(error: Mapping[str, Any], body: Any) -> Fault:
    kind = str(error["type"])
    if kind == "too_long" and isinstance(error["input"], str):
        kind = "string_too_long"  # text with a validator of ours is told as if it were a list
    place = _place_of(error, body)
    if kind.startswith(OWN):
        return Fault(place, kind.removeprefix(OWN), str(error["msg"]))
    code, words = WORDS.get(kind, ("not-valid", _fixed("is not valid")))
    return Fault(place, code, words(error.get("ctx", {})))


def _place_of(error: Mapping[str, Any], body: Any) -> str:
    origin, *path = error["loc"]
    if origin != "body":
        return str(path[0]) if path else str(origin)
    return _pointer(path, body, is_missing=error["type"] == "missing")


def _pointer(path: Sequence[str | int], body: Any, *, is_missing: bool) -> str:
    """Follow the body along the path: what is not in it is the name of a union's member."""
    pointer, value = "", body
    for position, key in enumerate(path):
        if isinstance(value, dict) and isinstance(key, str) and key in value:
            pointer, value = pointer_to(pointer, key), value[key]
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            pointer, value = f"{pointer}/{key}", value[key]
        elif is_missing and position == len(path) - 1:
            pointer = pointer_to(pointer, key)
    return pointer
