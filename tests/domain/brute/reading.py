"""Reads a problem as the design words it: what exists, what each hangs on, what is given."""

from collections.abc import Iterator
from datetime import date
from itertools import product

from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from app.domain.protocols import (
    Alternatives,
    BirthDate,
    Condition,
    Count,
    Follows,
    Nth,
    Order,
    OutsideEvent,
    PlanStart,
    Point,
    Reference,
    Step,
    StepReference,
    Timing,
)
from tests.domain.brute.arithmetic import Clock
from tests.domain.brute.nodes import Link, Node, Reading


def readings(
    problem: Problem,
    only: frozenset[str] | None = None,
    ignoring: OccurrenceId | None = None,
) -> Iterator[Reading]:
    """One reading per combination of first-feasible alternatives, in step order.

    ``only``: the elements that are there, all by default. ``ignoring``: an occurrence whose own
    asked, pinned or held day is set aside.
    """
    open_steps = [
        step
        for step in problem.protocol.steps
        if step.alternatives is not None and step.alternatives.parameter is None
    ]
    keys = [[key for key, _ in _options(step.alternatives)] for step in open_steps]
    for combination in product(*keys):
        chosen = dict(zip((step.key for step in open_steps), combination, strict=True))
        yield reading_of(problem, chosen, only, ignoring)


def _options(alternatives: Alternatives | None) -> tuple[tuple[str, Timing], ...]:
    return alternatives.options if alternatives is not None else ()


def reading_of(
    problem: Problem,
    options: dict[str, str],
    only: frozenset[str] | None,
    ignoring: OccurrenceId | None,
) -> Reading:
    """The problem under one combination."""
    reading = Reading(problem, options, only, ignoring)
    existing = _existing(problem)
    for step in problem.protocol.steps:
        if step.key in existing:
            for node in _occurrences(problem, step, options, existing):
                reading.nodes[node.id] = node
    _drop_what_hangs_on_the_left_out(reading)
    _mark_facts_and_choices(reading)
    _mark_undated(reading)
    _mark_held(reading)
    return reading


def _holds(problem: Problem, condition: Condition | None) -> bool:
    if condition is None:
        return True
    value = problem.parameters.get(condition.parameter)
    if condition.minimum is not None:
        return isinstance(value, int) and value >= condition.minimum
    return value in condition.values


def _count(problem: Problem, count: Count) -> int:
    if count.parameter is None:
        return count.default
    value = problem.parameters.get(count.parameter, count.default)
    by_value = dict(count.by_value)
    if by_value:
        return by_value.get(str(value), count.default)
    assert isinstance(value, int)
    return max(0, min(value - count.less, count.maximum))


def _existing(problem: Problem) -> dict[str, list[OccurrenceId]]:
    """The occurrences of every step that the parameters leave in, skipped ones included."""
    found = {}
    for step in problem.protocol.steps:
        if not _holds(problem, step.when):
            continue
        if step.repeat is not None:
            numbers = range(1, _count(problem, step.repeat.count) + 1)
            found[step.key] = [OccurrenceId(step.key, number) for number in numbers]
        elif step.timepoints:
            found[step.key] = [OccurrenceId(step.key, point.key) for point in step.timepoints]
        else:
            found[step.key] = [OccurrenceId(step.key)]
    return {key: ids for key, ids in found.items() if ids}


def _occurrences(
    problem: Problem, step: Step, options: dict[str, str], existing: dict[str, list[OccurrenceId]]
) -> Iterator[Node]:
    skipped = {skip.occurrence for skip in problem.skipped}
    if step.timepoints:
        first = step.timings[0]
        for point in step.timepoints:
            occurrence = OccurrenceId(step.key, point.key)
            timing = Timing(first.reference, point.bounds, first.follows)
            node = _node(problem, step, occurrence, [timing], existing)
            node.importance = step.importance if point.importance is None else point.importance
            node.any_day = step.any_day if point.any_day is None else point.any_day
            if occurrence not in skipped:
                yield node
        return
    before: OccurrenceId | None = None
    for occurrence in existing[step.key]:
        if occurrence in skipped:
            continue
        if before is None:
            timings = _own_timings(problem, step, options)
        else:
            assert step.repeat is not None
            timings = [Timing(StepReference(step.key, before.occurrence), step.repeat.spacing)]
        yield _node(problem, step, occurrence, timings, existing)
        before = occurrence


