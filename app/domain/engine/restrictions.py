"""Rules beyond timings as relations, either-order pairs and holes in day sets."""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import assert_never

from app.domain.engine.compiling import NOTHING, Compilation, Frame, LeftOut
from app.domain.engine.elsewhere import TREATMENTS, same_site, sides_meet, widened_elsewhere
from app.domain.engine.occurrences import Expansion, Occurrence
from app.domain.engine.shifts import (
    HIGHEST,
    LOWEST,
    Shift,
    chained,
    inverse,
    last_not_after,
    of_offset,
    shortened,
    value,
)
from app.domain.facts import OtherStep
from app.domain.offsets import Offset
from app.domain.problem import Problem
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
    Scope,
    Severity,
    StepSelector,
    Washout,
)


def compile_network(
    frame: Frame, expansion: Expansion, left_out: LeftOut = NOTHING
) -> tuple[Compilation, bool]:
    """The network of a problem without some elements, propagated, and whether it is feasible.

    Either-order pairs are left open: they are decided by the search.
    """
    compilation = Compilation(frame, expansion, left_out)
    if not compilation.place_steps():
        return compilation, False
    for rule in frame.rules:
        if rule.severity is Severity.BLOCK and not compilation.omits(f"rule:{rule.id}"):
            _add_rule(compilation, rule)
    return compilation, compilation.net.start(compilation.present)


def pairs_of_kinds(expansion: Expansion, rule: MinGapOfKinds) -> Iterator[tuple[int, int]]:
    """Every two steps of the rule's kinds, those exempt from each other or of two sides apart."""
    for one, other in combinations(_of_kinds(expansion, rule), 2):
        steps = {one.step.key, other.step.key}
        apart = rule.same_site and not sides_meet(one.step.side, other.step.side)
        if not apart and not any(steps <= group for group in rule.exempt):
            yield one.index, other.index


def _of_kinds(expansion: Expansion, rule: MinGapOfKinds) -> list[Occurrence]:
    return [o for o in expansion.occurrences if o.step.kind in rule.kinds]


def pairs_between(
    expansion: Expansion, one: StepSelector, other: StepSelector
) -> Iterator[tuple[int, int]]:
    """Every occurrence of one with every occurrence of the other."""
    for i in expansion.selected(one):
        for j in expansion.selected(other):
            if i != j:
                yield i, j


def pairs_of_spans(expansion: Expansion, rule: NoOverlap) -> Iterator[tuple[int, int]]:
    """Every two occurrences the rule speaks of, also two of one repeated step."""
    named = {i for selector in rule.steps for i in expansion.selected(selector)}
    yield from combinations(sorted(named), 2)


def other_steps(
    problem: Problem, rule: MinGapOfKinds, left_out: LeftOut
) -> Iterator[tuple[OtherStep, int]]:
    """Steps of other plans which a patient-wide gap looks at, and by how many days less."""
    if rule.scope is not Scope.PATIENT:
        return
    for plan in sorted(problem.other_plans, key=lambda plan: plan.id):
        if rule.same_site and not same_site(problem, plan.body_site, plan.laterality):
            continue
        widened = widened_elsewhere(plan, rule)
        for step in plan.steps if widened is not None else ():
            if step.kind in rule.kinds and f"other:{plan.id}/{step.key}" not in left_out:
                yield step, widened or 0


def kept_away_from(problem: Problem, rule: KeepAway, left_out: LeftOut) -> Iterator[OtherStep]:
    """The steps of another plan from which its own rule keeps steps of this one away."""
    for plan in problem.other_plans:
        for step in plan.steps if plan.id == rule.plan else ():
            if step.key in rule.others and f"other:{plan.id}/{step.key}" not in left_out:
                yield step


