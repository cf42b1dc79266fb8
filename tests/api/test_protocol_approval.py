"""Approval of protocol versions over HTTP: what must be confirmed, and what follows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from tests.api.given_protocols import (
    ADDRESS,
    SMALL,
    activate,
    approval,
    faults,
    refused,
    store,
    stored_and_active,
    visit,
)
from tests.client import Client, client_of


@pytest.fixture
async def sandbox(app: FastAPI) -> AsyncIterator[Client]:
    """A client of a sandbox clinic."""
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await ClinicRepository(connection, app.state.clinic_id).make_sandbox()
    async with client_of(app) as client:
        yield client


async def test_an_approved_version_is_active_and_says_by_whom(api: Client) -> None:
    draft = await store(api)

    answer = await activate(api, draft, note="for adults")

    version = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert version["status"] == "active"
    given = version["approval"]
    assert (given["name"], given["credential"], given["note"]) == (
        "Dr. Robin Vale",
        "MD",
        "for adults",
    )
    assert (given["content_hash"], given["confirmed"]) == (
        draft["content_hash"],
        ["visit.timing"],
    )
    assert (given["actor"], given["at"]) == ("local", version["activated_at"])


@pytest.mark.parametrize(
    "members, expected",
    [
        ({"confirmed": []}, {"/confirmed": "not-confirmed"}),
        ({"evidence_note_read": False}, {"/evidence_note_read": "not-confirmed"}),
        (
            {"confirmed": ["visit.timing", "other.figure"]},
            {"/confirmed/1": "unknown-figure"},
        ),
    ],
    ids=["unconfirmed", "unread", "unknown"],
)
async def test_an_approval_that_is_not_whole_is_refused(
    api: Client, members: dict[str, Any], expected: dict[str, str]
) -> None:
    draft = await store(api)

    answer = await activate(api, draft, **members)

    assert answer.json()["type"] == "approval-incomplete"
    assert faults(answer) == expected
    assert (await api.get(ADDRESS)).json()["status"] == "draft"


async def test_an_approval_of_something_else_is_refused(api: Client) -> None:
    draft = await store(api)
    await api.put(ADDRESS, json=visit(title="Another"), headers={"If-Match": '"1"'})

    answer = await activate(api, draft)

    assert refused(answer) == (409, "content-changed")


@pytest.mark.parametrize(
    "members",
    [
        {"name": " "},
        {"content_hash": "md5:1"},
        {"evidence_note_read": "yes"},
        {"confirmed": ["everything"]},
        {"colour": "red"},
    ],
    ids=["nameless", "hash", "in words", "figure", "unknown"],
)
async def test_a_malformed_approval_is_refused(api: Client, members: dict[str, Any]) -> None:
    draft = await store(api)

    answer = await activate(api, draft, **members)

    assert refused(answer) == (422, "invalid-request")


async def test_an_active_version_is_not_activated_again(api: Client) -> None:
    active = await stored_and_active(api)

    answer = await activate(api, active)

    assert refused(answer) == (409, "version-not-draft")


async def test_one_version_is_active_at_a_time(api: Client) -> None:
    await stored_and_active(api)
    begun = await api.post("/v1/protocols/small/versions", json={"version": "1.1.0"})

    answer = await activate(api, begun.json())

    assert refused(answer) == (409, "another-version-active")
    assert (await api.get(ADDRESS)).json()["status"] == "active"


async def test_the_version_before_is_retired_when_asked(api: Client) -> None:
    await stored_and_active(api)
    begun = await api.post("/v1/protocols/small/versions", json={"version": "1.1.0"})

    answer = await activate(api, begun.json(), retire_active=True)

    assert answer.json()["status"] == "active"
    before = (await api.get(ADDRESS)).json()
    assert before["status"] == "retired"
    assert before["retired_at"] is not None


async def test_where_none_is_active_none_is_retired(api: Client) -> None:
    answer = await activate(api, await store(api), retire_active=True)

    assert answer.json()["status"] == "active"


async def test_an_active_version_is_retired(api: Client) -> None:
    await stored_and_active(api)

    answer = await api.post(f"{ADDRESS}/retire")

    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')
    assert answer.json()["status"] == "retired"
    again = await api.post(f"{ADDRESS}/retire")
    assert refused(again) == (409, "version-not-active")


async def test_a_draft_is_not_retired(api: Client) -> None:
    await store(api)

    assert refused(await api.post(f"{ADDRESS}/retire")) == (409, "version-not-active")


async def test_a_retired_version_stays_retired(api: Client) -> None:
    active = await stored_and_active(api)
    await api.post(f"{ADDRESS}/retire")

    answer = await activate(api, active)

    assert refused(answer) == (409, "version-not-draft")


@pytest.mark.parametrize("action", ["activate", "retire"])
@pytest.mark.parametrize(
    "version, kind",
    [("small/versions/9.0.0", "version-not-found"), ("none/versions/1.0.0", "protocol-not-found")],
)
async def test_what_is_not_there_changes_nothing(
    api: Client, action: str, version: str, kind: str
) -> None:
    draft = await store(api)
    body = approval(draft) if action == "activate" else None

    answer = await api.post(f"/v1/protocols/{version}/{action}", json=body)

    assert refused(answer) == (404, kind)


async def test_a_repeated_activation_gives_the_first_answer(api: Client) -> None:
    draft = await store(api)
    headers = {"Idempotency-Key": "approve"}
    body = approval(draft)

    first = await api.post(f"{ADDRESS}/activate", json=body, headers=headers)
    again = await api.post(f"{ADDRESS}/activate", json=body, headers=headers)

    assert (again.status_code, again.content) == (200, first.content)


async def test_an_ordinary_clinic_confirms_an_example_like_any_other(api: Client) -> None:
    draft = await store(api, SMALL | {"example": True})

    assert faults(await activate(api, draft, confirmed=[])) == {"/confirmed": "not-confirmed"}
    answer = await activate(api, draft)

    assert (answer.json()["status"], answer.json()["example"]) == ("active", True)


async def test_a_sandbox_activates_an_example_unconfirmed_and_keeps_its_mark(
    sandbox: Client,
) -> None:
    draft = await store(sandbox, SMALL | {"example": True})

    answer = await activate(sandbox, draft, confirmed=[], evidence_note_read=False)

    assert (answer.json()["status"], answer.json()["example"]) == ("active", True)


async def test_a_sandbox_confirms_what_is_no_example(sandbox: Client) -> None:
    draft = await store(sandbox)

    assert faults(await activate(sandbox, draft, confirmed=[])) == {"/confirmed": "not-confirmed"}


async def test_a_library_protocol_is_approved_figure_by_figure(api: Client) -> None:
    await api.post("/v1/protocols/library")
    draft = (await api.get("/v1/protocols/ankle-prp/versions/1.0.0")).json()

    answer = await activate(api, draft)

    assert answer.json()["status"] == "active"
    assert answer.json()["document"] == draft["document"]
