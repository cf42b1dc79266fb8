"""Changes: facts and choices posted together. Each knows how it changes a plan's state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any, TypeVar

from app.domain.calendars import Absence
from app.domain.facts import (
    Anchor,
    InvalidRequest,
    Missed,
    OccurrenceId,
    Performed,
    Pinned,
    Reported,
    Skipped,
)
from app.domain.plans.state import Booking, Given, PlanState

K = TypeVar("K")
T = TypeVar("T")


class ContradictoryChange(InvalidRequest):
    """Changes that cannot hold together, or a fact that lies in the future."""


@dataclass(frozen=True, slots=True)
class Perform:
    """A step was done on a local day."""

    occurrence: OccurrenceId
    on: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step is performed; a day asked for it is forgotten."""
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        _refuse_future(self.on, as_of)
        performed = (*state.performed, Performed(self.occurrence, self.on))
        return replace(_released(state, self.occurrence), performed=performed)


@dataclass(frozen=True, slots=True)
class Miss:
    """Nobody came: the step is placed again, on a later day."""

    occurrence: OccurrenceId
    on: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step needs another day; being missed is kept on record."""
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        _refuse_future(self.on, as_of)
        earlier = tuple(fact for fact in state.missed if fact.occurrence != self.occurrence)
        missed = (*earlier, Missed(self.occurrence, self.on))
        return replace(_released(state, self.occurrence), missed=missed)


@dataclass(frozen=True, slots=True)
class Move:
    """A person wants a step on this day: asked for once, then a promise that does not drift."""

    occurrence: OccurrenceId
    to: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has this day now; a booking of another day is gone."""
        del as_of
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        state = _released(state, self.occurrence)
        return replace(
            state,
            asked=(*state.asked, Pinned(self.occurrence, self.to)),
            moved=_with(state.moved, self.occurrence, self.to),
        )


@dataclass(frozen=True, slots=True)
class Pin:
    """A person wants a step on this day and no other."""

    occurrence: OccurrenceId
    to: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has this day, or the plan conflicts."""
        del as_of
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        pins = (*_unpinned(state, self.occurrence), Pinned(self.occurrence, self.to))
        return replace(state, pinned=pins)


@dataclass(frozen=True, slots=True)
class Unpin:
    """The day of a step is the engine's to choose again."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """No day is asked for this step."""
        del as_of
        pins = _unpinned(state, self.occurrence)
        if len(pins) == len(state.pinned):
            raise ContradictoryChange(f"step '{self.occurrence}' is not pinned")
        return replace(state, pinned=pins)


@dataclass(frozen=True, slots=True)
class Book:
    """A visit is booked, on the local day ``day``."""

    occurrence: OccurrenceId
    day: date
    booking: Booking

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has the booking's day, which is kept before planned ones."""
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        if self.booking.ends_at <= self.booking.starts_at:
            raise ContradictoryChange("the booking ends before it begins")
        if self.day < as_of:
            raise ContradictoryChange("a booking cannot lie before today")
        state = _released(state, self.occurrence)
        return replace(
            state,
            asked=(*state.asked, Pinned(self.occurrence, self.day)),
            moved=_with(state.moved, self.occurrence, self.day),
            booked=_with(state.booked, self.occurrence, self.booking),
        )


@dataclass(frozen=True, slots=True)
class Unbook:
    """The booking is gone; the day stays planned."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has no booking."""
        del as_of
        if self.occurrence not in state.booked:
            raise ContradictoryChange(f"step '{self.occurrence}' is not booked")
        return replace(state, booked=_without(state.booked, self.occurrence))


@dataclass(frozen=True, slots=True)
class Skip:
    """A step is left out."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step leaves its chain."""
        del as_of
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        state = _released(state, self.occurrence)
        return replace(state, skipped=(*state.skipped, Skipped(self.occurrence)))


@dataclass(frozen=True, slots=True)
class Cancel:
    """A step is called off."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step leaves its chain."""
        del as_of
        _refuse_performed(state, self.occurrence)
        _refuse_gone(state, self.occurrence)
        state = _released(state, self.occurrence)
        return replace(state, cancelled=(*state.cancelled, Skipped(self.occurrence)))


@dataclass(frozen=True, slots=True)
class Restore:
    """A skipped or cancelled step is wanted after all."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step is planned again."""
        del as_of
        skipped = tuple(f for f in state.skipped if f.occurrence != self.occurrence)
        cancelled = tuple(f for f in state.cancelled if f.occurrence != self.occurrence)
        if len(skipped) + len(cancelled) == len(state.skipped) + len(state.cancelled):
            raise ContradictoryChange(f"step '{self.occurrence}' is not skipped or cancelled")
        return replace(state, skipped=skipped, cancelled=cancelled)


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
        return replace(state, parameters=_with(state.parameters, self.key, self.value))


