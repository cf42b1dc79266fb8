"""Dates a changed plan again: the days given out are kept as far as they can be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from uuid import UUID, uuid5

from app.domain.engine import solve, ways_apart
from app.domain.facts import Commitment, Kept, OccurrenceId
from app.domain.plans.changes import Resume, SetStatus
from app.domain.plans.records import anchor_to_data, reason_to_data, state_to_data
from app.domain.plans.state import PlanState, problem_of, status_of
from app.domain.plans.step_changes import Book, CloseStart
from app.domain.plans.steps import (
    PlannedStep,
    attention_of,
    breaches_of,
    lived_through,
    next_step,
    planned_steps,
    to_be_started,
)
from app.domain.problem import Problem
from app.domain.protocols import Protocol
from app.domain.schedules import Move, Offer, Reason, Schedule
from app.domain.states import PlanStatus, StepStatus
from app.persistence.plans.records import PlanRecord
from app.services.plans.loading import Basis
from app.services.plans.planning import ScheduleConflict, answer, worked_out
from app.services.plans.posting import InvalidChange, Made
from app.services.plans.waiving import waiver_faults

UNDONE = frozenset({StepStatus.PROPOSED, StepStatus.PLANNED, StepStatus.BOOKED, StepStatus.MISSED})
ENDED = frozenset({PlanStatus.COMPLETED, PlanStatus.REVOKED, PlanStatus.ENTERED_IN_ERROR})

# In a plan that was called off nothing is to be started.
STARTING = frozenset(PlanStatus) - {PlanStatus.REVOKED, PlanStatus.ENTERED_IN_ERROR}


@dataclass(frozen=True, slots=True)
class ChangedPlan:
    """A plan after a change, what moved and why, and better days for some steps.

    ``added`` are steps it did not have before, ``removed`` those it no longer has.
    """

    record: PlanRecord
    basis: Basis
    moves: tuple[Move, ...]
    offers: tuple[Offer, ...]
    ids: Mapping[OccurrenceId, UUID]
    added: tuple[PlannedStep, ...] = ()
    removed: tuple[PlannedStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Redating:
    """A plan as it was, what it is made from now, and what its days are to be found by.

    ``record`` gives a schedule with days left as they are where there is no other, or raises.
    """

    before: PlanRecord
    basis: Basis
    state: PlanState
    protocol: Protocol
    promised: tuple[PlannedStep, ...]
    made: tuple[Made, ...]
    now: datetime
    record: Callable[[Problem, ScheduleConflict], Schedule]


async def redated(plan: Redating) -> ChangedPlan:
    """The plan with its new days. Raises ScheduleConflict or InvalidChange."""
    if plan.state.status in ENDED or _days_are_left(plan.made):
        return _at_rest(plan)
    problem = problem_of(
        plan.state,
        plan.protocol,
        plan.basis.around,
        as_of=plan.basis.today,
        kept=kept_days(plan.before, plan.state, plan.promised, plan.basis.today),
    )
    _check(plan, problem)
    try:
        schedule = await _resumed(plan, problem) or await answer(problem)
    except ScheduleConflict as error:
        schedule = await worked_out(problem.protocol, partial(_recorded, plan, problem, error))
        return _changed(plan, schedule, ())
    return _changed(plan, schedule, await _ways_apart(plan, problem, schedule))


def _recorded(plan: Redating, problem: Problem, conflict: ScheduleConflict) -> Schedule:
    try:
        return plan.record(problem, conflict)
    except ScheduleConflict as error:
        name_steps(error, plan.before, plan.state)
        raise


def name_steps(conflict: ScheduleConflict, plan: PlanRecord, state: PlanState) -> None:
    """Say which steps a stored plan has, so that options can speak of them as clients did, and what
    each option moves of the days which the plan shows.
    """
    conflict.steps = {str(step.id): str(step.occurrence) for step in plan.steps}
    conflict.anchor = None if state.anchor is None else str(state.anchor.occurrence)
    conflict.options = tuple(
        option
        if option.schedule is None
        else replace(
            option, schedule=replace(option.schedule, moves=moves_from(plan, option.schedule))
        )
        for option in conflict.options
    )


def _days_are_left(made: tuple[Made, ...]) -> bool:
    """Whether nothing of what is posted asks for another day of any step."""
    left = [
        one.change == SetStatus(PlanStatus.ON_HOLD) or isinstance(one.change, CloseStart)
        for one in made
    ]
    return bool(left) and all(left)


async def _resumed(plan: Redating, problem: Problem) -> Schedule | None:
    """A schedule with new days for what has passed while the plan was on hold, if there is one.

    What has no day left in its window stays, overdue, until a person moves or skips it; so does
    everything where no schedule exists.
    """
    if not any(isinstance(one.change, Resume) for one in plan.made):
        return None
    first = plan.state.not_before or problem.as_of
    late = {
        step.occurrence
        for step in plan.promised
        if step.latest is not None and step.latest < first and not step.deadline
    }
    kept = (k for k in problem.kept if k.day >= problem.as_of or k.occurrence in late)
    again = replace(problem, kept=tuple(kept))
    found = await worked_out(problem.protocol, partial(solve, again))
    return found if isinstance(found, Schedule) else None


def _check(plan: Redating, problem: Problem) -> None:
    """Refuse what is waived without being there. Raises InvalidChange."""
    made = {one.number: one.change for one in plan.made}
    changes = [made.get(number) for number in range(max(made, default=-1) + 1)]
    faults = waiver_faults(changes, problem)
    if faults:
        raise InvalidChange(tuple(faults))


def kept_days(
    before: PlanRecord, state: PlanState, promised: tuple[PlannedStep, ...], today: date
) -> tuple[Kept, ...]:
    """The days given out so far, booked ones more firmly than others.

    The day proposed for a missed step is no promise; once it has passed it stays like any other.
    """
    plain = Commitment.DRAFT if before.status == PlanStatus.DRAFT else Commitment.ACTIVE
    missed = {fact.occurrence: fact.on for fact in state.missed}
    kept = []
    for step in promised:
        if step.day is None or step.status not in UNDONE:
            continue
        if status_of(state, step.occurrence) is StepStatus.MISSED and (
            step.status is not StepStatus.MISSED or not missed[step.occurrence] < step.day < today
        ):
            continue
        booked = step.status is StepStatus.BOOKED
        kept.append(Kept(step.occurrence, step.day, Commitment.BOOKED if booked else plain))
    return tuple(kept)


def moves_from(before: PlanRecord, schedule: Schedule) -> tuple[Move, ...]:
    """Every day shown before that is another now, in protocol order."""
    was = {step.occurrence: step.day for step in before.steps if step.status in UNDONE}
    return tuple(
        Move(placed.id, old, placed.day, placed.reasons)
        for placed in schedule.steps
        if not placed.performed and (old := was.get(placed.id)) is not None and old != placed.day
    )


async def _ways_apart(plan: Redating, problem: Problem, schedule: Schedule) -> tuple[Offer, ...]:
    """Offers for steps that lie too close to each other, as far as nobody has accepted that."""
    unseen = tuple(b for b in schedule.breaches if b.text not in plan.state.acknowledged)
    if not unseen:
        return ()
    moved = {move.id for move in moves_from(plan.before, schedule)}
    found = replace(schedule, breaches=unseen)
    return await worked_out(problem.protocol, partial(ways_apart, problem, found, moved))


def _changed(plan: Redating, schedule: Schedule, offers: tuple[Offer, ...]) -> ChangedPlan:
    before, state = plan.before, plan.state
    known = {step.occurrence: step for step in before.steps}
    bound = {**known, **{step.occurrence: step for step in plan.promised}}
    gone = [fact.occurrence for fact in (*state.skipped, *state.cancelled)]
    wanted = [*(placed.id for placed in schedule.steps), *gone]
    ids = {id_: bound[id_].id if id_ in bound else step_id(before.id, id_) for id_ in wanted}
    booked = frozenset(o.change.occurrence for o in plan.made if isinstance(o.change, Book))
    steps = planned_steps(schedule, plan.protocol, state, ids, bound, booked=booked)
    ids = {step.occurrence: step.id for step in steps}
    breaches = breaches_of(schedule, ids, state.acknowledged)
    record = replace(
        _next(plan),
        anchor=_anchor(state, schedule),
        chosen=dict(schedule.chosen),
        breaches=breaches,
        attention=attention_of(breaches, steps, state.starts),
        next_step_id=next_step(steps),
        steps=steps,
    )
    return ChangedPlan(
        record,
        plan.basis,
        moves_from(before, schedule),
        (*schedule.offers, *offers),
        ids,
        added=tuple(step for step in steps if step.occurrence not in known),
        removed=tuple(step for step in before.steps if step.occurrence not in ids),
    )


def step_id(plan_id: UUID, occurrence: OccurrenceId) -> UUID:
    """The id of a step that comes into a plan later: the same one whenever it comes back."""
    return uuid5(plan_id, str(occurrence))


def _anchor(state: PlanState, schedule: Schedule) -> dict[str, str | None] | None:
    if state.anchor is None:
        return None
    day = schedule.day_of(state.anchor.occurrence)
    return {**anchor_to_data(state.anchor), "date": None if day is None else day.isoformat()}


def _next(plan: Redating) -> PlanRecord:
    """The next revision, its days still those of the last."""
    return replace(
        plan.before,
        revision=plan.before.revision + 1,
        status=plan.state.status,
        protocol_version=plan.state.version or plan.before.protocol_version,
        body_site=plan.basis.around.body_site,
        state=state_to_data(plan.state),
        updated_at=plan.now,
    )


def _at_rest(plan: Redating) -> ChangedPlan:
    """No day moves; what is undone in a plan that ended is called off, unless it is lived through.

    Nothing is asked of the engine, so that whatever stands in a plan's way it can be ended.
    """
    before, record = plan.before, _next(plan)
    ids = {step.occurrence: step.id for step in before.steps}
    starts = plan.state.starts
    if plan.state.status in ENDED:
        done = {fact.occurrence: fact.on for fact in plan.state.performed}
        passed = frozenset[UUID]()
        if plan.state.status is not PlanStatus.ENTERED_IN_ERROR:
            passed = lived_through(before.steps, plan.protocol, plan.basis.today)
        steps = tuple(
            step if step.id in passed else _ended(step, done.get(step.occurrence))
            for step in before.steps
        )
        # A course that is over may still have another to be started after it.
        opened = to_be_started(steps, starts) if plan.state.status in STARTING else []
        record = replace(record, next_step_id=None, attention=opened, steps=steps)
    else:
        record = replace(record, attention=attention_of(before.breaches, before.steps, starts))
    return ChangedPlan(record, plan.basis, (), (), ids)


def _ended(step: PlannedStep, done: date | None) -> PlannedStep:
    """A step of a plan that ended: done, or called off unless it was left out before."""
    if done is None:
        ends = step.status in UNDONE | {StepStatus.PERFORMED}
        return replace(step, status=StepStatus.CANCELLED, tentative=False) if ends else step
    if step.status is StepStatus.PERFORMED:
        return step
    text = f"performed on {done:%a} {done.isoformat()}"
    return replace(
        step,
        status=StepStatus.PERFORMED,
        tentative=False,
        day=done,
        deviation_days=None if step.target is None else (done - step.target).days,
        reasons=(reason_to_data(Reason("performed", text)),),
    )
