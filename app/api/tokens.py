"""Bearer tokens: given to clients for assertions they sign, and read when they come back."""

import asyncio
import hmac
import json
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any
from uuid import UUID

from app.api.fhir import scopes as smart
from app.api.refusals import TokenNotGiven
from app.domain.permissions import Caller, Grant, Role, Scope, granted
from app.integrations import tokens
from app.integrations.addresses import NotSent
from app.integrations.tokens import InvalidToken
from app.services import oauth
from app.services.credentials import Found
from app.services.oauth import AssertionUsed, ClientId, ClientNotFound, ClientRecord, Database

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = timedelta(minutes=15)
KEYS_KEPT_SECONDS = 600.0
# A key that is not known may be new; who makes up names of keys shall not make us ask for each.
KEYS_ASKED_EVERY_SECONDS = 30.0
# While keys cannot be had, nobody waits for them but one call now and then.
KEYS_MISSED_SECONDS = 10.0

_log = logging.getLogger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Issuer:
    """An outside OpenID Connect issuer: who it is, what its tokens say, where its keys are.

    A token that holds for more than ``longest`` is refused.
    """

    name: str
    audience: str
    keys: str
    clinic_claim: str
    role_claim: str
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Given:
    """A token that was given, for these scopes."""

    token: str
    scopes: tuple[str, ...]
    lifetime: timedelta


@dataclass(slots=True)
class KeySets:
    """Sets of public keys found at URLs, remembered for minutes; one call at a time asks a URL."""

    fetch: Fetch
    _known: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)
    _missed: dict[str, float] = field(default_factory=dict)
    _asking: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    async def at(self, url: str, *, older_than: float = KEYS_KEPT_SECONDS) -> Mapping[str, Any]:
        """The keys at a URL, asked for again when known for so long. Raises InvalidToken."""
        known = self._at_hand(url, older_than)
        if known is not None:
            return known
        async with self._asking[url]:
            known = self._at_hand(url, older_than)
            if known is not None:
                return known
            if time.monotonic() - self._missed.get(url, -inf) < KEYS_MISSED_SECONDS:
                raise InvalidToken("the keys could not be had a moment ago")
            try:
                found = json.loads(await self.fetch(url))
            except (NotSent, ValueError, RecursionError) as error:
                self._missed[url] = time.monotonic()
                why = error.failure.value if isinstance(error, NotSent) else "no JSON"
                _log.warning("public keys cannot be had: %s", why)
                raise InvalidToken("the keys cannot be had") from error
            self._known[url] = (time.monotonic(), found)
            return self._known[url][1]

    def _at_hand(self, url: str, older_than: float) -> Mapping[str, Any] | None:
        since, keys = self._known.get(url, (-inf, {}))
        return keys if time.monotonic() - since < older_than else None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Gives and reads tokens for the clinics of one database."""

    database: Database
    secret: bytes
    audience: str
    key_sets: KeySets
    issuer: Issuer | None = None

    async def give(self, form: Mapping[str, str], now: datetime) -> Given:
        """A token for an assertion (RFC 7523, SMART Backend Services). Raises TokenNotGiven."""
        if form.get("grant_type") != "client_credentials":
            raise TokenNotGiven("unsupported_grant_type", "grant_type must be client_credentials")
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise TokenNotGiven("invalid_request", "a signed client_assertion is needed")
        try:
            which, client = await self._client(form["client_assertion"], now)
        except (InvalidToken, ClientNotFound, AssertionUsed) as error:
            raise TokenNotGiven("invalid_client", str(error)) from error
        asked = _asked(form.get("scope", ""), oauth.caller_of(which, client))
        claims = {
            "sub": str(which),
            "scopes": sorted(asked.scopes),
            "resources": sorted(asked.resources),
        }
        token = tokens.issue_token(claims, self._own_secret(), now=now, lifetime=LIFETIME)
        return Given(token, asked.told, LIFETIME)

    async def read(self, token: str, now: datetime) -> Found | None:
        """Who calls by a token; None where it does not hold."""
        try:
            issuer = tokens.claimed_issuer(token)
            if issuer == tokens.OWN_ISSUER:
                return await self._read_own(token, now)
            if self.issuer is not None and issuer == self.issuer.name:
                return await self._read_issuers(token, self.issuer, now)
        except (InvalidToken, ClientNotFound):
            return None
        return None

    async def _client(self, assertion: str, now: datetime) -> tuple[ClientId, ClientRecord]:
        """The client that signed an assertion, which is taken this once."""
        which = oauth.read_client_id(tokens.claimed_issuer(assertion))
        client = await oauth.find_client(self.database, which)
        where = json.dumps(client.jwks) if client.jwks_url is None else client.jwks_url

        def read(keys: Mapping[str, Any]) -> tokens.Assertion:
            return tokens.read_assertion(
                assertion, keys, client_id=str(which), audience=self.audience, now=now
            )

        said = await self._by_keys(where, read)
        await oauth.use_assertion(
            self.database, which, said.jti, expires_at=said.expires_at, now=now
        )
        return which, client

    async def _read_own(self, token: str, now: datetime) -> Found:
        claims, ends = tokens.read_own_token(token, self._own_secret(), now=now)
        which = oauth.read_client_id(claims["sub"])
        client = await oauth.find_client(self.database, which)
        scopes = frozenset(Scope(scope) for scope in claims["scopes"])
        own = oauth.caller_of(which, client).grant.scopes
        resources = smart.permitted(claims.get("resources", ()), own)
        return Found(oauth.caller_of(which, client, scopes, resources), ends)

    async def _read_issuers(self, token: str, issuer: Issuer, now: datetime) -> Found | None:
        def read(keys: Mapping[str, Any]) -> tuple[Mapping[str, Any], datetime]:
            return tokens.read_issuers_token(
                token,
                keys,
                issuer=issuer.name,
                audience=issuer.audience,
                longest=issuer.longest,
                now=now,
            )

        claims, ends = await self._by_keys(issuer.keys, read)
        clinic_id, role = _clinic_in(claims, issuer), _role_in(claims, issuer)
        subject = claims["sub"]
        if clinic_id is None or role is None or not 1 <= len(subject) <= 200:
            return None
        if not subject.isprintable() or not await oauth.is_clinic(self.database, clinic_id):
            return None
        grant = _narrowed(role, claims.get("scope"))
        return Found(Caller(clinic_id, f"user:{subject}", grant), ends)

    async def _by_keys(self, where: str, read: Callable[[Mapping[str, Any]], Any]) -> Any:
        """Read by keys given as they stand, or found at a URL; there by newer ones if need be."""
        if not where.startswith(("https://", "http://")):
            return read(json.loads(where))
        try:
            return read(await self.key_sets.at(where))
        except InvalidToken:
            newer = await self.key_sets.at(where, older_than=KEYS_ASKED_EVERY_SECONDS)
            return read(newer)

    def _own_secret(self) -> bytes:
        """Nothing else is signed with it."""
        return hmac.digest(self.secret, b"bearer tokens", "sha256")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a client asks for and may have: scopes, resources, and how both are told."""

    scopes: frozenset[Scope]
    resources: frozenset[str]
    told: tuple[str, ...]


