"""Random small problems: a few steps over a few weeks, often in the middle of a patient's life.

A life is drawn after a first schedule: some steps are done, a little off; time has passed; a
closure, an absence, a moved anchor or a pinned day came up; the days given out are kept.
"""

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from app.domain.calendars import Absence, Calendar, Closure
from app.domain.facts import (
    Anchor,
    Commitment,
    Kept,
    OccurrenceId,
    OtherPlan,
    OtherStep,
    Performed,
    Pinned,
    Reported,
    Skipped,
    Waiver,
)
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import StepReference
from app.domain.rules import MinGapOfKinds, Scope
from tests.domain.brute import Answer, solve_by_trial
from tests.domain.given_problems import SESSION_DAY, after, kept, problem, step
from tests.domain.given_vectors import problem_of, vectors
from tests.domain.strategies_protocols import AGENT, Draw, days, one_in, small_protocols

T = TypeVar("T")

_TODAYS = (date(2027, 3, 1), date(2027, 1, 29), date(2028, 2, 26), date(2026, 12, 28))
_WEEKDAYS = (range(1, 6), range(2, 6), range(1, 8), (1, 3, 5), (2, 4))
HERE = ("ankle", "right")


@st.composite
def _closures(draw: Draw, today: date, name: str) -> Closure:
    first = today + draw(days(0, 40))
    return Closure(name, first, first + draw(days(0, 6)))


@st.composite
def _absences(draw: Draw, today: date, name: str, keys: list[str]) -> Absence:
    first = today + draw(days(0, 40))
    steps = frozenset({draw(st.sampled_from(keys))}) if one_in(draw, 3) else None
    return Absence(name, first, first + draw(days(0, 6)), steps)


@st.composite
def _anchor(draw: Draw, today: date, calendar: Calendar, absences: list[Absence]) -> Anchor:
    occurrence = OccurrenceId("session")
    day = today + draw(days(0, 35))
    while not one_in(draw, 12) and not (
        calendar.is_open(day) and not any(away.first <= day <= away.last for away in absences)
    ):
        day += timedelta(days=1)
    if draw(st.booleans()) or one_in(draw, 2):
        return Anchor(occurrence, day)
    return Anchor(occurrence, earliest_from=day, until=day + draw(days(0, 40)))


@st.composite
def _other_plan(draw: Draw, today: date) -> OtherPlan:
    steps = tuple(
        OtherStep(name, today + draw(days(-10, 40)), draw(st.sampled_from(("injection", "visit"))))
        for name in ("first", "second")[: draw(st.integers(1, 2))]
    )
    side = draw(st.sampled_from(("right", "left")))
    rules = (draw(_gap_elsewhere()),) if one_in(draw, 2) else ()
    waived = {"theirs": draw(st.sampled_from((None, 1, 3, 30)))} if one_in(draw, 4) else {}
    return OtherPlan("other", steps, "ankle", side, rules=rules, waived=waived)


@st.composite
def _gap_elsewhere(draw: Draw) -> MinGapOfKinds:
    return MinGapOfKinds(
        id="theirs",
        kinds=frozenset({draw(st.sampled_from(("injection", "visit", "procedure")))}),
        offset=draw(st.sampled_from((Offset.of_days(0), Offset.of_days(5), Offset(months=1)))),
        scope=Scope.PATIENT,
        same_site=draw(st.booleans()),
    )


@st.composite
def _report(draw: Draw, today: date) -> Reported:
    site, side = draw(st.sampled_from((("ankle", "right"), ("ankle", "left"), (None, None))))
    return Reported(
        "report", today + draw(days(-15, 0)), agent=AGENT, body_site=site, laterality=side
    )


@st.composite
def fresh_problems(draw: Draw, *, working: bool = True, most: int = 4) -> Problem:
    """A protocol applied for the first time: nothing done, nothing promised."""
    protocol = draw(small_protocols(working=working, most=most))
    today = draw(st.sampled_from(_TODAYS)) + draw(days(0, 6))
    keys = [step.key for step in protocol.steps]
    closures = [draw(_closures(today, f"closed-{n}")) for n in range(draw(st.integers(0, 2)))]
    absences = [draw(_absences(today, f"away-{n}", keys)) for n in range(draw(st.integers(0, 2)))]
    weekdays = frozenset(draw(st.sampled_from(_WEEKDAYS)))
    calendar = Calendar(weekdays, tuple(closures))
    return Problem(
        protocol=protocol,
        as_of=today,
        calendar=calendar,
        parameters={
            "choice": draw(st.sampled_from(("one", "two"))),
            "count": draw(st.sampled_from((2, 3, 3, 1, 0))),
            "extra": draw(st.sampled_from(("yes", "no"))),
        },
        anchor=draw(_anchor(today, calendar, absences)) if protocol.anchor else None,
        plan_start=today + draw(days(-2, 14)),
        events={"surgery": today + draw(days(-7, 14))},
        baseline={OccurrenceId(key): today + draw(days(-5, 20)) for key in keys[::2]},
        absences=tuple(absences),
        reported=(draw(_report(today)),) if one_in(draw, 3) else (),
        other_plans=(draw(_other_plan(today)),) if one_in(draw, 5) else (),
        body_site=HERE[0],
        laterality=HERE[1],
        not_before=today + draw(days(0, 6)) if one_in(draw, 8) else None,
    )


