"""PlanDefinitions that would take long to read: refused soon."""

import time

import pytest

from tests.integrations.fhir.given_plan_definitions import (
    Data,
    action,
    days_of_cycle,
    group,
    plan_definition,
    refused,
    relation,
    repeating,
)

MANY = [action(f"a{number}") for number in range(150)]
FROM_MANY = [action(f"b{n}", *[relation("g", "after", 1)] * 20) for n in range(200)]
CYCLING = [one | days_of_cycle(*range(1, 22)) for one in MANY]


@pytest.mark.parametrize(
    "resource, code",
    [
        pytest.param(
            plan_definition(
                group("g", *CYCLING, **repeating(count=500, period=21, periodUnit="d"))
            ),
            "too-costly",
            id="cycles without end",
        ),
        pytest.param(
            plan_definition(action("x"), action("y", *[relation("x", "after", 1)] * 5000)),
            "too-costly",
            id="5,000 relations",
        ),
        pytest.param(
            plan_definition(group("g", *MANY), *FROM_MANY), "not-supported", id="all from a group"
        ),
    ],
)
def test_what_would_take_long_is_refused_soon(resource: Data, code: str) -> None:
    began = time.perf_counter()

    found = refused(resource)

    assert code in found.values()
    assert time.perf_counter() - began < 10
