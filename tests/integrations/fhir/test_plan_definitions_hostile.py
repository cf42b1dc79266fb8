"""PlanDefinitions that are wrong, huge or mean: refused where they are, never more than that."""

import math
import time
from typing import Any

import pytest

from app.integrations.fhir.plan_definitions import read_protocol
from tests.integrations.fhir.given_plan_definitions import (
    Data,
    acceptable,
    action,
    days_between,
    days_of_cycle,
    duration,
    group,
    plan_definition,
    refused,
    relation,
    repeating,
)

AT = "PlanDefinition.action"
CYCLE = repeating(count=2, period=3, periodUnit="wk")


def _deep(depth: int) -> Data:
    found = action("leaf")
    for number in range(depth):
        found = group(f"g{number}", found)
    return found


def _condition(**expression: Any) -> Data:
    return {"condition": [{"kind": "applicability", "expression": expression}]}


@pytest.mark.parametrize(
    "resource, expression, code",
    [
        pytest.param(
            plan_definition(*(action(f"a{n}") for n in range(2000))), AT, "too-costly", id="2,000"
        ),
        pytest.param(
            plan_definition(*(action(f"a{n}") for n in range(201))), AT, "business-rule", id="201"
        ),
        pytest.param(plan_definition(_deep(20)), AT, "too-costly", id="deep"),
        pytest.param(plan_definition(), AT, "structure", id="no action"),
        pytest.param(
            plan_definition(
                action("a", relation("b", "after", 1)), action("b", relation("a", "after", 1))
            ),
            f"{AT}[0]",
            "business-rule",
            id="a circle",
        ),
        pytest.param(
            plan_definition(
                group("g", action("a", relation("h", "after", 1))),
                group("h", action("b", relation("g", "after", 1))),
            ),
            f"{AT}[0].action[0]",
            "business-rule",
            id="groups in a circle",
        ),
        pytest.param(
            plan_definition(group("g", action("a", relation("g", "after", 1)))),
            f"{AT}[0].action[0].relatedAction[0].actionId",
            "business-rule",
            id="its own group",
        ),
        pytest.param(
            plan_definition(action("a", relation("a", "after", 1))),
            f"{AT}[0].relatedAction[0].actionId",
            "business-rule",
            id="itself",
        ),
        pytest.param(
            plan_definition(action("a", relation("nobody", "after", 1))),
            f"{AT}[0].relatedAction[0].actionId",
            "not-found",
            id="dangling",
        ),
        pytest.param(
            plan_definition(action("a"), action("a")), f"{AT}[1].id", "business-rule", id="one id"
        ),
        pytest.param(
            plan_definition(action("a", colour="red")), f"{AT}[0]", "structure", id="unknown"
        ),
        pytest.param(
            plan_definition(action("a", modifierExtension=[{"url": "x"}])),
            f"{AT}[0].modifierExtension",
            "not-supported",
            id="modifier",
        ),
        pytest.param(
            plan_definition(action("a", timingDateTime="2027-01-01")),
            f"{AT}[0].timingDateTime",
            "not-supported",
            id="a day of the calendar",
        ),
        pytest.param(
            plan_definition(action("a", timingAge=duration(1, "a"), timingTiming={})),
            f"{AT}[0].timing[x]",
            "structure",
            id="two timings",
        ),
    ],
)
def test_what_cannot_be_a_plan_is_refused(resource: Data, expression: str, code: str) -> None:
    found = refused(resource)

    assert found[expression] == code


@pytest.mark.parametrize(
    "member, value",
    [
        ("selectionBehavior", "some"),
        ("requiredBehavior", "should"),
        ("precheckBehavior", "maybe"),
        ("groupingBehavior", "heap"),
        ("cardinalityBehavior", "many"),
    ],
)
def test_codes_that_r4_does_not_have_are_refused(member: str, value: str) -> None:
    found = refused(plan_definition(action("a", **{member: value})))

    assert found == {f"{AT}[0].{member}": "code-invalid"}


