"""Takes back what was entered in error: a plan's state is made again from what remains."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.errors import Fault
from app.domain.plans.change_records import change_from_data
from app.domain.plans.changes import changed_by
from app.domain.plans.records import state_from_data
from app.domain.plans.state import PlanState
from app.domain.plans.step_changes import ContradictoryChange, Perform
from app.domain.plans.steps import PlannedStep
from app.domain.states import PlanStatus
from app.persistence.plans.records import PlanRecord
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.rows import record_of, view_from_data
from app.services.context import Context
from app.services.plans.posting import InvalidChange
from app.services.plans.reading import StepNotFound
from app.services.plans.waiving import refuse_unpermitted

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Corrected:
    """The state without what was entered in error, and the steps whose days bind."""

    state: PlanState
    promised: tuple[PlannedStep, ...]


async def corrected(ctx: Context, plan: PlanRecord, corrections: Mapping[int, UUID]) -> Corrected:
    """The plan from its making on, without some changes; the places of these are the keys.

    The days given out last bind; where the last revision is what is taken back, those before it.
    Raises InvalidChange or NotPermitted.
    """
    posted = await PlanRepository(ctx.connection, ctx.clinic_id).posted(plan.id)
    wanted = {str(id_) for id_ in corrections.values()}
    before = {id_ for entry in posted for id_ in entry.get("corrects", ())}
    _refuse_unknown(corrections, posted, before)
    undone = (c for entry in posted for c in entry["changes"] if c["id"] in wanted)
    refuse_unpermitted(ctx.grant, map(change_from_data, undone), ())
    try:
        state = replay(posted, wanted | before)
    except ContradictoryChange as error:
        text = f"what was posted later does not hold without it: {error}"
        at = f"/changes/{next(iter(corrections))}/change_id"
        raise InvalidChange((Fault(at, "needed-later", text),)) from error
    revision = _undone_revision(posted, wanted)
    if revision is None:
        return Corrected(state, plan.steps)
    return Corrected(state, await _steps_before(ctx, plan, revision))


async def performing_change(ctx: Context, plan_id: UUID, step: str) -> UUID:
    """The change by which a step was performed, as ``primer/2``. Raises StepNotFound."""
    posted = await PlanRepository(ctx.connection, ctx.clinic_id).posted(plan_id)
    corrected = {id_ for entry in posted for id_ in entry.get("corrects", ())}
    for change in (change for entry in reversed(posted) for change in reversed(entry["changes"])):
        is_it = change["type"] == Perform.__name__ and change["occurrence"] == step
        if is_it and change["id"] not in corrected:
            return UUID(change["id"])
    raise StepNotFound("the step was not performed by a change of its plan")


def replay(posted: Iterable[Entry], without: Iterable[str] = ()) -> PlanState:
    """Apply what was posted to a plan, in order, to the state it began with.

    Raises ContradictoryChange.
    """
    left_out = set(without)
    state = PlanState()
    for entry in posted:
        if "initial" in entry:
            status = PlanStatus(entry["status"])
            state = state_from_data(entry["initial"], status, entry["version"])
        changes = [change_from_data(c) for c in entry["changes"] if c["id"] not in left_out]
        state = changed_by(state, changes, as_of=date.fromisoformat(entry["as_of"]))
    return state


def _refuse_unknown(
    corrections: Mapping[int, UUID], posted: Sequence[Entry], before: set[str]
) -> None:
    known = {change["id"] for entry in posted for change in entry["changes"]}
    faults = []
    for number, id_ in corrections.items():
        at = f"/changes/{number}/change_id"
        if str(id_) not in known:
            faults.append(Fault(at, "unknown-change", "the plan has no such change"))
        elif str(id_) in before or id_ in [corrections[n] for n in corrections if n < number]:
            faults.append(Fault(at, "corrected-already", "the change is corrected already"))
    if faults:
        raise InvalidChange(tuple(faults))


def _undone_revision(posted: Sequence[Entry], wanted: set[str]) -> int | None:
    """The number of the last revision in which anything was posted, if all of it is taken back."""
    for revision in range(len(posted), 1, -1):
        entry = posted[revision - 1]
        if entry.get("corrects"):
            return None
        if entry["changes"]:
            return revision if {change["id"] for change in entry["changes"]} <= wanted else None
    return None


async def _steps_before(ctx: Context, plan: PlanRecord, revision: int) -> tuple[PlannedStep, ...]:
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    return record_of(view_from_data(await plans.snapshot(plan.id, revision - 1))).steps
