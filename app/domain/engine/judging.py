"""Looks at days already chosen: which rules do not hold, for whom, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import assert_never

from app.domain.engine.compiling import Compilation
from app.domain.engine.occurrences import Occurrence
from app.domain.engine.restrictions import (
    agent_days,
    days_kept_away,
    kept_away_from,
    other_steps,
    pairs_between,
    pairs_of_kinds,
    pairs_of_spans,
    washed_out,
    washout_targets,
)
from app.domain.engine.shifts import last_not_after, of_offset, shortened, value
from app.domain.rules import (
    AnyRule,
    Cluster,
    KeepAway,
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Readiness,
    SameDay,
    Severity,
    Washout,
)
from app.domain.schedules import Breach

Days = Mapping[int, int]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a rule does not hold: the occurrences concerned and a sentence."""

    occurrences: tuple[int, ...]
    text: str


def spoken_day(ordinal: int) -> str:
    """A day with its weekday: "Tue 2027-02-23"."""
    day = date.fromordinal(ordinal)
    return f"{WEEKDAYS[day.weekday()]} {day.isoformat()}"


def breaches(compilation: Compilation, days: Days) -> tuple[Breach, ...]:
    """Rules to review or warn of which these days break, and findings nobody has cleared."""
    found = []
    for rule in compilation.frame.rules:
        if rule.severity is Severity.BLOCK and not isinstance(rule, Readiness):
            continue
        if compilation.omits(f"rule:{rule.id}"):
            continue
        for violation in violations(compilation, rule, days):
            ids = tuple(compilation.expansion.occurrences[i].id for i in violation.occurrences)
            name = ":".join([rule.id, *map(str, ids)])
            found.append(Breach(name, rule.id, rule.severity, violation.text, ids))
    return tuple(found)


def violations(compilation: Compilation, rule: AnyRule, days: Days) -> Iterator[Violation]:
    """Where a rule does not hold on these days; among facts alone nothing is judged."""
    match rule:
        case MinGap():
            yield from _min_gap(compilation, rule, days)
        case MaxGap():
            yield from _max_gap(compilation, rule, days)
        case OrderRule():
            yield from _order(compilation, rule, days)
        case SameDay():
            yield from _same_day(compilation, rule, days)
        case MinGapBetween():
            pairs = pairs_between(compilation.expansion, rule.one, rule.other)
            yield from _apart(compilation, rule, days, pairs)
        case MinGapOfKinds():
            yield from _apart(compilation, rule, days, pairs_of_kinds(compilation.expansion, rule))
            yield from _apart_from_others(compilation, rule, days)
        case NoOverlap():
            yield from _overlaps(compilation, rule, days)
        case Washout():
            yield from _washouts(compilation, rule, days)
        case Readiness():
            yield from _findings(compilation, rule, days)
        case KeepAway():
            yield from _too_near_another_plan(compilation, rule, days)
        case Cluster():
            return
        case never:
            assert_never(never)


def _judged(
    compilation: Compilation, days: Days, pairs: Iterator[tuple[int, int]]
) -> Iterator[tuple[Occurrence, Occurrence]]:
    occurrences, given = compilation.expansion.occurrences, compilation.given
    for i, j in pairs:
        if i in days and j in days and not (i in given and j in given):
            yield occurrences[i], occurrences[j]


def _between(one: Occurrence, other: Occurrence, days: Days) -> str:
    first, second = sorted((one, other), key=lambda occurrence: days[occurrence.index])
    apart = days[second.index] - days[first.index]
    return (
        f"{second.label} on {spoken_day(days[second.index])} is {apart} days after "
        f"{first.label} on {spoken_day(days[first.index])}"
    )


def _min_gap(compilation: Compilation, rule: MinGap, days: Days) -> Iterator[Violation]:
    shift = of_offset(rule.offset, compilation.problem.protocol.month_end)
    pairs = pairs_between(compilation.expansion, rule.begin, rule.end)
    for one, other in _judged(compilation, days, pairs):
        if days[other.index] < value(shift, days[one.index]):
            text = (
                f"{other.label} on {spoken_day(days[other.index])} is not yet "
                f"{rule.offset.in_words()} after {one.label} on {spoken_day(days[one.index])}"
            )
            yield Violation((one.index, other.index), text)


def _max_gap(compilation: Compilation, rule: MaxGap, days: Days) -> Iterator[Violation]:
    shift = of_offset(rule.offset, compilation.problem.protocol.month_end)
    pairs = pairs_between(compilation.expansion, rule.begin, rule.end)
    for one, other in _judged(compilation, days, pairs):
        if days[other.index] > value(shift, days[one.index]):
            text = f"{_between(one, other, days)}, more than {rule.offset.in_words()}"
            yield Violation((one.index, other.index), text)


