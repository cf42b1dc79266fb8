"""The notation of protocol documents: every field with its shape and meaning.

It says what may stand where; whether that makes sense together is looked at by the readers.
"""

from typing import Any

from app.domain.documents.include_grammar import INCLUDE
from app.domain.documents.rule_grammar import RULE
from app.domain.documents.shapes import (
    Case,
    Either,
    Field,
    Flag,
    Many,
    Number,
    OneOf,
    Record,
    Schema,
    Shape,
    holds,
)
from app.domain.documents.step_grammar import STEP, figure_sources
from app.domain.documents.vocabulary import (
    AMOUNT,
    ICD_CODE,
    KEY,
    LATERALITY,
    LOINC_CODE,
    MAX_STEPS,
    PARAGRAPH,
    PARAMETER_KEY,
    SENTENCE,
    SNOMED_ID,
    SOURCE,
    SOURCE_IDS,
    SOURCES_SAY,
    STEP_KEY,
    TITLE,
    VALUE,
    VERSION,
)
from app.domain.offsets import MonthEnd


def _coding(name: str, system: str, code: Shape) -> Record:
    return Record(
        name,
        "A code of a published terminology.",
        (
            Field("system", OneOf((system,)), "The terminology.", required=True),
            Field("code", code, "The code.", required=True),
            Field("display", TITLE, "The code in words."),
            Field("laterality", LATERALITY, "The side which this code stands for."),
            Field("note", SENTENCE, "What to know about its use."),
        ),
    )


_CODING = Either(
    (
        Case(holds("system", "icd-10-cm"), _coding("IcdCoding", "icd-10-cm", ICD_CODE)),
        Case(holds("system", "snomed-ct"), _coding("SnomedCoding", "snomed-ct", SNOMED_ID)),
        Case(holds("system", "loinc"), _coding("LoincCoding", "loinc", LOINC_CODE)),
    ),
    "icd-10-cm, snomed-ct or loinc",
    tag="system",
)
_CODINGS = Field("codings", Many(_CODING, most=50), "Codes of published terminologies.")

FORMAT = 1
PARAMETER_FIGURES = ("default", "min", "max", "options")

_PARAMETER_KEY = Field("key", PARAMETER_KEY, "Its key.", required=True)
_PARAMETER_TITLE = Field("title", TITLE, "For people.", required=True)
_FIXED = Field(
    "fixed", Flag(), "Whether every plan has the default; a decision may still set another value."
)
_PARAMETER_SOURCES = Field(
    "sources", figure_sources("ParameterSources", PARAMETER_FIGURES), "Where figures come from."
)
PARAMETER = Either(
    (
        Case(
            holds("type", "integer"),
            Record(
                "IntegerParameter",
                "A number which a person sets when the protocol is applied.",
                (
                    _PARAMETER_KEY,
                    _PARAMETER_TITLE,
                    Field("type", OneOf(("integer",)), "A number.", required=True),
                    Field("min", AMOUNT, "The least."),
                    Field("default", AMOUNT, "If nobody says otherwise."),
                    Field("max", AMOUNT, "The most."),
                    _FIXED,
                    _PARAMETER_SOURCES,
                ),
            ),
        ),
        Case(
            holds("type", "choice"),
            Record(
                "ChoiceParameter",
                "A choice which a person makes when the protocol is applied.",
                (
                    _PARAMETER_KEY,
                    _PARAMETER_TITLE,
                    Field("type", OneOf(("choice",)), "A choice.", required=True),
                    Field("options", Many(VALUE, most=50, least=1), "The values.", required=True),
                    Field("default", VALUE, "If nobody says otherwise."),
                    _FIXED,
                    _PARAMETER_SOURCES,
                ),
            ),
        ),
    ),
    "integer or choice",
    tag="type",
)

_ABOUT = "How a course of treatment runs: timed steps, their rules, where every figure comes from."
_PARAMETERS = Field("parameters", Many(PARAMETER, most=50), "What a person sets.")
_STEPS = Many(STEP, most=MAX_STEPS, least=1)
_RULES = Field("rules", Many(RULE, most=200), "Rules beyond timings.")
_HEAD = (
    Field("format", Number(FORMAT, FORMAT), "The number of this notation.", required=True),
    Field("key", KEY, "The protocol's key, the same in all its versions.", required=True),
    Field("version", VERSION, "Its version.", required=True),
    Field("title", TITLE, "For people.", required=True),
    Field("summary", PARAGRAPH, "What it is, in a few sentences."),
    Field("evidence_note", PARAGRAPH, "What is known and what is not; read before approval."),
    Field("example", Flag(), "Whether it is an example that needs a clinician's review."),
    Field(
        "condition",
        Record(
            "TreatedCondition",
            "What is treated.",
            (Field("text", TITLE, "In words.", required=True), _CODINGS),
        ),
        "What is treated.",
    ),
    Field(
        "body_site",
        Record(
            "BodySite",
            "Where it is treated.",
            (
                Field("key", KEY, "What rules and reports know it by: ankle.", required=True),
                Field("text", TITLE, "In words.", required=True),
                _CODINGS,
            ),
        ),
        "Where it is treated.",
    ),
    Field(
        "laterality",
        Record(
            "Laterality",
            "Whether plans must name a side, and which.",
            (
                Field("required", Flag(), "Whether a side must be named.", required=True),
                Field("allowed", Many(LATERALITY, most=3, least=1), "The sides.", required=True),
            ),
        ),
        "Whether plans must name a side, and which.",
    ),
    Field("anchor", STEP_KEY, "The step from which a plan hangs."),
    Field("month_end", OneOf(tuple(MonthEnd)), "Where a month leads whose day is missing."),
    Field("max_widening_days", Number(0, 366), "By how many days a waiver may widen."),
    Field("drift_tolerance", Number(0, 366), "Days off target before a kept day is free."),
)
_TAIL = (
    Field(
        "outcome_sets",
        Many(
            Record(
                "OutcomeSet",
                "Questionnaires that belong together.",
                (
                    Field("key", KEY, "Its key.", required=True),
                    Field("measures", Many(TITLE, most=30, least=1), "Their names.", required=True),
                    _CODINGS,
                    Field("sources", SOURCE_IDS, SOURCES_SAY),
                ),
            ),
            most=50,
        ),
        "Sets of questionnaires.",
    ),
    Field("sources", Many(SOURCE, most=300), "Where figures come from."),
)
# What the engine, plans and rules see: nothing is included any more.
DOCUMENT = Record(
    "Protocol",
    _ABOUT,
    (
        *_HEAD,
        _PARAMETERS,
        Field("steps", _STEPS, "The steps, in their order.", required=True),
        _RULES,
        *_TAIL,
    ),
)
# What people write.
WRITTEN = Record(
    "Protocol",
    _ABOUT,
    (
        *_HEAD,
        Field(
            "include",
            Many(INCLUDE, most=10, least=1),
            "Protocols taken in as parts: their steps come first, in this order. Everything here "
            "names what belongs to a part by its prefixed key; where a list of steps may stand, a "
            "part's key alone stands for all its steps.",
        ),
        _PARAMETERS,
        Field("steps", _STEPS, "The steps, in their order; needed where nothing is included."),
        _RULES,
        *_TAIL,
    ),
    any_of=("steps", "include"),
)


def schema_of(record: Record, title: str, schema_id: str) -> Schema:
    """The JSON Schema (2020-12) of a whole document."""
    named: dict[str, Any] = {}
    reference = record.schema(named)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id,
        "title": title,
        **reference,
        "$defs": dict(sorted(named.items())),
    }
