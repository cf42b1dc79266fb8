"""The published shapes of plans; answers are built as data and checked against these in tests."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.fields import Day, Instant, Out
from app.api.plans import examples
from app.api.plans.asking import Side
from app.domain.protocols import StepKind
from app.domain.rules import Severity
from app.domain.states import AppointmentStatus, PlanStatus, StepStatus, WindowState


class ReasonOut(Out):
    """Why a day was chosen, kept, moved or refused."""

    code: str = Field(description="Stable code.")
    text: str = Field(description="One plain sentence.")
    rule: str | None = Field(default=None, description="The element it follows from, if one.")


class WindowOut(Out):
    """What a step's own timings give from the days of its references; inclusive."""

    earliest: Day | None = Field(description="First day; null is no bound.")
    target: Day = Field(description="The day aimed at.")
    latest: Day | None = Field(description="Last day; null is no bound.")


class InstructionOut(Out):
    """A sentence for somebody, on a day."""

    date: Day = Field(description="When it is due.")
    audience: str = Field(description="Who should read it.")
    text: str = Field(description="What to do.")


class AppointmentOut(Out):
    """The booking of a planned step, as the booking system told it, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.APPOINTMENT]})

    starts_at: Instant = Field(description="When it starts.")
    ends_at: Instant = Field(description="When it ends.")
    identifier: str | None = Field(description="What the booking system calls it.")
    mode: str | None = Field(description="How it takes place, such as in_person.")
    status: AppointmentStatus = Field(
        default=AppointmentStatus.BOOKED,
        description="What became of it; whether it was kept the step's own status says.",
    )


class PlannedStepOut(Out):
    """One occurrence of a step in a plan; its id survives every move."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STEP]})

    id: UUID | None = Field(description="The planned step; null in a preview.")
    key: str = Field(description="The protocol's step.")
    occurrence: int | str | None = Field(description="Number or timepoint of a repeated step.")
    ordinal: int | None = Field(description="Its number by date, for people.")
    of: int | None = Field(description="How many there are.")
    kind: StepKind = Field(description="What sort of step it is.")
    title: str = Field(description="What it is called.")
    optional: bool = Field(description="Whether it may be left out.")
    status: StepStatus = Field(description="What became of it.")
    tentative: bool = Field(description="Whether a decision still has to confirm it.")
    date: Day | None = Field(description="Its local day; null while undated.")
    end_date: Day | None = Field(description="The last day of a span.")
    duration_minutes: int | None = Field(description="Minutes of the appointment.")
    modes: list[str] = Field(description="How it can take place.")
    appointment: AppointmentOut | None = Field(
        description="Its booking, or the last one until there is another; null where there is none."
    )
    window: WindowOut | None = Field(description="Null where no timing places it.")
    deadline: bool = Field(description="Whether its latest day only turns it overdue.")
    window_state: WindowState | None = Field(description="Where it stands today.")
    deviation_days: int | None = Field(description="Days from its own target; negative is early.")
    missed: list[Day] = Field(description="The days on which nobody came for it.")
    reasons: list[ReasonOut] = Field(description="Why it is on its day, or has none.")
    instructions: list[InstructionOut] = Field(description="What to tell whom, and when.")
    allowed_changes: list[str] = Field(description="Types of change that may be posted for it.")


class ProtocolRefOut(Out):
    """The protocol version a plan was made by."""

    key: str = Field(description="The protocol's key.")
    version: str = Field(description="The version.")
    example: bool = Field(description="Whether it is an example no clinician has confirmed.")


class IdentifierOut(Out):
    """What another system calls something."""

    system: str = Field(description="The system, as a URI or a name of the clinic's own.")
    value: str = Field(description="What it calls it.")


class AnchorOut(Out):
    """The step a plan hangs from, and its day."""

    step: str = Field(description="The anchor's occurrence.")
    date: Day | None = Field(description="Its day; null while it is postponed.")
    earliest_from: Day | None = Field(default=None, description="First day asked for.")
    until: Day | None = Field(default=None, description="Last day asked for.")


class BreachOut(Out):
    """A rule that does not hold and may not block: flagged for a person."""

    id: str = Field(description="The breach, for acknowledging it.")
    rule: str = Field(description="The rule.")
    severity: Severity = Field(description="How much it matters.")
    text: str = Field(description="What is wrong, in one sentence.")
    step_ids: list[UUID] = Field(description="The planned steps concerned.")
    acknowledged: bool = Field(description="Whether a person has acknowledged it.")


class AttentionOut(Out):
    """Why a person must look at a plan."""

    code: str = Field(description="Stable code.")
    text: str = Field(description="One plain sentence.")
    breach: str | None = Field(default=None, description="The breach, if it is one.")
    step_id: UUID | None = Field(default=None, description="The step, if it is one.")


class StartOut(Out):
    """Another protocol which a decision starts: nothing begins until somebody posts it."""

    step_id: UUID | None = Field(description="The decision; null in a preview.")
    step: str = Field(description="Its key.")
    protocol: str = Field(description="The protocol that is to be started.")
    text: str = Field(description="How what was done fits, or why there is no request.")
    needs_role: str | None = Field(description="Who may agree to the request's waiver, if any.")
    request: dict[str, Any] | None = Field(
        description="A whole body for `POST /v1/plans`, with what was done already and counts "
        "there; null where none could be posted now."
    )


