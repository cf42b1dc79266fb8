"""What a check finds doubtful, though nothing is wrong with it."""

from typing import Any

import pytest

from app.domain.checks import check_data
from tests.domain.given_checks import checked, codes, sourced
from tests.domain.given_documents import Data, after, choice, document, parameter, step


def test_nothing_doubtful_is_no_warning() -> None:
    assert checked(sourced("a"), sourced("b", timings=after("a", target="P1W"))).warnings == ()


@pytest.mark.parametrize("note", [None, "none"], ids=["absent", "one word"])
def test_a_missing_evidence_note_is_doubtful(note: str | None) -> None:
    members = {} if note is None else {"evidence_note": note}

    assert codes(check_data(document(sourced("a"), **members))) == {
        "/evidence_note": "no-evidence-note"
    }


@pytest.mark.parametrize(
    "text", ["Booster at 6 or 8 weeks", "after six or eight weeks", "in 6 weeks or 8 weeks"]
)
def test_two_times_with_one_window_are_doubtful(text: str) -> None:
    found = checked(
        sourced("a", title=text),
        sourced("b", note=text, instructions=[_told(text)], timings=after("a", target="P6W")),
        summary=text,
    )

    assert codes(found) == {
        "/summary": "one-window-for-two",
        "/steps/0/title": "one-window-for-two",
        "/steps/1/note": "one-window-for-two",
        "/steps/1/instructions/0/text": "one-window-for-two",
    }


def _told(text: str) -> Data:
    return {"offset": "P0D", "audience": "patient", "text": text}


@pytest.mark.parametrize(
    "text", ["an hour or two a day", "6 to 8 weeks", "left or right", "at week 6 or earlier"]
)
def test_other_words_are_not_two_times(text: str) -> None:
    assert checked(sourced("a", title=text)).warnings == ()


def test_two_times_with_alternatives_are_as_they_should_be() -> None:
    options = [
        {"key": "early", "timing": after("a", target="P6W")[0]},
        {"key": "late", "timing": after("a", target="P8W")[0]},
    ]
    alternatives = {"choose": "first_feasible", "options": options}
    second = sourced("b", title="At 6 or 8 weeks", alternatives=alternatives)

    assert checked(sourced("a"), second, summary="At 6 or 8 weeks").warnings == ()


def test_what_hangs_on_a_step_that_may_be_left_out_is_doubtful() -> None:
    late = {"parameter": "when", "in": ["late"]}
    first = sourced("b", when=late, timings=after("a", target="P1D"))
    second = sourced("c", timings=after("b", target="P1D"))

    found = checked(sourced("a"), first, second, parameters=[choice()])

    (warning,) = found.warnings
    assert (warning.pointer, warning.code) == ("/steps/2", "dangling")
    assert warning.text == "with when = early it vanishes, because 'b' is left out then"


@pytest.mark.parametrize(
    "occurrence, warned",
    [
        pytest.param(3, True, id="a third that may not be"),
        pytest.param("last", True, id="the last of perhaps none"),
    ],
)
def test_what_hangs_on_an_occurrence_that_may_not_be_is_doubtful(
    occurrence: int | str, warned: bool
) -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": {"target": "P1W"}}
    reference = {"step": "b", "occurrence": occurrence}
    found = checked(
        sourced("a"),
        sourced("b", timings=after("a", target="P1D"), repeat=repeat),
        sourced("c", timings=[{"relative_to": reference, "target": "P1D"}]),
        parameters=[parameter()],
    )

    assert (codes(found) == {"/steps/2": "dangling"}) is warned


@pytest.mark.parametrize(
    "when",
    [
        pytest.param({"parameter": "count", "min": 2}, id="the same count"),
        pytest.param({"parameter": "count", "in": [2, 3]}, id="the same values"),
    ],
)
def test_what_vanishes_by_itself_first_does_not_dangle(when: Data) -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": {"target": "P1W"}}
    reference = {"step": "b", "occurrence": 2}
    found = checked(
        sourced("a"),
        sourced("b", timings=after("a", target="P1D"), repeat=repeat),
        sourced("c", when=when, timings=[{"relative_to": reference, "target": "P1D"}]),
        parameters=[parameter()],
    )

    assert found.warnings == ()


def test_a_count_by_value_is_understood() -> None:
    count = {"parameter": "when", "default": 1, "by_value": {"late": 4}}
    repeat = {"count": count, "spacing": {"target": "P1W"}}
    reference = {"step": "b", "occurrence": 4}
    found = checked(
        sourced("a"),
        sourced("b", timings=after("a", target="P1D"), repeat=repeat),
        sourced("c", timings=[{"relative_to": reference, "target": "P1D"}]),
        parameters=[choice()],
    )

    (warning,) = found.warnings
    assert warning.text == "with when = early it vanishes, because 'b' is left out then"


