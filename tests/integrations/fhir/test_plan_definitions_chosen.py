"""Choices among the actions of others' PlanDefinitions, and conditions, as parameters."""

import pytest

from tests.integrations.fhir.given_plan_definitions import (
    Data,
    action,
    document_of,
    group,
    plan_definition,
    relation,
    steps_of,
)


def _parameters(*actions: Data) -> dict[str, Data]:
    parameters = document_of(plan_definition(*actions)).get("parameters", [])
    return {one["key"]: one for one in parameters}


@pytest.mark.parametrize(
    "behavior, options, default",
    [
        ("exactly-one", ["a", "b", "c"], None),
        ("at-most-one", ["a", "b", "c", "none"], "none"),
        ("all-or-none", ["a-and-b-and-c", "none"], "none"),
        (
            "one-or-more",
            ["c", "b", "b-and-c", "a", "a-and-c", "a-and-b", "a-and-b-and-c"],
            None,
        ),
    ],
)
def test_a_selection_is_a_parameter_with_every_choice_that_is_allowed(
    behavior: str, options: list[str], default: str | None
) -> None:
    parts = [action(name) for name in "abc"]

    chosen = _parameters(group("g", *parts, selectionBehavior=behavior))["g"]

    assert chosen["options"] == options
    assert chosen.get("default") == default


def test_where_any_may_be_chosen_each_is_a_parameter() -> None:
    checked = action("a", precheckBehavior="yes")

    found = _parameters(group("g", checked, action("b"), selectionBehavior="any"))

    assert {key: one["default"] for key, one in found.items()} == {"a": "a", "b": "none"}


def test_a_selection_within_a_selection_is_one_choice() -> None:
    inner = group("inner", action("b"), action("c"), selectionBehavior="at-most-one")
    outer = group("outer", action("a"), inner, selectionBehavior="exactly-one")

    found = _parameters(outer)

    assert list(found) == ["outer"]
    assert found["outer"]["options"] == ["a", "b", "c", "none"]


def test_a_group_that_is_taken_whole_is_there_with_all_its_actions() -> None:
    whole = group("whole", action("b"), action("c"))
    outer = group("outer", action("a"), whole, selectionBehavior="exactly-one")

    steps = steps_of(plan_definition(outer))

    assert steps["b"]["when"] == {"parameter": "outer", "in": ["whole"]}
    assert steps["c"]["when"] == steps["b"]["when"]


def test_what_could_be_done_and_is_not_preselected_is_left_out_at_first() -> None:
    offered = action("a", requiredBehavior="could", precheckBehavior="no")

    assert _parameters(offered)["a"]["default"] == "none"
    assert steps_of(plan_definition(offered, action("b")))["a"]["optional"] is True


def test_what_is_said_of_a_group_that_could_be_done_is_said_of_its_actions() -> None:
    actions = [action("a"), action("b", relation("a", "after-start", 2))]
    optional = plan_definition(group("g", *actions, requiredBehavior="could"), action("c"))
    offered = group("g", *actions, requiredBehavior="could", precheckBehavior="no")

    steps = steps_of(optional)

    assert {key: step.get("optional", False) for key, step in steps.items()} == {
        "a": True,
        "b": True,
        "c": False,
    }
    assert _parameters(offered)["g"] | {"title": ""} == {
        "key": "g",
        "title": "",
        "type": "choice",
        "options": ["g", "none"],
        "default": "none",
    }


def test_conditions_of_a_group_and_of_its_actions_all_hold() -> None:
    def held(text: str) -> Data:
        said = {"language": "text/fhirpath", "expression": text}
        return {"condition": [{"kind": "applicability", "expression": said}]}

    inner = group("g", action("a", **held("active")), action("b"), **held("name.exists()"))
    steps = steps_of(plan_definition(inner, action("c")))

    assert steps["a"]["when"] == {"parameter": "applies-1", "in": ["yes"]}
    assert steps["b"]["when"] == {"parameter": "applies-2", "in": ["yes"]}
    assert "when" not in steps["c"]
