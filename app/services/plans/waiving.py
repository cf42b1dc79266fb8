"""Whether what a person waives can be waived at all."""

from collections.abc import Iterable

from app.domain.engine import waivable_elements
from app.domain.errors import Fault
from app.domain.plans.changes import Change, Waive
from app.domain.problem import Problem


def waiver_faults(changes: Iterable[Change | None], problem: Problem) -> list[Fault]:
    """A fault for each waiver of something that is not there, or that nobody may set aside."""
    changes = list(changes)
    if not any(isinstance(change, Waive) for change in changes):
        return []
    known = waivable_elements(problem)
    text = "names no timing, rule or closed day of this plan that could be set aside"
    return [
        Fault(f"/changes/{number}/element", "not-waivable", text)
        for number, change in enumerate(changes)
        if isinstance(change, Waive) and change.element not in known
    ]
