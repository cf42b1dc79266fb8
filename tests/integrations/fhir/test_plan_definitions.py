"""Protocols as PlanDefinitions: the same after both ways, most of it in standard elements."""

from copy import deepcopy
from typing import Any

import pytest
from fhir.resources.R4B.plandefinition import PlanDefinition
from hypothesis import given

from app.domain.documents import ProtocolDocument, document_to_data, parse_protocol, written_as_data
from app.integrations.fhir.plan_definitions import plan_definition_of, read_protocol
from app.integrations.fhir.urls import STEP, TIMING
from app.services.library import library_keys, library_protocol
from tests.domain.given_documents import document, documents, step
from tests.integrations.fhir.given_plan_definitions import Data, refused

FULL = library_protocol("ankle-stem-cell-prp-full")


def _action(resource: Data, name: str) -> Data:
    found: Data = next(one for one in resource["action"] if one["id"] == name)
    return found


def _of(*steps: Data, **members: Any) -> Data:
    return plan_definition_of(parse_protocol(document(*steps, **members)))


def _read_back(resource: Data) -> ProtocolDocument:
    read = read_protocol(resource)
    assert read.document is not None, read.refused
    return read.document


@pytest.mark.parametrize("key", library_keys())
def test_a_built_in_protocol_is_the_same_after_both_ways(key: str) -> None:
    protocol = library_protocol(key)

    read = read_protocol(plan_definition_of(protocol))

    assert read.document is not None
    assert document_to_data(read.document) == document_to_data(protocol)
    origin = protocol.written_as
    assert read.written_as == (None if origin is None else written_as_data(origin))


@pytest.mark.parametrize("key", library_keys())
def test_a_built_in_protocol_is_a_valid_plan_definition(key: str) -> None:
    resource = plan_definition_of(library_protocol(key))

    PlanDefinition.model_validate(resource)


@given(documents())
def test_any_protocol_is_the_same_after_both_ways(data: Data) -> None:
    protocol = parse_protocol(data)

    resource = plan_definition_of(protocol)

    assert _read_back(resource) == protocol
    PlanDefinition.model_validate(resource)


def test_a_timing_is_an_offset_with_its_acceptable_range() -> None:
    relation = _action(plan_definition_of(FULL), "consult")["relatedAction"][0]

    assert relation["actionId"] == "session"
    assert relation["relationship"] == "before-start"
    assert relation["offsetDuration"]["value"] == 56
    window = relation["extension"][0]["valueRange"]
    assert (window["low"]["value"], window["high"]["value"]) == (15, 120)


def test_a_timing_that_standard_elements_say_whole_has_no_extension_of_ours() -> None:
    resource = plan_definition_of(FULL)

    ours = {
        one["id"]
        for one in resource["action"]
        for relation in one.get("relatedAction", ())
        if any(extension["url"] == TIMING for extension in relation.get("extension", ()))
    }

    assert ours == {"primer"}


def test_backward_repeats_say_where_the_earliest_of_the_usual_number_is() -> None:
    primer = _action(plan_definition_of(FULL), "primer")

    assert primer["relatedAction"][0]["offsetDuration"]["value"] == 42
    repeat = primer["timingTiming"]["repeat"]
    assert (repeat["count"], repeat["period"], repeat["periodUnit"]) == (2, 21, "d")


def test_alternatives_and_choices_are_groups_of_which_one_is_chosen() -> None:
    resource = plan_definition_of(FULL)

    booster, decision = _action(resource, "booster"), _action(resource, "booster.decision")

    assert booster["selectionBehavior"] == "exactly-one"
    offsets = [one["relatedAction"][0]["offsetDuration"]["value"] for one in booster["action"]]
    assert offsets == [42, 56]
    timing, choice = decision["action"]
    assert len(timing["action"]) == 2
    assert [one["title"] for one in choice["action"]][-1] == "Other course or referral"


def test_timepoints_are_actions_of_their_own_with_their_windows() -> None:
    followup = _action(plan_definition_of(FULL), "followup")

    assert [one["id"] for one in followup["action"]] == [
        "followup.AT.m3",
        "followup.AT.m6",
        "followup.AT.m12",
    ]
    assert all(one["relatedAction"][0]["actionId"] == "session" for one in followup["action"])


def test_what_may_be_left_out_could_be_done_and_everything_else_must() -> None:
    resource = plan_definition_of(FULL)

    assert _action(resource, "primer")["requiredBehavior"] == "could"
    assert _action(resource, "session")["requiredBehavior"] == "must"


def test_days_outside_the_protocol_are_actions_that_others_count_from() -> None:
    resource = plan_definition_of(library_protocol("outcomes-12m"))

    event = resource["action"][0]

    assert event["id"] == "OUTSIDE.treatment"
    assert resource["action"][1]["action"][0]["relatedAction"][0]["actionId"] == event["id"]


def test_open_days_and_lengths_of_several_units_are_no_standard_offsets() -> None:
    one = step("one")
    other = step(
        "other",
        timings=[
            {"relative_to": {"step": "one"}, "target": "P5D", "unit": "working_days"},
            {"relative_to": {"step": "one"}, "target": "P1M2W"},
        ],
    )

    related = _action(_of(one, other), "other")["relatedAction"]

    assert all("offsetDuration" not in relation for relation in related)


def test_what_somebody_changed_in_standard_elements_is_what_is_read() -> None:
    resource = plan_definition_of(FULL)
    _action(resource, "consult")["relatedAction"][0]["offsetDuration"]["value"] = 60
    _action(resource, "consult")["title"] = "First visit"

    consult = _read_back(resource).protocol.step("consult")

    assert consult is not None
    assert str(consult.timings[0].bounds.target) == "-P60D"
    assert consult.title == "First visit"


@pytest.mark.parametrize("name", ["primer", "booster", "followup"])
def test_standard_elements_that_contradict_our_extension_are_refused(name: str) -> None:
    resource = plan_definition_of(FULL)
    changed = _action(resource, name)
    related = changed.get("relatedAction") or changed["action"][0]["relatedAction"]
    related[0]["offsetDuration"]["value"] += 7

    found = refused(resource)

    assert found
    assert set(found.values()) == {"business-rule"}
    assert all(f"action[{resource['action'].index(changed)}]" in place for place in found)


@pytest.mark.parametrize(
    "member",
    [
        pytest.param({"url": STEP, "valueDecimal": 1.5}, id="no plain data"),
        pytest.param({"url": STEP, "valueString": "primer"}, id="no members"),
        pytest.param({"url": STEP, "extension": [{"valueString": "x"}]}, id="no name"),
        pytest.param(
            {"url": STEP, "extension": [{"url": "kind", "valueString": "dance"}]}, id="no kind"
        ),
        pytest.param({"url": STEP, "extension": ["x"]}, id="no extension"),
    ],
)
def test_an_extension_of_ours_that_we_did_not_write_is_refused(member: Data) -> None:
    resource = deepcopy(_of(step("one")))
    resource["action"][0]["extension"] = [member]

    assert refused(resource)
