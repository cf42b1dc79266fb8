"""The patient's other plans: what their rules ask of this one, and what was set aside there."""

from collections.abc import Iterator
from typing import assert_never

from app.domain.facts import OtherPlan
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Step, StepKind
from app.domain.rules import (
    KeepAway,
    MinGapOfKinds,
    OverAllPlans,
    Rule,
    Washout,
    is_as_harsh,
    is_at_least,
    keeps_apart_as_much,
)

TREATMENTS = frozenset({StepKind.INJECTION, StepKind.PROCEDURE})


def same_site(problem: Problem, body_site: str | None, laterality: str | None) -> bool:
    """Whether something elsewhere concerns the plan's site and side; unknown counts as the same."""
    site_differs = None not in (body_site, problem.body_site) and body_site != problem.body_site
    return not site_differs and sides_meet(laterality, problem.laterality)


def sides_meet(one: str | None, other: str | None) -> bool:
    """Whether two sides can be the same; unknown and bilateral meet both."""
    return None in (one, other) or one == other or "bilateral" in (one, other)


def widened_elsewhere(plan: OtherPlan, rule: OverAllPlans) -> int | None:
    """By how many days a rule of ours was widened in another plan; ``None`` if wholly set aside.

    There it is a rule of ours, or one of its own that asks as much.
    """
    if rule.id in plan.waived_of_ours:
        return plan.waived_of_ours[rule.id]
    own = (one for one in plan.rules if one.id in plan.waived and _alike(one, rule))
    return next((plan.waived[one.id] for one in own), 0)


def _alike(own: OverAllPlans, rule: OverAllPlans) -> bool:
    match rule:
        case MinGapOfKinds():
            return keeps_apart_as_much(own, rule)
        case Washout():
            return isinstance(own, Washout) and own.agent == rule.agent
        case never:
            assert_never(never)


def rules_elsewhere(problem: Problem) -> Iterator[KeepAway]:
    """The rules of other plans which look at all plans of the patient, as they bind this one.

    One of them is left out where a rule of this plan asks as much: setting that aside must not meet
    the same rule again.
    """
    for plan in problem.other_plans:
        for rule in plan.rules:
            widened = plan.waived.get(rule.id, 0)
            here = not rule.same_site or same_site(problem, plan.body_site, plan.laterality)
            if widened is None or not here:
                continue
            steps, others = _concerned(problem, plan, rule)
            if steps and others:
                yield _keep_away(plan, rule, steps, others, widened)


def _concerned(
    problem: Problem, plan: OtherPlan, rule: OverAllPlans
) -> tuple[frozenset[str], frozenset[str]]:
    """The steps of this plan and of the other which a rule of that one keeps apart."""
    own, protocol = problem.protocol.rules, problem.protocol
    match rule:
        case MinGapOfKinds():
            asked = any(keeps_apart_as_much(one, rule) for one in own)
            ours = [step.key for step in protocol.steps if step.kind in rule.kinds and not asked]
            others = [step.key for step in plan.steps if step.kind in rule.kinds]
        case Washout():
            given = [
                step
                for step in protocol.steps
                if step.agent == rule.agent and step.kind != StepKind.RESTRICTION
            ]
            ours = [step.key for step in given]
            others = [
                step.key
                for step in plan.steps
                if _is_meant(rule, step.key.partition("/")[0], step.kind)
                and not any(_washes(one, rule, step.agent, given) for one in own)
            ]
        case never:
            assert_never(never)
    return frozenset(ours), frozenset(others)


def _is_meant(rule: Washout, key: str, kind: str) -> bool:
    return key in rule.applies_to if rule.applies_to else kind in TREATMENTS


def _washes(own: Rule, rule: Washout, agent: str | None, steps: list[Step]) -> bool:
    """Whether a washout of ours keeps these steps as far from that agent, seen from here."""
    return (
        isinstance(own, Washout)
        and own.agent == agent
        and (rule.same_site or not own.same_site)
        and is_at_least(own.before, rule.after)
        and is_at_least(own.after, rule.before)
        and is_as_harsh(own, rule)
        and all(_is_meant(own, step.key, step.kind) for step in steps)
    )


def _keep_away(
    plan: OtherPlan,
    rule: OverAllPlans,
    steps: frozenset[str],
    others: frozenset[str],
    widened: int,
) -> KeepAway:
    match rule:
        case MinGapOfKinds(offset=offset):
            before: Offset | None = offset
            after: Offset | None = offset
        case Washout():
            before, after = rule.before, rule.after
        case never:
            assert_never(never)
    return KeepAway(
        id=f"{plan.id}/{rule.id}",
        severity=rule.severity,
        waiver_role=rule.waiver_role,
        plan=plan.id,
        steps=steps,
        others=others,
        before=before,
        after=after,
        widened=widened,
        origin=rule,
    )
