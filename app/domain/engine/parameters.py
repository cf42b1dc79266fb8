"""The values of a plan's parameters and what hangs on them: conditions, counts, spacings."""

from collections.abc import Mapping
from dataclasses import replace

from app.domain.facts import InvalidRequest
from app.domain.problem import Problem
from app.domain.protocols import Bounds, Condition, Count, Effect, Repeat

Values = Mapping[str, str | int]


def decided_effects(problem: Problem) -> list[Effect]:
    """The effects of every decision taken, in protocol order."""
    return [effect for _, effect in taken_effects(problem)]


def taken_effects(problem: Problem) -> list[tuple[str, Effect]]:
    """The same, each with its decision."""
    if not problem.decided:
        return []
    return [
        (step.key, effect)
        for step in problem.protocol.steps
        for choice in step.choices
        if problem.decided.get(step.key) == choice.key
        for effect in choice.effects
    ]


def parameters_of(problem: Problem, effects: list[Effect]) -> dict[str, str | int]:
    """Every parameter's value: the default, what the plan says, what decisions have set.

    Raises InvalidRequest for a parameter or value the protocol does not know.
    """
    known = {parameter.key: parameter for parameter in problem.protocol.parameters}
    values: dict[str, str | int] = {
        key: parameter.default for key, parameter in known.items() if parameter.default is not None
    }
    for key, given in problem.parameters.items():
        if key not in known:
            raise InvalidRequest("the protocol has no such parameter")
        if not known[key].accepts(given):
            raise InvalidRequest(f"parameter '{key}' does not take this value")
        values[key] = given
    for effect in effects:
        if effect.type == "set" and effect.parameter is not None and effect.value is not None:
            values[effect.parameter] = effect.value
    return values


def with_rules_that_hold(problem: Problem) -> Problem:
    """The problem without rules whose parameter has another value."""
    rules = problem.protocol.rules
    if all(rule.parameter is None for rule in rules):
        return problem
    values = parameters_of(problem, decided_effects(problem))
    kept = tuple(
        rule
        for rule in rules
        if rule.parameter is None or values.get(rule.parameter) in rule.parameter_values
    )
    return replace(problem, protocol=replace(problem.protocol, rules=kept))


def holds(condition: Condition | None, values: Values) -> bool:
    """Whether a condition on a parameter holds; no condition always does."""
    if condition is None:
        return True
    value = values.get(condition.parameter)
    if condition.minimum is not None:
        return isinstance(value, int) and value >= condition.minimum
    return value in condition.values


def counted(count: Count, values: Values) -> int:
    """How many occurrences the parameters ask for."""
    if count.parameter is None:
        return count.default
    value = values.get(count.parameter)
    if count.by_value:
        return dict(count.by_value).get(str(value), count.default)
    if isinstance(value, int):
        return max(0, min(value - count.less, count.maximum))
    return count.default


def spacing_of(repeat: Repeat, values: Values) -> Bounds:
    """The spacing the parameters ask for."""
    if repeat.spacing_parameter is None:
        return repeat.spacing
    chosen = str(values.get(repeat.spacing_parameter))
    return dict(repeat.spacing_by).get(chosen, repeat.spacing)