def _own_timings(problem: Problem, step: Step, options: dict[str, str]) -> list[Timing]:
    timings = list(step.timings)
    if step.alternatives is not None:
        parameter = step.alternatives.parameter
        key = options[step.key] if parameter is None else problem.parameters[parameter]
        timings.append(dict(step.alternatives.options)[str(key)])
    return timings


_LEFT_OUT = OccurrenceId("(left out)")


def _node(
    problem: Problem,
    step: Step,
    occurrence: OccurrenceId,
    timings: list[Timing],
    existing: dict[str, list[OccurrenceId]],
) -> Node:
    links = []
    for number, timing in enumerate(timings, 1):
        name = f"timing:{occurrence}" + (f"[{number}]" if number > 1 else "")
        reference = _resolve(problem, timing.reference, existing)
        hangs_on = reference if isinstance(reference, OccurrenceId) else None
        if hangs_on is not None and hangs_on is not _LEFT_OUT:
            reference = _followed(problem, hangs_on, timing)
        at_end = isinstance(timing.reference, StepReference) and (
            timing.reference.point is Point.END
        )
        links.append(Link(reference, hangs_on, at_end, timing.bounds, name))
    return Node(occurrence, step, step.importance, step.any_day, links)


def _resolve(
    problem: Problem, reference: Reference, existing: dict[str, list[OccurrenceId]]
) -> OccurrenceId | date | None:
    match reference:
        case PlanStart():
            return problem.plan_start
        case BirthDate():
            return problem.birth_date
        case OutsideEvent(name):
            return problem.events.get(name)
        case StepReference():
            return _resolve_step(problem, reference, existing)


def _resolve_step(
    problem: Problem, reference: StepReference, existing: dict[str, list[OccurrenceId]]
) -> OccurrenceId | None:
    ids = existing.get(reference.step)
    if ids is None:
        return _LEFT_OUT
    skipped = {skip.occurrence for skip in problem.skipped}
    if reference.occurrence in {Nth.FIRST, Nth.LAST}:
        alive = [occurrence for occurrence in ids if occurrence not in skipped]
        step = problem.protocol.step(reference.step)
        assert step is not None
        backward = step.repeat is not None and step.repeat.order is Order.BACKWARD
        at_start = (reference.occurrence == Nth.FIRST) != backward
        return (alive[0] if at_start else alive[-1]) if alive else None
    named = OccurrenceId(reference.step, reference.occurrence)
    if named not in ids:
        return _LEFT_OUT
    return None if named in skipped else named


def _followed(
    problem: Problem, reference: OccurrenceId, timing: Timing
) -> OccurrenceId | date | None:
    """What a timing counts from; while no plan is frozen yet, the planned day is the frozen one."""
    if timing.follows is Follows.PLANNED and reference in problem.baseline:
        frozen = problem.baseline[reference].toordinal()
        step = problem.protocol.step(reference.step)
        assert step is not None
        assert isinstance(timing.reference, StepReference)
        if timing.reference.point is Point.END and step.span is not None:
            frozen = Clock(problem).add(frozen, step.span)
        return date.fromordinal(frozen)
    done = {fact.occurrence for fact in problem.performed}
    if timing.follows is Follows.ACTUAL_ONLY and reference not in done:
        return None
    return reference


