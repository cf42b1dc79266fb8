"""Days on which a location is closed."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from app.api import paging
from app.api.deps import ContextDep, ReadContextDep
from app.api.fields import Day, In, Instant, Key, Line, Out, fault, until
from app.api.paging import PageDep
from app.api.problems import problems
from app.api.routing import Route
from app.domain.calendars import Closure
from app.services import locations
from app.services.locations import ClosureExists, ClosureNotFound, ClosureRecord, LocationNotFound

router = APIRouter(prefix="/v1/closures", tags=["locations"], route_class=Route)

_EXAMPLE: dict[str, Any] = {
    "location_id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d11",
    "key": "week-7",
    "title": "Clinic closed for works",
    "from": "2027-02-15",
    "to": "2027-02-19",
}


class ClosureIn(In):
    """Days on which a location shall be closed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    location_id: UUID = Field(description="The location.")
    key: Key | None = Field(
        default=None,
        description="What conflicts call it, unique in its location; made of its days if absent.",
    )
    title: Line = Field(description="Why it is closed, for people.")
    from_day: Day = Field(alias="from", description="The first closed day.")
    to_day: Day = Field(alias="to", description="The last closed day, included.")

    @field_validator("key")
    @classmethod
    def _not_a_holidays(cls, key: str | None) -> str | None:
        if key is not None and key.startswith("holiday-"):
            raise fault("key-taken", "keys of public holidays begin with holiday-")
        return key

    @field_validator("to_day")
    @classmethod
    def _not_before_from(cls, to_day: date, info: ValidationInfo) -> date:
        return until(info.data.get("from_day"), to_day)

    def to_domain(self) -> Closure:
        """What the use-case takes."""
        key = self.key or f"closed-{self.from_day}-{self.to_day}"
        return Closure(key, self.from_day, self.to_day, self.title)


class ClosureOut(Out):
    """Days on which a location is closed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d12",
                    **_EXAMPLE,
                    "holiday": False,
                    "created_at": "2027-01-04T16:00:00Z",
                }
            ]
        },
        populate_by_name=True,
    )

    id: UUID = Field(description="Its id.")
    location_id: UUID = Field(description="The location.")
    key: str = Field(description="What conflicts call it: `closure:` and this key.")
    title: str = Field(description="Why it is closed, for people.")
    from_day: Day = Field(alias="from", description="The first closed day.")
    to_day: Day = Field(alias="to", description="The last closed day, included.")
    holiday: bool = Field(description="Whether it is a public holiday, stored with its location.")
    created_at: Instant = Field(description="When it was stored.")

    @classmethod
    def from_domain(cls, closure: ClosureRecord) -> "ClosureOut":
        """The closure as clients see it."""
        return cls(
            id=closure.id,
            location_id=closure.location_id,
            key=closure.key,
            title=closure.title,
            from_day=closure.first_day,
            to_day=closure.last_day,
            holiday=closure.holiday,
            created_at=closure.created_at,
        )


class ClosuresOut(Out):
    """A page of closures."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [], "next": None}]})

    items: list[ClosureOut] = Field(description="The closures, by their first day.")
    next: str | None = Field(description="The cursor of the next page, null on the last.")


@router.get("", operation_id="list_closures")
async def list_closures(
    page: PageDep,
    ctx: ReadContextDep,
    location_id: Annotated[UUID | None, Query(description="Only of this location.")] = None,
    from_day: Annotated[
        Day | None, Query(alias="from", description="Only those that end on this day or later.")
    ] = None,
    to_day: Annotated[
        Day | None, Query(alias="to", description="Only those that begin on this day or before.")
    ] = None,
) -> ClosuresOut:
    """List closures, public holidays among them."""
    after = _after(page.after)
    found = await locations.list_closures(
        ctx,
        location_id=location_id,
        from_day=from_day,
        to_day=to_day,
        after=after,
        limit=page.limit,
    )
    items = [ClosureOut.from_domain(closure) for closure in found.items]
    return ClosuresOut(items=items, next=page.next(found.next))


def _after(key: paging.Key | None) -> tuple[date, UUID] | None:
    return None if key is None else (date.fromisoformat(str(key[0])), UUID(str(key[1])))


@router.post(
    "",
    operation_id="create_closure",
    status_code=201,
    responses=problems(LocationNotFound, ClosureExists),
)
async def create_closure(body: ClosureIn, ctx: ContextDep, response: Response) -> ClosureOut:
    """Close a location for some days.

    Plans stay as they are until they are computed again.
    """
    closure = await locations.create_closure(ctx, body.location_id, body.to_domain())
    response.headers["location"] = f"/v1/closures/{closure.id}"
    return ClosureOut.from_domain(closure)


@router.delete(
    "/{closure_id}",
    operation_id="delete_closure",
    status_code=204,
    responses=problems(ClosureNotFound),
)
async def delete_closure(closure_id: UUID, ctx: ContextDep) -> None:
    """Open a location again on the days of a closure."""
    await locations.delete_closure(ctx, closure_id)
