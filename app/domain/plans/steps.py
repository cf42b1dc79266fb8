"""Planned steps: the engine's schedule dressed with what people and clients read of each step."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.facts import OccurrenceId
from app.domain.offsets import MonthEnd
from app.domain.plans.records import Data, breach_to_data, reason_to_data
from app.domain.protocols import Protocol, Step, StepKind
from app.domain.rules import Severity
from app.domain.schedules import Placed, Schedule
from app.domain.states import PlanStatus, StepStatus

UNATTENDED = frozenset({StepKind.RESTRICTION})


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


def planned_steps(
    schedule: Schedule,
    protocol: Protocol,
    ids: dict[OccurrenceId, UUID],
    *,
    status: PlanStatus,
) -> tuple[PlannedStep, ...]:
    """Every placed step with its texts; ``ids`` gives each occurrence an id surviving moves."""
    open_status = StepStatus.PROPOSED if status is PlanStatus.DRAFT else StepStatus.PLANNED
    by_key = {step.key: step for step in protocol.steps}
    return tuple(
        _planned(
            placed,
            by_key[placed.id.step],
            ids[placed.id],
            StepStatus.PERFORMED if placed.performed else open_status,
            protocol.month_end,
        )
        for placed in schedule.steps
    )


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
    schedule: Schedule, ids: dict[OccurrenceId, UUID], acknowledged: tuple[str, ...]
) -> list[Data]:
    """The breaches of a schedule in the shape of the API."""
    return [
        breach_to_data(
            breach,
            [str(ids[occurrence]) for occurrence in breach.occurrences],
            acknowledged=breach.id in acknowledged,
        )
        for breach in schedule.breaches
    ]


def attention_of(breaches: list[Data], steps: tuple[PlannedStep, ...]) -> list[Data]:
    """Why a person must look at a plan: breaches to review, steps without a day."""
    found: list[dict[str, Any]] = [
        {"code": "breach", "text": breach["text"], "breach": breach["id"]}
        for breach in breaches
        if breach["severity"] != Severity.WARN and not breach["acknowledged"]
    ]
    found += [
        {"code": "undated", "text": f"{step.title} has no day yet", "step_id": str(step.id)}
        for step in steps
        if step.day is None
    ]
    return found


def next_step(steps: tuple[PlannedStep, ...]) -> UUID | None:
    """The first undone step somebody has to attend to: spans of restriction are not."""
    undone = [
        (step.day, step.position, step.id)
        for step in steps
        if step.day is not None
        and step.status is not StepStatus.PERFORMED
        and step.kind not in UNATTENDED
        and step.end is None
    ]
    return min(undone)[2] if undone else None
