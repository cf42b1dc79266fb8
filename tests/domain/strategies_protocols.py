"""Random small protocols: a session, a few steps hanging on it, and up to two rules."""

from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import strategies as st

from app.domain.offsets import MonthEnd, Offset
from app.domain.protocols import (
    Alternatives,
    Bounds,
    Condition,
    Count,
    Follows,
    LatestIs,
    Nth,
    Order,
    OutsideEvent,
    Parameter,
    ParameterType,
    PlanStart,
    Point,
    Protocol,
    Reference,
    Repeat,
    Step,
    StepKind,
    StepReference,
    Timepoint,
    Timing,
    Unit,
)
from app.domain.rules import (
    Cluster,
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Rule,
    SameDay,
    Scope,
    Severity,
    StepSelector,
    Washout,
)

Draw = st.DrawFn

_KINDS = (StepKind.INJECTION, StepKind.PROCEDURE, StepKind.VISIT, StepKind.CALL)
_MONTHS = (
    ("P3W", "P1M", "P5W"),
    ("P1M", "P1M", "P1M"),
    ("-P5W", "-P1M", "-P3W"),
    ("-P1M1W", "-P1M", "-P1M"),
    ("P1M", "P6W", "P2M"),
)
AGENT = "corticosteroid"


def days(low: int, high: int) -> st.SearchStrategy[timedelta]:
    """So many days."""
    return st.integers(low, high).map(lambda number: timedelta(days=number))


def one_in(draw: Draw, many: int) -> bool:
    """Now and then."""
    return draw(st.integers(1, many)) == many


@st.composite
def _bounds(draw: Draw, sign: int = 0, *, months: bool = True, working: bool = True) -> Bounds:
    style = draw(st.sampled_from(("days", "days", "days", "weeks", "months", "working")))
    if style == "months" and months and sign == 0:
        early, target, late = (Offset.parse(text) for text in draw(st.sampled_from(_MONTHS)))
        return Bounds(early, target, late)
    direction = sign or draw(st.sampled_from((1, 1, 1, -1)))
    unit = Unit.WORKING_DAYS if style == "working" and working else Unit.DAYS
    middle = direction * draw(st.integers(1 if sign else 0, 18))
    if style == "weeks":
        middle = direction * 7 * draw(st.integers(1, 4))
    before, after = draw(st.integers(0, 6)), draw(st.integers(0, 7))
    target = Offset.of_days(middle)
    earliest = None if one_in(draw, 8) else Offset.of_days(middle - before)
    latest = None if one_in(draw, 8) else Offset.of_days(middle + after)
    aim = None if one_in(draw, 8) and (earliest or latest) else target
    latest_is = LatestIs.DEADLINE if latest and one_in(draw, 12) else LatestIs.BOUND
    return Bounds(earliest, aim, latest, unit, latest_is)


@dataclass(frozen=True)
class _Known:
    """What later steps may hang on."""

    step: str
    occurrences: tuple[int | str | None, ...]
    has_span: bool = False


@st.composite
def _reference(draw: Draw, known: list[_Known]) -> Reference:
    if not known or one_in(draw, 5):
        outside: tuple[Reference, ...] = (PlanStart(), OutsideEvent("surgery"))
        return draw(st.sampled_from(outside))
    found = draw(st.sampled_from(known))
    point = Point.END if found.has_span and draw(st.booleans()) else Point.START
    return StepReference(found.step, draw(st.sampled_from(found.occurrences)), point)


@st.composite
def _timing(draw: Draw, known: list[_Known], *, working: bool) -> Timing:
    follows = Follows.ACTUAL_ELSE_PLANNED
    if one_in(draw, 15):
        follows = draw(st.sampled_from((Follows.PLANNED, Follows.ACTUAL_ONLY)))
    return Timing(draw(_reference(known)), draw(_bounds(working=working)), follows)


