"""What clients send to change a plan, and what they are given back."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from app.api.fields import Day, In, Instant, Key, Line, Out, Paragraphs, Whole, fault, told_by
from app.api.plans.asking import AwayIn, Element, Occurrence, Side
from app.api.plans.models import BreachOut, MoveOut, PlanOut
from app.domain.calendars import Absence, local_date
from app.domain.facts import OccurrenceId, Reported
from app.domain.offsets import Offset
from app.domain.plans.changes import (
    Acknowledge,
    AddStep,
    Amend,
    Change,
    MoveAnchor,
    Report,
    SetParameter,
    SetStatus,
    Unavailable,
    Waive,
)
from app.domain.plans.state import Booking
from app.domain.plans.step_changes import (
    Book,
    Cancel,
    Miss,
    Move,
    Perform,
    Pin,
    Restore,
    Skip,
    Unbook,
    Unpin,
)
from app.domain.protocols import StepKind
from app.domain.states import PlanStatus
from app.services.plans.posting import (
    Correction,
    DecideChange,
    Place,
    PlanChange,
    Posted,
    PostedChanges,
    StepChange,
)


class OfStepIn(In):
    """A change of one planned step, named by its id or, where that is handier, its occurrence."""

    step_id: UUID | None = Field(default=None, description="The planned step.")
    step: Occurrence | None = Field(default=None, description="Its occurrence, instead of the id.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "OfStepIn":
        if (self.step_id is None) == (self.step is None):
            raise fault("one-of", "needs either step_id or step")
        return self

    def of_step(
        self, make: Callable[[Place, OccurrenceId], Change], said: dict[str, Any] | None = None
    ) -> Posted:
        """The change of this step, with what was said of it."""
        return StepChange(self.named(), make, said or {})

    def named(self) -> UUID | OccurrenceId:
        """The step as it was named."""
        return self.step_id if self.step is None else OccurrenceId.parse(self.step)  # type: ignore[return-value]  # one of both was checked


class HappenedIn(OfStepIn):
    """Something that happened to a step, on a local day or at an instant."""

    on: Day | None = Field(default=None, description="The local day.")
    at: Instant | None = Field(default=None, description="The instant it ended.")

    @model_validator(mode="after")
    def _one_day(self) -> "HappenedIn":
        if (self.on is None) == (self.at is None):
            raise fault("one-of", "needs either on or at")
        return self

    def day_in(self, zone: tzinfo) -> Day:
        """The local day."""
        at: datetime | None = self.at
        return local_date(at, zone) if at is not None else self.on  # type: ignore[return-value]  # one of both was checked


class PerformIn(HappenedIn):
    """A step was done."""

    type: Literal["perform"]
    findings: list[Key] = Field(
        default_factory=list, max_length=50, description="What was found, as codes."
    )
    note: Paragraphs | None = Field(default=None, description="A note for the team.")

    def to_domain(self) -> Posted:
        """The fact."""
        said = {"findings": self.findings, "note": self.note}
        return self.of_step(
            lambda place, step: Perform(step, self.day_in(place.zone)),
            {name: value for name, value in said.items() if value},
        )


class MissIn(OfStepIn):
    """Nobody came: the step is placed again, on a later day."""

    type: Literal["miss"]
    on: Day | None = Field(default=None, description="The local day; absent, today.")

    def to_domain(self) -> Posted:
        """The fact."""
        return self.of_step(lambda place, step: Miss(step, self.on or place.today))


class MoveIn(OfStepIn):
    """A person wants a step on this day."""

    type: Literal["move"]
    to: Day = Field(description="The day wanted.")

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Move(step, self.to))


class PinIn(OfStepIn):
    """A person wants a step on this day and no other, whatever happens."""

    type: Literal["pin"]
    to: Day = Field(description="The day wanted.")

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Pin(step, self.to))


class UnpinIn(OfStepIn):
    """The day of a step is the engine's to choose again."""

    type: Literal["unpin"]

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Unpin(step))


