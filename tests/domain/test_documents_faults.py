"""Every fault of a document is named, all at once, each by its place."""

from typing import Any

import pytest

from app.domain.documents import InvalidProtocol, parse_protocol
from app.domain.documents.codes import is_loinc, is_snomed_id
from app.domain.documents.shapes import MAX_FAULTS
from tests.domain.given_documents import (
    Data,
    after,
    choice,
    document,
    parameter,
    sample,
    step,
)


def faults_of(data: Any) -> dict[str, str]:
    """The code of each fault by its pointer."""
    with pytest.raises(InvalidProtocol) as caught:
        parse_protocol(data)
    return {fault.pointer: fault.code for fault in caught.value.faults}


def text_of(data: Any) -> str:
    """All faults in words."""
    with pytest.raises(InvalidProtocol) as caught:
        parse_protocol(data)
    return "; ".join(fault.text for fault in caught.value.faults)


def test_all_faults_are_told_at_once() -> None:
    first = step("a", timings=after("b", earliest="P1D"))
    second = step("b", timings=after("a", target="P5D", latest="P3D"))
    third = step("c", timings=after("nowhere", target="P1D"), colour="red")
    coding = {"system": "snomed-ct", "code": "53053002"}
    data = document(first, second, third, condition={"text": "Pain", "codings": [coding]})

    assert faults_of(data) == {
        "/steps/0/timings/0/relative_to": "cycle",
        "/steps/1/timings/0/target": "target-outside-window",
        "/steps/2/colour": "unknown-field",
        "/steps/2/timings/0/relative_to/step": "unknown-step",
        "/condition/codings/0/code": "invalid-code",
    }


@pytest.mark.parametrize(
    "pointer, value, code",
    [
        pytest.param("/format", 2, "too-large", id="format of the future"),
        pytest.param("/format", "1", "not-an-integer", id="format as text"),
        pytest.param("/format", True, "not-an-integer", id="format as truth"),
        pytest.param("/key", "Ankle PRP", "wrong-form", id="key with a space"),
        pytest.param("/version", "1.0", "wrong-form", id="version of two parts"),
        pytest.param("/title", "", "blank", id="no title"),
        pytest.param("/title", " \n ", "blank", id="blank title"),
        pytest.param("/title", "x" * 201, "too-long", id="endless title"),
        pytest.param("/title", "a\x00b", "invalid-character", id="null character"),
        pytest.param("/title", "a\ud800b", "invalid-character", id="lone surrogate"),
        pytest.param("/title", "a\u202eb", "invalid-character", id="reversed text"),
        pytest.param("/title", 7, "not-text", id="title as number"),
        pytest.param("/version", 1, "not-text", id="version as number"),
        pytest.param("/example", "yes", "not-a-boolean", id="example in words"),
        pytest.param("/month_end", "clip", "not-allowed", id="month end"),
        pytest.param("/drift_tolerance", -1, "too-small", id="drift below zero"),
        pytest.param("/drift_tolerance", 1.5, "not-an-integer", id="half a day"),
        pytest.param("/steps", {}, "not-a-list", id="steps as object"),
        pytest.param("/steps", [], "too-few", id="no steps"),
        pytest.param("/steps/0", "session", "not-an-object", id="step as text"),
        pytest.param("/steps/0/kind", "operation", "not-allowed", id="kind"),
        pytest.param("/steps/0/importance", 0, "too-small", id="no importance"),
        pytest.param("/steps/0/span", "-P3D", "wrong-form", id="negative span"),
        pytest.param("/steps/0/span", "P3H", "wrong-form", id="hours"),
        pytest.param("/steps/0/span", "P99Y", "invalid-offset", id="a century"),
        pytest.param("/steps/0/timings", "later", "not-a-list", id="timings in words"),
        pytest.param("/parameters", [{"key": "p"}], "not-allowed", id="parameter without type"),
        pytest.param("/anchor", "nothing", "unknown-step", id="anchor"),
        pytest.param("/body_site", {"key": "ankle"}, "missing", id="site without words"),
    ],
)
def test_a_wrong_member_is_refused_where_it_stands(pointer: str, value: Any, code: str) -> None:
    data = document()
    *path, last = pointer.strip("/").split("/")
    place: Any = data
    for name in path:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value

    found = faults_of(data)

    assert code in found.values()
    assert all(where.startswith(pointer) for where, kind in found.items() if kind == code)


