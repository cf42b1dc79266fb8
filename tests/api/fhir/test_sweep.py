"""Every interaction is tried by who may not, by another clinic and with rubbish; nothing breaks."""

import json
import os
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.fhir.application import interactions
from app.api.fhir.interactions import Interaction
from app.domain.permissions import Role
from tests.api.fhir.given_fhir import R4, SENT, issue_of, living_plan
from tests.api.given_callers import headers, second_clinic
from tests.api.given_plans import Desk
from tests.client import Answer, Client

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


@pytest.fixture
async def api_of_two(own_desk: Desk) -> tuple[Desk, dict[str, dict[str, str]]]:
    """A clinic with a plan, and callers: one who may do nothing, and one of another clinic."""
    await living_plan(own_desk)
    app: FastAPI = own_desk.app
    other = await second_clinic(app)
    callers = {
        "nobody": await headers(app, Role.READ_ONLY, scopes=frozenset()),
        "able": await headers(app, Role.APPROVER, clinic_id=other),
        "admin": await headers(app, Role.ADMIN, clinic_id=other),
        "ours": await headers(app, Role.APPROVER),
    }
    return own_desk, callers


async def test_nobody_does_anything_without_the_right(
    api_of_two: tuple[Desk, dict[str, dict[str, str]]],
) -> None:
    desk, callers = api_of_two
    for one in interactions():
        anonymous = await send(desk.api, one)
        unable = await send(desk.api, one, **callers["nobody"])

        assert issue_of(anonymous, 401)["code"] == "login", one.path
        assert issue_of(unable, 403)["code"] == "forbidden", one.path


async def test_another_clinic_finds_and_reads_nothing(
    api_of_two: tuple[Desk, dict[str, dict[str, str]]],
) -> None:
    desk, callers = api_of_two
    for one in interactions():
        assert one.face is not None
        if one.code != "search-type" or one.reads_form:
            continue
        right = "admin" if one.face.type in {"AuditEvent", "Subscription"} else "able"
        mine = callers["ours" if right == "able" else "admin"]
        ours = await send(desk.api, one, **mine)
        theirs = await send(desk.api, one, **callers[right])
        found = [entry["resource"]["id"] for entry in ours.json().get("entry", ())]
        if right == "able":
            assert found, one.path
            assert "entry" not in theirs.json(), one.path
            known = f"{R4}{one.path}/{found[0]}"
            assert (await desk.api.get(known, headers=mine)).status_code == 200, known
            assert (await desk.api.get(known, headers=callers[right])).status_code == 404, known


@of_one_kind
@pytest.mark.parametrize("one", INTERACTIONS)
async def test_rubbish_breaks_nothing(desk: Desk, one: Interaction) -> None:
    for id_ in IDS:
        answer = await send(desk.api, one, {"resourceType": one.face and one.face.type}, id_=id_)
        assert answer.status_code != 500, id_
    for body in RUBBISH:
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
    for name in [*names, "_elements", "_summary", "_total", "_format", "%00"]:
        for value in VALUES:
            answer = await send(desk.api, one, query=f"?{name}={value}")
            assert answer.status_code != 500, (name, value)
