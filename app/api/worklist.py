"""What waits for people: planned steps over all plans, their counts, and plans to look at."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field
from pydantic_core import to_json

from app.api.deps import ReadContextDep
from app.api.fields import Asked, Day, Instant, Out
from app.api.paging import Key, PageDep, uuid_of
from app.api.plans import examples
from app.api.plans.models import AppointmentOut, AttentionOut, ProtocolRefOut, WindowOut
from app.api.problems import problems
from app.api.routing import Route
from app.domain.states import PlanStatus, StepStatus, WindowState
from app.services import worklist
from app.services.ranges import RangeNotAllowed
from app.services.worklist import (
    UNDONE,
    Place,
    WaitingPlan,
    WaitingStep,
    WorklistCounts,
    WorklistFilter,
    WorklistItem,
)

router = APIRouter(prefix="/v1/worklist", tags=["worklist"], route_class=Route)

Data = dict[str, Any]
OpenState = Literal["upcoming", "due", "overdue"]
Listable = Literal["planned", "booked", "missed", "performed"]
# All kinds but restrictions, which nobody attends to.
Kind = Literal[
    "injection", "procedure", "visit", "call", "rehab", "device-fitting", "assessment", "decision"
]

_EXAMPLE: Data = {
    "step_id": "01920000-0000-7000-8000-000000000102",
    "plan_id": "01920000-0000-7000-8000-000000000100",
    "revision": 3,
    "plan_status": "active",
    "protocol": {"key": "ankle-stem-cell-prp-full", "version": "1.0.0", "example": False},
    "patient_id": "01920000-0000-7000-8000-000000000001",
    "location_id": "01920000-0000-7000-8000-000000000002",
    "practitioner": None,
    "key": "primer",
    "occurrence": 2,
    "ordinal": 1,
    "of": 2,
    "kind": "injection",
    "title": "Dextrose prolotherapy primer",
    "optional": True,
    "status": "booked",
    "tentative": False,
    "date": "2027-02-02",
    "end_date": None,
    "duration_minutes": 45,
    "modes": ["in_person"],
    "appointment": examples.APPOINTMENT,
    "window": {"earliest": "2027-01-12", "target": "2027-02-02", "latest": "2027-02-09"},
    "deadline": False,
    "window_state": "due",
}
_STATES: Data = {"upcoming": 5, "due": 2, "overdue": 1}
_BREACH = {
    "code": "breach",
    "text": (
        "booster on Wed 2027-05-12 is inside the washout of corticosteroid injection "
        "given on Tue 2027-04-20"
    ),
    "breach": "steroid-before-session:booster",
}
_PLAN: Data = {
    **{key: _EXAMPLE[key] for key in ("plan_id", "revision", "plan_status", "protocol")},
    **{key: _EXAMPLE[key] for key in ("patient_id", "location_id", "practitioner")},
    "needs_attention": [_BREACH],
    "updated_at": "2027-04-27T16:00:00Z",
}


class OfPlanOut(Out):
    """What is said of the plan."""

    plan_id: UUID = Field(description="The plan.")
    revision: int = Field(description="The plan's revision, for If-Match when it is changed.")
    plan_status: PlanStatus = Field(description="The plan's status: active or on_hold.")
    protocol: ProtocolRefOut = Field(description="The protocol version it is made by.")
    patient_id: UUID = Field(description="The patient.")
    location_id: UUID = Field(description="The location, by whose local day states are judged.")
    practitioner: str | None = Field(description="Who is responsible.")


class WorklistItemOut(OfPlanOut):
    """A planned step, with what is needed of its plan to act on it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    step_id: UUID = Field(description="The planned step.")
    key: str = Field(description="The protocol's step.")
    occurrence: int | str | None = Field(description="Number or timepoint of a repeated step.")
    ordinal: int | None = Field(description="Its number by date, for people.")
    of: int | None = Field(description="How many there are.")
    kind: Kind = Field(description="What sort of step it is.")
    title: str = Field(description="What it is called.")
    optional: bool = Field(description="Whether it may be left out.")
    status: StepStatus = Field(description="What became of it.")
    tentative: bool = Field(description="Whether a decision still has to confirm it.")
    date: Day = Field(description="Its local day.")
    end_date: Day | None = Field(description="The last day of a span.")
    duration_minutes: int | None = Field(description="Minutes of the appointment.")
    modes: list[str] = Field(description="How it can take place.")
    appointment: AppointmentOut | None = Field(
        description="Its booking, or the last one until there is another; null where there is none."
    )
    window: WindowOut | None = Field(description="Null where no timing places it.")
    deadline: bool = Field(description="Whether its latest day only turns it overdue.")
    window_state: WindowState | None = Field(description="Where it stands today.")


