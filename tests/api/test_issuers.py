"""Tokens of an outside OpenID Connect issuer are taken: of whom, for how long, by which keys."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from app.bearers import reader_of, tokens_of
from app.domain.permissions import Role
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from tests.api.given_callers import headers, second_clinic
from tests.api.given_protocols import refused
from tests.api.given_tokens import (
    ISSUER,
    ISSUER_KEY,
    RSA_KEY,
    bearer,
    public,
    settled,
    signed,
    trusting,
)
from tests.client import Client


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[FastAPI]:
    """An application that trusts an outside issuer."""
    application = create_app(trusting(database_url))
    yield application
    await application.state.database.dispose()


def claims_of_user(**changed: Any) -> dict[str, Any]:
    """What the outside issuer says of a person."""
    said = {
        "iss": ISSUER,
        "aud": "regimen",
        "sub": "u-17",
        "iat": timedelta(),
        "exp": timedelta(hours=1),
        "clinic_id": str(DEFAULT_CLINIC_ID),
        "role": ["staff", "clinician"],
        **changed,
    }
    return settled(said)


async def test_a_person_with_a_token_of_the_issuer_is_known(app: FastAPI, api: Client) -> None:
    await headers(app, Role.ADMIN)
    sent = bearer(signed(claims_of_user(), ISSUER_KEY, "RS256"))

    assert (await api.post("/v1/patients", json={"name": "A"}, headers=sent)).status_code == 201
    (*_, event) = (await api.get("/v1/events", headers=sent)).json()["items"]
    assert event["actor"] == "user:u-17"
    assert refused(await api.get("/v1/keys", headers=sent)) == (403, "scope-missing")


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"exp": timedelta(seconds=-60)},
        {"exp": timedelta(hours=1, seconds=1)},
        {"iat": timedelta(minutes=-59), "exp": timedelta(minutes=2)},
        {"iat": timedelta(seconds=3000)},
        {"iat": ...},
        {"iat": "now"},
        {"exp": ...},
        {"sub": ...},
        {"sub": "x" * 201},
        {"sub": "a\nb"},
        {"clinic_id": ...},
        {"clinic_id": "x"},
        {"clinic_id": "00000000-0000-7000-8000-000000000000"},
        {"role": ...},
        {"role": "boss"},
        {"role": ["clinician", "admin"]},
        {"nbf": timedelta(seconds=3000)},
    ],
    ids=lambda changed: " ".join(f"{name} {value}"[:30] for name, value in changed.items()),
)
async def test_a_token_that_is_not_right_is_refused(
    api: Client, app: FastAPI, changed: dict[str, Any]
) -> None:
    token = signed(claims_of_user(**changed), ISSUER_KEY, "RS256")

    answer = await api.get("/v1/plans", headers=bearer(token))

    assert refused(answer) == (401, "credential-refused")


async def test_a_token_may_hold_for_as_long_as_is_set(app: FastAPI, api: Client) -> None:
    long = bearer(signed(claims_of_user(exp=timedelta(minutes=90)), ISSUER_KEY, "RS256"))
    assert refused(await api.get("/v1/plans", headers=long)) == (401, "credential-refused")

    patient = replace(app.state.settings, issuer_token_minutes=90)
    app.state.callers.read_token = reader_of(tokens_of(app.state.database, patient))

    assert (await api.get("/v1/plans", headers=long)).status_code == 200


async def test_a_token_signed_by_another_is_refused(api: Client) -> None:
    public_text = json.dumps(public(ISSUER_KEY)["keys"][0]).encode()
    for token in (
        signed(claims_of_user(), RSA_KEY, "RS256"),
        signed(claims_of_user(), OctKey.import_key(public_text), "HS256"),
        signed(claims_of_user(iss="regimen", aud="regimen"), ISSUER_KEY, "RS256"),
    ):
        answer = await api.get("/v1/plans", headers=bearer(token))
        assert refused(answer) == (401, "credential-refused")


async def test_a_token_of_one_clinic_shows_nothing_of_another(app: FastAPI, api: Client) -> None:
    other = await second_clinic(app)
    ours = bearer(signed(claims_of_user(), ISSUER_KEY, "RS256"))
    theirs = bearer(signed(claims_of_user(clinic_id=str(other)), ISSUER_KEY, "RS256"))
    made = (await api.post("/v1/patients", json={"name": "A"}, headers=ours)).json()["id"]

    assert (await api.get(f"/v1/patients/{made}", headers=theirs)).status_code == 404
    assert (await api.get("/v1/patients", headers=theirs)).json()["items"] == []


@asynccontextmanager
async def keys_shown(shown: list[RSAKey]) -> AsyncIterator[str]:
    """Where on this machine public keys are found: those that are shown at the moment."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"keys": [key.as_dict(private=False) for key in shown]}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body * bool(shown))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"


async def test_an_issuers_keys_are_found_on_this_machine_and_come_and_go(
    app: FastAPI, api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    newer = RSAKey.generate_key(2048, parameters={"kid": "newer"})
    old, new = (
        bearer(jwt.encode({"alg": "RS256", "kid": key.kid}, claims_of_user(), key))
        for key in (ISSUER_KEY, newer)
    )

    async def statuses() -> list[int]:
        """What is answered once keys were remembered for as long as they are."""
        tokens.key_sets._known.clear()
        app.state.callers.forget()
        return [(await api.get("/v1/plans", headers=sent)).status_code for sent in (old, new)]

    shown = [ISSUER_KEY]
    async with keys_shown(shown) as url:
        tokens = tokens_of(app.state.database, replace(app.state.settings, issuer_keys=url))()
        app.state.callers.read_token = tokens.read
        found = [await statuses()]
        for change in (
            partial(shown.append, newer),
            partial(shown.remove, ISSUER_KEY),
            shown.clear,
        ):
            change()
            found.append(await statuses())

    assert found == [[200, 401], [200, 200], [401, 200], [401, 401]]
    assert "public keys cannot be had: no JSON" in caplog.text
