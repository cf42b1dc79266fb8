"""Everything about one plan which the engine needs to date it again; a change gives a new state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

from app.domain.calendars import Absence, Calendar
from app.domain.facts import (
    Anchor,
    Kept,
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
from app.domain.rules import Rule


@dataclass(frozen=True, slots=True)
class Given:
    """A waiver with what its giver said; the engine looks at element and days only."""

    element: str
    days: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class PlanState:
    """Facts and choices of one plan. ``not_before`` is the first day a new date may have."""

    anchor: Anchor | None = None
    postponed: bool = False
    plan_start: date | None = None
    not_before: date | None = None
    parameters: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    events: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    performed: tuple[Performed, ...] = ()
    missed: tuple[Performed, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    pinned: tuple[Pinned, ...] = ()
    reported: tuple[Reported, ...] = ()
    absences: tuple[Absence, ...] = ()
    waivers: tuple[Given, ...] = ()
    decided: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
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

    The protocol's own rules go before the clinic's: a clinic rule of the same id gives way.
    """
    own = {rule.id for rule in protocol.rules}
    rules = (*protocol.rules, *(rule for rule in around.clinic_rules if rule.id not in own))
    return Problem(
        protocol=replace(protocol, rules=rules) if len(rules) > len(own) else protocol,
        as_of=as_of,
        calendar=around.calendar,
        parameters=state.parameters,
        anchor=state.anchor,
        postponed=state.postponed,
        plan_start=state.plan_start,
        birth_date=around.birth_date,
        events=state.events,
        performed=state.performed,
        skipped=state.skipped,
        pinned=state.pinned,
        reported=(*around.reported, *state.reported),
        kept=kept,
        baseline=state.baseline,
        decided=state.decided,
        absences=(*around.absences, *state.absences),
        other_plans=around.other_plans,
        body_site=around.body_site,
        laterality=around.laterality,
        waivers=tuple(Waiver(given.element, given.days) for given in state.waivers),
        not_before=state.not_before,
    )