@pytest.mark.parametrize("data", [None, [], "text", 7], ids=["nothing", "list", "text", "number"])
def test_what_is_no_object_is_refused(data: Any) -> None:
    assert faults_of(data) == {"": "not-an-object"}


def test_required_members_are_missed() -> None:
    found = faults_of({"format": 1, "steps": [{"key": "a"}]})

    assert found == {
        "/key": "missing",
        "/version": "missing",
        "/title": "missing",
        "/steps/0/kind": "missing",
        "/steps/0/title": "missing",
    }


def test_an_unknown_member_which_is_no_field_name_is_not_repeated() -> None:
    data = document() | {"Jane Doe, born 1970": 1}

    assert faults_of(data) == {"": "unknown-field"}


def test_a_step_with_faults_is_still_known_by_its_key() -> None:
    broken = step("a", kind="unheard-of")
    data = document(broken, step("b", timings=after("a", target="P1D")))

    assert faults_of(data) == {"/steps/0/kind": "not-allowed"}


def test_more_faults_than_anyone_reads_are_not_collected() -> None:
    steps = [step(f"s{n}", colour="red", shape="round", size="big") for n in range(200)]

    with pytest.raises(InvalidProtocol) as caught:
        parse_protocol(document(*steps))

    assert len(caught.value.faults) == MAX_FAULTS


@pytest.mark.parametrize(
    "bounds, code",
    [
        pytest.param({"earliest": "P3D", "latest": "P2D"}, "window-backwards", id="backwards"),
        pytest.param({"target": "P1D", "latest": "-P2D"}, "target-outside-window", id="late"),
        pytest.param({"earliest": "-P2D", "target": "-P3D"}, "target-outside-window", id="early"),
        pytest.param({"earliest": "P30D", "target": "P1M"}, "target-outside-window", id="February"),
        pytest.param({"target": "P1M", "latest": "P27D"}, "target-outside-window", id="any month"),
        pytest.param({"target": "P31D", "latest": "P1M"}, "target-outside-window", id="April"),
        pytest.param({"target": "-P1M", "latest": "-P31D"}, "target-outside-window", id="before"),
        pytest.param({"unit": "working_days", "target": "P1W"}, "not-valid", id="working weeks"),
        pytest.param({"target": "P11Y"}, "invalid-offset", id="beyond ten years"),
        pytest.param({"unit": "days"}, "missing", id="no offset"),
    ],
)
def test_a_window_that_cannot_be_is_refused(bounds: Data, code: str) -> None:
    data = document(step("a"), step("b", timings=after("a", **bounds)))

    assert list(faults_of(data).values()) == [code]


@pytest.mark.parametrize(
    "bounds",
    [
        {"earliest": "P28D", "target": "P1M", "latest": "P31D"},
        {"earliest": "-P31D", "target": "-P1M", "latest": "-P4W"},
        {"target": "P1M", "latest": "P2M"},
        {"earliest": "P1M", "target": "P1Y", "latest": "P366D"},
    ],
    ids=["month in days", "before", "months", "year"],
)
def test_months_and_days_may_be_mixed_where_they_never_cross(bounds: Data) -> None:
    parse_protocol(document(step("a"), step("b", timings=after("a", **bounds))))


def test_a_window_is_judged_in_words() -> None:
    data = document(
        step("a"),
        step("b", timings=after("a", target="-P4W", latest="-P5W")),
        step("c", timings=after("a", earliest="P0D", latest="-P1D")),
    )

    assert text_of(data) == (
        "the target (4 weeks before) lies after the latest day (5 weeks before); "
        "the earliest day (the same day) lies after the latest (1 day before)"
    )


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


