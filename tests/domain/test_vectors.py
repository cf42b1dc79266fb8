"""Every vector passes: dates, windows, choices, moves, breaches, days, conflicts, options."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.domain.calendars import local_date, to_utc
from app.domain.engine import bookable_days, find_options, solve
from app.domain.facts import OccurrenceId
from app.domain.offsets import MonthEnd, Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, PlanStart, Protocol, Step, StepKind, Timing, Unit
from app.domain.schedules import AskAnchor, AskWaiver, Conflict, Schedule, Window
from app.domain.states import window_state
from tests.domain.given_vectors import Given, calendar_of, instant, problem_of, vectors

MAX_WIDENING_DAYS = 14  # an engine offers at least what widens by no more
ARITHMETIC = vectors("arithmetic")
CASES = [*vectors("engine"), *vectors("scenarios")]


def _id(case: Given) -> str:
    return str(case["id"])


def _arithmetic(*operations: str) -> list[Given]:
    return [case for case in ARITHMETIC if case["given"]["op"] in operations]


def _expecting(*names: str) -> list[Given]:
    return [case for case in CASES if any(name in case["expect"] for name in names)]


def _schedule(case: Given) -> Schedule:
    found = solve(problem_of(case["given"]))
    assert isinstance(found, Schedule), found
    return found


# -- dates and clocks


def _month_end(given: Given) -> MonthEnd:
    return MonthEnd(given.get("month_end", "clamp"))


@pytest.mark.parametrize("case", _arithmetic("add"), ids=_id)
def test_offsets_are_added_one_after_the_other(case: Given) -> None:
    day = date.fromisoformat(case["given"]["date"])

    for offset in case["given"]["offsets"]:
        day = Offset.parse(offset).from_day(day, _month_end(case["given"]))

    assert day.isoformat() == case["expect"]


@pytest.mark.parametrize("case", _arithmetic("timepoints"), ids=_id)
def test_timepoints_count_from_the_same_day(case: Given) -> None:
    day, month_end = date.fromisoformat(case["given"]["date"]), _month_end(case["given"])

    days = [Offset.parse(text).from_day(day, month_end) for text in case["given"]["offsets"]]

    assert [day.isoformat() for day in days] == case["expect"]


@pytest.mark.parametrize("case", _arithmetic("working_days"), ids=_id)
def test_open_days_of_the_location_are_counted(case: Given) -> None:
    given = case["given"]
    offset = Offset.of_days(given["days"])
    bounds = Bounds(offset, offset, offset, Unit.WORKING_DAYS)
    step = Step(
        "call", StepKind.CALL, "Call", 1, timings=(Timing(PlanStart(), bounds),), any_day=True
    )
    problem = Problem(
        Protocol((step,)),
        as_of=date(2026, 1, 1),
        calendar=calendar_of(given["calendar"]),
        plan_start=date.fromisoformat(given["date"]),
    )

    found = solve(problem)

    assert isinstance(found, Schedule)
    assert str(found.day_of(OccurrenceId("call"))) == case["expect"]


@pytest.mark.parametrize("case", _arithmetic("local_date"), ids=_id)
def test_an_instant_is_a_local_day(case: Given) -> None:
    zone = ZoneInfo(case["given"]["time_zone"])

    day = local_date(instant(case["given"]["instant"]), zone)

    assert day.isoformat() == case["expect"]


@pytest.mark.parametrize("case", _arithmetic("to_utc", "add_wall_clock"), ids=_id)
def test_clock_times_stay_over_a_change_of_the_clocks(case: Given) -> None:
    local = datetime.fromisoformat(case["given"]["local"])
    offset = Offset.parse(case["given"].get("offset", "P0D"))
    day = offset.from_day(local.date(), MonthEnd.CLAMP)

    found = to_utc(datetime.combine(day, local.time()), ZoneInfo(case["given"]["time_zone"]))

    assert found == instant(case["expect"])


@pytest.mark.parametrize("case", _arithmetic("window_state"), ids=_id)
def test_the_state_follows_the_local_day(case: Given) -> None:
    given = case["given"]
    window = Window(*(date.fromisoformat(given["window"][end]) for end in given["window"]))
    today = local_date(instant(given["now"]), ZoneInfo(given["time_zone"]))
    performed_on = date.fromisoformat(given["performed"]) if "performed" in given else None

    state = window_state(window, today, performed_on)

    assert state == case["expect"]


# -- the engine


@pytest.mark.parametrize("case", _expecting("dates"), ids=_id)
def test_dates_are_the_vectors(case: Given) -> None:
    found = _schedule(case)

    dates = {str(step.id): step.day and step.day.isoformat() for step in found.steps}
    assert dates == case["expect"]["dates"]


@pytest.mark.parametrize("case", _expecting("windows"), ids=_id)
def test_windows_are_the_vectors(case: Given) -> None:
    found = _schedule(case)

    windows = {
        str(step.id): {
            "earliest": step.window.earliest and step.window.earliest.isoformat(),
            "target": step.window.target.isoformat(),
            "latest": step.window.latest and step.window.latest.isoformat(),
        }
        for step in found.steps
        if step.window is not None
    }
    assert windows == case["expect"]["windows"]


@pytest.mark.parametrize("case", _expecting("ends"), ids=_id)
def test_ends_of_spans_are_the_vectors(case: Given) -> None:
    found = _schedule(case)

    ends = {str(step.id): step.end.isoformat() for step in found.steps if step.end is not None}
    assert ends == case["expect"]["ends"]


@pytest.mark.parametrize("case", _expecting("chosen"), ids=_id)
def test_chosen_alternatives_are_the_vectors(case: Given) -> None:
    found = _schedule(case)

    assert dict(found.chosen) == case["expect"]["chosen"]


@pytest.mark.parametrize("case", _expecting("moves"), ids=_id)
def test_moves_of_kept_days_are_the_vectors(case: Given) -> None:
    found = _schedule(case)

    moves = {str(move.id): (move.old.isoformat(), str(move.new)) for move in found.moves}
    assert moves == {move["step"]: (move["from"], move["to"]) for move in case["expect"]["moves"]}


@pytest.mark.parametrize("case", _expecting("breaches"), ids=_id)
def test_breaches_are_the_vectors(case: Given) -> None:
    found = _schedule(case)

    assert sorted(breach.rule for breach in found.breaches) == sorted(case["expect"]["breaches"])


@pytest.mark.parametrize("case", _expecting("bookable"), ids=_id)
def test_bookable_days_are_the_vectors(case: Given) -> None:
    problem = problem_of(case["given"])

    for occurrence, asked in case["expect"]["bookable"].items():
        first, last = date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])
        days = bookable_days(problem, OccurrenceId.parse(occurrence), first, last)
        assert [found.day.isoformat() for found in days] == asked["days"]


@pytest.mark.parametrize("case", _expecting("conflict"), ids=_id)
def test_the_conflict_is_one_of_the_vectors(case: Given) -> None:
    found = solve(problem_of(case["given"]))

    assert isinstance(found, Conflict)
    named = {element.id for element in found.elements}
    assert named in [set(elements) for elements in case["expect"]["conflict"]]
    assert all(element.text for element in found.elements)


@pytest.mark.parametrize("case", _expecting("options"), ids=_id)
def test_the_vectors_options_are_offered(case: Given) -> None:
    problem = problem_of(case["given"])
    conflict = solve(problem)
    assert isinstance(conflict, Conflict)

    offered: set[tuple[str, int | str | None]] = set()
    for option in find_options(problem, conflict):
        match option.remedy:
            case AskWaiver(element, days):
                offered.add((element, days))
            case AskAnchor(day):
                offered.add(("anchor", day.isoformat()))
            case _:
                pass

    wanted = {
        ("anchor", option["anchor"]) if "anchor" in option else (option["widen"], option["days"])
        for option in case["expect"]["options"]
        if option.get("days", 0) <= MAX_WIDENING_DAYS
    }
    assert wanted <= offered
