"""What is done at each step, over FHIR: read, searched, imported as protocols of one step."""

from typing import Any

import pytest
from fhir.resources.R4B.activitydefinition import ActivityDefinition

from tests.api.fhir.test_foundation import found, issue_of
from tests.client import Answer, Client
from tests.integrations.fhir.given_plan_definitions import action, plan_definition

Data = dict[str, Any]
ROOT = "/fhir/R4/ActivityDefinition"
CALL: Data = {
    "resourceType": "ActivityDefinition",
    "url": "http://example.org/fhir/ActivityDefinition/reminder",
    "title": "Reminder",
    "status": "active",
    "kind": "CommunicationRequest",
    "publisher": "Somebody",
    "timingTiming": {"repeat": {"duration": 15, "durationUnit": "min"}},
}


async def _library(api: Client) -> None:
    answer = await api.post("/v1/protocols/library")
    assert answer.status_code == 200, answer.text


async def _made(api: Client, **changed: Any) -> Answer:
    answer = await api.post(ROOT, json=CALL | changed)
    assert answer.status_code == 201, answer.text
    return answer


def _expressions(answer: Answer) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {place for issue in answer.json()["issue"] for place in issue.get("expression", ())}


async def test_every_step_is_an_activity_and_its_plan_definition_names_it(api: Client) -> None:
    await _library(api)
    plan = (await api.get("/fhir/R4/PlanDefinition/ankle-prp.v1.0.0")).json()
    canonicals = {
        one["definitionCanonical"].partition("|")[0]
        for one in plan["action"]
        if "definitionCanonical" in one
    }

    native = (await api.get("/v1/protocols/ankle-prp/versions/1.0.0")).json()
    urls = set()
    for step in native["document"]["steps"]:
        id_ = f"ankle-prp.v1.0.0.{step['key'].replace('_', '.')}"
        resource = (await api.get(f"{ROOT}/{id_}")).json()
        ActivityDefinition.model_validate(resource)
        assert resource["title"] == step["title"]
        urls.add(resource["url"])

    assert canonicals <= urls


@pytest.mark.parametrize(
    "query, number",
    [
        ("url=urn:regimen:protocol:ankle-prp:ActivityDefinition:prp1", 1),
        ("url=urn:nothing", 0),
        ("_id=ankle-prp.v1.0.0.prp1", 1),
        ("_id=ankle-prp.v1.0.0.nothing,no-id-of-ours", 0),
        ("title=booster&_id=ankle-stem-cell-prp-full.v1.0.0.booster", 1),
        ("status=active", 0),
        ("version=7.0.0", 0),
        ("_lastUpdated=gt2100", 0),
    ],
)
async def test_activities_are_searched_by_what_they_are(
    api: Client, query: str, number: int
) -> None:
    await _library(api)

    assert len(found(await api.get(f"{ROOT}?{query}"))) == number


async def test_activities_are_paged_without_loss(api: Client) -> None:
    await _library(api)
    whole = (await api.get(f"{ROOT}?_summary=count")).json()["total"]
    url = f"{ROOT}?_count=37"

    seen: list[str] = []
    while url:
        answer = await api.get(url)
        seen += found(answer)
        links = {one["relation"]: one["url"] for one in answer.json()["link"]}
        url = links.get("next", "")

    assert len(seen) == len(set(seen)) == whole


async def test_an_activity_becomes_a_protocol_of_one_step(api: Client) -> None:
    answer = await _made(api)

    made = answer.json()
    native = (await api.get("/v1/protocols/reminder/versions/1.0.0")).json()
    ActivityDefinition.model_validate(made)
    assert answer.headers["location"].endswith(f"ActivityDefinition/{made['id']}/_history/1")
    assert (made["publisher"], made["status"]) == ("Somebody", "draft")
    (step,) = native["document"]["steps"]
    assert (step["kind"], step["appointment"]) == ("call", {"minutes": 15})
    assert (await api.get(f"{ROOT}/{made['id']}/_history/1")).json() == made
    assert (await api.get(f"{ROOT}/{made['id']}/_history/2")).status_code == 404


async def test_a_draft_of_one_step_is_replaced_by_who_has_read_it(api: Client) -> None:
    made = (await _made(api)).json()
    url = f"{ROOT}/{made['id']}"

    without = await api.put(url, json=made | {"title": "Call"})
    done = await api.put(url, json=made | {"title": "Call"}, headers={"If-Match": 'W/"1"'})
    another = await api.put(
        url, json=made | {"url": "http://e.org/x"}, headers={"If-Match": 'W/"2"'}
    )

    assert issue_of(without, 428)["code"] == "required"
    assert (done.status_code, done.json()["title"]) == (200, "Call")
    assert _expressions(another) == {"ActivityDefinition.url"}


async def test_activities_that_came_with_a_plan_definition_are_given_back(api: Client) -> None:
    activity = {"resourceType": "ActivityDefinition", "id": "x", "status": "draft"}
    plan = plan_definition(
        action("a", definitionCanonical="#x"), contained=[activity | {"copyright": "C"}]
    )
    assert (await api.post("/fhir/R4/PlanDefinition", json=plan)).status_code == 201

    resource = (await api.get(f"{ROOT}/course.v1.0.0.a")).json()

    assert resource["copyright"] == "C"


@pytest.mark.parametrize(
    "body, expression",
    [
        ([], "ActivityDefinition"),
        (CALL | {"contact": 5}, "ActivityDefinition.contact"),
        (CALL | {"timingDateTime": "2027-01-01"}, "ActivityDefinition"),
    ],
)
async def test_what_is_no_activity_is_refused(api: Client, body: Any, expression: str) -> None:
    places = _expressions(await api.post(ROOT, json=body))

    assert any(place.startswith(expression) for place in places)


@pytest.mark.parametrize("id_", ["reminder", "reminder.v1.0.0", "reminder.v1.0.0.x", "a.v1.x"])
async def test_an_activity_that_is_not_there_is_not_found(api: Client, id_: str) -> None:
    await _made(api)

    assert issue_of(await api.get(f"{ROOT}/{id_}"), 404)["code"] == "not-found"
