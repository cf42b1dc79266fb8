"""Every interaction is tried by who may not, by another clinic and with rubbish; nothing breaks."""

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.fhir.application import interactions
from app.api.fhir.interactions import Interaction
from app.api.fhir.scopes import RIGHTS
from app.domain.permissions import Role, Scope
from tests.api.fhir.given_apply import anchor, asking
from tests.api.fhir.given_fhir import R4, SENT, SUBSCRIPTION, Data, issue_of, living_plan
from tests.api.given_callers import headers, headers_of_all, issued, second_clinic
from tests.api.given_plans import Desk, good
from tests.client import Answer, Client, client_of

pytestmark = [pytest.mark.long, pytest.mark.deep]

EVENTS = Scope.EVENTS_READ
NOTHING = "00000000-0000-7000-8000-000000000000"
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
DATABASES = ("sqlite", "postgresql") if DEEP else ("postgresql",)
# What is searched and read reaches the database: the stricter of both is tried.
of_one_kind = pytest.mark.parametrize("plans_url", DATABASES, indirect=True, scope="session")
INTERACTIONS = [pytest.param(one, id=f"{one.method} {one.path}") for one in interactions()]
RUBBISH: list[Any] = [
    *(None, [], {}, 5, "x", {"resourceType": None}, {"resourceType": []}, [{"op": 5}], [[]]),
    *({"resourceType": "Bundle"}, {"resourceType": "Patient", "name": 5}),
    {"resourceType": "Appointment", "status": {}, "participant": {"x": []}},
    {"resourceType": "Procedure", "basedOn": [5], "subject": []},
    {"resourceType": "Subscription", "channel": []},
    {"resourceType": "Parameters", "parameter": {"name": []}},
    {"resourceType": "Patient", "contained": [{}], "extension": [{"url": 5}]},
]
# What refers to nothing they may make in their own clinic.
THEIR_OWN = {
    (face, "create") for face in ("Patient", "PlanDefinition", "ActivityDefinition", "Subscription")
}
IDS = ["x", NOTHING, "%00", "%F0%9F%98%80", "..%2F..", "9" * 64, "1.1", f"{NOTHING}.1", "-"]
VALUES = ["", "x", "%00", "%ED%A0%80", "9" * 40, "2027-02-30", "ge", "|", "a|b|c", ",", "\\", "%"]


async def send(
    api: Client,
    one: Interaction,
    body: Any = None,
    query: str = "",
    id_: str = NOTHING,
    **sent: str,
) -> Answer:
    """Ask for an interaction."""
    path = one.path.format(id=id_, vid="1")
    if one.reads_form:
        return await api.post(f"{R4}{path}", data={"_id": id_}, headers=sent)
    if one.method == "GET":
        return await api.get(f"{R4}{path}{query}", headers=sent)
    given = {**SENT, "If-Match": 'W/"1"', **sent}
    return await api.request(one.method, f"{R4}{path}", content=json.dumps(body), headers=given)


async def test_nobody_does_anything_without_the_right(own_desk: Desk) -> None:
    app: FastAPI = own_desk.app
    admin = await headers(app, Role.ADMIN)
    ended = await issued(app, Role.APPROVER, name="ended", expired=True)
    revoked = await issued(app, Role.APPROVER, name="revoked")
    await good(own_desk.api.post(f"/v1/keys/{revoked.record.id}/revoke", headers=admin))
    events = await headers(app, Role.APPROVER, name="events", scopes=frozenset({EVENTS}))
    plans = await headers(app, Role.APPROVER, name="plans", scopes=frozenset({Scope.PLANS_READ}))

    for number, one in enumerate(interactions()):
        assert one.right is not None
        wrong = plans if RIGHTS[one.right] is EVENTS else events
        # From one address so many wrong credentials are not looked at.
        async with client_of(app, came_from=f"203.0.113.{number}") as api:
            anonymous = await send(api, one)
            unable = await send(api, one, **wrong)
            late = await send(api, one, Authorization=f"Bearer {ended.key}")
            gone = await send(api, one, **{"X-API-Key": revoked.key})

        for answer in (anonymous, late, gone):
            assert issue_of(answer, 401)["code"] == "login", one.path
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert issue_of(unable, 403)["code"] == "forbidden", one.path


