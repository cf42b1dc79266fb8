"""The engine at its edges: nothing to count, nothing alike, and days that were planned first."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from app.domain.calendars import Absence
from app.domain.engine import bookable_days, find_options, solve
from app.domain.engine.shifts import HIGHEST, LOWEST, OpenDays
from app.domain.facts import Commitment, OccurrenceId, Performed, Pinned, Reported, Waiver
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    Alternatives,
    Follows,
    PlanStart,
    StepKind,
    StepReference,
    Timing,
    Unit,
)
from app.domain.rules import MinGapBetween, MinGapOfKinds, StepSelector, Washout
from app.domain.schedules import AskWaiver, Conflict, Schedule
from tests.domain.given_problems import SESSION, SESSION_DAY, after, bounds, kept, problem, step

OPEN = [100, 103, 104]


def test_no_open_day_on_is_the_day_itself() -> None:
    assert OpenDays(0, OPEN).last_not_after(101) == 101


def test_open_days_end_where_the_calendar_ends() -> None:
    assert OpenDays(-1, OPEN).at(100) == LOWEST - 1
    assert OpenDays(2, OPEN).last_not_after(100) == LOWEST - 1
    assert OpenDays(-1, OPEN).last_not_after(104) == HIGHEST


def test_a_bound_of_open_days_is_told_as_such() -> None:
    open_days = replace(bounds(2, 2, 2), unit=Unit.WORKING_DAYS)
    check = step("check", (Timing(StepReference("session"), open_days),))
    away = Absence("holiday", date(2027, 3, 12), date(2027, 3, 12))

    found = solve(problem(check, absences=(away,)))

    assert isinstance(found, Conflict)
    assert any("2 open days after session" in element.text for element in found.elements)


def test_a_first_planned_day_stays_the_reference_of_what_follows_it() -> None:
    frozen = replace(after(7, 7, 9)[0], follows=Follows.PLANNED)
    first = {SESSION: date(2027, 3, 5)}

    found = solve(problem(step("check", (frozen,)), baseline=first))

    assert isinstance(found, Schedule)
    (check,) = [placed for placed in found.steps if placed.id.step == "check"]
    assert check.day == date(2027, 3, 12)
    assert "the first planned day of session" in check.reasons[0].text


def test_a_day_that_two_alternatives_have_is_told_once() -> None:
    options = (("early", after(5, 7, 9)[0]), ("late", after(8, 10, 12)[0]))
    check = step("check", alternatives=Alternatives(options))

    found = bookable_days(
        problem(check), OccurrenceId("check"), date(2027, 3, 10), date(2027, 3, 31)
    )

    assert [day.day.day for day in found] == [15, 16, 17, 18, 19, 20, 21, 22]


def test_visits_alike_that_fit_in_no_order_are_a_conflict() -> None:
    one, two = step("one", after(1, 2, 3)), step("two", after(1, 2, 3))
    apart = MinGapBetween(
        id="apart", one=StepSelector("one"), other=StepSelector("two"), offset=Offset.of_days(5)
    )

    assert isinstance(solve(problem(one, two, rules=(apart,))), Conflict)


def test_a_bound_on_the_day_itself_is_not_widened_to_the_other_side() -> None:
    check = OccurrenceId("check")
    asked = problem(step("check", after(0, 0, 0)), pinned=(Pinned(check, date(2027, 3, 12)),))
    found = solve(asked)
    assert isinstance(found, Conflict)
    assert "not after the day of session" in found.text

    options = find_options(asked, found)

    assert not any(isinstance(option.remedy, AskWaiver) for option in options)


@pytest.mark.parametrize("not_before, first", [(None, 7), (4, 7), (9, 9)])
def test_nothing_undone_is_placed_before_today_nor_before_what_is_asked_for(
    not_before: int | None, first: int
) -> None:
    asked = problem(
        step("check", after(-7, -5, 7)),
        as_of=date(2027, 3, 7),
        not_before=None if not_before is None else date(2027, 3, not_before),
    )

    found = solve(asked)

    assert isinstance(found, Schedule)
    days = {placed.id.step: placed.day for placed in found.steps}
    assert days == {"session": SESSION_DAY, "check": date(2027, 3, first)}


@pytest.mark.parametrize("late, most, widened", [(14, 14, 14), (15, 14, None), (15, 15, 15)])
def test_no_option_widens_an_element_by_more_than_the_protocol_allows(
    late: int, most: int, widened: int | None
) -> None:
    check = OccurrenceId("check")
    wanted = Pinned(check, SESSION_DAY + timedelta(days=2 + late))
    asked = problem(step("check", after(1, 1, 2)), pinned=(wanted,))
    asked = replace(asked, protocol=replace(asked.protocol, max_widening_days=most))
    found = solve(asked)
    assert isinstance(found, Conflict)

    options = find_options(asked, found)

    waivers = [one.remedy.days for one in options if isinstance(one.remedy, AskWaiver)]
    assert waivers == ([] if widened is None else [widened])


def test_two_targets_without_bounds_are_looked_for_near_the_first() -> None:
    timings = (*after(None, 7, None), *after(None, 20, None, PlanStart()))

    assert days_of(problem(step("check", timings), plan_start=date(2027, 3, 1))) == {
        "session": SESSION_DAY,
        "check": date(2027, 3, 17),
    }


def test_a_rule_that_facts_have_broken_is_no_reason_for_other_steps() -> None:
    apart = MinGapOfKinds(id="apart", kinds=frozenset({StepKind.VISIT}), offset=Offset.of_days(7))
    early = (step("one", after(1, 1, 9)), step("two", after(2, 2, 9)))
    done = (
        Performed(OccurrenceId("one"), date(2027, 3, 11)),
        Performed(OccurrenceId("two"), date(2027, 3, 12)),
    )
    session = Performed(SESSION, SESSION_DAY)
    check = step("check", after(5, 7, 20))
    given = problem(
        *early, check, rules=(apart,), performed=(session, *done), as_of=date(2027, 3, 13)
    )

    found = solve(given)

    assert isinstance(found, Schedule)
    placed = next(placed for placed in found.steps if placed.id.step == "check")
    assert placed.day == date(2027, 3, 19)
    assert [reason.rule for reason in placed.reasons if reason.code == "rule"] == ["rule:apart"]


def days_of(given: Problem) -> dict[str, date | None]:
    """The days of a problem's schedule."""
    found = solve(given)
    assert isinstance(found, Schedule), found
    return {str(placed.id): placed.day for placed in found.steps}


