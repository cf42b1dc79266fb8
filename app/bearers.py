"""Joins what gives and reads bearer tokens; signing is loaded when it is first asked for."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from app.persistence.database import Database
from app.services.callers import ReadToken
from app.services.credentials import Found
from app.settings import DEFAULT_SECRET, Settings

SECONDS = 5.0
LARGEST_KEY_SET = 64 * 1024


def tokens_of(database: Database, settings: Settings) -> Callable[[], Any]:
    """What gives the tokens of a database, made at the first call."""
    # Everybody knows the default secret: what it would sign, anybody could.
    known = settings.secret == DEFAULT_SECRET
    secret = secrets.token_bytes(32) if known else settings.secret.encode()

    @cache
    def make() -> Any:
        from app.api.tokens import Issuer, KeySets, Tokens  # noqa: PLC0415 - slow, few ask for it

        issuer = Issuer(
            settings.issuer,
            settings.issuer_audience,
            settings.issuer_keys,
            settings.issuer_clinic_claim,
            settings.issuer_role_claim,
            timedelta(minutes=settings.issuer_token_minutes),
        )
        audience = f"{settings.base_url}/oauth/token"
        key_sets = KeySets(_fetcher(settings))
        return Tokens(database, secret, audience, key_sets, issuer if settings.issuer else None)

    return make


def reader_of(tokens: Callable[[], Any]) -> ReadToken:
    """What reads tokens when they come back."""

    async def read(token: str, now: datetime) -> Found | None:
        found: Found | None = await tokens().read(token, now)
        return found

    return read


def _fetcher(settings: Settings) -> Callable[[str], Awaitable[bytes]]:
    async def fetch(url: str) -> bytes:
        """What is found at a URL of a public host, or of the network in which the issuer is."""
        from app.integrations.outbound import Caller, open_client  # noqa: PLC0415 - slow, seldom

        async with open_client() as client:
            caller = Caller(
                client=client,
                seconds=SECONDS,
                loopback=settings.takes_keys_of_this_machine,
                own_network=url == settings.issuer_keys,
            )
            return await caller.get(url, most=LARGEST_KEY_SET)

    return fetch
