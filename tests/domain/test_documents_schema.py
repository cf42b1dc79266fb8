"""The published JSON Schemas say what the readers read: neither more nor less."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from app.domain.documents import clinic_rules_schema, protocol_schema
from app.domain.documents.clinic_rules_grammar import CLINIC_RULES
from app.domain.documents.grammar import WRITTEN
from app.domain.documents.shapes import Record, Report
from tests.domain.given_documents import Data, documents, sample

PROTOCOLS = Draft202012Validator(protocol_schema())
RULES = Draft202012Validator(clinic_rules_schema())

_JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    3,
    3.0,
    2.5,
    10**7,
    "",
    " ",
    "x",
    "P1D",
    "-P1D",
    "P",
    "primer/1",
    "a b",
    "a\x00",
    "plan_start",
    "x" * 5000,
    [],
    {},
    [None],
    ["x"],
    {"x": 1},
    {"step": "session"},
    {"parameter": "booster", "in": ["none"]},
    {"type": "keep", "steps": ["walk"]},
]


@pytest.mark.parametrize("schema", [protocol_schema(), clinic_rules_schema()])
def test_the_schemas_are_valid_themselves(schema: Data) -> None:
    Draft202012Validator.check_schema(schema)


@given(documents())
def test_every_document_that_is_read_is_valid(data: Data) -> None:
    assert not list(PROTOCOLS.iter_errors(data))


@pytest.mark.parametrize("name", ["protocol-format-1", "protocol-with-parts-format-1"])
@given(data=st.data())
@example(data=None)
def test_schema_and_reader_agree_on_every_mutation_of_the_sample(name: str, data: Any) -> None:
    mutant = sample(name)
    if data is not None:
        for _ in range(data.draw(st.integers(1, 3))):
            _mutate(mutant, data)

    assert PROTOCOLS.is_valid(mutant) == _is_read(WRITTEN, mutant)


@given(st.data())
def test_schema_and_reader_agree_on_every_mutation_of_clinic_rules(data: Any) -> None:
    mutant = sample("clinic-rules-format-1")
    for _ in range(data.draw(st.integers(1, 2))):
        _mutate(mutant, data)

    assert RULES.is_valid(mutant) == _is_read(CLINIC_RULES, mutant)


def _is_read(record: Record, data: Any) -> bool:
    report = Report()
    _, whole = record.members(data, "", report)
    assert whole or report.faults
    return not report.faults


def _mutate(mutant: Any, data: Any) -> None:
    """Replace, remove, add or repeat something at any place."""
    place, name = data.draw(st.sampled_from(list(_places(mutant))))
    way = data.draw(st.sampled_from(["replace", "replace", "remove", "add", "repeat"]))
    if way == "remove":
        del place[name]
    elif way == "add" and isinstance(place, dict):
        known = ["type", "key", "latest", "steps", "kinds", "between", "colour", "note", "from"]
        place[data.draw(st.sampled_from(known))] = copy.deepcopy(data.draw(st.sampled_from(_JUNK)))
    elif way == "repeat" and isinstance(place, list):
        place.extend(copy.deepcopy(place[name]) for _ in range(data.draw(st.integers(1, 210))))
    else:
        place[name] = copy.deepcopy(data.draw(st.sampled_from(_JUNK)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    members: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    for name, member in members:
        yield value, name
        yield from _places(member)
