"""Repeats, parameters and alternatives that make no sense are refused."""

from typing import Any

import pytest

from tests.domain.given_documents import Data, choice, document, parameter, step
from tests.domain.given_faults import faults_of


def _at(step_: str, occurrence: Any = None, **members: Any) -> list[Data]:
    reference = {"step": step_} | ({} if occurrence is None else {"occurrence": occurrence})
    return [{"relative_to": reference, "target": "P1D", **members}]


def _repeated(**repeat: Any) -> Data:
    usual = {"count": 2, "spacing": {"target": "P1W"}}
    parameters = [parameter(), choice()]
    return document(step("a", repeat=usual | repeat), parameters=parameters)


@pytest.mark.parametrize(
    "repeat, expected",
    [
        pytest.param(
            {"count": 501}, {"/steps/0/repeat/count": "too-large"}, id="half a thousand and one"
        ),
        pytest.param(
            {"count": {"default": 10**6}},
            {"/steps/0/repeat/count/default": "too-large"},
            id="a million",
        ),
        pytest.param(
            {"count": {"min": 3, "default": 2, "max": 5}},
            {"/steps/0/repeat/count": "not-valid"},
            id="less than the least",
        ),
        pytest.param(
            {"count": {"parameter": "gone"}},
            {
                "/steps/0/repeat/count/parameter": "unknown-parameter",
                "/steps/0/repeat/count/default": "missing",
            },
            id="by nothing",
        ),
        pytest.param(
            {"count": {"parameter": "count", "max": 2}},
            {"/steps/0/repeat/count": "unreachable-count"},
            id="parameter asks for more",
        ),
        pytest.param(
            {"count": {"parameter": "count", "min": 1}},
            {"/steps/0/repeat/count": "unreachable-count"},
            id="parameter asks for less",
        ),
        pytest.param(
            {"count": {"parameter": "when", "default": 1, "max": 2, "by_value": {"late": 4}}},
            {"/steps/0/repeat/count": "unreachable-count"},
            id="value asks for more",
        ),
        pytest.param(
            {"count": {"parameter": "when", "default": 1, "by_value": {"never": 1}}},
            {"/steps/0/repeat/count/by_value/never": "unknown-value"},
            id="value that is none",
        ),
        pytest.param(
            {"spacing": {"target": "-P1W"}},
            {"/steps/0/repeat/spacing": "wrong-direction"},
            id="backwards in time",
        ),
        pytest.param(
            {"order": "backward"},
            {"/steps/0/repeat/spacing": "wrong-direction"},
            id="forwards in time",
        ),
        pytest.param(
            {"spacing": {"earliest": "P2W", "latest": "P1W"}},
            {"/steps/0/repeat/spacing/earliest": "window-backwards"},
            id="spacing backwards",
        ),
        pytest.param(
            {"spacing_by": {"parameter": "count", "values": {"early": {"target": "-P1D"}}}},
            {
                "/steps/0/repeat/spacing_by/parameter": "not-a-choice",
                "/steps/0/repeat/spacing_by/values/early": "wrong-direction",
            },
            id="spacing by a number",
        ),
        pytest.param(
            {
                "spacing_by": {
                    "parameter": "when",
                    "values": {"late": {}, "never": {"target": "P1D"}},
                }
            },
            {
                "/steps/0/repeat/spacing_by/values/late": "missing",
                "/steps/0/repeat/spacing_by/values/never": "unknown-value",
            },
            id="spacing by an unknown value",
        ),
        pytest.param(
            {"spacing_by": {"parameter": "gone", "values": {"late": {"target": "P1D"}}}},
            {"/steps/0/repeat/spacing_by/parameter": "unknown-parameter"},
            id="spacing by nothing",
        ),
        pytest.param(
            {"spacing_by": {"parameter": "when", "values": {}}},
            {"/steps/0/repeat/spacing_by/values": "too-many"},
            id="no values",
        ),
        pytest.param(
            {"spacing_by": {"parameter": "when", "values": {"NOT A VALUE": {"target": "P1D"}}}},
            {"/steps/0/repeat/spacing_by/values": "wrong-form"},
            id="values' names",
        ),
        pytest.param(
            {"spacing_by": {"parameter": "when", "values": []}},
            {"/steps/0/repeat/spacing_by/values": "not-an-object"},
            id="values as list",
        ),
    ],
)
def test_a_repeat_that_makes_no_sense_is_refused(repeat: Data, expected: dict[str, str]) -> None:
    found = faults_of(_repeated(**repeat))

    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    "parameters, expected",
    [
        pytest.param(
            [parameter(min=3, max=1)], {"/parameters/0/min": "runs-backwards"}, id="backwards"
        ),
        pytest.param(
            [parameter(default=9)], {"/parameters/0/default": "unknown-value"}, id="default"
        ),
        pytest.param([parameter(), parameter()], {"/parameters/1/key": "occurs-twice"}, id="twice"),
        pytest.param(
            [choice() | {"default": "never"}],
            {"/parameters/0/default": "unknown-value"},
            id="choice",
        ),
        pytest.param(
            [choice() | {"sources": {"options": ["hearsay"]}}],
            {"/parameters/0/sources/options/0": "unknown-source"},
            id="source",
        ),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    parameters: list[Data], expected: dict[str, str]
) -> None:
    assert faults_of(document(parameters=parameters)) == expected


def test_nothing_is_said_against_values_of_a_parameter_with_faults() -> None:
    condition = {"parameter": "count", "min": 9}
    data = document(step("a", when=condition), parameters=[parameter(min=3, max=1)])

    assert faults_of(data) == {"/parameters/0/min": "runs-backwards"}


@pytest.mark.parametrize(
    "alternatives, expected",
    [
        pytest.param(
            {"choose": {"parameter": "gone"}},
            {"/steps/1/alternatives/choose/parameter": "unknown-parameter"},
            id="chosen by nothing",
        ),
        pytest.param(
            {"choose": {"parameter": "count"}},
            {
                "/steps/1/alternatives/choose/parameter": "not-a-choice",
                "/steps/1/alternatives/options/0/key": "unknown-value",
            },
            id="chosen by a number",
        ),
        pytest.param(
            {"choose": "somebody"}, {"/steps/1/alternatives/choose": "not-allowed"}, id="somebody"
        ),
        pytest.param(
            {"choose": {"parameter": "when"}, "options": [{"key": "never", "timing": _at("a")[0]}]},
            {"/steps/1/alternatives/options/0/key": "unknown-value"},
            id="option that is no value",
        ),
        pytest.param(
            {"options": [{"key": "early", "timing": _at("gone")[0]}]},
            {"/steps/1/alternatives/options/0/timing/relative_to/step": "unknown-step"},
            id="timing from nowhere",
        ),
        pytest.param({"options": []}, {"/steps/1/alternatives/options": "too-few"}, id="none"),
    ],
)
def test_alternatives_that_make_no_sense_are_refused(
    alternatives: Data, expected: dict[str, str]
) -> None:
    usual: Data = {
        "choose": "first_feasible",
        "options": [{"key": "early", "timing": _at("a")[0]}],
    }
    second = step("b", alternatives=usual | alternatives)

    found = faults_of(document(step("a"), second, parameters=[parameter(), choice()]))

    assert expected.items() <= found.items()
