"""What well-formed plain data looks like: one description both reads it and gives its JSON Schema.

Reading never stops at the first fault. What is broken is left out (``None`` in a list), so that
the rest can still be looked at.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.domain.errors import Fault

MAX_FAULTS = 500

# Line breaks are text; other controls, lone surrogates and marks of reading direction are not.
_CONTROLS = "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_FORBIDDEN = re.compile(_CONTROLS + "|[\ud800-\udfff]")
_FORBIDDEN_IN_SCHEMA = (
    r"[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

Schema = dict[str, Any]


class Report:
    """Collects faults, each with its JSON pointer; the first 500 of them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def refuse(self, pointer: str, code: str, text: str) -> Any:
        """Note one fault; nothing (``None``) is left of the value."""
        fault = Fault(pointer, code, text)
        if len(self.faults) < MAX_FAULTS and fault not in self.faults:
            self.faults.append(fault)


class Shape(Protocol):
    """One kind of value."""

    def read(self, value: Any, at: str, report: Report) -> Any:
        """The value without its broken parts, ``None`` when nothing is left of it."""

    def schema(self, named: dict[str, Schema], /) -> Schema:
        """Its JSON Schema; shapes with a name are put into ``named`` and referred to."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words for people."""

    longest: int

    def read(self, value: Any, at: str, report: Report) -> Any:
        """Text with at least one visible character and no control characters."""
        if not isinstance(value, str):
            return report.refuse(at, "not-text", "must be text")
        if len(value) > self.longest:
            return report.refuse(at, "too-long", f"must have at most {self.longest} characters")
        if not value or value.isspace():
            return report.refuse(at, "blank", "must not be blank")
        if _FORBIDDEN.search(value):
            return report.refuse(at, "invalid-character", "must not hold control characters")
        return value

    def schema(self, _: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": self.longest,
            "pattern": r"\S",
            "not": {"pattern": _FORBIDDEN_IN_SCHEMA},
        }