@dataclass(frozen=True, slots=True)
class Decide:
    """A decision is taken: today at its visit, unless that is on record already.

    ``shifts`` puts off steps by days, as the choice or whoever decides says.
    """

    step: str
    choice: str
    shifts: tuple[tuple[str, int], ...] = ()

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The decision's choice holds from now on."""
        if self.step in state.decided:
            raise ContradictoryChange(f"decision '{self.step}' is taken already")
        occurrence = OccurrenceId(self.step)
        _refuse_gone(state, occurrence)
        if all(fact.occurrence != occurrence for fact in state.performed):
            state = Perform(occurrence, as_of).applied_to(state, as_of)
        for key, days in self.shifts:
            total = state.shifts.get(key, 0) + days
            state = replace(state, shifts=_with(state.shifts, key, total))
        return replace(state, decided=_with(state.decided, self.step, self.choice))


@dataclass(frozen=True, slots=True)
class Report:
    """An agent was given, or a finding made, outside the plan."""

    report: Reported

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The report counts for this plan."""
        _refuse_future(self.report.on, as_of)
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
    """A person has seen a breach."""

    breach: str

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The breach no longer asks for attention."""
        del as_of
        if self.breach in state.acknowledged:
            raise ContradictoryChange("the breach is acknowledged already")
        return replace(state, acknowledged=(*state.acknowledged, self.breach))


@dataclass(frozen=True, slots=True)
class MoveAnchor:
    """Another day for the anchor; without one it is postponed."""

    to: date | None

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The plan hangs from this day, or waits for one."""
        del as_of
        if state.anchor is None:
            raise ContradictoryChange("this plan has no anchor")
        _refuse_performed(state, state.anchor.occurrence)
        occurrence = state.anchor.occurrence
        state = _released(state, occurrence)
        if self.to is None:
            return replace(state, postponed=True)
        return replace(state, anchor=Anchor(occurrence, self.to), postponed=False)


Change = (
    Perform
    | Miss
    | Move
    | Pin
    | Unpin
    | Book
    | Unbook
    | Skip
    | Cancel
    | Restore
    | AddStep
    | SetParameter
    | Decide
    | Report
    | Unavailable
    | Waive
    | Acknowledge
    | MoveAnchor
)


def changed_by(state: PlanState, changes: Iterable[Change], *, as_of: date) -> PlanState:
    """The state after these changes, all or none. Raises ContradictoryChange."""
    state = replace(state, asked=())
    for change in changes:
        state = change.applied_to(state, as_of)
    return state


def _released(state: PlanState, occurrence: OccurrenceId) -> PlanState:
    """Nothing asked, pinned, moved or booked for an occurrence any more."""
    if any(pin.occurrence == occurrence for pin in state.asked):
        raise ContradictoryChange(f"step '{occurrence}' is asked for twice")
    return replace(
        state,
        pinned=_unpinned(state, occurrence),
        missed=tuple(fact for fact in state.missed if fact.occurrence != occurrence),
        moved=_without(state.moved, occurrence),
        booked=_without(state.booked, occurrence),
    )


def _unpinned(state: PlanState, occurrence: OccurrenceId) -> tuple[Pinned, ...]:
    return tuple(pin for pin in state.pinned if pin.occurrence != occurrence)


def _refuse_performed(state: PlanState, occurrence: OccurrenceId) -> None:
    if any(fact.occurrence == occurrence for fact in state.performed):
        raise ContradictoryChange(f"step '{occurrence}' is performed already")


def _refuse_gone(state: PlanState, occurrence: OccurrenceId) -> None:
    if any(fact.occurrence == occurrence for fact in state.skipped):
        raise ContradictoryChange(f"step '{occurrence}' is skipped")
    if any(fact.occurrence == occurrence for fact in state.cancelled):
        raise ContradictoryChange(f"step '{occurrence}' is cancelled")


def _refuse_future(on: date, as_of: date) -> None:
    if on > as_of:
        raise ContradictoryChange("a fact cannot lie after today")


def _with(mapping: Mapping[K, T], key: K, value: T) -> Mapping[K, T]:
    return MappingProxyType({**mapping, key: value})


def _without(mapping: Mapping[K, T], key: K) -> Mapping[K, T]:
    return MappingProxyType({k: value for k, value in mapping.items() if k != key})
