"""Protocol versions over FHIR: read, searched, imported as drafts, with a report of everything."""

import re
from copy import deepcopy
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.plandefinition import PlanDefinition

from app.services.library import library_keys
from tests.api.fhir.test_foundation import found, issue_of
from tests.api.given_plans import good
from tests.client import Answer, Client
from tests.integrations.fhir.given_plan_definitions import (
    action,
    group,
    plan_definition,
    relation,
    repeating,
)

Data = dict[str, Any]
ROOT = "/fhir/R4/PlanDefinition"
COURSE = plan_definition(
    action("session"),
    action("followup", relation("session", "after-start", 42)),
    version="2.1",
    publisher="Somebody",
)


async def _library(api: Client) -> None:
    answer = await api.post("/v1/protocols/library")
    assert answer.status_code == 200, answer.text


async def _imported(api: Client, resource: Data = COURSE, **headers: str) -> Answer:
    answer = await api.post(ROOT, json=resource, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


def _expressions(answer: Answer) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {place for issue in answer.json()["issue"] for place in issue.get("expression", ())}


async def test_every_built_in_protocol_is_found_and_read(api: Client) -> None:
    await _library(api)

    ids = found(await api.get(f"{ROOT}?_count=100"))

    assert len(ids) == len(library_keys())
    for id_ in ids:
        answer = await api.get(f"{ROOT}/{id_}")
        resource = answer.json()
        PlanDefinition.model_validate(resource)
        assert resource["status"] == "draft"
        assert answer.headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    "query, number",
    [
        ("url=urn:regimen:protocol:ankle-prp", 1),
        ("url=urn:regimen:protocol:nothing", 0),
        ("url=http://example.org/fhir/PlanDefinition/course", 1),
        ("url=urn:regimen:protocol:course", 1),
        ("title=ankle&version=1.0.0", 4),
        ("status=active", 0),
        ("_id=ankle-prp.v1.0.0", 1),
        ("_id=what.we.never.gave", 0),
        ("version=2.1.0&status=draft", 1),
        ("_lastUpdated=gt2100", 0),
    ],
)
async def test_versions_are_searched_by_what_they_are(api: Client, query: str, number: int) -> None:
    await _library(api)
    await _imported(api)

    assert len(found(await api.get(f"{ROOT}?{query}"))) == number


@pytest.mark.parametrize("order", ["_id", "-_id", "_lastUpdated", "-_lastUpdated"])
async def test_versions_are_paged_without_loss(api: Client, order: str) -> None:
    await _library(api)
    url = f"{ROOT}?_count=5&_sort={order}&_total=accurate"

    seen: list[str] = []
    while url:
        answer = await api.get(url)
        seen += found(answer)
        assert answer.json()["total"] == len(library_keys())
        links = {one["relation"]: one["url"] for one in answer.json()["link"]}
        url = links.get("next", "")

    assert len(seen) == len(set(seen)) == len(library_keys())


async def test_what_is_sent_becomes_a_draft_and_is_given_back_as_it_was(api: Client) -> None:
    answer = await _imported(api)

    read = (await api.get(f"{ROOT}/course.v2.1.0")).json()
    native = (await api.get("/v1/protocols/course/versions/2.1.0")).json()

    assert answer.headers["location"].endswith("PlanDefinition/course.v2.1.0/_history/1")
    assert read["status"] == native["status"] == "draft"
    assert read["publisher"] == "Somebody"
    assert {name: read[name] for name in ("url", "action", "version")} == {
        name: COURSE[name] for name in ("url", "action", "version")
    }
    assert native["document"]["steps"][1]["timings"][0]["target"] == "P42D"


async def test_lines_that_end_as_windows_has_it_end_by_a_feed(api: Client) -> None:
    text = "One\r\nline\rand\tmore, in C:\\reports"

    answer = await _imported(api, {**COURSE, "description": text})

    resource = (await api.get(answer.headers["location"].removesuffix("/_history/1"))).json()
    assert resource["description"] == "One\nline\nand\tmore, in C:\\reports"


