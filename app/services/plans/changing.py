"""Changes a stored plan: facts and choices applied together, the difference explained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from app.domain.errors import Fault
from app.domain.plans.change_records import change_to_data
from app.domain.plans.changes import LIVING, Amend, changed_by
from app.domain.plans.records import move_to_data
from app.domain.plans.state import PlanState, status_of
from app.domain.plans.step_changes import ContradictoryChange
from app.domain.states import StepStatus, VersionStatus
from app.persistence.events import EventRepository
from app.persistence.plans.records import PlanChangedMeanwhile, PlanRecord, RevisionRecord
from app.persistence.plans.repository import PlanRepository
from app.services.context import Context
from app.services.plans.correcting import Corrected, corrected
from app.services.plans.flagging import change_concerns_others, flag_others
from app.services.plans.leaving import Told, recorded, refuse_choices
from app.services.plans.loading import (
    Basis,
    VersionNotUsable,
    load_surroundings,
    load_version,
)
from app.services.plans.noting import noted
from app.services.plans.posting import (
    AcknowledgeChange,
    InvalidChange,
    Known,
    Made,
    Place,
    PostedChanges,
    StepChange,
    contradiction,
    extended,
    extended_by,
    resolved,
    version_faults,
)
from app.services.plans.redating import ChangedPlan, Redating, redated
from app.services.plans.stored import StoredPlan, load_plan, standing_problem, state_of
from app.services.plans.waiving import refuse_unpermitted, rules_known


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What posted changes make of a plan, ready to be stored, and what is kept of them."""

    plan: ChangedPlan
    state: PlanState
    change: Mapping[str, Any]


async def preview_change(ctx: Context, plan_id: UUID, posted: PostedChanges) -> ChangedPlan:
    """The plan that would result, and the moves with their reasons; stores nothing.

    Raises what ``change_plan`` raises but PlanChangedMeanwhile.
    """
    return (await work_out(ctx, await load_plan(ctx, plan_id), posted)).plan


async def change_plan(
    ctx: Context, plan_id: UUID, posted: PostedChanges, *, revision: int
) -> ChangedPlan:
    """Apply facts and choices to a plan, all or none, and say why each day moved.

    Raises PlanNotFound, PlanChangedMeanwhile, ScheduleConflict, InvalidChange, NotPermitted,
    VersionNotFound or VersionNotUsable.
    """
    stored = await load_plan(ctx, plan_id, hold=True)
    if stored.record.revision != revision:
        raise PlanChangedMeanwhile("the plan was changed meanwhile")
    worked_out = await work_out(ctx, stored, posted)
    await store(ctx, stored, worked_out, reason=posted.reason)
    return worked_out.plan


async def store(
    ctx: Context, stored: StoredPlan, worked_out: WorkedOut, *, reason: str | None
) -> None:
    """Store what was worked out as the plan's next revision. Raises PlanChangedMeanwhile."""
    changed = worked_out.plan
    revision = RevisionRecord(
        revision=changed.record.revision,
        at=ctx.now,
        actor=ctx.actor,
        reason=reason,
        change=dict(worked_out.change),
        moves=[move_to_data(move, str(changed.ids[move.id])) for move in changed.moves],
    )
    happened = noted(ctx, stored.record, changed.record, worked_out.state)
    others = stored.basis.around.other_plans
    if not change_concerns_others(stored.record, changed.record):
        others = ()
    await PlanRepository(ctx.connection, ctx.clinic_id).save(
        stored.record,
        changed.record,
        revision,
        events=() if others else happened,
        superseded=stored.snapshot,
    )
    if others:
        happened += await flag_others(ctx, (UUID(other.id) for other in others))
        await EventRepository(ctx.connection, ctx.clinic_id).append(happened)