@st.composite
def problems_beside_others(draw: Draw) -> Problem:
    """A protocol applied to a patient who has another plan, with rules of its own."""
    problem = draw(fresh_problems(most=3))
    other = draw(_other_plan(problem.as_of))
    return replace(problem, other_plans=(replace(other, rules=(draw(_gap_elsewhere()),)),))


@st.composite
def crowded_problems(draw: Draw) -> Problem:
    """Visits kept apart from each other in any order, most of them alike; some have days."""
    low, aim, high = 1, draw(st.integers(1, 6)), draw(st.integers(7, 12))
    visits = []
    for number in range(draw(st.integers(2, 4))):
        target = draw(st.integers(low, high)) if one_in(draw, 3) else aim
        importance = draw(st.sampled_from((1, 5))) if one_in(draw, 5) else 3
        last = high - 2 if one_in(draw, 6) and target < high - 1 else high
        timings = after(low, target, last)
        if number and one_in(draw, 6):
            timings = after(2, 3, 6, reference=StepReference("visit_0"))
        visits.append(step(f"visit_{number}", timings, importance=importance))
    gaps = [draw(st.integers(1, 4)) for _ in range(2 if one_in(draw, 4) else 1)]
    rules = tuple(
        MinGapOfKinds(id=f"apart-{n}", kinds=frozenset({"visit"}), offset=Offset.of_days(gap))
        for n, gap in enumerate(gaps)
    )
    days_kept = (
        kept(visit.key, SESSION_DAY + draw(days(low, high)), draw(st.sampled_from(Commitment)))
        for visit in visits
        if one_in(draw, 4)
    )
    weekdays = Calendar(frozenset(draw(st.sampled_from(_WEEKDAYS))) | {SESSION_DAY.isoweekday()})
    return problem(*visits, rules=rules, kept=tuple(days_kept), calendar=weekdays)


# -- lives


@st.composite
def _kept(draw: Draw, answer: Answer) -> tuple[Kept, ...]:
    found = []
    for occurrence, day in answer.days.items():
        if day is not None and not one_in(draw, 4):
            off = draw(days(-9, 9)) if one_in(draw, 4) else timedelta()
            commitment = draw(st.sampled_from(Commitment))
            found.append(Kept(occurrence, day + off, commitment, by_hand=one_in(draw, 8)))
    return tuple(found)


@st.composite
def _done(draw: Draw, answer: Answer, today: date) -> tuple[Performed, ...]:
    found = []
    for occurrence, day in answer.days.items():
        if day is not None and day <= today and not one_in(draw, 3):
            off = draw(days(-5, 5)) if one_in(draw, 2) else timedelta()
            found.append(Performed(occurrence, min(day + off, today)))
    return tuple(found)


def _moved(draw: Draw, anchor: Anchor | None) -> Anchor | None:
    if anchor is None or anchor.day is None or not one_in(draw, 4):
        return anchor
    return Anchor(anchor.occurrence, anchor.day + draw(days(-9, 12)))


