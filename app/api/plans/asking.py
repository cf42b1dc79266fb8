"""What clients send to plan: the body of a plan and the changes applied at its creation."""

from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from app.api.fields import Amount, Day, In, Instant, Key, Line, Paragraphs, Whole, fault, until
from app.domain.calendars import Absence
from app.domain.facts import OccurrenceId, Reported
from app.domain.plans.changes import Change, Decide, Report, SetParameter, Unavailable, Waive
from app.domain.plans.step_changes import Perform, Pin, Skip
from app.domain.states import PlanStatus
from app.services.patients import Identifier
from app.services.plans.requests import (
    AskedAnchor,
    Away,
    PerformedAt,
    PlanRequest,
    StartedBy,
)

Occurrence = Annotated[
    str,
    Field(
        description="An occurrence of a step: its key, and for a repeated one its number or key.",
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}(/[a-z0-9_]{1,16})?$",
        examples=["session", "primer/2", "followup/m3"],
    ),
]
Side = Literal["left", "right", "bilateral"]
Element = Annotated[
    str,
    Field(
        description="An element of a conflict, named as there.",
        pattern=r"^[a-z_]{1,16}(:[A-Za-z0-9_./\[\]-]{1,160})?$",
        examples=["timing:primer/1.earliest", "closure:renovation"],
    ),
]


class ProtocolRefIn(In):
    """Which protocol to apply."""

    key: Key = Field(description="The protocol's key.")
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")] | None = Field(
        default=None, description="Its version; without one, the active version."
    )


class IdentifierIn(In):
    """What another system calls something."""

    system: Line = Field(description="The system, as a URI or a name of your own.")
    value: Line = Field(description="What it calls it.")

    def to_domain(self) -> Identifier:
        """As the use-cases take it."""
        return Identifier(self.system, self.value)


