"""Lets pages of other origins call, as far as they are allowed to (CORS)."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from app.api.problems import problem_response
from app.api.refusals import RequestRefused

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ASKED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Exist",
    "If-None-Match",
    "Prefer",
    "X-API-Key",
)
_ANSWERED = (
    "ETag",
    "Last-Modified",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
)


class Browsers(CORSMiddleware):
    """Answers what browsers ask before they call; a refusal is a problem document."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Whether a page may send what it is about to send."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        refused = problem_response(
            RequestRefused("pages of this origin may not call with this method or these headers")
        )
        allowed = {
            name: value for name, value in answer.headers.items() if not name.startswith("content-")
        }
        refused.headers.update(allowed)
        return refused


def let_browsers_call(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call; without any, no page of another origin may."""
    if origins:
        app.add_middleware(
            Browsers,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_ASKED,
            expose_headers=_ANSWERED,
        )
