"""What clients send to change a plan, and what they are given back."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.api.fields import Day, In, Line, Out
from app.api.plans import examples
from app.api.plans.asking import ReportIn, SetParameterIn, UnavailableIn, WaiveIn
from app.api.plans.models import BreachOut, MoveOut, PlanOut
from app.api.plans.step_changing import (
    DecisionTakenIn,
    StartDismissedIn,
    StepArrivedIn,
    StepBookedIn,
    StepChangedIn,
    StepMissedIn,
    StepMovedIn,
    StepPerformedIn,
    StepPinnedIn,
    StepUnbookedIn,
    StepUnpinnedIn,
)
from app.domain.plans.changes import (
    ADDED,
    AddStep,
    Amend,
    Change,
    MoveAnchor,
    Resume,
    SetStatus,
)
from app.domain.protocols import StepKind
from app.domain.states import PlanStatus
from app.services.plans.posting import (
    AcknowledgeChange,
    Correction,
    Place,
    PlanChange,
    Posted,
    PostedChanges,
)

# A decision would have nothing to choose.
AddedKind = Literal[
    StepKind.INJECTION,
    StepKind.PROCEDURE,
    StepKind.VISIT,
    StepKind.CALL,
    StepKind.REHAB,
    StepKind.DEVICE_FITTING,
    StepKind.ASSESSMENT,
    StepKind.RESTRICTION,
]


class AddedTimingIn(In):
    """The timing of an added step, as a protocol document writes it."""

    relative_to: dict[str, Any] | Literal["plan_start", "birth_date"] = Field(
        description="What it counts from: a step, an event, the plan's start or the birth date."
    )
    earliest: str | None = Field(default=None, description="ISO 8601 duration.", max_length=16)
    target: str | None = Field(default=None, description="ISO 8601 duration.", max_length=16)
    latest: str | None = Field(default=None, description="ISO 8601 duration.", max_length=16)


class StepAddedIn(In):
    """A step of this plan alone."""

    type: Literal["add_step"]
    title: Line = Field(description="What it is called.")
    kind: AddedKind = Field(description="What sort of step it is.")
    timing: AddedTimingIn = Field(description="The rule that places it.")

    def to_domain(self) -> Posted:
        """The choice; its key is made from the change's id."""

        def make(place: Place) -> Change:
            timing = self.timing.model_dump(exclude_none=True)
            key = f"{ADDED}{place.id.hex[-8:]}"
            data = {"key": key, "kind": self.kind.value, "title": self.title, "timings": [timing]}
            return AddStep(data)

        return PlanChange(make)


class AnchorMovedIn(In):
    """Another day for the anchor; null postpones it without a date."""

    type: Literal["move_anchor"]
    to: Day | None = Field(description="The day wanted; null: what hangs on it is undated.")

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: MoveAnchor(self.to))


# Made of the keys of a rule and its steps, which may be long.
_OfBreach = Annotated[str, Field(min_length=1, max_length=500)]


class BreachAcknowledgedIn(In):
    """A person has seen a breach, or accepts the one which the other changes bring about."""

    type: Literal["acknowledge"]
    breach: _OfBreach = Field(description="The breach's id.")
    text: _OfBreach | None = Field(
        default=None,
        description=(
            "The breach as it reads once everything posted with this is done; if another one comes "
            "of it, all is refused. Without: as it reads now."
        ),
    )

    def to_domain(self) -> Posted:
        """The choice."""
        return AcknowledgeChange(self.breach, self.text)


class PlanStatusIn(In):
    """The plan as a whole is activated, held, completed or revoked."""

    type: Literal["activate", "hold", "complete", "revoke"] = Field(
        description=(
            "activate: the dates of a draft are promises now; hold: nothing becomes overdue until "
            "it is resumed; complete: the course is over; revoke: what is undone is called off."
        )
    )

    def to_domain(self) -> Posted:
        """The choice."""
        to = {
            "activate": PlanStatus.ACTIVE,
            "hold": PlanStatus.ON_HOLD,
            "complete": PlanStatus.COMPLETED,
            "revoke": PlanStatus.REVOKED,
        }[self.type]
        return PlanChange(lambda _: SetStatus(to))


class PlanResumedIn(In):
    """A plan on hold, or completed too early, goes on: it is dated again.

    What has passed meanwhile gets a new day where it can have one; else it stays, overdue, until
    a person moves or skips it.
    """

    type: Literal["resume"]
    on: Day | None = Field(
        default=None, description="No undone step is dated before this day; absent, today."
    )

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda place: Resume(self.on or place.today))