class PatientRefIn(In):
    """The patient, by our id or by an identifier of another system."""

    id: UUID | None = Field(default=None, description="The patient's id.")
    identifier: IdentifierIn | None = Field(
        default=None, description="An identifier the patient is known by."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "PatientRefIn":
        if (self.id is None) == (self.identifier is None):
            raise fault("one-of", "needs either an id or an identifier")
        return self


class AnchorIn(In):
    """The anchor's day: a date, or the first one that works from a day until another."""

    date: Day | None = Field(default=None, description="The day asked for.")
    earliest_from: Day | None = Field(default=None, description="First day that would do.")
    until: Day | None = Field(
        default=None, description="Last day that would do; without one, 366 days after the first."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "AnchorIn":
        if (self.date is None) == (self.earliest_from is None):
            raise fault("one-of", "needs either a date or earliest_from")
        if self.until is not None and (
            self.earliest_from is None or self.until < self.earliest_from
        ):
            raise fault("backwards", "until goes with earliest_from and is not before it")
        return self

    def to_domain(self) -> AskedAnchor:
        """As the use-cases take it."""
        return AskedAnchor(self.date, self.earliest_from, self.until)


class AwayIn(In):
    """Days on which the patient cannot come, both included."""

    first: Day = Field(alias="from", description="First day away.")
    last: Day = Field(alias="to", description="Last day away.")

    @field_validator("last")
    @classmethod
    def _not_before_first(cls, last: Day, info: ValidationInfo) -> Day:
        return until(info.data.get("first"), last)


class PerformIn(In):
    """A step was done, on a local day or at an instant."""

    type: Literal["perform"]
    step: Occurrence
    on: Day | None = Field(default=None, description="The local day.")
    at: Instant | None = Field(default=None, description="The instant it ended.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "PerformIn":
        if (self.on is None) == (self.at is None):
            raise fault("one-of", "needs either on or at")
        return self

    def to_domain(self, name: str) -> Change | PerformedAt:
        """The fact."""
        del name
        occurrence = OccurrenceId.parse(self.step)
        if self.at is not None:
            return PerformedAt(occurrence, self.at)
        assert self.on is not None  # noqa: S101 - one of both was checked
        return Perform(occurrence, self.on)


class PinIn(In):
    """A step is wanted on this day and no other."""

    type: Literal["pin"]
    step: Occurrence
    to: Day = Field(description="The day wanted.")

    def to_domain(self, name: str) -> Change:
        """The choice."""
        del name
        return Pin(OccurrenceId.parse(self.step), self.to)


class SkipIn(In):
    """A step is left out."""

    type: Literal["skip"]
    step: Occurrence

    def to_domain(self, name: str) -> Change:
        """The choice."""
        del name
        return Skip(OccurrenceId.parse(self.step))


class SetParameterIn(In):
    """Another value of a parameter."""

    type: Literal["set_parameter"]
    key: Key = Field(description="The parameter.")
    value: Amount | Line = Field(description="Its value.")

    def to_domain(self, name: str) -> Change:
        """The choice."""
        del name
        return SetParameter(self.key, self.value)


class DecideIn(In):
    """A decision is taken."""

    type: Literal["decide"]
    step: Key = Field(description="The decision's step.")
    choice: Key = Field(description="The key of the choice.")

    def to_domain(self, name: str) -> Change:
        """The choice."""
        del name
        return Decide(self.step, self.choice)


class ReportIn(In):
    """An agent was given, or a finding made, outside the plan."""

    type: Literal["report"]
    agent: Key | None = Field(default=None, description="The agent, such as nsaid.")
    finding: Key | None = Field(default=None, description="The finding, such as fever.")
    on: Day = Field(description="The local day.")
    body_site: Key | None = Field(default=None, description="Where; absent counts everywhere.")
    laterality: Side | None = Field(default=None, description="Which side; absent is both.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReportIn":
        if (self.agent is None) == (self.finding is None):
            raise fault("one-of", "needs either an agent or a finding")
        return self

    def to_domain(self, name: str) -> Change:
        """The fact, named by its place in the request."""
        return Report(
            Reported(
                id=name,
                on=self.on,
                agent=self.agent,
                finding=self.finding,
                body_site=self.body_site,
                laterality=self.laterality,
            )
        )


class UnavailableIn(AwayIn):
    """The patient is away."""

    type: Literal["unavailable"]

    def to_domain(self, name: str) -> Change:
        """The fact."""
        return Unavailable(Absence(name, self.first, self.last))


class WaiveIn(In):
    """An element of a conflict is set aside, or widened by some days, by a person who may."""

    type: Literal["waive"]
    element: Element
    days: Whole | None = Field(
        default=None, ge=1, le=3650, description="How far it is widened; absent sets it aside."
    )
    reason: Line = Field(description="Why, in the words of whoever waives it.")

    def to_domain(self, name: str) -> Change:
        """The choice."""
        del name
        return Waive(self.element, self.days, self.reason)


ChangeIn = Annotated[
    PerformIn | PinIn | SkipIn | SetParameterIn | DecideIn | ReportIn | UnavailableIn | WaiveIn,
    Field(discriminator="type"),
]

EXAMPLE: dict[str, Any] = {
    "protocol": {"key": "ankle-stem-cell-prp-full"},
    "patient": {"identifier": {"system": "urn:example:mrn", "value": "4711"}},
    "anchor": {"date": "2027-03-10"},
    "parameters": {"primer_count": 2, "booster_timing": "six_weeks"},
    "laterality": "right",
    "unavailable": [{"from": "2027-02-10", "to": "2027-02-20"}],
}
EARLIEST_EXAMPLE: dict[str, Any] = {
    "protocol": {"key": "ankle-stem-cell-prp-full", "version": "1.0.0"},
    "patient": {"id": "01920000-0000-7000-8000-000000000001"},
    "anchor": {"earliest_from": "2027-03-03", "until": "2027-06-30"},
    "laterality": "left",
    "changes": [{"type": "perform", "step": "consult", "on": "2027-02-10"}],
}


class PlanBody(In):
    """What a plan needs besides its anchor."""

    protocol: ProtocolRefIn
    patient: PatientRefIn
    location_id: UUID | None = Field(
        default=None, description="The location; may be left out where the clinic has one."
    )
    plan_start: Day | None = Field(
        default=None, description="The day the plan starts; without one, today."
    )
    events: dict[Key, Day] = Field(
        default_factory=dict, max_length=50, description="Outside events by name, with their days."
    )
    parameters: dict[Key, Amount | Line] = Field(
        default_factory=dict, max_length=50, description="Values of the protocol's parameters."
    )
    laterality: Side | None = Field(default=None, description="The side treated.")
    condition: Line | None = Field(default=None, description="What is treated, in words.")
    practitioner: Line | None = Field(default=None, description="Who is responsible.")
    identifiers: list[IdentifierIn] = Field(
        default_factory=list, max_length=20, description="What other systems call this plan."
    )
    note: Paragraphs | None = Field(default=None, description="A note for the team.")
    unavailable: list[AwayIn] = Field(
        default_factory=list, max_length=100, description="When the patient cannot come."
    )
    not_before: Day | None = Field(
        default=None,
        description="No step is dated before this day; without one, today plus the notice.",
    )
    status: Literal["active", "draft"] = Field(
        default="active", description="Dates of an active plan are promises; of a draft not yet."
    )
    changes: list[ChangeIn] = Field(
        default_factory=list,
        max_length=200,
        description="Facts and choices known already, applied at creation.",
    )

    def request(self, anchor: AskedAnchor | None) -> PlanRequest:
        """As the use-cases take it."""
        identifier = self.patient.identifier
        return PlanRequest(
            protocol_key=self.protocol.key,
            protocol_version=self.protocol.version,
            patient_id=self.patient.id,
            patient_identifier=None if identifier is None else identifier.to_domain(),
            location_id=self.location_id,
            anchor=anchor,
            plan_start=self.plan_start,
            events=self.events,
            parameters=self.parameters,
            laterality=self.laterality,
            condition=self.condition,
            practitioner=self.practitioner,
            identifiers=tuple(identifier.to_domain() for identifier in self.identifiers),
            note=self.note,
            unavailable=tuple(Away(away.first, away.last) for away in self.unavailable),
            not_before=self.not_before,
            status=PlanStatus(self.status),
            changes=tuple(
                change.to_domain(f"change-{place}")
                for place, change in enumerate(self.changes, start=1)
            ),
        )


class StartedByIn(In):
    """The decision that starts this plan."""

    plan_id: UUID = Field(description="The plan whose `starts` list it.")
    step: Key = Field(description="The decision's step.")

    def to_domain(self) -> StartedBy:
        """As the use-cases take it."""
        return StartedBy(self.plan_id, self.step)


class PlanIn(PlanBody):
    """A protocol to be applied to a patient."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE, EARLIEST_EXAMPLE]})

    anchor: AnchorIn | None = Field(
        default=None, description="When the anchor step is wanted; needed where there is one."
    )

    started_by: StartedByIn | None = Field(
        default=None,
        description="The decision which starts this plan: its plan then lists it no more.",
    )

    def to_domain(self) -> PlanRequest:
        """As the use-cases take it."""
        request = self.request(None if self.anchor is None else self.anchor.to_domain())
        if self.started_by is None:
            return request
        return replace(request, started_by=self.started_by.to_domain())


class ProposalsIn(In):
    """When could the anchor be? Days of a range, ranked, each with its whole schedule."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "plan": {key: value for key, value in EXAMPLE.items() if key != "anchor"},
                    "from": "2027-03-01",
                    "until": "2027-04-30",
                    "rank": "best",
                    "limit": 3,
                }
            ]
        }
    )

    plan: PlanBody = Field(description="The plan without its anchor.")
    first: Day | None = Field(
        default=None, alias="from", description="First day to look at; without one, today."
    )
    until: Day | None = Field(
        default=None,
        description="Last day to look at; the range has at most 120 days, and 120 without one.",
    )
    rank: Literal["best", "earliest"] = Field(
        default="best",
        description="best: nearest to every target first; earliest: soonest first.",
    )
    limit: Whole = Field(default=5, ge=1, le=20, description="How many proposals at most.")
