"""Every operation is closed to whom it must be closed: generated from the published document."""

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.authentication import PUBLIC
from app.api.openapi import SECURITY_SCHEMES
from app.api.routing import Route
from app.api.scopes import SCOPES
from app.domain.permissions import GRANTS, Role, Scope
from app.main import ROUTERS, create_app
from app.settings import Settings
from tests.api.given_callers import headers, headers_of_all, issued, second_clinic
from tests.api.given_protocols import SMALL, approval
from tests.client import PUBLISHED, Answer, Client, client_of

pytestmark = pytest.mark.long

LOCATION = {"name": "West", "time_zone": "America/Denver", "open_weekdays": [2, 3, 4, 5]}
# What no list can do without are the first and the last day.
DAY = ("query", True)
NOTHING = "00000000-0000-7000-8000-000000000000"
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in PUBLISHED["paths"].items()
    for method, operation in methods.items()
}
CLOSED = sorted(name for name in OPERATIONS if SCOPES[name] is not None)


@pytest.fixture
async def app(sqlite_url: str) -> AsyncIterator[FastAPI]:
    """Callers are told apart before any database is asked for data: one kind is enough."""
    application = create_app(Settings(database_url=sqlite_url))
    yield application
    await application.state.database.dispose()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Client]:
    """A client that sends no credential by itself."""
    async with client_of(app) as client:
        yield client


def address_of(name: str, **known: str) -> tuple[str, str]:
    """The method and an address of an operation, naming things that are known, or nothing."""
    method, path, _ = OPERATIONS[name]
    return method, re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], NOTHING), path)


async def status(api: Client, name: str, sent: dict[str, str]) -> tuple[int, str]:
    """Call an operation with a body that cannot be read: it must not come to reading it."""
    method, address = address_of(name)
    body = {"Content-Type": "application/json"}
    answer = await api.request(method, address, content=b"{", headers={**body, **sent})
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith('Bearer realm="regimen"')
    return answer.status_code, answer.json()["type"]


@pytest.mark.parametrize("name", CLOSED)
async def test_an_operation_is_closed_to_whom_it_must_be(
    name: str, app: FastAPI, api: Client
) -> None:
    needed = SCOPES[name]
    other = Scope.EVENTS_READ if needed is not Scope.EVENTS_READ else Scope.PLANS_READ
    wrong = await headers(app, Role.APPROVER, scopes=frozenset({other}))
    ended = await issued(app, Role.APPROVER, name="ended", expired=True)
    admin = await headers(app, Role.ADMIN)
    revoked = await issued(app, Role.APPROVER, name="revoked")
    await api.post(f"/v1/keys/{revoked.record.id}/revoke", headers=admin)

    found = [
        await status(api, name, {}),
        await status(api, name, wrong),
        await status(api, name, {"Authorization": f"Bearer {ended.key}"}),
        await status(api, name, {"X-API-Key": revoked.key}),
    ]

    assert found == [
        (401, "credential-needed"),
        (403, "scope-missing"),
        (401, "credential-refused"),
        (401, "credential-refused"),
    ]


async def test_nothing_of_another_clinic_is_found(app: FastAPI, api: Client) -> None:
    ours = await headers_of_all(app, app.state.clinic_id)
    theirs = await headers_of_all(app, await second_clinic(app))
    known = await things(api, ours)

    found = {}
    for name in CLOSED:
        method, path, operation = OPERATIONS[name]
        if "{" not in path:
            continue
        scope = SCOPES[name]
        assert scope is not None
        assert set(re.findall(r"\{(\w+)\}", path)) <= known.keys(), name
        _, address = address_of(name, **known)
        body = body_of(name, operation)
        sent = {**theirs[scope], "If-Match": '"1"'}
        wanted = [
            p["name"] for p in operation["parameters"] if p["in"] == "query" and p["required"]
        ]
        query = dict.fromkeys(wanted, "2027-04-20")
        answer = await api.request(method, address, json=body, headers=sent, params=query)
        assert no_id_of(known, answer), name
        found[name] = answer.status_code

    assert {name: code for name, code in found.items() if code != 404} == {}


async def test_the_lists_of_another_clinic_are_empty(app: FastAPI, api: Client) -> None:
    ours = await headers_of_all(app, app.state.clinic_id)
    theirs = await headers_of_all(app, await second_clinic(app))
    known = await things(api, ours)

    for name in CLOSED:
        method, path, _ = OPERATIONS[name]
        scope = SCOPES[name]
        if method == "get" and "{" not in path and scope is not None:
            answer = await api.get(path, headers=theirs[scope])
            assert no_id_of(known, answer), name


