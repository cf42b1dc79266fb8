"""What happened to a plan: its revisions, and the plan as of any of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.persistence.plans.records import PlanView, RevisionRecord
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.rows import view_from_data
from app.services.context import Context
from app.services.listing import Listed, page_of


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision: who made it, when, why, with which changes, and what moved."""

    number: int
    at: datetime
    actor: str
    reason: str | None
    changes: tuple[dict[str, Any], ...]
    corrects: tuple[str, ...]
    moves: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PlanAsOf:
    """A plan as of one of its revisions, and how many there have been since."""

    view: PlanView
    today: date
    later: int


async def list_revisions(
    ctx: Context, plan_id: UUID, *, before: int | None, limit: int
) -> Listed[Revision]:
    """A plan's revisions, the newest first. Raises PlanNotFound."""
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    rows = await plans.revisions(plan_id, before=before, limit=limit + 1)
    return page_of([_revision(row) for row in rows], limit, lambda found: (found.number,))


async def read_revision(ctx: Context, plan_id: UUID, revision: int) -> PlanAsOf:
    """A plan as it was at one of its revisions. Raises PlanNotFound or RevisionNotFound."""
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    view: PlanView = await plans.view(plan_id)
    later = view.revision - revision
    if later:
        view = view_from_data(await plans.snapshot(plan_id, revision))
    return PlanAsOf(view, ctx.today(view.time_zone), later)


def _revision(row: RevisionRecord) -> Revision:
    change = row.change or {}
    return Revision(
        number=row.revision,
        at=row.at,
        actor=row.actor,
        reason=row.reason,
        changes=tuple(change.get("changes", ())),
        corrects=tuple(change.get("corrects", ())),
        moves=tuple(row.moves),
    )