async def test_no_bundle_is_answered_for_whom_its_entries_are_not(own_desk: Desk) -> None:
    app: FastAPI = own_desk.app
    ended = await issued(app, Role.APPROVER, name="ended", expired=True)
    events = await headers(app, Role.APPROVER, name="events", scopes=frozenset({EVENTS}))
    asked = {"request": {"method": "GET", "url": f"Patient/{own_desk.patient_id}"}}
    body = {"resourceType": "Bundle", "type": "transaction", "entry": [asked]}
    late = {"Authorization": f"Bearer {ended.key}"}

    for sent, status in (({}, 401), (late, 401), (events, 403)):
        issue_of(await own_desk.api.post(R4, json=body, headers={**SENT, **sent}), status)


async def test_another_clinic_finds_reads_and_changes_nothing(own_desk: Desk) -> None:
    await living_plan(own_desk)
    app: FastAPI = own_desk.app
    ours = await headers_of_all(app, app.state.clinic_id)
    theirs = await headers_of_all(app, await second_clinic(app))
    made = own_desk.api.post(f"{R4}/Subscription", json=SUBSCRIPTION, headers=ours[Scope.WEBHOOKS])
    await good(made)
    await app.state.account.commit()

    for face in {one.face.type for one in interactions() if one.face is not None}:
        found = await known_of(own_desk.api, face, ours)
        for one in interactions():
            if one.face is None or one.face.type != face or (face, one.code) in THEIR_OWN:
                continue
            assert one.right is not None
            right = RIGHTS[one.storing or one.right]
            body = asking(own_desk, anchor()) if one.code == "$apply" else found
            query = f"?subject=Patient/{own_desk.patient_id}" if one.code == "$apply" else ""
            answer = await send(own_desk.api, one, body, query, found["id"], **theirs[right])

            assert found["id"] not in answer.text, (one.method, one.path)
            if "{id}" in one.path:
                assert answer.status_code == 404, (one.method, one.path, answer.text)
            elif one.code == "search-type":
                assert "entry" not in answer.json() or face == "AuditEvent", one.path
        assert await known_of(own_desk.api, face, ours, id_=found["id"]) == found


async def known_of(
    api: Client, face: str, sent: Mapping[Scope, dict[str, str]], id_: str | None = None
) -> Data:
    """The first resource of a type that its clinic has, or one of them."""
    query = f"{R4}/{face}" + (f"?_id={id_}" if id_ else "")
    found = await good(api.get(query, headers=sent[RIGHTS[f"{face}.s"]]))
    resource: Data = found["entry"][-1]["resource"]
    return resource


def some(values: list[Any], place: int) -> list[Any]:
    """A third of them, at other places others; all of them by `.ci/deep`."""
    return values if DEEP else values[place % 3 :: 3]


@of_one_kind
@pytest.mark.parametrize("one", INTERACTIONS)
async def test_rubbish_breaks_nothing(desk: Desk, one: Interaction) -> None:
    for id_ in some(IDS, len(one.path)):
        answer = await send(desk.api, one, {"resourceType": one.face and one.face.type}, id_=id_)
        assert answer.status_code != 500, id_
    for body in some(RUBBISH, len(one.path)):
        answer = await send(desk.api, one, body)
        assert answer.status_code != 500, body


@of_one_kind
@pytest.mark.parametrize(
    "one", [one for one in INTERACTIONS if getattr(one.values[0], "code", "") == "search-type"]
)
async def test_rubbish_that_is_searched_breaks_nothing(desk: Desk, one: Interaction) -> None:
    assert one.face is not None
    names = [parameter.name for parameter in one.face.parameters]
    names += ["_id", "_lastUpdated", "_count", "_sort", "_cursor", "_include", "_revinclude"]
    names += ["_elements", "_summary", "_total", "_format", "%00"]
    for place, name in enumerate(names):
        for value in some(VALUES, place):
            answer = await send(desk.api, one, query=f"?{name}={value}")
            assert answer.status_code != 500, (name, value)
