"""Protocols that include others become one flat document, and are told apart from it."""

import json
import re
from typing import Any

from hypothesis import given

from app.domain.checks import check_data
from app.domain.documents import (
    content_hash,
    document_to_data,
    expand,
    parse_protocol,
    versions_included,
    written_as_data,
)
from app.domain.documents.approval import Approval, approval_faults, taken_over
from app.domain.documents.figures import figures, to_confirm
from app.domain.errors import Fault
from app.domain.protocols import OutsideEvent, StepReference
from app.domain.rules import MinGapOfKinds
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
from tests.domain.given_including import expanded, faults_of, part, steps_of, whole


@given(documents())
def test_a_part_says_what_it_says_alone_with_its_key_in_front(data: Data) -> None:
    alone = document_to_data(parse_protocol(data))
    one = whole(part("zz"), month_end=data["month_end"])

    text = json.dumps(document_to_data(expanded(one, data).document))
    # Step, parameter and rule keys of the strategies; nothing else begins like this.
    flat = json.loads(re.sub(r'"zz_', '"', text))

    for name in ("steps", "parameters", "sources"):
        assert flat.get(name) == alone.get(name)
    treatments = [s["key"] for s in alone["steps"] if s["kind"] in {"injection", "procedure"}]
    assert _without_ids(flat) == _without_ids({"rules": list(_limited(alone, treatments))})


def _limited(data: Data, treatments: list[str]) -> Any:
    """Rules that hold for every treatment, said of the part's own."""
    for rule in data.get("rules", ()):
        if rule["type"] in {"washout", "readiness"} and "applies_to" not in rule:
            if treatments:
                yield rule | {"applies_to": treatments}
        else:
            yield rule


def _without_ids(data: Data) -> set[str]:
    rules = ({k: v for k, v in rule.items() if k != "id"} for rule in data.get("rules", ()))
    kept = ({k: v for k, v in rule.items() if k != "exempt"} for rule in rules)
    return {json.dumps(rule, sort_keys=True) for rule in kept}


def test_steps_of_the_parts_come_first_in_the_order_of_the_includes() -> None:
    small = document(step("session"), step("visit", timings=after("session", target="P7D")))
    own = step("gate", timings=after("b_visit", target="P1D"))

    found = steps_of(whole(part("b"), part("a"), steps=[own]), small)

    assert list(found) == ["b_session", "b_visit", "a_session", "a_visit", "gate"]


def test_a_part_may_be_told_by_its_title_and_its_side() -> None:
    small = document(step("session"), step("other", side="left"))

    found = steps_of(whole(part(title="First ankle", side="first")), small)

    assert [one.title for one in found.values()] == [
        "First ankle: Step session",
        "First ankle: Step other",
    ]
    assert [one.side for one in found.values()] == ["first", "left"]


def test_timepoints_and_parameters_are_titled_too() -> None:
    points = [
        {"key": "m3", "target": "P3M"},
        {"key": "m6", "target": "P6M", "title": "Half a year"},
    ]
    follow = step("follow", relative_to={"step": "session"}, timepoints=points)
    small = document(step("session"), follow, parameters=[parameter()])

    found = expanded(whole(part(title="A")), small).document.protocol

    assert [point.title for point in found.steps[1].timepoints] == [None, "A: Half a year"]
    assert found.parameters[0].title == "A: How many"


def test_the_include_places_the_anchor_of_its_part() -> None:
    late = {"relative_to": {"step": "a_session"}, "target": "P28D"}
    option = {"key": "early", "timing": {"relative_to": {"step": "a_session"}, "target": "P7D"}}
    small = document(step("session", sources={"minutes": ["cfg"]}), step("visit"))
    alternatives = {"choose": "first_feasible", "options": [option]}
    second = part("b", timings=[late], alternatives=alternatives, sources={"timing": ["cfg"]})

    found = steps_of(whole(part("a"), second), small)

    assert len(found["b_session"].timings) == 1
    assert found["b_session"].alternatives is not None
    assert dict(found["b_session"].details.sources) == {"minutes": ("cfg",), "timing": ("cfg",)}
    assert not found["a_session"].timings
    assert not found["b_visit"].timings


def test_an_outside_event_of_a_part_may_be_a_step_of_the_whole() -> None:
    event = {"event": "treatment"}
    points = [{"key": "m3", "target": "P3M"}]
    option = {"key": "one", "timing": {"relative_to": event, "target": "P1D"}}
    small = document(
        step("asked", relative_to=event, timepoints=points),
        step("other", alternatives={"choose": "first_feasible", "options": [option]}),
        step("third", timings=[{"relative_to": {"event": "surgery"}, "target": "P1D"}]),
    )
    del small["anchor"]
    includes = part(events={"treatment": {"step": "own"}})

    found = steps_of(whole(includes, steps=[step("own")]), small)

    references = [one.reference for key in found for one in found[key].every_timing]
    own = StepReference("own")
    assert references == [own, own, OutsideEvent("surgery")]