def test_a_plan_never_has_more_than_500_occurrences() -> None:
    steps = [step(f"s{n}", repeat={"count": 200, "spacing": {"target": "P1D"}}) for n in range(3)]

    assert faults_of(document(*steps)) == {"/steps": "too-many-occurrences"}


def test_a_protocol_never_has_more_than_200_steps() -> None:
    data = document(*(step(f"s{n}") for n in range(201)))

    assert faults_of(data) == {"/steps": "too-many", "/anchor": "unknown-step"} or faults_of(
        data
    ) == {"/steps": "too-many"}


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


def test_keys_and_ids_occur_once() -> None:
    order = {"id": "same", "type": "order", "before": "a", "after": "b"}
    source = {"id": "page", "kind": "paper", "title": "A page"}
    data = document(step("a"), step("b"), step("a"), rules=[order, order], sources=[source, source])

    assert faults_of(data) == {
        "/steps/2/key": "occurs-twice",
        "/rules/1/id": "occurs-twice",
        "/sources/1/id": "occurs-twice",
    }


def test_the_mark_of_a_default_is_no_source() -> None:
    data = document(sources=[{"id": "cfg", "kind": "paper", "title": "Mine"}])

    assert faults_of(data) == {"/sources/0/id": "not-allowed"}


def test_a_cycle_is_shown_once_with_its_loop() -> None:
    data = document(
        step("a", timings=after("c", target="P1D")),
        step("b", timings=after("a", target="P1D")),
        step("c", timings=after("b", target="P1D")),
        step("d", timings=after("c", target="P1D")),
        step("e", timings=[{"relative_to": "plan_start", "target": "P1D"}]),
    )

    assert faults_of(data) == {"/steps/0/timings/0/relative_to": "cycle"}
    assert text_of(data) == (
        "'a' is placed relative to 'c', 'c' is placed relative to 'b', "
        "'b' is placed relative to 'a'"
    )


def test_a_cycle_through_alternatives_and_timepoints_is_found() -> None:
    options = [{"key": "x", "timing": _at("b", "m1")[0]}]
    first = step("a", alternatives={"choose": "first_feasible", "options": options})
    points = [{"key": "m1", "target": "P1M"}]
    second = step("b", relative_to={"step": "a"}, timepoints=points)

    assert faults_of(document(first, second)) == {
        "/steps/0/alternatives/options/0/timing/relative_to": "cycle"
    }


@pytest.mark.parametrize(
    "code, right",
    [
        ("30085007", True),
        ("53053002", False),
        ("42701004", False),
        ("202882003", True),
        ("70258002", True),
        ("70258003", False),
    ],
)
def test_snomed_ids_end_in_their_check_digit(code: str, right: bool) -> None:
    assert is_snomed_id(code) is right


@pytest.mark.parametrize("code, right", [("72514-3", True), ("72514-4", False)])
def test_loinc_codes_end_in_their_check_digit(code: str, right: bool) -> None:
    assert is_loinc(code) is right


@pytest.mark.parametrize(
    "coding, pointer, code",
    [
        ({"system": "loinc", "code": "72514-4"}, "/code", "invalid-code"),
        ({"system": "icd-10-cm", "code": "M253"}, "/code", "wrong-form"),
        ({"system": "cpt", "code": "20610"}, "/system", "not-allowed"),
    ],
    ids=["check digit", "form", "terminology"],
)
def test_a_wrong_code_is_refused(coding: Data, pointer: str, code: str) -> None:
    data = document(condition={"text": "Pain", "codings": [coding]})

    assert faults_of(data) == {f"/condition/codings/0{pointer}": code}


def test_faults_of_the_sample_are_told_wherever_it_is_broken() -> None:
    data = sample("protocol-format-1")
    del data["sources"]
    del data["parameters"]

    found = faults_of(data)

    assert set(found.values()) == {"unknown-source", "unknown-parameter"}
