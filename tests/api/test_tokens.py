"""Clients sign assertions and are given tokens that open what they may."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from app.api import routing
from app.api.deps import read_clock
from app.api.tokens import KEYS_ASKED_EVERY_SECONDS, KEYS_MISSED_SECONDS
from app.domain.permissions import UNRESTRICTED, Scope
from app.integrations.addresses import Failure, NotSent
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.services import oauth
from app.services.callers import REMEMBERED
from app.services.context import Context
from app.settings import DEFAULT_SECRET, Settings
from tests.api.given_protocols import refused
from tests.api.given_tokens import (
    EC_KEY,
    RSA_KEY,
    System,
    bearer,
    client_id,
    public,
    settled,
    signed,
    trusting,
)
from tests.client import PUBLISHED, Client, client_of

PATIENCE_SECONDS = 5


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[FastAPI]:
    """An application that trusts an outside issuer, too."""
    application = create_app(trusting(database_url))
    yield application
    await application.state.database.dispose()


@pytest.fixture
async def system(app: FastAPI, api: Client) -> System:
    """A client that signs with an elliptic curve."""
    return System(api, str(await client_id(app, public(EC_KEY))), EC_KEY, "ES384")


async def test_a_client_is_given_a_token_that_opens_what_it_may(system: System) -> None:
    given = (await system.ask()).json()

    assert (given["token_type"], given["expires_in"]) == ("bearer", 900)
    assert "patients:write" in given["scope"].split()
    sent = bearer(given["access_token"])
    assert (await system.api.post("/v1/patients", json={"name": "A"}, headers=sent)).is_success
    (*_, event) = (await system.api.get("/v1/events", headers=sent)).json()["items"]
    assert event["actor"] == "client:ehr"


async def test_a_client_may_sign_with_rsa(app: FastAPI, api: Client) -> None:
    system = System(api, str(await client_id(app, public(RSA_KEY))), RSA_KEY, "RS384")

    assert (await system.ask()).status_code == 200


async def test_a_token_has_the_scopes_that_were_asked_for(system: System) -> None:
    given = (await system.ask(scope="plans:read")).json()
    sent = bearer(given["access_token"])

    assert given["scope"] == "plans:read"
    assert (await system.api.get("/v1/plans", headers=sent)).status_code == 200
    assert refused(await system.api.get("/v1/patients", headers=sent)) == (403, "scope-missing")


async def test_an_assertion_is_taken_once(system: System) -> None:
    assertion = system.assertion()

    first, second = await system.ask(assertion), await system.ask(assertion)

    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://elsewhere.example/oauth/token"},
        {"aud": ...},
        {"exp": timedelta(seconds=-60)},
        {"exp": timedelta(seconds=4000)},
        {"exp": ...},
        {"exp": "soon"},
        {"exp": 1e300},
        {"jti": ...},
        {"jti": 5},
        {"jti": "x" * 256},
        {"sub": "somebody"},
        {"iss": "somebody"},
        {"iss": 5},
        {"iss": ...},
        {"iss": "rgc_AAAA"},
        {"nbf": timedelta(seconds=3000)},
        {"iat": timedelta(seconds=3000)},
    ],
    ids=lambda changed: " ".join(f"{name} {value}"[:30] for name, value in changed.items()),
)
async def test_an_assertion_that_is_not_right_is_refused(
    system: System, changed: dict[str, Any]
) -> None:
    answer = await system.ask(system.assertion(**changed))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_an_assertion_signed_otherwise_is_refused(system: System) -> None:
    claims = jwt.decode(system.assertion(), EC_KEY, algorithms=["ES384"]).claims
    public_text = json.dumps(public(EC_KEY)["keys"][0]).encode()
    forged = [
        signed(claims, ECKey.generate_key("P-384"), "ES384"),
        signed(claims, OctKey.import_key(public_text), "HS256"),
        signed(claims, RSA_KEY, "RS256"),
        system.assertion()[:-4] + "AAAA",
        "a.b.c",
        "x",
    ]

    for assertion in forged:
        answer = await system.ask(assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "plans:read nonsense"}, "invalid_scope"),
    ],
)
async def test_a_form_that_asks_for_something_else_is_refused(
    system: System, fields: dict[str, str], error: str
) -> None:
    answer = await system.ask(**fields)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "content, sent_as, kind",
    [
        (b"{}", "application/json", (415, "unsupported-media-type")),
        (b"x" * 20_000, "application/x-www-form-urlencoded", (413, "body-too-large")),
        (b"a=1&a=2", "application/x-www-form-urlencoded", (400, "token-not-given")),
        (b"\xff", "application/x-www-form-urlencoded", (400, "token-not-given")),
        (b"%ff=%ff", "application/x-www-form-urlencoded", (400, "token-not-given")),
        (b"&".join([b"a=1"] * 50), "application/x-www-form-urlencoded", (400, "token-not-given")),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    api: Client, content: bytes, sent_as: str, kind: tuple[int, str]
) -> None:
    answer = await api.post("/oauth/token", content=content, headers={"Content-Type": sent_as})

    assert refused(answer) == kind


async def test_a_form_that_does_not_come_is_not_waited_for(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "BODY_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"grant_type="
        await asyncio.Event().wait()

    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await api.post("/oauth/token", content=slow(), headers=sent)

    assert refused(answer) == (408, "body-too-slow")


async def test_a_revoked_client_has_no_more_tokens(app: FastAPI, system: System) -> None:
    sent = bearer((await system.ask()).json()["access_token"])
    assert (await system.api.get("/v1/plans", headers=sent)).status_code == 200
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", read_clock(), grant=UNRESTRICTED)
        await oauth.revoke_client(ctx, oauth.read_client_id(system.id).id)

    app.state.callers.now = lambda: read_clock() + REMEMBERED
    assert (await system.ask()).json()["error"] == "invalid_client"
    assert (await system.api.get("/v1/plans", headers=sent)).status_code == 401


async def test_a_token_ends_to_the_second(app: FastAPI, system: System) -> None:
    sent = bearer((await system.ask()).json()["access_token"])
    begun = read_clock()

    for later, status in [(timedelta(seconds=890), 200), (timedelta(seconds=915), 401)]:
        app.state.callers.now = lambda at=begun + later: at  # of this turn
        assert (await system.api.get("/v1/plans", headers=sent)).status_code == status


async def test_the_default_secret_signs_nothing_that_others_could(
    database_url: str, system: System
) -> None:
    other = create_app(Settings(database_url=database_url, pool_size=2))
    said = {"iss": "regimen", "aud": "regimen", "exp": timedelta(seconds=600), "sub": system.id}
    key = OctKey.import_key(hmac.digest(DEFAULT_SECRET.encode(), b"bearer tokens", "sha256"))
    forged = signed(settled({**said, "scopes": ["plans:read"]}), key, "HS256")

    async with client_of(other) as api:
        answer = await api.get("/v1/plans", headers=bearer(forged))
    await other.state.database.dispose()

    assert refused(answer) == (401, "credential-refused")


async def test_keys_are_found_by_url_and_asked_for_again_when_a_new_one_signs(
    app: FastAPI, api: Client
) -> None:
    asked: list[str] = []
    url = "https://ehr.example/jwks.json"

    async def fetch(at: str) -> bytes:
        asked.append(at)
        return json.dumps(public(RSA_KEY if len(asked) == 1 else EC_KEY)).encode()

    app.state.tokens().key_sets.fetch = fetch
    name = str(await client_id(app, jwks_url=url))
    first, second = System(api, name, RSA_KEY, "RS384"), System(api, name, EC_KEY, "ES384")

    assert (await first.ask()).status_code == 200
    assert (await first.ask()).status_code == 200
    assert asked == [url]
    assert (await second.ask()).json()["error"] == "invalid_client"
    app.state.tokens().key_sets._known[url] = (0.0, public(RSA_KEY))
    assert (await second.ask()).status_code == 200
    assert asked == [url, url]


async def test_who_signs_with_a_key_at_hand_does_not_wait_for_newer_ones(
    app: FastAPI, api: Client
) -> None:
    url, asked, hanging = "https://ehr.example/jwks.json", asyncio.Event(), asyncio.Event()

    async def fetch(_: str) -> bytes:
        asked.set()
        await hanging.wait()
        raise NotSent(Failure.TIMED_OUT)

    key_sets = app.state.tokens().key_sets
    key_sets.fetch = fetch
    known_for = time.monotonic() - KEYS_ASKED_EVERY_SECONDS
    key_sets._known[url] = (known_for, public(RSA_KEY))
    name = str(await client_id(app, jwks_url=url))
    stranger, known = System(api, name, EC_KEY, "ES384"), System(api, name, RSA_KEY, "RS384")

    waiting = asyncio.create_task(stranger.ask())
    await asked.wait()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await known.ask()).status_code == 200
    hanging.set()
    assert (await waiting).json()["error"] == "invalid_client"


async def test_while_keys_cannot_be_had_only_one_call_waits_for_them(
    app: FastAPI, api: Client
) -> None:
    asked: list[str] = []
    url = "https://ehr.example/jwks.json"

    async def fetch(at: str) -> bytes:
        asked.append(at)
        await asyncio.sleep(0.01)
        if len(asked) == 1:
            raise NotSent(Failure.TIMED_OUT)
        return json.dumps(public(RSA_KEY)).encode()

    key_sets = app.state.tokens().key_sets
    key_sets.fetch = fetch
    system = System(api, str(await client_id(app, jwks_url=url)), RSA_KEY, "RS384")

    answers = await asyncio.gather(*(system.ask() for _ in range(5)))
    assert {answer.json()["error"] for answer in answers} == {"invalid_client"}
    assert asked == [url]
    key_sets._missed[url] -= KEYS_MISSED_SECONDS
    assert (await system.ask()).status_code == 200


def test_every_scope_is_known_to_the_document() -> None:
    scheme = PUBLISHED["components"]["securitySchemes"]["token"]

    assert set(scheme["flows"]["clientCredentials"]["scopes"]) == set(Scope)
