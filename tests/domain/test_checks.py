"""What a check finds at fault: contradictions with their loop, counts out of reach."""

import pytest

from app.domain.checks import check_data, check_document
from app.domain.documents import InvalidProtocol, parse_protocol
from tests.domain.given_checks import checked, codes, exactly, sourced
from tests.domain.given_documents import after, choice, document, parameter, sample, step

ROOM = {"id": "room", "type": "max_gap", "from": "a/first", "to": "a/last", "offset": "P15D"}


def test_the_sample_has_no_faults() -> None:
    found = check_data(sample("protocol-format-1"))

    assert found.faults == ()
    assert codes(found) == {"/parameters/2/options": "no-source"}


def test_faults_of_the_notation_come_before_all_others() -> None:
    found = check_data({"format": 1})

    assert found.document is None
    assert [fault.code for fault in found.faults] == ["missing"] * 4
    assert found.warnings == ()


def test_a_contradiction_is_told_with_its_loop() -> None:
    found = checked(
        sourced("b"),
        sourced("a", timings=after("b", **exactly("P5D"))),
        rules=[{"id": "soon", "type": "max_gap", "from": "b", "to": "a", "offset": "P3D"}],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/steps/1", "contradiction")
    assert "a is at least 5 days after b" in fault.text
    assert "a is at most 3 days after b" in fault.text


def test_a_contradiction_of_rules_alone_stands_at_the_first_rule() -> None:
    found = checked(
        sourced("a", timings=[{"relative_to": "plan_start", "earliest": "P0D"}]),
        sourced("b", timings=[{"relative_to": "plan_start", "earliest": "P0D"}]),
        rules=[
            {"id": "later", "type": "min_gap", "from": "a", "to": "b", "offset": "P5D"},
            {"id": "soon", "type": "order", "before": "b", "after": "a"},
        ],
        anchor="a",
    )

    assert [(fault.pointer, fault.code) for fault in found.faults] == [
        ("/rules/0", "contradiction")
    ]


def test_a_contradiction_under_one_value_names_the_value() -> None:
    options = [
        {"key": "early", "timing": {"relative_to": {"step": "b"}, **exactly("P1D")}},
        {"key": "late", "timing": {"relative_to": {"step": "b"}, **exactly("P9D")}},
    ]
    found = checked(
        sourced("b"),
        sourced("a", alternatives={"choose": {"parameter": "when"}, "options": options}),
        parameters=[choice()],
        rules=[{"id": "soon", "type": "max_gap", "from": "b", "to": "a", "offset": "P3D"}],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/steps/1", "contradiction")
    assert fault.text.startswith("with when = late these cannot hold together: ")


def test_a_count_for_which_there_is_no_room_is_out_of_reach() -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": exactly("P7D")}
    found = checked(
        sourced("a", repeat=repeat),
        parameters=[parameter(max=4)],
        rules=[
            {"id": "room", "type": "max_gap", "from": "a/first", "to": "a/last", "offset": "P15D"}
        ],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/parameters/0", "unreachable-count")
    assert fault.text.startswith("with count = 4 these cannot hold together: ")


def test_a_count_which_only_a_decision_can_reach_is_tried_too() -> None:
    repeat = {"count": {"min": 1, "default": 2, "max": 5}, "spacing": exactly("P7D")}
    found = checked(
        sourced("a", repeat=repeat),
        rules=[
            {"id": "room", "type": "max_gap", "from": "a/first", "to": "a/last", "offset": "P15D"}
        ],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/steps/0/repeat/count", "unreachable-count")
    assert fault.text.startswith("with 5 times 'a' these cannot hold together: ")


def test_days_beyond_the_calendar_are_a_contradiction() -> None:
    steps = [sourced("s0")]
    steps += [sourced(f"s{n}", timings=after(f"s{n - 1}", **exactly("P9Y"))) for n in range(1, 25)]

    (fault,) = checked(*steps).faults

    assert (fault.pointer, fault.code) == ("/steps/1", "contradiction")


def test_steps_decades_before_the_anchor_are_no_contradiction() -> None:
    steps = [sourced("s0")]
    steps += [sourced(f"s{n}", timings=after(f"s{n - 1}", **exactly("-P9Y"))) for n in range(1, 9)]

    assert checked(*steps).faults == ()


def test_a_protocol_which_the_engine_refuses_is_at_fault() -> None:
    timings = [after("s0", target=f"P{n}D")[0] for n in range(1, 21)]
    options = [{"key": f"o{n}", "timing": timing} for n, timing in enumerate(timings)]
    alternatives = {"choose": "first_feasible", "options": options}
    steps = [sourced(f"s{n}", alternatives=alternatives) for n in range(1, 9)]

    (fault,) = checked(sourced("s0"), *steps).faults

    assert (fault.pointer, fault.code) == ("", "unsolvable")


def test_what_is_stored_has_no_faults() -> None:
    data = document(step("a", timings=after("b", target="P1D")))

    with pytest.raises(InvalidProtocol):
        check_data(data).sound()


def test_a_contradiction_is_not_stored() -> None:
    data = document(
        step("b"),
        step("a", timings=after("b", **exactly("P5D"))),
        rules=[{"id": "soon", "type": "max_gap", "from": "b", "to": "a", "offset": "P3D"}],
    )

    with pytest.raises(InvalidProtocol) as caught:
        check_data(data).sound()

    assert [fault.code for fault in caught.value.faults] == ["contradiction"]


def test_a_sound_document_is_given_back() -> None:
    data = sample("protocol-format-1")

    assert check_data(data).sound() == parse_protocol(data)


def test_a_document_may_be_checked_without_reading_it_again() -> None:
    found = parse_protocol(sample("protocol-format-1"))

    assert check_document(found).document is found
