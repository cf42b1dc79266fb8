"""The account of access: who read or changed which patient's data, for who may look into it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from app.api.deps import ReadContextDep
from app.api.fields import Asked, Instant, Out
from app.api.paging import PageDep
from app.api.problems import problems
from app.api.routing import Route
from app.services import access
from app.services.access import Access, AccessFilter
from app.services.ranges import RangeNotAllowed

router = APIRouter(prefix="/v1/access", tags=["access"], route_class=Route)

_EXAMPLE: dict[str, Any] = {
    "at": "2027-02-05T16:00:00Z",
    "credential": "key:booking",
    "operation": "read_plan",
    "stored": False,
    "ids": [
        "01920000-0000-7000-8000-000000000100",
        "01920000-0000-7000-8000-000000000001",
        "01920000-0000-7000-8000-000000000102",
    ],
    "patient_ids": ["01920000-0000-7000-8000-000000000001"],
}


class AccessOut(Out):
    """One request that was answered with patients' data, or changed it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    at: Instant = Field(description="When.")
    credential: str = Field(description="By which key, client or person; as in history.")
    operation: str = Field(
        description="The operation, by its id in the OpenAPI document; of FHIR as `Patient.read`."
    )
    stored: bool = Field(description="Whether it changed something, or only read.")
    ids: list[UUID] = Field(description="Ids that the address named and the answer showed.")
    patient_ids: list[UUID] = Field(description="The patients whose data it was.")

    @classmethod
    def from_domain(cls, one: Access) -> "AccessOut":
        """The access as clients see it."""
        return cls(
            at=one.at,
            credential=one.credential,
            operation=one.operation,
            stored=one.stored,
            ids=[UUID(found) for found in one.ids],
            patient_ids=[UUID(found) for found in one.patients],
        )


class AccessListOut(Out):
    """Accesses, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next": None}]})

    items: list[AccessOut] = Field(description="Fewer than asked for where few fit.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


@router.get("", operation_id="list_access", responses=problems(RangeNotAllowed))
async def list_access(  # noqa: PLR0917 - the framework passes filters by name
    page: PageDep,
    ctx: ReadContextDep,
    patient_id: Annotated[UUID | None, Query(description="Only to this patient's data.")] = None,
    credential: Annotated[
        Asked | None, Query(max_length=255, description="Only by this credential.")
    ] = None,
    since: Annotated[
        Instant | None, Query(alias="from", description="Only from this instant on.")
    ] = None,
    until: Annotated[Instant | None, Query(description="Only before this instant.")] = None,
) -> AccessListOut:
    """List who read or changed patients' data, the newest first.

    What was just read or changed is listed a tenth of a second later. A page may have fewer items
    than asked for, even none, while `next` goes on.
    """
    which = AccessFilter(patient_id=patient_id, credential=credential, since=since, until=until)
    found = await access.list_access(ctx, which, after=page.after, limit=page.limit)
    items = [AccessOut.from_domain(one) for one in found.items]
    return AccessListOut(items=items, next=page.next(found.next))
