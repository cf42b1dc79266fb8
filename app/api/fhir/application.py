"""The router below ``/fhir/R4``: every face, and what tells clients about them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from fastapi import Request, Response
from pydantic_core import to_json
from starlette.routing import BaseRoute, Route, Router

from app.api.fhir import (
    activity_definitions,
    appointments,
    audit_events,
    capabilities,
    care_plans,
    facts,
    locations,
    patients,
    plan_definitions,
    provenances,
    service_requests,
    subscriptions,
    tasks,
)
from app.api.fhir.bundling import Bundles
from app.api.fhir.interactions import Face, Interaction
from app.api.fhir.operations import APPLY
from app.api.fhir.outcomes import MEDIA_TYPE
from app.api.fhir.routing import base_of, check_form_spoken, route_of
from app.api.fhir.serving import interactions_of
from app.api.openapi import VERSION

FACES: dict[str, Face] = {
    face.type: face
    for face in (
        care_plans.CARE_PLAN,
        care_plans.REQUEST_GROUP,
        service_requests.FACE,
        appointments.FACE,
        facts.PROCEDURE,
        facts.ENCOUNTER,
        tasks.FACE,
        subscriptions.FACE,
        audit_events.FACE,
        provenances.FACE,
        patients.FACE,
        locations.FACE,
        replace(plan_definitions.FACE, operations=(APPLY,)),
        activity_definitions.FACE,
    )
}


def interactions() -> list[Interaction]:
    """Everything that is routed and needs a caller."""
    return [one for face in FACES.values() for one in interactions_of(face, FACES)]


@cache
def fhir_router() -> Router:
    """The FHIR face, below its root."""
    routed = interactions()
    by_path: dict[str, dict[str, Interaction]] = {}
    for one in routed:
        by_path.setdefault(one.path, {})[one.method] = one
    routes: list[BaseRoute] = [*_public(routed)]
    bundles = Bundles(routed, FACES)
    routes.append(Route("/", bundles.answer, methods=["POST"]))
    # What has a name of its own is no id: operations come before what they look like.
    named_first = sorted(by_path.items(), key=lambda one: one[0].endswith("}"))
    routes += [route_of(path, methods, FACES) for path, methods in named_first]
    return Router(routes, redirect_slashes=False)


def _public(routed: Sequence[Interaction]) -> list[Route]:
    """What clients ask for before they have a credential."""

    async def metadata(request: Request) -> Response:
        check_form_spoken(request)
        public_url = request.app.state.settings.base_url
        statement = capabilities.capability_statement(routed, public_url, base_of(request), VERSION)
        return Response(to_json(statement), media_type=MEDIA_TYPE)

    async def smart_configuration(request: Request) -> Response:
        found = capabilities.smart_configuration(request.app.state.settings.base_url)
        return Response(to_json(found), media_type="application/json")

    return [
        Route("/metadata", metadata, methods=["GET"]),
        Route("/.well-known/smart-configuration", smart_configuration, methods=["GET"]),
    ]
