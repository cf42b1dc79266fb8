"""What a protocol is: steps, the timings that place them, parameters and decisions; no dates."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.errors import DomainError
from app.domain.offsets import MonthEnd, Offset
from app.domain.rules import Rule, Spread


class InvalidStep(DomainError):
    """A step or timing that no protocol can have."""


class StepKind(StrEnum):
    """What sort of thing a step is."""

    INJECTION = "injection"
    PROCEDURE = "procedure"
    VISIT = "visit"
    CALL = "call"
    REHAB = "rehab"
    DEVICE_FITTING = "device-fitting"
    ASSESSMENT = "assessment"
    DECISION = "decision"
    RESTRICTION = "restriction"


class Point(StrEnum):
    """Which end of a step with a span a timing counts from."""

    START = "start"
    END = "end"


class Unit(StrEnum):
    """Calendar days, or open days of the location."""

    DAYS = "days"
    WORKING_DAYS = "working_days"


class Follows(StrEnum):
    """Which day of the reference counts: actual else planned, the first plan, or only the fact."""

    ACTUAL_ELSE_PLANNED = "actual_else_planned"
    PLANNED = "planned"
    ACTUAL_ONLY = "actual_only"


class LatestIs(StrEnum):
    """Whether the latest day is a hard edge or only turns the step overdue."""

    BOUND = "bound"
    DEADLINE = "deadline"


class Nth(StrEnum):
    """Occurrences named by their place in time."""

    FIRST = "first"
    LAST = "last"
    PREVIOUS = "previous"


class Order(StrEnum):
    """Whether occurrence 1 is the earliest or the one nearest to what follows."""

    FORWARD = "forward"
    BACKWARD = "backward"


@dataclass(frozen=True, slots=True)
class StepReference:
    """Another step; ``occurrence`` is a number, a timepoint's key, first, last or previous."""

    step: str
    occurrence: int | str | None = None
    point: Point = Point.START


@dataclass(frozen=True, slots=True)
class PlanStart:
    """The day the plan starts."""


@dataclass(frozen=True, slots=True)
class BirthDate:
    """The patient's birth date."""


@dataclass(frozen=True, slots=True)
class OutsideEvent:
    """A named event outside the protocol, such as an operation or the last menstrual period."""

    name: str


Reference = StepReference | PlanStart | BirthDate | OutsideEvent


@dataclass(frozen=True, slots=True)
class Bounds:
    """Earliest, target and latest offset, inclusive and signed; an absent one is no bound.

    ``unit`` WORKING_DAYS counts open days and takes offsets in days only.
    """

    earliest: Offset | None = None
    target: Offset | None = None
    latest: Offset | None = None
    unit: Unit = Unit.DAYS
    latest_is: LatestIs = LatestIs.BOUND

    def __post_init__(self) -> None:
        given = [o for o in (self.earliest, self.target, self.latest) if o is not None]
        if not given:
            raise InvalidStep("a timing needs an earliest, a target or a latest offset")
        if self.unit is Unit.WORKING_DAYS and any(o.years or o.months or o.weeks for o in given):
            raise InvalidStep("open days are counted in days only")

    @property
    def aim(self) -> Offset:
        """The target, else the bound nearest the reference (the earliest of two equally near)."""
        if self.target is not None:
            return self.target
        given = [o for o in (self.earliest, self.latest) if o is not None]
        return min(given, key=lambda offset: offset.longest_days)


@dataclass(frozen=True, slots=True)
class Timing:
    """The rule that places a step: bounds counted from one reference."""

    reference: Reference
    bounds: Bounds
    follows: Follows = Follows.ACTUAL_ELSE_PLANNED


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds while a parameter has one of the values, or is at least ``minimum``."""

    parameter: str
    values: tuple[str | int, ...] = ()
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Several timings of which exactly one holds: named by a parameter, else the first feasible."""

    options: tuple[tuple[str, Timing], ...]
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many: a parameter's value (less ``less``), or by its value, else the default."""

    minimum: int
    default: int
    maximum: int
    parameter: str | None = None
    less: int = 0
    by_value: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.default <= self.maximum <= 500:
            raise InvalidStep("a count runs from min over default to max, between 0 and 500")


@dataclass(frozen=True, slots=True)
class Repeat:
    """Chained occurrences: ``spacing`` is the signed timing from occurrence k to k+1.

    ``spacing_by`` gives other spacings by the value of a parameter.
    """

    count: Count
    spacing: Bounds
    order: Order = Order.FORWARD
    spacing_parameter: str | None = None
    spacing_by: tuple[tuple[str, Bounds], ...] = ()


