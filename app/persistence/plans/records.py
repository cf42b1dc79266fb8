"""What the plan repository takes and gives."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.domain.errors import DomainError
from app.domain.plans.steps import PlannedStep
from app.persistence.patients import Identifier
from app.persistence.records import values_of
from app.persistence.tables import JsonList, JsonObject

Values = dict[str, Any]


class PlanNotFound(DomainError):
    """There is no such plan in this clinic."""


class RevisionNotFound(DomainError):
    """The plan has no such revision."""


class PlanChangedMeanwhile(DomainError):
    """The plan was changed by somebody else after it was read."""


class PlanIdentifierTaken(DomainError):
    """Another plan of the clinic has this identifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """A plan as of one revision, to be stored; ``state`` is what the engine needs."""

    id: UUID
    revision: int
    status: str
    protocol_key: str
    protocol_version: str
    patient_id: UUID
    location_id: UUID
    body_site: str | None = None
    laterality: str | None = None
    condition: str | None = None
    practitioner: str | None = None
    note: str | None = None
    anchor: JsonObject | None = None
    state: JsonObject
    chosen: JsonObject
    breaches: JsonList
    attention: JsonList
    next_step_id: UUID | None = None
    created_at: datetime
    updated_at: datetime
    created_by: str
    identifiers: tuple[Identifier, ...] = ()
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRecord:
    """What made a revision: who, when, why, with which change, and what moved."""

    revision: int
    at: datetime
    actor: str
    reason: str | None = None
    change: JsonObject | None = None
    moves: JsonList


@dataclass(slots=True)
class StepView:
    """A planned step as it is shown: days as text, lists as the API has them."""

    id: str
    key: str
    occurrence: str | None
    ordinal: int | None
    of_count: int | None
    kind: str
    title: str
    agent: str | None
    status: str
    tentative: bool
    optional: bool
    day: str | None
    end_day: str | None
    window_earliest: str | None
    window_target: str | None
    window_latest: str | None
    deadline: bool
    deviation_days: int | None
    duration_minutes: int | None
    modes: list[str]
    reasons: JsonList
    instructions: JsonList
    appointment: JsonObject | None
    practitioner: str | None
    position: int

    @property
    def name(self) -> str:
        """Its occurrence, as requests name it: ``session`` or ``primer/2``."""
        return self.key if self.occurrence is None else f"{self.key}/{self.occurrence}"


@dataclass(slots=True)
class PlanView:
    """A plan as it is shown, with its location's zone and its version's example mark.

    Everything comes from one statement, so the steps are those of the revision.
    """

    id: str
    revision: int
    status: str
    protocol_key: str
    protocol_version: str
    example: bool
    patient_id: str
    location_id: str
    time_zone: str
    body_site: str | None
    laterality: str | None
    condition: str | None
    practitioner: str | None
    note: str | None
    anchor: JsonObject | None
    state: JsonObject
    chosen: JsonObject
    breaches: JsonList
    attention: JsonList
    next_step_id: str | None
    created_at: datetime
    updated_at: datetime
    created_by: str
    identifiers: list[Identifier]
    steps: list[StepView]


@dataclass(slots=True)
class PlanSummary:
    """What a list says of a plan, with its next step."""

    id: UUID
    revision: int
    status: str
    protocol_key: str
    protocol_version: str
    example: bool
    patient_id: UUID
    location_id: UUID
    body_site: str | None
    laterality: str | None
    condition: str | None
    practitioner: str | None
    anchor: JsonObject | None
    attention: JsonList
    created_at: datetime
    updated_at: datetime
    next_step_id: UUID | None
    next_key: str | None
    next_title: str | None
    next_day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFilter:
    """Which plans a list has; what is None does not matter."""

    patient_id: UUID | None = None
    status: str | None = None
    protocol_key: str | None = None
    protocol_version: str | None = None
    location_id: UUID | None = None
    practitioner: str | None = None
    body_site: str | None = None
    needs_attention: bool | None = None
    updated_since: datetime | None = None

    def given(self) -> Values:
        """What does matter, by name."""
        return {name: value for name, value in values_of(self).items() if value is not None}


@dataclass(slots=True)
class PatientStep:
    """A dated step of one of a patient's plans, for rules that look at all of them."""

    plan_id: UUID
    plan_status: str
    body_site: str | None
    laterality: str | None
    key: str
    occurrence: str | None
    kind: str
    agent: str | None
    status: str
    day: date
    end_day: date | None
