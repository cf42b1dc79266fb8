"""What a client asks of a new plan, before anything is looked up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from uuid import UUID

from app.domain.facts import OccurrenceId
from app.domain.plans.changes import Change
from app.domain.states import PlanStatus
from app.persistence.patients import Identifier


@dataclass(frozen=True, slots=True)
class AskedAnchor:
    """The anchor's day: a date, or the first that works in a range; none leaves it open."""

    day: date | None = None
    earliest_from: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class PerformedAt:
    """A step done at an instant: its local day is found once the location is known."""

    occurrence: OccurrenceId
    at: datetime


@dataclass(frozen=True, slots=True)
class Away:
    """Days on which the patient cannot come, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class StartedBy:
    """The plan whose decision starts this one."""

    plan_id: UUID
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A protocol to be applied to a patient, with everything asked for. See ``POST /v1/plans``."""

    protocol_key: str
    protocol_version: str | None = None
    patient_id: UUID | None = None
    patient_identifier: Identifier | None = None
    location_id: UUID | None = None
    anchor: AskedAnchor | None = None
    plan_start: date | None = None
    events: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    parameters: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    laterality: str | None = None
    condition: str | None = None
    practitioner: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    note: str | None = None
    unavailable: tuple[Away, ...] = ()
    not_before: date | None = None
    status: PlanStatus = PlanStatus.ACTIVE
    changes: tuple[Change | PerformedAt, ...] = ()
    started_by: StartedBy | None = None