class PlanOut(Out):
    """A protocol applied to a patient: every step with its day, every day with its reasons."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PLAN]})

    id: UUID | None = Field(description="The plan; null in a preview.")
    revision: int | None = Field(description="Counts its changes from 1; null in a preview.")
    status: PlanStatus = Field(description="Status in the words of FHIR CarePlan.")
    protocol: ProtocolRefOut
    patient_id: UUID = Field(description="The patient.")
    location_id: UUID = Field(description="The location whose days these are.")
    time_zone: str = Field(description="IANA name of the location's zone.")
    body_site: str | None = Field(description="Where it is treated.")
    laterality: Side | None = Field(description="The side treated.")
    condition: str | None = Field(description="What is treated, in words.")
    practitioner: str | None = Field(description="Who is responsible.")
    identifiers: list[IdentifierOut] = Field(description="What other systems call the plan.")
    note: str | None = Field(description="A note for the team.")
    anchor: AnchorOut | None = Field(description="Null where the protocol has no anchor.")
    parameters: dict[str, int | str] = Field(description="Parameters set for this plan.")
    chosen: dict[str, str] = Field(description="The alternative taken, by step.")
    steps: list[PlannedStepOut] = Field(description="Every planned step, in protocol order.")
    next_step: UUID | None = Field(description="The next step somebody has to attend to.")
    needs_attention: list[AttentionOut] = Field(description="Why a person must look at it.")
    breaches: list[BreachOut] = Field(description="Rules flagged for a person.")
    starts: list[StartOut] = Field(
        description="Protocols which its decisions start, until they are posted or dismissed."
    )
    created_at: Instant | None = Field(description="When it was made; null in a preview.")
    updated_at: Instant | None = Field(description="When it last changed; null in a preview.")


class NextStepOut(Out):
    """The next step of a plan in a list."""

    id: UUID = Field(description="The planned step.")
    key: str = Field(description="The protocol's step.")
    title: str = Field(description="What it is called.")
    date: Day | None = Field(description="Its day.")


class PlanSummaryOut(Out):
    """What a list says of a plan."""

    id: UUID = Field(description="The plan.")
    revision: int = Field(description="Counts its changes from 1.")
    status: PlanStatus = Field(description="Status in the words of FHIR CarePlan.")
    protocol: ProtocolRefOut = Field(description="The protocol version it was made by.")
    patient_id: UUID = Field(description="The patient.")
    location_id: UUID = Field(description="The location.")
    body_site: str | None = Field(description="Where it is treated.")
    laterality: Side | None = Field(description="The side treated.")
    condition: str | None = Field(description="What is treated, in words.")
    practitioner: str | None = Field(description="Who is responsible.")
    anchor: AnchorOut | None = Field(description="The anchor and its day.")
    next_step: NextStepOut | None = Field(description="The next step to attend to.")
    needs_attention: list[AttentionOut] = Field(description="Why a person must look at it.")
    created_at: Instant = Field(description="When it was made.")
    updated_at: Instant = Field(description="When it last changed.")


class PlanListOut(Out):
    """A page of plans, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PAGE]})

    items: list[PlanSummaryOut] = Field(description="The plans of this page.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class MoveOut(Out):
    """A day given out before that would no longer be the day."""

    step_id: UUID | None = Field(description="The planned step; null before it is stored.")
    step: str = Field(description="Its occurrence.")
    was: Day = Field(alias="from", description="The day it had.")
    to: Day | None = Field(description="The day it would have; null is undated.")
    reasons: list[ReasonOut] = Field(description="Why.")


class BookableDayOut(Out):
    """A day a step could have."""

    date: Day = Field(description="The day.")
    cost: int = Field(description="Importance times days from target, over the whole plan.")
    moves: list[MoveOut] = Field(description="Other steps whose day would change.")


class BookableDaysOut(Out):
    """The bookable days of a step in a range."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DAYS]})

    days: list[BookableDayOut] = Field(description="By date.")


class ElementOut(Out):
    """One thing that takes part in a conflict."""

    id: str = Field(description="Its name, as in a waiver.")
    text: str = Field(description="What it says, in words.")


class ConflictOut(Out):
    """A minimal set of elements that cannot hold together."""

    elements: list[ElementOut] = Field(description="Without any one of them it works.")


class JudgedDayOut(Out):
    """Why a step could have a day, or why not."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REFUSED_DAY]})

    bookable: bool = Field(description="Whether it could have this day.")
    reasons: list[ReasonOut] | None = Field(default=None, description="Why it could.")
    moves: list[MoveOut] | None = Field(default=None, description="What else would move.")
    conflict: ConflictOut | None = Field(default=None, description="Why it could not.")


class ProposalOut(Out):
    """A day for the anchor with the whole schedule it gives."""

    date: Day = Field(description="The anchor's day.")
    cost: int = Field(description="Importance times days from target, over the whole plan.")
    plan: PlanOut = Field(description="The plan it would give.")
    request: dict[str, Any] = Field(description="The body to post to /v1/plans to have it.")


class ProposalsOut(Out):
    """Anchor days of a range, ranked."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PROPOSALS]})

    first: Day = Field(alias="from", description="First day looked at.")
    until: Day = Field(description="Last day looked at.")
    possible: int = Field(description="How many days of the range work.")
    proposals: list[ProposalOut] = Field(description="The best of them; empty where none works.")


class OptionOut(BaseModel, defer_build=True):
    """A way out of a conflict."""

    text: str = Field(description="What it does, in words.")
    request: dict[str, Any] = Field(description="The whole body to post.")
    plan_id: UUID | None = Field(
        default=None, description="The other plan whose changes take it; null: the same address."
    )
    moves: list[MoveOut] = Field(description="Days given out that would change.")
    needs_role: str | None = Field(description="The role it needs; null is nobody's in particular.")
