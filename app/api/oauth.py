"""Where clients are given tokens (OAuth 2 client credentials, as SMART Backend Services asks).

https://hl7.org/fhir/smart-app-launch/STU2/backend-services.html
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field

from app.api.deps import read_clock
from app.api.fields import Out
from app.api.problems import problems
from app.api.refusals import BodyTooLarge, BodyTooSlow, MediaTypeRefused, TokenNotGiven
from app.api.routing import Route, StrictRequest

router = APIRouter(prefix="/oauth", tags=["keys"], route_class=Route)

FORM = "application/x-www-form-urlencoded"
MAX_FORM = 16 * 1024

_FIELDS = {
    "grant_type": "Always `client_credentials`.",
    "client_assertion_type": "Always `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.",
    "client_assertion": "A JWT signed with RS384 or ES384: `iss` and `sub` are the client's id, "
    "`aud` is this address, `exp` lies at most 300 seconds ahead, `jti` is used once.",
    "scope": "The scopes wanted, separated by blanks: ours, or SMART's for the FHIR face, such as "
    "`system/CarePlan.rs`; all of the client's when left out.",
}
_FORM_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        name: {"type": "string", "description": text}
                        for name, text in _FIELDS.items()
                    },
                }
            }
        },
    }
}


class TokenOut(Out):
    """A bearer token (RFC 6749)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.…",
                    "token_type": "bearer",
                    "expires_in": 900,
                    "scope": "patients:read plans:read",
                }
            ]
        }
    )

    access_token: str = Field(description="Sent as `Authorization: Bearer …`.")
    token_type: Literal["bearer"] = Field(default="bearer", description="Always `bearer`.")
    expires_in: int = Field(description="After how many seconds it ends.")
    scope: str = Field(description="The scopes it was given for, separated by blanks.")


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form, each once.

    Raises MediaTypeRefused, BodyTooLarge, BodyTooSlow or TokenNotGiven.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM:
        raise MediaTypeRefused(f"the body must be sent as {FORM}")
    body = await StrictRequest(request.scope, request.receive).raw(MAX_FORM)
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=20)
    except ValueError:
        raise TokenNotGiven("invalid_request", "the form is malformed") from None
    if len(dict(pairs)) != len(pairs):
        raise TokenNotGiven("invalid_request", "a field is given more than once")
    return dict(pairs)


@router.post(
    "/token",
    operation_id="issue_token",
    responses=problems(TokenNotGiven, BodyTooLarge, BodyTooSlow, MediaTypeRefused),
    openapi_extra=_FORM_BODY,
)
async def issue_token(
    form: Annotated[Mapping[str, str], Depends(read_form)], request: Request
) -> TokenOut:
    """Give a client a token for an assertion that it signed.

    OAuth 2 client credentials with `private_key_jwt`. Clients are made by whoever runs the
    service: `python -m app clients create`.
    """
    given = await request.app.state.tokens().give(form, read_clock())
    return TokenOut(
        access_token=given.token,
        expires_in=int(given.lifetime.total_seconds()),
        scope=" ".join(given.scopes),
    )