def _order(compilation: Compilation, rule: OrderRule, days: Days) -> Iterator[Violation]:
    pairs = pairs_between(compilation.expansion, rule.before, rule.after)
    for one, other in _judged(compilation, days, pairs):
        if days[one.index] > days[other.index]:
            text = (
                f"{one.label} on {spoken_day(days[one.index])} is not before "
                f"{other.label} on {spoken_day(days[other.index])}"
            )
            yield Violation((one.index, other.index), text)


def _same_day(compilation: Compilation, rule: SameDay, days: Days) -> Iterator[Violation]:
    for begin, end in combinations(rule.steps, 2):
        pairs = pairs_between(compilation.expansion, begin, end)
        for one, other in _judged(compilation, days, pairs):
            if days[one.index] != days[other.index]:
                text = f"{one.label} and {other.label} are not on one day"
                yield Violation((one.index, other.index), text)


def _apart(
    compilation: Compilation,
    rule: MinGapBetween | MinGapOfKinds,
    days: Days,
    pairs: Iterator[tuple[int, int]],
) -> Iterator[Violation]:
    shift = of_offset(rule.offset, compilation.problem.protocol.month_end)
    for one, other in _judged(compilation, days, pairs):
        first, second = sorted((days[one.index], days[other.index]))
        if second < value(shift, first):
            text = f"{_between(one, other, days)}, less than {rule.offset.in_words()}"
            yield Violation((one.index, other.index), text)


def _apart_from_others(
    compilation: Compilation, rule: MinGapOfKinds, days: Days
) -> Iterator[Violation]:
    shift = of_offset(rule.offset, compilation.problem.protocol.month_end)
    for occurrence in compilation.expansion.occurrences:
        index = occurrence.index
        if occurrence.step.kind not in rule.kinds or index in compilation.given:
            continue
        for step, widened in other_steps(compilation.problem, rule, compilation.left_out):
            day, shorter = step.day.toordinal(), shortened(shift, widened)
            if index in days and last_not_after(shorter, day) < days[index] < value(shorter, day):
                text = (
                    f"{occurrence.label} on {spoken_day(days[index])} is less than "
                    f"{rule.offset.in_words()} from {step.label} of another plan on "
                    f"{spoken_day(day)}"
                )
                yield Violation((index,), text)


def _too_near_another_plan(
    compilation: Compilation, rule: KeepAway, days: Days
) -> Iterator[Violation]:
    for step in kept_away_from(compilation.problem, rule, compilation.left_out):
        day = step.day.toordinal()
        first, last = days_kept_away(compilation.problem, rule, day)
        for occurrence in compilation.expansion.occurrences:
            index = occurrence.index
            if occurrence.step.key not in rule.steps or index in compilation.given:
                continue
            if index in days and first <= days[index] <= last:
                text = (
                    f"{occurrence.label} on {spoken_day(days[index])} is too near to "
                    f"{step.label} of another plan on {spoken_day(day)}, "
                    f"by that plan's rule {rule.origin.id}"
                )
                yield Violation((index,), text)


def _overlaps(compilation: Compilation, rule: NoOverlap, days: Days) -> Iterator[Violation]:
    pairs = pairs_of_spans(compilation.expansion, rule)
    for one, other in _judged(compilation, days, pairs):
        first, second = sorted((one, other), key=lambda o: days[o.index])
        last = value(first.span or 0, days[first.index])
        if days[second.index] <= last:
            text = (
                f"{second.label} begins on {spoken_day(days[second.index])}, before "
                f"{first.label} has ended on {spoken_day(last)}"
            )
            yield Violation((first.index, second.index), text)


def _washouts(compilation: Compilation, rule: Washout, days: Days) -> Iterator[Violation]:
    agent = rule.agent.replace("_", " ")
    for day, widened in agent_days(compilation.problem, rule, compilation.left_out):
        first, last = washed_out(rule, compilation.problem, day, widened)
        for occurrence in washout_targets(compilation.expansion, rule):
            index = occurrence.index
            if index in days and index not in compilation.given and first <= days[index] <= last:
                text = (
                    f"{occurrence.label} on {spoken_day(days[index])} is inside the washout of "
                    f"{agent} given on {spoken_day(day)}"
                )
                yield Violation((index,), text)


def _findings(compilation: Compilation, rule: Readiness, days: Days) -> Iterator[Violation]:
    for event in sorted(compilation.problem.reported, key=lambda event: (event.on, event.id)):
        if event.finding not in rule.findings or event.cleared_on is not None:
            continue
        for occurrence in washout_targets(compilation.expansion, rule):
            index = occurrence.index
            ahead = index in days and days[index] >= event.on.toordinal()
            if ahead and index not in compilation.given:
                finding = str(event.finding).replace("_", " ")
                text = (
                    f"{occurrence.label} on {spoken_day(days[index])} needs clearance: "
                    f"{finding} reported on {spoken_day(event.on.toordinal())}"
                )
                yield Violation((index,), text)
