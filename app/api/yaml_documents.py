"""Strict reading of YAML text into plain data; loaded by the first who sends some."""

import math
import re
from typing import Any

import yaml

from app.api.documents import (
    LONG,
    LONG_NUMBER,
    MAX_DEPTH,
    NOT_FINITE,
    MalformedDocument,
    decoded,
    first_faults,
    malformed,
    pointer_to,
)
from app.domain.errors import Fault

_YAML_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_YAML_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)")
_YAML_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}


def read_yaml(raw: bytes) -> Any:
    """Read one YAML document in which every word is text except numbers, true, false and null.

    ``no``, ``on``, ``12:30`` and dates stay text. Anchors, aliases, tags and duplicate keys are
    refused. Raises MalformedDocument.
    """
    text = decoded(raw)
    builder = _YamlBuilder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise malformed("", "invalid-yaml", f"is not YAML{where}") from None
    except yaml.YAMLError:
        raise malformed("", "invalid-yaml", "is not YAML") from None
    faults = tuple(builder.faults) or first_faults(builder.data)
    if faults:
        raise MalformedDocument(faults)
    return builder.data


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
        raise malformed(self._pointer(), code, text)

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
        if LONG_NUMBER.search(text):
            self.faults.append(Fault(self._pointer(), LONG.code, LONG.text))
            return None
        if _YAML_INT.fullmatch(text):
            return int(text)
        number = float(text)
        if math.isfinite(number):
            return number
        self.faults.append(Fault(self._pointer(), NOT_FINITE.code, NOT_FINITE.text))
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
