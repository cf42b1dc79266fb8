"""The notation of timings, alternatives and repeats."""

from app.domain.documents.shapes import (
    Case,
    Either,
    Field,
    Many,
    Number,
    OneOf,
    Record,
    Table,
    holds_key,
    is_anything,
    is_object,
    is_text,
)
from app.domain.documents.vocabulary import (
    AMOUNT,
    KEY,
    MAX_OCCURRENCES,
    OFFSET,
    PARAMETER_KEY,
    PARAMETER_VALUE,
    STEP_KEY,
    VALUE,
)
from app.domain.protocols import Follows, LatestIs, Nth, Order, Point, Unit

_OCCURRENCE = Either(
    (Case(is_text, KEY), Case(is_anything, Number(1, MAX_OCCURRENCES))),
    "a number, first, last, previous or a timepoint's key",
)
STEP_REFERENCE = Record(
    "StepReference",
    "Another step of the protocol.",
    (
        Field("step", STEP_KEY, "The step's key.", required=True),
        Field(
            "occurrence",
            _OCCURRENCE,
            f"Which one of a repeated step: its number, {', '.join(Nth)}; or a timepoint's key.",
        ),
    ),
)
_EVENT_REFERENCE = Record(
    "EventReference",
    "A named event outside the protocol, given when a plan is made.",
    (Field("event", KEY, "The event's name, such as surgery.", required=True),),
)
REFERENCE = Either(
    (
        Case(holds_key("step"), STEP_REFERENCE),
        Case(holds_key("event"), _EVENT_REFERENCE),
        Case(is_text, OneOf(("plan_start", "birth_date"))),
    ),
    "a step, an event, plan_start or birth_date",
)
_RELATIVE_TO = "The day which the offsets count from."
FROM = Field("from", OneOf(tuple(Point)), "Which end of a reference that has a span.")
FOLLOWS = Field("follows", OneOf(tuple(Follows)), "Which day of the reference counts.")

BOUNDS = (
    Field("earliest", OFFSET, "The first day allowed; without it there is no such bound."),
    Field("target", OFFSET, "The day wanted."),
    Field("latest", OFFSET, "The last day allowed; without it there is no such bound."),
    Field("unit", OneOf(tuple(Unit)), "Calendar days, or open days of the location."),
    Field("latest_is", OneOf(tuple(LatestIs)), "A hard edge, or only when it turns overdue."),
)
ANY_BOUND = ("earliest", "target", "latest")
TIMING = Record(
    "Timing",
    "Three offsets from one reference, inclusive and signed: negative is before. Each is at most "
    "3650 days long; after birth_date, 150 years.",
    (Field("relative_to", REFERENCE, _RELATIVE_TO, required=True), FROM, *BOUNDS, FOLLOWS),
    any_of=ANY_BOUND,
)
_SPACING = Record(
    "Spacing",
    "From one occurrence to the next in their chain; negative where the order is backward.",
    BOUNDS,
    any_of=ANY_BOUND,
)

CONDITION = Record(
    "Condition",
    "Holds while a parameter has one of the values, or is at least a number.",
    (
        Field("parameter", PARAMETER_KEY, "The parameter's key.", required=True),
        Field("in", Many(PARAMETER_VALUE, most=50, least=1), "The values."),
        Field("min", AMOUNT, "The least number."),
    ),
    any_of=("in", "min"),
)
_NAMED_PARAMETER = Record(
    "NamedParameter",
    "The parameter whose value is the key of the option.",
    (Field("parameter", PARAMETER_KEY, "The parameter's key.", required=True),),
)
ALTERNATIVES = Record(
    "Alternatives",
    'Several timings of which exactly one holds: "6 or 8 weeks" is not one wide window.',
    (
        Field(
            "choose",
            Either(
                (
                    Case(holds_key("parameter"), _NAMED_PARAMETER),
                    Case(is_text, OneOf(("first_feasible",))),
                ),
                "a parameter or first_feasible",
            ),
            "Who chooses: a parameter, or the first one for which there is a schedule.",
            required=True,
        ),
        Field(
            "options",
            Many(
                Record(
                    "Option",
                    "One of the timings.",
                    (
                        Field("key", VALUE, "Its key: the parameter's value.", required=True),
                        Field("timing", TIMING, "The timing.", required=True),
                    ),
                ),
                most=20,
                least=1,
            ),
            "The timings, in the order in which they are tried.",
            required=True,
        ),
    ),
)
_TIMES = Number(0, MAX_OCCURRENCES)
_COUNT = Record(
    "Count",
    "How often; with a parameter its value counts, and its bounds are the defaults of these.",
    (
        Field("min", _TIMES, "The fewest."),
        Field("default", _TIMES, "How often if nobody says otherwise."),
        Field("max", _TIMES, "The most."),
        Field("parameter", PARAMETER_KEY, "The parameter that says how often."),
        Field("less", Number(0, 100), "What is taken from the parameter's value."),
        Field("by_value", Table(VALUE, _TIMES, most=50), "How often, by the parameter's value."),
    ),
    any_of=("default", "parameter"),
)
REPEAT = Record(
    "Repeat",
    "Chained occurrences: the step's own timings place number 1, the spacing the others.",
    (
        Field(
            "count",
            Either((Case(is_object, _COUNT), Case(is_anything, _TIMES)), "a number"),
            "How many occurrences.",
            required=True,
        ),
        Field("spacing", _SPACING, "From each occurrence to the next.", required=True),
        Field(
            "spacing_by",
            Record(
                "SpacingBy",
                "Other spacings, by the value of a parameter.",
                (
                    Field("parameter", PARAMETER_KEY, "The parameter's key.", required=True),
                    Field(
                        "values", Table(VALUE, _SPACING, most=50), "By its value.", required=True
                    ),
                ),
            ),
            "Other spacings, by the value of a parameter.",
        ),
        Field(
            "order",
            OneOf(tuple(Order)),
            "Whether number 1 is the earliest, or the one nearest to what follows (backward).",
        ),
    ),
)
