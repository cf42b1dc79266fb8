"""The engine's answer: dated steps with their windows and reasons, or a conflict with ways out."""

from dataclasses import dataclass
from datetime import date

from app.domain.errors import DomainError
from app.domain.facts import OccurrenceId
from app.domain.rules import Severity


class InvalidWindow(DomainError):
    """A window whose days run backwards."""


@dataclass(frozen=True, slots=True)
class Window:
    """Earliest, target and latest day of a planned step, inclusive; ``None`` is no bound.

    A primer "two to four weeks before 10 March, ideally three" is 10, 17 and 24 February.
    """

    earliest: date | None
    target: date
    latest: date | None

    def __post_init__(self) -> None:
        days = [day for day in (self.earliest, self.target, self.latest) if day is not None]
        if days != sorted(days):
            raise InvalidWindow(f"window runs backwards: {' > '.join(map(str, days))}")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a day was chosen, kept, moved or refused: a stable code, the rule, one plain sentence."""

    code: str
    text: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """One planned step in a schedule. Without ``day`` it is undated, and its reason says why.

    ``end`` is the last day of a span. ``deviation_days`` counts from the first timing's own
    target. ``ordinal`` of ``of`` numbers repeated steps by date for people.
    """

    id: OccurrenceId
    position: int
    day: date | None
    end: date | None
    window: Window | None
    performed: bool
    tentative: bool
    deviation_days: int | None
    deadline: bool
    reasons: tuple[Reason, ...]
    ordinal: int | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A day given out before that is no longer the day."""

    id: OccurrenceId
    old: date
    new: date | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A better day for a step.

    With ``breach`` it is one that resolves this breach. ``accepts`` is how the breach reads on that
    day, where the way to resolve it is that a person accepts it there.
    """

    id: OccurrenceId
    day: date
    text: str
    breach: str | None = None
    accepts: str | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that does not hold and may not block: it is flagged for a person."""

    id: str
    rule: str
    severity: Severity
    text: str
    occurrences: tuple[OccurrenceId, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every planned step in protocol order, with what moved and what is flagged."""

    steps: tuple[Placed, ...]
    chosen: tuple[tuple[str, str], ...] = ()
    moves: tuple[Move, ...] = ()
    offers: tuple[Offer, ...] = ()
    breaches: tuple[Breach, ...] = ()

    def day_of(self, occurrence: OccurrenceId) -> date | None:
        """The day of one occurrence; ``None`` when undated or not in the schedule."""
        return next((step.day for step in self.steps if step.id == occurrence), None)


@dataclass(frozen=True, slots=True)
class Element:
    """One thing that takes part in a conflict, named as in requests, in words for people."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A minimal set of elements that cannot hold together: without any one of them it works."""

    elements: tuple[Element, ...]

    @property
    def text(self) -> str:
        """One sentence naming every element."""
        return "; ".join(element.text for element in self.elements)


@dataclass(frozen=True, slots=True)
class AskAnchor:
    """Ask for another anchor day."""

    day: date


@dataclass(frozen=True, slots=True)
class AskPin:
    """Ask for another day of a pinned step."""

    occurrence: OccurrenceId
    day: date


@dataclass(frozen=True, slots=True)
class AskParameter:
    """Set a parameter: another count of occurrences, or another alternative."""

    key: str
    value: str | int


@dataclass(frozen=True, slots=True)
class AskSkip:
    """Leave one optional step out."""

    occurrence: OccurrenceId


@dataclass(frozen=True, slots=True)
class AskUnpin:
    """Give back the day that a person chose for a step."""

    occurrence: OccurrenceId


@dataclass(frozen=True, slots=True)
class AskCancelOther:
    """Call off a step of another plan of the patient which stands in the way."""

    plan: str
    step: str


@dataclass(frozen=True, slots=True)
class AskWaiver:
    """Widen one element by some days; ``days`` None sets it aside wholly."""

    element: str
    days: int | None
    role: str


@dataclass(frozen=True, slots=True)
class AskToLeave:
    """Record what happened, and leave these steps on the days that stand in its way."""

    left: frozenset[OccurrenceId]


Remedy = AskAnchor | AskPin | AskParameter | AskSkip | AskUnpin | AskCancelOther | AskWaiver


@dataclass(frozen=True, slots=True)
class Option:
    """A way out of a conflict that works when asked for, with the schedule it gives.

    ``schedule`` is ``None`` only where another, independent conflict remains to be resolved.
    """

    text: str
    remedy: Remedy | AskToLeave
    schedule: Schedule | None


@dataclass(frozen=True, slots=True)
class BookableDay:
    """A day a step could have: its cost and the kept days that would move."""

    day: date
    cost: int
    moves: tuple[Move, ...]
