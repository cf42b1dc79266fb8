"""Posted changes before the plan they speak of is known, and how they find their steps in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from typing import Any
from uuid import UUID

from app.domain.documents import InvalidProtocol, ProtocolDocument, parse_protocol
from app.domain.documents.protocol_writing import document_to_data
from app.domain.errors import Fault, Faults
from app.domain.facts import OccurrenceId
from app.domain.plans.changes import (
    Acknowledge,
    AddStep,
    Amend,
    Change,
    Decide,
    MoveAnchor,
    SetParameter,
)
from app.domain.plans.state import PlanState
from app.domain.plans.step_changes import (
    CloseStart,
    ContradictoryChange,
    FutureFact,
    Miss,
    Perform,
    Pin,
)
from app.domain.protocols import Choice, Protocol

StepName = UUID | OccurrenceId


class InvalidChange(Faults):
    """Changes that do not fit the plan; each fault is named by its JSON pointer."""


def contradiction(error: ContradictoryChange, number: int, day_at: str) -> Fault:
    """What is wrong with one of the changes; of a fact to come it is the member ``day_at``."""
    at = f"/changes/{number}"
    if isinstance(error, FutureFact):
        return Fault(f"{at}/{day_at}", "after-today", str(error))
    return Fault(at, "contradiction", str(error))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change is applied: the location's zone and today, the change's own id, and the day
    its step has now.
    """

    zone: tzinfo
    today: date
    id: UUID
    day: date | None = None


@dataclass(frozen=True, slots=True)
class StepChange:
    """A change of one step, which is named by its id or its occurrence.

    ``said`` is kept in the history: findings, a note. ``day_at`` is the member that says its day.
    """

    step: StepName
    make: Callable[[Place, OccurrenceId], Change]
    said: Mapping[str, Any] = field(default_factory=dict)
    day_at: str = "on"


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


@dataclass(frozen=True, slots=True)
class AcknowledgeChange:
    """A breach of the plan was seen by a person, or is accepted as ``text`` says it will read."""

    breach: str
    text: str | None = None


Posted = StepChange | PlanChange | DecideChange | AcknowledgeChange | Correction


@dataclass(frozen=True, slots=True)
class PostedChanges:
    """What is posted together, with why.

    With ``leave_days`` what happened is recorded also where it leaves no schedule.
    """

    changes: tuple[Posted, ...]
    reason: str | None = None
    leave_days: bool = False

    def said(self, number: int) -> dict[str, Any]:
        """What was said of one of the changes, for the history."""
        change = self.changes[number]
        if isinstance(change, StepChange | DecideChange) and change.said:
            return {"said": dict(change.said)}
        return {}

    @property
    def corrections(self) -> dict[int, UUID]:
        """The changes entered in error, by their place among those posted."""
        return {
            number: change.change_id
            for number, change in enumerate(self.changes)
            if isinstance(change, Correction)
        }


@dataclass(frozen=True, slots=True)
class Made:
    """A posted change read for its plan, with its place among those posted and its own id."""

    number: int
    id: UUID
    change: Change


@dataclass(frozen=True, slots=True)
class Known:
    """What posted changes are read by: the plan's protocol, state, steps with their days, and the
    texts of its breaches by their ids. ``called_off`` are steps which a decision has taken out.
    """

    protocol: Protocol
    state: PlanState
    steps: Mapping[UUID, OccurrenceId]
    days: Mapping[OccurrenceId, date | None]
    breaches: Mapping[str, str]
    called_off: frozenset[OccurrenceId]


def made_of(change: Change) -> OccurrenceId | None:
    """The occurrence which a change is about, if it is about one."""
    found: OccurrenceId | None = getattr(change, "occurrence", None)
    return found


