"""Rules beyond timings: gaps, orders, washouts, readiness, clusters; each a frozen class."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import DomainError
from app.domain.offsets import Offset


class InvalidRule(DomainError):
    """A rule that can never be applied."""


class Severity(StrEnum):
    """``block`` is hard; ``review`` is placed and flagged; ``warn`` is told."""

    BLOCK = "block"
    REVIEW = "review"
    WARN = "warn"


class Scope(StrEnum):
    """Whether a rule looks at this plan alone or at all plans of the patient."""

    PLAN = "plan"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class StepSelector:
    """Occurrences a rule speaks of: a number, a timepoint's key, first, last; absent: every one."""

    step: str
    occurrence: int | str | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest and the largest value found in the sources of a figure; read by people only."""

    least: Offset
    most: Offset


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    id: str
    severity: Severity = Severity.BLOCK
    waiver_role: str | None = None
    note: str | None = None
    parameter: str | None = None
    parameter_values: tuple[str | int, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MinGap(_Rule):
    """``end`` starts at least ``offset`` after ``begin`` starts."""

    begin: StepSelector
    end: StepSelector
    offset: Offset


@dataclass(frozen=True, slots=True, kw_only=True)
class MinGapBetween(_Rule):
    """Two steps lie at least ``offset`` apart, in either order.

    ``one_visit`` says that both may instead be done in one visit, where a person wants that: it is
    offered, never chosen.
    """

    one: StepSelector
    other: StepSelector
    offset: Offset
    one_visit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MinGapOfKinds(_Rule):
    """All steps of these kinds lie at least ``offset`` apart, in either order.

    With ``scope`` patient also against other plans; ``same_site`` keeps to one site and side;
    steps of one ``exempt`` group give no gap to each other.
    """

    kinds: frozenset[str]
    offset: Offset
    scope: Scope = Scope.PLAN
    same_site: bool = False
    exempt: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxGap(_Rule):
    """``end`` starts at most ``offset`` after ``begin`` starts."""

    begin: StepSelector
    end: StepSelector
    offset: Offset


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRule(_Rule):
    """``before`` is not after ``after``; the same day is allowed."""

    before: StepSelector
    after: StepSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class SameDay(_Rule):
    """These steps happen on one day."""

    steps: tuple[StepSelector, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOverlap(_Rule):
    """Of these spans one starts after the end of the other, in either order."""

    steps: tuple[StepSelector, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Washout(_Rule):
    """No ``agent`` so long before or after a step; its own day counts as inside.

    With ``same_site`` only an agent given at the plan's site and side counts (a report without a
    site or side counts everywhere).
    """

    agent: str
    before: Offset | None = None
    after: Offset | None = None
    applies_to: tuple[str, ...] = ()
    same_site: bool = False
    before_seen: Spread | None = None
    after_seen: Spread | None = None

    def __post_init__(self) -> None:
        if self.before is None and self.after is None:
            raise InvalidRule(f"washout '{self.id}' has no days before and none after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(_Rule):
    """Findings that stop these steps until a person clears them."""

    findings: frozenset[str]
    applies_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster(_Rule):
    """While none of these steps is performed they move as a block, their distances as planned."""

    steps: tuple[StepSelector, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAway(_Rule):
    """A rule of another plan of the patient as it binds this one: no document writes it.

    These ``steps`` stay clear of the ``others`` of that ``plan``: none is so long ``before`` one of
    them nor so long ``after``, and none on its day. ``widened`` are days by which that plan does
    with less. ``origin`` is the rule as that plan has it.
    """

    plan: str
    steps: frozenset[str]
    others: frozenset[str]
    before: Offset | None
    after: Offset | None
    widened: int
    origin: "Rule"


Rule = (
    MinGap
    | MinGapBetween
    | MinGapOfKinds
    | MaxGap
    | OrderRule
    | SameDay
    | NoOverlap
    | Washout
    | Readiness
    | Cluster
)
# What may look at all plans of the patient.
OverAllPlans = MinGapOfKinds | Washout
# What the engine looks at: rules of documents, and those of the patient's other plans.
AnyRule = Rule | KeepAway


_HARSHNESS = {Severity.WARN: 0, Severity.REVIEW: 1, Severity.BLOCK: 2}


def is_as_harsh(own: Rule, rule: Rule) -> bool:
    """Whether a rule always holds and is at least as hard as another."""
    return own.parameter is None and _HARSHNESS[own.severity] >= _HARSHNESS[rule.severity]


def is_at_least(own: Offset | None, asked: Offset | None) -> bool:
    """Whether one interval is never shorter than another; none is the shortest."""
    if asked is None:
        return True
    return own is not None and (own == asked or own.shortest_days >= asked.longest_days)


def keeps_apart_as_much(own: Rule, rule: MinGapOfKinds) -> bool:
    """Whether a rule asks at least what this gap asks, wherever it does."""
    return (
        isinstance(own, MinGapOfKinds)
        and rule.kinds <= own.kinds
        and is_at_least(own.offset, rule.offset)
        and (own.scope is Scope.PATIENT or rule.scope is Scope.PLAN)
        and (rule.same_site or not own.same_site)
        and is_as_harsh(own, rule)
    )
