"""Changes a stored plan: facts and choices applied together, the difference explained."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.facts import Commitment, Kept, OccurrenceId
from app.domain.plans.change_records import change_from_data, change_to_data
from app.domain.plans.changes import Change, SetStatus, changed_by
from app.domain.plans.records import anchor_to_data, move_to_data, state_from_data, state_to_data
from app.domain.plans.state import PlanState, problem_of
from app.domain.plans.step_changes import ContradictoryChange
from app.domain.plans.steps import (
    PlannedStep,
    attention_of,
    breaches_of,
    next_step,
    planned_steps,
)
from app.domain.problem import Problem
from app.domain.schedules import Move, Offer, Schedule
from app.domain.states import PlanStatus, StepStatus, VersionStatus
from app.persistence.locations import LocationRepository
from app.persistence.patients import PatientRepository
from app.persistence.plans.records import PlanChangedMeanwhile, PlanRecord, RevisionRecord
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.rows import record_of, view_data, view_from_data
from app.services.context import Context
from app.services.plans.loading import (
    Basis,
    VersionNotUsable,
    load_surroundings,
    load_version,
)
from app.services.plans.noting import noted
from app.services.plans.planning import ScheduleConflict, answer
from app.services.plans.posting import (
    InvalidChange,
    Place,
    PostedChanges,
    extended,
    resolved,
    target_version,
)
from app.services.plans.waiving import acknowledgement_faults, waiver_faults

UNDONE = frozenset({StepStatus.PROPOSED, StepStatus.PLANNED, StepStatus.BOOKED})
ENDING = frozenset(
    {
        PlanStatus.ON_HOLD,
        PlanStatus.COMPLETED,
        PlanStatus.REVOKED,
        PlanStatus.ENTERED_IN_ERROR,
    }
)


@dataclass(frozen=True, slots=True)
class ChangedPlan:
    """A plan after a change, what moved and why, and better days for steps that were kept."""

    record: PlanRecord
    basis: Basis
    moves: tuple[Move, ...]
    offers: tuple[Offer, ...]
    ids: Mapping[OccurrenceId, UUID]


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it was read, to be changed."""

    record: PlanRecord
    basis: Basis
    snapshot: dict[str, Any]


async def preview_change(ctx: Context, plan_id: UUID, posted: PostedChanges) -> ChangedPlan:
    """The plan that would result, and the moves with their reasons; stores nothing.

    Raises what ``change_plan`` raises but PlanChangedMeanwhile.
    """
    stored = await load_plan(ctx, plan_id)
    changed, _, _ = await _changed(ctx, stored, posted)
    return changed


async def change_plan(
    ctx: Context, plan_id: UUID, posted: PostedChanges, *, revision: int
) -> ChangedPlan:
    """Apply facts and choices to a plan, all or none, and say why each day moved.

    Raises PlanNotFound, PlanChangedMeanwhile, ScheduleConflict, InvalidChange or
    ContradictoryChange.
    """
    stored = await load_plan(ctx, plan_id, hold=True)
    if stored.record.revision != revision:
        raise PlanChangedMeanwhile("the plan was changed meanwhile")
    changed, state, change = await _changed(ctx, stored, posted)
    record = RevisionRecord(
        revision=changed.record.revision,
        at=ctx.now,
        actor=ctx.actor,
        reason=posted.reason,
        change=change,
        moves=[move_to_data(move, str(changed.ids[move.id])) for move in changed.moves],
        snapshot={},
    )
    await PlanRepository(ctx.connection, ctx.clinic_id).save(
        changed.record,
        record,
        noted(ctx, stored.record, changed.record, state),
        read_revision=revision,
        superseded=stored.snapshot,
    )
    return changed


async def load_plan(ctx: Context, plan_id: UUID, *, hold: bool = False) -> StoredPlan:
    """A plan with everything round it as of today. Raises PlanNotFound.

    Who will store it again holds its patient, whose other plans count.
    """
    view = await PlanRepository(ctx.connection, ctx.clinic_id).view(plan_id)
    record = record_of(view)
    version, document = await load_version(ctx, record.protocol_key, record.protocol_version)
    patients = PatientRepository(ctx.connection, ctx.clinic_id)
    if hold:
        await patients.hold(record.patient_id)
    patient = await patients.get(record.patient_id)
    location = await LocationRepository(ctx.connection, ctx.clinic_id).get(record.location_id)
    today = ctx.today(location.time_zone)
    around = await load_surroundings(
        ctx,
        document,
        patient,
        location,
        laterality=record.laterality,
        today=today,
        plan_id=plan_id,
    )
    basis = Basis(version, document, patient, location, around, today)
    return StoredPlan(record, basis, view_data(view))


