"""Answers every error as a problem document; the table of statuses is in problems.py."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from traceback import walk_tb
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ExceptionHandler

from app.api import refusals
from app.api.faults import faults_of
from app.api.problems import BODY, problem_response
from app.domain.errors import DomainError
from app.services.passing import Passing, code_of, passing

_log = logging.getLogger(__name__)


async def _on_domain_error(request: Request, error: DomainError) -> Response:
    if _is_taken_for_another(request):
        error = refusals.MethodNotAllowed(_allowed(request))
    return problem_response(error, request.scope.get(BODY))


async def _on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    faults = faults_of(error.errors(), error.body)
    return await _on_domain_error(request, refusals.FieldsRefused(faults))


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem_response(refusals.AddressNotFound("nothing is found at this address"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _allowed(request) or (error.headers or {}).get("Allow", "")
        return problem_response(refusals.MethodNotAllowed(allowed))
    return problem_response(refusals.RequestRefused("the request cannot be read"))


def _is_taken_for_another(request: Request) -> bool:
    """Whether the address is written out in a route that does not take the method.

    One with a parameter in that place has then taken a word of the address for an id.
    """
    written = _methods(request, lambda route, path: route.path == path)
    return bool(written) and request.method not in written


def _allowed(request: Request) -> str:
    """Every method of this address; the framework names those of one route only."""
    methods = _methods(request, lambda route, path: route.path == path) or _methods(
        request, lambda route, path: route.path_regex.match(path) is not None
    )
    return ", ".join(sorted(methods))


def _methods(request: Request, fits: Callable[[Route, str], bool]) -> set[str]:
    routes = [route for route in request.app.router.routes if isinstance(route, Route)]
    return {
        method
        for route in routes
        if fits(route, request.scope["path"])
        for method in route.methods or ()
    }


async def _on_database_error(request: Request, error: Exception) -> Response:
    refusal = refusal_by_database(error)
    if refusal is not None:
        return problem_response(refusal)
    return unexpected_response(error)


def refusal_by_database(error: Exception) -> refusals.Refusal | None:
    """What to say of an error of the database; nothing where nobody foresaw it."""
    match passing(error):
        case Passing.CROWDED:
            return refusals.Overloaded("all database connections stayed busy")
        case Passing.HELD:
            return refusals.Contended("other requests held the same data")
        case Passing.AWAY:
            return refusals.Overloaded("the database cannot be reached")
        case None:
            return None


def unexpected_response(error: Exception) -> Response:
    """Log where an unexpected error arose, and answer without detail."""
    note_unexpected(error)
    return problem_response(refusals.Unexpected())


def note_unexpected(error: Exception) -> None:
    """Log where an unexpected error arose and the database's code for it, never its text."""
    where = " < ".join(reversed(_frames(error)))
    code = code_of(error)
    _log.error("unexpected %s at %s", type(error).__name__ + (f" {code}" if code else ""), where)


def _frames(error: BaseException) -> list[str]:
    return [
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem document."""
    handlers: dict[type[Exception], Any] = {
        DomainError: _on_domain_error,
        RequestValidationError: _on_invalid_request,
        HTTPException: _on_http_exception,
        PoolTimeout: _on_database_error,
        OSError: _on_database_error,
        DBAPIError: _on_database_error,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, cast("ExceptionHandler", handler))
