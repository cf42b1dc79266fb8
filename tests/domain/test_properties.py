"""The engine against an independent brute force, on thousands of small plans."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.domain.calendars import Closure
from app.domain.engine import apply_remedy, bookable_days, find_options, solve, why_not
from app.domain.facts import Anchor, Commitment, Kept, OccurrenceId, Pinned
from app.domain.problem import Problem
from app.domain.schedules import AskWaiver, Conflict, Schedule
from tests.domain.brute import (
    days_by_trial,
    every_conflict,
    holds_together,
    solve_by_trial,
)
from tests.domain.strategies import (
    changed_vectors,
    crowded_problems,
    problems_beside_others,
    shuffled,
    small_problems,
)

_EXAMPLES = settings.default.max_examples if settings.default else 60
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
few = settings(max_examples=_EXAMPLES, suppress_health_check=_SLOW)
many = settings(max_examples=2 * _EXAMPLES, suppress_health_check=_SLOW)


def _elements(conflict: Conflict) -> frozenset[str]:
    return frozenset(element.id for element in conflict.elements)


def _days(schedule: Schedule) -> dict[OccurrenceId, date | None]:
    return {step.id: step.day for step in schedule.steps}


def _assert_best(problem: Problem) -> None:
    """Feasibility, days, windows, ends, choices, moves and deviations are those found by trial."""
    expected = solve_by_trial(problem)

    found = solve(problem)

    match found:
        case Conflict():
            assert expected is None
        case Schedule():
            assert expected is not None
            assert list(_days(found).items()) == list(expected.days.items())
            shown = {step.id: step for step in found.steps}
            for occurrence, window in expected.windows.items():
                placed = shown[occurrence].window
                assert placed is not None
                assert (placed.earliest, placed.target, placed.latest) == window
            for occurrence, deviation in expected.deviations.items():
                assert shown[occurrence].deviation_days == deviation
            assert {step.id: step.end for step in found.steps if step.end} == expected.ends
            assert expected.chosen.items() <= dict(found.chosen).items()
            assert {move.id: (move.old, move.new) for move in found.moves} == expected.moves


# -- feasibility and optimum


@given(small_problems())
@many
def test_no_better_schedule_exists(problem: Problem) -> None:
    _assert_best(problem)


@given(crowded_problems())
@many
def test_no_better_schedule_exists_where_steps_could_change_places(problem: Problem) -> None:
    _assert_best(problem)


@given(problems_beside_others())
@many
def test_no_better_schedule_exists_beside_another_plan(problem: Problem) -> None:
    _assert_best(problem)


@given(changed_vectors())
@few
def test_no_better_schedule_exists_for_whole_protocols(problem: Problem) -> None:
    _assert_best(problem)


@given(small_problems())
@few
def test_every_date_has_a_reason(problem: Problem) -> None:
    found = solve(problem)

    if isinstance(found, Schedule):
        assert all(step.reasons for step in found.steps)
        assert all(reason.text for step in found.steps for reason in step.reasons)
        assert all(move.reasons for move in found.moves)


@given(small_problems())
@few
def test_what_is_performed_never_moves(problem: Problem) -> None:
    found = solve(problem)

    if isinstance(found, Schedule):
        shown = {step.id: step for step in found.steps}
        for fact in problem.performed:
            if fact.occurrence in shown:
                assert shown[fact.occurrence].day == fact.on
                assert shown[fact.occurrence].performed


@given(small_problems())
@few
def test_solving_again_without_news_moves_nothing(problem: Problem) -> None:
    before = solve(problem)
    assume(isinstance(before, Schedule))
    assert isinstance(before, Schedule)
    by_hand = {(kept.occurrence, kept.day) for kept in problem.kept if kept.by_hand}
    kept = tuple(
        Kept(step.id, step.day, Commitment.ACTIVE, by_hand=(step.id, step.day) in by_hand)
        for step in before.steps
        if step.day is not None and not step.performed
    )

    again = solve(replace(problem, kept=kept))

    assert isinstance(again, Schedule)
    assert _days(again) == _days(before)
    assert again.moves == ()


@given(small_problems(), st.randoms(use_true_random=False))
@few
def test_the_order_of_input_does_not_matter(problem: Problem, random: Random) -> None:
    assert solve(shuffled(problem, random)) == solve(problem)


@given(small_problems(working=False), st.integers(0, 45), st.integers(0, 6))
@few
def test_a_closed_day_never_makes_the_impossible_possible(
    problem: Problem, after: int, length: int
) -> None:
    assume(isinstance(solve(problem), Conflict))
    first = problem.as_of + timedelta(days=after)
    closure = Closure("one-more", first, first + timedelta(days=length))
    closures = (*problem.calendar.closures, closure)

    found = solve(replace(problem, calendar=replace(problem.calendar, closures=closures)))

    assert isinstance(found, Conflict)


# -- conflicts and options


@given(small_problems() | problems_beside_others())
@many
def test_every_element_of_a_conflict_is_needed(problem: Problem) -> None:
    found = solve(problem)

    if isinstance(found, Conflict):
        elements = _elements(found)
        assert elements
        assert not holds_together(problem, elements)
        for element in elements:
            assert holds_together(problem, elements - {element}), element


@given(small_problems() | problems_beside_others())
@many
def test_every_offered_option_works(problem: Problem) -> None:
    conflict = solve(problem)
    assume(isinstance(conflict, Conflict))
    assert isinstance(conflict, Conflict)

    options = find_options(problem, conflict)

    for option in options:
        changed = apply_remedy(problem, option.remedy)
        assert holds_together(changed, _elements(conflict))
        assert changed.performed == problem.performed
        found = solve(changed)
        if option.schedule is None:
            assert isinstance(found, Conflict)
            assert _elements(found) != _elements(conflict)
        else:
            assert found == option.schedule
            assert solve_by_trial(changed) is not None


@given(small_problems())
@few
def test_a_waiver_widens_by_the_fewest_days(problem: Problem) -> None:
    conflict = solve(problem)
    assume(isinstance(conflict, Conflict))
    assert isinstance(conflict, Conflict)

    options = find_options(problem, conflict)

    for option in options:
        if isinstance(option.remedy, AskWaiver) and option.remedy.days is not None:
            days = option.remedy.days
            assert 0 < days <= problem.protocol.max_widening_days
            if days > 1:
                fewer = apply_remedy(problem, replace(option.remedy, days=days - 1))
                assert solve_by_trial(fewer) is None


# -- days of one step


@given(small_problems() | crowded_problems(), st.data())
@many
def test_bookable_days_are_those_found_by_trial(problem: Problem, data: st.DataObject) -> None:
    occurrence = data.draw(st.sampled_from(_undone(problem)))
    first = problem.as_of - timedelta(days=3)
    last = first + timedelta(days=59)

    found = bookable_days(problem, occurrence, first, last)

    assert tuple(day.day for day in found) == days_by_trial(problem, occurrence, first, last)


@given(small_problems(), st.data())
@few
def test_why_not_is_a_schedule_exactly_for_bookable_days(
    problem: Problem, data: st.DataObject
) -> None:
    occurrence = data.draw(st.sampled_from(_undone(problem)))
    day = problem.as_of + timedelta(days=data.draw(st.integers(-3, 45)))

    found = why_not(problem, occurrence, day)

    match found:
        case Schedule():
            assert found.day_of(occurrence) == day
            # Asked for the past day on which a step is held, it is told why it has that day.
            given_out = {(kept.occurrence, kept.day) for kept in problem.kept}
            is_held = day < problem.as_of and (occurrence, day) in given_out
            assert is_held or days_by_trial(problem, occurrence, day, day) == (day,)
        case Conflict():
            assert days_by_trial(problem, occurrence, day, day) == ()
            assert _elements(found) in every_conflict(_forced(problem, occurrence, day))


def _undone(problem: Problem) -> list[OccurrenceId]:
    """Occurrences that are not performed, with a day or without."""
    done = {fact.occurrence for fact in problem.performed}
    expected = solve_by_trial(problem)
    assume(expected is not None)
    assert expected is not None
    found = [occurrence for occurrence in expected.days if occurrence not in done]
    assume(found)
    return found


def _forced(problem: Problem, occurrence: OccurrenceId, day: date) -> Problem:
    """The problem in which a person asks for this day."""
    pinned = tuple(pin for pin in problem.pinned if pin.occurrence != occurrence)
    if problem.anchor is not None and problem.anchor.occurrence == occurrence:
        return replace(problem, anchor=Anchor(occurrence, day), pinned=pinned)
    return replace(problem, pinned=(*pinned, Pinned(occurrence, day)))