class PlanAmendedIn(In):
    """The plan goes on by another version of its protocol.

    What was set of a parameter which that does not have counts no more; a value which it does not
    take is set anew in the same post.
    """

    type: Literal["amend"]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")] = Field(
        description="The version, which must be active."
    )

    def to_domain(self) -> Posted:
        """The choice."""
        return PlanChange(lambda _: Amend(self.version))


class ChangeCorrectedIn(In):
    """An earlier change was entered in error: the plan is computed without it."""

    type: Literal["correct"]
    change_id: UUID = Field(description="The change, as the history names it.")

    def to_domain(self) -> Posted:
        """The correction."""
        return Correction(self.change_id)


# These are said the same way when a plan is made: the id of what is reported is the change's own.
Told = SetParameterIn | ReportIn | UnavailableIn | WaiveIn
PostedIn = Annotated[
    StepPerformedIn
    | StepMissedIn
    | StepMovedIn
    | StepPinnedIn
    | StepUnpinnedIn
    | StepBookedIn
    | StepArrivedIn
    | StepUnbookedIn
    | StepChangedIn
    | StepAddedIn
    | AnchorMovedIn
    | SetParameterIn
    | DecisionTakenIn
    | StartDismissedIn
    | ReportIn
    | UnavailableIn
    | WaiveIn
    | BreachAcknowledgedIn
    | PlanStatusIn
    | PlanResumedIn
    | PlanAmendedIn
    | ChangeCorrectedIn,
    Field(discriminator="type"),
]


def _posted(change: PostedIn) -> Posted:
    if isinstance(change, Told):
        told = change
        return PlanChange(lambda place: told.to_domain(str(place.id)))
    return change.to_domain()


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
    changes: list[PostedIn] = Field(
        min_length=1, max_length=200, description="What happened and was chosen, in order."
    )

    leave_days: bool = Field(
        default=False,
        description=(
            "Record what happened also where it leaves no schedule: the days in its way stay as "
            "they are, flagged. Only for facts: perform, miss, arrive, report, unavailable, "
            "acknowledge, correct."
        ),
    )

    def to_domain(self) -> PostedChanges:
        """As the use-cases take it."""
        changes = tuple(_posted(change) for change in self.changes)
        return PostedChanges(changes, self.reason, self.leave_days)


_CHANGED: dict[str, Any] = {
    "plan": {
        **examples.PLAN,
        "revision": 2,
        "anchor": {"step": "session", "date": "2027-03-19"},
        "updated_at": "2027-01-11T16:00:00Z",
    },
    "moves": [examples.MOVE],
    "offers": [
        {
            "step_id": "01920000-0000-7000-8000-000000000105",
            "date": "2027-02-26",
            "text": "Fri 2027-02-26 is the target of primer 2",
            "breach": None,
            "request": {
                "reason": "Fri 2027-02-26 is the target of primer 2",
                "changes": [{"type": "move", "step": "primer/1", "to": "2027-02-26"}],
            },
        }
    ],
    "breaches": [],
    "added": [],
    "removed": [],
}


class OfferOut(Out):
    """A better day for a step, or a way to resolve what is flagged."""

    step_id: UUID = Field(description="The planned step.")
    date: Day = Field(description="The better day.")
    text: str = Field(description="Why it is better.")
    breach: str | None = Field(description="The breach which it resolves, if it is for one.")
    request: dict[str, Any] = Field(
        description="What to post to the plan's changes, once it is as it is shown here."
    )


class RemovedStepOut(Out):
    """A planned step which the plan had before."""

    step_id: UUID = Field(description="The planned step.")
    step: str = Field(description="Its occurrence.")
    title: str = Field(description="What it was called.")


class ChangedPlanOut(Out):
    """A plan after a change: what moved and why, what could be better, what is flagged."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGED]})

    plan: PlanOut
    moves: list[MoveOut] = Field(description="Days given out before that are no longer the day.")
    offers: list[OfferOut] = Field(
        description="Better days for steps that were kept, or are flagged."
    )
    breaches: list[BreachOut] = Field(description="Rules flagged for a person.")
    added: list[UUID] = Field(description="Planned steps it did not have before.")
    removed: list[RemovedStepOut] = Field(description="Planned steps it no longer has.")
