"""What clients send to change one planned step: what happened to it, and what is wanted of it."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from app.api.fields import Amount, Day, In, Instant, Key, Line, Paragraphs, fault, told_by
from app.api.plans.asking import Occurrence
from app.domain.calendars import local_date
from app.domain.facts import OccurrenceId
from app.domain.offsets import Offset
from app.domain.plans.changes import Change
from app.domain.plans.state import Booking
from app.domain.plans.step_changes import (
    Arrive,
    Book,
    Cancel,
    CloseStart,
    Miss,
    Move,
    Perform,
    Pin,
    Restore,
    Skip,
    Unbook,
    Unpin,
)
from app.domain.states import AppointmentStatus
from app.services.plans.posting import DecideChange, Place, Posted, StepChange


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
        self,
        make: Callable[[Place, OccurrenceId], Change],
        said: dict[str, Any] | None = None,
        *,
        day_at: str = "on",
    ) -> Posted:
        """The change of this step, with what was said of it and the member that has its day."""
        return StepChange(self.named(), make, said or {}, day_at)

    def named(self) -> UUID | OccurrenceId:
        """The step as it was named."""
        return self.step_id if self.step is None else OccurrenceId.parse(self.step)  # type: ignore[return-value]  # one of both was checked


class AppointmentIn(In):
    """An appointment as the booking system has it."""

    starts_at: Instant = Field(description="When it starts.")
    ends_at: Instant = Field(description="When it ends.")
    identifier: Line | None = Field(default=None, description="What the booking system calls it.")
    mode: Key | None = Field(default=None, description="How it takes place, such as in_person.")

    def to_booking(self) -> Booking:
        """The booking."""
        return Booking(self.starts_at, self.ends_at, self.identifier, self.mode)


def _booking(appointment: AppointmentIn | None) -> Booking | None:
    return None if appointment is None else appointment.to_booking()


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


class StepPerformedIn(HappenedIn):
    """A step was done."""

    type: Literal["perform"]
    findings: list[Key] = Field(
        default_factory=list, max_length=50, description="What was found, as codes."
    )
    note: Paragraphs | None = Field(default=None, description="A note for the team.")
    appointment: AppointmentIn | None = Field(
        default=None, description="When it was done, where that was not booked here."
    )

    def to_domain(self) -> Posted:
        """The fact."""
        said = {"findings": self.findings, "note": self.note}
        return self.of_step(
            lambda place, step: Perform(step, self.day_in(place.zone), _booking(self.appointment)),
            {name: value for name, value in said.items() if value},
            day_at="on" if self.at is None else "at",
        )


class StepMissedIn(OfStepIn):
    """Nobody came: the step is placed again, on a later day."""

    type: Literal["miss"]
    on: Day | None = Field(
        default=None,
        description="The local day; absent, the appointment's, or the day it was planned for.",
    )
    appointment: AppointmentIn | None = Field(
        default=None, description="The one to which nobody came, where it was not booked here."
    )

    def to_domain(self) -> Posted:
        """The fact."""
        missed = _booking(self.appointment)
        return self.of_step(
            lambda place, step: Miss(step, self._day(place), missed),
            day_at="appointment/starts_at" if self.on is None and missed else "on",
        )

    def _day(self, place: Place) -> Day:
        if self.on is not None:
            return self.on
        if self.appointment is not None:
            return local_date(self.appointment.starts_at, place.zone)
        return min(place.day or place.today, place.today)


class StepArrivedIn(OfStepIn):
    """The patient has come to the booked appointment."""

    type: Literal["arrive"]
    checked_in: bool = Field(
        default=False, description="Whether all is done that comes before the treatment."
    )

    def to_domain(self) -> Posted:
        """The fact."""
        status = AppointmentStatus.CHECKED_IN if self.checked_in else AppointmentStatus.ARRIVED
        return self.of_step(lambda _, step: Arrive(step, status))


class StepMovedIn(OfStepIn):
    """A person wants a step on this day."""

    type: Literal["move"]
    to: Day = Field(description="The day wanted.")

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Move(step, self.to))


class StepPinnedIn(OfStepIn):
    """A person wants a step on this day and no other, whatever happens."""

    type: Literal["pin"]
    to: Day = Field(description="The day wanted.")

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Pin(step, self.to))


class StepUnpinnedIn(OfStepIn):
    """The day of a step is the engine's to choose again."""

    type: Literal["unpin"]

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Unpin(step))


class StepBookedIn(OfStepIn, AppointmentIn):
    """An appointment is booked; its local day becomes the step's day."""

    type: Literal["book"]

    def to_domain(self) -> Posted:
        """The choice."""
        booking = self.to_booking()
        return self.of_step(
            lambda place, step: Book(step, local_date(self.starts_at, place.zone), booking)
        )


class StepUnbookedIn(OfStepIn):
    """The booking is gone; the day stays planned."""

    type: Literal["unbook"]
    cancelled: bool = Field(
        default=False, description="Whether it is shown as cancelled until there is another one."
    )

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: Unbook(step, self.cancelled))


class StartDismissedIn(OfStepIn):
    """What a decision has started is not wanted: the plan no longer lists it."""

    type: Literal["dismiss_start"]
    protocol: Key | None = Field(
        default=None, description="Which protocol; absent, all that this decision started."
    )

    def to_domain(self) -> Posted:
        """The choice."""
        return self.of_step(lambda _, step: CloseStart(step, self.protocol))


class StepChangedIn(OfStepIn):
    """A change of one step that needs nothing more said."""

    type: Literal["skip", "cancel", "restore"] = Field(
        description=(
            "skip: it is left out; cancel: it is called off; restore: a skipped or cancelled step "
            "is wanted after all."
        )
    )

    def to_domain(self) -> Posted:
        """The choice."""
        kinds: dict[str, Callable[[OccurrenceId], Change]] = {
            "skip": Skip,
            "cancel": Cancel,
            "restore": Restore,
        }
        return self.of_step(lambda _, step: kinds[self.type](step))


def _days(text: str) -> int:
    days = Offset.parse(text).fixed_days
    if days is None:
        raise fault("not-in-days", "must be in weeks or days, such as P2W")
    if days < 0:
        raise fault("not-later", "puts off, and brings nothing forward")
    return days


class DecisionTakenIn(OfStepIn):
    """A decision is taken."""

    type: Literal["decide"]
    choice: Key = Field(description="The key of the choice.")
    shift: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="Puts off what the choice keeps, in weeks or days, such as P2W."
    )
    answers: dict[Key, Amount | Line] = Field(
        default_factory=dict, max_length=50, description="What was asked and answered."
    )

    @model_validator(mode="after")
    def _readable(self) -> "DecisionTakenIn":
        if self.shift is not None:
            told_by(_days, "not-an-offset")(self.shift)
        return self

    def to_domain(self) -> Posted:
        """The choice."""
        shift = None if self.shift is None else _days(self.shift)
        said = {"shift": self.shift, "answers": dict(self.answers)}
        return DecideChange(
            self.named(), self.choice, shift, {name: value for name, value in said.items() if value}
        )
