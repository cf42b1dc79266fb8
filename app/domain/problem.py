"""The question put to the engine: one protocol, one patient, everything known, on one day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from app.domain.calendars import EVERY_DAY, Absence, Calendar
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
from app.domain.protocols import Protocol


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything the engine looks at to date one plan; it reads no clock and no database.

    ``as_of`` is today at the location; nothing undone is placed before it, nor before
    ``not_before`` when that is later. ``baseline`` holds the frozen first days for timings that
    follow the plan. ``decided`` maps decisions to the choice taken. With ``postponed`` the anchor
    is put off without a day: what hangs on it is undated. ``shifts`` holds days by which decisions
    have put off steps, by their keys. What is ``left`` stays on its kept day, neither moved nor
    judged, as what has passed does, until a person puts right what stands in its way; what has no
    such day stays without.
    """

    protocol: Protocol
    as_of: date
    calendar: Calendar = EVERY_DAY
    parameters: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    anchor: Anchor | None = None
    postponed: bool = False
    plan_start: date | None = None
    birth_date: date | None = None
    events: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    performed: tuple[Performed, ...] = ()
    missed: tuple[Missed, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    pinned: tuple[Pinned, ...] = ()
    reported: tuple[Reported, ...] = ()
    kept: tuple[Kept, ...] = ()
    left: frozenset[OccurrenceId] = frozenset()
    baseline: Mapping[OccurrenceId, date] = field(default_factory=lambda: MappingProxyType({}))
    decided: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shifts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    absences: tuple[Absence, ...] = ()
    other_plans: tuple[OtherPlan, ...] = ()
    body_site: str | None = None
    laterality: str | None = None
    waivers: tuple[Waiver, ...] = ()
    not_before: date | None = None