class BookIn(OfStepIn):
    """A visit is booked; its local day becomes the step's day."""

    type: Literal["book"]
    starts_at: Instant = Field(description="When it starts.")
    ends_at: Instant = Field(description="When it ends.")
    identifier: Line | None = Field(default=None, description="What the booking system calls it.")
    mode: Key | None = Field(default=None, description="How it takes place, such as in_person.")

    def to_domain(self) -> Posted:
        """The choice."""
        booking = Booking(self.starts_at, self.ends_at, self.identifier, self.mode)
        return self.of_step(
            lambda place, step: Book(step, local_date(self.starts_at, place.zone), booking)
        )


class PlainStepIn(OfStepIn):
    """A change of one step that needs nothing more said."""

    type: Literal["unbook", "skip", "cancel", "restore"]

    def to_domain(self) -> Posted:
        """The choice."""
        kinds: dict[str, Callable[[OccurrenceId], Change]] = {
            "unbook": Unbook,
            "skip": Skip,
            "cancel": Cancel,
            "restore": Restore,
        }
        return self.of_step(lambda _, step: kinds[self.type](step))


class AddedTimingIn(In):
    """The timing of an added step, as a protocol document writes it."""

    relative_to: dict[str, Any] | Literal["plan_start", "birth_date"] = Field(
        description="What it counts from: a step, an event, the plan's start or the birth date."
    )
    earliest: str | None = Field(default=None, description="ISO 8601 duration.", max_length=16)
    target: str | None = Field(default=None, description="ISO 8601 duration.", max_length=16)
    latest: str | None = Field(default=None, description="ISO 8601 duration.", max_length=16)


class AddStepIn(In):
    """A step of this plan alone."""

    type: Literal["add_step"]
    title: Line = Field(description="What it is called.")
    kind: StepKind = Field(description="What sort of step it is.")
    timing: AddedTimingIn = Field(description="The rule that places it.")

    def to_domain(self) -> Posted:
        """The choice; its key is made from the change's id."""

        def make(place: Place) -> Change:
            timing = self.timing.model_dump(exclude_none=True)
            key = f"added_{place.id.hex[-8:]}"
            data = {"key": key, "kind": self.kind.value, "title": self.title, "timings": [timing]}
            return AddStep(data)

        return PlanChange(make)


class MoveAnchorIn(In):
    """Another day for the anchor; null postpones it without a date."""

    type: Literal["move_anchor"]
    to: Day | None = Field(description="The day wanted; null: what hangs on it is undated.")

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: MoveAnchor(self.to))


class SetParameterIn(In):
    """Another value of a parameter."""

    type: Literal["set_parameter"]
    key: Key = Field(description="The parameter.")
    value: Whole | Line = Field(description="Its value.")

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: SetParameter(self.key, self.value))


def _days(text: str) -> int:
    days = Offset.parse(text).fixed_days
    if days is None:
        raise fault("not-in-days", "must be in weeks or days, such as P2W")
    return days


class DecideIn(OfStepIn):
    """A decision is taken."""

    type: Literal["decide"]
    choice: Key = Field(description="The key of the choice.")
    shift: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="Puts off what the choice keeps, in weeks or days, such as P2W."
    )
    answers: dict[Key, Whole | Line] = Field(
        default_factory=dict, max_length=50, description="What was asked and answered."
    )

    @model_validator(mode="after")
    def _readable(self) -> "DecideIn":
        if self.shift is not None:
            told_by(_days, "not-an-offset")(self.shift)
        return self

    def to_domain(self) -> Posted:
        """The choice."""
        shift = None if self.shift is None else _days(self.shift)
        said = {"answers": dict(self.answers)} if self.answers else {}
        return DecideChange(self.named(), self.choice, shift, said)


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

    def to_domain(self) -> Posted:
        """The fact."""
        return PlanChange(
            lambda place: Report(
                Reported(
                    id=str(place.id),
                    on=self.on,
                    agent=self.agent,
                    finding=self.finding,
                    body_site=self.body_site,
                    laterality=self.laterality,
                )
            )
        )