def test_what_hangs_on_a_step_that_a_decision_adds_is_doubtful() -> None:
    effects = [{"type": "add", "steps": ["b"]}]
    decision = sourced(
        "d",
        kind="decision",
        timings=after("a", target="P1D"),
        choices=[{"key": "yes", "title": "Yes", "effects": effects}],
    )
    added = sourced("b", on_decision=True, timings=after("d", target="P1D"))
    found = checked(sourced("a"), decision, added, sourced("c", timings=after("b", target="P1D")))

    assert codes(found) == {"/steps/3": "dangling"}


def test_a_step_which_no_decision_adds_is_doubtful() -> None:
    found = checked(sourced("a"), sourced("b", on_decision=True, timings=after("a", target="P1D")))

    assert codes(found) == {"/steps/1/on_decision": "never-added"}


def test_a_step_that_nothing_places_is_doubtful() -> None:
    assert codes(checked(sourced("a"), sourced("b"))) == {"/steps/1": "never-dated"}


def adding(**members: Any) -> Data:
    """A decision with a choice that adds steps."""
    effect = {"type": "add", **members}
    choices = [{"key": "more", "title": "More", "effects": [effect]}]
    return sourced("a", kind="decision", choices=choices)


def test_a_step_that_a_decision_places_needs_no_timing() -> None:
    waiting = sourced("b", on_decision=True)

    assert codes(checked(adding(steps=["b"], offset="P7D"), waiting)) == {}
    assert codes(checked(adding(steps=["b"]), waiting)) == {"/steps/1": "never-dated"}


def test_adding_what_is_there_anyway_and_not_repeated_is_doubtful() -> None:
    timings = after("a", target="P1D")
    repeat = {"count": 2, "spacing": {"target": "P7D"}}
    once, often = sourced("b", timings=timings), sourced("c", timings=timings, repeat=repeat)
    place = "/steps/0/choices/0/effects/0"

    assert codes(checked(adding(steps=["b", "c"], count=1), once, often)) == {place: "adds-nothing"}
    assert codes(checked(adding(steps=["c"], count=1), often)) == {}
    assert codes(checked(adding(steps=["c"]), often)) == {place: "adds-nothing"}


def test_a_value_without_an_option_is_doubtful() -> None:
    options = [{"key": "early", "timing": after("a", target="P6W")[0]}]
    alternatives = {"choose": {"parameter": "when"}, "options": options}
    only = {"parameter": "when", "in": ["early"]}
    found = checked(
        sourced("a"),
        sourced("b", alternatives=alternatives),
        sourced("c", alternatives=alternatives, when=only),
        parameters=[choice()],
    )

    (warning,) = found.warnings
    assert (warning.pointer, warning.code) == ("/steps/1/alternatives", "uncovered-value")
    assert warning.text == "there is no option for 'late': then 'early' is taken"


def test_a_reference_that_does_not_say_which_time_is_doubtful() -> None:
    repeat = {"count": 2, "spacing": {"target": "P1W"}}
    points = [{"key": "m3", "target": "P3M"}]
    found = checked(
        sourced("a", repeat=repeat),
        sourced("b", timings=after("a", target="P1D")),
        sourced("c", relative_to="plan_start", timepoints=points),
        sourced("d", timings=after("c", target="P1D")),
        sourced("e", timings=[{"relative_to": {"step": "a", "occurrence": 1}, "target": "P1D"}]),
    )

    assert codes(found) == {"/steps/1": "which-occurrence", "/steps/3": "which-occurrence"}


def test_own_previous_occurrences_do_not_dangle() -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": {"target": "P1W"}}
    own = [{"relative_to": {"step": "a", "occurrence": "previous"}, "earliest": "P1W"}]

    found = checked(sourced("a", timings=own, repeat=repeat), parameters=[parameter(min=1)])

    assert found.warnings == ()


def test_figures_without_a_source_are_doubtful() -> None:
    found = checked(
        step("a"),
        step("b", timings=after("a", target="P1W"), span="P3D", appointment={"minutes": 20}),
        rules=[{"id": "gap", "type": "max_gap", "from": "a", "to": "b", "offset": "P9D"}],
    )

    assert codes(found) == dict.fromkeys(
        (
            "/steps/1/timings",
            "/steps/1/span",
            "/steps/1/appointment/minutes",
            "/rules/0/offset",
        ),
        "no-source",
    )
