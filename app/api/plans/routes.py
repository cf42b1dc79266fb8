"""Plans: a protocol applied to a patient, with every day explained."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from app.api.deps import ContextDep, IfMatchDep, ReadContextDep
from app.api.fields import Day
from app.api.paging import PageDep, uuid_of
from app.api.plans.answering import (
    changed_response,
    days_data,
    ids_by_occurrence,
    judged_data,
    plan_data,
    plan_response,
    summary_data,
    tag_of,
)
from app.api.plans.asking import PlanIn, ProposalsIn
from app.api.plans.changing import ChangedPlanOut, ChangesIn
from app.api.plans.filtering import PlanFilterDep
from app.api.plans.models import (
    BookableDaysOut,
    JudgedDayOut,
    PlanListOut,
    PlanOut,
    ProposalsOut,
)
from app.api.plans.rechecked import RecheckedOut
from app.api.plans.starts import starts_of
from app.api.problems import BODY, problems
from app.api.routing import UNCHANGED, HotRead, Route
from app.domain.permissions import NotPermitted
from app.services import plans
from app.services.locations import LocationNotFound
from app.services.patients import PatientErased, PatientNotFound
from app.services.plans import (
    InvalidChange,
    InvalidPlan,
    LocationNotNamed,
    NoActiveVersion,
    NoAnchorToPropose,
    PlanChangedMeanwhile,
    PlanIdentifierTaken,
    PlanNotFound,
    PlanTooLarge,
    ProtocolNotFound,
    RangeTooLong,
    ScheduleConflict,
    StepNotFound,
    StepNotMovable,
    VersionNotFound,
    VersionNotUsable,
)
from app.services.ranges import RangeNotAllowed

_CHANGE = (
    NotPermitted,
    PlanNotFound,
    ScheduleConflict,
    InvalidChange,
    VersionNotFound,
    VersionNotUsable,
    PlanTooLarge,
)
router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=Route)
hot = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=HotRead)


class PictureResponse(Response):
    """A picture in which only its own styles hold, in whatever page it is shown."""

    media_type = "image/svg+xml"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """With the policy, where answers otherwise allow nothing."""
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        super().init_headers({**(headers or {}), "content-security-policy": policy})


_BASIS = (
    NotPermitted,
    ProtocolNotFound,
    VersionNotFound,
    NoActiveVersion,
    VersionNotUsable,
    PatientNotFound,
    PatientErased,
    LocationNotFound,
    LocationNotNamed,
    InvalidPlan,
    PlanTooLarge,
)


@router.post(
    "/preview",
    operation_id="preview_plan",
    response_model=PlanOut,
    responses=problems(*_BASIS, ScheduleConflict),
)
async def preview_plan(body: PlanIn, ctx: ReadContextDep) -> Response:
    """Show the plan that a request would make, without storing it.

    The same body as for creating, the same days, reasons and breaches, or the same conflict with
    its ways out. Draft versions of protocols may be tried too.
    """
    planned = await plans.preview_plan(ctx, body.to_domain())
    return plan_response(plans.view_of_planned(planned), planned.basis.today, stored=False)


@router.post(
    "",
    operation_id="create_plan",
    status_code=201,
    response_model=PlanOut,
    responses=problems(*_BASIS, ScheduleConflict, PlanIdentifierTaken),
)
async def create_plan(body: PlanIn, ctx: ContextDep) -> Response:
    """Apply a protocol to a patient: every step gets a day, every day its reasons.

    The anchor is a date, or the first day from a date on which everything fits. A request that
    cannot be scheduled is refused with a minimal conflict and with whole bodies that work.
    """
    planned = await plans.create_plan(ctx, body.to_domain())
    view = plans.view_of_planned(planned)
    starts = await starts_of(ctx, view)
    return plan_response(view, planned.basis.today, status_code=201, starts=starts)


@router.post(
    "/proposals",
    operation_id="propose_plans",
    response_model=ProposalsOut,
    responses=problems(*_BASIS, NoAnchorToPropose, RangeNotAllowed),
)
async def propose_plans(request: Request, body: ProposalsIn, ctx: ReadContextDep) -> Response:
    """When could the anchor be? Its possible days, ranked, each with the whole schedule.

    At most 120 days are looked at and 20 proposed. No possible day is an empty list.
    """
    found = await plans.propose_plans(
        ctx,
        body.plan.request(None),
        first=body.first,
        last=body.until,
        rank=body.rank,
        limit=body.limit,
    )
    return _json(_proposals(found, request.scope[BODY]["plan"]))


@router.get("", operation_id="list_plans", response_model=PlanListOut)
async def list_plans(page: PageDep, which: PlanFilterDep, ctx: ReadContextDep) -> Response:
    """List plans, the newest first, filtered as asked."""
    found = await plans.list_plans(ctx, which, after=uuid_of(page.after), limit=page.limit)
    items = [summary_data(plan) for plan in found.items]
    content = to_json({"items": items, "next": page.next(found.next)})
    return Response(content, headers=page.response.headers, media_type="application/json")


@hot.get(
    "/{plan_id}",
    operation_id="read_plan",
    response_model=PlanOut,
    responses={**problems(PlanNotFound), **UNCHANGED},
)
async def read_plan(plan_id: UUID, ctx: ReadContextDep) -> Response:
    """Read a plan with every planned step, its window, state, reasons and instructions.

    What its decisions start and nobody has begun yet is listed under `starts`, ready to be posted.
    """
    found = await plans.read_plan(ctx, plan_id)
    starts = await starts_of(ctx, found.view)
    return plan_response(found.view, found.today, starts=starts)


@router.get(
    "/{plan_id}/timeline",
    operation_id="read_timeline",
    response_class=PictureResponse,
    responses={**problems(PlanNotFound), **UNCHANGED},
)
async def read_timeline(plan_id: UUID, ctx: ReadContextDep) -> PictureResponse:
    """Look at a plan: a picture (SVG) with a row for each step, its window and its day.

    Where a pointer rests on a row, the reasons of its day are shown. It loads nothing and runs no
    script; notes, conditions and who the patient is are not in it.
    """
    from app.integrations.timelines import timeline  # noqa: PLC0415 - not every process draws

    found = await plans.read_plan(ctx, plan_id)
    content = timeline(found.view, found.today, sandbox=ctx.sandbox)
    return PictureResponse(content, headers={"etag": tag_of(found.view, found.today)})


@router.get(
    "/{plan_id}/steps/{step_id}/days",
    operation_id="list_step_days",
    response_model=BookableDaysOut,
    responses=problems(PlanNotFound, StepNotFound, StepNotMovable, RangeTooLong),
)
async def list_step_days(
    plan_id: UUID,
    step_id: UUID,
    ctx: ReadContextDep,
    first: Annotated[Day, Query(alias="from", description="First day of the range.")],
    until: Annotated[Day, Query(description="Last day; the range has at most 120 days.")],
) -> Response:
    """List the days a step could have, each with its cost and the steps that would move.

    Everything else is free to follow; the step's own day is set aside.
    """
    days = await plans.list_step_days(ctx, plan_id, step_id, first=first, last=until)
    return _json(days_data(days.days, ids_by_occurrence(days.plan)))


@router.get(
    "/{plan_id}/steps/{step_id}/days/{day}",
    operation_id="judge_step_day",
    response_model=JudgedDayOut,
    responses=problems(PlanNotFound, StepNotFound, StepNotMovable),
)
async def judge_step_day(plan_id: UUID, step_id: UUID, day: Day, ctx: ReadContextDep) -> Response:
    """Why a step could have this day, or why not: the reasons, or the conflict in words."""
    judged = await plans.judge_step_day(ctx, plan_id, step_id, day)
    ids = ids_by_occurrence(judged.plan)
    return _json(judged_data(judged.answer, judged.step, ids))


@router.post(
    "/{plan_id}/changes/preview",
    operation_id="preview_change",
    response_model=ChangedPlanOut,
    responses=problems(*_CHANGE),
)
async def preview_change(plan_id: UUID, body: ChangesIn, ctx: ReadContextDep) -> Response:
    """Show the plan that changes would give, without storing it.

    The same body and the same answer as for changing: the plan, the moves with their reasons,
    better days for steps that were kept, and what is flagged. The ETag is that of the revision
    looked at: sent as If-Match with the same changes, it gives what was shown.
    """
    changed = await plans.preview_change(ctx, plan_id, body.to_domain())
    starts = await starts_of(ctx, plans.view_of_planned(changed))
    return changed_response(changed, stored=False, starts=starts)


@router.post(
    "/{plan_id}/changes",
    operation_id="change_plan",
    response_model=ChangedPlanOut,
    responses=problems(*_CHANGE, PlanChangedMeanwhile),
)
async def change_plan(
    plan_id: UUID, body: ChangesIn, revision: IfMatchDep, ctx: ContextDep
) -> Response:
    """Apply facts and choices to a plan, all or none, as one revision.

    Facts never move; days given out move as little as they can, and every move says why. What is
    impossible is refused with a minimal conflict and with whole bodies that work.
    """
    changed = await plans.change_plan(ctx, plan_id, body.to_domain(), revision=revision)
    starts = await starts_of(ctx, plans.view_of_planned(changed))
    return changed_response(changed, starts=starts)


@router.get("/{plan_id}/recheck", operation_id="look_at_plan", responses=problems(PlanNotFound))
async def look_at_plan(plan_id: UUID, ctx: ReadContextDep) -> RecheckedOut:
    """Look at a plan again as it stands: what its days break, and what would make it right.

    Nothing is stored and no day moves: `request`, or one of the options, is posted to the plan's
    changes. This is what a plan that needs attention is worked on with, after a closure, a report
    or an absence.
    """
    return RecheckedOut.from_domain(await plans.look_at_plan(ctx, plan_id))


def _proposals(found: plans.Proposals, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "from": found.first.isoformat(),
        "until": found.last.isoformat(),
        "possible": found.possible,
        "proposals": [
            {
                "date": proposal.day.isoformat(),
                "cost": proposal.cost,
                "plan": plan_data(
                    plans.view_of_planned(proposal.planned),
                    proposal.planned.basis.today,
                    stored=False,
                ),
                "request": {**body, "anchor": {"date": proposal.day.isoformat()}},
            }
            for proposal in found.ranked
        ],
    }


def _json(data: dict[str, Any]) -> Response:
    return Response(to_json(data), media_type="application/json")
