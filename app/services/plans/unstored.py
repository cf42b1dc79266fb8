"""Plans by protocols that are not stored: only looked at."""

from app.domain.documents import ProtocolDocument
from app.domain.states import VersionStatus
from app.persistence.protocols import VersionSummary
from app.services.context import Context
from app.services.plans.loading import load_basis
from app.services.plans.planning import PlannedPlan, plan_by
from app.services.plans.requests import PlanRequest


async def preview_document(
    ctx: Context, request: PlanRequest, document: ProtocolDocument
) -> PlannedPlan:
    """The plan which this request would make by a protocol that is not stored.

    Raises what ``preview_plan`` raises about patients, locations and days.
    """
    summary = VersionSummary(
        protocol_key=document.key,
        version=document.version,
        status=VersionStatus.DRAFT,
        example=document.example,
        title=document.title,
        content_hash="",
        revision=0,
        created_at=ctx.now,
        updated_at=ctx.now,
    )
    basis = await load_basis(ctx, request, unstored=(summary, document))
    return await plan_by(ctx, request, basis)
