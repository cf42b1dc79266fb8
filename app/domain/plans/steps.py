"""Planned steps: the engine's schedule dressed with what people and clients read of each step."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any
from uuid import UUID

from app.domain.facts import OccurrenceId
from app.domain.offsets import MonthEnd
from app.domain.plans.records import Data, booking_to_data, breach_to_data, reason_to_data
from app.domain.plans.state import Booking, PlanState, status_of
from app.domain.protocols import Protocol, Step, StepKind, StepReference
from app.domain.rules import Severity
from app.domain.schedules import Placed, Schedule
from app.domain.states import PlanStatus, StepStatus

GONE = frozenset({StepStatus.SKIPPED, StepStatus.CANCELLED, StepStatus.ENTERED_IN_ERROR})
UNATTENDED = frozenset({StepKind.RESTRICTION})
# The code of the reason where not a person but a decision has called a step off.
DECIDED = "decided"
# How a breach ends that was found without looking at the whole plan: no revision is made of it.
UNRESOLVED = "no other day is found yet"
KEEPING = frozenset({StepStatus.BOOKED, StepStatus.PERFORMED})


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One occurrence of a step in a plan, ready to be stored and shown."""

    id: UUID
    occurrence: OccurrenceId
    position: int
    ordinal: int | None
    of: int | None
    kind: StepKind
    title: str
    agent: str | None
    optional: bool
    status: StepStatus
    tentative: bool
    day: date | None
    end: date | None
    earliest: date | None
    target: date | None
    latest: date | None
    deadline: bool
    deviation_days: int | None
    minutes: int | None
    modes: tuple[str, ...]
    reasons: tuple[Data, ...]
    instructions: tuple[Data, ...]
    appointment: Data | None = None


def planned_steps(
    schedule: Schedule,
    protocol: Protocol,
    state: PlanState,
    ids: Mapping[OccurrenceId, UUID],
    before: Mapping[OccurrenceId, PlannedStep] = MappingProxyType({}),
    *,
    booked: frozenset[OccurrenceId] = frozenset(),
) -> tuple[PlannedStep, ...]:
    """Every placed step with its texts, and those skipped or cancelled, in protocol order.

    ``ids`` gives each occurrence the id that survives every move. A step performed ``before``
    stays as it was then, whatever its protocol version says now. A booking that has lost its day
    is gone for good; those made just now are ``booked``.
    """
    by_key = {step.key: step for step in protocol.steps}
    places = {step.key: place for place, step in enumerate(protocol.steps)}
    holding = booked | {id_ for id_, step in before.items() if step.status in KEEPING}
    steps = [
        _dressed(placed, by_key[placed.id.step], ids[placed.id], state, protocol.month_end)
        for placed in schedule.steps
    ]
    steps = [step if step.occurrence in holding else _unbooked(step, state) for step in steps]
    steps = [_as_performed(step, before.get(step.occurrence)) for step in steps]
    steps += _gone(state, before, by_key, ids)
    steps += _left(state, before, protocol, {step.occurrence for step in steps})
    steps.sort(key=lambda step: (places.get(step.occurrence.step, len(places)), _number(step)))
    return tuple(
        step if step.position == place else replace(step, position=place)
        for place, step in enumerate(steps)
    )


def _number(step: PlannedStep) -> tuple[int, int]:
    number = step.occurrence.occurrence
    return (number if isinstance(number, int) else 0), step.position


def _as_performed(step: PlannedStep, before: PlannedStep | None) -> PlannedStep:
    if before is None or before.status is not StepStatus.PERFORMED:
        return step
    if step.status is not StepStatus.PERFORMED:
        return step
    return replace(step, title=before.title, kind=before.kind, minutes=before.minutes)


def _unbooked(step: PlannedStep, state: PlanState) -> PlannedStep:
    if step.status is not StepStatus.BOOKED:
        return step
    return replace(step, status=_plain(state), appointment=None)


def _gone(
    state: PlanState,
    before: Mapping[OccurrenceId, PlannedStep],
    by_key: Mapping[str, Step],
    ids: Mapping[OccurrenceId, UUID],
) -> Iterator[PlannedStep]:
    """Skipped and cancelled steps: still there, without a day."""
    for facts, status, text in (
        (state.skipped, StepStatus.SKIPPED, "left out by a person"),
        (state.cancelled, StepStatus.CANCELLED, "called off by a person"),
    ):
        for fact in facts:
            known = before.get(fact.occurrence)
            if known is None and fact.occurrence in ids and fact.occurrence.step in by_key:
                known = _never_placed(fact.occurrence, by_key[fact.occurrence.step], ids)
            if known is not None:
                yield _called_off(known, status, text)


