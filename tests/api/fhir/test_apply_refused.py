"""``$apply``: what is not understood or not evaluated is refused where it is."""

import pytest

from tests.api.fhir.given_apply import (
    OURS,
    ROOT,
    Data,
    anchor,
    applying,
    asking,
    choice,
    refused,
)
from tests.api.fhir.test_foundation import issue_of
from tests.api.given_plans import Desk
from tests.integrations.fhir.given_plan_definitions import action, plan_definition


@pytest.mark.parametrize(
    "parameter, code",
    [
        pytest.param({"name": "encounter", "valueString": "Encounter/1"}, "not-supported", id="e"),
        pytest.param({"name": "colour", "valueString": "red"}, "not-supported", id="unknown"),
        pytest.param({"name": "persist", "valueString": "yes"}, "structure", id="no boolean"),
        pytest.param(
            {"name": "notBefore", "valueDate": "2027", "valueString": "x"}, "structure", id="two"
        ),
        pytest.param({"name": "notBefore", "valueDate": "2027-02-30"}, "value", id="no day"),
        pytest.param({"name": "anchor", "part": []}, "structure", id="no parts"),
        pytest.param(
            {"name": "anchor", "part": [{"name": "action", "valueString": "x"}]},
            "business-rule",
            id="no date",
        ),
        pytest.param(anchor(name="consult"), "business-rule", id="no anchor"),
        pytest.param(anchor("2027-03-11T04:30:00", type_="valueDateTime"), "value", id="no offset"),
        pytest.param(choice("booster_timing", "ten_weeks"), "code-invalid", id="no value"),
        pytest.param(choice("colour", "red"), "not-found", id="no such choice"),
        pytest.param({"name": "choice", "part": [{"name": "value"}]}, "required", id="half"),
        pytest.param({"name": "identifier", "valueIdentifier": {}}, "value", id="no identifier"),
    ],
)
async def test_parameters_that_are_not_understood_are_refused_where_they_are(
    desk: Desk, parameter: Data, code: str
) -> None:
    usual = [] if parameter["name"] == "anchor" else [anchor()]
    body = asking(desk, *usual, parameter)
    place = f"Parameters.parameter[{len(body['parameter']) - 1}]"

    found = refused(await desk.api.post(OURS, json=body))

    assert any(one == code and at.startswith(place) for one, at in found), found


async def test_what_a_protocol_needs_is_asked_for(desk: Desk) -> None:
    no_anchor = await desk.api.post(OURS, json=asking(desk))
    no_side = await desk.api.post(OURS, json=asking(desk, anchor(), side=None))
    nobody = await desk.api.post(OURS, json=asking(desk, anchor(), subject=None))
    nothing = await desk.api.post(f"{ROOT}/$apply", json=asking(desk, anchor()))
    empty = await desk.api.post(OURS, json=[])

    for answer in (no_anchor, no_side, nobody, nothing):
        assert refused(answer) == [("required", "Parameters.parameter")]
    assert refused(empty) == [("structure", "Parameters")]


async def test_somebody_elses_patient_does_not_exist(desk: Desk) -> None:
    nobody = "Patient/00000000-0000-7000-8000-000000000000"

    answer = await desk.api.post(
        OURS, json=asking(desk, anchor(), subject={"name": "subject", "valueString": nobody})
    )

    assert issue_of(answer, 404)["code"] == "not-found"


@pytest.mark.parametrize(
    "definition, expression",
    [
        pytest.param(
            plan_definition(
                action("a", dynamicValue=[{"path": "x", "expression": {"language": "text/cql"}}])
            ),
            "PlanDefinition.action[0].dynamicValue",
            id="dynamic value",
        ),
        pytest.param(
            plan_definition(action("a"), action("b", selectionBehavior="x")),
            "PlanDefinition.action[1].selectionBehavior",
            id="unknown selection",
        ),
        pytest.param(
            plan_definition(
                action(
                    "a",
                    condition=[
                        {
                            "kind": "applicability",
                            "expression": {
                                "language": "text/fhirpath",
                                "expression": "Patient.repeat(name).exists()",
                            },
                        }
                    ],
                )
            ),
            "PlanDefinition.action[0].condition[0].expression",
            id="a function that could run long",
        ),
    ],
)
async def test_what_is_not_evaluated_is_refused_where_it_is(
    desk: Desk, definition: Data, expression: str
) -> None:
    body = applying(desk, definition, anchor())

    found = refused(await desk.api.post(f"{ROOT}/$apply", json=body))

    assert expression in {at for _, at in found}


async def test_an_instant_without_a_place_is_no_day(own_desk: Desk) -> None:
    await own_desk.location(time_zone="Europe/Berlin")
    late = anchor("2027-03-11T04:30:00Z", type_="valueDateTime")

    found = refused(await own_desk.api.post(OURS, json=asking(own_desk, late, location=None)))

    assert ("required", "Parameters.parameter[2]") in found


async def test_more_conditions_than_are_evaluated_are_refused(desk: Desk) -> None:
    said = {"language": "text/fhirpath", "expression": "true"}
    held = {"condition": [{"kind": "applicability", "expression": said}] * 51}
    definition = plan_definition(action("a"), action("b", **held))

    answer = await desk.api.post(f"{ROOT}/$apply", json=applying(desk, definition, anchor()))

    assert refused(answer) == [("too-costly", "PlanDefinition.action")]


async def test_conditions_of_nobody_are_not_evaluated(desk: Desk) -> None:
    said = {"language": "text/fhirpath", "expression": "true"}
    held = action("b", condition=[{"kind": "applicability", "expression": said}])
    body = applying(desk, plan_definition(action("a"), held), anchor())
    unknown = {"name": "subject", "valueString": "Patient?identifier=urn:x|nobody"}
    others = [one for one in body["parameter"] if one["name"] != "subject"]

    answer = await desk.api.post(f"{ROOT}/$apply", json={**body, "parameter": [unknown, *others]})

    assert issue_of(answer, 404)["code"] == "not-found"