async def work_out(ctx: Context, stored: StoredPlan, posted: PostedChanges) -> WorkedOut:
    """What changes make of a plan; stores nothing. Raises what ``change_plan`` raises."""
    before = stored.record
    state = state_of(before)
    made = _resolved(stored, posted, state)
    begun = Corrected(state, before.steps)
    if posted.corrections:
        begun = await corrected(ctx, before, posted.corrections)
    state = _applied(begun.state, made, posted, stored.basis)
    basis = await _amended(ctx, stored, state.version, made)
    protocol = extended_by(basis.document, state, made)
    rules = rules_known(protocol, basis.around)
    refuse_unpermitted(ctx.grant, (one.change for one in made), rules)
    faults = version_faults(made, protocol, state)
    if faults:
        raise InvalidChange(tuple(faults))
    refuse_choices(posted, made)
    record = partial(recorded, Told(posted, made, partial(standing_problem, stored)))
    redating = Redating(before, basis, state, protocol, begun.promised, made, ctx.now, record)
    plan = await redated(redating)
    _refuse_unread(posted, plan.record)
    change = {
        "as_of": basis.today.isoformat(),
        "changes": [
            {"id": str(one.id), **change_to_data(one.change), **posted.said(one.number)}
            for one in made
        ],
        "corrects": [str(id_) for id_ in posted.corrections.values()],
    }
    return WorkedOut(plan, state, change)


def _resolved(stored: StoredPlan, posted: PostedChanges, state: PlanState) -> tuple[Made, ...]:
    """The changes as they hold for this plan. Their ids are the same whenever they are tried."""
    before, basis = stored.record, stored.basis
    zone = ZoneInfo(basis.location.time_zone)
    places = tuple(
        Place(zone, basis.today, uuid5(before.id, f"{before.revision + 1}/{number}"))
        for number, _ in enumerate(posted.changes)
    )
    known = Known(
        protocol=extended(basis.document, state),
        state=state,
        steps={step.id: step.occurrence for step in before.steps},
        days={step.occurrence: step.day for step in before.steps},
        breaches={breach["id"]: breach["text"] for breach in before.breaches},
        called_off=frozenset(
            step.occurrence
            for step in before.steps
            if step.status is StepStatus.CANCELLED
            and status_of(state, step.occurrence) is not StepStatus.CANCELLED
            and state.status in LIVING
        ),
    )
    return resolved(posted, places, known)


def _applied(
    state: PlanState, made: tuple[Made, ...], posted: PostedChanges, basis: Basis
) -> PlanState:
    """The state after the changes. Raises InvalidChange naming the one that contradicts."""
    try:
        return changed_by(state, (one.change for one in made), as_of=basis.today)
    except ContradictoryChange as error:
        number = made[error.place].number
        change = posted.changes[number]
        day_at = change.day_at if isinstance(change, StepChange) else "on"
        raise InvalidChange((contradiction(error, number, day_at),)) from error


def _refuse_unread(posted: PostedChanges, after: PlanRecord) -> None:
    """Raise InvalidChange where a breach that is accepted beforehand reads otherwise then."""
    read = {(breach["id"], breach["text"]) for breach in after.breaches}
    faults = [
        Fault(f"/changes/{number}/text", "unknown-breach", "the plan would have no such breach")
        for number, change in enumerate(posted.changes)
        if isinstance(change, AcknowledgeChange)
        and change.text is not None
        and (change.breach, change.text) not in read
    ]
    if faults:
        raise InvalidChange(tuple(faults))


async def _amended(
    ctx: Context, stored: StoredPlan, version: str | None, made: tuple[Made, ...]
) -> Basis:
    """What the plan is made from by the version it goes on by.

    Raises VersionNotFound, and VersionNotUsable for one that is not active: only who takes an
    amendment back comes to such a version again.
    """
    basis = stored.basis
    if version is None or version == basis.version.version:
        return basis
    summary, document = await load_version(ctx, basis.version.protocol_key, version)
    amended = any(isinstance(one.change, Amend) for one in made)
    if amended and summary.status != VersionStatus.ACTIVE:
        raise VersionNotUsable(f"version '{version}' is {summary.status}, not active")
    around = await load_surroundings(
        ctx,
        document,
        basis.patient,
        basis.location,
        laterality=stored.record.laterality,
        today=basis.today,
        plan_id=stored.record.id,
    )
    return replace(basis, version=summary, document=document, around=around)