async def _changed(
    ctx: Context, stored: StoredPlan, posted: PostedChanges
) -> tuple[ChangedPlan, PlanState, dict[str, Any]]:
    basis, before = stored.basis, stored.record
    places = tuple(
        Place(ZoneInfo(basis.location.time_zone), basis.today, ctx.new_id()) for _ in posted.changes
    )
    state = state_from_data(before.state, PlanStatus(before.status), before.protocol_version)
    protocol = extended(basis.document, state)
    steps = {step.id: step.occurrence for step in before.steps}
    changes = resolved(posted, places, protocol, steps)
    said = {place.id: posted.said(number) for number, place in enumerate(places)}
    change = {
        "as_of": basis.today.isoformat(),
        "changes": [{"id": str(id_), **change_to_data(made), **said[id_]} for id_, made in changes],
        "corrects": [str(id_) for id_ in posted.corrections],
    }
    promised = before.steps
    if posted.corrections:
        state, promised = await _replayed(ctx, before, posted.corrections)
    state = changed_by(state, (made for _, made in changes), as_of=basis.today)
    basis = await _amended(ctx, basis, target_version(changes, before.protocol_version))
    changed = await _result(ctx, before, basis, state, changes, promised=promised)
    return changed, state, change


async def _amended(ctx: Context, basis: Basis, version: str) -> Basis:
    """The same surroundings with the protocol version the plan goes on by."""
    if version == basis.version.version:
        return basis
    summary, document = await load_version(ctx, basis.version.protocol_key, version)
    if summary.status != VersionStatus.ACTIVE:
        raise VersionNotUsable(f"version '{version}' is {summary.status}, not active")
    return replace(basis, version=summary, document=document)


async def _replayed(
    ctx: Context, before: PlanRecord, corrections: Iterable[UUID]
) -> tuple[PlanState, tuple[PlannedStep, ...]]:
    """The state from the plan's making on, without what was entered in error; and the days that
    bind: those before the last revision where that is what is taken back.

    Raises ContradictoryChange for a change the plan does not have.
    """
    posted = await PlanRepository(ctx.connection, ctx.clinic_id).posted(before.id)
    known = {change["id"] for entry in posted for change in entry["changes"]}
    wanted = {str(id_) for id_ in corrections}
    if not wanted <= known:
        raise ContradictoryChange("the plan has no such change to correct")
    gone = wanted | {id_ for entry in posted for id_ in entry.get("corrects", ())}
    state = replay(posted, gone, before)
    if len(posted) > 1 and {change["id"] for change in posted[-1]["changes"]} <= wanted:
        return state, await _steps_before(ctx, before)
    return state, before.steps


async def _steps_before(ctx: Context, plan: PlanRecord) -> tuple[PlannedStep, ...]:
    """The planned steps as they were one revision ago."""
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    found = await plans.revisions(plan.id, before=plan.revision, limit=1)
    return record_of(view_from_data(found[0].snapshot)).steps


def replay(
    posted: Iterable[Mapping[str, Any]], without: Iterable[str], plan: PlanRecord
) -> PlanState:
    """Apply what was posted to a plan, in order, to the state it began with."""
    left_out = set(without)
    state = PlanState()
    for entry in posted:
        if "initial" in entry:
            first = entry.get("version", plan.protocol_version)
            state = state_from_data(entry["initial"], PlanStatus(entry["status"]), first)
        changes = [change_from_data(c) for c in entry["changes"] if c["id"] not in left_out]
        state = changed_by(state, changes, as_of=date.fromisoformat(entry["as_of"]))
    return state