class UnavailableIn(AwayIn):
    """The patient is away."""

    type: Literal["unavailable"]

    def to_domain(self) -> Posted:
        """The fact."""
        return PlanChange(lambda place: Unavailable(Absence(str(place.id), self.first, self.last)))


class WaiveIn(In):
    """An element of a conflict is set aside, or widened by some days, by a person who may."""

    type: Literal["waive"]
    element: Element
    days: Whole | None = Field(
        default=None, ge=1, le=3650, description="How far it is widened; absent sets it aside."
    )
    reason: Line = Field(description="Why, in the words of whoever waives it.")

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: Waive(self.element, self.days, self.reason))


class AcknowledgeIn(In):
    """A person has seen a breach."""

    type: Literal["acknowledge"]
    breach: Line = Field(description="The breach's id.")

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: Acknowledge(self.breach))


class PlanStatusIn(In):
    """The plan as a whole is activated, held, completed or revoked."""

    type: Literal["activate", "hold", "complete", "revoke"]

    def to_domain(self) -> Posted:
        """The choice."""
        to = {
            "activate": PlanStatus.ACTIVE,
            "hold": PlanStatus.ON_HOLD,
            "complete": PlanStatus.COMPLETED,
            "revoke": PlanStatus.REVOKED,
        }[self.type]
        return PlanChange(lambda _: SetStatus(to))


class ResumeIn(In):
    """A plan on hold goes on: it is solved again from today."""

    type: Literal["resume"]

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: SetStatus(PlanStatus.ACTIVE))


class AmendIn(In):
    """The plan goes on by another version of its protocol."""

    type: Literal["amend"]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")] = Field(
        description="The version, which must be active."
    )

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: Amend(self.version))


class CorrectIn(In):
    """An earlier change was entered in error: the plan is computed without it."""

    type: Literal["correct"]
    change_id: UUID = Field(description="The change, as the history names it.")

    def to_domain(self) -> Posted:
        """The correction."""
        return Correction(self.change_id)


PlanChangeIn = Annotated[
    PerformIn
    | MissIn
    | MoveIn
    | PinIn
    | UnpinIn
    | BookIn
    | PlainStepIn
    | AddStepIn
    | MoveAnchorIn
    | SetParameterIn
    | DecideIn
    | ReportIn
    | UnavailableIn
    | WaiveIn
    | AcknowledgeIn
    | PlanStatusIn
    | ResumeIn
    | AmendIn
    | CorrectIn,
    Field(discriminator="type"),
]


class ChangesIn(In):
    """Facts and choices posted together: applied all or none, one revision."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "physician away",
                    "changes": [{"type": "move_anchor", "to": "2027-03-19"}],
                },
                {
                    "changes": [
                        {
                            "type": "perform",
                            "step_id": "01920000-0000-7000-8000-000000000102",
                            "on": "2027-02-02",
                        }
                    ]
                },
            ]
        }
    )

    reason: Line | None = Field(default=None, description="Why, for the history.")
    changes: list[PlanChangeIn] = Field(
        min_length=1, max_length=200, description="What happened and was chosen, in order."
    )

    def to_domain(self) -> PostedChanges:
        """As the use-cases take it."""
        return PostedChanges(tuple(change.to_domain() for change in self.changes), self.reason)


class OfferOut(Out):
    """A better day for a step that was kept where it is."""

    step_id: UUID = Field(description="The planned step.")
    date: Day = Field(description="The better day.")
    text: str = Field(description="Why it is better.")


class ChangedPlanOut(Out):
    """A plan after a change: what moved and why, what could be better, what is flagged."""

    plan: PlanOut
    moves: list[MoveOut] = Field(description="Days given out before that are no longer the day.")
    offers: list[OfferOut] = Field(description="Better days for steps that were kept.")
    breaches: list[BreachOut] = Field(description="Rules flagged for a person.")
