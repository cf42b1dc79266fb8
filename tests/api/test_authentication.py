"""Who calls is told from the headers; what a role may not do is refused."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from app.api.deps import read_clock
from app.domain.permissions import Role
from app.main import create_app
from app.services.callers import REMEMBERED
from app.settings import Environment, Settings
from tests.api.given_callers import headers, issued, second_clinic
from tests.api.given_protocols import SMALL, activate, approval, refused, store
from tests.api.test_protocols_including import PART, WHOLE
from tests.client import Client, client_of

ALEX = {"name": "Alex"}
ENDS = [{"relative_to": {"step": "b_call"}, "target": "P1D"}]
NESTED = {
    **WHOLE,
    "key": "outer",
    "anchor": "b_a_session",
    "include": [{**PART, "key": "b", "protocol": "whole"}],
    "steps": [{"key": "end", "kind": "call", "title": "Call", "timings": ENDS}],
}


async def test_without_any_key_this_machine_may_do_everything(api: Client) -> None:
    assert (await api.post("/v1/patients", json=ALEX)).status_code == 201

    (event,) = (await api.get("/v1/events")).json()["items"]
    assert event["actor"] == "local"


async def test_the_first_key_closes_the_service_to_all_others(app: FastAPI, api: Client) -> None:
    sent = await headers(app, Role.FRONT_DESK)

    assert refused(await api.get("/v1/patients")) == (401, "credential-needed")
    assert (await api.get("/v1/patients", headers=sent)).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"host": "0.0.0.0"}, id="every address"),
        pytest.param({"host": "clinic.example.org"}, id="a name"),
        pytest.param(
            {"environment": Environment.PRODUCTION, "secret": "s" * 40}, id="in production"
        ),
    ],
)
async def test_what_others_can_reach_is_never_open(
    settings: dict[str, Any], sqlite_url: str
) -> None:
    app = create_app(Settings(database_url=sqlite_url, **settings))

    async with client_of(app) as api:
        answer = await api.get("/v1/patients")
    await app.state.database.dispose()

    assert refused(answer) == (401, "credential-needed")


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
async def test_what_a_proxy_hands_on_does_not_come_from_this_machine(
    header: str, api: Client
) -> None:
    answer = await api.get("/v1/patients", headers={header: "203.0.113.7"})

    assert refused(answer) == (401, "credential-needed")


async def test_what_comes_from_another_machine_needs_a_key(app: FastAPI) -> None:
    async with client_of(app, came_from="203.0.113.7") as api:
        assert refused(await api.get("/v1/patients")) == (401, "credential-needed")


@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer rgm_unknown"},
        {"Authorization": "Bearer rgm_aaaaaaaaaa_" + "A" * 65},
        {"Authorization": "Bearer rgm_aaaaaaaaaa_" + "_" * 65},
        {"X-API-Key": ""},
        {"X-API-Key": "x" * 300},
        {"X-API-Key": "rgm_unknown", "Authorization": "Bearer rgm_unknown"},
    ],
    ids=lambda sent: " ".join(f"{name} {value[:20]}" for name, value in sent.items()),
)
async def test_a_credential_that_is_none_is_refused(sent: dict[str, str], api: Client) -> None:
    answer = await api.get("/v1/patients", headers=sent)

    assert refused(answer) == (401, "credential-refused")
    assert answer.headers["www-authenticate"] == 'Bearer realm="regimen", error="invalid_token"'


async def test_a_key_whose_secret_is_wrong_by_one_letter_is_refused(
    app: FastAPI, api: Client
) -> None:
    key = (await issued(app, Role.ADMIN)).key
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")

    answer = await api.get("/v1/keys", headers={"Authorization": f"Bearer {wrong}"})

    assert refused(answer) == (401, "credential-refused")


async def test_a_key_does_not_open_another_clinic_by_its_id(app: FastAPI, api: Client) -> None:
    key = (await issued(app, Role.ADMIN)).key
    other = (await issued(app, Role.ADMIN, clinic_id=await second_clinic(app))).key
    mixed = key[:15] + other[15:37] + key[37:]

    answer = await api.get("/v1/keys", headers={"Authorization": f"Bearer {mixed}"})

    assert refused(answer) == (401, "credential-refused")


async def test_documentation_and_health_are_open(app: FastAPI, api: Client) -> None:
    await issued(app, Role.ADMIN)

    for path in ("/health/live", "/health/ready", "/docs", "/redoc", "/guide", "/openapi.json"):
        assert (await api.get(path)).status_code == 200, path


async def test_an_address_that_is_none_is_not_told_to_strangers(app: FastAPI, api: Client) -> None:
    sent = await headers(app, Role.READ_ONLY)

    assert (await api.get("/v1/nothing")).status_code == 401
    assert (await api.get("/v1/nothing", headers=sent)).status_code == 404


async def test_history_names_the_caller(app: FastAPI, api: Client) -> None:
    sent = await headers(app, Role.FRONT_DESK, name="desk-one")

    await api.post("/v1/patients", json=ALEX, headers=sent)

    (*_, event) = (await api.get("/v1/events", headers=sent)).json()["items"]
    assert (event["type"], event["actor"]) == ("patient_added", "key:desk-one")


async def test_a_known_key_is_not_looked_up_again(app: FastAPI, api: Client) -> None:
    sent = await headers(app, Role.FRONT_DESK)
    await api.get("/v1/patients", headers=sent)
    await app.state.database.dispose()

    found = await app.state.callers.find(sent["Authorization"].removeprefix("Bearer "))

    assert found.actor == "key:front-desk"
    assert app.state.database.read.pool.checkedin() == 0


async def test_last_use_is_stored_once_a_minute(app: FastAPI, api: Client) -> None:
    sent = await headers(app, Role.ADMIN)
    first = datetime(2027, 1, 4, 16, tzinfo=UTC)

    for seconds, expected in [(0, 0), (59, 0), (60, 60)]:
        app.state.callers.now = partial(datetime.fromtimestamp, first.timestamp() + seconds, UTC)
        app.state.callers.forget()
        (key,) = (await api.get("/v1/keys", headers=sent)).json()["items"]
        await app.state.callers.note_uses()
        (key,) = (await api.get("/v1/keys", headers=sent)).json()["items"]
        used = datetime.fromisoformat(key["last_used_at"])
        assert used - first == timedelta(seconds=expected)


async def test_another_process_forgets_a_revoked_key_within_seconds(
    app: FastAPI, database_url: str
) -> None:
    key, sent = await issued(app, Role.FRONT_DESK), await headers(app, Role.ADMIN)
    used = {"Authorization": f"Bearer {key.key}"}
    other = create_app(Settings(database_url=database_url, pool_size=2))
    async with client_of(app) as ours, client_of(other) as theirs:
        assert (await theirs.get("/v1/patients", headers=used)).status_code == 200
        await ours.post(f"/v1/keys/{key.record.id}/revoke", headers=sent)

        assert refused(await ours.get("/v1/patients", headers=used))[0] == 401
        later = read_clock() + REMEMBERED
        other.state.callers.now = lambda: later
        assert refused(await theirs.get("/v1/patients", headers=used))[0] == 401
    await other.state.database.dispose()


async def test_who_wrote_a_protocol_does_not_approve_it(app: FastAPI) -> None:
    one, two = [await headers(app, Role.APPROVER, name=name) for name in ("one", "two")]
    desk = await headers(app, Role.CLINICIAN)
    async with (
        client_of(app, headers=one) as author,
        client_of(app, headers=two) as colleague,
        client_of(app, headers=desk) as clinician,
    ):
        version = await store(author)

        assert refused(await activate(clinician, version)) == (403, "scope-missing")
        assert refused(await activate(author, version)) == (403, "not-permitted")
        assert (await activate(colleague, version)).status_code == 200


@pytest.fixture
async def approvers(app: FastAPI) -> AsyncIterator[list[Client]]:
    """Three approvers of one clinic."""
    sent = [await headers(app, Role.APPROVER, name=name) for name in ("one", "two", "three")]
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client_of(app, headers=one)) for one in sent]


async def test_everybody_who_wrote_into_a_draft_is_its_author(approvers: list[Client]) -> None:
    first, last, third = approvers
    await store(first)
    changed = {**SMALL, "title": "Another"}
    address = "/v1/protocols/small/versions/1.0.0"

    version = (await last.put(address, json=changed, headers={"If-Match": '"1"'})).json()

    assert version["authors"] == ["key:one", "key:two"]
    for author in (first, last):
        assert refused(await activate(author, version)) == (403, "not-permitted")
    assert (await activate(third, version)).status_code == 200


async def test_the_authors_of_a_draft_are_those_of_what_is_begun_from_it(
    approvers: list[Client],
) -> None:
    first, second, third = approvers
    address = "/v1/protocols/small/versions"
    await store(first)

    begun = await second.post(address, json={"version": "1.1.0", "from": "1.0.0"})

    assert refused(await activate(first, begun.json())) == (403, "not-permitted")
    assert (await activate(third, begun.json())).status_code == 200
    again = (await third.post(address, json={"version": "1.2.0", "from": "1.1.0"})).json()
    assert again["authors"] == ["key:three"]
    assert (await activate(first, again, retire_active=True)).status_code == 200


async def test_who_wrote_a_part_that_nobody_approved_does_not_approve_the_whole(
    approvers: list[Client],
) -> None:
    first, second, third = approvers
    part = await store(first)
    whole = await store(second, WHOLE)
    outer = await store(second, NESTED)

    for version in (whole, outer):
        assert refused(await activate(first, version)) == (403, "not-permitted")
    assert (await activate(third, part)).status_code == 200
    for version in (whole, outer):
        assert (await activate(first, version)).status_code == 200


async def test_the_library_was_written_by_nobody_of_the_clinic(app: FastAPI) -> None:
    sent = await headers(app, Role.APPROVER)
    async with client_of(app, headers=sent) as approver:
        await approver.post("/v1/protocols/library")
        address = "/v1/protocols/ankle-prp/versions"
        (draft,) = (await approver.get(address)).json()["items"]
        at = f"{address}/{draft['version']}"
        version = (await approver.get(at)).json()

        answer = await approver.post(f"{at}/activate", json=approval(version))

    assert answer.status_code == 200, answer.text


async def test_an_idempotency_key_is_another_in_another_clinic(app: FastAPI, api: Client) -> None:
    ours = await headers(app, Role.FRONT_DESK)
    theirs = await headers(app, Role.FRONT_DESK, clinic_id=await second_clinic(app))
    same = {"Idempotency-Key": "same"}

    first = await api.post("/v1/patients", json=ALEX, headers={**ours, **same})
    second = await api.post("/v1/patients", json=ALEX, headers={**theirs, **same})

    assert [first.status_code, second.status_code] == [201, 201]
    assert UUID(first.json()["id"]) != UUID(second.json()["id"])


async def test_a_cursor_is_not_taken_in_another_clinic(app: FastAPI, api: Client) -> None:
    ours = await headers(app, Role.FRONT_DESK)
    theirs = await headers(app, Role.FRONT_DESK, clinic_id=await second_clinic(app))
    for sent in (ours, ours, theirs, theirs):
        await api.post("/v1/patients", json=ALEX, headers=sent)
    cursor = (await api.get("/v1/patients?limit=1", headers=ours)).json()["next"]

    answer = await api.get(f"/v1/patients?cursor={cursor}", headers=theirs)

    assert refused(answer) == (400, "invalid-cursor")


async def test_the_front_desk_waives_nothing(app: FastAPI) -> None:
    author, approver, desk = [
        await headers(app, role) for role in (Role.CLINICIAN, Role.APPROVER, Role.FRONT_DESK)
    ]
    async with client_of(app, headers=author) as clinician:
        version = await store(clinician)
        place = {"name": "West", "time_zone": "UTC", "open_weekdays": [1, 2, 3, 4, 5, 6, 7]}
        await clinician.post("/v1/locations", json=place)
    async with client_of(app, headers=approver) as colleague:
        await activate(colleague, version)
    waiver = {"type": "waive", "element": "timing:visit.latest", "days": 3, "reason": "asked"}
    async with client_of(app, headers=desk) as front, client_of(app, headers=author) as clinician:
        patient = (await front.post("/v1/patients", json=ALEX)).json()["id"]
        body = {
            "protocol": {"key": "small"},
            "patient": {"id": patient},
            "anchor": {"earliest_from": "2027-04-20", "until": "2027-06-01"},
        }
        plan = (await front.post("/v1/plans", json=body)).json()
        change = {"reason": "asked", "changes": [waiver]}
        at, tag = f"/v1/plans/{plan['id']}/changes", {"If-Match": '"1"'}

        assert refused(await front.post(at, json=change, headers=tag)) == (403, "not-permitted")
        assert refused(await front.post(f"{at}/preview", json=change))[0] == 403
        made = {**body, "changes": [waiver]}
        assert refused(await front.post("/v1/plans", json=made)) == (403, "not-permitted")
        assert (await clinician.post(at, json=change, headers=tag)).status_code == 200