@st.composite
def _life(draw: Draw, problem: Problem, answer: Answer) -> Problem:
    today = problem.as_of + draw(days(0, 30))
    performed = draw(_done(answer, today))
    undone = [
        occurrence
        for occurrence, day in answer.days.items()
        if day is not None and occurrence not in {fact.occurrence for fact in performed}
    ]
    asked = {problem.anchor.occurrence} if problem.anchor else set()
    free = [occurrence for occurrence in undone if occurrence not in asked]
    keys = [step.key for step in problem.protocol.steps]
    pinned: tuple[Pinned, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    if free and one_in(draw, 5):
        occurrence = draw(st.sampled_from(free))
        day = answer.days[occurrence]
        assert day is not None
        pinned = (Pinned(occurrence, day + draw(days(-4, 6))),)
    if free and one_in(draw, 8):
        skipped = (Skipped(draw(st.sampled_from(free))),)
        pinned = tuple(pin for pin in pinned if pin.occurrence != skipped[0].occurrence)
    absences, closures = problem.absences, problem.calendar.closures
    if one_in(draw, 3):
        absences += (draw(_absences(today, "away-new", keys)),)
    if one_in(draw, 4):
        closures += (draw(_closures(today, "closed-new")),)
    return replace(
        problem,
        as_of=today,
        anchor=_moved(draw, problem.anchor),
        performed=performed,
        kept=draw(_kept(answer)),
        pinned=pinned,
        skipped=skipped,
        absences=absences,
        calendar=replace(problem.calendar, closures=closures),
        reported=(draw(_report(today)),) if one_in(draw, 4) else problem.reported,
        not_before=None,
    )


@st.composite
def _waiver(draw: Draw, problem: Problem) -> Waiver:
    widened = [f"rule:{rule.id}" for rule in problem.protocol.rules]
    for one in problem.protocol.steps:
        name = f"{one.key}/1" if one.repeat else one.key
        widened += [f"timing:{name}.earliest", f"timing:{name}.latest"]
    whole = [f"closure:{closure.id}" for closure in problem.calendar.closures]
    whole += [f"unavailable:{absence.id}" for absence in problem.absences]
    whole += [f"event:{report.id}" for report in problem.reported]
    whole += ["weekdays", "as_of"]
    if draw(st.booleans()):
        return Waiver(draw(st.sampled_from(whole + widened)))
    return Waiver(draw(st.sampled_from(widened)), draw(st.integers(1, 6)))


@st.composite
def small_problems(draw: Draw, *, working: bool = True, most: int = 4) -> Problem:
    """A fresh problem, or one in the middle of a life; now and then with something waived."""
    problem = draw(fresh_problems(working=working, most=most))
    if not one_in(draw, 3):
        answer = solve_by_trial(problem)
        if answer is not None:
            problem = draw(_life(problem, answer))
    if one_in(draw, 8):
        problem = replace(problem, waivers=(draw(_waiver(problem)),))
    return problem


# -- the vectors, changed


_CASES = (*vectors("engine"), *vectors("scenarios"))


@st.composite
def changed_vectors(draw: Draw) -> Problem:
    """A vector's problem with another closure or absence, an anchor moved, or some time gone by."""
    problem = problem_of(draw(st.sampled_from(_CASES))["given"])
    today = problem.as_of
    keys = [step.key for step in problem.protocol.steps]
    closures = [draw(_closures(today, f"closed-{n}")) for n in range(draw(st.integers(0, 2)))]
    absences = [draw(_absences(today, f"away-{n}", keys)) for n in range(draw(st.integers(0, 2)))]
    calendar = replace(
        problem.calendar, closures=(*problem.calendar.closures, *_shifted(draw, closures))
    )
    return replace(
        problem,
        as_of=today + draw(days(0, 5)),
        anchor=_moved(draw, problem.anchor),
        calendar=calendar,
        absences=(*problem.absences, *absences),
        kept=_some(draw, problem.kept),
    )


def _shifted(draw: Draw, closures: list[Closure]) -> list[Closure]:
    """Closures further in the future, where most steps of a whole protocol are."""
    by = draw(days(0, 60))
    return [
        replace(closure, first=closure.first + by, last=closure.last + by) for closure in closures
    ]


def _some(draw: Draw, kept: tuple[Kept, ...]) -> tuple[Kept, ...]:
    return tuple(
        replace(one, commitment=draw(st.sampled_from(Commitment)))
        for one in kept
        if not one_in(draw, 6)
    )


# -- the same, in another order


def shuffled(problem: Problem, random: Random) -> Problem:
    """The same problem with its rows in another order."""

    def mixed(rows: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(rows, len(rows)))

    return replace(
        problem,
        protocol=replace(
            problem.protocol,
            rules=mixed(problem.protocol.rules),
            parameters=mixed(problem.protocol.parameters),
        ),
        calendar=replace(problem.calendar, closures=mixed(problem.calendar.closures)),
        parameters=dict(mixed(tuple(problem.parameters.items()))),
        events=dict(mixed(tuple(problem.events.items()))),
        baseline=dict(mixed(tuple(problem.baseline.items()))),
        performed=mixed(problem.performed),
        skipped=mixed(problem.skipped),
        pinned=mixed(problem.pinned),
        reported=mixed(problem.reported),
        kept=mixed(problem.kept),
        absences=mixed(problem.absences),
        other_plans=mixed(problem.other_plans),
        waivers=mixed(problem.waivers),
    )