def days_kept_away(problem: Problem, rule: KeepAway, day: int, widened: int = 0) -> tuple[int, int]:
    """First and last day closed by a step of another plan on ``day``.

    Its own day is closed as well, unless nothing is left of a gap: then the last lies before the
    first.
    """
    month_end, less = problem.protocol.month_end, rule.widened + widened
    first, last = day + 1, day - 1
    if rule.before is not None:
        first = last_not_after(shortened(of_offset(rule.before, month_end), less), day) + 1
    if rule.after is not None:
        last = value(of_offset(rule.after, month_end), day) - less - 1
    if isinstance(rule.origin, Washout):
        return min(first, day), max(last, day)
    return first, last


def washout_targets(expansion: Expansion, rule: Washout | Readiness) -> Iterator[Occurrence]:
    """The occurrences a washout or readiness rule speaks of; named none, every treatment."""
    for occurrence in expansion.occurrences:
        if rule.applies_to:
            if occurrence.step.key in rule.applies_to:
                yield occurrence
        elif occurrence.step.kind in TREATMENTS:
            yield occurrence


def agent_days(
    problem: Problem, rule: Washout, left_out: LeftOut = NOTHING
) -> Iterator[tuple[int, int]]:
    """The days on which the agent of a washout was given, and how many days less there suffice."""
    for event in sorted(problem.reported, key=lambda event: (event.on, event.id)):
        element = f"event:{event.id}"
        here = not rule.same_site or same_site(problem, event.body_site, event.laterality)
        if event.agent == rule.agent and here and element not in left_out:
            yield event.on.toordinal(), 0
    for plan in sorted(problem.other_plans, key=lambda plan: plan.id):
        if rule.same_site and not same_site(problem, plan.body_site, plan.laterality):
            continue
        widened = widened_elsewhere(plan, rule)
        for step in plan.steps if widened is not None else ():
            element = f"other:{plan.id}/{step.key}"
            if step.agent == rule.agent and element not in left_out:
                yield step.day.toordinal(), widened or 0


def washed_out(rule: Washout, problem: Problem, day: int, widened: int = 0) -> tuple[int, int]:
    """First and last day closed to a step by an agent given on ``day``, its own day included."""
    month_end = problem.protocol.month_end
    first = last = day
    if rule.before is not None:
        last = max(day, value(of_offset(rule.before, month_end), day) - widened - 1)
    if rule.after is not None:
        after = shortened(of_offset(rule.after, month_end), widened)
        first = min(day, last_not_after(after, day) + 1)
    return first, last


def _add_rule(compilation: Compilation, rule: AnyRule) -> None:
    expansion = compilation.expansion
    match rule:
        case MinGap():
            shift = _gap(compilation, rule.id, rule.offset)
            _relate(compilation, pairs_between(expansion, rule.begin, rule.end), shift)
        case MaxGap():
            shift = inverse(_gap(compilation, rule.id, rule.offset, longer=True))
            _relate(compilation, pairs_between(expansion, rule.end, rule.begin), shift)
        case OrderRule():
            shift = -compilation.widened.get(f"rule:{rule.id}", 0)
            _relate(compilation, pairs_between(expansion, rule.before, rule.after), shift)
        case SameDay():
            for one, other in combinations(rule.steps, 2):
                _relate(compilation, pairs_between(expansion, one, other), 0)
                _relate(compilation, pairs_between(expansion, other, one), 0)
        case MinGapBetween():
            shift = _gap(compilation, rule.id, rule.offset)
            for i, j in pairs_between(expansion, rule.one, rule.other):
                _apart(compilation, i, j, shift, shift)
        case MinGapOfKinds():
            _keep_kinds_apart(compilation, rule)
        case NoOverlap():
            for i, j in pairs_of_spans(expansion, rule):
                _apart(compilation, i, j, _after_end(expansion, i), _after_end(expansion, j))
        case Washout():
            _wash_out(compilation, rule)
        case KeepAway():
            _keep_away(compilation, rule)
        case Cluster():
            _move_together(compilation, rule)
        case Readiness():
            pass
        case never:
            assert_never(never)


