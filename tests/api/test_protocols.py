"""Protocols over HTTP: stored, edited, compared and read."""

from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from tests.api.given_protocols import (
    ADDRESS,
    SMALL,
    YAML,
    bounds,
    faults,
    refused,
    store,
    stored_and_active,
    visit,
)
from tests.client import Answer, Client


async def edit(api: Client, document: Any, tag: str = '"1"', address: str = ADDRESS) -> Answer:
    return await api.put(address, json=document, headers={"If-Match": tag})


async def test_a_protocol_is_stored_as_a_draft_and_read_back(api: Client) -> None:
    answer = await api.post("/v1/protocols", json=SMALL)

    version = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == ADDRESS
    assert (version["status"], version["example"], version["document"]) == ("draft", False, SMALL)
    assert [figure["id"] for figure in version["to_confirm"]] == ["visit.timing"]
    read = await api.get(ADDRESS)
    assert (read.json(), read.headers["etag"]) == (version, '"1"')


async def test_a_protocol_may_come_as_yaml(api: Client) -> None:
    headers = {"Content-Type": "application/yaml"}

    answer = await api.post("/v1/protocols", content=YAML, headers=headers)

    assert (answer.status_code, answer.json()["document"]) == (201, SMALL)


async def test_every_fault_of_a_document_is_named_and_nothing_is_stored(api: Client) -> None:
    coding = {"system": "snomed-ct", "code": "53053002"}
    steps = [
        {"key": "a", "kind": "visit", "title": "A", "timings": bounds("P1D", "P2D", "P3D")},
        {
            "key": "session",
            "kind": "visit",
            "title": "B",
            "timings": [
                {"relative_to": {"step": "a"}, "earliest": "P1D"},
                {"relative_to": {"step": "nowhere"}, "target": "P5D", "latest": "P3D"},
            ],
        },
    ]
    document = SMALL | {"steps": steps, "condition": {"text": "Pain", "codings": [coding]}}

    answer = await api.post("/v1/protocols", json=document)

    assert answer.json()["type"] == "invalid-protocol"
    assert faults(answer) == {
        "/steps/0/timings/0/relative_to": "cycle",
        "/steps/1/timings/1/relative_to/step": "unknown-step",
        "/steps/1/timings/1/target": "target-outside-window",
        "/condition/codings/0/code": "invalid-code",
    }
    assert (await api.get("/v1/protocols")).json()["items"] == []


async def test_a_contradiction_is_refused_in_words(api: Client) -> None:
    rule = {"id": "soon", "type": "max_gap", "from": "session", "to": "visit", "offset": "P3D"}

    answer = await api.post("/v1/protocols", json=SMALL | {"rules": [rule]})

    assert faults(answer) == {"/steps/1": "contradiction"}
    assert "at most 3 days after" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("key", ["check", "schema", "library"])
async def test_a_key_that_is_an_address_is_refused(api: Client, key: str) -> None:
    body = SMALL | {"key": key, "surprise": 1}

    answer = await api.post("/v1/protocols", json=body)
    checked = await api.post("/v1/protocols/check", json=SMALL | {"key": key})

    assert faults(answer) == {"/key": "not-allowed", "/surprise": "unknown-field"}
    assert [fault["pointer"] for fault in checked.json()["faults"]] == ["/key"]


async def test_every_fixed_address_below_the_protocols_is_no_key(app: FastAPI, api: Client) -> None:
    paths = {path for path in app.openapi()["paths"] if path.startswith("/v1/protocols/")}
    fixed = {path.split("/")[3] for path in paths if "{" not in path.split("/")[3]}

    answers = [await api.post("/v1/protocols", json=SMALL | {"key": key}) for key in fixed]

    assert fixed >= {"schema"}
    assert {answer.status_code for answer in answers} == {422}


