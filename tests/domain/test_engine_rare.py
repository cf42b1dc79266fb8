"""The engine where little is left to choose: what is skipped, given, postponed or too tight."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from app.domain.calendars import Calendar, Closure
from app.domain.engine import (
    PlanTooLarge,
    apply_remedy,
    bookable_days,
    find_options,
    forced,
    solve,
    waiver_role,
)
from app.domain.engine.solutions import Question, best_solution
from app.domain.facts import (
    Commitment,
    OccurrenceId,
    OtherPlan,
    OtherStep,
    Performed,
    Reported,
    Skipped,
)
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    Count,
    Nth,
    Parameter,
    ParameterType,
    PlanStart,
    Repeat,
    StepKind,
    StepReference,
    Timepoint,
)
from app.domain.rules import (
    Cluster,
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    SameDay,
    Scope,
    Severity,
    StepSelector,
    Washout,
)
from app.domain.schedules import (
    AskAnchor,
    AskCancelOther,
    AskParameter,
    AskPin,
    Conflict,
    Schedule,
)
from tests.domain.given_problems import SESSION, SESSION_DAY, after, bounds, kept, problem, step

S, C = StepSelector("session"), StepSelector("check")
CHECK = step("check", after(5, 7, 9))


def schedule(given: Problem) -> Schedule:
    """The schedule of a problem that has one."""
    found = solve(given)
    assert isinstance(found, Schedule), found
    return found


def days(given: Problem) -> dict[str, date | None]:
    """The day of each step."""
    return {str(one.id): one.day for one in schedule(given).steps}


def test_an_anchor_day_asked_of_a_plan_without_an_anchor_changes_nothing() -> None:
    given = replace(problem(CHECK), anchor=None)

    assert apply_remedy(given, AskAnchor(SESSION_DAY)) == given


def test_a_step_is_called_off_in_the_plan_that_was_named_alone() -> None:
    shot = OtherStep("shot", SESSION_DAY)
    given = problem(other_plans=(OtherPlan("hip", (shot,)), OtherPlan("knee", (shot,))))

    found = apply_remedy(given, AskCancelOther("knee", "shot"))

    assert {plan.id: plan.steps for plan in found.other_plans} == {"hip": (shot,), "knee": ()}


@pytest.mark.parametrize("asked", [date(2027, 6, 1), date(2027, 8, 20), date(2028, 3, 10)])
def test_however_far_off_a_day_is_asked_for_the_nearest_that_works_is_offered(asked: date) -> None:
    given = forced(problem(CHECK), OccurrenceId("check"), asked)

    conflict = solve(given)

    assert isinstance(conflict, Conflict)
    first, *_ = find_options(given, conflict)
    assert first.remedy == AskPin(OccurrenceId("check"), SESSION_DAY + timedelta(days=9))
    assert first.text == "check on Fri 2027-03-19"


def test_time_points_are_named_where_an_option_says_what_follows() -> None:
    points = tuple(Timepoint(f"m{n}", bounds(30 * n, 30 * n, 30 * n)) for n in (1, 3))
    closed = Closure("works", date(2027, 4, 9), date(2027, 4, 9))
    followup = step("followup", after(0, 0, 0), timepoints=points)
    given = problem(followup, calendar=Calendar(closures=(closed,)))

    conflict = solve(given)

    assert isinstance(conflict, Conflict)
    first, *_ = find_options(given, conflict)
    days = "followup m1 on Thu 2027-04-08, followup m3 on Mon 2027-06-07"
    assert first.text == f"session on Tue 2027-03-09 ({days})"


def test_an_anchor_asked_for_far_from_what_was_done_may_come_as_near_as_it_works() -> None:
    before = step("before", after(-9, -7, -5))
    given = problem(before, performed=(Performed(OccurrenceId("before"), date(2027, 2, 20)),))
    given = forced(given, SESSION, date(2027, 9, 1))

    conflict = solve(given)

    assert isinstance(conflict, Conflict)
    first, *_ = find_options(given, conflict)
    assert first.remedy == AskAnchor(date(2027, 3, 1))


def test_a_closed_day_is_set_aside_by_who_runs_the_place() -> None:
    assert waiver_role("closure:works", ()) == "manager"


def test_a_step_that_was_left_out_has_no_possible_day() -> None:
    given = problem(CHECK, skipped=(Skipped(OccurrenceId("check")),))

    assert bookable_days(given, OccurrenceId("check"), SESSION_DAY, date(2027, 4, 1)) == ()


def test_a_number_that_nobody_has_said_is_the_usual_one() -> None:
    number = Parameter("doses", "Doses", ParameterType.INTEGER, minimum=0, maximum=4)
    weekly = Repeat(Count(0, 2, 4, "doses"), bounds(6, 7, 8))
    given = problem(step("dose", after(5, 7, 9), repeat=weekly))
    given = replace(given, protocol=replace(given.protocol, parameters=(number,)))

    assert sorted(days(given)) == ["dose/1", "dose/2", "session"]


def test_a_postponed_anchor_has_no_day_though_it_has_a_timing() -> None:
    given = problem(CHECK, plan_start=date(2027, 3, 1), postponed=True)
    session = step("session", after(9, 9, 9, reference=PlanStart()))
    given = replace(given, protocol=replace(given.protocol, steps=(session, CHECK)))

    assert days(given) == {"session": None, "check": None}


def test_an_agent_washes_out_before_every_treatment_when_no_step_is_named() -> None:
    rule = Washout(id="nsaid", agent="nsaid", before=Offset.of_days(7))
    shot = step("shot", after(5, 7, 30), kind=StepKind.INJECTION)
    given = problem(
        CHECK,
        shot,
        rules=(rule,),
        reported=(Reported("pills", date(2027, 3, 14), agent="nsaid"),),
        as_of=date(2027, 3, 12),
        performed=(Performed(SESSION, SESSION_DAY),),
    )

    assert days(given) | {"session": None} == {
        "session": None,
        "check": date(2027, 3, 17),
        "shot": date(2027, 3, 21),
    }


def test_a_step_performed_too_near_to_one_of_another_plan_stands() -> None:
    kinds = frozenset({"procedure"})
    rule = MinGapOfKinds(id="r", kinds=kinds, offset=Offset.of_days(14), scope=Scope.PATIENT)
    given = problem(
        CHECK,
        rules=(rule,),
        as_of=date(2027, 3, 12),
        performed=(Performed(SESSION, SESSION_DAY),),
        other_plans=(OtherPlan("knee", (OtherStep("shot", SESSION_DAY),)),),
    )

    assert days(given) == {"session": SESSION_DAY, "check": date(2027, 3, 17)}


def test_steps_that_move_together_are_postponed_together() -> None:
    given = problem(
        CHECK,
        rules=(Cluster(id="r", steps=(S, C)),),
        kept=(kept("session", SESSION_DAY), kept("check", date(2027, 3, 17), Commitment.BOOKED)),
        postponed=True,
    )

    assert days(given) == {"session": None, "check": None}


def test_steps_that_are_on_one_day_as_wished_are_not_flagged() -> None:
    rule = SameDay(id="r", steps=(S, C), severity=Severity.REVIEW)

    assert schedule(problem(step("check", after(0, 0, 3)), rules=(rule,))).breaches == ()


def test_a_number_that_two_steps_share_is_offered_once() -> None:
    number = Parameter("doses", "Doses", ParameterType.INTEGER, 3, 1, 4)
    weekly = Repeat(Count(1, 3, 4, "doses"), bounds(7, 7, 7))
    given = problem(
        step("first", after(7, 7, 7), repeat=weekly),
        step("second", after(7, 7, 7, reference=StepReference("first", Nth.LAST)), repeat=weekly),
        rules=(MaxGap(id="r", begin=S, end=StepSelector("second"), offset=Offset.of_days(20)),),
    )
    given = replace(given, protocol=replace(given.protocol, parameters=(number,)))
    conflict = solve(given)
    assert isinstance(conflict, Conflict)

    remedies = [option.remedy for option in find_options(given, conflict)]

    assert remedies.count(AskParameter("doses", 1)) == 1


def test_an_order_that_leaves_others_no_room_is_given_up_for_the_other() -> None:
    visits = frozenset({"visit"})
    given = problem(
        step("long", after(2, 2, 12)),
        step("short", after(1, 6, 7)),
        step("one", after(4, 5, 7)),
        step("two", after(4, 5, 7)),
        rules=(
            MinGapOfKinds(id="two", kinds=visits, offset=Offset.of_days(2)),
            MinGapBetween(
                id="three",
                one=StepSelector("long"),
                other=StepSelector("short"),
                offset=Offset.of_days(3),
            ),
        ),
    )

    assert days(given) == {
        "session": SESSION_DAY,
        "short": date(2027, 3, 13),
        "one": date(2027, 3, 15),
        "two": date(2027, 3, 17),
        "long": date(2027, 3, 19),
    }


def test_more_days_to_choose_from_than_the_engine_compares_are_refused() -> None:
    names = [f"visit_{n}" for n in range(170)]
    given = problem(
        *(step(name, after(1, 5, 380)) for name in names),
        rules=tuple(
            MinGap(
                id=name,
                begin=StepSelector(names[0]),
                end=StepSelector(name),
                offset=Offset.of_days(9),
            )
            for name in names[1:]
        ),
    )

    with pytest.raises(PlanTooLarge, match="too many to compare"):
        solve(given)


def test_a_network_whose_open_pairs_fit_in_no_order_has_no_solution() -> None:
    apart = MinGapBetween(id="apart", one=S, other=C, offset=Offset(days=14))
    question = Question(problem(CHECK, rules=(apart,)))

    assert [best_solution(compilation) for compilation in question.networks()] == [None]
