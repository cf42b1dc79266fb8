"""The history of a plan: every revision kept, with who, when, what, why, and the moves."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field

from app.api.deps import ReadContextDep
from app.api.fields import Instant, Out
from app.api.paging import PageDep
from app.api.plans.answering import plan_response
from app.api.plans.models import EXAMPLE_MOVE, MoveOut, PlanOut
from app.api.problems import problems
from app.api.routing import Route
from app.services import plans
from app.services.plans import PlanNotFound, Revision, RevisionNotFound

router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=Route)

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


_PAGE: dict[str, Any] = {
    "items": [
        {
            "revision": 2,
            "at": "2027-02-05T16:00:00Z",
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
            "moves": [EXAMPLE_MOVE],
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


@router.get("/{plan_id}/history", operation_id="list_revisions", responses=problems(PlanNotFound))
async def list_revisions(plan_id: UUID, page: PageDep, ctx: ReadContextDep) -> HistoryOut:
    """List a plan's revisions, the newest first: who, when, what, why, and what moved."""
    before = None if page.after is None else int(page.after[0])
    found = await plans.list_revisions(ctx, plan_id, before=before, limit=page.limit)
    items = [_revision(revision) for revision in found.items]
    return HistoryOut(items=items, next=page.next(found.next))


@router.get(
    "/{plan_id}/history/{revision}",
    operation_id="read_revision",
    response_model=PlanOut,
    responses=problems(PlanNotFound, RevisionNotFound),
)
async def read_revision(
    plan_id: UUID,
    revision: Annotated[int, Path(ge=1, le=1_000_000, description="The revision's number.")],
    ctx: ReadContextDep,
) -> Response:
    """Read a plan as it was at one of its revisions, its states judged by today."""
    found = await plans.read_revision(ctx, plan_id, revision)
    return plan_response(found.view, found.today)


def _revision(revision: Revision) -> RevisionOut:
    return RevisionOut(
        revision=revision.number,
        at=revision.at,
        actor=revision.actor,
        reason=revision.reason,
        changes=[_named(change) for change in revision.changes],
        corrects=[UUID(change) for change in revision.corrects],
        moves=[MoveOut(**move) for move in revision.moves],
    )


def _named(change: dict[str, Any]) -> dict[str, Any]:
    """A change as it is posted: its type in small letters, its step by its occurrence."""
    shown = {key: value for key, value in change.items() if value not in (None, [], {})}
    shown["type"] = _CAPITAL.sub("_", change["type"]).lower()
    if "occurrence" in shown:
        shown["step"] = shown.pop("occurrence")
    return shown
