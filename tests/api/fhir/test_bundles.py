"""Many interactions in one request: a batch's each by itself, a transaction's all or none."""

from base64 import b64encode
from typing import Any

import pytest

from app.domain.permissions import Role
from tests.api.fhir.given_fhir import R4, SENT, Data, get, ids, issue_of, plan_of
from tests.api.given_callers import headers
from tests.api.given_changes import Living
from tests.api.given_plans import Desk
from tests.client import Answer

NEW = "urn:uuid:6f1b8e0a-5d3c-4a39-9a37-0d7c5a1f2b11"
OTHER = "urn:uuid:6f1b8e0a-5d3c-4a39-9a37-0d7c5a1f2b12"


def bundle(*entries: Any, type_: str = "transaction") -> Data:
    """A bundle of entries."""
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries)}


def entry(method: str, url: str, resource: Data | None = None, **request: str) -> Data:
    """An entry."""
    asked: Data = {"request": {"method": method, "url": url, **request}}
    return asked if resource is None else {**asked, "resource": resource}


def person(desk: Desk, **fields: Any) -> Data:
    """A patient of another system."""
    identifier = {"system": "urn:example:ehr", "value": desk.patient_id}
    return {"resourceType": "Patient", "identifier": [identifier], **fields}


def fact(living: Living, step: str) -> Data:
    """A procedure that was done at a step."""
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "basedOn": [{"reference": f"ServiceRequest/{living.id_of(step)}"}],
        "subject": {"reference": f"Patient/{living.plan['patient_id']}"},
        "performedDateTime": "2027-02-02",
    }


async def post(desk: Desk, body: Any, **headers: str) -> Answer:
    """Send a bundle."""
    return await desk.api.post(R4, json=body, headers={**SENT, **headers})


def statuses(answer: Answer) -> list[str]:
    """The status of each entry."""
    assert answer.status_code == 200, answer.text
    return [one["response"]["status"][:3] for one in answer.json().get("entry", ())]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_entries_of_a_batch_do_not_depend_on_each_other(desk: Desk, slash: str) -> None:
    body = bundle(
        entry("GET", f"Patient/{desk.patient_id}"),
        entry("GET", "Patient/x"),
        entry("POST", "Patient", person(desk)),
        entry("POST", "Patient", person(desk)),
        entry("POST", "Patient", person(desk), ifNoneExist=f"identifier={desk.patient_id}"),
        entry("GET", f"CarePlan?patient={desk.patient_id}&_summary=count"),
        entry("DELETE", f"Patient/{desk.patient_id}"),
        entry("GET", "Patient?colour=red"),
        {"resource": person(desk)},
        "nonsense",
        entry("TRACE", "Patient"),
        entry("GET", "Nothing"),
        {"request": {"method": "GET"}},
        type_="batch",
    )

    answer = await desk.api.post(R4 + slash, json=body, headers=SENT)

    expected = "200 404 201 409 200 200 422 400 422 422 422 422 422"
    assert statuses(answer) == expected.split()
    entries = answer.json()["entry"]
    assert answer.json()["type"] == "batch-response"
    assert entries[2]["response"]["location"].endswith("/_history/1")
    assert entries[4]["resource"]["id"] == entries[2]["resource"]["id"]
    assert entries[5]["resource"]["total"] == 0
    told = entries[6]["response"]["outcome"]["issue"][0]
    assert told["expression"] == ["Bundle.entry[6].request.url"]


