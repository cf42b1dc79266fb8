"""Webhooks over HTTP: kept, changed, forgotten, and what may not be one."""

from typing import Any

import pytest
from fastapi import FastAPI

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.webhooks import WebhookRepository
from app.services.webhooks import MAX_WEBHOOKS
from tests.client import Answer, Client
from tests.persistence.given import a_webhook

NOWHERE = "00000000-0000-7000-8000-000000000000"
HOOK = {
    "url": "https://ehr.example.org/hooks?from=regimen",
    "title": "EHR",
    "event_types": ["plan_created", "step_moved"],
}


async def add(api: Client, **fields: Any) -> dict[str, Any]:
    """A stored webhook."""
    answer = await api.post("/v1/webhooks", json=HOOK | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def change(api: Client, webhook: dict[str, Any], **fields: Any) -> Answer:
    """The answer to a change of what was read."""
    tag = {"If-Match": f'"{webhook["revision"]}"'}
    return await api.patch(f"/v1/webhooks/{webhook['id']}", json=fields, headers=tag)


def refused(answer: Answer) -> tuple[int, str]:
    """Status and kind of a problem."""
    return answer.status_code, answer.json()["type"]


async def test_a_webhook_is_added_and_read_back(api: Client) -> None:
    answer = await api.post("/v1/webhooks", json=HOOK)

    webhook = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    assert {field: webhook[field] for field in HOOK} == HOOK
    assert (webhook["enabled"], webhook["disabled_because"]) == (True, None)
    assert (await api.get(answer.headers["location"])).json() == webhook
    assert (await api.get("/v1/webhooks")).json() == {"items": [webhook], "next": None}


async def test_its_secret_is_read_apart_and_is_another_for_each(api: Client) -> None:
    first, second = await add(api), await add(api)

    secrets = [
        (await api.get(f"/v1/webhooks/{webhook['id']}/secret")).json()
        for webhook in (first, second, first)
    ]

    assert secrets[0] == secrets[2] != secrets[1]
    assert secrets[0]["secret"].startswith("whsec_")
    assert secrets[0]["former_until"] is None


async def test_a_rotated_secret_is_a_new_one(api: Client) -> None:
    webhook = await add(api)
    path = f"/v1/webhooks/{webhook['id']}/secret"
    former = (await api.get(path)).json()

    rotated = await api.post(f"{path}/rotate", json={"former_valid_hours": 1})

    assert (rotated.status_code, rotated.json()["revision"]) == (200, 2)
    new = (await api.get(path)).json()
    assert new["secret"] != former["secret"]
    assert new["former_until"] > rotated.json()["updated_at"]


async def test_a_change_leaves_what_is_absent_and_null_clears(api: Client) -> None:
    webhook = await add(api)

    titled = await change(api, webhook, title=None, event_types=None)
    moved = await change(api, titled.json(), url="https://other.example.org/")

    assert titled.json()["url"] == HOOK["url"]
    assert (titled.json()["title"], titled.json()["event_types"]) == (None, None)
    assert (moved.headers["etag"], moved.json()["url"]) == ('"3"', "https://other.example.org/")


async def test_what_is_enabled_already_stays_as_it_is(api: Client) -> None:
    webhook = await add(api)

    answer = await change(api, webhook, enabled=True)

    assert answer.json()["enabled"] is True


async def test_a_stale_change_is_refused(api: Client) -> None:
    webhook = await add(api)
    await change(api, webhook, title="A")

    assert refused(await change(api, webhook, title="B")) == (412, "changed-meanwhile")


async def test_a_forgotten_webhook_is_not_found(api: Client) -> None:
    webhook = await add(api)

    answer = await api.delete(f"/v1/webhooks/{webhook['id']}")

    assert answer.status_code == 204
    gone = await api.get(f"/v1/webhooks/{webhook['id']}")
    assert refused(gone) == (404, "webhook-not-found")


async def test_what_becomes_of_webhooks_is_in_the_log(api: Client) -> None:
    webhook = await add(api)
    await change(api, webhook, title="A")
    await api.delete(f"/v1/webhooks/{webhook['id']}")

    events = (await api.get("/v1/events")).json()["items"]

    assert [event["type"] for event in events] == [
        "webhook_added",
        "webhook_changed",
        "webhook_removed",
    ]
    assert {event["data"]["webhook_id"] for event in events} == {webhook["id"]}


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/secret"),
        ("POST", "/secret/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", "/replay"),
    ],
)
async def test_a_webhook_that_is_not_there_is_not_found(
    api: Client, method: str, path: str
) -> None:
    bodies: dict[str, Any] = {"/replay": {"after": 0}, "/secret/rotate": {}}
    body = bodies.get(path, {} if method == "PATCH" else None)

    answer = await api.request(
        method, f"/v1/webhooks/{NOWHERE}{path}", json=body, headers={"If-Match": '"1"'}
    )

    assert refused(answer) == (404, "webhook-not-found")


