"""Effects of decisions, and rules, that make no sense are refused."""

import pytest

from tests.domain.given_documents import Data, choice, document, step
from tests.domain.given_faults import faults_of


@pytest.mark.parametrize(
    "effect, expected",
    [
        pytest.param({"type": "pray"}, {"/type": "not-allowed"}, id="unknown"),
        pytest.param({}, {"/type": "not-allowed"}, id="nothing"),
        pytest.param({"type": "keep", "steps": ["gone"]}, {"/steps/0": "unknown-step"}, id="step"),
        pytest.param(
            {"type": "set", "parameter": "gone", "value": "x"},
            {"/parameter": "unknown-parameter"},
            id="parameter",
        ),
        pytest.param(
            {"type": "set", "parameter": "when", "value": "never"},
            {"/value": "unknown-value"},
            id="value",
        ),
        pytest.param(
            {"type": "shift", "steps": ["a"]}, {"/offset": "missing"}, id="shift by nothing"
        ),
        pytest.param(
            {"type": "start", "protocol": "other", "counts_as": {"primer": "gone"}},
            {"/counts_as/primer": "unknown-step"},
            id="counts as",
        ),
    ],
)
def test_an_effect_that_makes_no_sense_is_refused(effect: Data, expected: dict[str, str]) -> None:
    choices = [{"key": "yes", "title": "Yes", "effects": [effect]}]
    decision = step("d", kind="decision", choices=choices)

    found = faults_of(document(step("a"), decision, parameters=[choice()]))

    at = "/steps/1/choices/0/effects/0"
    assert found == {at + place: code for place, code in expected.items()}


@pytest.mark.parametrize(
    "rule, expected",
    [
        pytest.param({"type": "wish"}, {"/type": "not-allowed"}, id="unknown"),
        pytest.param(
            {"type": "min_gap", "offset": "P1D"},
            {"/from": "missing", "/to": "missing"},
            id="gap of nothing",
        ),
        pytest.param(
            {"type": "min_gap", "from": "a", "to": "gone/1", "offset": "P1D"},
            {"/to": "unknown-step"},
            id="step",
        ),
        pytest.param(
            {"type": "min_gap", "between": ["a", "b/7"], "offset": "P1D"},
            {"/between/1": "unknown-occurrence"},
            id="occurrence",
        ),
        pytest.param(
            {"type": "min_gap", "between": ["a"], "offset": "P1D"},
            {"/between": "too-few"},
            id="between one",
        ),
        pytest.param(
            {"type": "min_gap", "between": ["a", 7], "offset": "P1D"},
            {"/between/1": "not-text"},
            id="between a number",
        ),
        pytest.param(
            {"type": "min_gap", "kinds": ["visit"], "offset": "P1D", "exempt": [["gone"]]},
            {"/exempt/0/steps/0": "unknown-step"},
            id="exempt",
        ),
        pytest.param(
            {"type": "max_gap", "from": "a", "to": "b", "offset": "P20Y"},
            {"/offset": "invalid-offset"},
            id="twenty years",
        ),
        pytest.param(
            {"type": "max_gap", "from": "a", "to": "b", "offset": "-P2W"},
            {"/offset": "wrong-form"},
            id="negative",
        ),
        pytest.param({"type": "washout", "agent": "nsaid"}, {"": "missing"}, id="no days"),
        pytest.param(
            {"type": "washout", "agent": "nsaid", "before": "P20Y"},
            {"/before": "invalid-offset"},
            id="washout of twenty years",
        ),
        pytest.param(
            {"type": "readiness", "findings": ["fever"], "applies_to": ["gone"]},
            {"/applies_to/0": "unknown-step"},
            id="readiness",
        ),
        pytest.param(
            {"type": "order", "before": "a", "after": "b", "when": {"parameter": "x", "in": ["y"]}},
            {"/when/parameter": "unknown-parameter"},
            id="condition",
        ),
        pytest.param(
            {"type": "cluster", "steps": ["a", "b"], "sources": ["hearsay"]},
            {"/sources/0": "unknown-source"},
            id="source",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: Data, expected: dict[str, str]) -> None:
    repeated = step("b", repeat={"count": 2, "spacing": {"target": "P1W"}})

    found = faults_of(document(step("a"), repeated, rules=[{"id": "r", **rule}]))

    assert found == {"/rules/0" + place: code for place, code in expected.items()}
