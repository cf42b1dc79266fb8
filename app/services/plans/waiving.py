"""Whether what a person waives can be waived at all, and who may waive and decide."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.domain.engine import waivable_elements, waiver_role
from app.domain.errors import Fault
from app.domain.permissions import Grant, NotPermitted, Right
from app.domain.plans.changes import Change, Decide, Waive
from app.domain.plans.state import Surroundings
from app.domain.plans.step_changes import CloseStart
from app.domain.problem import Problem
from app.domain.protocols import Protocol
from app.domain.rules import Rule


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


def rules_known(protocol: Protocol, around: Surroundings) -> Iterator[Rule]:
    """The rules which a plan can be held to, by the names that waivers have for them."""
    yield from protocol.rules
    yield from around.clinic_rules
    for plan in around.other_plans:
        yield from (replace(rule, id=f"{plan.id}/{rule.id}") for rule in plan.rules)


def refuse_unpermitted(grant: Grant, changes: Iterable[Change], rules: Iterable[Rule]) -> None:
    """Raise NotPermitted for a decision or waiver which whoever acts may not take."""
    rules = tuple(rules)
    for change in changes:
        match change:
            case Decide() if not grant.may(Right.DECIDE):
                raise NotPermitted("only a clinician may take a decision")
            case CloseStart(_, _, None) if not grant.may(Right.DECIDE):
                raise NotPermitted("only a clinician may dismiss what a decision started")
            case Waive(element) if not grant.may_waive_as(waiver_role(element, rules)):
                role = waiver_role(element, rules)
                raise NotPermitted(f"only the role {role} may set this aside")
