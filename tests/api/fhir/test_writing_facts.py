"""What was done elsewhere becomes a fact of the plan."""

from typing import Any

import pytest

from tests.api.fhir.given_fhir import R4, SENT, Data, get, issue_of, plan_of
from tests.api.given_changes import Living
from tests.client import Answer


def fact(living: Living, step: str, **fields: Any) -> Data:
    """A procedure that was done at a step."""
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "basedOn": [{"reference": f"ServiceRequest/{living.id_of(step)}"}],
        "subject": {"reference": f"Patient/{living.plan['patient_id']}"},
        "performedDateTime": "2027-02-02",
        **fields,
    }


def encounter(living: Living, period: Data) -> Data:
    """The second primer, given at a visit."""
    given = fact(living, "primer/2")
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "basedOn": given["basedOn"],
        "subject": given["subject"],
        "period": period,
    }


async def post(living: Living, resource: Data, **headers: str) -> Answer:
    """Send a new resource."""
    at = f"{R4}/{resource['resourceType']}"
    return await living.desk.api.post(at, json=resource, headers={**SENT, **headers})


@pytest.mark.parametrize(
    "when, day",
    [
        ({"performedDateTime": "2027-02-02"}, "2027-02-02"),
        ({"performedDateTime": "2027-02-03T05:30:00Z"}, "2027-02-02"),
        (
            {
                "performedDateTime": None,
                "performedPeriod": {"start": "2027-02-02T16:00:00Z", "end": "2027-02-02T17:00:00Z"},
            },
            "2027-02-02",
        ),
    ],
)
async def test_a_procedure_records_that_a_step_was_done(
    living: Living, when: Data, day: str
) -> None:
    await living.on("2027-02-03")
    sent = {**fact(living, "primer/2"), **when, "note": [{"text": "no complications"}]}

    answer = await post(living, {name: value for name, value in sent.items() if value is not None})

    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["performedDateTime"] == day
    at = f"http://127.0.0.1:8000{R4}/Procedure/{living.id_of('primer/2')}/_history/2"
    assert answer.headers["location"] == at
    await plan_of(living)
    assert living.steps["primer/2"]["date"] == day


async def test_an_encounter_records_it_too(living: Living) -> None:
    await living.on("2027-02-02")
    sent = encounter(living, {"start": "2027-02-02T16:00:00Z", "end": "2027-02-02T17:00:00Z"})

    answer = await post(living, sent)

    assert answer.status_code == 201, answer.text
    assert answer.json()["period"] == sent["period"]
    visit = await get(living.desk.api, f"Appointment/{living.id_of('primer/2')}")
    assert (visit["status"], visit["start"]) == ("fulfilled", "2027-02-02T16:00:00Z")


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2027-01-30T16:00:00Z", "end": "2027-02-02T17:00:00Z"},
        {"start": "2027-02-02", "end": "2027-02-02T17:00:00Z"},
        {"end": "2027-02-02T17:00:00Z"},
        {"start": "2027-02-02", "end": "2027-02-02"},
    ],
)
async def test_an_encounter_that_was_no_visit_is_a_fact_without_one(
    living: Living, period: Data
) -> None:
    await living.on("2027-02-02")

    answer = await post(living, encounter(living, period) | {"class": {"code": "IMP"}})

    assert answer.status_code == 201, answer.text
    assert answer.json()["period"] == {"start": "2027-02-02", "end": "2027-02-02"}


async def test_an_encounter_at_a_booked_visit_leaves_the_booking_as_it_was(living: Living) -> None:
    booking = {"starts_at": "2027-02-02T15:00:00Z", "ends_at": "2027-02-02T15:45:00Z"}
    await living.change({"type": "book", "step": "primer/2", **booking})
    await living.on("2027-02-02")
    sent = encounter(living, {"start": "2027-02-02T15:10:00Z", "end": "2027-02-02T15:50:00Z"})

    answer = await post(living, sent)

    assert answer.status_code == 201, answer.text
    visit = await get(living.desk.api, f"Appointment/{living.id_of('primer/2')}")
    assert (visit["status"], visit["start"]) == ("fulfilled", "2027-02-02T15:00:00Z")


async def test_a_fact_is_recorded_once_for_who_asks_so(living: Living) -> None:
    await living.on("2027-02-02")
    condition = f"based-on=ServiceRequest/{living.id_of('primer/2')}"

    first = await post(living, fact(living, "primer/2"), **{"If-None-Exist": condition})
    again = await post(living, fact(living, "primer/2"), **{"If-None-Exist": condition})
    twice = await post(living, fact(living, "primer/2"))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert issue_of(twice, 422)["expression"] == ["Procedure"]