@pytest.mark.parametrize(
    "related, place, code",
    [
        pytest.param({"actionId": "ref"}, "relationship", "required", id="no way"),
        pytest.param({"relationship": "after"}, "actionId", "required", id="no action"),
        pytest.param(relation("ref", "during"), "relationship", "code-invalid", id="no such way"),
        pytest.param(
            relation("ref", "after", 1, offsetRange=days_between(1, 2)),
            "offset[x]",
            "structure",
            id="both choices",
        ),
        pytest.param(
            relation("ref", "after", offsetRange=days_between(1, 2), **acceptable(1, 2)),
            "extension",
            "business-rule",
            id="two ranges",
        ),
        pytest.param(
            relation("ref", "concurrent", 1), "offset[x]", "business-rule", id="an hour together"
        ),
        pytest.param(
            relation("ref", "after", offsetRange=days_between(5, 2)),
            "offsetRange",
            "value",
            id="backwards",
        ),
        pytest.param(
            relation("ref", "after", offsetRange={}), "offsetRange", "structure", id="no ends"
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(5, comparator="<="), **acceptable(1)),
            "offsetDuration.comparator",
            "business-rule",
            id="bounded twice",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(1, "mo", comparator="<")),
            "offsetDuration.comparator",
            "not-supported",
            id="less than a month",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(5, comparator="~")),
            "offsetDuration.comparator",
            "code-invalid",
            id="about",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(5, "fortnight")),
            "offsetDuration.code",
            "not-supported",
            id="unknown code",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration={"value": 5, "unit": "moons"}),
            "offsetDuration.unit",
            "not-supported",
            id="unknown unit",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration={"value": 5}),
            "offsetDuration",
            "not-supported",
            id="no unit",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(5) | {"system": "http://e.org"}),
            "offsetDuration.system",
            "not-supported",
            id="another system",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(1.5)),
            "offsetDuration",
            "value",
            id="half a day",
        ),
        pytest.param(
            relation("ref", "after", offsetDuration=duration(36, "h")),
            "offsetDuration",
            "value",
            id="a day and a half",
        ),
        pytest.param(relation("ref", "after", 99_999), "offsetDuration", "value", id="300 years"),
        pytest.param(
            relation("ref", "after", 10**30), "offsetDuration.value", "value", id="eternity"
        ),
        pytest.param(
            relation("ref", "after", math.nan), "offsetDuration.value", "value", id="no number"
        ),
        pytest.param(
            relation("ref", "after", math.inf), "offsetDuration.value", "value", id="infinite"
        ),
        pytest.param(relation("ref", "after", True), "offsetDuration.value", "structure", id="yes"),
        pytest.param(relation("ref", "after", "5"), "offsetDuration.value", "structure", id="text"),
        pytest.param(
            relation("ref", "after", offsetDuration=5),
            "offsetDuration",
            "structure",
            id="no object",
        ),
    ],
)
def test_relations_that_cannot_be_honoured_are_refused_where_they_are(
    related: Data, place: str, code: str
) -> None:
    resource = plan_definition(action("ref"), action("a", related))

    assert refused(resource)[f"{AT}[1].relatedAction[0].{place}"] == code


@pytest.mark.parametrize(
    "repeat, place, code",
    [
        ({"count": 0, "period": 1, "periodUnit": "d"}, "count", "value"),
        ({"count": 501, "period": 1, "periodUnit": "d"}, "count", "value"),
        ({"count": 3, "countMax": 2, "period": 1, "periodUnit": "d"}, "countMax", "value"),
        ({"count": 3}, "period", "required"),
        ({"period": 1, "periodUnit": "d"}, "count", "required"),
        ({"count": 3, "period": 1, "periodUnit": "h"}, "period", "value"),
        ({"count": 3, "period": -1, "periodUnit": "d"}, "period", "value"),
        ({"count": 3, "period": 1}, "period", "not-supported"),
        ({"count": 3, "periodMax": 1, "periodUnit": "d"}, "period", "required"),
        (
            {"count": 3, "period": 1, "periodUnit": "d", "frequency": 2},
            "frequency",
            "not-supported",
        ),
        ({"dayOfWeek": ["mon"]}, "dayOfWeek", "not-supported"),
        ({"boundsPeriod": {"start": "2027-01-01"}}, "boundsPeriod", "not-supported"),
        (
            {"boundsDuration": duration(1, "d"), "period": 1, "periodUnit": "wk"},
            "boundsDuration",
            "not-supported",
        ),
        ({"duration": -1, "durationUnit": "d"}, "duration", "value"),
    ],
)
def test_repeats_without_days_are_refused(repeat: Data, place: str, code: str) -> None:
    found = refused(plan_definition(action("a", **repeating(**repeat)), action("b")))

    assert found[f"{AT}[0].timingTiming.repeat.{place}"] == code


