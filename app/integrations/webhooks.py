"""Webhook messages as Standard Webhooks has them: thin bodies, signed by HMAC-SHA256.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

PREFIX = "whsec_"
_LABEL = b"regimen webhook secret\x00"


def derived_secret(key: bytes, webhook_id: UUID, salt: bytes) -> bytes:
    """The signing secret of a webhook, from the service's own ``key``; the database has no part.

    Nothing secret is stored: who reads the database cannot sign, and another key of the service
    makes other secrets.
    """
    return hmac.digest(key, _LABEL + webhook_id.bytes + salt, hashlib.sha256)


def shown(secret: bytes) -> str:
    """A secret in the form that receivers' libraries take."""
    return PREFIX + b64encode(secret).decode()


def body_of(
    *,
    type: str,  # noqa: A002 - the word of the standard
    at: datetime,
    event_id: UUID,
    number: int,
    ids: Mapping[str, Any],
    sandbox: bool,
) -> bytes:
    """A message's body: what happened to which things, by their ids, and nothing of a patient.

    Of ``ids`` what names nothing is left out.
    """
    data: dict[str, Any] = {"event_id": event_id, "number": number}
    data |= {name: value for name, value in ids.items() if value is not None}
    if sandbox:
        data["sandbox"] = True
    message = {"type": type, "timestamp": _instant(at), "data": data}
    return json.dumps(message, default=str, separators=(",", ":")).encode()


def headers_of(
    event_id: UUID, body: bytes, *, at: datetime, secrets: Sequence[bytes]
) -> dict[str, str]:
    """The headers of an attempt at ``at``: id, time, and a signature by each secret."""
    seconds = str(int(at.timestamp()))
    signed = f"{event_id}.{seconds}.".encode() + body
    signatures = (
        b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets
    )
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "content-type": "application/json",
        "user-agent": "Regimen-Webhooks",
    }


def asked_to_wait(retry_after: str | None, *, now: datetime) -> timedelta:
    """How long a receiver wants to be left alone: in seconds or until an instant, as HTTP has it.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after. What cannot be read asks for nothing.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
        return max(until - now, timedelta())
    except (TypeError, ValueError):
        # No date, or one without a zone.
        return timedelta()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
