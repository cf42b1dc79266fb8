"""Every start day of a year is tried, and failing ones are told with their reasons."""

from datetime import date
from typing import Any

import pytest

from app.domain.calendars import Calendar, Closure
from app.domain.checks import StartDays, simulate_start_days
from app.domain.checks.simulation import MOST_WORK
from app.domain.documents import parse_protocol
from app.domain.engine import solve
from app.domain.facts import Anchor, InvalidRequest, OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Conflict
from tests.domain.given_checks import exactly
from tests.domain.given_documents import Data, after, choice, document, step

MONDAY_TO_SATURDAY = Calendar(frozenset({1, 2, 3, 4, 5, 6}))
NEW_YEAR = date(2027, 1, 1)


def _visits(*days: int) -> Data:
    steps = [
        step(f"visit_{n}", timings=[{"relative_to": "plan_start", **exactly(f"P{n}D")}])
        for n in days
    ]
    return document(*steps) | {"anchor": None}


def simulated(data: Data, calendar: Calendar = MONDAY_TO_SATURDAY, **more: Any) -> StartDays:
    protocol = parse_protocol({k: v for k, v in data.items() if v is not None}).protocol
    return simulate_start_days(protocol, calendar, NEW_YEAR, **more)


def test_exact_10_and_20_day_visits_fail_on_28_percent_of_start_days() -> None:
    found = simulated(_visits(10, 20))

    assert (found.tried, found.closed, found.failing, found.percent) == (365, 0, 104, 28)
    assert found.text == (
        "28 % of start days fail: visit 10 is exactly 10 days after the start of the plan and the "
        "location is closed on Sundays (14 %); visit 20 is exactly 20 days after the start of the "
        "plan and the location is closed on Sundays (14 %)"
    )
    assert [(why.days, why.percent) for why in found.reasons] == [(52, 14), (52, 14)]
    assert found.reasons[0].first_day == date(2027, 1, 7)
    assert found.by_weekday == (
        (52, 52),
        (0, 52),
        (0, 52),
        (52, 52),
        (0, 53),
        (0, 52),
        (0, 52),
    )
    assert sum(failing for failing, _ in found.by_month) == 104
    assert sum(tried for _, tried in found.by_month) == 365


def test_every_failing_start_day_is_one_on_which_the_engine_finds_no_schedule() -> None:
    data = document(
        step("session", kind="procedure"),
        step("visit", timings=after("session", earliest="P4D", target="P5D", latest="P5D")),
    )
    closed = Closure("holiday", date(2027, 5, 3), date(2027, 5, 12))
    calendar = Calendar(frozenset({1, 3, 5}), (closed,))

    found = simulated(data, calendar)

    protocol = parse_protocol(data).protocol
    days = [date.fromordinal(NEW_YEAR.toordinal() + n) for n in range(365)]
    starts = [day for day in days if calendar.is_open(day)]
    failing = [day for day in starts if not _works(protocol, calendar, day)]
    assert (found.tried, found.closed) == (len(starts), 365 - len(starts))
    assert found.failing == len(failing)
    assert {why.first_day for why in found.reasons} <= set(failing)


def _works(protocol: Any, calendar: Calendar, day: date) -> bool:
    problem = Problem(
        protocol=protocol,
        as_of=NEW_YEAR,
        calendar=calendar,
        anchor=Anchor(OccurrenceId("session"), day),
    )
    return not isinstance(solve(problem), Conflict)


def test_where_every_start_works_that_is_said() -> None:
    found = simulated(document(step("a"), step("b", timings=after("a", target="P1W"))))

    assert found.text == "every one of 313 start days works"
    assert found.reasons == ()


def test_a_rare_failure_is_less_than_one_percent() -> None:
    closed = Closure("holiday", date(2027, 5, 3), date(2027, 5, 3))

    found = simulated(_visits(10), Calendar(closures=(closed,)))

    assert found.failing == 1
    assert found.text.startswith("less than 1 % of start days fail: ")


def test_a_repeated_anchor_starts_with_its_first_occurrence() -> None:
    repeat = {"count": 3, "spacing": exactly("P7D")}

    found = simulated(document(step("a", repeat=repeat)), Calendar(frozenset({2})))

    assert (found.tried, found.failing) == (52, 0)


def test_an_anchor_with_timepoints_starts_with_the_first_of_them() -> None:
    points = [{"key": "d1", "target": "P0D"}, {"key": "d8", **exactly("P7D")}]
    data = document(step("a", relative_to={"event": "surgery"}, timepoints=points))

    found = simulated(data, Calendar(frozenset({1, 2, 3, 4, 5})))

    assert found.tried == 365
    assert found.failing > 0


def test_an_anchor_that_needs_no_open_day_starts_on_any_day() -> None:
    found = simulated(document(step("a", any_day=True)), Calendar(frozenset({2})))

    assert found.closed == 0


def test_where_no_day_is_open_there_is_no_start() -> None:
    closed = Closure("always", date(2026, 1, 1), date(2029, 1, 1))

    found = simulated(document(step("a")), Calendar(closures=(closed,)))

    assert (found.tried, found.closed, found.percent) == (0, 365, 0)


def test_progress_is_reported_day_by_day() -> None:
    told: list[tuple[int, int]] = []

    simulated(_visits(10), on_progress=lambda done, of: told.append((done, of)))

    assert told == [(n, 365) for n in range(1, 366)]


def test_parameters_are_those_asked_for() -> None:
    options = [
        {"key": "early", "timing": {"relative_to": {"step": "a"}, **exactly("P7D")}},
        {"key": "late", "timing": {"relative_to": {"step": "a"}, **exactly("P10D")}},
    ]
    alternatives = {"choose": {"parameter": "when"}, "options": options}
    data = document(step("a"), step("b", alternatives=alternatives), parameters=[choice()])

    assert simulated(data).failing == 0
    assert simulated(data, parameters={"when": "late"}).failing > 0
    with pytest.raises(InvalidRequest):
        simulated(data, parameters={"when": "never"})


def test_of_a_large_protocol_fewer_days_are_tried_on_every_weekday() -> None:
    points = [{"key": f"t{n}", "target": f"P{n}D"} for n in range(1, 61)]
    data = document(
        step("a", any_day=True, relative_to="plan_start", timepoints=points, kind="restriction")
    )

    found = simulated(data)

    assert found.tried * 60 <= MOST_WORK
    assert found.tried == 183
    assert all(tried > 0 for _, tried in found.by_weekday)
