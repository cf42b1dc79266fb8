"""The notation of includes: another protocol taken in as a part."""

from app.domain.documents.shapes import (
    Case,
    Either,
    Field,
    Many,
    Record,
    Table,
    holds_key,
    is_anything,
)
from app.domain.documents.step_grammar import figure_sources
from app.domain.documents.timing_grammar import ALTERNATIVES, STEP_REFERENCE, TIMING
from app.domain.documents.vocabulary import (
    KEY,
    KEYS,
    PARAMETER_KEY,
    PARAMETER_VALUE,
    SIDE,
    STEP_KEY,
    TITLE,
    VERSION,
)

_VALUE = Either(
    (
        Case(
            holds_key("parameter"),
            Record(
                "SharedParameter",
                "A parameter of the whole which takes the place of the part's own.",
                (Field("parameter", PARAMETER_KEY, "Its key in the whole.", required=True),),
            ),
        ),
        Case(is_anything, PARAMETER_VALUE),
    ),
    "a value of the parameter, or a parameter of the whole",
)
INCLUDE = Record(
    "Include",
    "Another protocol of the clinic, taken in as a part: all its keys get this one in front.",
    (
        Field("key", KEY, "What is put in front: side_a gives side_a_session.", required=True),
        Field("protocol", KEY, "The other protocol's key.", required=True),
        Field("version", VERSION, "Its version.", required=True),
        Field("title", TITLE, "What is put in front of its steps' titles: First ankle."),
        Field("side", SIDE, "Which side its steps treat, where parts treat different ones."),
        Field("timings", Many(TIMING, most=20), "What places its anchor in the whole."),
        Field("alternatives", ALTERNATIVES, "Timings of its anchor of which exactly one holds."),
        Field(
            "share",
            Table(KEY, STEP_KEY, most=100),
            "Steps not taken again, by the step of the whole that takes the place of each.",
        ),
        Field(
            "leave_out",
            KEYS,
            "Steps and rules (by id) that are not taken; nor is what counts from such a step.",
        ),
        Field(
            "parameters",
            Table(KEY, _VALUE, most=50),
            "Its parameters that are fixed at a value, or are one of the whole.",
        ),
        Field(
            "events",
            Table(KEY, STEP_REFERENCE, most=20),
            "Its outside events which are a step of the whole: they are on that step's day.",
        ),
        Field(
            "sources",
            figure_sources("IncludeSources", ("timing", "timing_window")),
            "Where the figures of its anchor's timings come from.",
        ),
    ),
)
