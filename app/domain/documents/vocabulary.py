"""The small words of documents: keys, offsets, codes, texts, each with its form and bounds."""

from app.domain.documents.shapes import (
    Case,
    Either,
    Field,
    Many,
    Name,
    Number,
    OneOf,
    Record,
    Text,
    Word,
    is_anything,
    is_text,
)

MAX_STEPS = 200
MAX_OCCURRENCES = 500
# A source id that means: no published figure, the clinic's default, to confirm before activation.
CLINIC_DEFAULT = "cfg"

_PARTS = r"(?=[0-9])(?:[0-9]{1,3}Y)?(?:[0-9]{1,3}M)?(?:[0-9]{1,4}W)?(?:[0-9]{1,5}D)?"
_KEY = "[a-z][a-z0-9_-]{0,63}"

OFFSET = Word(f"-?P{_PARTS}", "a calendar duration like P6W, -P3M or P0D", "P6W")
LENGTH = Word(f"P{_PARTS}", "a length like P28D or P4W", "P28D")
_KEY_SAYS = "a key: lower case letters, digits, _ and -, beginning with a letter"
KEY = Word(_KEY, _KEY_SAYS, "primer")
STEP_KEY = Name(_KEY, _KEY_SAYS, "primer", "step")
PARAMETER_KEY = Name(_KEY, _KEY_SAYS, "primer_count", "parameter")
RULE_ID = Name(_KEY, _KEY_SAYS, "injection-gap", "rule")
VALUE = Word(
    "[a-z0-9][a-z0-9_-]{0,63}", "a value: lower case letters, digits, _ and -", "six_weeks"
)
SELECTOR = Name(
    f"{_KEY}(?:/(?:[1-9][0-9]{{0,2}}|{_KEY}))?",
    "a step, or one occurrence of it like primer/1, primer/last or followup/m3",
    "primer/last",
    "step",
)
VERSION = Word("(?:0|[1-9][0-9]{0,5})(?:[.](?:0|[1-9][0-9]{0,5})){2}", "like 1.0.0", "1.0.0")
URL = Word("https?://[!-~]{3,500}", "a web address", "https://example.org/trial")

SNOMED_ID = Word("[1-9][0-9]{5,17}", "a SNOMED CT id of 6 to 18 digits", "70258002")
ICD_CODE = Word(
    "[A-Z][0-9][0-9A-Z](?:[.][0-9A-Z]{1,4})?", "an ICD-10-CM code like M25.371", "M25.371"
)
LOINC_CODE = Word("[0-9]{1,7}-[0-9]", "a LOINC code like 72514-3", "72514-3")

TITLE = Text(200)
SENTENCE = Text(1000)
PARAGRAPH = Text(4000)

AMOUNT = Number(0, 100_000)
PARAMETER_VALUE = Either(
    (Case(is_text, VALUE), Case(is_anything, AMOUNT)),
    "a value of the parameter",
)
KEYS = Many(KEY, most=100)
SOME_KEYS = Many(KEY, most=100, least=1)
STEP_KEYS = Many(STEP_KEY, most=MAX_STEPS)
MINUTES = Number(1, 1440)
LATERALITY = OneOf(("left", "right", "bilateral"))
SIDE = OneOf(("left", "right", "first", "second"))
MODE = OneOf(("in_person", "telehealth", "phone", "questionnaire"))
SOURCE_IDS = Many(KEY, most=40)
SOURCES_SAY = f"Ids of the sources; `{CLINIC_DEFAULT}` marks a clinic's default to confirm."

OFFSETS_SEEN = Record(
    "OffsetsSeen",
    "The spread of values found in the sources.",
    (
        Field("min", LENGTH, "The smallest value seen.", required=True),
        Field("max", LENGTH, "The largest value seen.", required=True),
    ),
)

SOURCE = Record(
    "Source",
    "Where figures come from.",
    (
        Field("id", KEY, f"Its id; `{CLINIC_DEFAULT}` is taken.", required=True),
        Field("kind", KEY, "What it is: paper, guideline, clinic-page.", required=True),
        Field("title", SENTENCE, "Its title.", required=True),
        Field("url", URL, "Its address."),
        Field("seen", PARAGRAPH, "What was read there, in own words."),
    ),
)
