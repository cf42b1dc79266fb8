"""Ways in which the parameters of a protocol can be set, a bounded number of them."""

from collections.abc import Iterable, Iterator
from itertools import islice, product

from app.domain.protocols import Parameter, ParameterType

Values = dict[str, str | int]

MOST_VALUES = 12
MOST_ASSIGNMENTS = 200


def defaults(parameters: Iterable[Parameter]) -> Values:
    """What holds if nobody says otherwise."""
    return {
        parameter.key: parameter.default
        for parameter in parameters
        if parameter.default is not None
    }


def values_of(parameter: Parameter) -> tuple[str | int, ...]:
    """Every value of a choice; of a number the least and the greatest, and some between."""
    if parameter.type is ParameterType.CHOICE:
        return parameter.options
    usual = parameter.default if isinstance(parameter.default, int) else 0
    low = parameter.minimum if parameter.minimum is not None else min(usual, 0)
    high = parameter.maximum if parameter.maximum is not None else max(usual, low)
    between = range(low, min(high, low + MOST_VALUES - 2) + 1)
    return tuple(dict.fromkeys((*between, high)))


def one_changed(parameters: tuple[Parameter, ...]) -> Iterator[tuple[str | None, Values]]:
    """The defaults, then each parameter with each other value, named."""
    usual = defaults(parameters)
    yield None, usual
    for parameter in parameters:
        for value in values_of(parameter):
            if value != usual.get(parameter.key):
                yield parameter.key, {**usual, parameter.key: value}


def all_of(parameters: Iterable[Parameter]) -> Iterator[Values]:
    """Every combination of the values of a few parameters, the first 200."""
    known = list(parameters)
    combinations = product(*(values_of(parameter) for parameter in known))
    for values in islice(combinations, MOST_ASSIGNMENTS):
        yield dict(zip((parameter.key for parameter in known), values, strict=True))