def _left(
    state: PlanState,
    before: Mapping[OccurrenceId, PlannedStep],
    protocol: Protocol,
    there: set[OccurrenceId],
) -> Iterator[PlannedStep]:
    """What the protocol and its parameters no longer have: facts stay as they were, and what a
    decision has called off is shown so.
    """
    performed = {fact.occurrence for fact in state.performed}
    called_off = {
        key: step.title
        for step in protocol.steps
        for choice in step.choices
        if state.decided.get(step.key) == choice.key
        for effect in choice.effects
        if effect.type == "cancel"
        for key in effect.steps
    }
    for occurrence, step in before.items():
        if occurrence in there:
            continue
        if occurrence in performed and step.status is StepStatus.PERFORMED:
            yield step
        elif occurrence.step in called_off:
            text = f"called off by the decision: {called_off[occurrence.step]}"
            reasons = ({"code": DECIDED, "text": text},)
            yield replace(_called_off(step, StepStatus.CANCELLED, text), reasons=reasons)


def _called_off(step: PlannedStep, status: StepStatus, text: str) -> PlannedStep:
    return replace(
        step,
        status=status,
        day=None,
        end=None,
        earliest=None,
        target=None,
        latest=None,
        deviation_days=None,
        tentative=False,
        appointment=None,
        instructions=(),
        reasons=({"code": status.value, "text": text},),
    )


def _never_placed(
    occurrence: OccurrenceId, step: Step, ids: Mapping[OccurrenceId, UUID]
) -> PlannedStep:
    placed = Placed(occurrence, 0, None, None, None, False, False, None, False, ())
    return _planned(placed, step, ids[occurrence], StepStatus.SKIPPED, MonthEnd.CLAMP)


def _plain(state: PlanState) -> StepStatus:
    return StepStatus.PROPOSED if state.status is PlanStatus.DRAFT else StepStatus.PLANNED


def _status(placed: Placed, state: PlanState) -> tuple[StepStatus, Booking | None]:
    """The status of a placed step, and its appointment.

    A booking holds only while its day does; one that has ended is shown until there is another.
    """
    booking = state.booked.get(placed.id, state.ended.get(placed.id))
    status = StepStatus.PERFORMED if placed.performed else status_of(state, placed.id)
    if status is StepStatus.BOOKED and state.moved.get(placed.id) != placed.day:
        return _plain(state), None
    return status, booking


def _dressed(
    placed: Placed, step: Step, id_: UUID, state: PlanState, month_end: MonthEnd
) -> PlannedStep:
    status, booking = _status(placed, state)
    planned = _planned(placed, step, id_, status, month_end)
    if booking is not None:
        planned = replace(planned, appointment=booking_to_data(booking))
    missed = [fact.on.isoformat() for fact in state.missed if fact.occurrence == placed.id]
    if not missed:
        return planned
    text = f"missed on {' and '.join(missed)}"
    if status is StepStatus.MISSED and placed.day is not None:
        text = f"{text}; this day is proposed instead"
    return replace(planned, reasons=({"code": "missed", "text": text}, *planned.reasons))


def _planned(
    placed: Placed, step: Step, id_: UUID, status: StepStatus, month_end: MonthEnd
) -> PlannedStep:
    details, window = step.details, placed.window
    point = next((p for p in step.timepoints if p.key == placed.id.occurrence), None)
    minutes = details.minutes if point is None else point.minutes or details.minutes
    modes = details.modes if point is None or point.modes is None else point.modes
    return PlannedStep(
        id=id_,
        occurrence=placed.id,
        position=placed.position,
        ordinal=placed.ordinal,
        of=placed.of,
        kind=step.kind,
        title=step.title if point is None or point.title is None else point.title,
        agent=step.agent,
        optional=step.optional,
        status=status,
        tentative=placed.tentative,
        day=placed.day,
        end=placed.end,
        earliest=None if window is None else window.earliest,
        target=None if window is None else window.target,
        latest=None if window is None else window.latest,
        deadline=placed.deadline,
        deviation_days=placed.deviation_days,
        minutes=minutes,
        modes=tuple(modes),
        reasons=tuple(reason_to_data(reason) for reason in placed.reasons),
        instructions=_instructions(step, placed.day, month_end),
    )


