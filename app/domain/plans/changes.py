"""Changes to a plan as a whole, and the union of all changes: applied together or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.domain.calendars import Absence
from app.domain.facts import OccurrenceId, Reported
from app.domain.plans.state import Given, PlanState, status_of
from app.domain.plans.step_changes import (
    Arrive,
    Book,
    Cancel,
    CloseStart,
    ContradictoryChange,
    Miss,
    Move,
    Perform,
    Pin,
    Restore,
    Skip,
    Unbook,
    Unpin,
    asked_for,
    having,
    refuse_future,
    refuse_gone,
    refuse_performed,
    released,
)
from app.domain.states import PlanStatus, may

LIVING = frozenset({PlanStatus.DRAFT, PlanStatus.ACTIVE, PlanStatus.ON_HOLD})
RESTING = frozenset({PlanStatus.ON_HOLD, PlanStatus.COMPLETED})


# How the keys of steps begin which were added to one plan.
ADDED = "added_"


@dataclass(frozen=True, slots=True)
class AddStep:
    """A step of this plan alone, as a protocol document writes it."""

    step: Mapping[str, Any]

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The plan has this step too."""
        del as_of
        return replace(state, added=(*state.added, self.step))


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Another value of a parameter."""

    key: str
    value: str | int

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The parameter has this value; whether it may is the engine's to say."""
        del as_of
        return replace(state, parameters=having(state.parameters, self.key, self.value))


@dataclass(frozen=True, slots=True)
class Decide:
    """A decision is taken: today at its visit, unless that is on record already.

    ``shifts`` puts off steps by days, as the choice or whoever decides says; ``sets`` are the
    parameters which the choice sets, ``starts`` other protocols which it starts.
    """

    step: str
    choice: str
    shifts: tuple[tuple[str, int], ...] = ()
    sets: tuple[tuple[str, str | int], ...] = ()
    starts: tuple[str, ...] = ()

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The decision's choice holds from now on."""
        if self.step in state.decided:
            raise ContradictoryChange(f"decision '{self.step}' is taken already")
        occurrence = OccurrenceId(self.step)
        refuse_gone(state, occurrence)
        if all(fact.occurrence != occurrence for fact in state.performed):
            state = Perform(occurrence, as_of).applied_to(state, as_of)
        for key, days in self.shifts:
            total = state.shifts.get(key, 0) + days
            state = replace(state, shifts=having(state.shifts, key, total))
        for key, value in self.sets:
            state = replace(state, parameters=having(state.parameters, key, value))
        starts = (*state.starts, *((self.step, protocol) for protocol in self.starts))
        decided = having(state.decided, self.step, self.choice)
        return replace(state, decided=decided, starts=starts)


@dataclass(frozen=True, slots=True)
class Report:
    """An agent was given, or a finding made, outside the plan."""

    report: Reported

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The report counts for this plan."""
        refuse_future(self.report.on, as_of)
        return replace(state, reported=(*state.reported, self.report))


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The patient is away."""

    absence: Absence

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """No step that needs an open day falls into the absence."""
        del as_of
        return replace(state, absences=(*state.absences, self.absence))


@dataclass(frozen=True, slots=True)
class Waive:
    """A person sets an element aside, or widens it by some days."""

    element: str
    days: int | None
    reason: str

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The element gives way as far as waived."""
        del as_of
        kept = tuple(given for given in state.waivers if given.element != self.element)
        return replace(state, waivers=(*kept, Given(self.element, self.days, self.reason)))


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person has seen a breach, as it reads in ``text``."""

    breach: str
    text: str

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The breach no longer asks for attention, until it reads otherwise."""
        del as_of
        if self.text in state.acknowledged:
            raise ContradictoryChange("the breach is acknowledged already")
        return replace(state, acknowledged=(*state.acknowledged, self.text))


@dataclass(frozen=True, slots=True)
class MoveAnchor:
    """Another day for the anchor; without one it is postponed."""

    to: date | None

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The plan hangs from this day, or waits for one."""
        del as_of
        if state.anchor is None:
            raise ContradictoryChange("this plan has no anchor")
        occurrence = state.anchor.occurrence
        if self.to is not None:
            return asked_for(state, occurrence, self.to)
        refuse_performed(state, occurrence)
        refuse_gone(state, occurrence)
        return replace(released(state, occurrence), postponed=True)


