"""SMART scopes open single resources of the FHIR face, and nothing that a role does not have."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.fhir.application import interactions
from app.api.fhir.scopes import RIGHTS
from app.domain.permissions import Role, Scope
from app.main import create_app
from app.settings import Settings
from tests.api.given_tokens import (
    EC_KEY,
    ISSUER,
    ISSUER_KEY,
    SECRET,
    System,
    bearer,
    client_id,
    public,
    settled,
    signed,
)
from tests.client import Client, client_of


@pytest.fixture
async def app(sqlite_url: str) -> AsyncIterator[FastAPI]:
    """An application that trusts an outside issuer; permissions know no database."""
    application = create_app(
        Settings(
            database_url=sqlite_url,
            secret=SECRET,
            issuer=ISSUER,
            issuer_audience="regimen",
            issuer_keys=json.dumps(public(ISSUER_KEY)),
        )
    )
    yield application
    await application.state.database.dispose()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Client]:
    """A client of it."""
    async with client_of(app) as client:
        yield client


async def system(api: Client, app: FastAPI, **fields: Any) -> System:
    """A client that signs with an elliptic curve."""
    made = await client_id(app, public(EC_KEY), **fields)
    return System(api, str(made), EC_KEY, "ES384")


async def statuses(api: Client, token: str) -> dict[str, int]:
    """What a token opens."""
    paths = {
        "Patient": "/fhir/R4/Patient",
        "Location": "/fhir/R4/Location",
        "native": "/v1/patients",
    }
    sent = bearer(token)
    return {name: (await api.get(at, headers=sent)).status_code for name, at in paths.items()}


@pytest.mark.parametrize(
    "scope, told, opened",
    [
        ("system/Patient.rs", "system/Patient.rs", {"Patient": 200}),
        ("system/Patient.read", "system/Patient.read", {"Patient": 200}),
        ("system/Patient.s", "system/Patient.s", {"Patient": 200}),
        ("system/Patient.r", "system/Patient.r", {}),
        ("system/Patient.rs clinic:read", None, {"Patient": 200, "Location": 200}),
        ("patients:read", "patients:read", {"Patient": 200, "native": 200}),
    ],
)
async def test_a_token_opens_what_its_scopes_name(
    api: Client, app: FastAPI, scope: str, told: str | None, opened: dict[str, int]
) -> None:
    ehr = await system(api, app)

    given = (await ehr.ask(scope=scope)).json()

    assert given["scope"] == (told or "clinic:read system/Patient.rs")
    closed = {"Patient": 403, "Location": 403, "native": 403}
    assert await statuses(api, given["access_token"]) == {**closed, **opened}


async def test_a_chain_needs_the_right_to_search_at_its_end(api: Client, app: FastAPI) -> None:
    ehr = await system(api, app)
    asked = "/fhir/R4/CarePlan?patient.identifier=urn:x|1"

    for scopes, status in (
        ("system/CarePlan.rs", 403),
        ("system/CarePlan.rs system/Patient.s", 200),
    ):
        given = (await ehr.ask(scope=scopes)).json()
        assert (await api.get(asked, headers=bearer(given["access_token"]))).status_code == status


async def test_a_scope_for_every_resource_opens_what_the_role_has(
    api: Client, app: FastAPI
) -> None:
    ehr = await system(api, app, scopes=frozenset({Scope.CLINIC_READ}))

    given = (await ehr.ask(scope="system/*.read")).json()

    assert given["scope"] == "system/Location.rs"
    opened = await statuses(api, given["access_token"])
    assert opened == {"Patient": 403, "Location": 200, "native": 403}


@pytest.mark.parametrize(
    "scope",
    [
        "user/Patient.rs",
        "patient/Patient.rs",
        "system/Nothing.rs",
        "system/Patient.sr",
        "system/Patient.",
        "system/Patient.rs?birthdate=1975",
        "system/Location.d",
        "system/Patient.rs admin",
    ],
)
async def test_a_scope_that_opens_nothing_is_refused(api: Client, app: FastAPI, scope: str) -> None:
    ehr = await system(api, app)

    answer = await ehr.ask(scope=scope)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    "scope, opened",
    [
        ("openid user/Patient.rs", {"Patient": 200}),
        ("user/*.read", {"Patient": 200, "Location": 200}),
        ("system/Patient.rs", {}),
        ("launch/patient", {}),
        ("openid profile", {"Patient": 200, "Location": 200, "native": 200}),
    ],
)
async def test_an_outside_issuers_scopes_narrow_what_the_role_may(
    api: Client, app: FastAPI, scope: str, opened: dict[str, int]
) -> None:
    claims = {
        "iss": ISSUER,
        "sub": "somebody",
        "aud": "regimen",
        "iat": timedelta(),
        "exp": timedelta(seconds=600),
        "clinic_id": str(app.state.clinic_id),
        "role": str(Role.FRONT_DESK),
        "scope": scope,
    }
    token = signed(settled(claims), ISSUER_KEY, "RS256")

    closed = {"Patient": 403, "Location": 403, "native": 403}
    assert await statuses(api, token) == {**closed, **opened}


def test_every_right_opens_something_that_is_routed() -> None:
    routed = {right for one in interactions() for right in (one.right, one.storing)}

    assert set(RIGHTS) == routed - {None}