async def test_a_delivery_that_is_not_there_is_not_found(api: Client) -> None:
    webhook = await add(api)
    path = f"/v1/webhooks/{webhook['id']}/deliveries/4711"

    for answer in (await api.get(path), await api.post(f"{path}/replay")):
        assert refused(answer) == (404, "delivery-not-found")


@pytest.mark.parametrize("path", ["/test", "/replay", "/deliveries/1/replay"])
async def test_nothing_is_asked_of_a_disabled_webhook(api: Client, path: str) -> None:
    webhook = await add(api)
    await change(api, webhook, enabled=False)

    body = {"after": 0} if path == "/replay" else None
    answer = await api.post(f"/v1/webhooks/{webhook['id']}{path}", json=body)

    assert refused(answer) == (409, "webhook-disabled")


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example.org/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://[v1.example.org]/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1%25eth0]/",
        "https://[ff02::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.100.100.200/",
        "https://10.0.0.1/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://localhost./",
        "https://intranet/",
        "https://user@ehr.example.org/",
        "https://user:password@ehr.example.org/",
        "https://ehr.example.org/#fragment",
        "https://ehr.example.org:99999/",
        "https://ehr.example.org:0/",
        "https://ehr.example.org\\@127.0.0.1/",
        "https://[::1/",
        "https:///path",
        "https://-.example.org/",
    ],
)
async def test_a_url_that_does_not_lead_to_a_public_host_is_refused(api: Client, url: str) -> None:
    answer = await api.post("/v1/webhooks", json={"url": url})

    assert refused(answer) == (422, "url-refused")
    assert "127" not in answer.text
    assert (await api.get("/v1/webhooks")).json()["items"] == []


async def test_a_change_may_not_lead_elsewhere_either(api: Client) -> None:
    webhook = await add(api)

    answer = await change(api, webhook, url="https://10.0.0.1/")

    assert refused(answer) == (422, "url-refused")


@pytest.mark.parametrize(
    "fields, pointer",
    [
        ({"url": "ftp://ehr.example.org/"}, "/url"),
        ({"url": "https://ehr.example.org/\n"}, "/url"),
        ({"url": "https://ehr.example.org/" + "a" * 1000}, "/url"),
        ({"event_types": []}, "/event_types"),
        ({"event_types": ["nothing"]}, "/event_types/0"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(
    api: Client, fields: dict[str, Any], pointer: str
) -> None:
    answer = await api.post("/v1/webhooks", json=HOOK | fields)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_there_are_not_more_webhooks_than_a_clinic_may_have(
    app: FastAPI, api: Client
) -> None:
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        webhooks = WebhookRepository(connection, app.state.clinic_id)
        for number in range(MAX_WEBHOOKS):
            await webhooks.add(a_webhook(100 + number))

    answer = await api.post("/v1/webhooks", json=HOOK)

    assert refused(answer) == (409, "too-many-webhooks")


async def test_deliveries_are_paged_latest_first(app: FastAPI, api: Client) -> None:
    webhook = await add(api)
    path = f"/v1/webhooks/{webhook['id']}"
    tested = [(await api.post(f"{path}/test")).json()["event_number"] for _ in range(3)]

    first = (await api.get(f"{path}/deliveries", params={"limit": 2})).json()
    rest = (
        await api.get(f"{path}/deliveries", params={"limit": 2, "cursor": first["next"]})
    ).json()

    found = [one["event_number"] for one in first["items"] + rest["items"]]
    assert found == sorted(tested, reverse=True)
    assert rest["next"] is None
