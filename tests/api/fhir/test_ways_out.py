"""What a conflict offers over FHIR can be posted as it is told, and works."""

import json
from typing import Any

import pytest

from tests.api.fhir.given_apply import (
    OURS,
    ROOT,
    TWO,
    anchor,
    applying,
    asking,
    choice,
    parts_of,
)
from tests.api.fhir.given_fhir import Data
from tests.api.fhir.test_writing import put, visit
from tests.api.given_changes import Living
from tests.api.given_plans import Desk
from tests.api.test_plans_making_room import FEW, few
from tests.client import Answer
from tests.fhir_judging import check
from tests.integrations.fhir.given_plan_definitions import (
    acceptable,
    action,
    plan_definition,
    relation,
)

EHR = {"name": "identifier", "valueIdentifier": {"system": "urn:ehr", "value": "77"}}


def options_in(answer: Answer) -> list[dict[str, Any]]:
    """The ways out of a conflict: address, body, role and moves."""
    assert answer.status_code == 409, answer.text
    outcome = answer.json()
    check(outcome)
    found = []
    for issue in outcome["issue"]:
        for option in issue.get("extension", ()):
            assert option["url"] == "urn:regimen:fhir:option"
            assert issue["diagnostics"].startswith("possible instead: ")
            parts = {p["url"]: p for p in option["extension"] if "move" not in p["url"]}
            moves = [p["extension"] for p in option["extension"] if "move" in p["url"]]
            found.append({**parts, "moves": moves})
    return found


async def taken(desk: Desk, option: dict[str, Any], **headers: str) -> Answer:
    """Post an option as it is."""
    body = json.loads(option["request"]["valueString"])
    address = option["address"]["valueUrl"]
    return await desk.api.post(address, json=body, headers=headers)


async def test_the_ways_out_of_a_visits_conflict_are_changes_of_its_plan(living: Living) -> None:
    session = await visit(living, "session")
    sunday = [{"start": "2027-03-14", "end": "2027-03-14"}]

    options = options_in(await put(living, {**session, "requestedPeriod": sunday}))

    assert {one["address"]["valueUrl"] for one in options} == {f"{living.url}/changes"}
    assert any(one["moves"] for one in options)
    first = await taken(living.desk, options[0], **{"If-Match": '"1"'})
    assert first.status_code == 200, first.text
    told = {part["url"]: part for part in options[0]["moves"][0]}
    moves = {move["step_id"]: move for move in first.json()["moves"]}
    move = moves[told["request"]["valueReference"]["reference"].partition("/")[2]]
    assert (told["from"]["valueDate"], told["to"]["valueDate"]) == (move["from"], move["to"])


async def test_the_ways_out_of_an_application_are_applications_or_plans(desk: Desk) -> None:
    await desk.plan()
    asked = asking(desk, anchor("2027-03-17"), choice("primer_count", 2), EHR)

    options = options_in(await desk.api.post(OURS, json=asked))

    by_address: dict[str, list[dict[str, Any]]] = {}
    for option in options:
        by_address.setdefault(option["address"]["valueUrl"], []).append(option)
    assert set(by_address) == {OURS, "/v1/plans"}
    for option in by_address[OURS]:
        answer = await taken(desk, option)
        assert answer.status_code == 200, answer.text
        assert parts_of(answer.json(), "ServiceRequest")
    made = await taken(desk, by_address["/v1/plans"][0])
    assert made.status_code == 201, made.text


async def test_another_plan_may_be_made_to_give_way(desk: Desk) -> None:
    other = await desk.plan(**few("2027-03-03"))
    chosen = [choice(key, value) for key, value in FEW.items()]
    asked = asking(desk, anchor("2027-03-10"), *chosen)

    options = options_in(await desk.api.post(OURS, json=asked))
    address = f"/v1/plans/{other['id']}/changes"
    way_out = next(one for one in options if one["address"]["valueUrl"] == address)
    done = await taken(desk, way_out, **{"If-Match": '"1"'})

    assert done.status_code == 200, done.text
    assert (await desk.api.post(OURS, json=asked)).status_code == 200


async def test_what_a_definition_that_is_not_stored_cannot_be_asked_is_told_in_words(
    desk: Desk,
) -> None:
    exactly = relation("session", "after", 12, **acceptable(12, 12))
    definition = plan_definition(action("session"), action("followup", exactly))

    answer = await desk.api.post(
        f"{ROOT}/$apply", json=applying(desk, definition, anchor(name="session"))
    )

    options = options_in(answer)
    assert {one.get("address", {}).get("valueUrl") for one in options} == {f"{ROOT}/$apply", None}
    assert options[-1]["needs-role"]["valueCode"] == "physician"


async def test_another_choice_takes_the_place_of_the_one_that_cannot_be(desk: Desk) -> None:
    asked = asking(desk, anchor("2027-02-10"), choice("primer_count", 3))

    options = options_in(await desk.api.post(OURS, json=asked))

    sent = json.loads(options[-1]["request"]["valueString"])
    assert sent["parameter"][-1] == choice("primer_count", 2)
    assert [one["name"] for one in sent["parameter"]].count("choice") == 1
    assert (await taken(desk, options[-1])).status_code == 200


@pytest.mark.parametrize("stored", [True, False])
async def test_a_conflict_of_a_day_by_itself_offers_others(desk: Desk, stored: bool) -> None:
    closed = {"name": "anchor", "valueDate": "2027-03-14"}
    side = {"name": "laterality", "valueCode": "right"}
    url = OURS if stored else f"{ROOT}/$apply"
    asked: Data = asking(desk, closed, side, side=None) if stored else applying(desk, TWO, closed)

    options = options_in(await desk.api.post(url, json=asked))

    days = [one for one in options if one.get("address", {}).get("valueUrl") == url]
    assert days
    for option in days:
        names = [one["name"] for one in json.loads(option["request"]["valueString"])["parameter"]]
        assert names.count("anchor") == 1
        assert (await taken(desk, option)).status_code == 200
