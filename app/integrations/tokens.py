"""Signed tokens (RFC 7519): clients' assertions, our own bearer tokens, an outside issuer's.

It alone knows joserfc. What a token's header says of where its key is to be had is never believed.
"""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

# What SMART Backend Services asks for: https://hl7.org/fhir/smart-app-launch/STU2/backend-services.html
ASSERTION_ALGORITHMS = ("RS384", "ES384")
ISSUER_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384")
OWN_ALGORITHM = "HS256"
OWN_ISSUER = "regimen"

LONGEST_ASSERTION = timedelta(seconds=300)
LONGEST_TOKEN = timedelta(hours=1)
# Clocks of two machines differ a little.
LEEWAY = timedelta(seconds=10)
MOST_KEYS = 20
LEAST_RSA_BITS = 2048

JsonObject = Mapping[str, Any]


class InvalidToken(Exception):
    """A token, or a set of keys, that cannot be trusted; the text says why, without its content."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a client has signed to be given a token."""

    jti: str
    expires_at: datetime


def check_key_set(keys: Any) -> JsonObject:
    """A set of public keys by which assertions can be checked. Raises InvalidToken."""
    found = _key_set(keys)
    for key in found.keys:
        if key.is_private:
            raise InvalidToken("the key set holds a private key: keep it, and send public ones")
        if not _is_strong(key):
            raise InvalidToken("the keys must be RSA of at least 2048 bits, or EC of curve P-384")
    return {"keys": [dict(key.as_dict(private=False)) for key in found.keys]}


def claimed_issuer(token: str) -> str:
    """Who a token says has signed it, which nobody has checked. Raises InvalidToken."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer = claims["iss"]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidToken("the token is malformed") from error
    if not isinstance(issuer, str):
        raise InvalidToken("the token names no issuer")
    return issuer


def read_assertion(
    token: str, keys: JsonObject, *, client_id: str, audience: str, now: datetime
) -> Assertion:
    """The assertion that a client has signed for us, with its own id as issuer and subject.

    Raises InvalidToken.
    """
    claims = _verified(token, _key_set(keys), ASSERTION_ALGORITHMS)
    _require(claims, now, iss=client_id, sub=client_id, aud=audience)
    ends, jti = _ends(claims), claims.get("jti")
    if ends > now + LONGEST_ASSERTION + LEEWAY:
        raise InvalidToken("the assertion holds for more than 300 seconds")
    if not isinstance(jti, str) or not 1 <= len(jti) <= 255:
        raise InvalidToken("the assertion needs a jti of 1 to 255 characters")
    return Assertion(jti, ends)


def issue_token(claims: JsonObject, secret: bytes, *, now: datetime, lifetime: timedelta) -> str:
    """A bearer token that only we can make and read."""
    begins = int(now.timestamp())
    ends = begins + int(min(lifetime, LONGEST_TOKEN).total_seconds())
    whole = {**claims, "iss": OWN_ISSUER, "aud": OWN_ISSUER, "iat": begins, "exp": ends}
    return jwt.encode({"alg": OWN_ALGORITHM}, whole, OctKey.import_key(secret), [OWN_ALGORITHM])


def read_own_token(token: str, secret: bytes, *, now: datetime) -> tuple[JsonObject, datetime]:
    """What a token of our own says, and until when it holds. Raises InvalidToken."""
    claims = _verified(token, OctKey.import_key(secret), (OWN_ALGORITHM,))
    _require(claims, now, iss=OWN_ISSUER, aud=OWN_ISSUER)
    return claims, _ends(claims)


def read_issuers_token(
    token: str,
    keys: JsonObject,
    *,
    issuer: str,
    audience: str,
    longest: timedelta,
    now: datetime,
) -> tuple[JsonObject, datetime]:
    """What an outside issuer says of a caller, and until when it holds. Raises InvalidToken.

    Nobody here can revoke it: it must not hold for longer than ``longest`` from when it was issued.
    """
    claims = _verified(token, _key_set(keys), ISSUER_ALGORITHMS)
    _require(claims, now, iss=issuer, aud=audience, sub=None, iat=None)
    if claims["exp"] - claims["iat"] > longest.total_seconds():
        raise InvalidToken("the token holds for too long")
    return claims, _ends(claims)


def sealed(content: bytes, secret: bytes) -> str:
    """What is given out to come back, unreadable meanwhile (RFC 7516)."""
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, content, _seal(secret))


def unsealed(token: str, secret: bytes) -> bytes:
    """What was sealed with the same secret. Raises InvalidToken."""
    try:
        content = jwe.decrypt_compact(token, _seal(secret), algorithms=["dir", "A256GCM"]).plaintext
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise InvalidToken("it was not sealed here") from error
    return content or b""


def _seal(secret: bytes) -> OctKey:
    return OctKey.import_key(hmac.digest(secret, b"seal", "sha256"))


def _key_set(keys: Any) -> KeySet:
    try:
        found = KeySet.import_key_set(keys)
    except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidToken("the key set is not one of RFC 7517") from error
    if not 1 <= len(found.keys) <= MOST_KEYS:
        raise InvalidToken(f"the key set must have 1 to {MOST_KEYS} keys")
    return found


def _is_strong(key: object) -> bool:
    match key:
        case RSAKey():
            return key.raw_value.key_size >= LEAST_RSA_BITS
        case ECKey():
            return key.curve_name == "P-384"
        case _:
            return False


def _verified(token: str, key: KeySet | OctKey, algorithms: Sequence[str]) -> dict[str, Any]:
    try:
        decoded = jwt.decode(token, key, algorithms=list(algorithms))
    except (JoseError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidToken("the token's signature does not hold") from error
    return decoded.claims


def _require(claims: dict[str, Any], now: datetime, **wanted: str | None) -> None:
    """Check times, and each claim that is wanted; None takes any value."""
    options: dict[str, Any] = {
        name: {"essential": True, **({} if value is None else {"value": value})}
        for name, value in wanted.items()
    }
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=int(LEEWAY.total_seconds()),
        exp={"essential": True},
        **options,
    )
    try:
        registry.validate(claims)
    except (JoseError, TypeError, ValueError) as error:
        raise InvalidToken("the token is not meant for us, or not now") from error


def _ends(claims: JsonObject) -> datetime:
    try:
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidToken("the token ends at no time of the calendar") from error
