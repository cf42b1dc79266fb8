"""From validation errors to faults: our places and words, never what the client sent."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from app.api.faults import faults_of
from app.api.fields import Day, In, Key, Line, Paragraphs, Whole, YesNo, Zone
from app.domain.errors import Fault

SECRET = "Jane Doe"


class Move(In):
    """One kind of change."""

    type: Literal["move"]
    to: Day


class Skip(In):
    """Another kind of change."""

    type: Literal["skip"]
    step: Key


class Body(In):
    """Something of every sort."""

    name: Line = "x"
    note: Paragraphs = "x"
    zone: Zone = "UTC"
    count: Annotated[Whole, Field(ge=0, le=5)] = 0
    is_open: YesNo = True
    days: Annotated[list[Day], Field(min_length=1, max_length=3)] = Field(default_factory=list)
    changes: list[Annotated[Move | Skip, Field(discriminator="type")]] = Field(default_factory=list)


def faults(body: Any) -> list[tuple[str, str]]:
    """Pointer and code of every fault of a body."""
    return [(fault.pointer, fault.code) for fault in all_faults(body)]


def all_faults(body: Any) -> tuple[Fault, ...]:
    """Every fault of a body."""
    try:
        TypeAdapter(Body).validate_python(body)
    except ValidationError as error:
        errors = [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
        return faults_of(errors, body)
    return ()


@pytest.mark.parametrize(
    "body, expected",
    [
        pytest.param({"name": 5}, [("/name", "not-text")], id="not text"),
        pytest.param({"name": ""}, [("/name", "too-short")], id="empty"),
        pytest.param({"name": " "}, [("/name", "not-one-line")], id="blank"),
        pytest.param({"name": "a\nb"}, [("/name", "not-one-line")], id="two lines"),
        pytest.param({"name": "x" * 201}, [("/name", "too-long")], id="too long"),
        pytest.param({"zone": "Mars/Olympus"}, [("/zone", "unknown-time-zone")], id="zone"),
        pytest.param({"zone": "../../etc/passwd"}, [("/zone", "wrong-form")], id="a path"),
        pytest.param({"count": "1"}, [("/count", "not-an-integer")], id="a number as text"),
        pytest.param({"count": True}, [("/count", "not-an-integer")], id="truth as a number"),
        pytest.param({"count": 1.0}, [("/count", "not-an-integer")], id="a fraction"),
        pytest.param({"count": -1}, [("/count", "too-small")], id="too small"),
        pytest.param({"count": 6}, [("/count", "too-large")], id="too large"),
        pytest.param({"is_open": "yes"}, [("/is_open", "not-a-boolean")], id="not a boolean"),
        pytest.param({"days": []}, [("/days", "too-few")], id="too few"),
        pytest.param({"days": ["2027-03-10"] * 4}, [("/days", "too-many")], id="too many"),
        pytest.param({"days": "2027-03-10"}, [("/days", "not-a-list")], id="not a list"),
        pytest.param({"days": ["2027-02-30"]}, [("/days/0", "not-a-day")], id="no such day"),
        pytest.param({"days": [20270310]}, [("/days/0", "not-a-day")], id="a number as a day"),
        pytest.param(
            {"days": ["2027-03-10T00:00:00"]}, [("/days/0", "not-a-day")], id="an instant as a day"
        ),
        pytest.param({"days": ["1899-12-31"]}, [("/days/0", "day-out-of-range")], id="before 1900"),
        pytest.param({"days": ["2201-01-01"]}, [("/days/0", "day-out-of-range")], id="after 2200"),
        pytest.param({"nmae": "x"}, [("/nmae", "unknown-field")], id="unknown field"),
        pytest.param([], [("", "not-an-object")], id="not an object"),
        pytest.param(
            {"changes": [{"type": "skip", "step": "a"}, {"type": "move", "to": "soon"}]},
            [("/changes/1/to", "not-a-day")],
            id="below a kind of change",
        ),
        pytest.param(
            {"changes": [{"type": "move"}]},
            [("/changes/0/to", "missing")],
            id="missing below a kind of change",
        ),
        pytest.param(
            {"changes": [{"type": "fly"}]}, [("/changes/0", "not-allowed")], id="unknown kind"
        ),
        pytest.param({"changes": [{}]}, [("/changes/0", "missing")], id="no kind"),
        pytest.param(
            {"name": 1, "count": "x", "days": ["x"]},
            [("/name", "not-text"), ("/count", "not-an-integer"), ("/days/0", "not-a-day")],
            id="all at once",
        ),
    ],
)
def test_every_fault_is_named_by_its_place(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"name": [SECRET]}, id="a value"),
        pytest.param({SECRET: 1}, id="a key"),
        pytest.param({"zone": SECRET}, id="a zone"),
        pytest.param({"days": [SECRET]}, id="a day"),
        pytest.param({"changes": [{"type": SECRET}]}, id="a kind"),
        pytest.param({"changes": [{"type": "skip", "step": SECRET}]}, id="a key of a step"),
    ],
)
def test_what_was_sent_is_not_repeated(body: Any) -> None:
    found = all_faults(body)

    assert found
    assert SECRET not in repr(found)


def test_at_most_twenty_faults_are_told() -> None:
    assert len(all_faults({"changes": [{"type": "fly"}] * 1000})) == 20


def test_parameters_are_named() -> None:
    error = {"type": "int_parsing", "loc": ("query", "limit"), "msg": "", "ctx": {}}

    assert faults_of([error], None) == (Fault("limit", "not-an-integer", "must be an integer"),)
