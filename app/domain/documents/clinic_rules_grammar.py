"""The notation of a clinic's own rules, which hold for every plan beside the protocol's."""

from app.domain.documents.grammar import FORMAT
from app.domain.documents.rule_grammar import (
    AGENT,
    FINDINGS,
    KINDS,
    NOTE,
    RULE_SOURCES,
    SAME_SITE,
    SCOPE,
    SEVERITY,
    SHORTEST,
    WAIVER_ROLE,
    WASHOUT_DAYS,
)
from app.domain.documents.shapes import Field, Flag, Many, Number, OneOf, Record
from app.domain.documents.vocabulary import KEY, SOME_KEYS, SOURCE, TITLE
from app.domain.protocols import StepKind

_ID = Field("id", KEY, "Its id; conflicts name it with clinic- before it.", required=True)
_ENABLED = Field("enabled", Flag(), "Whether it holds; true if not given.")
_COMMON = (SEVERITY, WAIVER_ROLE, NOTE, _ENABLED, RULE_SOURCES)
_APPLIES_TO = Field(
    "applies_to",
    Record(
        "StepsMeant",
        "The steps of a protocol that have one of the tags or kinds.",
        (
            Field("tags", SOME_KEYS, "Tags of steps, such as prp."),
            Field("kinds", Many(OneOf(tuple(StepKind)), most=9, least=1), "Kinds of steps."),
        ),
        any_of=("tags", "kinds"),
    ),
    "The steps it concerns; without, every injection and procedure.",
)

CLINIC_RULES = Record(
    "ClinicRules",
    "A clinic's own rules, which hold for every plan beside the protocol's.",
    (
        Field("format", Number(FORMAT, FORMAT), "The number of this notation.", required=True),
        Field("title", TITLE, "For people."),
        Field(
            "washouts",
            Many(
                Record(
                    "ClinicWashout",
                    "None of an agent within some days before or after a step.",
                    (_ID, AGENT, *WASHOUT_DAYS, _APPLIES_TO, SAME_SITE, *_COMMON),
                    any_of=("before", "after"),
                ),
                most=100,
            ),
            "Agents that must not be given around steps.",
        ),
        Field(
            "readiness",
            Many(
                Record(
                    "ClinicReadiness",
                    "Findings that stop steps until a person clears them.",
                    (_ID, FINDINGS, _APPLIES_TO, *_COMMON),
                ),
                most=100,
            ),
            "Findings that stop steps.",
        ),
        Field(
            "gaps",
            Many(
                Record(
                    "ClinicGap",
                    "All steps of these kinds lie at least so far apart, in either order.",
                    (_ID, KINDS, SHORTEST, SCOPE, SAME_SITE, *_COMMON),
                ),
                most=100,
            ),
            "Shortest intervals between steps of some kinds.",
        ),
        Field("sources", Many(SOURCE, most=300), "Where figures come from."),
    ),
)
