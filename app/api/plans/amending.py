"""Moving many plans to a new version of their protocol, as a batch."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from app.api.batches import BatchOut
from app.api.deps import ContextDep
from app.api.fields import In, Key
from app.api.problems import problems
from app.api.routing import Route
from app.services import batches
from app.services.batches import Amendment, InvalidAmendment
from app.services.locations import LocationNotFound
from app.services.plans import ProtocolNotFound, VersionNotFound, VersionNotUsable

router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=Route)

Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")]
_ERRORS = (ProtocolNotFound, VersionNotFound, VersionNotUsable, LocationNotFound, InvalidAmendment)
_EXAMPLE: dict[str, Any] = {"protocol": "ankle-prp", "from": "1.0.0", "to": "1.1.0"}


class AmendmentIn(In):
    """Which plans go on by which version."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    protocol: Key = Field(description="The protocol's key.")
    old: Version = Field(alias="from", description="Plans that follow this version.")
    new: Version = Field(alias="to", description="The version they go on by; it must be active.")
    location_id: UUID | None = Field(default=None, description="Only plans at this location.")

    def to_domain(self) -> Amendment:
        """What the use-case takes."""
        return Amendment(self.protocol, self.old, self.new, self.location_id)


@router.post(
    "/amendments",
    operation_id="amend_plans",
    status_code=202,
    responses=problems(*_ERRORS),
)
async def amend_plans(body: AmendmentIn, ctx: ContextDep, response: Response) -> BatchOut:
    """Move living plans to a new version of their protocol, one transaction a plan.

    Steps are matched by key and keep their ids; what is performed stays as it was. The batch says
    for each plan what moved and why, or why it could not be. The same is previewed at
    `/v1/plans/amendments/preview`, one plan by the change `amend`.
    """
    progress = await batches.amend_plans(ctx, body.to_domain())
    response.headers["location"] = f"/v1/batches/{progress.batch.id}"
    return BatchOut.from_domain(progress)


@router.post(
    "/amendments/preview",
    operation_id="preview_amendment",
    status_code=202,
    responses=problems(*_ERRORS),
)
async def preview_amendment(body: AmendmentIn, ctx: ContextDep, response: Response) -> BatchOut:
    """Show what a new version would make of each plan, without changing any.

    The same body as for amending. The batch's items say for each plan what would move and why, or
    why it could not be.
    """
    progress = await batches.amend_plans(ctx, body.to_domain(), tried=True)
    response.headers["location"] = f"/v1/batches/{progress.batch.id}"
    return BatchOut.from_domain(progress)
