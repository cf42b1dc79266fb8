"""What decisions add: one more of a series, later than what was done, and steps without a day."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.calendars import Calendar
from app.domain.documents import parse_protocol
from app.domain.engine import solve
from app.domain.facts import Anchor, OccurrenceId, Performed
from app.domain.problem import Problem
from app.domain.schedules import Schedule
from tests.domain.given_documents import Data, after, choice, document, step

FIRST = date(2027, 3, 1)
LATE: Data = {"parameter": "when", "in": ["late"]}
SPACING = {"earliest": "P5D", "target": "P7D", "latest": "P10D"}


def gate(*effects: Data, **members: object) -> Data:
    """A decision a month after the last shot, with one choice."""
    timings = [{"relative_to": {"step": "shot", "occurrence": "last"}, "target": "P30D"}]
    more = {"key": "more", "title": "More", "effects": list(effects)}
    return step("gate", kind="decision", **({"timings": timings, "choices": [more]} | members))


def decided(*effects: Data, **members: object) -> Schedule:
    """Two shots done, then the decision: what follows."""
    shots = step("shot", repeat={"count": 2, "spacing": SPACING})
    extra = step("extra", on_decision=True)
    placed = step("placed", on_decision=True, timings=after("gate", target="P3D"))
    protocol = parse_protocol(
        document(shots, gate(*effects, **members), extra, placed, parameters=[choice()])
    ).protocol
    done = (("shot", 1, FIRST), ("shot", 2, date(2027, 3, 8)), ("gate", None, date(2027, 4, 7)))
    problem = Problem(
        protocol=protocol,
        as_of=date(2027, 4, 7),
        calendar=Calendar(frozenset(range(1, 8))),
        anchor=Anchor(OccurrenceId("shot", 1), FIRST),
        performed=tuple(Performed(OccurrenceId(key, n), day) for key, n, day in done),
        decided={"gate": "more"},
    )
    found = solve(replace(problem, parameters={"when": "early"}))
    assert isinstance(found, Schedule), found
    return found


@pytest.mark.parametrize("offset, day", [("P0D", date(2027, 4, 7)), ("P10D", date(2027, 4, 17))])
def test_an_added_series_begins_after_the_decision(offset: str, day: date) -> None:
    found = decided({"type": "add", "steps": ["shot"], "count": 2, "offset": offset})

    assert found.day_of(OccurrenceId("shot", 3)) == day
    later = found.day_of(OccurrenceId("shot", 4))
    assert later is not None
    assert (later - day).days == 7
    assert found.day_of(OccurrenceId("gate")) == date(2027, 4, 7)


def test_a_step_that_has_no_timing_is_placed_by_the_decision() -> None:
    found = decided({"type": "add", "steps": ["extra", "placed"], "offset": "P5D"})

    assert found.day_of(OccurrenceId("extra")) == date(2027, 4, 12)
    assert found.day_of(OccurrenceId("placed")) == date(2027, 4, 10)


def test_without_an_offset_a_step_without_a_timing_waits_for_a_day() -> None:
    found = decided({"type": "add", "steps": ["extra"]})

    assert found.day_of(OccurrenceId("extra")) is None


def test_a_decision_that_is_not_there_places_nothing() -> None:
    add = {"type": "add", "steps": ["extra", "shot"], "offset": "P5D"}
    protocol = parse_protocol(
        document(
            step("visit"),
            gate(add, timings=after("visit", target="P1D"), when=LATE),
            step("extra", on_decision=True),
            step("shot", when=LATE, timings=after("visit", target="P1D")),
            parameters=[choice()],
        )
    ).protocol
    problem = Problem(
        protocol=protocol,
        as_of=FIRST,
        calendar=Calendar(frozenset(range(1, 8))),
        anchor=Anchor(OccurrenceId("visit"), FIRST),
        decided={"gate": "more"},
    )

    found = solve(problem)

    assert isinstance(found, Schedule)
    assert found.day_of(OccurrenceId("extra")) is None
    later = solve(replace(problem, parameters={"when": "late"}))
    assert isinstance(later, Schedule)
    assert later.day_of(OccurrenceId("extra")) == date(2027, 3, 7)
