"""The engine on single, named situations; each was once answered wrongly or could easily be."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.calendars import Absence, Calendar
from app.domain.engine import (
    RangeTooLong,
    apply_remedy,
    bookable_days,
    find_options,
    solve,
    why_not,
)
from app.domain.facts import (
    Anchor,
    Commitment,
    OccurrenceId,
    OtherPlan,
    OtherStep,
    Performed,
    Pinned,
    Reported,
    Waiver,
)
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Count, Repeat, StepReference
from app.domain.rules import (
    Cluster,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Readiness,
    SameDay,
    Scope,
    Severity,
    StepSelector,
    Washout,
)
from app.domain.schedules import (
    AskAnchor,
    AskCancelOther,
    AskSkip,
    AskUnpin,
    AskWaiver,
    Conflict,
    Schedule,
)
from tests.domain.given_problems import SESSION, SESSION_DAY, after, bounds, kept, problem, step


def _schedule(given: Problem) -> Schedule:
    found = solve(given)
    assert isinstance(found, Schedule), found
    return found


def _conflict(given: Problem) -> Conflict:
    found = solve(given)
    assert isinstance(found, Conflict), found
    return found


def _days(given: Problem) -> dict[str, str]:
    return {str(placed.id): str(placed.day) for placed in _schedule(given).steps}


def _elements(conflict: Conflict) -> list[str]:
    return [element.id for element in conflict.elements]


# -- rules


SIX_DAYS_APART = [
    MinGapBetween(
        id="gap",
        one=StepSelector("session"),
        other=StepSelector("check"),
        offset=Offset.of_days(6),
    ),
    MinGapOfKinds(id="gap", kinds=frozenset({"procedure", "visit"}), offset=Offset.of_days(6)),
]


@pytest.mark.parametrize("rule", SIX_DAYS_APART, ids=["between", "of-kinds"])
def test_a_gap_in_either_order_also_holds_beside_a_step_with_one_day(
    rule: MinGapBetween | MinGapOfKinds,
) -> None:
    check = step("check", after(1, 4, 10))

    days = _days(problem(check, rules=(rule,)))

    assert days["check"] == "2027-03-16"


def test_occurrences_of_one_repeated_span_do_not_overlap_either() -> None:
    block = step(
        "block",
        after(0, 0, 30),
        repeat=Repeat(Count(2, 2, 2), bounds(1, 3, 20)),
        span=Offset.of_days(6),
        any_day=True,
    )
    rule = NoOverlap(id="apart", steps=(StepSelector("block"),))

    days = _days(problem(block, rules=(rule,)))

    assert days["block/1"] == "2027-03-10"
    assert days["block/2"] == "2027-03-17"


def test_steps_of_a_cluster_can_only_be_booked_where_the_others_can_follow() -> None:
    given = problem(
        step("visit", after(5, 7, 9)),
        step("check", after(10, 14, 17)),
        rules=(Cluster(id="block", steps=(StepSelector("visit"), StepSelector("check"))),),
        kept=(kept("visit", date(2027, 3, 18)), kept("check", date(2027, 3, 27))),
    )

    found = bookable_days(given, OccurrenceId("visit"), date(2027, 3, 1), date(2027, 4, 1))

    assert [day.day.day for day in found] == [15, 16, 17, 18]
    assert isinstance(why_not(given, OccurrenceId("visit"), date(2027, 3, 19)), Conflict)


# -- conflicts


def test_a_fact_takes_part_in_a_conflict_though_its_day_had_been_given_out() -> None:
    given = problem(
        step("check", after(0, 0, 0)),
        as_of=date(2027, 3, 17),
        performed=(Performed(SESSION, SESSION_DAY),),
        kept=(kept("session", SESSION_DAY, Commitment.DRAFT),),
    )

    conflict = _conflict(given)

    assert _elements(conflict) == ["fact:session", "timing:check.latest", "as_of"]


def test_a_conflict_names_the_day_asked_of_an_anchor_that_would_else_stay_in_the_past() -> None:
    given = problem(
        step("check", after(0, 7, 14)),
        as_of=date(2027, 3, 5),
        kept=(kept("session", date(2027, 3, 3)),),
        pinned=(Pinned(OccurrenceId("check"), date(2027, 4, 20)),),
    )

    conflict = _conflict(given)

    assert _elements(conflict) == ["pin:check", "anchor:session", "timing:check.latest"]
    asked = [option.remedy for option in find_options(given, conflict)]
    assert AskAnchor(date(2027, 4, 6)) in asked


def test_of_two_equal_rules_a_conflict_names_the_same_in_whatever_order_they_come() -> None:
    check = step("check", after(2, 3, 4))
    one, other = (
        SameDay(id=name, steps=(StepSelector("session"), StepSelector("check")))
        for name in ("day-one", "day-other")
    )

    forth = _conflict(problem(check, rules=(one, other)))
    back = _conflict(problem(check, rules=(other, one)))

    assert forth == back
    assert "rule:day-one" in _elements(forth)


# -- options


def test_leaving_a_step_out_that_takes_another_conflict_along_shows_the_schedule() -> None:
    """The skip ends both: what hangs on the step left out has no day then."""
    given = problem(
        step("torn", after(-23, -21, -20) + after(13, 14, 16), optional=True),
        step("hanging", after(-23, -21, -20, reference=StepReference("torn"))),
        as_of=date(2026, 12, 28),
        calendar=Calendar(frozenset(range(1, 6))),
        anchor=Anchor(SESSION, earliest_from=date(2026, 12, 31), until=date(2027, 1, 3)),
    )

    options = find_options(given, _conflict(given))

    skip = next(option for option in options if isinstance(option.remedy, AskSkip))
    assert skip.schedule is not None
    assert skip.schedule == solve(apply_remedy(given, skip.remedy))


def test_an_order_is_never_widened_for_that_would_put_a_step_on_the_other_side() -> None:
    given = problem(
        step("check", after(-5, -4, -3)),
        rules=(OrderRule(id="order", before=StepSelector("session"), after=StepSelector("check")),),
    )

    options = find_options(given, _conflict(given))

    asked = [option.remedy for option in options if isinstance(option.remedy, AskWaiver)]
    assert not any(waiver.element == "rule:order" for waiver in asked)


def test_a_day_that_a_person_chose_can_be_given_back() -> None:
    given = problem(
        step("check", after(5, 7, 9)),
        pinned=(Pinned(OccurrenceId("check"), date(2027, 3, 25)),),
    )

    options = find_options(given, _conflict(given))

    released = next(option for option in options if isinstance(option.remedy, AskUnpin))
    assert released.text.startswith("give back the day chosen for check")
    assert released.schedule is not None
    assert released.schedule.day_of(OccurrenceId("check")) == date(2027, 3, 17)


@pytest.mark.parametrize("performed", [False, True], ids=["planned", "performed"])
def test_a_step_of_another_plan_can_be_called_off_unless_it_was_performed(
    performed: bool,
) -> None:
    near = OtherStep("shot", date(2027, 3, 12), "injection", performed=performed)
    far = OtherStep("shot/2", date(2027, 4, 12), "injection")
    rule = MinGapOfKinds(
        id="gap",
        kinds=frozenset({"procedure", "injection"}),
        offset=Offset.of_days(14),
        scope=Scope.PATIENT,
    )
    given = problem(rules=(rule,), other_plans=(OtherPlan("knee", (near, far)),))

    options = find_options(given, _conflict(given))

    asked = [option.remedy for option in options if isinstance(option.remedy, AskCancelOther)]
    assert asked == ([] if performed else [AskCancelOther("knee", "shot")])


# -- reasons


def test_an_absence_that_was_waived_is_not_the_reason_for_another_day() -> None:
    target = date(2027, 3, 14)
    given = problem(
        step("check", after(2, 4, 6)),
        absences=(Absence("trip", target, target), Absence("work", target, target)),
        waivers=(Waiver("unavailable:trip"),),
    )

    check = _schedule(given).steps[1]

    assert [reason.rule for reason in check.reasons] == [None, "unavailable:work", None]


# -- what is flagged


def test_a_finding_that_nobody_has_cleared_is_flagged_for_what_lies_ahead() -> None:
    rule = Readiness(id="ready", findings=frozenset({"fever"}), applies_to=("check",))
    fever = Reported("f", date(2027, 2, 28), finding="fever")
    given = problem(step("check", after(5, 7, 9)), rules=(rule,), reported=(fever,))
    cleared = replace(fever, cleared_on=date(2027, 3, 1))
    later = replace(fever, on=date(2027, 3, 18))

    (breach,) = _schedule(given).breaches

    assert (breach.rule, breach.occurrences) == ("ready", (OccurrenceId("check"),))
    assert breach.text == (
        "check on Wed 2027-03-17 needs clearance: fever reported on Sun 2027-02-28"
    )
    for other in (cleared, later):
        assert _schedule(replace(given, reported=(other,))).breaches == ()


def test_a_rule_to_review_places_the_step_and_flags_it_unless_it_is_waived() -> None:
    rule = MinGapBetween(
        id="gap",
        one=StepSelector("session"),
        other=StepSelector("check"),
        offset=Offset.of_days(10),
        severity=Severity.REVIEW,
    )
    given = problem(step("check", after(5, 7, 9)), rules=(rule,))

    (breach,) = _schedule(given).breaches

    assert breach.id == "gap:session:check"
    assert _schedule(replace(given, waivers=(Waiver("rule:gap"),))).breaches == ()


def test_an_agent_given_by_another_plan_washes_out_at_the_same_side_alone() -> None:
    rule = Washout(
        id="steroid",
        agent="corticosteroid",
        before=Offset.of_days(14),
        applies_to=("check",),
        same_site=True,
    )
    shot = OtherStep("shot", date(2027, 3, 10), "injection", agent="corticosteroid")
    given = problem(
        step("check", after(5, 7, 30)), rules=(rule,), body_site="ankle", laterality="right"
    )

    days = {
        side: _days(replace(given, other_plans=(OtherPlan("o", (shot,), "ankle", side),)))["check"]
        for side in ("right", "left", "bilateral")
    }

    assert days == {"right": "2027-03-24", "left": "2027-03-17", "bilateral": "2027-03-24"}
    elsewhere = OtherPlan("o", (shot,), "knee", "right")
    assert _days(replace(given, other_plans=(elsewhere,)))["check"] == "2027-03-17"


# -- days of one step


def test_days_are_listed_for_at_most_120_days_at_once() -> None:
    with pytest.raises(RangeTooLong):
        bookable_days(problem(), SESSION, date(2027, 3, 1), date(2027, 6, 29))


def test_what_was_performed_has_no_other_day() -> None:
    given = problem(as_of=date(2027, 3, 12), performed=(Performed(SESSION, SESSION_DAY),))

    assert bookable_days(given, SESSION, date(2027, 3, 12), date(2027, 4, 1)) == ()


def test_another_day_of_the_anchor_moves_it_and_all_that_hangs_on_it() -> None:
    given = problem(step("check", after(5, 7, 9)))

    found = why_not(given, SESSION, date(2027, 3, 12))

    assert isinstance(found, Schedule)
    assert [str(placed.day) for placed in found.steps] == ["2027-03-12", "2027-03-19"]