@pytest.mark.parametrize(
    "body, media_type, status",
    [
        (b"[]", "application/json", 422),
        (b'"small"', "application/json", 422),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"format": 1, "format": 1}', "application/json", 400),
        (b"a: &x 1\nb: *x\n", "application/yaml", 400),
        (b"<protocol/>", "application/xml", 415),
    ],
    ids=["list", "text", "null", "nothing", "twice", "alias", "xml"],
)
async def test_what_is_no_document_is_refused(
    api: Client, body: bytes, media_type: str, status: int
) -> None:
    headers = {"Content-Type": media_type}

    answer = await api.post("/v1/protocols", content=body, headers=headers)

    assert answer.status_code == status


async def test_a_protocols_key_is_taken_once(api: Client) -> None:
    await store(api)

    answer = await api.post("/v1/protocols", json=SMALL | {"version": "2.0.0"})

    assert refused(answer) == (409, "protocol-exists")


async def test_a_repeated_post_stores_one_protocol(api: Client) -> None:
    headers = {"Idempotency-Key": "one"}

    first = await api.post("/v1/protocols", json=SMALL, headers=headers)
    again = await api.post("/v1/protocols", json=SMALL, headers=headers)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len((await api.get("/v1/protocols")).json()["items"]) == 1


async def test_protocols_are_listed_by_key_in_pages(api: Client) -> None:
    for key in ("knee", "ankle", "heel"):
        await store(api, SMALL | {"key": key})

    first = await api.get("/v1/protocols", params={"limit": 2})
    second = await api.get("/v1/protocols", params={"limit": 2, "cursor": first.json()["next"]})

    assert [item["key"] for item in first.json()["items"]] == ["ankle", "heel"]
    assert [item["key"] for item in second.json()["items"]] == ["knee"]
    assert second.json()["next"] is None


async def test_a_protocol_shows_its_versions_and_which_is_active(api: Client) -> None:
    await stored_and_active(api)
    await api.post("/v1/protocols/small/versions", json={"version": "1.1.0"})

    answer = await api.get("/v1/protocols/small")
    listed = await api.get("/v1/protocols/small/versions")

    protocol = answer.json()
    assert (protocol["active_version"], protocol["title"]) == ("1.0.0", "A small protocol")
    assert {v["version"]: v["status"] for v in protocol["versions"]} == {
        "1.0.0": "active",
        "1.1.0": "draft",
    }
    assert listed.json() == {"items": protocol["versions"], "next": None}
    unchanged = await api.get(
        "/v1/protocols/small", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert unchanged.status_code == 304


async def test_a_draft_is_edited(api: Client) -> None:
    draft = await store(api)
    document = visit(title="Another") | {"title": "Ours"}

    answer = await edit(api, document)

    edited = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert edited["title"] == "Ours"
    assert edited["content_hash"] != draft["content_hash"]
    assert (await api.get(ADDRESS)).json() == edited


async def test_an_edit_needs_the_revision_that_was_read(api: Client) -> None:
    await store(api)
    await edit(api, visit(title="Another"))

    stale = await edit(api, SMALL)
    bare = await api.put(ADDRESS, json=SMALL)

    assert refused(stale) == (412, "changed-meanwhile")
    assert refused(bare) == (428, "precondition-required")


async def test_an_edit_keeps_key_and_version(api: Client) -> None:
    await store(api)

    answer = await edit(api, SMALL | {"key": "other", "version": "2.0.0"})

    assert faults(answer) == {"/key": "not-allowed", "/version": "not-allowed"}


async def test_an_example_stays_marked_when_it_is_edited(api: Client) -> None:
    await store(api, SMALL | {"example": True})

    unmarked = await edit(api, SMALL)
    edited = await edit(api, visit(title="Another") | {"example": True})

    assert faults(unmarked) == {"/example": "not-allowed"}
    assert edited.json()["example"] is True


async def test_an_edit_with_faults_is_refused(api: Client) -> None:
    await store(api)

    answer = await edit(api, visit(timings=bounds("P3D", "P2D", "P1D")))

    assert faults(answer) == {"/steps/1/timings/0/earliest": "window-backwards"}


async def test_an_active_version_never_changes(api: Client) -> None:
    active = await stored_and_active(api)

    answer = await edit(api, SMALL, '"2"')

    assert refused(answer) == (409, "version-not-draft")
    assert (await api.get(ADDRESS)).json() == active


async def test_a_new_draft_begins_with_the_active_version(api: Client) -> None:
    await stored_and_active(api)

    answer = await api.post("/v1/protocols/small/versions", json={"version": "1.1.0"})

    version = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == "/v1/protocols/small/versions/1.1.0"
    assert (version["status"], version["approval"]) == ("draft", None)
    assert version["document"] == SMALL | {"version": "1.1.0"}


async def test_a_new_draft_may_begin_with_any_version(api: Client) -> None:
    await store(api)
    body = {"version": "1.1.0", "from": "1.0.0"}

    answer = await api.post("/v1/protocols/small/versions", json=body)

    assert answer.status_code == 201


@pytest.mark.parametrize(
    "body, expected",
    [
        ({"version": "1.0.0", "from": "1.0.0"}, (409, "version-exists")),
        ({"version": "1.1.0"}, (409, "no-active-version")),
        ({"version": "1.1.0", "from": "0.1.0"}, (404, "version-not-found")),
        ({"version": "first"}, (422, "invalid-request")),
    ],
    ids=["taken", "none active", "unknown", "no number"],
)
async def test_a_new_draft_that_cannot_be_is_refused(
    api: Client, body: dict[str, str], expected: tuple[int, str]
) -> None:
    await store(api)

    answer = await api.post("/v1/protocols/small/versions", json=body)

    assert refused(answer) == expected


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/v1/protocols/none", "protocol-not-found"),
        ("/v1/protocols/none/versions", "protocol-not-found"),
        ("/v1/protocols/none/versions/1.0.0", "protocol-not-found"),
        ("/v1/protocols/small/versions/9.0.0", "version-not-found"),
        ("/v1/protocols/small/versions/1.0.0/diff/9.0.0", "version-not-found"),
        ("/v1/protocols/small/versions/9.0.0/diff/1.0.0", "version-not-found"),
        ("/v1/protocols/none/versions/1.0.0/diff/1.0.0", "protocol-not-found"),
    ],
)
async def test_what_is_not_there_is_not_found(api: Client, path: str, kind: str) -> None:
    await store(api)

    assert refused(await api.get(path)) == (404, kind)