def _gap(compilation: Compilation, rule_id: str, offset: Offset, *, longer: bool = False) -> Shift:
    shift = of_offset(offset, compilation.problem.protocol.month_end)
    days = compilation.widened.get(f"rule:{rule_id}", 0)
    return chained(shift, days if longer else -days) if days else shift


def _after_end(expansion: Expansion, index: int) -> Shift:
    span = expansion.occurrences[index].span
    return 1 if span is None else chained(span, 1)


def _relate(compilation: Compilation, pairs: Iterator[tuple[int, int]], shift: Shift) -> None:
    net, given = compilation.net, compilation.given
    for i, j in pairs:
        if net.masks[i] and net.masks[j] and not (i in given and j in given):
            net.relate(i, j, shift)


def _apart(compilation: Compilation, i: int, j: int, forth: Shift, back: Shift) -> None:
    """Two occurrences apart in either order: a hole where one of them is given, else a pair."""
    net, given = compilation.net, compilation.given
    if not net.masks[i] or not net.masks[j] or (i in given and j in given):
        return
    if i in given:
        _hole(compilation, j, last_not_after(back, given[i]) + 1, value(forth, given[i]) - 1)
    elif j in given:
        _hole(compilation, i, last_not_after(forth, given[j]) + 1, value(back, given[j]) - 1)
    else:
        net.pairs.append((i, j, forth, back))


def _hole(compilation: Compilation, index: int, first: int, last: int) -> None:
    compilation.net.masks[index] &= ~compilation.frame.span(max(first, LOWEST), min(last, HIGHEST))


def _keep_kinds_apart(compilation: Compilation, rule: MinGapOfKinds) -> None:
    expansion = compilation.expansion
    shift = _gap(compilation, rule.id, rule.offset)
    for i, j in pairs_of_kinds(expansion, rule):
        _apart(compilation, i, j, shift, shift)
    for step, widened in other_steps(compilation.problem, rule, compilation.left_out):
        day, shorter = step.day.toordinal(), shortened(shift, widened)
        for occurrence in _of_kinds(expansion, rule):
            if occurrence.index not in compilation.given:
                first, last = last_not_after(shorter, day) + 1, value(shorter, day) - 1
                _hole(compilation, occurrence.index, first, last)


def _keep_away(compilation: Compilation, rule: KeepAway) -> None:
    problem, widened = compilation.problem, compilation.widened.get(f"rule:{rule.id}", 0)
    for step in kept_away_from(problem, rule, compilation.left_out):
        first, last = days_kept_away(problem, rule, step.day.toordinal(), widened)
        for occurrence in compilation.expansion.occurrences:
            if occurrence.step.key in rule.steps and occurrence.index not in compilation.given:
                _hole(compilation, occurrence.index, first, last)


def _wash_out(compilation: Compilation, rule: Washout) -> None:
    widened = compilation.widened.get(f"rule:{rule.id}", 0)
    for day, less in agent_days(compilation.problem, rule, compilation.left_out):
        first, last = washed_out(rule, compilation.problem, day, widened + less)
        for occurrence in washout_targets(compilation.expansion, rule):
            if occurrence.index not in compilation.given:
                _hole(compilation, occurrence.index, first, last)


def _move_together(compilation: Compilation, rule: Cluster) -> None:
    """While none of them is performed, all keep the distances of the days given out so far."""
    expansion, problem = compilation.expansion, compilation.problem
    members = [i for selector in rule.steps for i in expansion.selected(selector)]
    kept = {expansion.by_id.get(k.occurrence): k.day.toordinal() for k in problem.kept}
    if any(i in compilation.given for i in members) or not all(i in kept for i in members):
        return
    for i, j in pairwise(members):
        if compilation.net.masks[i] and compilation.net.masks[j]:
            distance = kept[j] - kept[i]
            compilation.net.relate(i, j, distance)
            compilation.net.relate(j, i, -distance)
