"""What the worklist's repository takes and gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from app.persistence.tables import JsonList, JsonObject

UNDONE = frozenset({"planned", "booked"})


@dataclass(slots=True)
class WaitingStep:
    """A planned step with what is needed of its plan."""

    id: UUID
    plan_id: UUID
    plan_status: str
    key: str
    occurrence: str | None
    ordinal: int | None
    of_count: int | None
    kind: str
    title: str
    optional: bool
    status: str
    tentative: bool
    day: date
    end_day: date | None
    window_earliest: date | None
    window_target: date | None
    window_latest: date | None
    deadline: bool
    due_until: date
    duration_minutes: int | None
    modes: JsonList
    appointment: JsonObject | None
    location_id: UUID
    practitioner: str | None
    revision: int
    patient_id: UUID
    protocol_key: str
    protocol_version: str
    example: bool


@dataclass(slots=True)
class WaitingPlan:
    """A living plan which a person must look at, and why."""

    id: UUID
    revision: int
    status: str
    protocol_key: str
    protocol_version: str
    example: bool
    patient_id: UUID
    location_id: UUID
    practitioner: str | None
    attention: JsonList
    updated_at: datetime


@dataclass(slots=True)
class Counted:
    """How many undone steps of a day have a state; no day stands for all days before the first."""

    day: date | None
    state: str
    steps: int
    decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistFilter:
    """Which planned steps are wanted; an empty set and None do not matter, except statuses."""

    statuses: frozenset[str]
    states: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    first: date | None = None
    until: date | None = None
    location_id: UUID | None = None
    practitioner: str | None = None
    tentative: bool | None = None

    def possible(self) -> frozenset[str]:
        """The statuses that fit: only what is planned or booked has a state to be wanted."""
        return self.statuses & UNDONE if self.states else self.statuses


class Place(NamedTuple):
    """Where in the list a step stands: by day, then by the end of its window, then by id."""

    day: date
    due_until: date
    id: UUID


@dataclass(frozen=True, slots=True)
class Todays:
    """Today at the locations of a clinic: usually one day, at some of them perhaps others."""

    usual: date
    others: Mapping[date, Sequence[UUID]]

    def at(self, location_id: UUID) -> date:
        """Today at a location."""
        return next((day for day, ids in self.others.items() if location_id in ids), self.usual)