@dataclass(frozen=True, slots=True)
class SetStatus:
    """The plan as a whole is activated, held, completed, revoked or in error."""

    to: PlanStatus

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The plan has this status, where the table of transitions allows it."""
        del as_of
        if self.to is PlanStatus.ACTIVE and state.status is not PlanStatus.DRAFT:
            raise ContradictoryChange(f"a plan that is {state.status} is not activated")
        if not may(state.status, self.to):
            raise ContradictoryChange(f"a plan that is {state.status} cannot become {self.to}")
        return replace(state, status=self.to)


@dataclass(frozen=True, slots=True)
class Resume:
    """A plan on hold, or completed too early, goes on: nothing undone lies before ``on``."""

    on: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The plan is active and is dated again from that day."""
        if state.status not in RESTING:
            raise ContradictoryChange(f"a plan that is {state.status} is not resumed")
        if self.on < as_of:
            raise ContradictoryChange("a plan cannot be resumed before today")
        return replace(state, status=PlanStatus.ACTIVE, not_before=self.on)


@dataclass(frozen=True, slots=True)
class Amend:
    """The plan goes on by another version of its protocol."""

    version: str

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """Steps are matched by key; what is performed stays as it was."""
        del as_of
        if state.version == self.version:
            raise ContradictoryChange(f"the plan follows version '{self.version}' already")
        return replace(state, version=self.version)


Change = (
    Perform
    | Miss
    | Move
    | Pin
    | Unpin
    | Book
    | Arrive
    | Unbook
    | Skip
    | Cancel
    | Restore
    | CloseStart
    | AddStep
    | SetParameter
    | Decide
    | Report
    | Unavailable
    | Waive
    | Acknowledge
    | MoveAnchor
    | SetStatus
    | Resume
    | Amend
)


def changed_by(state: PlanState, changes: Iterable[Change], *, as_of: date) -> PlanState:
    """The state after these changes, all or none. Raises ContradictoryChange."""
    state = replace(state, asked=())
    said: dict[tuple[str, object], object] = {}
    for place, change in enumerate(changes):
        try:
            _refuse_two_minds(change, state, said)
            state = _after(change, state, as_of)
        except ContradictoryChange as error:
            error.place = place
            raise
    return state


def _after(change: Change, state: PlanState, as_of: date) -> PlanState:
    if state.status not in LIVING and not isinstance(change, SetStatus | Resume | CloseStart):
        raise ContradictoryChange(f"a plan that is {state.status} does not change")
    after = change.applied_to(state, as_of)
    occurrence = getattr(change, "occurrence", None)
    if occurrence is not None:
        was, is_now = status_of(state, occurrence), status_of(after, occurrence)
        if is_now is not was and not may(was, is_now):
            raise ContradictoryChange(f"step '{occurrence}' is {was}, it cannot become {is_now}")
    return after


def _refuse_two_minds(
    change: Change, state: PlanState, said: dict[tuple[str, object], object]
) -> None:
    """Raise ContradictoryChange where what is posted together wants one thing in two ways."""
    thing: tuple[str, object]
    value: object
    match change:
        case Move(occurrence, wanted) | Pin(occurrence, wanted) | Book(occurrence, wanted, _):
            thing, value = ("day", occurrence), wanted
        case MoveAnchor(to):
            thing, value = ("day", state.anchor and state.anchor.occurrence), to
        case SetParameter(key, given):
            thing, value = ("parameter", key), given
        case Waive(element, days, _):
            thing, value = ("waiver", element), days
        case Amend(version):
            thing, value = ("version", None), version
        case _:
            return
    if said.setdefault(thing, value) != value:
        raise ContradictoryChange("what is posted together wants this in two ways")