async def test_narratives_of_others_are_not_given_back(api: Client) -> None:
    text = {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>x</div>"}
    inside = {"resourceType": "ActivityDefinition", "id": "x", "status": "draft", "text": text}
    sent = COURSE | {"text": text, "contained": [inside]}

    answer = await _imported(api, sent, Prefer="return=OperationOutcome")
    read = (await api.get(f"{ROOT}/course.v2.1.0")).text

    told = {one["expression"][0]: one["diagnostics"] for one in answer.json()["issue"]}
    assert "<div" not in read
    assert "not given back" in told["PlanDefinition.text"]


async def test_who_prefers_it_is_told_what_became_of_each_element(api: Client) -> None:
    answer = await _imported(api, Prefer="return=OperationOutcome")

    outcome = answer.json()
    OperationOutcome.model_validate(outcome)
    verdicts = {one["expression"][0]: one["details"]["text"] for one in outcome["issue"]}
    assert verdicts["PlanDefinition.publisher"] == "kept"
    assert verdicts["PlanDefinition.action[1].relatedAction[0]"] == "understood"


async def test_a_further_version_joins_its_protocol_and_the_same_one_is_refused(
    api: Client,
) -> None:
    await _imported(api)
    await _imported(api, {**COURSE, "version": "3.0.0"})

    again = await api.post(ROOT, json=COURSE)

    assert issue_of(again, 409)["code"] == "conflict"
    versions = (await api.get("/v1/protocols/course/versions")).json()["items"]
    assert {one["version"] for one in versions} == {"2.1.0", "3.0.0"}


async def test_a_draft_is_replaced_by_who_has_read_it(api: Client) -> None:
    await _imported(api)
    changed = (await api.get(f"{ROOT}/course.v2.1.0")).json()
    changed["action"][1]["relatedAction"][0]["offsetDuration"]["value"] = 49
    url = f"{ROOT}/course.v2.1.0"

    without = await api.put(url, json=changed)
    stale = await api.put(url, json=changed, headers={"If-Match": 'W/"7"'})
    done = await api.put(url, json=changed, headers={"If-Match": 'W/"1"'})

    assert issue_of(without, 428)["code"] == "required"
    assert issue_of(stale, 412)["code"] == "conflict"
    assert done.status_code == 200
    assert done.headers["etag"] == 'W/"2"'
    native = (await api.get("/v1/protocols/course/versions/2.1.0")).json()
    assert native["document"]["steps"][1]["timings"][0]["target"] == "P49D"
    assert (await api.get(f"{url}/_history/2")).status_code == 200
    assert issue_of(await api.get(f"{url}/_history/1"), 404)["code"] == "not-found"


@pytest.mark.parametrize("element", ["id", "url", "version", "experimental"])
async def test_a_draft_stays_the_one_it_is(api: Client, element: str) -> None:
    await _imported(api)
    url = f"{ROOT}/course.v2.1.0"
    others = {
        "id": "another.v1.0.0",
        "url": "http://example.org/other",
        "version": "5.0.0",
        "experimental": True,
    }
    changed = (await api.get(url)).json() | {element: others[element]}

    answer = await api.put(url, json=changed, headers={"If-Match": 'W/"1"'})

    assert _expressions(answer) == {f"PlanDefinition.{element}"}


async def test_a_draft_edited_natively_says_what_it_says_now(api: Client) -> None:
    await _imported(api)
    native = await api.get("/v1/protocols/course/versions/2.1.0")
    document = native.json()["document"] | {"title": "Another course"}
    url = "/v1/protocols/course/versions/2.1.0"
    edited = await api.put(url, json=document, headers={"If-Match": native.headers["etag"]})

    read = (await api.get(f"{ROOT}/course.v2.1.0")).json()

    assert edited.status_code == 200
    assert read["title"] == "Another course"
    assert "publisher" not in read
    assert len(found(await api.get(f"{ROOT}?url={read['url']}"))) == 1


async def test_a_protocol_with_parts_comes_back_with_its_parts(api: Client) -> None:
    await _library(api)
    resource = (await api.get(f"{ROOT}/ankle-bilateral.v1.0.0")).json() | {"version": "1.1.0"}
    written = next(one for one in resource["extension"] if one["url"].endswith("written-as"))
    document = next(one for one in written["extension"] if one["url"] == "document")
    version = next(one for one in document["extension"] if one["url"] == "version")
    version["valueString"] = "1.1.0"

    answer = await _imported(api, resource)

    assert answer.headers["location"].endswith("ankle-bilateral.v1.1.0/_history/1")
    native = (await api.get("/v1/protocols/ankle-bilateral/versions/1.1.0")).json()
    assert native["document"]["include"][0]["key"] == "side_a"


async def test_actions_that_are_not_what_is_included_are_refused(api: Client) -> None:
    await _library(api)
    resource = deepcopy((await api.get(f"{ROOT}/ankle-bilateral.v1.0.0")).json())
    resource["version"] = "1.1.0"

    answer = await api.post(ROOT, json=resource)

    assert _expressions(answer) == {"PlanDefinition.extension"}


@pytest.mark.parametrize(
    "resource, expression",
    [
        pytest.param([], "PlanDefinition", id="no object"),
        pytest.param({"resourceType": "Patient"}, "PlanDefinition", id="another resource"),
        pytest.param(
            plan_definition(action("a"), status="banana"), "PlanDefinition.status", id="no status"
        ),
        pytest.param(
            plan_definition(action("a"), contact=5), "PlanDefinition.contact", id="no contact"
        ),
        pytest.param(
            plan_definition(action("a", relation("b", "after"))),
            "PlanDefinition.action[0].relatedAction[0].actionId",
            id="dangling",
        ),
        pytest.param(
            plan_definition(
                group("g", group("h", action("a"), **repeating(count=2, period=1, periodUnit="d")))
            )
            | {"implicitRules": "http://example.org"},
            "PlanDefinition.implicitRules",
            id="other rules",
        ),
    ],
)
async def test_what_cannot_be_honoured_is_refused_where_it_is(
    api: Client, resource: Any, expression: str
) -> None:
    answer = await api.post(ROOT, json=resource)

    assert expression in _expressions(answer)
    assert (await api.get("/v1/protocols")).json()["items"] == []


@pytest.mark.parametrize("id_", ["course", "course.v1", "Course.v1.0.0", "course.v1.0.0"])
async def test_a_version_that_is_not_there_is_not_found(api: Client, id_: str) -> None:
    assert issue_of(await api.get(f"{ROOT}/{id_}"), 404)["code"] == "not-found"


async def test_every_built_in_protocol_comes_back_through_another_system(api: Client) -> None:
    await _library(api)

    for key in library_keys():
        resource = (await api.get(f"{ROOT}/{key}.v1.0.0")).json()
        extensions = [
            _with_own_version(one) if "written-as" in one["url"] else one
            for one in resource["extension"]
        ]
        await _imported(api, resource | {"version": "9.0.0", "extension": extensions})
        url = f"/v1/protocols/{key}/versions"
        old, new = [(await api.get(f"{url}/{v}")).json() for v in ("1.0.0", "9.0.0")]
        assert new["document"] == old["document"] | {"version": "9.0.0"}
        assert new["included"] == old["included"]


def _with_own_version(extension: Data) -> Data:
    """What was written, its own version another; those of its parts as they are."""
    changed = deepcopy(extension)
    document = next(one for one in changed["extension"] if one["url"] == "document")
    version = next(one for one in document["extension"] if one["url"] == "version")
    version["valueString"] = "9.0.0"
    return changed


@pytest.mark.parametrize("title, step", [("c" * 64, "s" * 64), ("c" * 40, "s" * 40), ("c", "s_t")])
async def test_ids_of_long_names_are_no_longer_than_fhir_allows(
    api: Client, title: str, step: str
) -> None:
    sent = plan_definition(action(step), url=f"http://example.org/{title}", name=title)
    url = str((await _imported(api, sent)).headers["location"]).partition("/_history")[0]
    version = await good(api.get(url.removeprefix("http://127.0.0.1:8000")))
    activities = f"/fhir/R4/ActivityDefinition?title={step}"

    ids = found(await api.get(f"{activities}&_count=200"))

    assert found(await api.get(f"{ROOT}?_id={version['id']}")) == [version["id"]]
    assert ids
    for id_ in [version["id"], *ids]:
        assert re.fullmatch("[A-Za-z0-9.-]{1,64}", id_), id_
    for id_ in ids:
        assert found(await api.get(f"{activities}&_id={id_}")) == [id_]
        assert (await api.get(f"/fhir/R4/ActivityDefinition/{id_}")).json()["id"] == id_
    assert (await api.get(f"{ROOT}/N{'0' * 30}")).status_code == 404
    assert (await api.get(f"/fhir/R4/ActivityDefinition/{ids[0][:-1]}x")).status_code == 404