def test_an_undone_step_stays_in_the_past_until_a_fact_puts_its_window_after_it() -> None:
    check = step("check", after(5, 7, 9))
    given_out, today = kept("check", date(2027, 3, 15)), date(2027, 3, 20)

    days = []
    for done in (SESSION_DAY, date(2027, 3, 16)):
        session = Performed(SESSION, done)
        found = solve(problem(check, as_of=today, performed=(session,), kept=(given_out,)))
        assert isinstance(found, Schedule)
        days += [placed.day for placed in found.steps if placed.id.step == "check"]

    assert days == [date(2027, 3, 15), date(2027, 3, 23)]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_washout_that_is_set_aside_by_days_still_closes_the_agents_own_day(side: str) -> None:
    given = date(2027, 3, 9)
    spans: dict[str, Any] = {side: Offset(days=3)}
    rule = Washout(id="dry", agent="nsaid", applies_to=("check",), **spans)
    report = Reported("shot", given, agent="nsaid")
    asked = problem(
        step("check", after(-4, -1, 2)),
        rules=(rule,),
        reported=(report,),
        waivers=(Waiver("rule:dry", 10),),
    )

    days = bookable_days(asked, OccurrenceId("check"), date(2027, 3, 6), date(2027, 3, 12))

    found = [day.day.day for day in days]
    assert found == [6, 7, 8, 10, 11, 12]


@pytest.mark.parametrize("booked", ["one", "other"])
def test_a_booked_day_is_kept_before_one_that_is_only_planned(booked: str) -> None:
    days = {"one": date(2027, 3, 15), "other": date(2027, 3, 17)}
    apart = MinGapBetween(
        id="apart", one=StepSelector("one"), other=StepSelector("other"), offset=Offset(days=4)
    )
    given = tuple(
        kept(key, day, Commitment.BOOKED if key == booked else Commitment.ACTIVE)
        for key, day in days.items()
    )

    found = solve(
        problem(*(step(key, after(0, 5, 10)) for key in days), rules=(apart,), kept=given)
    )

    assert isinstance(found, Schedule)
    placed = {placed.id.step: placed.day for placed in found.steps}
    assert placed[booked] == days[booked]


def test_where_no_bound_is_the_search_ends_366_days_from_the_target() -> None:
    closed = Absence("journey", date(2027, 3, 15), date(2028, 3, 14))
    asked = problem(step("check", after(5, 5, None)), absences=(closed,))

    reached = solve(asked)
    beyond = solve(replace(asked, absences=(replace(closed, last=date(2028, 3, 15)),)))

    assert isinstance(reached, Schedule)
    assert {placed.day for placed in reached.steps} == {SESSION_DAY, date(2028, 3, 15)}
    assert isinstance(beyond, Conflict)