@dataclass(frozen=True, slots=True)
class Word:
    """Text of a fixed form: a key, a code, an offset."""

    form: str
    meaning: str
    example: str

    def read(self, value: Any, at: str, report: Report) -> Any:
        """Text of exactly this form."""
        if not isinstance(value, str):
            return report.refuse(at, "not-text", "must be text")
        if not re.fullmatch(self.form, value):
            return report.refuse(at, "wrong-form", f"must be {self.meaning}")
        return value

    def schema(self, _: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {"type": "string", "pattern": f"^(?:{self.form})$", "examples": [self.example]}


@dataclass(frozen=True, slots=True)
class Name(Word):
    """A word that names a step (or one occurrence of it), a parameter or a rule of its document."""

    of: Literal["step", "parameter", "rule"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few fixed words."""

    words: tuple[str, ...]

    def read(self, value: Any, at: str, report: Report) -> Any:
        """One of the words."""
        if not isinstance(value, str) or value not in self.words:
            return report.refuse(at, "not-allowed", f"must be one of {', '.join(self.words)}")
        return value

    def schema(self, _: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {"enum": [str(word) for word in self.words]}


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number between two bounds."""

    lowest: int
    highest: int

    def read(self, value: Any, at: str, report: Report) -> Any:
        """An integer; ``3.0`` is one too, ``true`` is none."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return report.refuse(at, "not-an-integer", "must be an integer")
        if value < self.lowest:
            return report.refuse(at, "too-small", f"must be at least {self.lowest}")
        if value > self.highest:
            return report.refuse(at, "too-large", f"must be at most {self.highest}")
        return value

    def schema(self, _: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: Any, at: str, report: Report) -> Any:
        """A boolean."""
        if not isinstance(value, bool):
            return report.refuse(at, "not-a-boolean", "must be true or false")
        return value

    def schema(self, _: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Many:
    """A list; a broken item stays as ``None`` so that the others keep their numbers."""

    item: Shape
    most: int
    least: int = 0

    def read(self, value: Any, at: str, report: Report) -> Any:
        """A list of a bounded length."""
        if not isinstance(value, list):
            return report.refuse(at, "not-a-list", "must be a list")
        if len(value) < self.least:
            return report.refuse(at, "too-few", f"must have at least {self.least} items")
        if len(value) > self.most:
            return report.refuse(at, "too-many", f"must have at most {self.most} items")
        return [self.item.read(item, f"{at}/{index}", report) for index, item in enumerate(value)]

    def schema(self, named: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {
            "type": "array",
            "minItems": self.least,
            "maxItems": self.most,
            "items": self.item.schema(named),
        }


@dataclass(frozen=True, slots=True)
class Table:
    """An object whose keys are the client's own words, such as values of a parameter."""

    key: Word
    item: Shape
    most: int

    def read(self, value: Any, at: str, report: Report) -> Any:
        """A mapping of a bounded size."""
        if not isinstance(value, Mapping):
            return report.refuse(at, "not-an-object", "must be an object")
        if not 1 <= len(value) <= self.most:
            return report.refuse(at, "too-many", f"must have between 1 and {self.most} members")
        result = {}
        for key, item in value.items():
            if isinstance(key, str) and re.fullmatch(self.key.form, key):
                result[key] = self.item.read(item, f"{at}/{key}", report)
            else:
                report.refuse(at, "wrong-form", f"each member's name must be {self.key.meaning}")
        # Databases do not keep the order of members: a fixed one, so that it says nothing.
        return dict(sorted(result.items()))

    def schema(self, named: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {
            "type": "object",
            "minProperties": 1,
            "maxProperties": self.most,
            "propertyNames": {"pattern": f"^(?:{self.key.form})$"},
            "additionalProperties": self.item.schema(named),
        }


@dataclass(frozen=True, slots=True)
class Field:
    """One member of an object: its name, shape and meaning."""

    name: str
    shape: Shape
    says: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known members; ``any_of`` names members of which at least one is needed."""

    name: str
    says: str
    fields: tuple[Field, ...]
    any_of: tuple[str, ...] = ()

    def read(self, value: Any, at: str, report: Report) -> Any:
        """A mapping with every required member, ``None`` without them; unknown ones are refused."""
        members, whole = self.members(value, at, report)
        return members if whole else None

    def members(self, value: Any, at: str, report: Report) -> tuple[dict[str, Any], bool]:
        """The readable members, and whether every required one is among them."""
        if not isinstance(value, Mapping):
            report.refuse(at, "not-an-object", "must be an object")
            return {}, False
        self._refuse_unknown(value, at, report)
        found, whole = {}, True
        for field in self.fields:
            if field.name in value:
                read = field.shape.read(value[field.name], f"{at}/{field.name}", report)
                if read is not None:
                    found[field.name] = read
                whole = whole and (read is not None or not field.required)
            elif field.required:
                report.refuse(f"{at}/{field.name}", "missing", "is required")
                whole = False
        if self.any_of and not any(name in value for name in self.any_of):
            report.refuse(at, "missing", f"needs at least one of {', '.join(self.any_of)}")
        whole = whole and (not self.any_of or any(name in found for name in self.any_of))
        return found, whole

    def _refuse_unknown(self, value: Mapping[Any, Any], at: str, report: Report) -> None:
        known = {field.name for field in self.fields}
        for key in value:
            if key not in known:
                # What is no field name may be anything, even a patient's data: not repeated.
                is_name = isinstance(key, str) and _FIELD_NAME.fullmatch(key)
                place = f"{at}/{key}" if is_name else at
                report.refuse(place, "unknown-field", "is not a known field")

    def schema(self, named: dict[str, Schema], /) -> Schema:
        """A reference to its own definition."""
        if self.name not in named:
            named[self.name] = {}
            named[self.name] = self._definition(named)
        return {"$ref": f"#/$defs/{self.name}"}

    def _definition(self, named: dict[str, Schema]) -> Schema:
        properties = {}
        for field in self.fields:
            properties[field.name] = {"description": field.says, **field.shape.schema(named)}
        definition: Schema = {
            "type": "object",
            "description": self.says,
            "properties": properties,
            "additionalProperties": False,
        }
        if required := [field.name for field in self.fields if field.required]:
            definition["required"] = required
        if self.any_of:
            definition["anyOf"] = [{"required": [name]} for name in self.any_of]
        return definition


@dataclass(frozen=True, slots=True)
class Case:
    """One way to write a value, recognised by ``suits``."""

    suits: Callable[[Any], bool]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Either:
    """A value that may be written in several ways; the first that suits is the one meant.

    ``tag`` is the member that tells them apart, where there is one.
    """

    cases: tuple[Case, ...]
    meaning: str
    tag: str | None = None

    def read(self, value: Any, at: str, report: Report) -> Any:
        """The value in the way that was meant."""
        for case in self.cases:
            if case.suits(value):
                return case.shape.read(value, at, report)
        if self.tag is not None and isinstance(value, Mapping):
            at = f"{at}/{self.tag}"
        return report.refuse(at, "not-allowed", f"must be {self.meaning}")

    def schema(self, named: dict[str, Schema], /) -> Schema:
        """The same in JSON Schema."""
        return {"anyOf": [case.shape.schema(named) for case in self.cases]}


def holds_key(*keys: str) -> Callable[[Any], bool]:
    """Recognises an object by one of its members."""
    return lambda value: isinstance(value, Mapping) and any(key in value for key in keys)


def holds(key: str, word: str) -> Callable[[Any], bool]:
    """Recognises an object by the word that one of its members is."""
    return lambda value: isinstance(value, Mapping) and value.get(key) == word


def is_text(value: Any) -> bool:
    """Recognises text."""
    return isinstance(value, str)


def is_object(value: Any) -> bool:
    """Recognises an object."""
    return isinstance(value, Mapping)


def is_anything(_: Any) -> bool:
    """Takes what no other case takes."""
    return True