def _instructions(step: Step, day: date | None, month_end: MonthEnd) -> tuple[Data, ...]:
    if day is None:
        return ()
    found = []
    for instruction in step.details.instructions:
        on = instruction.offset.from_day(day, month_end)
        found.append(
            {"date": on.isoformat(), "audience": instruction.audience, "text": instruction.text}
        )
    return tuple(found)


def breaches_of(
    schedule: Schedule, ids: Mapping[OccurrenceId, UUID], acknowledged: tuple[str, ...]
) -> list[Data]:
    """The breaches of a schedule in the shape of the API; where a rule is broken by one step more
    than once, the ids are numbered.
    """
    found: list[Data] = []
    numbers: Counter[str] = Counter()
    for text, breach in {breach.text: breach for breach in schedule.breaches}.items():
        numbers[breach.id] += 1
        number = numbers[breach.id]
        numbered = replace(breach, id=f"{breach.id}:{number}") if number > 1 else breach
        step_ids = [str(ids[occurrence]) for occurrence in breach.occurrences]
        found.append(breach_to_data(numbered, step_ids, acknowledged=text in acknowledged))
    return found


def attention_of(
    breaches: list[Data],
    steps: tuple[PlannedStep, ...],
    starts: tuple[tuple[str, str], ...] = (),
) -> list[Data]:
    """Why a person must look at a plan: breaches to review, steps without a day, what a decision
    starts and nobody has begun yet.
    """
    found: list[dict[str, Any]] = [
        {"code": "breach", "text": breach["text"], "breach": breach["id"]}
        for breach in breaches
        if breach["severity"] != Severity.WARN and not breach["acknowledged"]
    ]
    found += [
        {"code": "undated", "text": f"{step.title} has no day yet", "step_id": str(step.id)}
        for step in steps
        if step.day is None and step.status not in GONE
    ]
    found += [
        {"code": "missed", "text": f"{step.title} was missed", "step_id": str(step.id)}
        for step in steps
        if step.status is StepStatus.MISSED
    ]
    return [*found, *to_be_started(steps, starts)]


def to_be_started(
    steps: tuple[PlannedStep, ...], starts: tuple[tuple[str, str], ...]
) -> list[Data]:
    """What decisions start and nobody has begun yet, each a reason to look at the plan."""
    return [
        {
            "code": "start",
            "text": f"{step.title}: protocol '{protocol}' is to be started",
            "step_id": str(step.id),
        }
        for key, protocol in starts
        for step in steps
        if step.occurrence.step == key
    ]


def next_step(steps: tuple[PlannedStep, ...]) -> UUID | None:
    """The first undone step somebody has to attend to: spans of restriction are not."""
    undone = [
        (step.day, step.position, step.id)
        for step in steps
        if step.day is not None
        and step.status not in {StepStatus.PERFORMED, *GONE}
        and step.kind not in UNATTENDED
        and step.end is None
    ]
    return min(undone)[2] if undone else None


def needs_open_day(protocol: Protocol, name: OccurrenceId, *, usual: bool) -> bool:
    """Whether a step needs an open day; as is ``usual`` for one that was added to a plan alone."""
    step = protocol.step(name.step)
    if step is None:
        return usual
    at_points = {point.key: point.any_day for point in step.timepoints}
    any_day = at_points.get(str(name.occurrence))
    return not (step.any_day if any_day is None else any_day)


def lived_through(
    steps: tuple[PlannedStep, ...], protocol: Protocol, today: date
) -> frozenset[UUID]:
    """Spans that need no open day and have wholly passed; nobody performed or called them off.

    They were in force, unless they hang on an open decision or follow a step which was not done.
    """
    by_key = {step.key: step for step in protocol.steps}
    undone = [step for step in steps if step.status is not StepStatus.PERFORMED]
    found = set()
    for span in undone:
        planned = span.status is StepStatus.PLANNED and not span.tentative
        step = by_key.get(span.occurrence.step)
        if not planned or span.end is None or span.end >= today or step is None:
            continue
        begun = {s.occurrence.step for s in undone if s.day and span.day and s.day <= span.day}
        if step.any_day and not begun & _references(step):
            found.add(span.id)
    return frozenset(found)


def _references(step: Step) -> set[str]:
    alternatives = () if step.alternatives is None else step.alternatives.options
    timings = (*step.timings, *(timing for _, timing in alternatives))
    found = (timing.reference for timing in timings)
    return {reference.step for reference in found if isinstance(reference, StepReference)}