@pytest.mark.parametrize(
    "cycle, expression",
    [
        pytest.param(
            group("g", action("a", **days_of_cycle(22)), **CYCLE),
            f"{AT}[0].action[0].extension.extension[0]",
            id="beyond the cycle",
        ),
        pytest.param(
            group("g", action("a", **days_of_cycle(True, "1", 1, 1)), **CYCLE),
            f"{AT}[0].action[0].extension.extension[0]",
            id="no days",
        ),
        pytest.param(
            group("g", action("a"), **repeating(count=2)),
            f"{AT}[0].timingTiming.repeat",
            id="endless",
        ),
        pytest.param(
            group("g", group("h", action("a"), **CYCLE), **CYCLE),
            f"{AT}[0].action[0].timingTiming.repeat",
            id="cycles in cycles",
        ),
        pytest.param(
            group("g", action("a", **CYCLE), **CYCLE),
            f"{AT}[0].action[0].timingTiming.repeat",
            id="a chain in a cycle",
        ),
        pytest.param(
            group("g", action("a"), action("b", relation("a", "after", 1)), **CYCLE),
            f"{AT}[0].action[1]",
            id="after a mate",
        ),
        pytest.param(
            action("a", **days_of_cycle(1)), f"{AT}[0].extension.extension[0]", id="no cycle"
        ),
    ],
)
def test_cycles_that_have_no_days_are_refused(cycle: Data, expression: str) -> None:
    assert expression in refused(plan_definition(cycle))


@pytest.mark.parametrize(
    "condition, place",
    [
        (_condition(language="text/cql", expression="x"), "condition[0].expression"),
        (_condition(language="text/fhirpath"), "condition[0].expression.expression"),
        (_condition(expression="true"), "condition[0].expression"),
        (
            _condition(language="text/fhirpath", expression="a" * 1001),
            "condition[0].expression.expression",
        ),
        ({"condition": [{"kind": "start", "expression": {}}]}, "condition[0]"),
        ({"condition": [{"kind": "when"}]}, "condition[0].kind"),
        ({"condition": [{}]}, "condition[0].kind"),
        ({"condition": [{"kind": "applicability"}]}, "condition[0].expression"),
    ],
)
def test_conditions_that_are_not_evaluated_are_refused(condition: Data, place: str) -> None:
    assert f"{AT}[0].{place}" in refused(plan_definition(action("a", **condition)))


def test_selections_too_many_to_tell_are_refused() -> None:
    parts = [action(f"a{number}") for number in range(7)]
    nested = group("g", *parts, selectionBehavior="one-or-more")

    assert refused(plan_definition(nested)) == {f"{AT}[0].selectionBehavior": "too-costly"}


def test_a_condition_within_a_selection_is_refused() -> None:
    held = action("a", **_condition(language="text/fhirpath", expression="true"))
    chosen = group("g", held, action("b"), selectionBehavior="exactly-one")

    assert refused(plan_definition(chosen)) == {f"{AT}[0].action[0].condition": "not-supported"}


def test_the_largest_that_is_read_takes_no_time() -> None:
    chain = [action("a0")]
    chain += [action(f"a{n}", relation(f"a{n - 1}", "after", 1)) for n in range(1, 200)]
    began = time.perf_counter()

    read = read_protocol(plan_definition(*chain))

    assert read.document is not None
    assert time.perf_counter() - began < 5
