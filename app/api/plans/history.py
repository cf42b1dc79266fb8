"""The history of a plan: every revision kept, with who, when, what, why, and the moves."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field
from pydantic_core import to_json

from app.api.deps import ReadContextDep
from app.api.fields import Instant, Out
from app.api.paging import PageDep
from app.api.plans import examples
from app.api.plans.answering import instant, plan_response
from app.api.plans.models import MoveOut, PlanOut
from app.api.problems import problems
from app.api.routing import UNCHANGED, Route
from app.domain.states import AppointmentStatus, PlanStatus
from app.services import plans
from app.services.plans import PlanNotFound, Revision, RevisionNotFound

router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=Route)

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


_PAGE: dict[str, Any] = {
    "items": [
        {
            "revision": 2,
            "at": "2027-01-11T16:00:00Z",
            "actor": "local",
            "reason": "physician away",
            "changes": [
                {
                    "id": "01920000-0000-7000-8000-000000000200",
                    "type": "move_anchor",
                    "to": "2027-03-19",
                }
            ],
            "corrects": [],
            "moves": [examples.MOVE],
        }
    ],
    "next": None,
}


class RevisionOut(Out):
    """What made one revision of a plan."""

    revision: int = Field(description="Its number, from 1.")
    at: Instant = Field(description="When it was made.")
    actor: str = Field(description="Who made it.")
    reason: str | None = Field(description="Why, in their words.")
    changes: list[dict[str, Any]] = Field(
        description="The changes applied, each with its id, by which it can be corrected."
    )
    corrects: list[UUID] = Field(description="Earlier changes that were entered in error.")
    moves: list[MoveOut] = Field(description="The days that moved, with the reasons.")


class HistoryOut(Out):
    """A page of revisions, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PAGE]})

    items: list[RevisionOut] = Field(description="The revisions of this page.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


@router.get(
    "/{plan_id}/history",
    operation_id="list_revisions",
    response_model=HistoryOut,
    responses=problems(PlanNotFound),
)
async def list_revisions(plan_id: UUID, page: PageDep, ctx: ReadContextDep) -> Response:
    """List a plan's revisions, the newest first: who, when, what, why, and what moved."""
    before = None if page.after is None else int(page.after[0])
    found = await plans.list_revisions(ctx, plan_id, before=before, limit=page.limit)
    items = [_revision(revision) for revision in found.items]
    content = to_json({"items": items, "next": page.next(found.next)})
    return Response(content, headers=page.response.headers, media_type="application/json")


@router.get(
    "/{plan_id}/history/{revision}",
    operation_id="read_revision",
    response_model=PlanOut,
    responses={**problems(PlanNotFound, RevisionNotFound), **UNCHANGED},
)
async def read_revision(
    plan_id: UUID,
    revision: Annotated[int, Path(ge=1, le=1_000_000, description="The revision's number.")],
    ctx: ReadContextDep,
) -> Response:
    """Read a plan as it was at one of its revisions, its states judged by today."""
    found = await plans.read_revision(ctx, plan_id, revision)
    return plan_response(found.view, found.today, later=found.later)


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "at": instant(revision.at),
        "actor": revision.actor,
        "reason": revision.reason,
        "changes": [as_posted(change) for change in revision.changes],
        "corrects": list(revision.corrects),
        "moves": list(revision.moves),
    }


# What is kept of a change beside its type, and where the body of a request has it.
_NAMES = {"occurrence": "step", "report": None, "absence": None, "booking": None, "said": None}
_INNER = frozenset({"id", "type", "shifts", "sets", "text", "day", "status"})
_STATUSES = {
    PlanStatus.ACTIVE: "activate",
    PlanStatus.ON_HOLD: "hold",
    PlanStatus.COMPLETED: "complete",
    PlanStatus.REVOKED: "revoke",
}


def as_posted(change: dict[str, Any]) -> dict[str, Any]:
    """A change with its id, in the words in which it is posted."""
    shown = {"id": change["id"], "type": _CAPITAL.sub("_", change["type"]).lower()}
    match change["type"]:
        case "SetStatus":
            return {**shown, "type": _STATUSES[PlanStatus(change["to"])]}
        case "MoveAnchor":
            return {**shown, "to": change["to"]}
        case "Arrive":
            checked_in = change["status"] == AppointmentStatus.CHECKED_IN
            return {**shown, "step": change["occurrence"], "checked_in": checked_in}
        case "CloseStart" if change.get("plan") is None:
            return {**shown, "type": "dismiss_start", **_flat(change)}
        case "AddStep":
            step = change["step"]
            timing = step["timings"][0]
            return {**shown, "title": step["title"], "kind": step["kind"], "timing": timing}
        case _:
            return {**shown, **_flat(change)}


def _flat(change: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, value in change.items():
        if key in _INNER or value is None or value is False:
            continue
        if _NAMES.get(key, key) is None:
            shown |= {k: v for k, v in value.items() if k not in _INNER and v is not None}
        elif key == "appointment":
            shown[key] = _flat(value)
        else:
            shown[_NAMES.get(key) or key] = value
    return shown