def _drop_what_hangs_on_the_left_out(reading: Reading) -> None:
    skipped = {skip.occurrence for skip in reading.problem.skipped}
    while True:
        gone = [
            node.id
            for node in reading.nodes.values()
            if any(
                link.hangs_on is not None
                and link.hangs_on not in reading.nodes
                and link.hangs_on not in skipped
                for link in node.links
            )
        ]
        if not gone:
            return
        for occurrence in gone:
            del reading.nodes[occurrence]


def _mark_facts_and_choices(reading: Reading) -> None:
    problem = reading.problem
    for kept in problem.kept:
        if kept.occurrence in reading.nodes:
            reading.nodes[kept.occurrence].kept = kept
    for fact in problem.performed:
        if fact.occurrence in reading.nodes:
            node = reading.nodes[fact.occurrence]
            node.performed, node.day = True, fact.on
    for pin in problem.pinned:
        _ask(reading, pin.occurrence, f"pin:{pin.occurrence}", pin.on)
    _mark_anchor(reading)


def _mark_anchor(reading: Reading) -> None:
    problem = reading.problem
    anchor = problem.anchor
    if anchor is None or problem.postponed:
        return
    element = f"anchor:{anchor.occurrence}"
    _ask(reading, anchor.occurrence, element, anchor.day)
    found = reading.nodes.get(anchor.occurrence)
    if found is not None and found.asked is None and anchor.earliest_from is not None:
        found.asked_element = element
        if found.id != reading.ignoring:
            found.asked_range = (anchor.earliest_from, anchor.until)


def _ask(reading: Reading, occurrence: OccurrenceId, element: str, day: date | None) -> None:
    node = reading.nodes.get(occurrence)
    if node is not None and not node.performed:
        node.asked_element = element
        node.asked = None if occurrence == reading.ignoring else day


def _mark_undated(reading: Reading) -> None:
    """What hangs on an undated step is undated too, unless a day is asked for it: then it hangs on
    the others alone.
    """
    anchor = reading.problem.anchor
    changed = True
    while changed:
        changed = False
        for node in reading.nodes.values():
            if node.undated or node.performed or node.asked_element or node.id == reading.ignoring:
                continue
            postponed = (
                reading.problem.postponed and anchor is not None and anchor.occurrence == node.id
            )
            if postponed or not node.links or any(_leads_nowhere(reading, k) for k in node.links):
                node.undated = changed = True
    for node in reading.nodes.values():
        node.links = [link for link in node.links if not _leads_nowhere(reading, link)]


def _leads_nowhere(reading: Reading, link: Link) -> bool:
    if link.reference is None:
        return True
    if isinstance(link.reference, OccurrenceId):
        return link.reference not in reading.nodes or reading.nodes[link.reference].undated
    return False


def _mark_held(reading: Reading) -> None:
    """Undone steps whose day has passed stay, unless a performed reference moved the window on."""
    as_of = reading.problem.as_of
    for node in reading.nodes.values():
        if node.kept is None or node.performed or node.undated or node.may_have_begun:
            continue
        if node.kept.day >= as_of or node.id == reading.ignoring:
            continue
        if _as_asked(node, node.kept.day) and not _placed_anew(reading, node, node.kept.day):
            node.held, node.day = True, node.kept.day
            node.asked = node.asked_range = None


def _as_asked(node: Node, day: date) -> bool:
    if node.asked_range is not None:
        first, last = node.asked_range
        return first <= day and (last is None or day <= last)
    return node.asked is None or node.asked == day


def _placed_anew(reading: Reading, node: Node, day: date) -> bool:
    for link in node.links:
        if not isinstance(link.reference, OccurrenceId):
            continue
        reference = reading.nodes[link.reference]
        if not reference.performed or reference.day is None:
            continue
        origin = reference.day.toordinal()
        origin = reading.end_of(reference, origin) if link.at_end else origin
        earliest = reading.bound(link, origin, "earliest", whole=True)
        if earliest is not None and earliest > day.toordinal():
            return True
    return False