async def _result(
    ctx: Context,
    before: PlanRecord,
    basis: Basis,
    state: PlanState,
    changes: tuple[tuple[UUID, Change], ...],
    *,
    promised: tuple[PlannedStep, ...],
) -> ChangedPlan:
    ending = bool(changes) and all(
        isinstance(made, SetStatus) and made.to in ENDING for _, made in changes
    )
    if ending:
        return _ended(ctx, before, basis, state)
    protocol = extended(basis.document, state)
    problem = problem_of(
        state, protocol, basis.around, as_of=basis.today, kept=kept_days(before, state, promised)
    )
    _check(before, changes, problem)
    known = {step.occurrence: step for step in before.steps}
    try:
        schedule = await answer(problem)
    except ScheduleConflict as error:
        error.steps = {str(step.id): str(step.occurrence) for step in before.steps}
        raise
    ids = {placed.id: _id(ctx, known, placed.id) for placed in schedule.steps}
    steps = planned_steps(schedule, protocol, state, ids, known)
    record = _record(ctx, before, state, schedule, steps)
    return ChangedPlan(record, basis, moves_from(before, schedule), schedule.offers, ids)


def _check(before: PlanRecord, changes: tuple[tuple[UUID, Change], ...], problem: Problem) -> None:
    """Refuse what is waived or acknowledged without being there. Raises InvalidChange."""
    made = [change for _, change in changes]
    faults = waiver_faults(made, problem)
    faults += acknowledgement_faults(made, (breach["id"] for breach in before.breaches))
    if faults:
        raise InvalidChange(tuple(faults))


def moves_from(before: PlanRecord, schedule: Schedule) -> tuple[Move, ...]:
    """Every day shown before that is another now, in protocol order."""
    was = {s.occurrence: s.day for s in before.steps if s.status in UNDONE | {StepStatus.MISSED}}
    return tuple(
        Move(placed.id, old, placed.day, placed.reasons)
        for placed in schedule.steps
        if not placed.performed and (old := was.get(placed.id)) is not None and old != placed.day
    )


def _id(ctx: Context, known: Mapping[OccurrenceId, PlannedStep], id_: OccurrenceId) -> UUID:
    return known[id_].id if id_ in known else ctx.new_id()


def kept_days(
    before: PlanRecord, state: PlanState, promised: tuple[PlannedStep, ...]
) -> tuple[Kept, ...]:
    """The days given out so far; a missed step's day is no promise any more."""
    plain = Commitment.DRAFT if before.status == PlanStatus.DRAFT else Commitment.ACTIVE
    missed = {fact.occurrence for fact in state.missed}
    return tuple(
        Kept(
            step.occurrence,
            step.day,
            Commitment.BOOKED if step.status is StepStatus.BOOKED else plain,
        )
        for step in promised
        if step.day is not None and step.status in UNDONE and step.occurrence not in missed
    )


def _record(
    ctx: Context,
    before: PlanRecord,
    state: PlanState,
    schedule: Schedule,
    steps: tuple[PlannedStep, ...],
) -> PlanRecord:
    ids = {step.occurrence: step.id for step in steps}
    breaches = breaches_of(schedule, ids, state.acknowledged)
    anchor = None
    if state.anchor is not None:
        day = schedule.day_of(state.anchor.occurrence)
        anchor = {**anchor_to_data(state.anchor), "date": None if day is None else day.isoformat()}
    return replace(
        before,
        revision=before.revision + 1,
        status=state.status,
        protocol_version=state.version or before.protocol_version,
        anchor=anchor,
        state=state_to_data(state),
        chosen=dict(schedule.chosen),
        breaches=breaches,
        attention=attention_of(breaches, steps),
        next_step_id=next_step(steps),
        updated_at=ctx.now,
        steps=steps,
    )


def _ended(ctx: Context, before: PlanRecord, basis: Basis, state: PlanState) -> ChangedPlan:
    """Held, completed or revoked: no day moves; what is revoked is called off."""
    called_off = state.status in {PlanStatus.REVOKED, PlanStatus.ENTERED_IN_ERROR}
    steps = tuple(
        replace(step, status=StepStatus.CANCELLED)
        if called_off and step.status in UNDONE | {StepStatus.MISSED}
        else step
        for step in before.steps
    )
    record = replace(
        before,
        revision=before.revision + 1,
        status=state.status,
        state=state_to_data(state),
        next_step_id=None if called_off else before.next_step_id,
        attention=[] if called_off else before.attention,
        updated_at=ctx.now,
        steps=steps,
    )
    return ChangedPlan(record, basis, (), (), {s.occurrence: s.id for s in before.steps})