def test_a_shared_step_is_taken_once() -> None:
    small = document(
        step("session", requires=["consult"]),
        step("consult"),
        step("call", timings=after("consult", target="P1D")),
    )

    found = steps_of(whole(part("a"), part("b", share={"consult": "a_consult"})), small)

    assert list(found) == ["a_session", "a_consult", "a_call", "b_session", "b_call"]
    assert found["b_session"].details.requires == ("a_consult",)
    assert found["b_call"].timings[0].reference == StepReference("a_consult")


LADDER = document(
    step("session", kind="injection", requires=["visit"]),
    step("visit", timings=after("session", target="P1D")),
    step("call", timings=after("visit", target="P1D")),
    step(
        "later",
        alternatives={
            "choose": "first_feasible",
            "options": [{"key": "one", "timing": after("call", target="P1D")[0]}],
        },
    ),
    step(
        "gate",
        kind="decision",
        choices=[
            {
                "key": "no",
                "title": "No",
                "effects": [
                    {"type": "cancel", "steps": ["visit"]},
                    {"type": "cancel", "steps": ["visit", "session"]},
                    {"type": "start", "protocol": "other", "counts_as": {"x": "visit"}},
                ],
            }
        ],
    ),
    rules=[
        {"id": "order", "type": "order", "before": "session", "after": "visit"},
        {"id": "both", "type": "same_day", "steps": ["session", "visit"]},
        {"id": "agent", "type": "washout", "agent": "x", "before": "P1D", "applies_to": ["visit"]},
        {"id": "fever", "type": "readiness", "findings": ["fever"]},
    ],
)


def test_what_counts_from_a_step_that_is_left_out_is_left_out_too() -> None:
    found = expanded(whole(part(leave_out=["visit", "fever"])), LADDER).document.protocol

    assert [one.key for one in found.steps] == ["a_session", "a_gate"]
    assert found.steps[0].details.requires == ()
    cancel, start = found.steps[1].choices[0].effects
    assert (cancel.steps, start.counts_as) == (("a_session",), ())


def test_rules_that_speak_of_what_is_left_out_go_with_it() -> None:
    found = expanded(whole(part(leave_out=["visit"])), LADDER).document.protocol

    assert [rule.id for rule in found.rules] == ["a_fever"]


def test_a_rule_of_every_treatment_is_one_of_the_parts_own_treatments() -> None:
    own = step("operation", kind="procedure")
    small = document(
        step("visit"),
        rules=[{"id": "fever", "type": "readiness", "findings": ["fever"]}],
        key="visits",
    )
    visits = {"key": "v", "protocol": "visits", "version": "1.0.0"}

    found = expanded(whole(part(), visits, steps=[own]), LADDER, small).document.protocol

    assert {rule.id: getattr(rule, "applies_to", ()) for rule in found.rules} == {
        "a_order": (),
        "a_both": (),
        "a_agent": ("a_visit",),
        "a_fever": ("a_session",),
    }


def test_a_gap_between_kinds_which_two_parts_bring_along_is_one_rule() -> None:
    gap = {"id": "gap", "type": "min_gap", "kinds": ["visit"], "offset": "P7D"}
    small = document(step("x"), step("y"), rules=[gap | {"exempt": [["x", "y"]]}])

    (rule,) = expanded(whole(part("a"), part("b")), small).document.protocol.rules

    assert rule.id == "a_gap"
    assert isinstance(rule, MinGapOfKinds)
    assert rule.exempt == (frozenset({"a_x", "a_y"}), frozenset({"b_x", "b_y"}))


def test_a_parts_key_alone_stands_for_all_its_steps() -> None:
    small = document(step("x"), step("y"))
    effects = [{"type": "cancel", "steps": ["a", "b_x"]}]
    gate = step("g", kind="decision", choices=[{"key": "no", "title": "No", "effects": effects}])

    found = steps_of(whole(part("a"), part("b"), steps=[gate]), small)

    assert found["g"].choices[0].effects[0].steps == ("a_x", "a_y", "b_x")


def test_where_one_step_must_stand_a_parts_key_stands_for_none() -> None:
    small = document(step("x"), step("y"))
    own = step("own", timings=after("a", target="P1D"))

    assert faults_of(whole(part("a"), steps=[own]), small) == {
        "/steps/0/timings/0/relative_to/step": "unknown-step"
    }


def test_a_parameter_may_be_fixed_or_one_of_the_whole() -> None:
    small = document(
        step("x", when={"parameter": "when", "in": ["late"]}),
        parameters=[parameter() | {"sources": {"default": ["page"]}}, choice(), choice("third")],
        sources=[{"id": "page", "kind": "paper", "title": "A page"}],
    )
    values = {"when": {"parameter": "ours"}, "count": 3, "third": "early"}

    found = expanded(whole(part(parameters=values), parameters=[choice("ours")]), small)

    protocol = found.document.protocol
    count, third, ours = protocol.parameters
    assert (count.key, count.default, count.fixed) == ("a_count", 3, True)
    assert dict(count.sources) == {"default": ("cfg",)}
    assert (third.default, third.fixed, third.sources, ours.fixed) == ("early", True, (), False)
    assert (count.may_be_given(3), count.may_be_given(2), count.accepts(2)) == (True, False, True)
    assert protocol.steps[0].when is not None
    assert protocol.steps[0].when.parameter == "ours"


