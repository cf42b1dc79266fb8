"""Judges the days a plan has now, moving nothing: which rules and closed days they break."""

from app.domain.engine.compiling import Compilation
from app.domain.engine.judging import spoken_day, violations
from app.domain.engine.reasons import closed
from app.domain.engine.solutions import Question
from app.domain.problem import Problem
from app.domain.rules import Severity
from app.domain.schedules import Breach


def standing_breaches(problem: Problem) -> tuple[Breach, ...]:
    """What the performed and kept days of a problem break, hard rules and closed days included.

    A plan changes its days only when a person wants it to; until then this is what is wrong.
    """
    question = Question(problem)
    expansion = next(question.expansions())
    compilation = Compilation(question.frame, expansion)
    days = dict(compilation.performed)
    for kept in problem.kept:
        index = expansion.by_id.get(kept.occurrence)
        if index is not None and index not in days:
            days[index] = kept.day.toordinal()
    return (*_broken_rules(compilation, days), *_closed_days(compilation, days))


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