def _asked(text: str, caller: Caller) -> _Asked:
    """The scopes asked for; all that the client has where it asks for none."""
    own = caller.grant.scopes
    asked = text.split()
    if not asked:
        return _Asked(own, frozenset(), tuple(sorted(own)))
    scopes = {scope for scope in asked if not smart.is_smart(scope)}
    rights = {scope: _rights(scope, own) for scope in asked if smart.is_smart(scope)}
    if not scopes <= {scope.value for scope in own} or not all(rights.values()):
        raise TokenNotGiven("invalid_scope", "the client does not have every scope it asks for")
    told = {one for scope, found in rights.items() for one in smart.told(scope, found)}
    resources: frozenset[str] = frozenset().union(*rights.values())
    return _Asked(frozenset(map(Scope, scopes)), resources, tuple(sorted(scopes | told)))


def _rights(scope: str, own: frozenset[Scope]) -> frozenset[str]:
    try:
        return smart.permitted(smart.rights_in(scope, level="system"), own)
    except smart.UnknownScope:
        return frozenset()


def _narrowed(role: Role, said: object) -> Grant:
    """What a role may do; where the issuer's token has scopes of SMART, only what they open."""
    asked = [scope for scope in str(said or "").split() if smart.is_smart(scope)]
    if not asked:
        return granted(role)
    found: set[str] = set()
    for scope in asked:
        with suppress(smart.UnknownScope):
            found |= smart.rights_in(scope, level="user")
    return granted(role, (), smart.permitted(found, granted(role).scopes))


def _clinic_in(claims: Mapping[str, Any], issuer: Issuer) -> UUID | None:
    try:
        return UUID(str(claims.get(issuer.clinic_claim)))
    except ValueError:
        return None


def _role_in(claims: Mapping[str, Any], issuer: Issuer) -> Role | None:
    """The one role of ours that is claimed; two are none, because nobody says which is meant."""
    said = claims.get(issuer.role_claim)
    found = [role for role in Role if role in (said if isinstance(said, list) else [said])]
    return found[0] if len(found) == 1 else None
