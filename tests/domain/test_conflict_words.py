"""How the elements of a conflict are said to people, and which of them may be waived."""

from datetime import date

import pytest

from app.domain.calendars import Absence, Calendar, Closure
from app.domain.engine import solve, waivable_elements
from app.domain.engine.conflicts import element_texts, rule_in_words
from app.domain.engine.solutions import Question
from app.domain.facts import (
    Anchor,
    Commitment,
    OccurrenceId,
    OtherPlan,
    OtherStep,
    Pinned,
    Reported,
)
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.rules import (
    Cluster,
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Readiness,
    Rule,
    SameDay,
    Scope,
    StepSelector,
)
from app.domain.schedules import Conflict
from tests.domain.given_problems import SESSION, SESSION_DAY, after, kept, problem, step

S, C = StepSelector("session"), StepSelector("check")
CHECK = OccurrenceId("check")
WEEK, MONTH = Offset.of_days(7), Offset.of_days(30)


def texts(given: Problem) -> dict[str, str]:
    """What cannot hold together, in words."""
    found = solve(given)
    assert isinstance(found, Conflict), found
    return {element.id: element.text for element in found.elements}


RULES = [
    (MinGap(id="r", begin=S, end=C, offset=MONTH), "check is at least 30 days after session"),
    (MaxGap(id="r", begin=S, end=C, offset=WEEK), "check is at most 7 days after session"),
    (MinGapBetween(id="r", one=S, other=C, offset=MONTH), "session and check are at least 30 days"),
    (
        MinGapOfKinds(id="r", kinds=frozenset({"visit", "procedure"}), offset=MONTH),
        "procedures and visits are at least 30 days apart",
    ),
    (OrderRule(id="r", before=C, after=S), "check is not after session"),
    (SameDay(id="r", steps=(S, C)), "session and check are on one day"),
]


@pytest.mark.parametrize("rule, text", RULES, ids=[type(rule).__name__ for rule, _ in RULES])
def test_a_rule_is_said_as_one_sentence(rule: Rule, text: str) -> None:
    found = texts(problem(step("check", after(10, 14, 18)), rules=(rule,)))

    assert found["rule:r"].startswith(text)
    assert found["rule:r"].endswith("(rule r)")


def test_spans_that_would_overlap_are_said() -> None:
    long = step("long_rest", after(0, 0, 0), span=MONTH, any_day=True)
    short = step("short", after(3, 5, 9), span=WEEK, any_day=True)
    rule = NoOverlap(id="r", steps=(StepSelector("long_rest"), StepSelector("short")))

    assert texts(problem(long, short, rules=(rule,)))["rule:r"] == (
        "long rest and short do not overlap (rule r)"
    )


def test_steps_that_must_move_together_are_said() -> None:
    given = problem(
        step("check", after(10, 14, 18)),
        rules=(Cluster(id="r", steps=(S, C)),),
        kept=(kept("session", SESSION_DAY), kept("check", date(2027, 3, 24), Commitment.BOOKED)),
        pinned=(Pinned(CHECK, date(2027, 3, 25)),),
    )

    assert texts(given)["rule:r"] == "session and check move together (rule r)"


def test_what_closes_a_day_is_said_with_its_dates() -> None:
    away = Absence("trip", date(2027, 3, 16), date(2027, 3, 17))
    nurse = Absence("nurse", date(2027, 3, 18), date(2027, 3, 18), frozenset({"check"}))
    works = Closure("works", date(2027, 3, 19), date(2027, 3, 19), "Painting")
    given = problem(
        step("check", after(5, 7, 9)),
        calendar=Calendar(frozenset(range(2, 6)), (works,)),
        absences=(away, nurse),
    )

    found = texts(given)

    assert found["unavailable:trip"] == (
        "the patient is away from Tue 2027-03-16 to Wed 2027-03-17"
    )
    assert found["unavailable:nurse"] == "someone needed is away on Thu 2027-03-18"
    assert found["closure:works"] == "the location is closed on Fri 2027-03-19 (Painting)"
    assert found["weekdays"] == "the location is closed on Mondays, Saturdays, Sundays"


def test_the_notice_that_a_location_needs_is_said() -> None:
    given = problem(not_before=date(2027, 3, 11))

    assert texts(given)["as_of"] == (
        "today is Mon 2027-03-01 and the first day to book is Thu 2027-03-11"
    )


def test_a_range_of_days_asked_for_and_another_plans_day_are_said() -> None:
    rule = MinGapOfKinds(id="r", kinds=frozenset({"procedure"}), offset=MONTH, scope=Scope.PATIENT)
    given = problem(
        rules=(rule,),
        anchor=Anchor(SESSION, earliest_from=SESSION_DAY, until=date(2027, 3, 12)),
        other_plans=(OtherPlan("knee", (OtherStep("knee_shot", date(2027, 3, 20)),)),),
    )

    found = texts(given)

    assert found["anchor:session"] == (
        "session is asked for from Wed 2027-03-10 until Fri 2027-03-12"
    )
    assert found["other:knee/knee_shot"] == "knee shot of another plan is on Sat 2027-03-20"


def test_timings_rules_and_closed_days_may_be_waived_but_never_what_was_asked() -> None:
    given = problem(
        step("check", after(5, 7, None)),
        rules=(SameDay(id="r", steps=(S, C)), Readiness(id="fit", findings=frozenset({"fever"}))),
        calendar=Calendar(closures=(Closure("works", SESSION_DAY, SESSION_DAY),)),
    )

    assert waivable_elements(given) == {"timing:check.earliest", "rule:r", "closure:works"}


def test_a_finding_to_be_cleared_is_said() -> None:
    rule = Readiness(id="fit", findings=frozenset({"fever", "cold"}))

    assert rule_in_words(rule) == "needs clearance after cold, fever (rule fit)"


def test_a_day_asked_for_something_that_is_not_planned_is_said_by_its_name() -> None:
    given = problem(
        pinned=(Pinned(OccurrenceId("check", 3), SESSION_DAY),),
        reported=(Reported("fever", SESSION_DAY, finding="fever"),),
    )

    found = element_texts(Question(given))

    assert found["pin:check/3"] == "check/3 is asked for on Wed 2027-03-10"
    assert "event:fever" not in found


def test_a_step_of_another_plan_is_told_by_its_name_and_day_not_by_its_number() -> None:
    gap = MinGapOfKinds(id="gap", kinds=frozenset({"procedure"}), offset=MONTH, scope=Scope.PATIENT)
    other = OtherPlan("other", (OtherStep("steroid_shot/2", SESSION_DAY),))
    found = texts(problem(rules=(gap,), other_plans=(other,)))

    assert found["other:other/steroid_shot/2"] == (
        f"steroid shot of another plan is on {SESSION_DAY:%a} {SESSION_DAY}"
    )
