"""Wrong credentials are looked at so many times a minute from one address, and no more."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.authentication import WRONG_PER_MINUTE
from app.api.limits import Allowance
from app.domain.permissions import Role
from tests.api.given_callers import headers
from tests.api.given_protocols import refused
from tests.client import Client, client_of

WRONG = {"Authorization": "Bearer rgm_unknown"}
ATTACKER, OTHER = "203.0.113.7", "203.0.113.8"


@pytest.fixture
async def attacker(app: FastAPI) -> AsyncIterator[Client]:
    """Who has sent as many wrong keys as are looked at."""
    async with client_of(app, came_from=ATTACKER) as client:
        for _ in range(WRONG_PER_MINUTE):
            answer = await client.get("/v1/patients", headers=WRONG)
            assert refused(answer) == (401, "credential-refused")
        yield client


@pytest.mark.parametrize(
    "sent", [WRONG, {"X-API-Key": "rgm_other"}, {"Authorization": "Bearer a.b.c"}]
)
async def test_too_many_wrong_credentials_are_not_looked_at(
    sent: dict[str, str], attacker: Client
) -> None:
    answer = await attacker.get("/v1/patients", headers=sent)

    assert refused(answer) == (429, "rate-exceeded")
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_a_key_that_was_right_before_is_served_from_the_same_address(app: FastAPI) -> None:
    right, late = await headers(app, Role.ADMIN), await headers(app, Role.ADMIN, name="late")
    async with client_of(app, came_from=ATTACKER) as client:
        assert (await client.get("/v1/keys", headers=right)).status_code == 200
        await exhaust(client)
        app.state.callers.forget()

        assert (await client.get("/v1/keys", headers=right)).status_code == 200
        assert (await client.get("/v1/keys", headers=late)).status_code == 429


async def test_other_addresses_are_served_meanwhile(app: FastAPI, attacker: Client) -> None:
    right = await headers(app, Role.ADMIN)
    async with client_of(app, came_from=OTHER) as other:
        assert (await other.get("/v1/keys", headers=right)).status_code == 200


@pytest.mark.parametrize(
    "method, path, sent",
    [
        ("GET", f"/calendars/{'a' * 43}.ics", {}),
        ("POST", "/oauth/token", {"data": {"grant_type": "client_credentials"}}),
    ],
    ids=["feeds", "assertions"],
)
async def test_what_is_secret_elsewhere_in_a_request_counts_alike(
    method: str, path: str, sent: dict[str, Any], app: FastAPI
) -> None:
    async with client_of(app, came_from=ATTACKER) as client:
        answers = [await client.request(method, path, **sent) for _ in range(WRONG_PER_MINUTE + 1)]
        key = await client.get("/v1/patients", headers=WRONG)

    assert all(answer.status_code in {400, 401, 404} for answer in answers[:-1])
    assert refused(answers[-1]) == refused(key) == (429, "rate-exceeded")


async def test_machines_of_one_ipv6_network_are_one(app: FastAPI) -> None:
    statuses = []
    for number in range(WRONG_PER_MINUTE + 1):
        async with client_of(app, came_from=f"2001:db8:1:2::{number:x}") as client:
            statuses.append((await client.get("/v1/patients", headers=WRONG)).status_code)
    async with client_of(app, came_from="2001:db8:1:3::1") as client:
        statuses.append((await client.get("/v1/patients", headers=WRONG)).status_code)

    assert statuses == [401] * WRONG_PER_MINUTE + [429, 401]


def test_it_is_forgotten_evenly_and_memory_is_bounded() -> None:
    now = [1000.0]
    allowance = Allowance(WRONG_PER_MINUTE, lambda: now[0])
    for _ in range(WRONG_PER_MINUTE):
        allowance.take("busy")
    assert allowance.wait("busy") == 1

    now[0] += 1
    assert allowance.wait("busy") == 0
    for number in range(30_000):
        allowance.take(f"address {number}")

    assert len(allowance) <= 10_000


async def exhaust(client: Client) -> None:
    """Send as many wrong keys as are looked at."""
    for _ in range(WRONG_PER_MINUTE):
        await client.get("/v1/patients", headers=WRONG)
