"""Why a step has its day, or none: every date carries its reasons; and how much is too much."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.calendars import Absence, Calendar, Closure
from app.domain.engine import PlanTooLarge, solve
from app.domain.facts import (
    Anchor,
    InvalidRequest,
    Missed,
    OccurrenceId,
    Performed,
    Pinned,
    Skipped,
)
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    Alternatives,
    BirthDate,
    Choice,
    Count,
    Effect,
    Follows,
    OutsideEvent,
    Parameter,
    ParameterType,
    Point,
    Repeat,
    StepKind,
    StepReference,
    Timing,
)
from app.domain.schedules import Conflict, Placed, Schedule
from tests.domain.given_problems import SESSION, SESSION_DAY, after, bounds, kept, problem, step

CHECK = step("check", after(5, 7, 9))


def placed(given: Problem) -> dict[str, Placed]:
    """The steps of the schedule."""
    found = solve(given)
    assert isinstance(found, Schedule), found
    return {str(one.id): one for one in found.steps}


def why(given: Problem, occurrence: str) -> str:
    """The first reason of a step, in words."""
    return placed(given)[occurrence].reasons[0].text


def test_what_hangs_on_a_postponed_anchor_has_no_day_and_says_so() -> None:
    given = problem(CHECK, postponed=True)

    assert why(given, "session") == "no day yet: it is postponed without a date"
    assert why(given, "check") == "no day yet: session has no day yet"
    assert all(one.day is None for one in placed(given).values())


@pytest.mark.parametrize("today", [date(2027, 3, 17), date(2027, 3, 18)])
def test_what_was_missed_is_placed_later_and_says_so(today: date) -> None:
    given = problem(
        CHECK,
        as_of=today,
        performed=(Performed(SESSION, SESSION_DAY),),
        missed=(Missed(OccurrenceId("check"), date(2027, 3, 17)),),
    )

    found = placed(given)["check"]

    assert found.day == date(2027, 3, 18)
    assert [reason.code for reason in found.reasons] == ["target", "missed", "nearest"]
    assert found.reasons[1].text == "it was missed on Wed 2027-03-17"


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_of_overlapping_days_away_and_closed_the_first_are_named_whatever_their_ids(
    ids: tuple[str, str],
) -> None:
    spans = zip(ids, (date(2027, 3, 16), date(2027, 3, 17)), strict=True)
    away = tuple(Absence(id_, first, date(2027, 3, 17)) for id_, first in spans)
    closed = tuple(Closure(one.id, one.first, one.last, title=str(one.first)) for one in away)

    absent = placed(problem(CHECK, absences=away))["check"].reasons
    shut = placed(problem(CHECK, calendar=Calendar(closures=closed)))["check"].reasons

    assert absent[1].text == "the patient is away from 2027-03-16 to 2027-03-17"
    assert shut[1].text == "the location is closed on Wed 2027-03-17 (2027-03-16)"


def test_what_hangs_on_a_step_left_out_has_no_day_and_says_so() -> None:
    later = step("later", after(1, 2, 3, reference=StepReference("check")))
    given = problem(CHECK, later, skipped=(Skipped(OccurrenceId("check")),))

    assert why(given, "later") == "no day yet: check is skipped"


def test_what_counts_from_a_day_nobody_knows_has_none() -> None:
    given = problem(
        step("of_age", after(1, 2, 3, reference=BirthDate())),
        step("cast_off", after(1, 2, 3, reference=OutsideEvent("ankle_fracture"))),
    )

    assert why(given, "of_age") == "no day yet: the birth date is not known yet"
    assert why(given, "cast_off") == "no day yet: the day of ankle fracture is not known yet"


def test_a_step_put_off_by_a_decision_counts_from_the_later_day() -> None:
    check = placed(problem(CHECK, shifts={"check": 3}))["check"]

    assert (check.day, check.deviation_days) == (date(2027, 3, 20), 0)
    assert check.reasons[0].text == "7 days after session on Wed 2027-03-10, put off by 3 days"


def test_what_counts_from_the_end_of_a_span_names_the_day_of_that_end() -> None:
    boot = step("boot", after(0, 0, 0), kind=StepKind.REHAB, span=Offset(days=14))
    end = StepReference("boot", point=Point.END)
    given = problem(
        boot,
        step("scan", after(1, 1, 1, reference=end)),
        step("out", after(0, 0, 0, reference=end)),
    )

    assert why(given, "scan") == "1 day after the end of boot on Wed 2027-03-24"
    assert why(given, "out") == "the same day as the end of boot on Wed 2027-03-24"


def test_what_counts_from_the_end_that_was_planned_first_says_so() -> None:
    boot = step("boot", after(0, 0, 0), kind=StepKind.REHAB, span=Offset(days=14))
    planned_end = Timing(StepReference("boot", point=Point.END), bounds(1, 1, 1), Follows.PLANNED)
    given = problem(
        boot, step("scan", (planned_end,)), baseline={OccurrenceId("boot"): date(2027, 3, 11)}
    )

    assert why(given, "scan") == "1 day after the first planned end of boot on Thu 2027-03-25"


def test_a_conflict_says_that_a_step_counts_from_the_end_of_a_span() -> None:
    boot = step("boot", after(0, 0, 0), kind=StepKind.REHAB, span=Offset(days=14))
    scan = step("scan", after(1, 1, 1, reference=StepReference("boot", point=Point.END)))
    pinned = (Pinned(OccurrenceId("scan"), date(2027, 3, 24)),)

    found = solve(problem(boot, scan, pinned=pinned))

    assert isinstance(found, Conflict)
    assert "scan is at least 1 day after the end of boot" in {e.text for e in found.elements}


def test_an_anchor_asked_for_as_early_as_possible_says_so_until_its_day_is_given_out() -> None:
    given = problem(CHECK, anchor=Anchor(SESSION, earliest_from=SESSION_DAY))
    promised = replace(given, kept=(kept("session", date(2027, 3, 12)),))

    assert why(given, "session") == "the first day from Wed 2027-03-10 on which everything fits"
    assert why(promised, "session") == "Fri 2027-03-12 was given out before and still works"


def test_what_an_open_decision_may_call_off_is_tentative_and_so_is_what_hangs_on_it() -> None:
    choices = (
        Choice("yes", "Yes", (Effect("keep", ("check",)),)),
        Choice("no", "No", (Effect("cancel", ("check",)),)),
    )
    decision = step("decision", after(1, 2, 3), kind=StepKind.DECISION, choices=choices)
    later = step("later", after(1, 2, 3, reference=StepReference("check")))
    given = problem(decision, CHECK, later)

    open_ = placed(given)
    taken = placed(replace(given, decided={"decision": "yes"}))

    assert [key for key, one in open_.items() if one.tentative] == ["check", "later"]
    assert not any(one.tentative for one in taken.values())


def test_more_steps_than_200_are_refused() -> None:
    with pytest.raises(PlanTooLarge, match="at most 200 steps"):
        solve(problem(*(step(f"s{n}", after(1, 2, 3)) for n in range(200))))


def test_more_occurrences_than_500_are_refused() -> None:
    daily = Repeat(Count(500, 500, 500), bounds(1, 1, 1))

    with pytest.raises(PlanTooLarge, match="at most 500 occurrences"):
        solve(problem(step("dose", after(1, 2, 3), repeat=daily)))


def test_more_combinations_of_alternatives_than_512_are_refused() -> None:
    session = StepReference("session")
    either = Alternatives(
        tuple((key, Timing(session, bounds(n, n, n))) for n, key in enumerate(("one", "two"), 1))
    )

    with pytest.raises(PlanTooLarge, match="more than 512 combinations"):
        solve(problem(*(step(f"s{n}", alternatives=either) for n in range(10))))


def test_what_an_open_decision_may_set_makes_the_alternatives_it_names_tentative() -> None:
    session = StepReference("session")
    early, late = (Timing(session, bounds(n, n, n)) for n in (20, 30))
    either = Alternatives((("early", early), ("late", late)), "when")
    sets = Choice("late", "Late", (Effect("set", parameter="when", value="late"),))
    when = Parameter("when", "When", ParameterType.CHOICE, "early", options=("early", "late"))
    given = problem(
        step("decision", after(1, 2, 3), kind=StepKind.DECISION, choices=(sets,)),
        step("check", alternatives=either),
        as_of=date(2027, 3, 11),
        performed=(Performed(SESSION, SESSION_DAY),),
    )
    given = replace(given, protocol=replace(given.protocol, parameters=(when,)))

    assert [key for key, one in placed(given).items() if one.tentative] == ["check"]


def test_what_counts_from_a_number_left_out_has_no_day_and_says_so() -> None:
    dose = step("dose", after(5, 7, 9), repeat=Repeat(Count(3, 3, 3), bounds(6, 7, 8)))
    later = step("later", after(1, 2, 3, reference=StepReference("dose", 2)))
    given = problem(dose, later, skipped=(Skipped(OccurrenceId("dose", 2)),))

    assert why(given, "later") == "no day yet: dose 2 is skipped"


def test_a_day_before_the_first_to_book_says_so() -> None:
    given = problem(
        CHECK,
        as_of=date(2027, 3, 12),
        performed=(Performed(SESSION, SESSION_DAY),),
        not_before=date(2027, 3, 18),
    )

    reasons = placed(given)["check"].reasons

    assert [one.code for one in reasons] == ["target", "notice", "nearest"]
    assert reasons[1].text == ("Wed 2027-03-17 is before Thu 2027-03-18, the first day to book")


def test_a_parameter_the_protocol_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no such parameter"):
        solve(problem(CHECK, parameters={"colour": "red"}))