@pytest.mark.parametrize(
    "change, expression",
    [
        ({"status": "in-progress"}, "Procedure.status"),
        ({"status": "banana"}, "Procedure.status"),
        ({"basedOn": []}, "Procedure.basedOn"),
        ({"basedOn": None}, "Procedure.basedOn"),
        ({"basedOn": [{"reference": "ServiceRequest/x"}] * 2}, "Procedure.basedOn"),
        ({"performedDateTime": None}, "Procedure.performed"),
        ({"basedOn": [{"reference": "CarePlan/x"}]}, "Procedure.basedOn[0]"),
        ({"basedOn": [{"reference": "ServiceRequest/x"}]}, "Procedure.basedOn[0]"),
        ({"basedOn": [{"display": "the primer"}]}, "Procedure.basedOn[0]"),
        (
            {"basedOn": [{"reference": "ServiceRequest/00000000-0000-7000-8000-000000000000"}]},
            "Procedure.basedOn[0]",
        ),
        ({"subject": {"reference": "Patient/x"}}, "Procedure.subject"),
        ({"performedDateTime": "2027-02"}, "Procedure.performed"),
        ({"performedDateTime": "2027-12-24"}, "Procedure.performed"),
        ({"performedPeriod": {"start": "2027-02-02"}}, "Procedure"),
        ({"performedDateTime": {}}, "Procedure.performedDateTime"),
    ],
)
async def test_a_fact_that_cannot_be_is_refused_with_its_place(
    living: Living, change: Data, expression: str
) -> None:
    sent = {**fact(living, "primer/2"), **change}
    answer = await post(living, {name: value for name, value in sent.items() if value is not None})

    assert issue_of(answer, 422)["expression"] == [expression]
    assert (await plan_of(living))["revision"] == 1


@pytest.mark.parametrize("type_", ["Procedure", "Encounter"])
async def test_what_was_entered_in_error_is_taken_back(living: Living, type_: str) -> None:
    await living.on("2027-02-02")
    await post(living, fact(living, "primer/2"))
    at = f"{type_}/{living.id_of('primer/2')}"
    made = await get(living.desk.api, at)
    sent = {**SENT, "If-Match": 'W/"2"'}

    same = await living.desk.api.put(f"{R4}/{at}", json=made, headers=sent)
    stale = await living.desk.api.put(
        f"{R4}/{at}", json=made, headers={**SENT, "If-Match": 'W/"1"'}
    )
    wrong = {**made, "status": "entered-in-error"}
    answer = await living.desk.api.put(f"{R4}/{at}", json=wrong, headers=sent)

    assert (same.status_code, same.json()) == (200, made)
    assert issue_of(stale, 412)["code"] == "conflict"
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "entered-in-error"
    assert answer.headers["etag"] == 'W/"3"'
    assert (await living.desk.api.get(f"{R4}/{at}")).status_code == 404
    assert await get(living.desk.api, f"{at}/_history/2") == made
    request = await get(living.desk.api, f"ServiceRequest/{living.id_of('primer/2')}")
    assert request["status"] == "active"
    again = await post(living, fact(living, "primer/2"))
    assert again.status_code == 201, again.text


async def test_a_fact_is_taken_back_by_a_patch_and_changed_in_nothing_else(living: Living) -> None:
    await living.on("2027-02-02")
    await post(living, fact(living, "primer/2"))
    at = f"{R4}/Procedure/{living.id_of('primer/2')}"
    headers = {"Content-Type": "application/json-patch+json", "If-Match": 'W/"2"'}

    def replaced(name: str, value: str) -> list[Data]:
        return [{"op": "replace", "path": f"/{name}", "value": value}]

    for name, value, code in (
        ("status", "in-progress", "code-invalid"),
        ("performedDateTime", "2027-02-01", "not-supported"),
    ):
        refused = await living.desk.api.patch(at, json=replaced(name, value), headers=headers)
        issue = issue_of(refused, 422)
        assert (issue["code"], issue["expression"]) == (code, [f"Procedure.{name}"])
    answer = await living.desk.api.patch(
        at, json=replaced("status", "entered-in-error"), headers=headers
    )

    assert answer.status_code == 200, answer.text


async def test_a_decision_is_not_done_but_taken(living: Living) -> None:
    decisions = [name for name, step in living.steps.items() if step["kind"] == "decision"]

    issue = issue_of(await post(living, fact(living, decisions[0])), 422)

    assert issue["expression"] == ["Procedure.basedOn[0]"]
