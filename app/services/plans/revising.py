"""Makes a revision of a plan to which nobody posted a change, as what it shows has changed.

Whoever holds a copy learns so by its tag and by an event, and why from the history.
"""

from dataclasses import replace
from datetime import date

from app.domain.plans.records import state_from_data
from app.domain.states import PlanStatus
from app.persistence.events import NewEvent
from app.persistence.plans.records import PlanRecord, RevisionRecord, Values
from app.persistence.plans.repository import PlanRepository
from app.services.context import Context
from app.services.plans.noting import noted


async def revise(
    ctx: Context,
    before: PlanRecord,
    after: PlanRecord,
    *,
    superseded: Values,
    today: date,
    reason: str,
) -> list[NewEvent]:
    """Store the plan as its next revision; gives the events this makes, to be appended last.

    Raises PlanChangedMeanwhile.
    """
    after = replace(after, revision=before.revision + 1, updated_at=ctx.now)
    revision = RevisionRecord(
        revision=after.revision,
        at=ctx.now,
        actor=ctx.actor,
        reason=reason,
        change={"as_of": today.isoformat(), "changes": [], "corrects": []},
        moves=[],
    )
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    await plans.save(before, after, revision, events=[], superseded=superseded)
    state = state_from_data(before.state, PlanStatus(before.status), before.protocol_version)
    return noted(ctx, before, after, state)
