"""Rules that hold for every plan of the clinic, beside the protocol's own."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic_core import to_json

from app.api.batches import BatchOut, follow
from app.api.deps import ContextDep, IfMatchDep, ReadContextDep
from app.api.etags import etag
from app.api.problems import problems
from app.api.routing import JSON, UNCHANGED, DocumentRoute, document_in, document_out
from app.domain.documents import InvalidClinicRules
from app.services import clinic, clinic_rules
from app.services.clinic import ClinicRulesChangedMeanwhile, StoredRules

router = APIRouter(prefix="/v1/clinic", tags=["clinic"], route_class=DocumentRoute)


def _answer(rules: StoredRules) -> Response:
    headers = {"etag": etag(rules.revision)}
    return Response(to_json(rules.document), media_type=JSON, headers=headers)


@router.get(
    "/rules",
    operation_id="get_clinic_rules",
    responses=document_out("ClinicRules") | UNCHANGED,
)
async def get_clinic_rules(ctx: ReadContextDep) -> Response:
    """Read the rules that hold for every plan of the clinic.

    Washouts, readiness checks and shortest intervals. Until the clinic saves its own, these are
    the built-in ones, every figure of which is the clinic's to confirm.
    """
    return _answer(await clinic.get_clinic_rules(ctx))


@router.put(
    "/rules",
    operation_id="save_clinic_rules",
    responses=document_out("ClinicRules")
    | problems(InvalidClinicRules, ClinicRulesChangedMeanwhile),
    openapi_extra=document_in("ClinicRules"),
)
async def save_clinic_rules(
    body: dict[str, Any], revision: IfMatchDep, ctx: ContextDep
) -> Response:
    """Replace the clinic's rules.

    JSON or YAML. No plan moves. Where there are living plans, the `Link` of relation `monitor`
    names a batch that looks at each of them: what its days break by the new rules is shown with
    the plan, which needs attention until a person takes the days that are proposed, or accepts it.
    """
    rules, progress = await clinic_rules.save_clinic_rules(ctx, body, revision=revision)
    response = _answer(rules)
    follow(response, progress)
    return response


@router.post(
    "/rules/preview",
    operation_id="preview_clinic_rules",
    status_code=202,
    response_model=BatchOut,
    responses=problems(InvalidClinicRules),
    openapi_extra=document_in("ClinicRules"),
)
async def preview_clinic_rules(
    body: dict[str, Any], ctx: ContextDep, response: Response
) -> BatchOut:
    """Show what every living plan would break by other rules, without saving them.

    The same body as for saving them. The batch's items say for each plan what it would break, and
    which moves would be proposed.
    """
    progress = await clinic_rules.try_clinic_rules(ctx, body)
    response.headers["location"] = f"/v1/batches/{progress.batch.id}"
    return BatchOut.from_domain(progress)
