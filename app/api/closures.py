"""Days on which a location is closed."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from app.api import paging
from app.api.batches import BatchOut
from app.api.deps import ContextDep, ReadContextDep
from app.api.fields import Day, In, Instant, Key, Line, Out, fault, until
from app.api.paging import PageDep
from app.api.problems import problems
from app.api.routing import Route
from app.domain.calendars import Closure
from app.services import closures, locations
from app.services.batches import Progress
from app.services.closures import Touched
from app.services.locations import ClosureExists, ClosureNotFound, ClosureRecord, LocationNotFound
from app.services.ranges import RangeNotAllowed

MAX_SHOWN = 1000

router = APIRouter(prefix="/v1/closures", tags=["locations"], route_class=Route)

_EXAMPLE: dict[str, Any] = {
    "location_id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d11",
    "key": "week-7",
    "title": "Clinic closed for works",
    "from": "2027-02-15",
    "to": "2027-02-19",
}
_OUT_EXAMPLE: dict[str, Any] = {
    "id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d12",
    **_EXAMPLE,
    "holiday": False,
    "created_at": "2027-01-04T16:00:00Z",
}
_TOUCHED: dict[str, Any] = {
    "plan_id": "01920000-0000-7000-8000-000000000100",
    "step_ids": ["01920000-0000-7000-8000-000000000105"],
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

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT_EXAMPLE]}, populate_by_name=True)

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


class AddedClosureOut(ClosureOut):
    """A closure that was stored, and the work it made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_OUT_EXAMPLE, "batch": None}]})

    batch: BatchOut | None = Field(
        description="Solves again the plans with steps on these days; null where there are none."
    )

    @classmethod
    def of(cls, closure: ClosureRecord, progress: Progress | None) -> "AddedClosureOut":
        """The closure and its batch as clients see them."""
        batch = None if progress is None else BatchOut.from_domain(progress)
        return cls(**ClosureOut.from_domain(closure).model_dump(), batch=batch)


class TouchedPlanOut(Out):
    """A plan that closed days would touch."""

    plan_id: UUID = Field(description="The plan.")
    step_ids: list[UUID] = Field(description="Its steps that could not stay on their days.")


class TouchedPlansOut(Out):
    """The plans that closed days would touch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"total": 1, "plans": [_TOUCHED]}]})

    total: int = Field(description="How many plans.")
    plans: list[TouchedPlanOut] = Field(description="The first 1,000 of them.", max_length=1000)

    @classmethod
    def from_domain(cls, found: tuple[Touched, ...]) -> "TouchedPlansOut":
        """The plans as clients see them."""
        plans = [
            TouchedPlanOut(plan_id=plan.plan_id, step_ids=[closed.step.id for closed in plan.steps])
            for plan in found[:MAX_SHOWN]
        ]
        return cls(total=len(found), plans=plans)


class ClosuresOut(Out):
    """A page of closures."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_OUT_EXAMPLE], "next": None}]}
    )

    items: list[ClosureOut] = Field(description="The closures, by their first day.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


@router.get("", operation_id="list_closures", responses=problems(RangeNotAllowed))
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
    responses={
        202: {"model": AddedClosureOut, "description": "Stored; plans are being solved again."},
        **problems(LocationNotFound, ClosureExists),
    },
)
async def create_closure(body: ClosureIn, ctx: ContextDep, response: Response) -> AddedClosureOut:
    """Close a location for some days.

    The closure is stored first. Where plans have steps on these days the answer is 202 with a
    batch: it solves each of them again, one transaction a plan, and says what moved and why. Plans
    whose timings count working days are looked at with them, and flagged if they break one now.
    """
    closure, progress = await closures.close_location(ctx, body.location_id, body.to_domain())
    response.headers["location"] = f"/v1/closures/{closure.id}"
    if progress is not None:
        response.status_code = 202
    return AddedClosureOut.of(closure, progress)


@router.post("/preview", operation_id="preview_closure", responses=problems(LocationNotFound))
async def preview_closure(body: ClosureIn, ctx: ReadContextDep) -> TouchedPlansOut:
    """Show which plans a closure would touch, without storing it."""
    found = await closures.touched_by_closure(ctx, body.location_id, body.to_domain())
    return TouchedPlansOut.from_domain(found)


@router.delete(
    "/{closure_id}",
    operation_id="delete_closure",
    status_code=204,
    responses={
        202: {"model": BatchOut, "description": "Opened; flagged plans are looked at again."},
        **problems(ClosureNotFound),
    },
)
async def delete_closure(closure_id: UUID, ctx: ContextDep) -> Response:
    """Open a location again on the days of a closure.

    Where plans were flagged because of it the answer is 202 with a batch that looks at each of
    them again; days given out meanwhile stay.
    """
    progress = await closures.open_location(ctx, closure_id)
    if progress is None:
        return Response(status_code=204)
    batch = BatchOut.from_domain(progress)
    place = {"location": f"/v1/batches/{batch.id}"}
    return Response(batch.model_dump_json(by_alias=True), 202, place, "application/json")