@pytest.mark.parametrize("path", ["/v1/locations?limit=1", "/fhir/R4/Location?_count=1"])
async def test_a_cursor_of_another_clinic_leads_nowhere(
    app: FastAPI, api: Client, path: str
) -> None:
    ours = await headers_of_all(app, app.state.clinic_id)
    theirs = await headers_of_all(app, await second_clinic(app))
    for _ in range(2):
        await _post(api, ours, "/v1/locations", Scope.CLINIC_WRITE, LOCATION)
    page = await api.get(path, headers=ours[Scope.CLINIC_READ])
    links = [one["url"] for one in page.json().get("link", ()) if one["relation"] == "next"]
    (following,) = links or re.findall(r"<(.+)>", page.headers["link"])
    address = following.removeprefix("http://127.0.0.1:8000")

    found = [await api.get(address, headers=one[Scope.CLINIC_READ]) for one in (ours, theirs)]

    assert [answer.status_code for answer in found] == [200, 400]


def test_every_operation_says_what_it_needs() -> None:
    schemes = PUBLISHED["components"]["securitySchemes"]

    assert schemes == SECURITY_SCHEMES
    for name, (_, path, operation) in OPERATIONS.items():
        scope = SCOPES[name]
        expected = [] if scope is None else [{scheme: [scope]} for scheme in SECURITY_SCHEMES]
        assert operation["security"] == expected, name
        assert (scope is None) == bool(PUBLIC.fullmatch(path)), name


def test_no_address_is_forgotten() -> None:
    """What is no operation with a scope is public on purpose."""
    others = {
        getattr(route, "path", "?")
        for router in ROUTERS
        for route in router.routes
        if not isinstance(route, Route)
    }
    assert {path for path in others if not PUBLIC.fullmatch(path)} == {"/metrics"}
    assert set(SCOPES) == set(OPERATIONS)


async def test_figures_are_for_those_who_may_read_them(app: FastAPI, api: Client) -> None:
    desk, admin = await headers(app, Role.FRONT_DESK), await headers(app, Role.ADMIN)

    assert (await api.get("/metrics")).status_code == 401
    assert (await api.get("/metrics", headers=desk)).status_code == 403
    assert (await api.get("/metrics", headers=admin)).status_code == 200


def test_every_scope_is_somebodys() -> None:
    assert frozenset().union(*(grant.scopes for grant in GRANTS.values())) == set(Scope)


async def _post(
    api: Client, ours: dict[Scope, dict[str, str]], path: str, scope: Scope, body: Any
) -> Any:
    answer = await api.post(path, json=body, headers=ours[scope])
    assert answer.is_success, answer.text
    return answer.json()


async def things(api: Client, ours: dict[Scope, dict[str, str]]) -> dict[str, str]:
    """One thing of each kind in the first clinic, by the names that addresses have for them."""

    post = partial(_post, api, ours)
    location = await post("/v1/locations", Scope.CLINIC_WRITE, LOCATION)
    patient = await post("/v1/patients", Scope.PATIENTS_WRITE, {"name": "Secret Person"})
    at = f"/v1/patients/{patient['id']}"
    away = {"from": "2027-02-10", "to": "2027-02-20"}
    absence = await post(f"{at}/unavailability", Scope.PATIENTS_WRITE, away)
    given = {"agent": "nsaid", "on": "2026-01-02"}
    event = await post(f"{at}/events", Scope.PATIENTS_WRITE, given)
    version = await post("/v1/protocols", Scope.PROTOCOLS_WRITE, SMALL)
    key = await post("/v1/keys", Scope.ADMIN, {"name": "seen", "role": "read-only"})
    approved = approval(version)
    await post("/v1/protocols/small/versions/1.0.0/activate", Scope.PROTOCOLS_APPROVE, approved)
    asked = {"protocol": {"key": "small"}, "patient": {"id": patient["id"]}}
    anchor = {"anchor": {"earliest_from": "2027-04-20", "until": "2027-06-01"}}
    plan = await post("/v1/plans", Scope.PLANS_WRITE, {**asked, **anchor})
    feed = await post("/v1/calendars", Scope.PLANS_WRITE, {"plan_id": plan["id"]})
    hook = await post("/v1/webhooks", Scope.WEBHOOKS, {"url": "https://example.org/hook"})
    closed = {"location_id": location["id"], "key": "shut", "title": "Shut"}
    days = {"from": "2027-04-19", "to": "2027-04-23"}
    closure = await post("/v1/closures", Scope.CLINIC_WRITE, {**closed, **days})
    return {
        "location_id": location["id"],
        "patient_id": patient["id"],
        "absence_id": absence["id"],
        "event_id": event["id"],
        "key": version["key"],
        **dict.fromkeys(("version", "other"), version["version"]),
        **dict.fromkeys(("revision", "event_number"), "1"),
        "day": "2027-04-20",
        "key_id": key["id"],
        "plan_id": plan["id"],
        "step_id": plan["steps"][0]["id"],
        "calendar_id": feed["id"],
        "webhook_id": hook["id"],
        "closure_id": closure["id"],
        "batch_id": closure["batch"]["id"],
    }


def no_id_of(known: dict[str, str], answer: Answer) -> bool:
    """Whether an answer names nothing of what is known in the other clinic."""
    return not any(name.endswith("_id") and value in answer.text for name, value in known.items())


def body_of(name: str, operation: dict[str, Any]) -> Any:
    """A body which the operation would take."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if reference == "Protocol":
        return SMALL
    return PUBLISHED["components"]["schemas"].get(reference, {}).get("examples", [None])[0]