async def test_a_transaction_makes_what_refers_to_each_other(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.on("2027-02-02")
    named = f"{desk.patient_id}"
    known = {"fullUrl": NEW, **entry("POST", "Patient", {"resourceType": "Patient"})}
    known["resource"]["identifier"] = [desk.mrn]
    known["request"]["ifNoneExist"] = f"identifier={desk.mrn['system']}|{desk.mrn['value']}"
    done = {**fact(living, "primer/2"), "subject": {"reference": NEW}}

    answer = await post(
        desk,
        bundle(entry("GET", f"Procedure?patient={named}"), entry("POST", "Procedure", done), known),
    )

    assert statuses(answer) == ["200", "201", "200"]
    assert ids(answer.json()["entry"][0]["resource"]) == [living.id_of("primer/2")]
    assert answer.json()["entry"][1]["resource"]["subject"]["reference"] == f"Patient/{named}"


async def test_a_transaction_is_done_wholly_or_not_at_all(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.on("2027-02-02")
    before = await desk.rows()

    answer = await post(
        desk,
        bundle(
            entry("POST", "Procedure", fact(living, "primer/2")),
            entry("POST", "Patient", person(desk, birthDate="1975")),
        ),
    )

    issue = issue_of(answer, 422)
    assert issue["expression"] == ["Bundle.entry[1].resource.birthDate"]
    assert await desk.rows() == before
    assert (await plan_of(living))["revision"] == 1


async def test_a_visit_is_booked_within_a_transaction(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    visit = await get(desk.api, f"Appointment/{living.id_of('primer/1')}")
    times = {"start": "2027-02-17T09:00:00-07:00", "end": "2027-02-17T10:00:00-07:00"}
    booked = {**visit, **times, "status": "booked"}
    at = f"Appointment/{visit['id']}"

    stale = await post(desk, bundle(entry("PUT", at, booked, ifMatch='W/"7"')))
    answer = await post(
        desk,
        bundle(entry("PUT", at, booked, ifMatch='W/"1"')),
        Prefer="return=minimal",
    )

    assert issue_of(stale, 412)["expression"] == ["Bundle.entry[0]"]
    assert statuses(answer) == ["200"]
    assert answer.json()["entry"][0]["response"]["etag"] == 'W/"2"'
    assert "resource" not in answer.json()["entry"][0]


async def test_a_version_that_is_known_is_not_sent_again(desk: Desk) -> None:
    wanted = entry("GET", f"Patient/{desk.patient_id}", ifNoneMatch='W/"1"')

    assert statuses(await post(desk, bundle(wanted))) == ["304"]


async def test_a_transaction_that_is_sent_again_is_done_once(desk: Desk) -> None:
    key = {"Idempotency-Key": f"bundle-{desk.patient_id}"}
    body = bundle(entry("POST", "Patient", person(desk)))

    first = await post(desk, body, **key)
    again = await post(desk, body, **key)
    batch = await post(desk, {**body, "type": "batch"}, **key)

    assert again.content == first.content
    assert issue_of(batch, 400)["code"] == "invalid"


async def test_who_may_not_do_it_is_not_told_what_another_was_answered(own_desk: Desk) -> None:
    key = {"Idempotency-Key": "known-to-both"}
    body = bundle(entry("POST", "Patient", person(own_desk)))
    able = await headers(own_desk.app, Role.INTEGRATION)
    unable = await headers(own_desk.app, Role.READ_ONLY, scopes=frozenset())
    assert statuses(await post(own_desk, body, **key, **able)) == ["201"]

    assert issue_of(await post(own_desk, body, **key, **unable), 403)["code"] == "forbidden"


async def test_a_reference_may_describe_what_is_there(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.on("2027-01-13")
    named = "{system}|{value}".format(**desk.mrn)
    done = {**fact(living, "consult"), "performedDateTime": "2027-01-13"}

    def told(reference: str) -> Data:
        return bundle(
            entry("POST", "Procedure", {**done, "subject": {"reference": reference}}),
            entry("GET", f"Patient/{desk.patient_id}"),
        )

    missing = await post(desk, told("Patient?identifier=urn:nobody|0"))
    elsewhere = await post(desk, told("Practitioner?identifier=x"))
    unsaid = await post(desk, told("Patient?_count=1"))
    found = await post(desk, told(f"Patient?identifier={named}"))

    at = "Bundle.entry[0].resource"
    assert issue_of(missing, 422)["expression"] == [at]
    assert issue_of(elsewhere, 422)["expression"] == [f"{at}.subject"]
    assert issue_of(unsaid, 400)["code"] == "required"
    assert statuses(found) == ["201", "200"]


async def test_a_patch_is_sent_within_a_binary(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    request = f"ServiceRequest/{living.id_of('consult')}"
    version = (await get(desk.api, request))["meta"]["versionId"]
    patch = b'[{"op": "replace", "path": "/status", "value": "revoked"}]'

    def sent(data: bytes | str) -> Data:
        binary = {"resourceType": "Binary", "contentType": "application/json-patch+json"}
        coded = b64encode(data).decode() if isinstance(data, bytes) else data
        return bundle(entry("PATCH", request, {**binary, "data": coded}, ifMatch=f'W/"{version}"'))

    answers = [await post(desk, sent(data)) for data in ("no base64", b"no json", patch)]

    for answer in answers[:2]:
        assert issue_of(answer, 422)["expression"] == ["Bundle.entry[0].resource.data"]
    assert statuses(answers[2]) == ["200"]
    assert (await get(desk.api, request))["status"] == "revoked"


async def test_no_two_entries_have_the_same_name(desk: Desk) -> None:
    body = bundle(*({**entry("POST", "Patient", person(desk)), "fullUrl": NEW} for _ in "ab"))

    answer = await post(desk, body)

    assert issue_of(answer, 422)["expression"] == ["Bundle.entry[1].fullUrl"]


async def test_references_in_a_circle_are_refused(desk: Desk) -> None:
    def one(url: str, other: str) -> Data:
        link = [{"other": {"reference": other}, "type": "seealso"}]
        return {"fullUrl": url, **entry("POST", "Patient", person(desk, link=link))}

    answer = await post(desk, bundle(one(NEW, OTHER), one(OTHER, NEW)))

    assert issue_of(answer, 422)["expression"] == ["Bundle.entry[0].resource"]


async def test_a_reference_to_nothing_is_refused(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    dangling = {**fact(living, "primer/2"), "subject": {"reference": NEW}}

    issue = issue_of(await post(desk, bundle(entry("POST", "Procedure", dangling))), 422)

    assert issue["expression"] == ["Bundle.entry[0].resource.subject"]


@pytest.mark.parametrize(
    "body, expression",
    [
        ({"resourceType": "Patient"}, "Bundle"),
        ([], "Bundle"),
        ({"resourceType": "Bundle", "type": "history"}, "Bundle.type"),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, "Bundle.entry"),
        (bundle(*[entry("GET", "Patient/x")] * 2000, type_="batch"), "Bundle.entry"),
        (bundle({"request": "x"}), "Bundle.entry[0].request"),
    ],
)
async def test_what_is_no_bundle_is_refused(desk: Desk, body: Any, expression: str) -> None:
    assert issue_of(await post(desk, body), 422)["expression"] == [expression]


async def test_a_bundle_of_five_megabytes_is_refused(desk: Desk) -> None:
    answer = await desk.api.post(R4, content=b" " * (5 * 1024 * 1024), headers=SENT)

    assert issue_of(answer, 413)["code"] == "too-long"


async def test_a_bundle_of_more_than_one_megabyte_is_taken(desk: Desk) -> None:
    many = [entry("GET", "Patient?name=" + "x" * 7000) for _ in range(200)]

    assert statuses(await post(desk, bundle(*many, type_="batch"))) == ["200"] * 200


async def test_an_empty_bundle_is_answered_by_an_empty_one(desk: Desk) -> None:
    body = {"resourceType": "Bundle", "type": "transaction"}

    assert (await post(desk, body)).json()["type"] == "transaction-response"
