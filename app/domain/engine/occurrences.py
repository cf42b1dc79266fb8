"""The engine's own values: occurrences and the links that place them, mutable while built."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.engine.shifts import Shift, value
from app.domain.facts import InvalidRequest, OccurrenceId
from app.domain.protocols import Bounds, Nth, Order, Step
from app.domain.rules import StepSelector
from app.domain.schedules import Placed

MAX_STEPS = 200
MAX_OCCURRENCES = 500


class PlanTooLarge(InvalidRequest):
    """More steps, occurrences or orders of steps than the engine takes on."""


@dataclass(slots=True)
class Link:
    """One timing of one occurrence: the occurrence or fixed day it counts from, and its bounds.

    ``sign`` is the direction of its target: -1 before the reference, else 1. ``shifted`` days were
    added to its bounds by a decision. ``to_end`` leads from the reference's day to the end that is
    meant, where one is.
    """

    name: str
    bounds: Bounds
    earliest: Shift | None
    aim: Shift
    latest: Shift | None
    sign: int
    label: str
    ref: int | None = None
    day: int = 0
    shifted: int = 0
    to_end: Shift | None = None

    def start(self, days: Mapping[int, int]) -> int:
        """The day its shifts count from, its reference having one: none hangs on an undated one."""
        return self.day if self.ref is None else days[self.ref]

    def counted_from(self, days: Mapping[int, int]) -> int:
        """The day its offsets count from in the protocol: the reference's day, or its end."""
        start = self.start(days)
        return start if self.to_end is None else value(self.to_end, start)


@dataclass(slots=True)
class Occurrence:
    """One occurrence of a step before it has a day; ``undated`` says why it will get none."""

    index: int
    id: OccurrenceId
    step: Step
    importance: int
    any_day: bool
    label: str
    span: Shift | None = None
    links: list[Link] = field(default_factory=list)
    undated: str | None = None
    ordinal: int | None = None
    of: int | None = None
    tentative: bool = False

    @property
    def floored(self) -> bool:
        """Whether it may not begin before today: all but spans that need no open day."""
        return not (self.any_day and self.span is not None)


@dataclass(slots=True)
class Expansion:
    """All occurrences of one choice of alternatives, in protocol order."""

    occurrences: list[Occurrence]
    chosen: dict[str, str]
    by_id: dict[OccurrenceId, int]
    by_step: dict[str, list[int]]
    added: dict[str, int] = field(default_factory=dict)
    """How often a step had been planned before a decision added to it."""

    def selected(self, selector: StepSelector) -> list[int]:
        """The occurrences a rule speaks of; a skipped one or one left out is not among them."""
        found = self.by_step.get(selector.step, [])
        if selector.occurrence is None or not found:
            return found
        if selector.occurrence in (Nth.FIRST, Nth.LAST):
            return [self.nth(found, Nth(selector.occurrence))]
        wanted = self.by_id.get(OccurrenceId(selector.step, selector.occurrence))
        return [] if wanted is None else [wanted]

    def before_decisions(self, step: str) -> list[int]:
        """The occurrences of a step without those which decisions have added to it."""
        found = self.by_step.get(step, [])
        if step not in self.added:
            return found
        numbers = ((index, self.occurrences[index].id.occurrence) for index in found)
        return [i for i, n in numbers if isinstance(n, int) and n <= self.added[step]]

    def nth(self, found: list[int], nth: Nth) -> int:
        """The first or last occurrence by date."""
        repeat = self.occurrences[found[0]].step.repeat
        backward = repeat is not None and repeat.order is Order.BACKWARD
        return found[0] if (nth is Nth.FIRST) != backward else found[-1]


def spoken(key: str) -> str:
    """A step's key as people say it: "orthotic impression"."""
    return key.replace("_", " ").replace("-", " ").replace(".", " ")


def spoken_step(placed: Placed) -> str:
    """A planned step as people say it: "primer 1", numbered by date, or "followup m12"."""
    number = placed.id.occurrence
    if placed.of is not None:
        number = placed.ordinal if placed.of > 1 else None
    return spoken(placed.id.step) if number is None else f"{spoken(placed.id.step)} {number}"
