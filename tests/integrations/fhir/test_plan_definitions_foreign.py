"""Others' PlanDefinitions as protocols: directions, ends, windows, repeats, cycles."""

from itertools import pairwise
from typing import Any

import pytest

from tests.integrations.fhir.given_plan_definitions import (
    Data,
    acceptable,
    action,
    days_between,
    days_of_cycle,
    document_of,
    duration,
    group,
    kept,
    plan_definition,
    refused,
    relation,
    repeating,
    steps_of,
    timing_of,
)

SAME_DAY = {"earliest": "P0D", "target": "P0D", "latest": "P0D"}
REF = action("ref", **repeating(duration=7, durationUnit="d"))


def _timing(*related: Data, **elements: Any) -> Data:
    return timing_of("one", plan_definition(REF, action("one", *related, **elements)))


@pytest.mark.parametrize(
    "relationship, timing",
    [
        ("before", {"target": "-P3D"}),
        ("before-start", {"target": "-P3D"}),
        ("before-end", {"target": "-P3D", "from": "end"}),
        ("after", {"target": "P3D", "from": "end"}),
        ("after-start", {"target": "P3D"}),
        ("after-end", {"target": "P3D", "from": "end"}),
    ],
)
def test_a_relationship_says_which_way_and_from_which_end(relationship: str, timing: Data) -> None:
    assert _timing(relation("ref", relationship, 3)) == timing


@pytest.mark.parametrize("relationship", ["concurrent", "concurrent-with-start"])
def test_what_is_concurrent_is_on_the_same_day(relationship: str) -> None:
    assert _timing(relation("ref", relationship)) == SAME_DAY


def test_the_end_of_what_lasts_a_day_is_that_day() -> None:
    resource = plan_definition(action("ref"), action("one", relation("ref", "after-end", 2)))

    assert timing_of("one", resource) == {"target": "P2D"}


@pytest.mark.parametrize(
    "related, timing",
    [
        pytest.param(relation("ref", "after-start"), {"earliest": "P0D"}, id="order after"),
        pytest.param(relation("ref", "before-start"), {"latest": "P0D"}, id="order before"),
        pytest.param(
            relation("ref", "after-start", offsetRange=days_between(5, 9)),
            {"earliest": "P5D", "latest": "P9D"},
            id="range after",
        ),
        pytest.param(
            relation("ref", "before-start", offsetRange=days_between(5, 9)),
            {"earliest": "-P9D", "latest": "-P5D"},
            id="range before",
        ),
        pytest.param(
            relation("ref", "after-start", offsetRange=days_between(-2, 9)),
            {"earliest": "-P2D", "target": "-P2D", "latest": "P9D"},
            id="range about the reference aims at its low end",
        ),
        pytest.param(
            relation("ref", "after-start", offsetRange=days_between(low=5)),
            {"earliest": "P5D"},
            id="only a low end",
        ),
        pytest.param(
            relation("ref", "after-start", offsetRange=days_between(high=9)),
            {"earliest": "P0D", "latest": "P9D"},
            id="only a high end after",
        ),
        pytest.param(
            relation("ref", "before-start", offsetRange=days_between(high=9)),
            {"earliest": "-P9D", "latest": "P0D"},
            id="only a high end before",
        ),
        pytest.param(
            relation("ref", "after-start", offsetRange=days_between(high=-9)),
            {"latest": "-P9D"},
            id="only a high end, on the other side",
        ),
        pytest.param(
            relation("ref", "before-start", 13, **acceptable(12, 15)),
            {"earliest": "-P15D", "target": "-P13D", "latest": "-P12D"},
            id="target with an absolute window",
        ),
        pytest.param(
            relation("ref", "after-start", offsetDuration=duration(2, "wk")),
            {"target": "P2W"},
            id="weeks stay weeks",
        ),
        pytest.param(
            relation("ref", "after-start", offsetDuration={"value": 3, "unit": "months"}),
            {"target": "P3M"},
            id="a unit in words",
        ),
        pytest.param(
            relation("ref", "after-start", offsetDuration=duration(48, "h")),
            {"target": "P2D"},
            id="hours that make days",
        ),
        pytest.param(
            relation("ref", "after-start", offsetDuration=duration(90, "min")),
            SAME_DAY,
            id="less than a day",
        ),
        pytest.param(
            relation("ref", "after-start", offsetDuration=duration(14, comparator="<=")),
            {"earliest": "P0D", "latest": "P14D"},
            id="at most",
        ),
        pytest.param(
            relation("ref", "after-start", offsetDuration=duration(14, comparator="<")),
            {"earliest": "P0D", "latest": "P13D"},
            id="less than",
        ),
        pytest.param(
            relation("ref", "before-start", offsetDuration=duration(14, comparator=">=")),
            {"latest": "-P14D"},
            id="at least",
        ),
        pytest.param(
            relation("ref", "before-start", offsetDuration=duration(2, "wk", comparator=">")),
            {"latest": "-P15D"},
            id="more than",
        ),
        pytest.param(
            relation("ref", "before-start", offsetDuration=duration(1, "mo", comparator="<=")),
            {"earliest": "-P1M", "latest": "P0D"},
            id="at most a month before",
        ),
    ],
)
def test_an_offset_is_a_timing(related: Data, timing: Data) -> None:
    assert _timing(related) == timing


