"""Everything about one plan which the engine needs to date it again; a change gives a new state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from app.domain.calendars import Absence, Calendar
from app.domain.facts import (
    Anchor,
    Kept,
    Missed,
    OccurrenceId,
    OtherPlan,
    Performed,
    Pinned,
    Reported,
    Skipped,
    Waiver,
)
from app.domain.problem import Problem
from app.domain.protocols import Protocol
from app.domain.rules import MinGapOfKinds, OverAllPlans, Rule, Scope, Washout
from app.domain.states import AppointmentStatus, PlanStatus, StepStatus


@dataclass(frozen=True, slots=True)
class Given:
    """A waiver with what its giver said; the engine looks at element and days only."""

    element: str
    days: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Booking:
    """An appointment of a planned step: instants in UTC, and what the booking system calls it."""

    starts_at: datetime
    ends_at: datetime
    identifier: str | None = None
    mode: str | None = None
    status: AppointmentStatus = AppointmentStatus.BOOKED


@dataclass(frozen=True, slots=True)
class PlanState:
    """Facts and choices of one plan.

    ``not_before`` is the first day a new date may have. ``asked`` are days wanted by the changes
    being applied: they bind this once and are then remembered as ``moved``. ``added`` are steps
    of this plan alone, as a protocol document writes them. ``ended`` are appointments to which
    nobody came, or that were called off: the last of each step, until there is another or a chosen
    day. ``starts`` are decisions with the protocol each starts, while no plan is made by that and
    nobody has dismissed it. ``status`` and ``version`` (of the protocol) are stored beside the
    state. ``acknowledged`` are breaches as they read when a person saw them: another day, or
    another report, is not what was seen.
    """

    status: PlanStatus = PlanStatus.ACTIVE
    version: str | None = None
    anchor: Anchor | None = None
    postponed: bool = False
    plan_start: date | None = None
    not_before: date | None = None
    parameters: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    events: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    performed: tuple[Performed, ...] = ()
    missed: tuple[Missed, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    cancelled: tuple[Skipped, ...] = ()
    pinned: tuple[Pinned, ...] = ()
    asked: tuple[Pinned, ...] = ()
    moved: Mapping[OccurrenceId, date] = field(default_factory=lambda: MappingProxyType({}))
    booked: Mapping[OccurrenceId, Booking] = field(default_factory=lambda: MappingProxyType({}))
    ended: Mapping[OccurrenceId, Booking] = field(default_factory=lambda: MappingProxyType({}))
    added: tuple[Mapping[str, Any], ...] = ()
    shifts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    reported: tuple[Reported, ...] = ()
    absences: tuple[Absence, ...] = ()
    waivers: tuple[Given, ...] = ()
    decided: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    starts: tuple[tuple[str, str], ...] = ()
    acknowledged: tuple[str, ...] = ()
    baseline: Mapping[OccurrenceId, date] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies round a plan: location, patient, the clinic's rules, the patient's other plans."""

    calendar: Calendar
    clinic_rules: tuple[Rule, ...] = ()
    birth_date: date | None = None
    body_site: str | None = None
    laterality: str | None = None
    reported: tuple[Reported, ...] = ()
    absences: tuple[Absence, ...] = ()
    other_plans: tuple[OtherPlan, ...] = ()


def problem_of(
    state: PlanState,
    protocol: Protocol,
    around: Surroundings,
    *,
    as_of: date,
    kept: tuple[Kept, ...] = (),
) -> Problem:
    """The question a plan puts to the engine on the local day ``as_of``.

    ``protocol`` has the steps added to this plan. A clinic rule of the same id as one of its own
    gives way. Days given out bind as kept, those a person chose by hand most of all.
    """
    return Problem(
        protocol=_with_rules(protocol, around.clinic_rules),
        as_of=as_of,
        calendar=around.calendar,
        parameters=_known(state.parameters, protocol),
        anchor=state.anchor,
        postponed=state.postponed,
        plan_start=state.plan_start,
        birth_date=around.birth_date,
        events=state.events,
        performed=state.performed,
        missed=to_place_later(state, kept),
        skipped=(*state.skipped, *state.cancelled),
        pinned=(*state.pinned, *state.asked),
        reported=(*around.reported, *state.reported),
        kept=tuple(_bound(state, kept)),
        baseline=state.baseline,
        decided=state.decided,
        shifts=state.shifts,
        absences=(*around.absences, *state.absences),
        other_plans=around.other_plans,
        body_site=around.body_site,
        laterality=around.laterality,
        waivers=tuple(Waiver(given.element, given.days) for given in state.waivers),
        not_before=state.not_before,
    )


def _known(parameters: Mapping[str, str | int], protocol: Protocol) -> Mapping[str, str | int]:
    """What is set, without what an amendment has taken out of the protocol: it counts no more."""
    keys = {parameter.key for parameter in protocol.parameters}
    return {key: value for key, value in parameters.items() if key in keys}


def to_place_later(state: PlanState, kept: tuple[Kept, ...]) -> tuple[Missed, ...]:
    """The last miss of each step that has no day of its own since then."""
    given = {day.occurrence for day in kept}
    last = {fact.occurrence: fact for fact in state.missed}
    return tuple(
        fact
        for occurrence, fact in last.items()
        if occurrence not in given and status_of(state, occurrence) is StepStatus.MISSED
    )


def status_of(state: PlanState, occurrence: OccurrenceId) -> StepStatus:
    """What facts and choices make of an occurrence; whether a booking's day holds is not asked."""
    if any(fact.occurrence == occurrence for fact in state.performed):
        return StepStatus.PERFORMED
    if any(fact.occurrence == occurrence for fact in state.skipped):
        return StepStatus.SKIPPED
    if any(fact.occurrence == occurrence for fact in state.cancelled):
        return StepStatus.CANCELLED
    if occurrence in state.booked:
        return StepStatus.BOOKED
    pinned = any(pin.occurrence == occurrence for pin in state.pinned)
    rebooked = pinned or occurrence in state.moved
    if not rebooked and any(fact.occurrence == occurrence for fact in state.missed):
        return StepStatus.MISSED
    return StepStatus.PROPOSED if state.status is PlanStatus.DRAFT else StepStatus.PLANNED


def _with_rules(protocol: Protocol, rules: tuple[Rule, ...]) -> Protocol:
    own = {rule.id for rule in protocol.rules}
    others = tuple(rule for rule in rules if rule.id not in own)
    return replace(protocol, rules=(*protocol.rules, *others)) if others else protocol


def rules_over_all_plans(
    protocol: Protocol, clinic_rules: tuple[Rule, ...], state: PlanState
) -> tuple[OverAllPlans, ...]:
    """The washouts and patient-wide gaps which a plan is held to, as its parameters are set."""
    values = {parameter.key: parameter.default for parameter in protocol.parameters}
    values |= state.parameters
    return tuple(
        rule
        for rule in _with_rules(protocol, clinic_rules).rules
        if isinstance(rule, Washout)
        or (isinstance(rule, MinGapOfKinds) and rule.scope is Scope.PATIENT)
        if rule.parameter is None or values.get(rule.parameter) in rule.parameter_values
    )


def _bound(state: PlanState, kept: tuple[Kept, ...]) -> Iterator[Kept]:
    gone = {fact.occurrence for fact in (*state.skipped, *state.cancelled)}
    for day in kept:
        if day.occurrence not in gone:
            yield replace(day, by_hand=state.moved.get(day.occurrence) == day.day)
