"""Every fault of a document is named, all at once, each by its place."""

from typing import Any

import pytest

from app.domain.documents import InvalidProtocol, parse_protocol
from app.domain.documents.codes import is_loinc, is_snomed_id
from app.domain.documents.shapes import MAX_FAULTS
from tests.domain.given_documents import Data, after, document, sample, step
from tests.domain.given_faults import faults_of, text_of


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


def test_a_plan_never_has_more_than_500_occurrences() -> None:
    steps = [step(f"s{n}", repeat={"count": 200, "spacing": {"target": "P1D"}}) for n in range(3)]

    assert faults_of(document(*steps)) == {"/steps": "too-many-occurrences"}


def test_a_protocol_never_has_more_than_200_steps() -> None:
    data = document(*(step(f"s{n}") for n in range(201)))

    assert faults_of(data) == {"/steps": "too-many", "/anchor": "unknown-step"} or faults_of(
        data
    ) == {"/steps": "too-many"}


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
    timing = {"relative_to": {"step": "b", "occurrence": "m1"}, "target": "P1D"}
    options = [{"key": "x", "timing": timing}]
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


def test_what_is_fixed_needs_a_default() -> None:
    sides = {"key": "side", "title": "Side", "type": "choice", "options": ["left"], "fixed": True}

    assert faults_of(document(parameters=[sides])) == {"/parameters/0/default": "missing"}