def test_several_relations_all_hold() -> None:
    resource = plan_definition(
        action("a"),
        action("b", relation("a", "after-start", 5)),
        action("c", relation("a", "after-start", 9), relation("b", "after-start", 2)),
    )

    timings = steps_of(resource)["c"]["timings"]

    assert [one["target"] for one in timings] == ["P9D", "P2D"]


def test_an_age_is_counted_from_the_birth_date() -> None:
    resource = plan_definition(action("one", timingAge=duration(12, "mo")))

    assert steps_of(resource)["one"]["timings"] == [{"relative_to": "birth_date", "target": "P12M"}]


def test_an_age_of_a_group_is_that_of_what_the_group_begins_with() -> None:
    inner = group("g", action("a"), action("b", relation("a", "after-start", 2)))

    steps = steps_of(plan_definition(inner | {"timingAge": duration(2, "mo")}, action("c")))

    assert steps["a"]["timings"] == [{"relative_to": "birth_date", "target": "P2M"}]
    assert steps["b"]["timings"] == [{"relative_to": {"step": "a"}, "target": "P2D"}]


def test_a_repeat_is_a_chain() -> None:
    rhythm = repeating(count=3, countMax=5, period=1, periodMax=2, periodUnit="wk")
    resource = plan_definition(REF, action("one", relation("ref", "after-start", 3), **rhythm))

    assert steps_of(resource)["one"]["repeat"] == {
        "count": {"min": 3, "default": 3, "max": 5},
        "spacing": {"earliest": "P1W", "latest": "P2W"},
    }


def test_bounds_hold_as_many_periods_as_begin_within_them() -> None:
    rhythm = repeating(boundsDuration=duration(6, "wk"), period=4, periodUnit="d")
    resource = plan_definition(action("one", **rhythm))

    assert steps_of(resource)["one"]["repeat"]["count"]["max"] == 11


def test_a_repeated_action_is_counted_from_by_its_first_or_its_last_time() -> None:
    visits = action("visits", **repeating(count=3, period=7, periodUnit="d"))
    early = action("early", relation("visits", "after-start", 1))
    late = action("late", relation("visits", "after-end", 1))

    steps = steps_of(plan_definition(visits, early, late))

    occurrences = [
        steps[name]["timings"][0]["relative_to"]["occurrence"] for name in ("early", "late")
    ]
    assert occurrences == ["first", "last"]


def test_minutes_are_the_length_of_an_appointment_and_days_a_span() -> None:
    visit = action("visit", **repeating(duration=90, durationUnit="min"))
    steps = steps_of(plan_definition(visit, REF))

    assert steps["visit"]["appointment"] == {"minutes": 90}
    assert steps["ref"]["span"] == "P7D"


def test_days_of_cycles_count_from_where_the_first_begins() -> None:
    drug = action("drug", **days_of_cycle(1, 8))
    cycle = group("cycle", drug, **repeating(count=2, period=3, periodUnit="wk"))
    cycle["relatedAction"] = [relation("ref", "after-start", 2)]

    step = steps_of(plan_definition(REF, cycle))["drug"]

    assert step["relative_to"] == {"step": "ref"}
    points = {point["key"]: point["target"] for point in step["timepoints"]}
    assert points == {"c1d1": "P2D", "c1d8": "P9D", "c2d1": "P23D", "c2d8": "P30D"}


