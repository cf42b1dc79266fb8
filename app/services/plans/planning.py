"""Dates a plan that is asked for: previews it, stores it, or says why it cannot be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from anyio import to_thread

from app.domain.calendars import Absence, local_date
from app.domain.engine import find_options, solve
from app.domain.errors import DomainError, Fault, Faults
from app.domain.facts import Anchor, OccurrenceId
from app.domain.plans.change_records import change_to_data
from app.domain.plans.changes import Change, Decide, changed_by
from app.domain.plans.records import anchor_to_data, state_to_data
from app.domain.plans.state import PlanState, problem_of
from app.domain.plans.step_changes import ContradictoryChange, Perform, Pin
from app.domain.plans.steps import attention_of, breaches_of, next_step, planned_steps
from app.domain.problem import Problem
from app.domain.protocols import Follows, Protocol
from app.domain.schedules import Conflict, Option, Schedule
from app.persistence.events import NewEvent
from app.persistence.plans.records import PlanRecord, RevisionRecord
from app.persistence.plans.repository import PlanRepository
from app.services import engine_time, events
from app.services.context import Context
from app.services.events import EventType
from app.services.plans.fitting import request_faults
from app.services.plans.loading import Basis, default_not_before, hold_patient, load_basis
from app.services.plans.posting import contradiction, own_sets, own_shifts, own_starts
from app.services.plans.requests import AskedAnchor, PerformedAt, PlanRequest
from app.services.plans.waiving import refuse_unpermitted, rules_known, waiver_faults

SMALL_PLAN = 40

T = TypeVar("T")


class ScheduleConflict(DomainError):
    """No schedule keeps all of these at once; the options say what would."""

    def __init__(self, conflict: Conflict, options: tuple[Option, ...]) -> None:
        super().__init__(conflict.text)
        self.conflict = conflict
        self.options = options
        # The ids of a stored plan's steps with their occurrences: options name steps by these.
        self.steps: dict[str, str] = {}
        self.anchor: str | None = None
        # Whose days it tells, where no stored plan says so.
        self.patient_id: UUID | None = None
        # The options as they are told to who has asked in other words than the native ones.
        self.told: Sequence[Mapping[str, Any]] | None = None


class InvalidPlan(Faults):
    """The request does not fit the protocol; each fault is named by its JSON pointer."""

    def below(self, member: str) -> "InvalidPlan":
        """The same faults where the request is a member of a larger one."""
        return InvalidPlan(tuple(replace(f, pointer=member + f.pointer) for f in self.faults))


@dataclass(frozen=True, slots=True)
class PlannedPlan:
    """A plan as it would be, or was, stored, with what it was made from and what was posted."""

    record: PlanRecord
    basis: Basis
    posted: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request read for one protocol: the state it begins with, its changes, and both as one."""

    first: PlanState
    changes: tuple[Change, ...]
    state: PlanState
    problem: Problem


async def preview_plan(ctx: Context, request: PlanRequest) -> PlannedPlan:
    """The plan this request would make; stores nothing. Drafts of protocols may be tried.

    Raises what ``create_plan`` raises.
    """
    basis = await load_basis(ctx, request, allow_draft=True)
    return await plan_by(ctx, request, basis)


async def create_plan(ctx: Context, request: PlanRequest) -> PlannedPlan:
    """Date and store a new plan with its first revision and event.

    Raises ScheduleConflict, InvalidPlan, NotPermitted and what ``load_basis`` raises.
    """
    await hold_patient(ctx, request)
    basis = await load_basis(ctx, request)
    planned = await plan_by(ctx, request, basis)
    plans = PlanRepository(ctx.connection, ctx.clinic_id)
    await plans.add(planned.record, first_revision(ctx, planned), [plan_created(ctx, planned)])
    return planned


def plan_at_once(ctx: Context, request: PlanRequest, basis: Basis) -> PlannedPlan:
    """The plan of a request, worked out by the calling thread.

    Raises InvalidPlan, NotPermitted, and ScheduleConflict without the ways out: finding them takes
    longer than many plans.
    """
    asked = _permitted(ctx, request, basis)
    found = solve(asked.problem)
    if isinstance(found, Conflict):
        conflict = ScheduleConflict(found, ())
        conflict.patient_id = basis.patient.id
        raise conflict
    return planned_plan(ctx, request, basis, asked, found)


