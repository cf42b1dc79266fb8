"""Changes to single planned steps: performed, missed, moved, pinned, booked, skipped, restored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import TypeVar

from app.domain.facts import (
    Anchor,
    InvalidRequest,
    Missed,
    OccurrenceId,
    Performed,
    Pinned,
    Skipped,
)
from app.domain.plans.state import Booking, PlanState
from app.domain.states import AppointmentStatus

LONGEST_APPOINTMENT = timedelta(hours=24)

K = TypeVar("K")
T = TypeVar("T")


class ContradictoryChange(InvalidRequest):
    """Changes that cannot hold together.

    ``place`` is which of the changes applied together it was, counted from 0.
    """

    place = 0


class FutureFact(ContradictoryChange):
    """A fact that is told before it can have happened."""


@dataclass(frozen=True, slots=True)
class Perform:
    """A step was done on a local day, at its booked ``appointment`` or at one not known so far."""

    occurrence: OccurrenceId
    on: date
    appointment: Booking | None = None

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step is performed; a day asked for it is forgotten, its booking is what was kept."""
        refuse_performed(state, self.occurrence)
        refuse_gone(state, self.occurrence)
        refuse_future(self.on, as_of)
        performed = (*state.performed, Performed(self.occurrence, self.on))
        booked = state.booked
        if self.appointment is not None:
            refuse_odd(self.appointment)
            booked = having(booked, self.occurrence, self.appointment)
        return replace(released(state, self.occurrence), performed=performed, booked=booked)


@dataclass(frozen=True, slots=True)
class Miss:
    """Nobody came, to its booked ``appointment`` or to one not known so far.

    The step is placed again, on a later day.
    """

    occurrence: OccurrenceId
    on: date
    appointment: Booking | None = None

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step needs a later day, an anchor too; every miss is kept on record and counts."""
        refuse_performed(state, self.occurrence)
        refuse_gone(state, self.occurrence)
        refuse_future(self.on, as_of)
        if any(fact.occurrence == self.occurrence and fact.on >= self.on for fact in state.missed):
            raise ContradictoryChange(f"step '{self.occurrence}' is missed already")
        appointment = self.appointment or state.booked.get(self.occurrence)
        state = released(state, self.occurrence)
        if appointment is not None:
            refuse_odd(appointment)
            state = ended(state, self.occurrence, appointment, AppointmentStatus.MISSED)
        if is_anchor(state, self.occurrence):
            soonest = Anchor(self.occurrence, earliest_from=self.on + timedelta(days=1))
            state = replace(state, anchor=soonest)
        return replace(state, missed=(*state.missed, Missed(self.occurrence, self.on)))


@dataclass(frozen=True, slots=True)
class Move:
    """A person wants a step on this day: asked for once, then a promise that does not drift."""

    occurrence: OccurrenceId
    to: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has this day now; its booking is gone."""
        del as_of
        return asked_for(state, self.occurrence, self.to)


@dataclass(frozen=True, slots=True)
class Pin:
    """A person wants a step on this day and no other."""

    occurrence: OccurrenceId
    to: date

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has this day, or the plan conflicts; a booking of another day is gone."""
        del as_of
        refuse_performed(state, self.occurrence)
        refuse_gone(state, self.occurrence)
        if state.moved.get(self.occurrence) != self.to:
            state = released(state, self.occurrence)
        pins = (*unpinned(state, self.occurrence), Pinned(self.occurrence, self.to))
        return replace(state, pinned=pins)


@dataclass(frozen=True, slots=True)
class Unpin:
    """The day of a step is the engine's to choose again."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """No day is asked for this step."""
        del as_of
        pins = unpinned(state, self.occurrence)
        if len(pins) == len(state.pinned):
            raise ContradictoryChange(f"step '{self.occurrence}' is not pinned")
        return replace(state, pinned=pins)


@dataclass(frozen=True, slots=True)
class Book:
    """An appointment is booked, on the local day ``day``."""

    occurrence: OccurrenceId
    day: date
    booking: Booking

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has the booking's day, which is kept before planned ones."""
        refuse_odd(self.booking)
        if self.day < as_of:
            raise ContradictoryChange("a booking cannot lie before today")
        state = asked_for(state, self.occurrence, self.day)
        return replace(state, booked=having(state.booked, self.occurrence, self.booking))


