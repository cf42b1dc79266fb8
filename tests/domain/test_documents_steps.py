"""Steps that make no sense are refused, each fault by its place."""

from typing import Any

import pytest

from tests.domain.given_documents import Data, choice, document, step
from tests.domain.given_faults import faults_of


def _two(**second: Any) -> Data:
    repeated = step("many", repeat={"count": 3, "spacing": {"target": "P1W"}})
    points = step("points", relative_to="plan_start", timepoints=[{"key": "m3", "target": "P3M"}])
    return document(step("a"), repeated, points, step("b", **second), parameters=[choice()])


def _at(step_: str, occurrence: Any = None, **members: Any) -> list[Data]:
    reference = {"step": step_} | ({} if occurrence is None else {"occurrence": occurrence})
    return [{"relative_to": reference, "target": "P1D", **members}]


@pytest.mark.parametrize(
    "members, expected",
    [
        pytest.param(
            {"timings": _at("many", 4)},
            {"/steps/3/timings/0/relative_to/occurrence": "unknown-occurrence"},
            id="fourth of three",
        ),
        pytest.param(
            {"timings": _at("a", 1)},
            {"/steps/3/timings/0/relative_to/occurrence": "unknown-occurrence"},
            id="number of a single step",
        ),
        pytest.param(
            {"timings": _at("many", "m3")},
            {"/steps/3/timings/0/relative_to/occurrence": "unknown-occurrence"},
            id="timepoint of a repeat",
        ),
        pytest.param(
            {"timings": _at("points", "m6")},
            {"/steps/3/timings/0/relative_to/occurrence": "unknown-occurrence"},
            id="another timepoint",
        ),
        pytest.param(
            {"timings": _at("many", "previous")},
            {"/steps/3/timings/0/relative_to/occurrence": "not-allowed"},
            id="previous of another step",
        ),
        pytest.param(
            {"timings": _at("b")}, {"/steps/3/timings/0/relative_to/step": "cycle"}, id="itself"
        ),
        pytest.param(
            {"timings": [{"relative_to": "yesterday", "target": "P1D"}]},
            {"/steps/3/timings/0/relative_to": "not-allowed"},
            id="no reference",
        ),
        pytest.param(
            {"timings": [{"relative_to": 7, "target": "P1D"}]},
            {"/steps/3/timings/0/relative_to": "not-allowed"},
            id="number as reference",
        ),
        pytest.param(
            {"timings": _at("a", **{"from": "end"})},
            {"/steps/3/timings/0/from": "not-allowed"},
            id="end of what has no span",
        ),
        pytest.param(
            {"timings": [{"relative_to": "plan_start", "from": "end", "target": "P1D"}]},
            {"/steps/3/timings/0/from": "not-allowed"},
            id="end of a day",
        ),
        pytest.param({"follows": "planned"}, {"/steps/3/follows": "not-allowed"}, id="stray"),
        pytest.param(
            {"relative_to": {"step": "a"}}, {"/steps/3/timepoints": "missing"}, id="no timepoints"
        ),
        pytest.param(
            {"timepoints": [{"key": "m1", "target": "P1M"}]},
            {"/steps/3/relative_to": "missing"},
            id="timepoints from nowhere",
        ),
        pytest.param(
            {
                "relative_to": {"step": "a"},
                "timings": _at("a"),
                "timepoints": [{"key": "m1", "target": "P1M"}],
            },
            {"/steps/3/timings": "not-allowed"},
            id="timings beside timepoints",
        ),
        pytest.param(
            {
                "relative_to": {"step": "gone"},
                "timepoints": [{"key": "m1", "target": "P1M"}],
            },
            {"/steps/3/relative_to/step": "unknown-step"},
            id="timepoints from an unknown step",
        ),
        pytest.param(
            {
                "relative_to": {"step": "a"},
                "timepoints": [
                    {"key": "m1", "target": "P1M"},
                    {"key": "m1", "earliest": "P3D", "latest": "P1D"},
                ],
            },
            {
                "/steps/3/timepoints/1/key": "occurs-twice",
                "/steps/3/timepoints/1/earliest": "window-backwards",
            },
            id="timepoint twice",
        ),
        pytest.param(
            {
                "relative_to": {"step": "a"},
                "timepoints": [{"key": "m1", "target": "P1M"}],
                "repeat": {"count": 2, "spacing": {"target": "P1W"}},
            },
            {"/steps/3": "not-valid"},
            id="timepoints repeated",
        ),
        pytest.param(
            {"requires": ["gone"]}, {"/steps/3/requires/0": "unknown-step"}, id="requires"
        ),
        pytest.param(
            {"choices": [{"key": "yes", "title": "Yes"}]},
            {"/steps/3/choices": "not-allowed"},
            id="choices of a visit",
        ),
        pytest.param(
            {"when": {"parameter": "gone", "in": ["x"]}},
            {"/steps/3/when/parameter": "unknown-parameter"},
            id="condition on nothing",
        ),
        pytest.param(
            {"when": {"parameter": "when", "in": ["never"], "min": 3}},
            {"/steps/3/when/in/0": "unknown-value", "/steps/3/when/min": "unknown-value"},
            id="condition that never holds",
        ),
        pytest.param(
            {"sources": {"timing": ["hearsay", "cfg"]}},
            {"/steps/3/sources/timing/0": "unknown-source"},
            id="source",
        ),
        pytest.param(
            {"span_seen": {"min": "P3W", "max": "P1W"}},
            {"/steps/3/span_seen": "runs-backwards"},
            id="spread backwards",
        ),
        pytest.param(
            {"span_seen": {"min": "P20Y", "max": "P1W"}},
            {"/steps/3/span_seen/min": "invalid-offset"},
            id="spread too long",
        ),
        pytest.param(
            {"instructions": [{"offset": "P20Y", "audience": "patient", "text": "Wait."}]},
            {"/steps/3/instructions/0/offset": "invalid-offset"},
            id="instruction in twenty years",
        ),
        pytest.param(
            {
                "appointment": {
                    "minutes": 30,
                    "segments": [
                        {"key": "x", "start": 20, "minutes": 20},
                        {"key": "y", "start": 5, "minutes": 1, "start_range": {"min": 6, "max": 9}},
                    ],
                }
            },
            {
                "/steps/3/appointment/segments/0/minutes": "too-large",
                "/steps/3/appointment/segments/1": "not-valid",
            },
            id="segments",
        ),
        pytest.param(
            {"resources": [{"bed": "x"}]}, {"/steps/3/resources/0": "not-allowed"}, id="bed"
        ),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(members: Data, expected: dict[str, str]) -> None:
    assert faults_of(_two(**members)) == expected
