"""Faults of protocols that include others are named where they were written."""

import pytest

from app.domain.documents import InvalidProtocol, expand
from tests.domain.given_documents import Data, after, document, parameter, step
from tests.domain.given_including import expanded, faults_of, part, whole


@pytest.mark.parametrize(
    "include, expected",
    [
        ({"version": "2.0.0"}, {"/include/0/version": "unknown-version"}),
        ({"protocol": "another"}, {"/include/0/version": "unknown-version"}),
        ({"share": {"z": "x"}}, {"/include/0/share/z": "unknown-step"}),
        ({"leave_out": ["z"]}, {"/include/0/leave_out/0": "unknown-step"}),
        ({"parameters": {"z": 1}}, {"/include/0/parameters/z": "unknown-parameter"}),
        ({"parameters": {"count": 9}}, {"/include/0/parameters/count": "unknown-value"}),
        ({"events": {"z": {"step": "own"}}}, {"/include/0/events/z": "unknown-event"}),
        ({"key": "k" * 60}, {"/include/0/key": "too-long"}),
        ({"key": "own"}, {"/include/0/key": "clash"}),
        ({"key": "A"}, {"/include/0/key": "wrong-form"}),
        ({"side": "up"}, {"/include/0/side": "not-allowed"}),
        (
            {"share": {"x": "own"}, "timings": after("own", target="P1D")},
            {"/include/0/timings": "not-allowed"},
        ),
        ({"share": {"x": "nothing"}}, {"/include/0": "unknown-step"}),
        ({"parameters": {"count": {"parameter": "none"}}}, {"/include/0": "unknown-parameter"}),
        (
            {"timings": after("nothing", target="P1D")},
            {"/include/0/timings/0/relative_to/step": "unknown-step"},
        ),
        ({"sources": {"timing": ["nobody"]}}, {"/include/0/sources/timing/0": "unknown-source"}),
    ],
)
def test_faults_are_named_where_they_were_written(include: Data, expected: dict[str, str]) -> None:
    when = {"parameter": "count", "min": 1}
    small = document(
        step("x"),
        step("y", timings=after("x", target="P1D"), when=when),
        parameters=[parameter()],
    )

    assert faults_of(whole(part() | include, steps=[step("own")]), small) == expected


def test_faults_of_the_document_itself_are_where_they_were_written() -> None:
    rules = [{"id": "r", "type": "order", "before": "a_x", "after": "b_x"}]
    data = whole(part("a"), steps=[step("own", requires=["a_nothing"])], rules=rules, anchor="z")

    assert faults_of(data, document(step("x"))) == {
        "/steps/0/requires/0": "unknown-step",
        "/rules/0/after": "unknown-step",
        "/anchor": "unknown-step",
    }


def test_two_parts_have_two_keys_and_a_key_of_a_part_is_no_other() -> None:
    small = document(step("x"))

    assert faults_of(whole(part("a"), part("a")), small) == {"/include/1/key": "occurs-twice"}
    assert faults_of(whole(part("a"), steps=[step("a_x")]), small) == {
        "/steps/0/key": "occurs-twice"
    }


def test_months_end_in_one_way() -> None:
    assert faults_of(whole(part(), month_end="roll_forward"), document(step("x"))) == {
        "/include/0": "clash"
    }


def test_too_many_steps_are_too_many_with_the_parts() -> None:
    many = document(*(step(f"s{number}") for number in range(120)))

    assert faults_of(whole(part("a"), part("b")), many) == {"/include": "too-many"}


def test_nothing_includes_itself() -> None:
    itself = {"key": "a", "protocol": "whole", "version": "1.0.0"}
    inner = document(step("x"), key="whole")
    assert faults_of(whole(itself), inner) == {"/include/0": "cycle"}

    middle = expanded(document(step("own"), include=[itself | {"key": "w"}]), inner).document
    with pytest.raises(InvalidProtocol) as caught:
        expand(whole(part()), {("small", "1.0.0"): middle})
    assert [(f.pointer, f.code, f.text) for f in caught.value.faults] == [
        ("/include/0", "cycle", "'small' 1.0.0 includes this version")
    ]
