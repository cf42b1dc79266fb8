"""Posted changes before the plan they speak of is known, and how they find their steps in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import Any
from uuid import UUID

from app.domain.documents import InvalidProtocol, ProtocolDocument, parse_protocol
from app.domain.documents.protocol_writing import document_to_data
from app.domain.errors import Fault, Faults
from app.domain.facts import OccurrenceId
from app.domain.plans.changes import AddStep, Amend, Change, Decide, SetParameter
from app.domain.plans.state import PlanState
from app.domain.protocols import Choice, Protocol

StepName = UUID | OccurrenceId


class InvalidChange(Faults):
    """Changes that do not fit the plan; each fault is named by its JSON pointer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change is applied: the location's zone and today, and the change's own id."""

    zone: tzinfo
    today: date
    id: UUID


@dataclass(frozen=True, slots=True)
class StepChange:
    """A change of one step, which is named by its id or its occurrence.

    ``said`` is kept in the history: findings, a note.
    """

    step: StepName
    make: Callable[[Place, OccurrenceId], Change]
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A change of the plan as a whole."""

    make: Callable[[Place], Change]


@dataclass(frozen=True, slots=True)
class DecideChange:
    """A decision taken; ``shift`` puts off by days the steps which the choice keeps."""

    step: StepName
    choice: str
    shift: int | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Correction:
    """An earlier change was entered in error: the plan is computed without it."""

    change_id: UUID


Posted = StepChange | PlanChange | DecideChange | Correction


@dataclass(frozen=True, slots=True)
class PostedChanges:
    """What is posted together, with why."""

    changes: tuple[Posted, ...]
    reason: str | None = None

    def said(self, number: int) -> dict[str, Any]:
        """What was said of one of the changes, for the history."""
        change = self.changes[number]
        if isinstance(change, StepChange | DecideChange) and change.said:
            return {"said": dict(change.said)}
        return {}

    @property
    def corrections(self) -> tuple[UUID, ...]:
        """The changes entered in error."""
        return tuple(c.change_id for c in self.changes if isinstance(c, Correction))


def resolved(
    posted: PostedChanges,
    places: tuple[Place, ...],
    protocol: Protocol,
    steps: Mapping[UUID, OccurrenceId],
) -> tuple[tuple[UUID, Change], ...]:
    """The changes of a plan with their ids. Raises InvalidChange naming each place."""
    faults: list[Fault] = []
    found: list[tuple[UUID, Change]] = []
    known = set(steps.values())
    for number, (change, place) in enumerate(zip(posted.changes, places, strict=True)):
        at = f"/changes/{number}"
        occurrence = None
        if isinstance(change, StepChange | DecideChange):
            occurrence = _occurrence(change.step, steps, known)
            if occurrence is None:
                faults.append(Fault(f"{at}/step_id", "unknown-step", "the plan has no such step"))
                continue
        made = _Reading(protocol, at, faults).made(change, place, occurrence)
        if made is not None:
            found.append((place.id, made))
    if faults:
        raise InvalidChange(tuple(faults))
    return tuple(found)


def _occurrence(
    step: StepName, steps: Mapping[UUID, OccurrenceId], known: set[OccurrenceId]
) -> OccurrenceId | None:
    if isinstance(step, UUID):
        return steps.get(step)
    return step if step in known else None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One posted change read for a protocol; what does not fit is added to the faults."""

    protocol: Protocol
    at: str
    faults: list[Fault]

    def made(self, change: Posted, place: Place, occurrence: OccurrenceId | None) -> Change | None:
        """The change, or nothing for a correction or a faulty one."""
        match change:
            case DecideChange() if occurrence is not None:
                return self._decision(change, occurrence)
            case StepChange(_, make) if occurrence is not None:
                return make(place, occurrence)
            case PlanChange(make):
                made = make(place)
                if isinstance(made, SetParameter):
                    self._check_parameter(made)
                return made
            case _:
                return None

    def _refuse(self, member: str, code: str, text: str) -> None:
        self.faults.append(Fault(f"{self.at}/{member}", code, text))

    def _check_parameter(self, change: SetParameter) -> None:
        known = {parameter.key: parameter for parameter in self.protocol.parameters}
        if change.key not in known:
            self._refuse("key", "unknown-parameter", "the protocol has no such parameter")
        elif not known[change.key].accepts(change.value):
            self._refuse("value", "not-allowed", "the parameter does not take this value")

    def _decision(self, change: DecideChange, occurrence: OccurrenceId) -> Change | None:
        step = self.protocol.step(occurrence.step)
        choices = {} if step is None else {choice.key: choice for choice in step.choices}
        if not choices:
            self._refuse("step_id", "not-a-decision", "the step is not a decision")
            return None
        choice = choices.get(change.choice)
        if choice is None:
            self._refuse("choice", "not-allowed", f"must be one of {', '.join(choices)}")
            return None
        shifts = [*own_shifts(choice)]
        if change.shift is not None:
            kept = [key for e in choice.effects if e.type == "keep" for key in e.steps]
            if not kept:
                text = "this choice keeps no step that could be put off"
                self._refuse("shift", "not-allowed", text)
            shifts += [(key, change.shift) for key in kept]
        return Decide(occurrence.step, change.choice, tuple(shifts))


def own_shifts(choice: Choice) -> list[tuple[str, int]]:
    """The steps which a choice puts off by itself, with the days."""
    return [
        (key, effect.offset.fixed_days)
        for effect in choice.effects
        if effect.type == "shift" and effect.offset is not None
        for key in effect.steps
        if effect.offset.fixed_days is not None
    ]


def extended(document: ProtocolDocument, state: PlanState) -> Protocol:
    """The protocol with the steps added to one plan. Raises InvalidChange for a faulty one."""
    if not state.added:
        return document.protocol
    data = dict(document_to_data(document))
    first = len(data["steps"])
    data["steps"] = [*data["steps"], *state.added]
    try:
        return parse_protocol(data).protocol
    except InvalidProtocol as error:
        raise InvalidChange(tuple(_of_added(fault, first) for fault in error.faults)) from error


def _of_added(fault: Fault, first: int) -> Fault:
    """A fault of an added step, named by the member of the change that holds it."""
    parts = fault.pointer.split("/")
    if len(parts) > 2 and parts[1] == "steps" and int(parts[2]) >= first:
        return Fault("/changes/" + "/".join(["step", *parts[3:]]), fault.code, fault.text)
    return fault


def target_version(changes: tuple[tuple[UUID, Change], ...], now: str) -> str:
    """The protocol version a plan follows after these changes."""
    return next((c.version for _, c in reversed(changes) if isinstance(c, Amend)), now)


def adds_steps(changes: tuple[tuple[UUID, Change], ...]) -> bool:
    """Whether any change adds a step of the plan's own."""
    return any(isinstance(change, AddStep) for _, change in changes)