def test_actions_of_a_cycle_without_days_begin_with_it() -> None:
    cycle = group("cycle", action("drug"), **repeating(count=2, period=1, periodUnit="mo"))

    points = steps_of(plan_definition(cycle))["drug"]["timepoints"]

    assert [(point["key"], point["target"]) for point in points] == [("c1", "P0D"), ("c2", "P1M")]


def test_a_relation_of_a_group_holds_for_what_the_group_begins_with() -> None:
    inner = group("inner", action("a"), action("b", relation("a", "after-start", 2)))
    inner["relatedAction"] = [relation("ref", "after-start", 10)]

    steps = steps_of(plan_definition(REF, inner))

    assert steps["a"]["timings"] == [{"relative_to": {"step": "ref"}, "target": "P10D"}]
    assert steps["b"]["timings"] == [{"relative_to": {"step": "a"}, "target": "P2D"}]


def test_a_group_is_counted_from_by_the_action_it_begins_with() -> None:
    first = group("first", action("a"), action("b", relation("a", "after-start", 2)))
    resource = plan_definition(first, action("c", relation("first", "after-start", 5)))

    assert steps_of(resource)["c"]["timings"][0]["relative_to"] == {"step": "a"}


def test_the_one_action_that_nothing_places_is_the_anchor_and_several_begin_with_the_plan() -> None:
    one = document_of(plan_definition(action("a"), action("b", relation("a", "after", 1))))
    several = document_of(plan_definition(action("a"), action("b")))

    assert one["anchor"] == "a"
    assert "anchor" not in several
    assert {step["timings"][0]["relative_to"] for step in several["steps"]} == {"plan_start"}


def test_ids_that_are_no_keys_become_keys_of_their_own() -> None:
    names = ["Visit 1", "visit-1", "VISIT-1", "8.1", "__", "x" * 100, "x" * 101]
    chained = [
        action(name, *([relation(before, "after", 1)] if before else []))
        for before, name in pairwise(["", *names])
    ]

    keys = list(steps_of(plan_definition(*chained)))

    assert len(set(keys)) == len(names)
    assert keys[1] == "visit-1"
    assert all(len(key) <= 64 for key in keys)


@pytest.mark.parametrize(
    "version, expected",
    [("2.1", "2.1.0"), ("LZZT_1", "1.0.0"), ("2026-11-23", "2026.11.23"), ("beta", "1.0.0")],
)
def test_a_version_becomes_one_of_three_numbers(version: str, expected: str) -> None:
    assert document_of(plan_definition(action("a"), version=version))["version"] == expected


def test_what_says_nothing_of_days_is_kept_and_told() -> None:
    resource = plan_definition(
        action("a", documentation=[{"type": "citation"}], trigger=[{"type": "named-event"}]),
        publisher="Somebody",
        goal=[{"description": {"text": "better"}}],
    )

    assert kept(resource) >= {
        "PlanDefinition.publisher",
        "PlanDefinition.goal",
        "PlanDefinition.action[0].documentation",
        "PlanDefinition.action[0].trigger",
    }


def test_focus_and_artifacts_are_what_is_treated_and_its_sources() -> None:
    concept = {
        "coding": [
            {"system": "http://snomed.info/sct", "code": "239874001", "display": "Osteoarthritis"},
            {"system": "http://snomed.info/sct", "code": "239874002", "display": "mistyped"},
        ]
    }
    resource = plan_definition(
        action("a"),
        useContext=[{"code": {"code": "focus"}, "valueCodeableConcept": concept}],
        relatedArtifact=[{"type": "derived-from", "display": "A guideline"}],
    )

    document = document_of(resource)

    assert document["condition"]["text"] == "Osteoarthritis"
    assert [one["code"] for one in document["condition"]["codings"]] == ["239874001"]
    assert document["sources"] == [
        {"id": "artifact-0", "kind": "derived-from", "title": "A guideline"}
    ]


def test_a_communication_is_a_call_and_everything_else_a_visit() -> None:
    contained = [
        {"resourceType": "ActivityDefinition", "id": "c", "kind": "CommunicationRequest"},
        {"resourceType": "ActivityDefinition", "id": "s", "kind": "ServiceRequest"},
    ]
    resource = plan_definition(
        action("call", definitionCanonical="#c"),
        action("visit", definitionCanonical="#s"),
        contained=contained,
    )

    assert [step["kind"] for step in document_of(resource)["steps"]] == ["call", "visit"]
    assert refused(plan_definition(action("x", definitionCanonical="#nothing")))