async def test_a_key_that_none_can_have_is_refused(api: Client) -> None:
    assert (await api.get("/v1/protocols/NOT%20A%20KEY")).status_code == 422


async def test_versions_are_compared_in_words(api: Client) -> None:
    await store(api)
    await api.post("/v1/protocols/small/versions", json={"version": "1.1.0", "from": "1.0.0"})
    document = visit(timings=bounds("P10D", "P15D", "P18D")) | {"version": "1.1.0"}
    await edit(api, document, address="/v1/protocols/small/versions/1.1.0")

    answer = await api.get("/v1/protocols/small/versions/1.0.0/diff/1.1.0")

    assert answer.json()["differences"] == [
        {
            "kind": "changed",
            "part": "step",
            "key": "visit",
            "field": "timings.1.target",
            "old": "P14D",
            "new": "P15D",
            "text": "step 'visit': timings 1 target is 15 days after instead of 14 days after",
        }
    ]


async def test_the_schema_of_documents_is_published(api: Client) -> None:
    answer = await api.get("/v1/protocols/schema")

    schema = answer.json()
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(SMALL)


async def test_the_library_is_installed_as_examples_once(api: Client) -> None:
    await store(api, SMALL | {"key": "ankle-prp"})

    first = await api.post("/v1/protocols/library")
    again = await api.post("/v1/protocols/library")

    installed = first.json()["installed"]
    assert len(installed) == 11
    assert all(version["example"] and version["status"] == "draft" for version in installed)
    assert again.json() == {"installed": []}
    kept = await api.get("/v1/protocols/ankle-prp")
    assert kept.json()["title"] == "A small protocol"