class WorklistOut(Out):
    """A page of planned steps, by day."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next": None}]})

    items: list[WorklistItemOut] = Field(description="The planned steps of this page.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class StateCountsOut(Out):
    """How many planned steps have which state."""

    upcoming: int = Field(description="Their windows open later.")
    due: int = Field(description="Their windows are open.")
    overdue: int = Field(description="Their windows are over.")


class DayCountsOut(StateCountsOut):
    """How many planned steps of a day have which state."""

    date: Day = Field(description="The local day.")


class WorklistCountsOut(Out):
    """What waits, in figures."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "2027-02-01",
                    "until": "2027-03-03",
                    "by_state": _STATES,
                    "by_day": [{"date": "2027-02-02", **_STATES}],
                    "decisions": 1,
                    "plans": 3,
                }
            ]
        }
    )

    first: Day = Field(alias="from", description="The first of the days counted one by one.")
    until: Day = Field(description="The last of them; later steps are not counted.")
    by_state: StateCountsOut = Field(description="Steps up to `until`, however old.")
    by_day: list[DayCountsOut] = Field(description="Steps of each day that has any.")
    decisions: int = Field(description="Decisions among them that are due or overdue.")
    plans: int = Field(description="Plans that a person must look at.")


class WaitingPlanOut(OfPlanOut):
    """A plan that a person must look at, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLAN]})

    needs_attention: list[AttentionOut] = Field(description="Why.")
    updated_at: Instant = Field(description="When it last changed.")


class WaitingPlansOut(Out):
    """A page of plans that a person must look at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_PLAN], "next": None}]})

    items: list[WaitingPlanOut] = Field(description="The plans of this page, the oldest first.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


LocationQuery = Annotated[UUID | None, Query(description="Only at this location.")]
PractitionerQuery = Annotated[
    Asked | None, Query(description="Only of this practitioner's plans.", max_length=200)
]
KindQuery = Annotated[
    tuple[Kind, ...], Query(description="Only of these kinds; may be given several times.")
]
TentativeQuery = Annotated[
    bool | None, Query(description="Only what a decision still has to confirm, or only the rest.")
]


StateQuery = Annotated[
    tuple[OpenState, ...],
    Query(
        description="Only what stands so today at its location; may be given several times. "
        "Only what is planned or booked has such a state."
    ),
]
StatusQuery = Annotated[
    tuple[Listable, ...],
    Query(
        description="Only of these statuses, planned and booked if none is given; "
        "may be given several times."
    ),
]


@router.get(
    "",
    operation_id="list_worklist",
    response_model=WorklistOut,
    responses=problems(RangeNotAllowed),
)
async def list_worklist(  # noqa: PLR0917 - the framework passes filters by name
    page: PageDep,
    ctx: ReadContextDep,
    window_state: StateQuery = (),
    status: StatusQuery = (),
    kind: KindQuery = (),
    first: Annotated[
        Day | None, Query(alias="from", description="Only on this day or later.")
    ] = None,
    until: Annotated[Day | None, Query(description="Only on this day or before.")] = None,
    location_id: LocationQuery = None,
    practitioner: PractitionerQuery = None,
    tentative: TentativeQuery = None,
) -> Response:
    """List planned steps over all plans, by day: what is to be done, when, where and by whom.

    Only dated steps of plans that are active or on hold; restrictions are nobody's work. A step
    is overdue from the day after its window, by the local day of its location; without a window
    its own day counts. Nothing is overdue while its plan is on hold. Decisions that wait are
    those of `kind=decision` which are due or overdue.
    """
    which = WorklistFilter(
        statuses=frozenset(status) or UNDONE,
        states=frozenset(window_state),
        kinds=frozenset(kind),
        first=first,
        until=until,
        location_id=location_id,
        practitioner=practitioner,
        tentative=tentative,
    )
    found = await worklist.list_worklist(ctx, which, after=_after(page.after), limit=page.limit)
    items = [_item(item) for item in found.items]
    content = to_json({"items": items, "next": page.next(found.next)})
    return Response(content, headers=page.response.headers, media_type="application/json")


@router.get("/counts", operation_id="count_worklist", responses=problems(RangeNotAllowed))
async def count_worklist(  # noqa: PLR0917 - the framework passes filters by name
    ctx: ReadContextDep,
    kind: KindQuery = (),
    first: Annotated[
        Day | None,
        Query(alias="from", description="First day to count by itself; without one, today."),
    ] = None,
    until: Annotated[
        Day | None,
        Query(description="Last day to count; the range has at most 92 days, and 31 without one."),
    ] = None,
    location_id: LocationQuery = None,
    practitioner: PractitionerQuery = None,
    tentative: TentativeQuery = None,
) -> WorklistCountsOut:
    """Count the worklist for a dashboard: by state up to a day, and day by day.

    `by_state` counts what the worklist lists with the same filters and the same `until`, what is
    long past included. `decisions` wait to be taken; `plans` need somebody's attention.
    """
    which = WorklistFilter(
        statuses=UNDONE,
        kinds=frozenset(kind),
        location_id=location_id,
        practitioner=practitioner,
        tentative=tentative,
    )
    return _counts(await worklist.count_worklist(ctx, which, first=first, until=until))


@router.get("/attention", operation_id="list_attention")
async def list_attention(
    page: PageDep,
    ctx: ReadContextDep,
    location_id: LocationQuery = None,
    practitioner: PractitionerQuery = None,
) -> WaitingPlansOut:
    """List plans that a person must look at, the oldest first, and why.

    Breaches to acknowledge or resolve, missed steps to be placed again, steps without a day, in
    plans that are active or on hold.
    """
    found = await worklist.list_attention(
        ctx,
        location_id=location_id,
        practitioner=practitioner,
        after=uuid_of(page.after),
        limit=page.limit,
    )
    items = [_plan(plan) for plan in found.items]
    return WaitingPlansOut(items=items, next=page.next(found.next))


def _after(key: Key | None) -> Place | None:
    if key is None:
        return None
    day, due_until, id_ = map(str, key)
    return Place(date.fromisoformat(day), date.fromisoformat(due_until), UUID(id_))


def _item(item: WorklistItem) -> Data:
    # Ids and states as text: the encoder asks long what any other thing is.
    step, number = item.step, item.step.occurrence
    return {
        "step_id": str(step.id),
        "plan_id": str(step.plan_id),
        "revision": step.revision,
        "plan_status": step.plan_status,
        "protocol": {
            "key": step.protocol_key,
            "version": step.protocol_version,
            "example": step.example,
        },
        "patient_id": str(step.patient_id),
        "location_id": str(step.location_id),
        "practitioner": step.practitioner,
        "key": step.key,
        "occurrence": int(number) if number is not None and number.isdecimal() else number,
        "ordinal": step.ordinal,
        "of": step.of_count,
        "kind": step.kind,
        "title": step.title,
        "optional": step.optional,
        "status": step.status,
        "tentative": step.tentative,
        "date": step.day,
        "end_date": step.end_day,
        "duration_minutes": step.duration_minutes,
        "modes": step.modes,
        "appointment": step.appointment,
        "window": _window(step),
        "deadline": step.deadline,
        "window_state": None if item.state is None else str(item.state),
    }


def _window(step: WaitingStep) -> Data | None:
    if step.window_target is None:
        return None
    return {
        "earliest": step.window_earliest,
        "target": step.window_target,
        "latest": step.window_latest,
    }


def _counts(counts: WorklistCounts) -> WorklistCountsOut:
    return WorklistCountsOut.model_validate(
        {
            "from": counts.first,
            "until": counts.until,
            "by_state": {state: counts.by_state.get(state, 0) for state in _STATES},
            "by_day": [
                {"date": day, **{state: of_day.get(state, 0) for state in _STATES}}
                for day, of_day in counts.by_day.items()
            ],
            "decisions": counts.decisions,
            "plans": counts.plans,
        }
    )


def _plan(plan: WaitingPlan) -> WaitingPlanOut:
    return WaitingPlanOut(
        plan_id=plan.id,
        revision=plan.revision,
        plan_status=PlanStatus(plan.status),
        protocol=ProtocolRefOut(
            key=plan.protocol_key, version=plan.protocol_version, example=plan.example
        ),
        patient_id=plan.patient_id,
        location_id=plan.location_id,
        practitioner=plan.practitioner,
        needs_attention=[AttentionOut(**item) for item in plan.attention],
        updated_at=plan.updated_at,
    )
