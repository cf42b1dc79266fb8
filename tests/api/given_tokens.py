"""Clients that sign assertions for a token, and an outside issuer of tokens."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from app.api.deps import read_clock
from app.api.tokens import ASSERTION_TYPE
from app.domain.permissions import UNRESTRICTED, Role
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.services import oauth
from app.services.context import Context
from app.services.oauth import ClientId
from app.settings import Settings
from tests.client import Answer, Client

AUDIENCE = "http://127.0.0.1:8000/oauth/token"
ISSUER = "https://login.clinic.example"
SECRET = "a-secret-of-more-than-thirty-two-characters"
EC_KEY = ECKey.generate_key("P-384")
RSA_KEY = RSAKey.generate_key(2048)
ISSUER_KEY = RSAKey.generate_key(2048, parameters={"kid": "login"})


def trusting(database_url: str) -> Settings:
    """Settings that trust an outside issuer, too."""
    return Settings(
        database_url=database_url,
        pool_size=4,
        secret=SECRET,
        issuer=ISSUER,
        issuer_audience="regimen",
        issuer_keys=json.dumps(public(ISSUER_KEY)),
    )


@dataclass(frozen=True, slots=True)
class System:
    """A client in the first clinic, and the key with which it signs."""

    api: Client
    id: str
    key: Key
    algorithm: str

    def assertion(self, **changed: Any) -> str:
        """What it signs, with claims that are changed, or with ... left out."""
        claims = {
            "iss": self.id,
            "sub": self.id,
            "aud": AUDIENCE,
            "exp": timedelta(seconds=240),
            "jti": f"{id(object())}-{read_clock().timestamp()}",
            **changed,
        }
        return signed(settled(claims), self.key, self.algorithm)

    def form(self, assertion: str | None = None, **fields: str) -> dict[str, str]:
        """What it sends for a token."""
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
            **fields,
        }

    async def ask(self, assertion: str | None = None, **fields: str) -> Answer:
        """Ask for a token."""
        return await self.api.post("/oauth/token", data=self.form(assertion, **fields))


def settled(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Claims without those left out, and with times counted from now."""
    now = int(read_clock().timestamp())
    return {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in claims.items()
        if value is not ...
    }


def signed(claims: Mapping[str, Any], key: Key, algorithm: str) -> str:
    """A signed token."""
    return jwt.encode({"alg": algorithm}, dict(claims), key, algorithms=[algorithm])


def bearer(token: str) -> dict[str, str]:
    """What a caller with a token sends."""
    return {"Authorization": f"Bearer {token}"}


async def client_id(app: FastAPI, jwks: Any = None, **fields: Any) -> ClientId:
    """A new client of the first clinic."""
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", read_clock(), grant=UNRESTRICTED)
        made = await oauth.create_client(
            ctx,
            fields.pop("name", "ehr"),
            fields.pop("role", Role.INTEGRATION),
            jwks=jwks,
            **fields,
        )
    app.state.callers.forget()
    return ClientId(DEFAULT_CLINIC_ID, made.id)


def public(key: Key) -> dict[str, Any]:
    """Its public half, as a set."""
    return {"keys": [dict(key.as_dict(private=False))]}
