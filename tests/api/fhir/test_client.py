"""A FHIR client that we did not write works with a server that runs, by tokens it signs for."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from fhirpy import AsyncFHIRClient
from joserfc.jwk import ECKey

from app.api.tokens import ASSERTION_TYPE
from app.main import create_app
from app.settings import Settings
from tests.api.given_plans import a_desk, make_clinic
from tests.api.given_tokens import client_id, public, settled, signed
from tests.client import client_of
from tests.processes import environ, regimen, running

KEY = ECKey.generate_key("P-384")
SCOPES = "system/*.rs system/Appointment.u system/Patient.c system/Procedure.c"


@dataclass(frozen=True, slots=True)
class Known:
    """A client of a clinic, and a plan there."""

    client: str
    patient_id: str
    plan: dict[str, Any]


async def prepared(url: str) -> Known:
    """A clinic with a plan, and a system that may ask for tokens."""
    app = create_app(Settings(database_url=url))
    async with client_of(app) as api:
        await make_clinic(app)
        desk = await a_desk(app, api)
        plan = await desk.plan()
        client = await client_id(app, public(KEY))
    await app.state.database.dispose()
    return Known(str(client), desk.patient_id, plan)


@pytest.fixture
async def known(sqlite_url: str) -> Known:
    """What is in the database before the server starts."""
    return await prepared(sqlite_url)


@pytest.fixture
def base(known: Known, sqlite_url: str, tmp_path: Path) -> Iterator[str]:
    """Where the FHIR face of a server is found that runs."""
    env = environ(REGIMEN_DATABASE_URL=sqlite_url, REGIMEN_PORT="0")
    with running(regimen("serve"), cwd=tmp_path, env=env) as server:
        yield f"{server.wait_for('at').split()[1]}/fhir/R4"


def asked(url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    """What is answered at an address."""
    data = None if form is None else urlencode(form).encode()
    with urlopen(Request(url, data)) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def token(base: str, client: str) -> str:
    """A token for a signed assertion, asked for where the server says."""
    smart = asked(f"{base}/.well-known/smart-configuration")
    assert "private_key_jwt" in smart["token_endpoint_auth_methods_supported"]
    claims = {
        "iss": client,
        "sub": client,
        "aud": smart["token_endpoint"],
        "exp": timedelta(seconds=200),
        "jti": os.urandom(16).hex(),
    }
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(settled(claims), KEY, "ES384"),
        "scope": SCOPES,
    }
    return str(asked(smart["token_endpoint"], form)["access_token"])


async def test_a_client_finds_reads_books_and_records(known: Known, base: str) -> None:
    client = AsyncFHIRClient(base, authorization=f"Bearer {token(base, known.client)}")

    statement = await client.execute("metadata", method="get")
    plans = await client.resources("CarePlan").search(patient=known.patient_id).fetch_all()
    requests = (
        await client.resources("ServiceRequest")
        .search(based_on=f"CarePlan/{known.plan['id']}")
        .limit(3)
        .fetch_all()
    )
    visit = await client.reference("Appointment", known.plan["next_step"]).to_resource()

    assert statement["fhirVersion"] == "4.0.1"
    assert [plan["id"] for plan in plans] == [known.plan["id"]]
    assert len(requests) == len(known.plan["steps"])
    assert visit["status"] == "proposed"


async def test_a_client_adds_a_patient(known: Known, base: str) -> None:
    client = AsyncFHIRClient(base, authorization=f"Bearer {token(base, known.client)}")
    identifier = [{"system": "urn:example:ehr", "value": "4711"}]

    added = client.resource("Patient", identifier=identifier, name=[{"text": "Alex"}])
    await added.save()
    found = await client.resources("Patient").search(identifier="urn:example:ehr|4711").first()

    assert found is not None
    assert found["id"] == added["id"]
