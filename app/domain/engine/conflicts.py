"""Minimal conflicts by QuickXplain (Junker, 2004) over propagation, and their elements in words."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import assert_never

from app.domain.calendars import by_days
from app.domain.engine.judging import spoken_day
from app.domain.engine.occurrences import Expansion, Link, Occurrence
from app.domain.engine.reasons import WEEKDAYS
from app.domain.engine.solutions import Question
from app.domain.facts import Anchor
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import LatestIs, Unit
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
from app.domain.schedules import Conflict, Element

Texts = dict[str, str]

WAIVABLE = ("timing:", "rule:", "closure:", "unavailable:", "weekdays")


def minimal_conflict(question: Question, ignoring: frozenset[str] = frozenset()) -> Conflict:
    """A set of elements that cannot hold together, of which none can be left out.

    ``ignoring`` leaves out the elements of other conflicts which are looked at apart.
    """
    texts = element_texts(question)
    universe = [element for element in texts if element not in ignoring]
    everything = frozenset(universe) | ignoring

    def works(present: frozenset[str]) -> bool:
        return question.feasible(everything - present)

    found = _quickxplain(works, frozenset(), False, universe)
    order = {element: place for place, element in enumerate(texts)}
    found.sort(key=lambda element: order[element])
    return Conflict(tuple(Element(element, texts[element]) for element in found))


def _quickxplain(
    works: Callable[[frozenset[str]], bool],
    background: frozenset[str],
    grown: bool,  # noqa: FBT001 - the algorithm's own flag
    elements: Sequence[str],
) -> list[str]:
    if grown and not works(background):
        return []
    if len(elements) == 1:
        return list(elements)
    half = len(elements) // 2
    first, second = elements[:half], elements[half:]
    needed_second = _quickxplain(works, background | set(first), bool(first), second)
    needed_first = _quickxplain(works, background | set(needed_second), bool(needed_second), first)
    return needed_first + needed_second


def waivable_elements(problem: Problem) -> frozenset[str]:
    """What a person may set aside in this problem: timings, rules and closed days, never a fact."""
    texts = _every_text(Question(problem))
    return frozenset(element for element in texts if element.startswith(WAIVABLE))


def element_texts(question: Question) -> Texts:
    """Every element of a problem that can take part in a conflict, in words, in a fixed order."""
    waived = {waiver.element for waiver in question.problem.waivers if waiver.days is None}
    texts = _every_text(question)
    return {element: text for element, text in texts.items() if element not in waived}


def _every_text(question: Question) -> Texts:
    texts: Texts = {}
    for expansion in question.expansions():
        _facts_and_wishes(question, expansion, texts)
        for occurrence in expansion.occurrences:
            for link in occurrence.links:
                _timing(occurrence, link, texts)
    _rules(question, texts)
    _surroundings(question, texts)
    _calendar(question, texts)
    return texts


def _facts_and_wishes(question: Question, expansion: Expansion, texts: Texts) -> None:
    problem = question.problem

    def label(occurrence_id: object) -> str:
        for occurrence in expansion.occurrences:
            if occurrence.id == occurrence_id:
                return occurrence.label
        return str(occurrence_id)

    for fact in sorted(problem.performed, key=lambda fact: str(fact.occurrence)):
        day = spoken_day(fact.on.toordinal())
        texts[f"fact:{fact.occurrence}"] = f"{label(fact.occurrence)} was performed on {day}"
    for pin in sorted(problem.pinned, key=lambda pin: str(pin.occurrence)):
        day = spoken_day(pin.on.toordinal())
        texts[f"pin:{pin.occurrence}"] = f"{label(pin.occurrence)} is asked for on {day}"
    if problem.anchor is not None and not problem.postponed:
        anchor = problem.anchor
        texts[f"anchor:{anchor.occurrence}"] = (
            f"{label(anchor.occurrence)} is asked for {_asked(anchor)}"
        )


def _asked(anchor: Anchor) -> str:
    if anchor.day is not None:
        return f"on {spoken_day(anchor.day.toordinal())}"
    first = spoken_day(anchor.earliest_from.toordinal()) if anchor.earliest_from else "today"
    until = f" until {spoken_day(anchor.until.toordinal())}" if anchor.until else ""
    return f"from {first}{until}"


def _timing(occurrence: Occurrence, link: Link, texts: Texts) -> None:
    bounds = link.bounds
    if bounds.earliest is not None:
        where = _counted(bounds.earliest, bounds.unit, link.label, edge="earliest")
        texts[f"{link.name}.earliest"] = f"{occurrence.label} is {where}"
    if bounds.latest is not None and bounds.latest_is is LatestIs.BOUND:
        where = _counted(bounds.latest, bounds.unit, link.label, edge="latest")
        texts[f"{link.name}.latest"] = f"{occurrence.label} is {where}"


def _counted(offset: Offset, unit: Unit, label: str, *, edge: str) -> str:
    """A bound as people say it: "at least 14 days before session"."""
    if offset.sign == 0:
        return f"not {'before' if edge == 'earliest' else 'after'} the day of {label}"
    words = offset.in_words()
    if unit is Unit.WORKING_DAYS:
        words = words.replace("day", "open day")
    limit = "least" if (edge == "earliest") != offset.negative else "most"
    return f"at {limit} {words} {'before' if offset.negative else 'after'} {label}"


def _rules(question: Question, texts: Texts) -> None:
    for rule in question.frame.rules:
        if rule.severity is Severity.BLOCK and not isinstance(rule, Readiness):
            texts[f"rule:{rule.id}"] = rule_in_words(rule)


def rule_in_words(rule: AnyRule) -> str:
    """A rule as one sentence for people."""
    match rule:
        case MinGap():
            sentence = (
                f"{rule.end.step} is at least {rule.offset.in_words()} after {rule.begin.step}"
            )
        case MaxGap():
            sentence = (
                f"{rule.end.step} is at most {rule.offset.in_words()} after {rule.begin.step}"
            )
        case MinGapBetween():
            both = f"{rule.one.step} and {rule.other.step}"
            sentence = f"{both} are at least {rule.offset.in_words()} apart"
        case MinGapOfKinds():
            kinds = " and ".join(f"{kind}s" for kind in sorted(rule.kinds))
            sentence = f"{kinds} are at least {rule.offset.in_words()} apart"
        case OrderRule():
            sentence = f"{rule.before.step} is not after {rule.after.step}"
        case SameDay():
            sentence = f"{_listed(rule)} are on one day"
        case NoOverlap():
            sentence = f"{_listed(rule)} do not overlap"
        case Washout():
            sentence = _washout_in_words(rule)
        case Readiness():
            sentence = f"needs clearance after {', '.join(sorted(rule.findings))}"
        case KeepAway(origin=origin):
            return f"another plan asks: {rule_in_words(origin)}"
        case Cluster():
            sentence = f"{_listed(rule)} move together"
        case never:
            assert_never(never)
    return f"{sentence.replace('_', ' ')} (rule {rule.id})"


def _listed(rule: SameDay | NoOverlap | Cluster) -> str:
    return " and ".join(selector.step for selector in rule.steps)


def _washout_in_words(rule: Washout) -> str:
    parts = []
    if rule.before is not None:
        parts.append(f"{rule.before.in_words()} before")
    if rule.after is not None:
        parts.append(f"{rule.after.in_words()} after")
    return f"no {rule.agent} within {' and '.join(parts)}"


def _surroundings(question: Question, texts: Texts) -> None:
    problem = question.problem
    for event in sorted(problem.reported, key=lambda event: (event.on, event.id)):
        if event.agent is not None:
            agent = event.agent.replace("_", " ")
            day = spoken_day(event.on.toordinal())
            texts[f"event:{event.id}"] = f"{agent} was given on {day}"
    for plan in sorted(problem.other_plans, key=lambda plan: plan.id):
        for step in plan.steps:
            day = spoken_day(step.day.toordinal())
            texts[f"other:{plan.id}/{step.key}"] = f"{step.label} of another plan is on {day}"


def _calendar(question: Question, texts: Texts) -> None:
    problem = question.problem
    for absence in sorted(problem.absences, key=by_days):
        who = "the patient" if absence.steps is None else "someone needed"
        texts[f"unavailable:{absence.id}"] = f"{who} is away {_span(absence.first, absence.last)}"
    calendar = problem.calendar
    for closure in sorted(calendar.closures, key=by_days):
        named = f" ({closure.title})" if closure.title else ""
        span = _span(closure.first, closure.last)
        texts[f"closure:{closure.id}"] = f"the location is closed {span}{named}"
    if len(calendar.open_weekdays) < len(WEEKDAYS):
        closed = [name for day, name in enumerate(WEEKDAYS, 1) if day not in calendar.open_weekdays]
        texts["weekdays"] = f"the location is closed on {', '.join(closed)}"
    today = spoken_day(question.frame.today)
    texts["as_of"] = f"today is {today}"
    if question.frame.floor > question.frame.today:
        first = spoken_day(question.frame.floor)
        texts["as_of"] = f"today is {today} and the first day to book is {first}"


def _span(first: date, last: date) -> str:
    if first == last:
        return f"on {spoken_day(first.toordinal())}"
    return f"from {spoken_day(first.toordinal())} to {spoken_day(last.toordinal())}"
