"""Which plans a list has: its filters, read from the query."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query

from app.api.fields import Asked, Instant
from app.services.plans import PlanFilter


async def read_filter(  # noqa: PLR0917 - the framework passes filters by name
    patient_id: Annotated[UUID | None, Query(description="Plans of this patient.")] = None,
    status: Annotated[
        Literal["draft", "active", "on_hold", "completed", "revoked", "entered_in_error"] | None,
        Query(description="Plans of this status."),
    ] = None,
    protocol: Annotated[
        Asked | None, Query(description="Plans by this protocol.", max_length=64)
    ] = None,
    version: Annotated[
        Asked | None, Query(description="Plans by this protocol version.", max_length=32)
    ] = None,
    location_id: Annotated[UUID | None, Query(description="Plans at this location.")] = None,
    practitioner: Annotated[
        Asked | None, Query(description="Plans of this practitioner.", max_length=200)
    ] = None,
    body_site: Annotated[
        Asked | None, Query(description="Plans of this body site.", max_length=64)
    ] = None,
    needs_attention: Annotated[
        bool | None, Query(description="Plans a person must look at, or need not.")
    ] = None,
    updated_since: Annotated[
        Instant | None, Query(description="Plans changed at or after this instant.")
    ] = None,
) -> PlanFilter:
    """The filter of a list of plans."""
    return PlanFilter(
        patient_id=patient_id,
        status=status,
        protocol_key=protocol,
        protocol_version=version,
        location_id=location_id,
        practitioner=practitioner,
        body_site=body_site,
        needs_attention=needs_attention,
        updated_since=updated_since,
    )


PlanFilterDep = Annotated[PlanFilter, Depends(read_filter)]
