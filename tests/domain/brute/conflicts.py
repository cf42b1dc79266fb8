"""All minimal sets of elements that cannot hold together, by leaving out one after the other."""

from collections.abc import Iterator

from app.domain.problem import Problem
from tests.domain.brute.reading import readings
from tests.domain.brute.search import holds_together


def every_conflict(problem: Problem) -> set[frozenset[str]]:
    """Every minimal conflicting set; none when the problem has a schedule."""
    found: set[frozenset[str]] = set()
    seen: set[frozenset[str]] = set()
    left = [frozenset(_elements(problem))]
    while left:
        elements = left.pop()
        if elements in seen:
            continue
        seen.add(elements)
        if not holds_together(problem, elements):
            smallest = _minimal(problem, elements)
            found.add(smallest)
            left += [elements - {element} for element in smallest]
    return found


def _minimal(problem: Problem, elements: frozenset[str]) -> frozenset[str]:
    needed = set(elements)
    for element in sorted(elements):
        if not holds_together(problem, frozenset(needed - {element})):
            needed.discard(element)
    return frozenset(needed)


def _elements(problem: Problem) -> Iterator[str]:
    yield from ("weekdays", "as_of")
    yield from (f"fact:{fact.occurrence}" for fact in problem.performed)
    yield from (f"pin:{pin.occurrence}" for pin in problem.pinned)
    if problem.anchor is not None:
        yield f"anchor:{problem.anchor.occurrence}"
    yield from (f"rule:{rule.id}" for rule in problem.protocol.rules)
    yield from (f"event:{report.id}" for report in problem.reported)
    yield from (f"closure:{closure.id}" for closure in problem.calendar.closures)
    yield from (f"unavailable:{absence.id}" for absence in problem.absences)
    for plan in problem.other_plans:
        yield from (f"other:{plan.id}/{step.key}" for step in plan.steps)
        yield from (f"rule:{plan.id}/{rule.id}" for rule in plan.rules)
    for reading in readings(problem):
        for node in reading.nodes.values():
            for link in node.links:
                yield from (f"{link.name}.earliest", f"{link.name}.latest")