def resolved(posted: PostedChanges, places: tuple[Place, ...], known: Known) -> tuple[Made, ...]:
    """The changes of a plan with their ids. Raises InvalidChange naming each place."""
    faults: list[Fault] = []
    found: list[Made] = []
    for number, (change, place) in enumerate(zip(posted.changes, places, strict=True)):
        made = _Reading(known, f"/changes/{number}", faults).made(change, place)
        if made is not None:
            found.append(Made(number, place.id, made))
    if not any(isinstance(one.change, Amend) for one in found):
        # Else the other version says what may be set.
        for one in found:
            if isinstance(one.change, SetParameter):
                _Reading(known, f"/changes/{one.number}", faults).check_parameter(one.change)
    if faults:
        raise InvalidChange(tuple(faults))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One posted change read for a plan; what does not fit is added to the faults."""

    known: Known
    at: str
    faults: list[Fault]

    def made(self, change: Posted, place: Place) -> Change | None:
        """The change, or nothing for a correction or a faulty one."""
        match change:
            case StepChange(step) | DecideChange(step):
                occurrence = self._occurrence(step)
                if occurrence is None:
                    return None
                if isinstance(change, DecideChange):
                    return self._decision(change, occurrence)
                place = replace(place, day=self.known.days.get(occurrence))
                return self._of_step(change.make(place, occurrence), place)
            case PlanChange(make):
                return make(place)
            case AcknowledgeChange(breach, text):
                return self._acknowledgement(breach, text)
            case Correction():
                return None

    def _acknowledgement(self, breach: str, text: str | None) -> Change | None:
        text = text or self.known.breaches.get(breach)
        if text is None:
            self._refuse("breach", "unknown-breach", "the plan has no such breach")
            return None
        return Acknowledge(breach, text)

    def _occurrence(self, step: StepName) -> OccurrenceId | None:
        by_id = isinstance(step, UUID)
        found = self.known.steps.get(step) if isinstance(step, UUID) else step
        if found not in self.known.days:
            text = "the plan has no such step"
            self._refuse("step_id" if by_id else "step", "unknown-step", text)
            return None
        return found

    def _of_step(self, made: Change, place: Place) -> Change:
        anchor = self.known.state.anchor
        if not isinstance(made, Perform | CloseStart) and made_of(made) in self.known.called_off:
            text = f"step '{made_of(made)}' is called off by a decision"
            self.faults.append(Fault(self.at, "contradiction", text))
            return made
        match made:
            case Pin(occurrence, to) if anchor is not None and occurrence == anchor.occurrence:
                # The anchor's day is one that nothing moves: there is no other way to ask for it.
                return MoveAnchor(to)
            case Miss(_, on, None) if place.day is not None and place.day > on:
                text = "the step is planned for a later day"
                self.faults.append(Fault(self.at, "not-yet", text))
        return made

    def _refuse(self, member: str, code: str, text: str) -> None:
        self.faults.append(Fault(f"{self.at}/{member}", code, text))

    def check_parameter(self, change: SetParameter) -> None:
        """Whether the plan's protocol lets a person set this."""
        known = {parameter.key: parameter for parameter in self.known.protocol.parameters}
        decided = decided_parameters(self.known.protocol, self.known.state)
        if change.key not in known:
            self._refuse("key", "unknown-parameter", "the protocol has no such parameter")
        elif change.key in decided:
            self._refuse("key", "decided", f"is set by the decision '{decided[change.key]}'")
        elif not known[change.key].may_be_given(change.value):
            self._refuse("value", "not-allowed", "the parameter does not take this value")

    def _decision(self, change: DecideChange, occurrence: OccurrenceId) -> Change | None:
        step = self.known.protocol.step(occurrence.step)
        choices = {} if step is None else {choice.key: choice for choice in step.choices}
        if not choices:
            member = "step_id" if isinstance(change.step, UUID) else "step"
            self._refuse(member, "not-a-decision", "the step is not a decision")
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
        sets, starts = own_sets(choice), own_starts(choice)
        return Decide(occurrence.step, change.choice, tuple(shifts), sets, starts)