def test_what_parts_have_in_common_is_there_once() -> None:
    page = {"id": "page", "kind": "paper", "title": "A page"}
    small = document(step("x"), sources=[page])

    found = expanded(whole(part("a"), part("b"), sources=[page]), small).document

    assert [source.id for source in found.sources] == ["page"]
    assert faults_of(whole(part("a"), sources=[page | {"title": "Another"}]), small) == {
        "/sources/0": "clash"
    }


def test_a_part_may_have_parts() -> None:
    inner = parse_protocol(document(step("x"), key="inner"))
    middle = document(step("y"), include=[{"key": "i", "protocol": "inner", "version": "1.0.0"}])
    small = expand(middle, {("inner", "1.0.0"): inner}).document

    found = expand(whole(part()), {("small", "1.0.0"): small}).document

    assert [one.key for one in found.protocol.steps] == ["a_i_x", "a_y"]
    assert found.written_as is not None
    assert [(one.key, one.protocol) for one in found.written_as.included] == [
        ("a", "small"),
        ("a_i", "inner"),
    ]


def test_the_hash_names_what_was_written_and_what_became_of_it() -> None:
    small = document(step("x"))
    known = {("small", "1.0.0"): parse_protocol(small)}
    first = expand(whole(part()), known).document
    same_but_written_otherwise = expand(whole(part(leave_out=[])), known).document
    other = {("small", "1.0.0"): parse_protocol(small | {"summary": "Another"})}

    hashes = {
        content_hash(first),
        content_hash(same_but_written_otherwise),
        content_hash(expand(whole(part()), other).document),
    }

    assert len(hashes) == 3
    assert document_to_data(first) == document_to_data(same_but_written_otherwise)
    assert first.written_as is not None
    assert written_as_data(first.written_as)["document"] == whole(part())


def test_what_includes_an_example_is_one() -> None:
    assert expanded(whole(part()), document(step("x"), example=True)).document.example


def test_the_sample_with_parts_is_whole() -> None:
    found = expanded(sample("protocol-with-parts-format-1"), sample("protocol-format-1"))

    assert len(found.document.protocol.steps) == 20
    assert parse_protocol(document_to_data(found.document)).protocol == found.document.protocol


def test_what_is_included_is_found_as_far_as_it_can_be_read() -> None:
    broken = whole(part(), {"key": "B"}, part("c", version="2.0.0"))

    assert versions_included(broken) == {("small", "1.0.0"), ("small", "2.0.0")}
    assert versions_included(["nothing"]) == frozenset()
    assert versions_included(document()) == frozenset()


def test_a_document_without_parts_is_what_it_is() -> None:
    found = expand(document(), {})

    assert found.document == parse_protocol(document())
    assert found.at_home(Fault("/steps/0", "x", "y")) == Fault("/steps/0", "x", "y")


def test_the_check_tells_its_findings_where_they_were_written() -> None:
    apart = {"id": "gap", "type": "min_gap", "from": "a_x", "to": "a_y", "offset": "P9D"}
    small = document(step("x"), step("y", timings=after("x", earliest="P0D", latest="P1D")))

    known = {("small", "1.0.0"): parse_protocol(small)}

    found = check_data(whole(part(), rules=[apart], anchor="a_x"), known)

    assert [fault.pointer for fault in found.faults] == ["/include/0"]
    assert found.faults[0].text.startswith("'a_y': these cannot hold together")
    assert {warning.pointer for warning in found.warnings} >= {"/rules/0/offset", "/include/0"}


def test_figures_confirmed_with_a_part_need_no_confirming() -> None:
    small = document(
        step("x", timings=after("y", target="P1D"), sources={"timing": ["cfg"]}),
        step("y", appointment={"minutes": 5}, sources={"minutes": ["cfg"]}),
        parameters=[parameter() | {"sources": {"default": ["cfg"]}}],
        anchor="y",
    )
    include = part(
        timings=after("own", target="P1D"), sources={"timing": ["cfg"]}, parameters={"count": 2}
    )
    alone = parse_protocol(small)
    all_of_it = expanded(whole(include, steps=[step("own")]), small).document
    given_before = {"confirmed": [figure.id for figure in to_confirm(alone)], "taken_over": ["z"]}

    taken = taken_over(include, alone, given_before)

    assert taken == {"a_x.timing", "a_y.minutes", "a_z"}
    assert {figure.id for figure in figures(all_of_it)} > {"a_y.timing", "a_count.default"}
    approval = Approval("Dr. Vale", "MD", "sha256:x", True)
    missing = approval_faults(approval, all_of_it, unconfirmed=False, taken_over=taken)
    assert [fault.text for fault in missing] == [
        "'a_count.default' is a default and not confirmed",
        "'a_y.timing' is a default and not confirmed",
    ]
    assert taken_over(part(), alone, {"confirmed": ["y.timing"]}) == {"a_y.timing"}
