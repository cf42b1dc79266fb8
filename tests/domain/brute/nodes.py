"""One problem as the brute force sees it: its occurrences and the timings each hangs on."""

from dataclasses import dataclass, field
from datetime import date

from app.domain.facts import Commitment, Kept, OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, LatestIs, Step
from tests.domain.brute.arithmetic import Clock, aim_of

WEIGHTS = {Commitment.BOOKED: 4, Commitment.ACTIVE: 2, Commitment.DRAFT: 0}


@dataclass(frozen=True)
class Link:
    """One timing of an occurrence, its reference resolved: a day, an occurrence, or nothing yet.

    ``hangs_on`` is the occurrence it names, also where a frozen day or nothing yet is counted from.
    """

    reference: OccurrenceId | date | None
    hangs_on: OccurrenceId | None
    at_end: bool
    bounds: Bounds
    name: str


@dataclass
class Node:
    """One occurrence."""

    id: OccurrenceId
    step: Step
    importance: int
    any_day: bool
    links: list[Link]
    day: date | None = None
    performed: bool = False
    held: bool = False
    undated: bool = False
    kept: Kept | None = None
    asked: date | None = None
    asked_element: str = ""
    asked_range: tuple[date, date | None] | None = None

    @property
    def may_have_begun(self) -> bool:
        """A span that needs no open day is not bound to the future."""
        return self.step.span is not None and self.any_day

    @property
    def is_given(self) -> bool:
        """Performed, or held in the past: not for the search to place."""
        return self.performed or self.held


@dataclass
class Reading:
    """One problem under one choice of its first-feasible alternatives."""

    problem: Problem
    options: dict[str, str]
    only: frozenset[str] | None
    ignoring: OccurrenceId | None
    nodes: dict[OccurrenceId, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock(self.problem)
        self._waived = {waiver.element: waiver.days for waiver in self.problem.waivers}

    @property
    def chosen(self) -> dict[str, str]:
        """The alternatives of steps that exist."""
        there = {occurrence.step for occurrence in self.nodes}
        return {step: option for step, option in self.options.items() if step in there}

    def active(self, *elements: str) -> bool:
        """Whether all these elements are there: neither waived nor left out."""
        return not any(
            self.waived(element) or (self.only is not None and element not in self.only)
            for element in elements
        )

    def waived(self, element: str) -> bool:
        """Whether a person has set this element aside wholly."""
        return element in self._waived and self._waived[element] is None

    def widened(self, element: str) -> int:
        """The days by which an element is widened."""
        return self._waived.get(element) or 0

    def end_of(self, node: Node, day: int) -> int:
        """The last day of a span, the day itself without one."""
        return day if node.step.span is None else self.clock.add(day, node.step.span)

    def bound(self, link: Link, origin: int, side: str, *, whole: bool = False) -> int | None:
        """The earliest or latest day a link gives from its reference's day, if there is one.

        ``whole``: as if no element were left out.
        """
        offset: Offset | None = getattr(link.bounds, side)
        element = f"{link.name}.{side}"
        gone = self.waived(element) if whole else not self.active(element)
        if offset is None or gone:
            return None
        day = self.clock.add(origin, offset, link.bounds.unit)
        return day + (-1 if side == "earliest" else 1) * self.widened(element)

    def target(self, link: Link, origin: int) -> int:
        """The own target of a link."""
        return self.clock.add(origin, aim_of(link.bounds), link.bounds.unit)


def is_bound(bounds: Bounds, side: str) -> bool:
    """Whether a bound is a hard edge: a deadline only turns the step overdue."""
    if side == "latest" and bounds.latest_is is LatestIs.DEADLINE:
        return False
    return getattr(bounds, side) is not None