@dataclass(frozen=True, slots=True)
class Timepoint:
    """One of several fixed offsets from the same reference, never chained."""

    key: str
    bounds: Bounds
    title: str | None = None
    minutes: int | None = None
    modes: tuple[str, ...] | None = None
    importance: int | None = None
    any_day: bool | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a decision's choice does: set a parameter, keep, cancel, add, shift, start."""

    type: str
    steps: tuple[str, ...] = ()
    parameter: str | None = None
    value: str | int | None = None
    count: int | None = None
    offset: Offset | None = None
    protocol: str | None = None
    counts_as: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One outcome of a decision."""

    key: str
    title: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Instruction:
    """A sentence for somebody, due ``offset`` from the step's day."""

    offset: Offset
    audience: str
    text: str


class ResourceKind(StrEnum):
    """What sort of resource a step needs."""

    ROLE = "role"
    ROOM = "room"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Need:
    """A person of some role (and capability), a room or a device that a step needs."""

    kind: ResourceKind
    key: str
    capability: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of one appointment, in minutes from its start, with its own resources."""

    key: str
    start: int
    minutes: int
    resources: tuple[Need, ...] = ()
    start_range: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        first, last = self.start_range or (self.start, self.start)
        if not first <= self.start <= last:
            raise InvalidStep(f"segment '{self.key}' starts outside its range")


# Where figures come from: the name of a figure, then the ids of its sources.
FigureSources = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Details:
    """What people and booking read about a step; the engine does not look at it.

    ``requires`` are steps to be performed before; ``needs`` and ``produces`` are things that are
    ready, such as ``consent_signed``; ``external`` happens elsewhere; ``tags`` is what the
    clinic's own rules know a step by.
    """

    minutes: int | None = None
    modes: tuple[str, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    requires: tuple[str, ...] = ()
    note: str | None = None
    segments: tuple[Segment, ...] = ()
    resources: tuple[Need, ...] = ()
    needs: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    outcome_set: str | None = None
    tags: tuple[str, ...] = ()
    external: bool = False
    span_seen: Spread | None = None
    sources: FigureSources = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One element of a protocol.

    ``any_day``: needs no open day and ignores absences. ``span``: lasts from its day to its day
    plus span, both included. ``on_decision``: exists only after a decision adds it. ``side``:
    which of several sides it treats; steps of different sides are not at the same site.
    """

    key: str
    kind: StepKind
    title: str
    importance: int
    timings: tuple[Timing, ...] = ()
    alternatives: Alternatives | None = None
    repeat: Repeat | None = None
    timepoints: tuple[Timepoint, ...] = ()
    span: Offset | None = None
    any_day: bool = False
    when: Condition | None = None
    optional: bool = False
    on_decision: bool = False
    agent: str | None = None
    side: str | None = None
    choices: tuple[Choice, ...] = ()
    details: Details = field(default=Details())

    def __post_init__(self) -> None:
        if self.repeat is not None and self.timepoints:
            raise InvalidStep(f"step '{self.key}' has both a repeat and timepoints")
        if self.timepoints and len(self.timings) != 1:
            raise InvalidStep(f"timepoints of step '{self.key}' need exactly one reference")
        if self.alternatives is not None and self.timepoints:
            raise InvalidStep(f"step '{self.key}' has both alternatives and timepoints")
        if self.span is not None and self.span.sign < 0:
            raise InvalidStep(f"the span of step '{self.key}' is negative")

    @property
    def every_timing(self) -> tuple[Timing, ...]:
        """Its timings, and those of all its alternatives."""
        options = () if self.alternatives is None else self.alternatives.options
        return (*self.timings, *(timing for _, timing in options))


class ParameterType(StrEnum):
    """What a parameter's value is."""

    INTEGER = "integer"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something a person sets when the protocol is applied.

    A ``fixed`` one has its default in every plan; only a decision's choice may set another value.
    """

    key: str
    title: str
    type: ParameterType
    default: str | int | None = None
    minimum: int | None = None
    maximum: int | None = None
    options: tuple[str, ...] = ()
    fixed: bool = False
    sources: FigureSources = ()

    def may_be_given(self, value: object) -> bool:
        """Whether a person may give a plan this value."""
        return self.accepts(value) and (not self.fixed or value == self.default)

    def accepts(self, value: object) -> bool:
        """Whether this is a value of the parameter at all."""
        if self.type is ParameterType.CHOICE:
            return isinstance(value, str) and value in self.options
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        low = self.minimum if self.minimum is not None else value
        high = self.maximum if self.maximum is not None else value
        return low <= value <= high


@dataclass(frozen=True, slots=True)
class Protocol:
    """The part of a protocol version which the engine needs, its steps in their order."""

    steps: tuple[Step, ...]
    anchor: str | None = None
    month_end: MonthEnd = MonthEnd.CLAMP
    parameters: tuple[Parameter, ...] = ()
    rules: tuple[Rule, ...] = ()
    max_widening_days: int = 14
    drift_tolerance: int = 7

    def step(self, key: str) -> Step | None:
        """The step of this key, if there is one."""
        return next((step for step in self.steps if step.key == key), None)
