"""The wire form of a problem document, which problems with further members extend."""

from pydantic import BaseModel, ConfigDict, Field

MAX_ERRORS = 20


class FaultOut(BaseModel, defer_build=True):
    """One thing that is wrong with the request."""

    pointer: str = Field(
        description='JSON pointer into the body (`""` is the whole body), or a parameter\'s name.'
    )
    code: str = Field(description="Stable code of the fault.")
    detail: str = Field(description="The fault in one sentence.")


class Problem(BaseModel, defer_build=True):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "invalid-request",
                    "title": "The request has faults",
                    "status": 422,
                    "errors": [
                        {"pointer": "/time_zone", "code": "missing", "detail": "is required"}
                    ],
                }
            ]
        }
    )

    type: str = Field(description="Stable slug of the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status, repeated.", ge=400, le=599)
    detail: str | None = Field(default=None, description="This occurrence in one sentence.")
    errors: list[FaultOut] | None = Field(
        default=None,
        max_length=MAX_ERRORS,
        description="Every place that is wrong; the first 20 of them.",
    )


class TokenProblem(Problem):
    """Why no token was given (RFC 9457, with the code of RFC 6749)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "token-not-given",
                    "title": "No token is given",
                    "status": 400,
                    "detail": "a signed client_assertion is needed",
                    "error": "invalid_request",
                }
            ]
        }
    )

    error: str = Field(
        description="`invalid_request`, `invalid_client`, `invalid_scope` or "
        "`unsupported_grant_type`, as OAuth clients expect."
    )
