"""The FHIR face as such: what it says of itself, its errors, its permissions, how it pages."""

from typing import Any

import pytest
from fastapi import FastAPI

from app.api.fhir.outcomes import outcome_of
from app.domain.permissions import Role
from tests.api.given_callers import headers, second_clinic
from tests.client import Answer, Client

BASE = "http://127.0.0.1:8000/fhir/R4"
LENGTH = {"value": 1, "code": "d", "system": ["x"]}
RELATED = {
    "title": "A",
    "relatedAction": [{"actionId": "b", "relationship": "after", "offsetDuration": LENGTH}],
}
PLACE = {"name": "Main", "time_zone": "America/Denver", "open_weekdays": [2, 3, 4, 5]}


async def location(api: Client, **fields: Any) -> str:
    """A location's id."""
    answer = await api.post("/v1/locations", json={**PLACE, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def patient(api: Client, name: str, **fields: Any) -> str:
    """A patient's id."""
    answer = await api.post("/v1/patients", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def issue_of(answer: Answer, status: int) -> dict[str, Any]:
    """The first issue of a refusal."""
    assert answer.status_code == status, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    issue: dict[str, Any] = outcome["issue"][0]
    return issue


def found(answer: Answer) -> list[str]:
    """The ids that a search found."""
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    return [one["resource"]["id"] for one in entries if one["search"]["mode"] == "match"]


async def test_everybody_may_ask_what_the_face_can_do(api: Client, app: FastAPI) -> None:
    await headers(app, Role.FRONT_DESK)

    statement = (await api.get("/fhir/R4/metadata")).json()
    smart = (await api.get("/fhir/R4/.well-known/smart-configuration")).json()

    assert statement["fhirVersion"] == "4.0.1"
    assert {"Patient", "Location"} <= {one["type"] for one in statement["rest"][0]["resource"]}
    assert smart["token_endpoint"] == "http://127.0.0.1:8000/oauth/token"
    assert "system/Patient.crs" in smart["scopes_supported"]


@pytest.mark.parametrize(
    "path, status, code",
    [
        ("/Nothing", 404, "not-found"),
        ("/Patient/x", 404, "not-found"),
        ("/Patient/00000000-0000-7000-8000-000000000000", 404, "not-found"),
        ("/Location?colour=red", 400, "not-supported"),
        ("/Location?name:text=x", 400, "not-supported"),
        ("/Location?_count=-1", 400, "value"),
        ("/Location?_sort=name", 400, "not-supported"),
        ("/Location?_lastUpdated=yesterday", 400, "value"),
        ("/Location?_lastUpdated=2027-01-01,2027-01-02", 400, "not-supported"),
        ("/Location?_id=", 400, "required"),
        ("/Location?_cursor=x", 400, "invalid"),
        ("/Location?_cursor=x&name=y", 400, "invalid"),
        ("/Location?_include=Location:partof", 400, "not-supported"),
        ("/Location?_revinclude=Location:partof", 400, "not-supported"),
        ("/Location?_summary=maybe", 400, "code-invalid"),
        ("/Location?_total=some", 400, "code-invalid"),
        ("/Location?_format=xml", 406, "not-supported"),
        ("/Patient?identifier=urn:x|", 400, "not-supported"),
    ],
)
async def test_a_refusal_is_an_operation_outcome(
    api: Client, path: str, status: int, code: str
) -> None:
    assert issue_of(await api.get(f"/fhir/R4{path}"), status)["code"] == code


async def test_what_is_refused_before_any_route_is_an_operation_outcome_too(
    api: Client, app: FastAPI
) -> None:
    await headers(app, Role.FRONT_DESK)

    anonymous = await api.get("/fhir/R4/Patient")
    elsewhere = await api.get("/fhir/R4/Patient", headers={"Host": "evil.example"})

    assert issue_of(anonymous, 401)["code"] == "login"
    assert issue_of(elsewhere, 400)["code"] == "invalid"


@pytest.mark.parametrize(
    "type_, members",
    [
        ("PlanDefinition", {"extension": [{"url": ["x"]}]}),
        ("PlanDefinition", {"action": [{"title": "A", "extension": [{"url": {}}]}]}),
        ("PlanDefinition", {"action": [RELATED]}),
        ("Bundle", {"type": ["batch"]}),
        ("Subscription", {"reason": "r", "criteria": "CarePlan", "channel": None}),
        ("Procedure", {"status": "completed", "basedOn": None, "subject": {"reference": "x"}}),
        ("Procedure", {"performedPeriod": None, "subject": {"reference": "x"}}),
        ("Encounter", {"status": "finished", "class": {"code": "AMB"}, "period": None}),
    ],
    ids=lambda one: one if isinstance(one, str) else next(reversed(one)),
)
async def test_what_is_not_even_of_the_right_sort_is_refused(
    api: Client, type_: str, members: dict[str, Any]
) -> None:
    body = {"resourceType": type_, "status": "draft", **members}
    path = "" if type_ == "Bundle" else f"/{type_}"

    answer = await api.post(f"/fhir/R4{path}", json=body)

    assert issue_of(answer, 422)["severity"] == "error"


async def test_a_method_that_an_address_does_not_take_is_refused(api: Client) -> None:
    answer = await api.delete("/fhir/R4/Location")

    assert issue_of(answer, 405)["code"] == "not-supported"
    assert answer.headers["allow"] == "GET"


async def test_a_caller_without_the_scope_is_refused(api: Client, app: FastAPI) -> None:
    able = await headers(app, Role.ADMIN)
    unable = await headers(app, Role.READ_ONLY, scopes=frozenset())

    assert (await api.get("/fhir/R4/Patient", headers=able)).status_code == 200
    refused = await api.get("/fhir/R4/Patient", headers=unable)
    assert issue_of(refused, 403)["code"] == "forbidden"


async def test_another_clinics_resource_does_not_exist(api: Client, app: FastAPI) -> None:
    ours = await headers(app, Role.INTEGRATION)
    theirs = await headers(app, Role.INTEGRATION, clinic_id=await second_clinic(app))
    made = await api.post("/v1/patients", json={"name": "Ours"}, headers=ours)
    id_ = made.json()["id"]

    assert (await api.get(f"/fhir/R4/Patient/{id_}", headers=ours)).status_code == 200
    assert (await api.get(f"/fhir/R4/Patient/{id_}", headers=theirs)).status_code == 404
    assert found(await api.get(f"/fhir/R4/Patient?_id={id_}", headers=theirs)) == []


async def test_a_version_that_is_known_is_not_sent_again(api: Client) -> None:
    id_ = await location(api)
    answer = await api.get(f"/fhir/R4/Location/{id_}")

    again = await api.get(
        f"/fhir/R4/Location/{id_}", headers={"If-None-Match": answer.headers["etag"]}
    )

    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"].endswith("GMT")
    assert (again.status_code, again.content) == (304, b"")


async def test_pages_are_gone_through_without_loss_whatever_the_order(api: Client) -> None:
    made = [await location(api, name=f"Place {number}") for number in range(5)]

    for order in ("_id", "-_id", "_lastUpdated", "-_lastUpdated"):
        seen: list[str] = []
        url = f"/fhir/R4/Location?name=place&_count=2&_sort={order}"
        while url:
            answer = await api.get(url)
            seen += found(answer)
            links = {one["relation"]: one["url"] for one in answer.json()["link"]}
            url = links.get("next", "").removeprefix("http://127.0.0.1:8000")
        assert seen == (made if order[0] == "_" else made[::-1])


async def test_a_cursor_is_of_its_search_and_clinic(api: Client, app: FastAPI) -> None:
    ours = await headers(app, Role.ADMIN)
    theirs = await headers(app, Role.ADMIN, clinic_id=await second_clinic(app))
    for name in ("A", "B"):
        await api.post("/v1/locations", json={**PLACE, "name": name}, headers=ours)
    page = await api.get("/fhir/R4/Location?_count=1", headers=ours)
    cursor = page.json()["link"][1]["url"].partition("?")[2]

    assert len(found(await api.get(f"/fhir/R4/Location?{cursor}", headers=ours))) == 1
    for at, sent in ((f"Location?{cursor}", theirs), (f"Patient?{cursor}", ours)):
        assert issue_of(await api.get(f"/fhir/R4/{at}", headers=sent), 400)["code"] == "invalid"


async def test_what_is_searched_in_a_body_stands_in_no_address(api: Client) -> None:
    for _ in range(2):
        await patient(api, "Secret Person")

    page = await api.post(
        "/fhir/R4/Patient/_search", data={"name": "secret", "_count": "1", "_total": "accurate"}
    )
    following = page.json()["link"][1]["url"].removeprefix("http://127.0.0.1:8000")
    rest = await api.get(following)

    assert page.json()["total"] == 2
    assert "secret" not in str(page.json()["link"])
    assert len({*found(page), *found(rest)}) == 2
    assert len(rest.json()["link"]) == 1


async def test_a_patient_is_found_by_identifier_name_or_birth_date(api: Client) -> None:
    identifier = {"system": "urn:example:mrn", "value": "4711"}
    id_ = await patient(api, "Émile Example", birth_date="1975-06-30", identifiers=[identifier])
    await patient(api, "Somebody Else")

    for search in (
        "identifier=urn:example:mrn|4711",
        "identifier=4711",
        "name=emile",
        "name=nobody,emile",
        "birthdate=1975-06-30",
        "birthdate=1975",
        "birthdate=gt1975-06-29&birthdate=lt1975-07",
        f"_id={id_}",
        f"_id=Patient,{id_}",
    ):
        assert found(await api.get(f"/fhir/R4/Patient?{search}")) == [id_], search
    for search in ("identifier=urn:other|4711", "birthdate=gt1975-06-30", "name=emile&name=else"):
        assert found(await api.get(f"/fhir/R4/Patient?{search}")) == [], search


async def test_counts_summaries_and_elements_show_a_part(api: Client) -> None:
    id_ = await location(api)

    counted = (await api.get("/fhir/R4/Location?_summary=count")).json()
    summary = (await api.get(f"/fhir/R4/Location/{id_}?_summary=true")).json()
    part = (await api.get("/fhir/R4/Location?_elements=name")).json()["entry"][0]["resource"]

    assert counted["total"] == 1
    assert "entry" not in counted
    assert set(summary) == {"resourceType", "id", "meta", "status", "name", "mode"}
    assert set(part) == {"resourceType", "id", "meta", "name"}
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"


async def test_who_asks_for_leniency_is_told_what_was_left_out(api: Client) -> None:
    await location(api)

    answer = await api.get("/fhir/R4/Location?colour=red", headers={"Prefer": "handling=lenient"})

    modes = [entry["search"]["mode"] for entry in answer.json()["entry"]]
    assert modes == ["match", "outcome"]
    assert answer.json()["link"][0]["url"] == f"{BASE}/Location"


def test_a_conflict_is_told_with_its_ways_out() -> None:
    outcome = outcome_of(
        {
            "type": "schedule-conflict",
            "title": "The plan cannot be scheduled",
            "status": 409,
            "conflict": {"elements": [{"id": "x", "text": "the clinic is closed"}]},
            "options": [{"text": "session on Wed 2027-03-31"}],
        }
    )

    assert [one["code"] for one in outcome["issue"]] == [
        "conflict",
        "business-rule",
        "informational",
    ]


@pytest.mark.parametrize(
    "pointer, expression",
    [("/entry/0/resource", "entry[0].resource"), ("Patient.name[1]", "Patient.name[1]")],
)
def test_a_fault_is_told_with_its_place_in_the_resource(pointer: str, expression: str) -> None:
    fault = {"pointer": pointer, "code": "missing", "detail": "is required"}

    outcome = outcome_of({"type": "x", "title": "X", "status": 422, "errors": [fault]})

    assert outcome["issue"][0]["expression"] == [expression]
    assert outcome["issue"][0]["code"] == "required"
