"""Two versions of a protocol are compared by step and field, in words."""

import copy
from typing import Any

import pytest

from app.domain.checks import Difference, differences
from app.domain.documents import parse_protocol
from tests.domain.given_documents import Data, after, document, sample, step
from tests.domain.given_including import expanded, whole


def compared(old: Data, new: Data) -> tuple[Difference, ...]:
    return differences(parse_protocol(old), parse_protocol(new))


def texts(old: Data, new: Data) -> list[str]:
    return [difference.text for difference in compared(old, new)]


def changed(**bounds: Any) -> Data:
    usual = {"earliest": "-P5W", "target": "-P3W"}
    return document(step("session"), step("primer", timings=after("session", **usual | bounds)))


def test_equal_versions_do_not_differ() -> None:
    assert compared(sample("protocol-format-1"), sample("protocol-format-1")) == ()


def test_what_is_included_is_compared_as_it_was_written_too() -> None:
    part = {"key": "a", "protocol": "small", "version": "1.0.0"}
    small = document(step("session"))

    old = expanded(whole(part), small).document
    new = expanded(whole(part | {"title": "First"}), small).document

    assert [difference.text for difference in differences(old, new)] == [
        "protocol: include a title is new: 'First'",
        "step 'a_session': title is 'First: Step session' instead of 'Step session'",
    ]


def test_another_version_number_is_no_difference() -> None:
    assert compared(document(), document(version="2.0.0")) == ()


def test_a_changed_offset_is_told_in_words() -> None:
    (found,) = compared(changed(), changed(target="-P4W"))

    assert (found.kind, found.part, found.key) == ("changed", "step", "primer")
    assert (found.field, found.old, found.new) == ("timings.1.target", "-P3W", "-P4W")
    assert found.text == (
        "step 'primer': timings 1 target is 4 weeks before instead of 3 weeks before"
    )


def test_a_bound_may_be_new_or_gone() -> None:
    assert texts(changed(), changed(latest="-P2W")) == [
        "step 'primer': timings 1 latest is new: 2 weeks before"
    ]
    assert texts(changed(latest="-P2W"), changed()) == [
        "step 'primer': timings 1 latest is gone: 2 weeks before"
    ]


def test_steps_may_be_new_gone_or_in_another_order() -> None:
    old = document(step("a"), step("b"), step("c"), anchor="a")
    new = document(step("d"), step("c"), step("a"), anchor="a")

    assert texts(old, new) == [
        "step 'b' is gone",
        "step 'd' is new",
        "the order of the steps is another",
    ]


@pytest.mark.parametrize(
    "path, value, text",
    [
        (("key",), "other", "protocol: key is 'other' instead of 'everything'"),
        (("example",), False, "protocol: example is gone: true"),
        (("drift_tolerance",), 3, "protocol: drift_tolerance is 3 instead of 5"),
        (("parameters", 0, "max"), 2, "parameter 'primers': max is 2 instead of 3"),
        (
            ("steps", 0, "appointment", "modes"),
            ["phone"],
            "step 'consult': appointment modes is 'phone' instead of 'in_person, telehealth'",
        ),
        (("steps", 2, "span"), "P21D", "step 'nsaid_free': span is 21 days instead of 28 days"),
        (
            ("steps", 9, "timepoints", 0, "target"),
            "P92D",
            "step 'followup': timepoints m3 target is 92 days after instead of 3 months after",
        ),
        (
            ("steps", 6, "choices", 0, "effects", 0, "value"),
            "none",
            "step 'decide': choices eight effects 1 value is 'none' instead of 'eight_weeks'",
        ),
        (("rules", 7, "before"), "P90D", "rule 'steroid': before is 90 days instead of 28 days"),
        (("sources", 0, "seen"), "4", "source 'trial': seen is '4' instead of 'three sessions'"),
    ],
)  # fmt: skip
def test_any_field_is_told_by_its_place(path: tuple[Any, ...], value: Any, text: str) -> None:
    new = sample("protocol-format-1")
    place: Any = new
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = copy.deepcopy(value)

    assert texts(sample("protocol-format-1"), new) == [text]


def test_a_word_that_only_looks_like_an_offset_is_told_as_it_is() -> None:
    order = {"id": "o", "type": "order", "before": "a", "after": "b"}
    old = document(step("a"), step("b"), step("c"), rules=[order])
    new = document(step("a"), step("b"), step("c"), rules=[order | {"after": "c"}])

    assert texts(old, new) == ["rule 'o': after is 'c' instead of 'b'"]
