"""No invalid value can exist: what each refuses, in words a clinician can read."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from app.domain.errors import DomainError
from app.domain.facts import Anchor, OccurrenceId
from app.domain.offsets import Offset
from app.domain.protocols import (
    Alternatives,
    BirthDate,
    Bounds,
    Count,
    Repeat,
    Step,
    Timepoint,
    Timing,
)
from app.domain.rules import Washout
from app.domain.schedules import Conflict, Element, Window
from tests.domain.given_problems import SESSION, after, bounds, step

POINTS = (Timepoint("m3", bounds(80, 90, 100)),)
EARLY, LATE = date(2027, 3, 1), date(2027, 3, 2)

REFUSED: list[Any] = [
    pytest.param(lambda: Anchor(SESSION), "either a date or an earliest", id="an anchor of no day"),
    pytest.param(
        lambda: Anchor(SESSION, EARLY, EARLY), "either a date or an earliest", id="of two days"
    ),
    pytest.param(
        lambda: Anchor(SESSION, earliest_from=LATE, until=EARLY), "before its first", id="backwards"
    ),
    pytest.param(lambda: Window(LATE, EARLY, None), "runs backwards", id="a window backwards"),
    pytest.param(Bounds, "needs an earliest, a target or a latest", id="a timing of nothing"),
    pytest.param(lambda: Washout(id="w", agent="nsaid"), "no days before", id="no washout"),
    pytest.param(
        lambda: step("a", after(0, 0, 0), timepoints=POINTS, repeat=_twice()),
        "both a repeat and timepoints",
        id="repeated timepoints",
    ),
    pytest.param(lambda: step("a", timepoints=POINTS), "exactly one reference", id="no reference"),
    pytest.param(
        lambda: step("a", after(0, 0, 0), timepoints=POINTS, alternatives=_either()),
        "both alternatives and timepoints",
        id="alternative timepoints",
    ),
    pytest.param(lambda: step("a", span=Offset.of_days(-1)), "is negative", id="a span backwards"),
]


def _twice() -> Repeat:
    return Repeat(Count(2, 2, 2), bounds(1, 1, 1))


def _either() -> Alternatives:
    return Alternatives((("one", Timing(BirthDate(), bounds(1, 1, 1))),))


@pytest.mark.parametrize("build, text", REFUSED)
def test_what_cannot_be_is_refused(build: Callable[[], Step | Anchor], text: str) -> None:
    with pytest.raises(DomainError, match=text):
        build()


def test_a_conflict_is_said_in_one_sentence() -> None:
    conflict = Conflict((Element("weekdays", "it is closed"), Element("as_of", "it is late")))

    assert conflict.text == "it is closed; it is late"


@pytest.mark.parametrize("text", ["session", "primer/1", "followup/m3"])
def test_an_occurrence_is_written_as_it_was_read(text: str) -> None:
    assert str(OccurrenceId.parse(text)) == text