def first_revision(ctx: Context, planned: PlannedPlan) -> RevisionRecord:
    """What made a new plan."""
    return RevisionRecord(
        revision=1,
        at=ctx.now,
        actor=ctx.actor,
        change=planned.posted,
        moves=[],
    )


def plan_created(ctx: Context, planned: PlannedPlan) -> NewEvent:
    """The event of a new plan."""
    record = planned.record
    return events.new_event(
        ctx,
        EventType.PLAN_CREATED,
        plan_id=record.id,
        patient_id=record.patient_id,
        revision=1,
        data={"protocol": record.protocol_key, "version": record.protocol_version},
    )


def problem_for(request: PlanRequest, basis: Basis) -> Asked:
    """The state a request begins with and the question it puts to the engine.

    Raises InvalidPlan.
    """
    _refuse(request_faults(request, basis.document))
    first = _first_state(request, basis)
    changes = tuple(_read(change, basis) for change in request.changes)
    try:
        state = changed_by(first, changes, as_of=basis.today)
    except ContradictoryChange as error:
        at_instant = isinstance(request.changes[error.place], PerformedAt)
        fault = contradiction(error, error.place, "at" if at_instant else "on")
        raise InvalidPlan((fault,)) from error
    problem = problem_of(state, basis.document.protocol, basis.around, as_of=basis.today)
    _refuse(waiver_faults(changes, problem))
    return Asked(first, changes, state, problem)


def _read(change: Change | PerformedAt, basis: Basis) -> Change:
    """A change as it holds at this location and for this protocol."""
    match change:
        case PerformedAt(occurrence, at):
            return Perform(occurrence, local_date(at, ZoneInfo(basis.location.time_zone)))
        case Decide(key, choice):
            step = basis.document.protocol.step(key)
            choices = () if step is None else step.choices
            taken = [one for one in choices if one.key == choice]
            shifts = (shift for one in taken for shift in own_shifts(one))
            sets = (given for one in taken for given in own_sets(one))
            starts = (protocol for one in taken for protocol in own_starts(one))
            return replace(change, shifts=tuple(shifts), sets=tuple(sets), starts=tuple(starts))
        case _:
            return change


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise InvalidPlan(tuple(faults))


async def answer(problem: Problem) -> Schedule:
    """The engine's schedule. Raises ScheduleConflict with its ways out."""
    return await worked_out(problem.protocol, partial(_solved, problem))


async def worked_out(protocol: Protocol, work: Callable[[], T]) -> T:
    """What the engine makes of a plan; of a large one it is made beside the event loop."""
    with engine_time.measured():
        if _occurrences(protocol) <= SMALL_PLAN:
            return work()
        return await to_thread.run_sync(work)


def _solved(problem: Problem) -> Schedule:
    found = solve(problem)
    match found:
        case Schedule():
            return found
        case Conflict():
            raise ScheduleConflict(found, find_options(problem, found))


def _occurrences(protocol: Protocol) -> int:
    return sum(
        len(step.timepoints) or (step.repeat.count.maximum if step.repeat else 1)
        for step in protocol.steps
    )


async def plan_by(ctx: Context, request: PlanRequest, basis: Basis) -> PlannedPlan:
    """The plan of a request, by what it is made from."""
    asked = _permitted(ctx, request, basis)
    try:
        schedule = await answer(asked.problem)
    except ScheduleConflict as conflict:
        conflict.patient_id = basis.patient.id
        raise
    return planned_plan(ctx, request, basis, asked, schedule)


def _permitted(ctx: Context, request: PlanRequest, basis: Basis) -> Asked:
    asked = problem_for(request, basis)
    rules = rules_known(basis.document.protocol, basis.around)
    refuse_unpermitted(ctx.grant, asked.changes, rules)
    return asked


