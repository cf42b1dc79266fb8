"""Patients come in over FHIR, once, and with as little as scheduling needs."""

from typing import Any

import pytest

from tests.api.fhir.given_fhir import R4, SENT, Data, get, issue_of, matches
from tests.api.given_plans import Desk


def person(desk: Desk, **fields: Any) -> Data:
    """A patient as an EHR has one."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:example:ehr", "value": desk.patient_id}],
        "name": [{"use": "official", "family": "Example", "given": ["Alex", "B."]}],
        "birthDate": "1975-06-30",
        "gender": "other",
        **fields,
    }


async def test_a_patient_is_made_of_what_scheduling_needs(desk: Desk) -> None:
    answer = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=SENT)

    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert made["name"] == [{"text": "Example, Alex B."}]
    assert "gender" not in made
    assert answer.headers["location"].endswith(f"/Patient/{made['id']}/_history/1")


@pytest.mark.parametrize(
    "fields, place",
    [
        ({"gender": "banana"}, "gender"),
        ({"name": [{"text": "Alex"}, {"text": "Lex", "use": "banana"}]}, "name[1].use"),
    ],
)
async def test_a_code_that_r4_does_not_have_is_refused_where_it_is(
    desk: Desk, fields: Data, place: str
) -> None:
    answer = await desk.api.post(f"{R4}/Patient", json=person(desk, **fields), headers=SENT)

    issue = issue_of(answer, 422)
    assert (issue["code"], issue["expression"]) == ("code-invalid", [f"Patient.{place}"])
    assert matches(await get(desk.api, f"Patient?identifier={desk.patient_id}")) == []


async def test_what_is_not_kept_of_a_patient_is_said(desk: Desk) -> None:
    headers = {**SENT, "Prefer": "return=OperationOutcome"}

    answer = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=headers)

    assert [one["diagnostics"] for one in answer.json()["issue"]] == ["'gender' is not kept"]


async def test_a_patient_is_made_once_for_who_asks_so(desk: Desk) -> None:
    headers = {**SENT, "If-None-Exist": f"identifier=urn:example:ehr|{desk.patient_id}"}

    first = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=headers)
    again = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=headers)
    twice = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=SENT)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert issue_of(twice, 409)["code"] == "conflict"
    found = await get(desk.api, f"Patient?identifier={desk.patient_id}")
    assert len(matches(found)) == 1


async def test_a_condition_that_several_fit_or_that_says_nothing_is_refused(desk: Desk) -> None:
    for name in ("One Sibling", "Two Sibling"):
        await desk.patient(name=name)

    for condition, status in (
        ("name=sibling", 412),
        ("", 400),
        ("_count=1", 400),
        ("colour=red", 400),
        ("&".join(["name=a"] * 101), 400),
    ):
        headers = {**SENT, "If-None-Exist": condition}
        answer = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=headers)
        issue_of(answer, status)


async def test_a_request_that_is_sent_again_makes_one_patient(desk: Desk) -> None:
    headers = {**SENT, "Idempotency-Key": f"key-{desk.patient_id}"}

    first = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=headers)
    again = await desk.api.post(f"{R4}/Patient", json=person(desk), headers=headers)

    assert again.content == first.content
    assert again.status_code == 201


@pytest.mark.parametrize(
    "change, expression",
    [
        ({"active": False}, "Patient.active"),
        ({"identifier": [{"value": "x"}]}, "Patient.identifier[0].system"),
        ({"identifier": [{"system": "urn:x"}]}, "Patient.identifier[0].value"),
        ({"identifier": {"system": "urn:x", "value": "x"}}, "Patient.identifier"),
        ({"identifier": [{"system": "urn:x", "value": "x" * 300}]}, "Patient.identifier"),
        ({"birthDate": "1975"}, "Patient.birthDate"),
        ({"birthDate": "1975-02-30"}, "Patient.birthDate"),
        ({"birthDate": "0001-01-01"}, "Patient.birthDate"),
        ({"name": [{"text": "x" * 300}]}, "Patient.name"),
        ({"deceasedBoolean": True, "deceasedDateTime": "2026-01-01"}, "Patient"),
        ({"gender": ["x"]}, "Patient.gender"),
        ({"identifier": None}, "Patient.identifier"),
        ({"identifier": [None]}, "Patient.identifier"),
        ({"name": [{"given": [None]}]}, "Patient.name[0].given[0]"),
        ({"name": None}, "Patient.name"),
        ({"resourceType": "Practitioner"}, "Patient"),
    ],
)
async def test_a_patient_that_cannot_be_is_refused_with_its_place(
    desk: Desk, change: Data, expression: str
) -> None:
    before = await desk.rows()

    answer = await desk.api.post(f"{R4}/Patient", json=person(desk, **change), headers=SENT)

    assert issue_of(answer, 422)["expression"] == [expression]
    assert await desk.rows() == before


@pytest.mark.parametrize(
    "body, content_type, status",
    [
        (b"", "application/fhir+json", 422),
        (b"[]", "application/fhir+json", 422),
        (b"{", "application/fhir+json", 400),
        (b'{"resourceType":"Patient","resourceType":"Patient"}', "application/json", 400),
        (b"\xff", "application/fhir+json; charset=utf-8", 400),
        (b"{}", "application/fhir+json; charset=latin-1", 415),
        (b"{}", "application/fhir+xml", 415),
        (b'{"a":' * 60, "application/fhir+json", 400),
        (b'{"x":"' + b"x" * (1024 * 1024) + b'"}', "application/fhir+json", 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    desk: Desk, body: bytes, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type}

    issue_of(await desk.api.post(f"{R4}/Patient", content=body, headers=headers), status)
