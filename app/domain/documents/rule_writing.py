"""Writes rules as plain data, without what is meant anyway."""

from typing import assert_never

from app.domain.documents.writing import Written, offset_text, spread_data, unless, written
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
    Severity,
    StepSelector,
    Washout,
)


def rule_data(rule: Rule) -> Written:
    """One rule."""
    severity = unless(Severity.BLOCK, rule.severity)
    when = None
    if rule.parameter is not None:
        when = {"parameter": rule.parameter, "in": list(rule.parameter_values)}
    return {"id": rule.id, **_own(rule)} | written(
        severity=None if severity is None else str(severity),
        waiver_role=rule.waiver_role,
        note=rule.note,
        when=when,
        sources=list(rule.sources),
    )


def _own(rule: Rule) -> Written:
    """The members of the rule's own kind."""
    match rule:
        case MinGap() | MaxGap():
            return {
                "type": "min_gap" if isinstance(rule, MinGap) else "max_gap",
                "from": _selector(rule.begin),
                "to": _selector(rule.end),
                "offset": str(rule.offset),
            }
        case MinGapBetween():
            between = [_selector(rule.one), _selector(rule.other)]
            own = written(between=between, offset=str(rule.offset), one_visit=rule.one_visit)
            return {"type": "min_gap", **own}
        case MinGapOfKinds():
            return {"type": "min_gap", **gap_of_kinds_data(rule)}
        case OrderRule():
            before, after = _selector(rule.before), _selector(rule.after)
            return {"type": "order", "before": before, "after": after}
        case SameDay() | NoOverlap() | Cluster():
            return {"type": _WORDS[type(rule)], "steps": [_selector(s) for s in rule.steps]}
        case Washout():
            return {"type": "washout", **washout_data(rule)}
        case Readiness():
            return {"type": "readiness", **readiness_data(rule)}
        case never:
            assert_never(never)


_WORDS: dict[type, str] = {SameDay: "same_day", NoOverlap: "no_overlap", Cluster: "cluster"}


def gap_of_kinds_data(rule: MinGapOfKinds) -> Written:
    """The members of a gap between kinds."""
    return written(
        kinds=sorted(str(kind) for kind in rule.kinds),
        offset=str(rule.offset),
        scope=None if rule.scope is Scope.PLAN else str(rule.scope),
        same_site=rule.same_site,
        exempt=[sorted(group) for group in rule.exempt],
    )


def washout_data(rule: Washout) -> Written:
    """The members of a washout."""
    return written(
        agent=rule.agent,
        before=offset_text(rule.before),
        before_seen=spread_data(rule.before_seen),
        after=offset_text(rule.after),
        after_seen=spread_data(rule.after_seen),
        applies_to=list(rule.applies_to),
        same_site=rule.same_site,
    )


def readiness_data(rule: Readiness) -> Written:
    """The members of a readiness rule."""
    return written(findings=sorted(rule.findings), applies_to=list(rule.applies_to))


def _selector(selector: StepSelector) -> str:
    if selector.occurrence is None:
        return selector.step
    return f"{selector.step}/{selector.occurrence}"