@st.composite
def _step(draw: Draw, key: str, known: list[_Known], *, working: bool) -> tuple[Step, _Known, int]:
    """A step, what may hang on it, and how many occurrences it has."""
    kind = draw(st.sampled_from(_KINDS))
    importance = draw(st.sampled_from((1, 3, 5, 10)))
    timings = tuple(draw(st.lists(_timing(known, working=working), min_size=1, max_size=2)))
    timings = timings if one_in(draw, 3) else timings[:1]
    step = Step(key, kind, key, importance, timings)
    match draw(st.sampled_from(("plain", "plain", "plain", "repeat", "timepoints", "span", "or"))):
        case "repeat":
            order = draw(st.sampled_from(Order))
            count = draw(st.integers(2, 3))
            spacing = draw(_bounds(-1 if order is Order.BACKWARD else 1, working=working))
            least = draw(st.integers(0, count))
            numbers = Count(least, count, count, draw(st.sampled_from((None, "count"))))
            step = replace(step, repeat=Repeat(numbers, spacing, order), optional=least == 0)
            names: tuple[int | str, ...] = (*range(1, count + 1), Nth.FIRST, Nth.LAST)
            return step, _Known(key, names), count
        case "timepoints":
            points = tuple(
                Timepoint(name, draw(_bounds(working=working)), any_day=one_in(draw, 4))
                for name in ("a", "b")
            )
            step = replace(step, timings=timings[:1], timepoints=points)
            return step, _Known(key, ("a", "b")), 2
        case "span":
            span, any_day = Offset.of_days(draw(st.integers(0, 9))), not one_in(draw, 3)
            step = replace(step, span=span, any_day=any_day)
            return step, _Known(key, (None,), has_span=True), 1
        case "or":
            options = tuple(
                (name, draw(_timing(known, working=working))) for name in ("one", "two")
            )
            parameter = draw(st.sampled_from((None, "choice")))
            step = replace(step, timings=(), alternatives=Alternatives(options, parameter))
            return step, _Known(key, (None,)), 1
        case _:
            when = Condition("extra", ("yes",)) if one_in(draw, 8) else None
            any_day = one_in(draw, 8)
            step = replace(step, when=when, any_day=any_day, optional=one_in(draw, 4))
            return step, _Known(key, (None,)), 1


@st.composite
def _rule(draw: Draw, number: int, keys: list[str], spans: list[str]) -> Rule:
    name = f"rule-{number}"
    offset = Offset.of_days(draw(st.integers(1, 14)))
    one, other = (StepSelector(draw(st.sampled_from(keys))) for _ in range(2))
    severity = Severity.REVIEW if one_in(draw, 10) else Severity.BLOCK
    if draw(st.booleans()):
        of_two: tuple[Rule, ...] = (
            MinGap(id=name, severity=severity, begin=one, end=other, offset=offset),
            MaxGap(id=name, severity=severity, begin=one, end=other, offset=offset),
            MinGapBetween(id=name, severity=severity, one=one, other=other, offset=offset),
            OrderRule(id=name, severity=severity, before=one, after=other),
        )
        return draw(st.sampled_from(of_two))
    match draw(st.integers(0, 4)):
        case 0 if len(spans) > 1:
            return NoOverlap(id=name, severity=severity, steps=tuple(map(StepSelector, spans)))
        case 1 if one != other:
            return SameDay(id=name, severity=severity, steps=(one, other))
        case 2:
            steps = tuple(sorted({one.step, other.step}))
            return Washout(
                id=name,
                severity=severity,
                agent=AGENT,
                before=offset if draw(st.booleans()) else None,
                after=offset,
                applies_to=steps,
                same_site=draw(st.booleans()),
            )
        case 3 if one != other:
            return Cluster(id=name, steps=(one, other))
        case _:
            return MinGapOfKinds(
                id=name,
                severity=severity,
                kinds=frozenset({"injection", "procedure"}),
                offset=offset,
                scope=draw(st.sampled_from(Scope)),
                same_site=draw(st.booleans()),
            )


@st.composite
def small_protocols(draw: Draw, *, working: bool = True, most: int = 4) -> Protocol:
    """One to four occurrences beside the anchor, and up to two rules."""
    steps: list[Step] = []
    known: list[_Known] = []
    if not one_in(draw, 6):
        steps.append(Step("session", StepKind.PROCEDURE, "session", 10))
        known.append(_Known("session", (None,)))
    left = draw(st.integers(1, most))
    while left > 0:
        step, place, count = draw(_step(f"step_{len(steps)}", known, working=working))
        steps.append(step)
        known.append(place)
        left -= count
    keys = [step.key for step in steps]
    spans = [step.key for step in steps if step.span is not None]
    amount = draw(st.sampled_from((0, 0, 0, 1, 1, 2)))
    return Protocol(
        steps=tuple(steps),
        anchor="session" if steps[0].key == "session" else None,
        month_end=draw(st.sampled_from(MonthEnd)),
        parameters=(
            Parameter("choice", "Choice", ParameterType.CHOICE, options=("one", "two")),
            Parameter("count", "Count", ParameterType.INTEGER, minimum=0, maximum=3),
            Parameter("extra", "Extra", ParameterType.CHOICE, options=("yes", "no")),
        ),
        rules=tuple(draw(_rule(number, keys, spans)) for number in range(amount)),
        drift_tolerance=draw(st.sampled_from((7, 7, 0, 3))),
    )
