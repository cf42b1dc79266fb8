"""Keys are made, shown once, rotated with an overlap and revoked."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.domain.permissions import Role
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import ApiKeyRow, EventRow, IdempotencyKeyRow
from tests.api.given_callers import headers
from tests.api.given_protocols import faults, refused
from tests.client import Client, client_of

DESK = {"name": "desk", "role": "front-desk"}
LATER, MUCH_LATER = "2150-01-04T16:00:00Z", "2160-01-04T16:00:00Z"


@pytest.fixture
async def admin(app: FastAPI) -> Any:
    """A client that may administer."""
    async with client_of(app, headers=await headers(app, Role.ADMIN)) as client:
        yield client


def used(key: str) -> dict[str, str]:
    """What a caller with this key sends."""
    return {"Authorization": f"Bearer {key}"}


async def test_a_new_key_is_shown_once_and_opens_what_its_role_may(
    admin: Client, api: Client
) -> None:
    made = (await admin.post("/v1/keys", json=DESK)).json()

    assert made["key"].startswith(made["prefix"] + "_")
    assert (await api.get("/v1/patients", headers=used(made["key"]))).status_code == 200
    listed = (await admin.get("/v1/keys")).json()["items"]
    assert [key["name"] for key in listed] == ["admin", "desk"]
    assert all("key" not in key for key in listed)


async def test_the_database_does_not_know_the_key(app: FastAPI, admin: Client) -> None:
    sent = {"Idempotency-Key": "again"}

    made = (await admin.post("/v1/keys", json=DESK, headers=sent)).json()

    async with app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        rows = [
            *(await connection.execute(select(ApiKeyRow.__table__))),
            *(await connection.execute(select(EventRow.__table__))),
        ]
        assert made["key"] not in str(rows)
        assert made["key"][37:] not in str(rows)
        assert (await connection.execute(select(IdempotencyKeyRow.key))).all() == []


async def test_a_key_has_no_scope_that_its_role_has_not(admin: Client, api: Client) -> None:
    some = {**DESK, "scopes": ["plans:read"]}
    made = (await admin.post("/v1/keys", json=some)).json()

    answer = await api.get("/v1/patients", headers=used(made["key"]))
    more = await admin.post("/v1/keys", json={**DESK, "name": "two", "scopes": ["admin"]})

    assert refused(answer) == (403, "scope-missing")
    assert refused(more) == (403, "not-permitted")


async def test_a_name_is_one_callers_for_ever(admin: Client) -> None:
    first = (await admin.post("/v1/keys", json=DESK)).json()
    await admin.post(f"/v1/keys/{first['id']}/revoke")

    assert refused(await admin.post("/v1/keys", json=DESK)) == (409, "caller-exists")


async def test_a_rotated_key_holds_beside_the_new_one(admin: Client, api: Client) -> None:
    old = (await admin.post("/v1/keys", json=DESK)).json()
    address = f"/v1/keys/{old['id']}/rotate"

    new = (await admin.post(address, json={"overlap_hours": 1})).json()
    again = await admin.post(address, json={"overlap_hours": 1})

    assert (new["name"], new["role"], new["rotated_from"]) == ("desk", "front-desk", old["id"])
    for key in (old, new):
        assert (await api.get("/v1/patients", headers=used(key["key"]))).status_code == 200
    assert refused(again) == (409, "key-not-rotatable")


async def test_a_new_key_may_end_later_than_the_one_it_replaces(admin: Client) -> None:
    old = (await admin.post("/v1/keys", json={**DESK, "expires_at": LATER})).json()
    address = f"/v1/keys/{old['id']}/rotate"

    new = (await admin.post(address, json={"expires_at": MUCH_LATER})).json()
    newest = (await admin.post(f"/v1/keys/{new['id']}/rotate", json={})).json()

    assert [key["expires_at"] for key in (old, new, newest)] == [LATER, MUCH_LATER, MUCH_LATER]


async def test_no_key_is_made_that_has_ended(admin: Client) -> None:
    old = (await admin.post("/v1/keys", json=DESK)).json()
    past = {"expires_at": "2026-01-01T00:00:00Z"}

    for answer in (
        await admin.post("/v1/keys", json={**DESK, "name": "two", **past}),
        await admin.post(f"/v1/keys/{old['id']}/rotate", json=past),
    ):
        assert refused(answer) == (422, "invalid-key")
        assert faults(answer) == {"/expires_at": "in-the-past"}


async def test_without_overlap_the_old_key_ends_at_once(admin: Client, api: Client) -> None:
    old = (await admin.post("/v1/keys", json=DESK)).json()

    new = (await admin.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_hours": 0})).json()

    assert (await api.get("/v1/patients", headers=used(old["key"]))).status_code == 401
    assert (await api.get("/v1/patients", headers=used(new["key"]))).status_code == 200


async def test_a_revoked_key_ends_at_once_and_stays_so(admin: Client, api: Client) -> None:
    made = (await admin.post("/v1/keys", json=DESK)).json()
    assert (await api.get("/v1/patients", headers=used(made["key"]))).status_code == 200

    first = await admin.post(f"/v1/keys/{made['id']}/revoke")
    second = await admin.post(f"/v1/keys/{made['id']}/revoke")

    assert (await api.get("/v1/patients", headers=used(made["key"]))).status_code == 401
    assert first.json()["revoked_at"] == second.json()["revoked_at"] is not None
    rotated = await admin.post(f"/v1/keys/{made['id']}/rotate", json={})
    assert refused(rotated) == (409, "key-not-rotatable")


async def test_what_happens_to_keys_is_noted(admin: Client) -> None:
    made = (await admin.post("/v1/keys", json=DESK)).json()
    new = (await admin.post(f"/v1/keys/{made['id']}/rotate", json={})).json()
    await admin.post(f"/v1/keys/{new['id']}/revoke")

    events = (await admin.get("/v1/events")).json()["items"][1:]
    assert [(event["type"], event["actor"]) for event in events] == [
        ("key_created", "key:admin"),
        ("key_rotated", "key:admin"),
        ("key_revoked", "key:admin"),
    ]


async def test_a_key_that_is_not_there_is_not_found(admin: Client) -> None:
    nothing = "/v1/keys/00000000-0000-7000-8000-000000000000"

    assert refused(await admin.post(f"{nothing}/revoke")) == (404, "key-not-found")
    assert refused(await admin.post(f"{nothing}/rotate", json={})) == (404, "key-not-found")


async def test_keys_are_listed_by_pages(admin: Client) -> None:
    await admin.post("/v1/keys", json=DESK)

    first = (await admin.get("/v1/keys?limit=1")).json()
    second = (await admin.get(f"/v1/keys?limit=1&cursor={first['next']}")).json()

    assert [key["name"] for page in (first, second) for key in page["items"]] == ["admin", "desk"]
    assert second["next"] is None
