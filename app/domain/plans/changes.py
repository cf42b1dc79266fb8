"""Changes: facts and choices posted together. Each knows how it changes a plan's state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import TypeVar

from app.domain.calendars import Absence
from app.domain.facts import (
    Anchor,
    InvalidRequest,
    OccurrenceId,
    Performed,
    Pinned,
    Reported,
    Skipped,
)
from app.domain.plans.state import Given, PlanState

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
        _refuse_future(self.on, as_of)
        if any(fact.occurrence == self.occurrence for fact in state.skipped):
            raise ContradictoryChange(f"step '{self.occurrence}' is skipped")
        performed = (*state.performed, Performed(self.occurrence, self.on))
        return replace(state, performed=performed, pinned=_unpinned(state, self.occurrence))


@dataclass(frozen=True, slots=True)
class Pin:
    """A person wants a step on this day and no other."""

    occurrence: OccurrenceId
    to: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has this day, or the plan conflicts."""
        del as_of
        _refuse_performed(state, self.occurrence)
        pins = (*_unpinned(state, self.occurrence), Pinned(self.occurrence, self.to))
        return replace(state, pinned=pins)


@dataclass(frozen=True, slots=True)
class Unpin:
    """The day of a step is the engine's to choose again."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """No day is asked for this step."""
        del as_of
        return replace(state, pinned=_unpinned(state, self.occurrence))


@dataclass(frozen=True, slots=True)
class Skip:
    """A step is left out."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step leaves its chain."""
        del as_of
        _refuse_performed(state, self.occurrence)
        if any(fact.occurrence == self.occurrence for fact in state.skipped):
            raise ContradictoryChange(f"step '{self.occurrence}' is skipped already")
        return replace(state, skipped=(*state.skipped, Skipped(self.occurrence)))


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
    """A decision is taken."""

    step: str
    choice: str

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The decision's choice holds from now on."""
        del as_of
        if self.step in state.decided:
            raise ContradictoryChange(f"decision '{self.step}' is taken already")
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
class MoveAnchor:
    """Another day for the anchor; without one it is postponed."""

    to: date | None

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The plan hangs from this day, or waits for one."""
        del as_of
        if state.anchor is None:
            raise ContradictoryChange("this plan has no anchor")
        _refuse_performed(state, state.anchor.occurrence)
        if self.to is None:
            return replace(state, postponed=True)
        return replace(state, anchor=Anchor(state.anchor.occurrence, self.to), postponed=False)


Change = (
    Perform | Pin | Unpin | Skip | SetParameter | Decide | Report | Unavailable | Waive | MoveAnchor
)


def changed_by(state: PlanState, changes: Iterable[Change], *, as_of: date) -> PlanState:
    """The state after these changes, all or none. Raises ContradictoryChange."""
    for change in changes:
        state = change.applied_to(state, as_of)
    return state


def _unpinned(state: PlanState, occurrence: OccurrenceId) -> tuple[Pinned, ...]:
    return tuple(pin for pin in state.pinned if pin.occurrence != occurrence)


def _refuse_performed(state: PlanState, occurrence: OccurrenceId) -> None:
    if any(fact.occurrence == occurrence for fact in state.performed):
        raise ContradictoryChange(f"step '{occurrence}' is performed already")


def _refuse_future(on: date, as_of: date) -> None:
    if on > as_of:
        raise ContradictoryChange("a fact cannot lie after today")


def _with(mapping: Mapping[str, T], key: str, value: T) -> Mapping[str, T]:
    return MappingProxyType({**mapping, key: value})
