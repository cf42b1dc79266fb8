"""What is seldom in a PlanDefinition: told, kept or refused where it is, and written back."""

from typing import Any

import pytest

from app.domain.documents import parse_protocol
from app.integrations.fhir.plan_definitions import plan_definition_of, read_protocol
from app.integrations.fhir.urls import REFERENCE, STEP, TIMING
from tests.domain.given_documents import after, choice, document, step
from tests.integrations.fhir.given_plan_definitions import (
    Data,
    acceptable,
    action,
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
)

AT = "PlanDefinition.action"
CYCLE = repeating(count=2, period=3, periodUnit="wk")
OURS = {"url": STEP, "extension": [{"url": "x", "valueInteger": 1}]}
NO_DATA = {"url": TIMING, "valueDecimal": 1.5}


@pytest.mark.parametrize(
    "resource, place",
    [
        pytest.param(
            plan_definition(action("a", timingTiming=5)), f"{AT}[0].timingTiming", id="no timing"
        ),
        pytest.param(
            plan_definition(action("a", timingTiming={"rhythm": 1})),
            f"{AT}[0].timingTiming",
            id="no element of a timing",
        ),
        pytest.param(
            plan_definition(action("a", timingTiming={"event": ["2027-01-01"]})),
            f"{AT}[0].timingTiming.event",
            id="a day of the calendar",
        ),
        pytest.param(
            plan_definition(action("a", timingTiming={"repeat": 5})),
            f"{AT}[0].timingTiming.repeat",
            id="no repeat",
        ),
        pytest.param(
            plan_definition(action("a", **repeating(rhythm=5))),
            f"{AT}[0].timingTiming.repeat",
            id="no element of a repeat",
        ),
        pytest.param(
            plan_definition(action("a"), action("b", relation("a", "after", 1, colour="red"))),
            f"{AT}[1].relatedAction[0]",
            id="no element of a relation",
        ),
        pytest.param(
            plan_definition(
                action("a"), action("b", relation("a", "after", 1, modifierExtension=[{}]))
            ),
            f"{AT}[1].relatedAction[0].modifierExtension",
            id="a modifier of a relation",
        ),
        pytest.param(
            plan_definition(action("a"), action("b", relation("a", "after", extension=[NO_DATA]))),
            f"{AT}[1].relatedAction[0].extension",
            id="no plain data of ours",
        ),
        pytest.param(
            plan_definition(
                action("a"),
                action("b", relation("a", "after", extension=[{"url": TIMING, "valueInteger": 1}])),
            ),
            f"{AT}[1].relatedAction[0].extension",
            id="no timing of ours",
        ),
        pytest.param(
            plan_definition(action("a", condition=[{"kind": "applicability", "colour": 1}])),
            f"{AT}[0].condition[0]",
            id="no element of a condition",
        ),
        pytest.param(
            plan_definition(
                action(
                    "a",
                    extension=[{"url": STEP, "extension": [{"url": "x", "valueInteger": 1}]}] * 2,
                )
            ),
            f"{AT}[0].extension",
            id="one of ours twice",
        ),
        pytest.param(
            plan_definition(action("a", extension=[{"url": REFERENCE, "valueInteger": 1}])),
            f"{AT}[0].extension[0]",
            id="no outside day",
        ),
        pytest.param(
            plan_definition(
                group("g", action("a"), **CYCLE), action("b", relation("a", "after", 1))
            ),
            f"{AT}[1].relatedAction[0].actionId",
            id="which cycle",
        ),
        pytest.param(
            plan_definition(
                action("ref"),
                group(
                    "g",
                    action("a"),
                    **repeating(count=200, period=1, periodUnit="mo"),
                    relatedAction=[relation("ref", "after-start", 1)],
                ),
            ),
            f"{AT}[1].action[0]",
            id="beyond ten years",
        ),
        pytest.param(
            plan_definition(
                action("ref"),
                group("g", action("a"), **repeating(count=3, period=1, periodUnit="mo"))
                | {"relatedAction": [relation("ref", "before-start", 1)]},
            ),
            f"{AT}[1].action[0]",
            id="a month after a day before",
        ),
        pytest.param(
            plan_definition(
                group(
                    "g", group("h", *(action(f"a{n}") for n in range(9)), selectionBehavior="any")
                )
                | {"selectionBehavior": "all-or-none"}
            ),
            f"{AT}[0].selectionBehavior",
            id="selections of selections",
        ),
        pytest.param(
            plan_definition(action("a"), subjectReference={}, subjectCodeableConcept={}),
            "PlanDefinition.subject[x]",
            id="two subjects",
        ),
        pytest.param(plan_definition(action("a"), colour="red"), "PlanDefinition", id="no element"),
        pytest.param(
            plan_definition(action("a", timingAge=duration(-1, "a"))),
            f"{AT}[0].timingAge",
            id="before birth",
        ),
        pytest.param(
            plan_definition(
                action(
                    "a",
                    **repeating(
                        count=3, period=1, periodUnit="wk", boundsDuration=duration(2, "wk")
                    ),
                )
            ),
            f"{AT}[0].timingTiming.repeat.count",
            id="more times than begin within the bounds",
        ),
        pytest.param(
            plan_definition(
                group(
                    "g", action("a"), **repeating(count=2, period=3, periodMax=4, periodUnit="wk")
                )
            ),
            f"{AT}[0].timingTiming.repeat",
            id="cycles of no one length",
        ),
        pytest.param(
            plan_definition(
                group("g", action("a"), **repeating(duration=5, durationUnit="d")),
                action("b", relation("g", "after-end", 1)),
            ),
            f"{AT}[1].relatedAction[0].actionId",
            id="the end of a group that lasts",
        ),
        pytest.param(
            plan_definition(
                action("a"), action("b", relation("a", "after", 14, **acceptable(3, 3)))
            ),
            f"{AT}[1].relatedAction[0].extension.valueRange",
            id="so many days more or less",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_where_it_is(resource: Data, place: str) -> None:
    assert place in refused(resource)


@pytest.mark.parametrize(
    "resource, place",
    [
        (plan_definition(action("a", _title={"id": "x"})), f"{AT}[0]._title"),
        (
            plan_definition(action("a", extension=[{"url": "http://e.org", "valueCode": "x"}])),
            f"{AT}[0].extension[0]",
        ),
        (
            plan_definition(action("a"), extension=[{"url": "http://e.org", "valueCode": "x"}]),
            "PlanDefinition.extension[0]",
        ),
        (
            plan_definition(action("a", **repeating(timeOfDay=["09:00:00"]))),
            f"{AT}[0].timingTiming.repeat.timeOfDay",
        ),
        (
            plan_definition(
                action("a", **repeating(duration=30, durationMax=60, durationUnit="s"))
            ),
            f"{AT}[0].timingTiming.repeat.durationMax",
        ),
        (
            plan_definition(action("a", **repeating(duration=30, durationUnit="s"))),
            f"{AT}[0].timingTiming.repeat.duration",
        ),
        (plan_definition(action("a", timingTiming={"code": {}})), f"{AT}[0].timingTiming.code"),
        (plan_definition(action("a", code=[{"text": "x"}])), f"{AT}[0].code[0]"),
        (plan_definition(group("g", action("a"))), f"{AT}[0].title"),
        (
            plan_definition(group("g", action("a"), definitionUri="http://e.org/d")),
            f"{AT}[0].definitionUri",
        ),
        (
            plan_definition(group("g", action("a"), **repeating(duration=5, durationUnit="d"))),
            f"{AT}[0].timingTiming.repeat.duration",
        ),
        (
            plan_definition(group("g", action("a"), **repeating(duration=30, durationUnit="min"))),
            f"{AT}[0].timingTiming.repeat.duration",
        ),
        (
            plan_definition(action("a", participant=[{"type": "practitioner"}])),
            f"{AT}[0].participant[0]",
        ),
        (
            plan_definition(
                action("a"), useContext=[{"code": {"code": "focus"}, "valueCodeableConcept": {}}]
            ),
            "PlanDefinition.useContext[0]",
        ),
        (
            plan_definition(action("a"), relatedArtifact=[{"type": "composed-of"}]),
            "PlanDefinition.relatedArtifact[0]",
        ),
    ],
)
def test_what_says_nothing_of_days_is_kept_where_it_is(resource: Data, place: str) -> None:
    assert place in kept(resource)


@pytest.mark.parametrize(
    "element, longest", [("title", 200), ("description", 4000), ("purpose", 4000)]
)
def test_a_text_that_is_too_long_is_refused_where_it_is(element: str, longest: int) -> None:
    fits = plan_definition(action("a"), **{element: "x" * longest})

    assert refused(fits) == {}
    assert refused(fits | {element: "x" * (longest + 1)}) == {
        f"PlanDefinition.{element}": "business-rule"
    }


def test_tabs_are_spaces_in_a_protocol() -> None:
    book = {"type": "citation", "display": "1.\tBook"}

    document = document_of(plan_definition(action("a", title="A\tvisit"), relatedArtifact=[book]))

    assert document["steps"][0]["title"] == "A visit"
    assert document["sources"][0]["title"] == "1. Book"


def test_a_trigger_with_days_of_its_own_is_told_as_not_evaluated() -> None:
    daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    trigger = [{"type": "named-event", "name": "x"}, {"type": "periodic", "timingTiming": daily}]

    found = read_protocol(plan_definition(action("a", trigger=trigger))).findings

    told = {one.expression for one in found if one.code == "not-supported"}
    assert told == {f"{AT}[0].trigger[1].timingTiming"}


def test_an_activity_with_a_timing_of_its_own_is_told_as_not_evaluated() -> None:
    activity = {"resourceType": "ActivityDefinition", "id": "x", "timingTiming": {}}
    resource = plan_definition(action("a", definitionCanonical="#x"), contained=[activity])

    found = [one for one in read_protocol(resource).findings if one.code == "not-supported"]

    assert [one.expression for one in found] == [f"{AT}[0].definitionCanonical"]


def test_an_action_without_any_name_is_one_all_the_same() -> None:
    steps = document_of(plan_definition({"priority": "routine"}, {"id": "b"}))["steps"]

    assert [(one["key"], one["title"]) for one in steps] == [("action", "action"), ("b", "b")]


def test_a_cycle_about_a_window_has_windows() -> None:
    window = {"low": duration(1), "high": duration(3)}
    cycle = group("g", action("a", **days_of_cycle(2)), **CYCLE)
    cycle["relatedAction"] = [relation("ref", "after-start", offsetRange=window)]

    first, second = steps_of(plan_definition(action("ref"), cycle))["a"]["timepoints"]

    assert (first["earliest"], first["latest"]) == ("P2D", "P4D")
    assert (second["earliest"], second["latest"]) == ("P23D", "P25D")


def test_only_days_that_two_actions_share_are_kept_together() -> None:
    mate = action("b", relation("a", "concurrent"), **days_of_cycle(1, 3))
    cycle = group("g", action("a", **days_of_cycle(1)), mate, **CYCLE)

    rules = document_of(plan_definition(cycle))["rules"]

    assert [rule["steps"] for rule in rules] == [["a/c1d1", "b/c1d1"], ["a/c2d1", "b/c2d1"]]


def _same_after_both_ways(*steps: Data, **members: Any) -> None:
    protocol = parse_protocol(document(*steps, **members))

    assert read_protocol(plan_definition_of(protocol)).document == protocol


def test_a_step_that_counts_from_a_timepoint_comes_back() -> None:
    points = [{"key": "m3", "target": "P3M"}, {"key": "m_6", "target": "P6M"}]
    _same_after_both_ways(
        step("one"),
        step("two", relative_to={"step": "one"}, timepoints=points),
        step(
            "three",
            timings=[{"relative_to": {"step": "two", "occurrence": "m_6"}, "target": "P1D"}],
        ),
    )


def test_names_too_long_for_an_id_come_back() -> None:
    long, point = "s" * 60, "p" * 60
    _same_after_both_ways(
        step("one"),
        step(long, relative_to={"step": "one"}, timepoints=[{"key": point, "target": "P3M"}]),
        step("x", timings=[{"relative_to": {"step": long, "occurrence": point}, "target": "P1D"}]),
    )


@pytest.mark.parametrize(
    "spacing",
    [
        {"target": "P1M2W"},
        {"target": "P5D", "unit": "working_days"},
        {"earliest": "P0D", "latest": "P2W"},
        {"earliest": "P1W", "target": "P1W", "latest": "P2W"},
    ],
)
def test_repeats_come_back_however_they_are_spaced(spacing: Data) -> None:
    count = {"min": 2, "default": 2, "max": 4}
    repeat = {"count": count, "spacing": spacing}
    _same_after_both_ways(
        step("one"), step("two", timings=after("one", target="P1D"), repeat=repeat)
    )


def test_backward_repeats_come_back_where_no_sum_can_be_told() -> None:
    spacing = {"target": "-P1Y"}
    repeat = {"count": 12, "order": "backward", "spacing": spacing}
    timing = {"relative_to": {"step": "one"}, "earliest": "-P9Y", "target": "-P9Y"}

    _same_after_both_ways(step("one"), step("two", timings=[timing], repeat=repeat))


def test_a_span_of_several_units_comes_back() -> None:
    _same_after_both_ways(step("one", kind="rehab", span="P1M2W"))


def test_gaps_without_any_exempt_group_come_back() -> None:
    rule = {"id": "r", "type": "min_gap", "kinds": ["visit"], "offset": "P7D", "exempt": [[]]}
    _same_after_both_ways(step("one"), rules=[rule], parameters=[choice()])
