"""The notation of rules beyond timings, in protocols and in a clinic's own rules."""

from app.domain.documents.shapes import Case, Either, Field, Flag, Many, OneOf, Record, holds
from app.domain.documents.vocabulary import (
    KEY,
    LENGTH,
    OFFSETS_SEEN,
    PARAMETER_KEY,
    PARAMETER_VALUE,
    RULE_ID,
    SELECTOR,
    SENTENCE,
    SOME_KEYS,
    SOURCE_IDS,
    STEP_KEYS,
)
from app.domain.protocols import StepKind
from app.domain.rules import Scope, Severity

_ID = Field("id", RULE_ID, "Its id, as conflicts and waivers name it.", required=True)
SEVERITY = Field("severity", OneOf(tuple(Severity)), "How hard it is; block if not given.")
WAIVER_ROLE = Field("waiver_role", KEY, "Who may set it aside with a reason, such as physician.")
NOTE = Field("note", SENTENCE, "What to know about it.")
RULE_SOURCES = Field("sources", SOURCE_IDS, "Ids of the sources of its figures.")
_WHEN = Field(
    "when",
    Record(
        "RuleCondition",
        "Holds while a parameter has one of the values.",
        (
            Field("parameter", PARAMETER_KEY, "The parameter's key.", required=True),
            Field("in", Many(PARAMETER_VALUE, most=50, least=1), "The values.", required=True),
        ),
    ),
    "When the rule holds at all.",
)
_COMMON = (SEVERITY, WAIVER_ROLE, NOTE, _WHEN, RULE_SOURCES)


def _selector(name: str, says: str) -> Field:
    return Field(name, SELECTOR, says, required=True)


def _selectors(name: str, says: str, *, least: int, most: int) -> Field:
    return Field(name, Many(SELECTOR, most=most, least=least), says, required=True)


def _type(word: str) -> Field:
    return Field("type", OneOf((word,)), "The kind of rule.", required=True)


SHORTEST = Field("offset", LENGTH, "The shortest interval.", required=True)
_LONGEST = Field("offset", LENGTH, "The longest interval.", required=True)
_APPLIES_TO = Field(
    "applies_to", STEP_KEYS, "The steps' keys; without, every injection and procedure."
)
KINDS = Field(
    "kinds", Many(OneOf(tuple(StepKind)), most=9, least=1), "Kinds of steps.", required=True
)
SCOPE = Field("scope", OneOf(tuple(Scope)), "This plan alone, or all plans of the patient.")
SAME_SITE = Field("same_site", Flag(), "Whether only the same body site and side counts.")
WASHOUT_DAYS = (
    Field("before", LENGTH, "How long before a step there must be none."),
    Field("before_seen", OFFSETS_SEEN, "The spread found in the sources."),
    Field("after", LENGTH, "How long after a step there must be none."),
    Field("after_seen", OFFSETS_SEEN, "The spread found in the sources."),
)
AGENT = Field("agent", KEY, "What was given, such as nsaid.", required=True)
FINDINGS = Field("findings", SOME_KEYS, "The findings that stop a step.", required=True)


def _rule(name: str, says: str, word: str, *fields: Field, any_of: tuple[str, ...] = ()) -> Record:
    return Record(name, says, (_ID, _type(word), *fields, *_COMMON), any_of)


MIN_GAP = _rule(
    "MinGap",
    "One step starts at least so long after another.",
    "min_gap",
    _selector("from", "The earlier step."),
    _selector("to", "The later step."),
    SHORTEST,
)
MIN_GAP_BETWEEN = _rule(
    "MinGapBetween",
    "Two steps lie at least so far apart, in either order.",
    "min_gap",
    _selectors("between", "The two steps.", least=2, most=2),
    SHORTEST,
    Field("one_visit", Flag(), "Whether both may be done in one visit instead: it is offered."),
)
MIN_GAP_OF_KINDS = _rule(
    "MinGapOfKinds",
    "All steps of these kinds lie at least so far apart, in either order.",
    "min_gap",
    KINDS,
    SHORTEST,
    SCOPE,
    SAME_SITE,
    Field("exempt", Many(STEP_KEYS, most=20), "Groups of steps which give no gap to each other."),
)
MAX_GAP = _rule(
    "MaxGap",
    "One step starts at most so long after another.",
    "max_gap",
    _selector("from", "The earlier step."),
    _selector("to", "The later step."),
    _LONGEST,
)
ORDER = _rule(
    "OrderRule",
    "One step is not after another; the same day is allowed.",
    "order",
    _selector("before", "The earlier step."),
    _selector("after", "The later step."),
)
SAME_DAY = _rule(
    "SameDay",
    "Steps happen on one day.",
    "same_day",
    _selectors("steps", "The steps.", least=2, most=100),
)
NO_OVERLAP = _rule(
    "NoOverlap",
    "Of these spans one starts after the end of the other.",
    "no_overlap",
    _selectors("steps", "The steps.", least=2, most=100),
)
WASHOUT = _rule(
    "Washout",
    "None of an agent within some days before or after a step; its own day counts as inside.",
    "washout",
    AGENT,
    *WASHOUT_DAYS,
    _APPLIES_TO,
    SAME_SITE,
    any_of=("before", "after"),
)
READINESS = _rule(
    "Readiness",
    "Findings that stop steps until a person clears them.",
    "readiness",
    FINDINGS,
    _APPLIES_TO,
)
CLUSTER = _rule(
    "Cluster",
    "While none of these steps is performed they move as a block.",
    "cluster",
    _selectors("steps", "The steps.", least=2, most=100),
)


RULE = Either(
    (
        Case(lambda v: holds("type", "min_gap")(v) and "between" in v, MIN_GAP_BETWEEN),
        Case(lambda v: holds("type", "min_gap")(v) and "kinds" in v, MIN_GAP_OF_KINDS),
        Case(holds("type", "min_gap"), MIN_GAP),
        Case(holds("type", "max_gap"), MAX_GAP),
        Case(holds("type", "order"), ORDER),
        Case(holds("type", "same_day"), SAME_DAY),
        Case(holds("type", "no_overlap"), NO_OVERLAP),
        Case(holds("type", "washout"), WASHOUT),
        Case(holds("type", "readiness"), READINESS),
        Case(holds("type", "cluster"), CLUSTER),
    ),
    "min_gap, max_gap, order, same_day, no_overlap, washout, readiness or cluster",
    tag="type",
)