def decided_parameters(protocol: Protocol, state: PlanState) -> dict[str, str]:
    """The parameters which decisions taken have set, with the decision."""
    return {
        key: step.key
        for step in protocol.steps
        for choice in step.choices
        if state.decided.get(step.key) == choice.key
        for key, _ in own_sets(choice)
    }


def own_sets(choice: Choice) -> tuple[tuple[str, str | int], ...]:
    """The parameters which a choice sets, with their values."""
    return tuple(
        (effect.parameter, effect.value)
        for effect in choice.effects
        if effect.type == "set" and effect.parameter is not None and effect.value is not None
    )


def own_starts(choice: Choice) -> tuple[str, ...]:
    """The protocols which a choice starts."""
    return tuple(effect.protocol for effect in choice.effects if effect.protocol is not None)


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
    """The protocol with the steps added to one plan. Raises InvalidProtocol for a faulty one."""
    if not state.added:
        return document.protocol
    data = dict(document_to_data(document))
    data["steps"] = [*data["steps"], *state.added]
    return parse_protocol(data).protocol


def extended_by(document: ProtocolDocument, state: PlanState, made: tuple[Made, ...]) -> Protocol:
    """The same where changes added steps or another version: its faults are theirs.

    Raises InvalidChange naming each place.
    """
    try:
        return extended(document, state)
    except InvalidProtocol as error:
        first = len(document.protocol.steps)
        adding = [one.number for one in made if isinstance(one.change, AddStep)]
        earlier = len(state.added) - len(adding)
        numbers = {first + earlier + place: number for place, number in enumerate(adding)}
        amending = [one.number for one in made if isinstance(one.change, Amend)]
        elsewhere = f"/changes/{amending[-1]}/version" if amending else "/changes"
        faults = (_of_added(fault, numbers, elsewhere) for fault in error.faults)
        raise InvalidChange(tuple(faults)) from error


def _of_added(fault: Fault, numbers: Mapping[int, int], elsewhere: str) -> Fault:
    """A fault of an added step, named by the member of the change that holds it, in own words."""
    if fault.code == "unknown-step":
        text = "the protocol has no such step"
        if elsewhere.endswith("/version"):
            text = "an added step counts from one which the version does not have: correct it first"
        fault = replace(fault, text=text)
    parts = fault.pointer.split("/")[1:]
    place = int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else -1
    if parts[0] != "steps" or place not in numbers:
        return Fault(elsewhere, fault.code, fault.text)
    at, inside = f"/changes/{numbers[place]}", parts[2:]
    if inside[:1] == ["timings"]:
        return Fault("/".join([at, "timing", *inside[2:]]), fault.code, fault.text)
    if inside[:1] in (["title"], ["kind"]):
        return Fault(f"{at}/{inside[0]}", fault.code, fault.text)
    return Fault(at, fault.code, fault.text)


def version_faults(made: tuple[Made, ...], protocol: Protocol, state: PlanState) -> list[Fault]:
    """Why a plan cannot go on by the version it is amended to."""
    amending = [one.number for one in made if isinstance(one.change, Amend)]
    if not amending:
        return []
    known = {parameter.key: parameter for parameter in protocol.parameters}
    set_now = {one.change.key: one.number for one in made if isinstance(one.change, SetParameter)}
    texts = [
        f"the version does not take parameter '{key}' as it is set: set another value with it"
        for key, value in state.parameters.items()
        if key in known and key not in set_now and not known[key].accepts(value)
    ]
    if (None if state.anchor is None else state.anchor.occurrence.step) != protocol.anchor:
        texts.append("the version hangs from another step")
    at = f"/changes/{amending[-1]}/version"
    faults = [Fault(at, "not-compatible", text) for text in texts]
    for key, number in set_now.items():
        if key not in known:
            text = "the version has no such parameter"
            faults.append(Fault(f"/changes/{number}/key", "unknown-parameter", text))
        elif not known[key].may_be_given(state.parameters[key]):
            text = "the parameter does not take this value"
            faults.append(Fault(f"/changes/{number}/value", "not-allowed", text))
    return faults