@dataclass(frozen=True, slots=True)
class Arrive:
    """The patient has come to the booked appointment, and is perhaps checked in."""

    occurrence: OccurrenceId
    status: AppointmentStatus = AppointmentStatus.ARRIVED

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The booking says so; whether the step is done is not said by that."""
        refuse_performed(state, self.occurrence)
        booking = state.booked.get(self.occurrence)
        if booking is None:
            raise ContradictoryChange(f"step '{self.occurrence}' is not booked")
        if state.moved[self.occurrence] > as_of:
            raise ContradictoryChange("the appointment is after today")
        arrived = replace(booking, status=self.status)
        return replace(state, booked=having(state.booked, self.occurrence, arrived))


@dataclass(frozen=True, slots=True)
class Unbook:
    """The booking is gone; the day stays planned.

    One that was ``cancelled`` is shown so until there is another one. One that has ended already
    is forgotten.
    """

    occurrence: OccurrenceId
    cancelled: bool = False

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step has no booking."""
        del as_of
        refuse_performed(state, self.occurrence)
        booking = state.booked.get(self.occurrence)
        if booking is None and (self.cancelled or self.occurrence not in state.ended):
            raise ContradictoryChange(f"step '{self.occurrence}' is not booked")
        state = replace(
            state,
            booked=lacking(state.booked, self.occurrence),
            ended=lacking(state.ended, self.occurrence),
        )
        if booking is None or not self.cancelled:
            return state
        return ended(state, self.occurrence, booking, AppointmentStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Skip:
    """A step is left out."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step leaves its chain."""
        del as_of
        refuse_performed(state, self.occurrence)
        refuse_gone(state, self.occurrence)
        state = released(state, self.occurrence)
        return replace(state, skipped=(*state.skipped, Skipped(self.occurrence)))


@dataclass(frozen=True, slots=True)
class Cancel:
    """A step is called off."""

    occurrence: OccurrenceId

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """The step leaves its chain."""
        del as_of
        refuse_performed(state, self.occurrence)
        refuse_gone(state, self.occurrence)
        state = released(state, self.occurrence)
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
class CloseStart:
    """What a decision started is begun by a plan of its own, or nobody wants it.

    ``protocol`` is which one, without it all that this decision started; ``plan`` is the plan
    that was made.
    """

    occurrence: OccurrenceId
    protocol: str | None = None
    plan: str | None = None

    def applied_to(self, state: PlanState, as_of: date) -> PlanState:
        """Nothing is to be started any more."""
        del as_of
        left = tuple(
            (step, protocol)
            for step, protocol in state.starts
            if step != self.occurrence.step or self.protocol not in {None, protocol}
        )
        if left == state.starts:
            raise ContradictoryChange(f"decision '{self.occurrence}' has nothing to be started")
        return replace(state, starts=left)


def asked_for(state: PlanState, occurrence: OccurrenceId, day: date) -> PlanState:
    """A person wants this day: for the anchor it is the day from which the plan hangs."""
    refuse_performed(state, occurrence)
    refuse_gone(state, occurrence)
    state = replace(released(state, occurrence), moved=having(state.moved, occurrence, day))
    if is_anchor(state, occurrence):
        return replace(state, anchor=Anchor(occurrence, day), postponed=False)
    return replace(state, asked=(*state.asked, Pinned(occurrence, day)))


def is_anchor(state: PlanState, occurrence: OccurrenceId) -> bool:
    """Whether the plan hangs from this occurrence."""
    return state.anchor is not None and state.anchor.occurrence == occurrence


def released(state: PlanState, occurrence: OccurrenceId) -> PlanState:
    """Nothing asked, pinned, moved or booked for an occurrence any more."""
    return replace(
        state,
        asked=tuple(pin for pin in state.asked if pin.occurrence != occurrence),
        pinned=unpinned(state, occurrence),
        moved=lacking(state.moved, occurrence),
        booked=lacking(state.booked, occurrence),
        ended=lacking(state.ended, occurrence),
    )


def ended(
    state: PlanState, occurrence: OccurrenceId, appointment: Booking, status: AppointmentStatus
) -> PlanState:
    """The appointment of an occurrence is over without having taken place."""
    over = having(state.ended, occurrence, replace(appointment, status=status))
    return replace(state, ended=over)


def unpinned(state: PlanState, occurrence: OccurrenceId) -> tuple[Pinned, ...]:
    """The pins of all other occurrences."""
    return tuple(pin for pin in state.pinned if pin.occurrence != occurrence)


def refuse_performed(state: PlanState, occurrence: OccurrenceId) -> None:
    """Raise ContradictoryChange for what is done already."""
    if any(fact.occurrence == occurrence for fact in state.performed):
        raise ContradictoryChange(f"step '{occurrence}' is performed already")


def refuse_gone(state: PlanState, occurrence: OccurrenceId) -> None:
    """Raise ContradictoryChange for what is skipped or cancelled."""
    if any(fact.occurrence == occurrence for fact in state.skipped):
        raise ContradictoryChange(f"step '{occurrence}' is skipped")
    if any(fact.occurrence == occurrence for fact in state.cancelled):
        raise ContradictoryChange(f"step '{occurrence}' is cancelled")


def refuse_future(on: date, as_of: date) -> None:
    """Raise FutureFact for a fact after today."""
    if on > as_of:
        raise FutureFact("a fact cannot lie after today")


def refuse_odd(appointment: Booking) -> None:
    """Raise ContradictoryChange for times that no appointment has."""
    if appointment.ends_at <= appointment.starts_at:
        raise ContradictoryChange("the booking ends before it begins")
    if appointment.ends_at - appointment.starts_at > LONGEST_APPOINTMENT:
        raise ContradictoryChange("the booking lasts longer than a day")


def having(mapping: Mapping[K, T], key: K, value: T) -> Mapping[K, T]:
    """The mapping with one more entry."""
    return MappingProxyType({**mapping, key: value})


def lacking(mapping: Mapping[K, T], key: K) -> Mapping[K, T]:
    """The mapping without an entry."""
    return MappingProxyType({k: value for k, value in mapping.items() if k != key})
