"""Judges the days a plan has now, moving nothing: which timings, rules, closed days they break."""

from collections.abc import Iterator

from app.domain.engine.compiling import Compilation
from app.domain.engine.judging import spoken_day, violations
from app.domain.engine.occurrences import Expansion, Link, Occurrence
from app.domain.engine.reasons import broken_edge, closed
from app.domain.engine.solutions import Question
from app.domain.problem import Problem
from app.domain.rules import Severity
from app.domain.schedules import Breach


def standing_breaches(problem: Problem) -> tuple[Breach, ...]:
    """What the performed and kept days of a problem break: timings, rules, closed days.

    A plan changes its days only when a person wants it to; until then this is what is wrong.
    """
    compilation, days = standing_days(problem)
    return (
        *_broken_timings(compilation, days),
        *_broken_rules(compilation, days),
        *_closed_days(compilation, days),
    )


def standing_days(problem: Problem) -> tuple[Compilation, dict[int, int]]:
    """The performed and kept days of a problem as ordinals, by the alternatives which fit them."""
    question = Question(problem)
    found = [_standing(question, expansion) for expansion in question.expansions()]
    return min(found, key=lambda one: len(_broken_timings(*one)))


def _standing(question: Question, expansion: Expansion) -> tuple[Compilation, dict[int, int]]:
    compilation = Compilation(question.frame, expansion)
    days = dict(compilation.performed)
    for kept in question.problem.kept:
        index = expansion.by_id.get(kept.occurrence)
        if index is not None and index not in days:
            days[index] = kept.day.toordinal()
    return compilation, days


def _broken_timings(compilation: Compilation, days: dict[int, int]) -> list[Breach]:
    """Timings that do not hold: as a schedule is made, none between facts and none in the past."""
    found = []
    for occurrence, link in _judged_links(compilation, days):
        broken = broken_edge(compilation, link, days, days[occurrence.index])
        if broken is None:
            continue
        edge, limit = broken
        first, early = ("first", "early") if edge == "earliest" else ("last", "late")
        text = (
            f"{occurrence.label} on {spoken_day(days[occurrence.index])} is {early}: its {first} "
            f"day, counted from {link.label}, is {spoken_day(limit)}"
        )
        name = f"{link.name}.{edge}"
        found.append(Breach(name, name, Severity.BLOCK, text, (occurrence.id,)))
    return found


def _judged_links(
    compilation: Compilation, days: dict[int, int]
) -> Iterator[tuple[Occurrence, Link]]:
    for occurrence in compilation.expansion.occurrences:
        if occurrence.index not in days:
            continue
        is_performed = occurrence.index in compilation.performed
        for link in occurrence.links:
            refers = link.ref is not None and link.ref not in compilation.given
            is_judged = refers if is_performed else occurrence.index not in compilation.given
            if is_judged and (link.ref is None or link.ref in days):
                yield occurrence, link


def _broken_rules(compilation: Compilation, days: dict[int, int]) -> list[Breach]:
    found = []
    for rule in compilation.frame.rules:
        if compilation.omits(f"rule:{rule.id}"):
            continue
        for violation in violations(compilation, rule, days):
            ids = tuple(compilation.expansion.occurrences[i].id for i in violation.occurrences)
            name = ":".join([rule.id, *map(str, ids)])
            found.append(Breach(name, rule.id, rule.severity, violation.text, ids))
    return found


def _closed_days(compilation: Compilation, days: dict[int, int]) -> list[Breach]:
    found = []
    for index, day in days.items():
        occurrence = compilation.expansion.occurrences[index]
        past = index in compilation.given or day < compilation.frame.today
        reason = None if past else closed(compilation, occurrence, day)
        if reason is not None and reason.rule != "as_of":
            name = f"{reason.rule}:{occurrence.id}"
            text = f"{occurrence.label} on {spoken_day(day)}: {reason.text}"
            rule = reason.rule or reason.code
            found.append(Breach(name, rule, Severity.BLOCK, text, (occurrence.id,)))
    return found
