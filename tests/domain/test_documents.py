"""Documents read back as they were written; one sample of every format is kept."""

import json

import pytest
from hypothesis import given

from app.domain.documents import (
    clinic_rules_to_data,
    content_hash,
    document_to_data,
    parse_clinic_rules,
    parse_protocol,
)
from app.domain.offsets import MonthEnd, Offset
from app.domain.protocols import Count, Nth, Order, ParameterType, StepReference
from tests.domain.given_documents import (
    Data,
    after,
    choice,
    document,
    documents,
    parameter,
    sample,
    step,
)


@given(documents())
def test_what_is_written_reads_back_as_the_same_document(data: Data) -> None:
    found = parse_protocol(data)

    written = document_to_data(found)

    assert parse_protocol(written) == found
    assert document_to_data(parse_protocol(json.loads(json.dumps(written)))) == written


@given(documents())
def test_a_document_does_not_depend_on_the_order_of_its_members(data: Data) -> None:
    shuffled = json.loads(json.dumps(data, sort_keys=True))

    assert parse_protocol(shuffled) == parse_protocol(data)
    assert content_hash(parse_protocol(shuffled)) == content_hash(parse_protocol(data))


@pytest.mark.parametrize("number", [1])
def test_the_sample_of_every_format_is_still_read(number: int) -> None:
    data = sample(f"protocol-format-{number}")

    found = parse_protocol(data)

    assert parse_protocol(document_to_data(found)) == found
    assert content_hash(found) == (
        "sha256:f98f6333a7591931356964d51e5cef053a297ece36b5f930b8f12dff3ce953a6"
    )


def test_the_sample_of_clinic_rules_is_still_read() -> None:
    data = sample("clinic-rules-format-1")

    assert clinic_rules_to_data(parse_clinic_rules(data)) == data


def test_the_sample_keeps_every_field() -> None:
    data = sample("protocol-format-1")
    data["steps"][4]["timings"][0].pop("from")  # start is what is meant anyway

    assert document_to_data(parse_protocol(data)) == data


def test_what_the_engine_needs_is_in_the_protocol() -> None:
    protocol = parse_protocol(sample("protocol-format-1")).protocol
    primer = protocol.step("primer")

    assert primer is not None
    assert primer.repeat is not None
    assert protocol.anchor == "session"
    assert protocol.month_end is MonthEnd.ROLL_FORWARD
    assert (protocol.max_widening_days, protocol.drift_tolerance) == (10, 5)
    assert primer.repeat.order is Order.BACKWARD
    assert primer.repeat.count == Count(0, 2, 3, "primers")
    assert primer.timings[0].bounds.target == Offset(weeks=3, negative=True)
    assert primer.timings[0].reference == StepReference("session")
    assert protocol.parameters[1].type is ParameterType.CHOICE


@pytest.mark.parametrize(
    "given_step, importance, any_day",
    [
        pytest.param({"kind": "injection"}, 10, False, id="injection"),
        pytest.param({"kind": "procedure"}, 10, False, id="procedure"),
        pytest.param({"kind": "decision"}, 5, False, id="decision"),
        pytest.param({"kind": "call"}, 1, False, id="call"),
        pytest.param({"kind": "visit"}, 3, False, id="visit"),
        pytest.param({"kind": "restriction"}, 3, True, id="restriction"),
        pytest.param({"kind": "rehab", "span": "P7D"}, 3, True, id="span"),
        pytest.param(
            {"kind": "assessment", "appointment": {"modes": ["questionnaire"]}},
            1,
            True,
            id="questionnaire",
        ),
        pytest.param(
            {"kind": "assessment", "appointment": {"modes": ["phone"]}}, 1, False, id="phone"
        ),
        pytest.param(
            {"kind": "assessment", "appointment": {"modes": ["phone", "in_person"]}},
            3,
            False,
            id="phone or visit",
        ),
        pytest.param({"importance": 7, "any_day": True}, 7, True, id="as it says"),
    ],
)
def test_importance_and_open_days_are_usual_for_the_kind(
    given_step: Data, importance: int, any_day: bool
) -> None:
    found = parse_protocol(document(step("a", **given_step))).protocol.steps[0]

    assert (found.importance, found.any_day) == (importance, any_day)


def test_a_timepoint_is_as_important_as_its_own_modes_say() -> None:
    points = [
        {"key": "m3", "target": "P3M", "appointment": {"modes": ["in_person"]}},
        {"key": "m6", "target": "P6M", "appointment": {"modes": ["questionnaire"]}},
        {"key": "m9", "target": "P9M"},
        {"key": "m12", "target": "P12M", "importance": 8, "any_day": True},
    ]
    follow = step("follow", kind="assessment", relative_to="plan_start", timepoints=points)

    found = parse_protocol(document(follow)).protocol.steps[0].timepoints

    assert [(p.importance, p.any_day) for p in found] == [
        (3, False),
        (1, True),
        (3, False),
        (8, True),
    ]


@pytest.mark.parametrize(
    "count, expected",
    [
        pytest.param(3, Count(3, 3, 3), id="number"),
        pytest.param({"default": 2}, Count(2, 2, 2), id="default alone"),
        pytest.param({"parameter": "count"}, Count(0, 2, 3, "count"), id="parameter's bounds"),
        pytest.param({"parameter": "count", "less": 1}, Count(0, 1, 2, "count", 1), id="one less"),
        pytest.param(
            {"parameter": "when", "by_value": {"early": 1, "late": 4}},
            Count(1, 1, 4, "when", 0, (("early", 1), ("late", 4))),
            id="by value",
        ),
    ],
)
def test_a_count_takes_its_bounds_from_the_parameter(count: object, expected: Count) -> None:
    repeat = {"count": count, "spacing": {"target": "P1W"}}
    data = document(step("a", repeat=repeat), parameters=[parameter(), choice()])

    found = parse_protocol(data).protocol.steps[0].repeat

    assert found is not None
    assert found.count == expected


def test_a_repeated_step_may_count_from_its_own_previous_occurrence() -> None:
    own = [{"relative_to": {"step": "a", "occurrence": "previous"}, "earliest": "P1W"}]
    repeat = {"count": 2, "spacing": {"target": "P1W"}}

    found = parse_protocol(document(step("a", timings=own, repeat=repeat))).protocol.steps[0]

    assert found.timings[0].reference == StepReference("a", Nth.PREVIOUS)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    data = document(step("a", importance=7.0))

    assert parse_protocol(data).protocol.steps[0].importance == 7


def test_an_alternative_may_count_from_what_may_be_left_out() -> None:
    first = step("first", when={"parameter": "when", "in": ["early"]})
    options = [{"key": "early", "timing": after("first", target="P1D")[0]}]
    second = step("second", alternatives={"choose": {"parameter": "when"}, "options": options})

    found = parse_protocol(document(first, second, parameters=[choice()])).protocol.steps[1]

    assert found.alternatives is not None
    assert found.alternatives.parameter == "when"
