"""Where no schedule exists some steps are left on their days, and as few as it takes."""

from dataclasses import replace
from datetime import date

from hypothesis import HealthCheck, assume, given, settings

from app.domain.engine import apply_remedy, leaving, solve, standing_breaches
from app.domain.facts import Missed, OccurrenceId, Performed, Pinned
from app.domain.problem import Problem
from app.domain.schedules import AskToLeave, Conflict, Schedule
from tests.domain.given_problems import SESSION, SESSION_DAY, after, kept, problem, step
from tests.domain.strategies import small_problems

PRIMER = OccurrenceId("primer")
_EXAMPLES = settings.default.max_examples if settings.default else 30
# Most problems have a schedule: one that has none takes as long as ten.
few = settings(
    max_examples=_EXAMPLES // 10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@given(small_problems())
@few
def test_what_is_left_stays_on_its_day_and_all_of_it_is_needed(problem: Problem) -> None:
    assume(isinstance(solve(problem), Conflict))

    left = leaving(problem)

    names = left.problem.left
    assert names
    assert solve(left.problem) == left.schedule
    for occurrence in names:
        assert isinstance(solve(replace(problem, left=names - {occurrence})), Conflict)
    for day in problem.kept:
        if day.occurrence in names:
            assert left.schedule.day_of(day.occurrence) == day.day
    for fact in problem.performed:
        assert left.schedule.day_of(fact.occurrence) in {fact.on, None}


def too_late() -> Problem:
    """A primer that was given a week before the session, where a fortnight was wanted."""
    primer = step("primer", after(-28, -21, -14))
    days = (kept("session", SESSION_DAY), kept("primer", date(2027, 2, 17)))
    done = (Performed(PRIMER, date(2027, 3, 3)),)
    return problem(primer, kept=days, performed=done, as_of=date(2027, 3, 3))


def test_a_session_whose_primer_was_late_is_left_where_it_is_and_says_so() -> None:
    left = leaving(too_late())

    assert left.problem.left == frozenset({SESSION})
    assert left.text == "session on Wed 2027-03-10"
    session = next(placed for placed in left.schedule.steps if placed.id == SESSION)
    (reason,) = session.reasons
    assert reason.code == "left"
    assert reason.text.startswith("stays on Wed 2027-03-10, given out before, though no schedule")


def test_the_timing_that_does_not_hold_is_flagged() -> None:
    (breach,) = standing_breaches(too_late())

    assert (breach.id, breach.rule, breach.severity) == (
        "timing:primer.latest",
        "timing:primer.latest",
        "block",
    )
    assert breach.text == (
        "primer on Wed 2027-03-03 is late: its last day, counted from session, is Wed 2027-02-24"
    )


def test_a_day_too_early_is_flagged_too_but_none_between_facts() -> None:
    early = kept("check", date(2027, 3, 12))
    given_out = problem(step("check", after(7, 14, 21)), kept=(kept("session", SESSION_DAY), early))
    done = (Performed(SESSION, SESSION_DAY), Performed(early.occurrence, early.day))

    (breach,) = standing_breaches(given_out)

    assert breach.text.startswith("check on Fri 2027-03-12 is early: its first day, counted from")
    assert standing_breaches(replace(given_out, performed=done, as_of=early.day)) == ()


def test_a_missed_step_for_which_no_day_is_left_has_none() -> None:
    check = step("check", after(1, 2, 4))
    given_out = problem(
        check,
        kept=(kept("session", SESSION_DAY),),
        performed=(Performed(SESSION, SESSION_DAY),),
        missed=(Missed(OccurrenceId("check"), date(2027, 3, 12)),),
        as_of=date(2027, 3, 20),
    )

    left = leaving(given_out)

    assert left.text == "check without a day"
    (placed,) = (one for one in left.schedule.steps if one.id.step == "check")
    assert [reason.text for reason in placed.reasons] == ["no day yet: there is none that works"]


def test_of_two_steps_that_cannot_both_be_one_is_left() -> None:
    check = kept("check", date(2027, 3, 12))
    given_out = problem(
        step("check", after(7, 14, 21)),
        kept=(kept("session", SESSION_DAY), check),
        pinned=(Pinned(check.occurrence, check.day),),
    )

    left = leaving(given_out)

    assert left.text == "check on Fri 2027-03-12"
    asked = AskToLeave(left.problem.left)
    assert solve(apply_remedy(given_out, asked)) == left.schedule


def test_what_has_a_schedule_is_not_left() -> None:
    left = leaving(problem(step("check", after(1, 2, 4))))

    assert isinstance(left.schedule, Schedule)
    assert (left.problem.left, left.text) == (frozenset(), "")