def planned_plan(
    ctx: Context, request: PlanRequest, basis: Basis, asked: Asked, schedule: Schedule
) -> PlannedPlan:
    """A schedule as a plan, with what it takes to replay it. Raises InvalidPlan."""
    _refuse(_pin_faults(asked.changes, schedule))
    baseline = _baseline(basis.document.protocol, schedule)
    posted = {
        "as_of": basis.today.isoformat(),
        "status": request.status,
        "version": basis.version.version,
        "initial": state_to_data(replace(asked.first, baseline=baseline)),
        "changes": [{"id": str(ctx.new_id()), **change_to_data(c)} for c in asked.changes],
    }
    state = replace(asked.state, baseline=baseline)
    return PlannedPlan(plan_record(ctx, request, basis, state, schedule), basis, posted)


def _pin_faults(changes: tuple[Change, ...], schedule: Schedule) -> list[Fault]:
    """A fault for each day wanted of a step which the parameters or a skip leave out."""
    there = {placed.id for placed in schedule.steps}
    text = "the plan has no such step with these parameters and changes"
    return [
        Fault(f"/changes/{place}/step", "not-in-the-plan", text)
        for place, change in enumerate(changes)
        if isinstance(change, Pin) and change.occurrence not in there
    ]


def plan_record(
    ctx: Context, request: PlanRequest, basis: Basis, state: PlanState, schedule: Schedule
) -> PlanRecord:
    """A schedule as the first revision of a plan, its steps with new ids."""
    left_out = [fact.occurrence for fact in (*state.skipped, *state.cancelled)]
    wanted = [*(placed.id for placed in schedule.steps), *left_out]
    ids = {occurrence: ctx.new_id() for occurrence in wanted}
    steps = planned_steps(schedule, basis.document.protocol, state, ids)
    breaches = breaches_of(schedule, ids, state.acknowledged)
    return PlanRecord(
        id=ctx.new_id(),
        revision=1,
        status=request.status,
        protocol_key=basis.version.protocol_key,
        protocol_version=basis.version.version,
        patient_id=basis.patient.id,
        location_id=basis.location.id,
        body_site=basis.around.body_site,
        laterality=request.laterality,
        condition=request.condition,
        practitioner=request.practitioner,
        note=request.note,
        anchor=_anchor_data(state.anchor, schedule),
        state=state_to_data(state),
        chosen=dict(schedule.chosen),
        breaches=breaches,
        attention=attention_of(breaches, steps, state.starts),
        next_step_id=next_step(steps),
        created_at=ctx.now,
        updated_at=ctx.now,
        created_by=ctx.actor,
        identifiers=request.identifiers,
        steps=steps,
    )


def _anchor_data(anchor: Anchor | None, schedule: Schedule) -> dict[str, str | None] | None:
    """The anchor as it is shown: its step, the day it has, and what was asked."""
    if anchor is None:
        return None
    day = schedule.day_of(anchor.occurrence)
    return {**anchor_to_data(anchor), "date": None if day is None else day.isoformat()}


def _baseline(protocol: Protocol, schedule: Schedule) -> dict[OccurrenceId, date]:
    """The first planned days, kept where any timing follows them."""
    follows = {timing.follows for step in protocol.steps for timing in step.timings}
    for step in protocol.steps:
        if step.alternatives is not None:
            follows |= {timing.follows for _, timing in step.alternatives.options}
    if Follows.PLANNED not in follows:
        return {}
    return {placed.id: placed.day for placed in schedule.steps if placed.day is not None}


def _first_state(request: PlanRequest, basis: Basis) -> PlanState:
    return PlanState(
        status=request.status,
        version=basis.version.version,
        anchor=_anchor(request.anchor, basis.document.protocol),
        plan_start=request.plan_start or basis.today,
        not_before=request.not_before or default_not_before(basis.today, basis.location),
        parameters=request.parameters,
        events=request.events,
        absences=tuple(
            Absence(f"asked-{place}", away.first, away.last)
            for place, away in enumerate(request.unavailable, start=1)
        ),
    )


def _anchor(asked: AskedAnchor | None, protocol: Protocol) -> Anchor | None:
    if asked is None or protocol.anchor is None:
        return None
    step = protocol.step(protocol.anchor)
    repeated = step is not None and step.repeat is not None
    occurrence = OccurrenceId(protocol.anchor, 1 if repeated else None)
    return Anchor(occurrence, asked.day, asked.earliest_from, asked.until)
