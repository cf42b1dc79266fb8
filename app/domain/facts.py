"""What happened and what people chose: facts, pins, kept days, other plans, waivers, the anchor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from app.domain.errors import DomainError
from app.domain.rules import OverAllPlans


class InvalidRequest(DomainError):
    """A fact or choice that contradicts itself or the protocol."""


@dataclass(frozen=True, slots=True, order=True)
class OccurrenceId:
    """One occurrence of a step: ``session``, ``primer/1``, ``followup/m3``."""

    step: str
    occurrence: int | str | None = None

    def __str__(self) -> str:
        return self.step if self.occurrence is None else f"{self.step}/{self.occurrence}"

    @classmethod
    def parse(cls, text: str) -> "OccurrenceId":
        """Read ``key``, ``key/1`` or ``key/m3``."""
        step, _, occurrence = text.partition("/")
        if not occurrence:
            return cls(step)
        return cls(step, int(occurrence) if occurrence.isdecimal() else occurrence)


class Commitment(StrEnum):
    """How firmly a day was given out."""

    DRAFT = "draft"
    ACTIVE = "active"
    BOOKED = "booked"


@dataclass(frozen=True, slots=True)
class Performed:
    """A step was done on this local day; never moved by the engine."""

    occurrence: OccurrenceId
    on: date


@dataclass(frozen=True, slots=True)
class Missed:
    """Nobody came on this local day; the step is to be placed again, on a later one."""

    occurrence: OccurrenceId
    on: date


@dataclass(frozen=True, slots=True)
class Skipped:
    """A step is left out: it leaves its chain and gives no gap to others."""

    occurrence: OccurrenceId


@dataclass(frozen=True, slots=True)
class Pinned:
    """A person chose this day for a step."""

    occurrence: OccurrenceId
    on: date


@dataclass(frozen=True, slots=True)
class Reported:
    """An agent was given, or a finding made, on a day, perhaps elsewhere.

    Without a body site or side it counts everywhere. ``cleared_on`` ends a finding.
    """

    id: str
    on: date
    agent: str | None = None
    finding: str | None = None
    body_site: str | None = None
    laterality: str | None = None
    cleared_on: date | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A day given out before; moving it costs by its commitment.

    One that a person chose ``by_hand`` binds however far from its target it is.
    """

    occurrence: OccurrenceId
    day: date
    commitment: Commitment
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Waiver:
    """An element of a conflict that a person set aside: wholly, or widened by some days."""

    element: str
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """The day asked for one step: a date, or the first from ``earliest_from`` to ``until``."""

    occurrence: OccurrenceId
    day: date | None = None
    earliest_from: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if (self.day is None) == (self.earliest_from is None):
            raise InvalidRequest("an anchor has either a date or an earliest day")
        if self.until is not None and self.earliest_from and self.until < self.earliest_from:
            raise InvalidRequest("the anchor's last day lies before its first")


@dataclass(frozen=True, slots=True)
class OtherStep:
    """A step of another plan of the patient, fixed for this plan.

    One that was ``performed`` is a fact; any other may be called off to make room.
    """

    key: str
    day: date
    kind: str = "procedure"
    end: date | None = None
    agent: str | None = None
    performed: bool = False

    @property
    def label(self) -> str:
        """What people call it: not by its number, which says nothing in another plan."""
        return self.key.partition("/")[0].replace("_", " ").replace("-", " ")


@dataclass(frozen=True, slots=True)
class OtherPlan:
    """Another plan of the patient, with its site and side, and the ``rules`` it is held to.

    What people have set aside there, by the ids of rules, or widened by some days: ``waived`` of
    its own rules, ``waived_of_ours`` of those of the plan that is looked at.
    """

    id: str
    steps: tuple[OtherStep, ...]
    body_site: str | None = None
    laterality: str | None = None
    rules: tuple[OverAllPlans, ...] = ()
    waived: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    waived_of_ours: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
