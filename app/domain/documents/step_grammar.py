"""The notation of steps: what is done, by whom, and what people are told."""

from app.domain.documents.shapes import (
    Case,
    Either,
    Field,
    Flag,
    Many,
    Number,
    OneOf,
    Record,
    Table,
    holds,
    holds_key,
)
from app.domain.documents.timing_grammar import (
    ALTERNATIVES,
    ANY_BOUND,
    BOUNDS,
    CONDITION,
    FOLLOWS,
    FROM,
    REFERENCE,
    REPEAT,
    TIMING,
)
from app.domain.documents.vocabulary import (
    KEY,
    KEYS,
    LENGTH,
    MAX_OCCURRENCES,
    MAX_STEPS,
    MINUTES,
    MODE,
    OFFSET,
    OFFSETS_SEEN,
    PARAGRAPH,
    PARAMETER_KEY,
    PARAMETER_VALUE,
    SENTENCE,
    SIDE,
    SOURCE_IDS,
    SOURCES_SAY,
    STEP_KEY,
    STEP_KEYS,
    TITLE,
)
from app.domain.protocols import StepKind

STEP_FIGURES = (
    "timing",
    "timing_window",
    "repeat",
    "spacing",
    "spacing_window",
    "timepoints",
    "timepoints_window",
    "span",
    "minutes",
    "segments",
    "instructions",
    "choices",
    "outcomes",
    "outcome_set",
    "asks",
)


def figure_sources(name: str, figures: tuple[str, ...]) -> Record:
    fields = (Field(figure, SOURCE_IDS, SOURCES_SAY) for figure in figures)
    return Record(name, "Where each figure comes from.", tuple(fields))


_RESOURCE = Either(
    (
        Case(
            holds_key("role"),
            Record(
                "PersonNeeded",
                "A person who is needed.",
                (
                    Field("role", KEY, "Such as physician or nurse.", required=True),
                    Field("capability", KEY, "What that person must be able to do."),
                ),
            ),
        ),
        Case(
            holds_key("room"),
            Record("RoomNeeded", "A room.", (Field("room", KEY, "Its sort.", required=True),)),
        ),
        Case(
            holds_key("device"),
            Record(
                "DeviceNeeded", "A device.", (Field("device", KEY, "Its sort.", required=True),)
            ),
        ),
    ),
    "a role, a room or a device",
)
_RESOURCES = Field("resources", Many(_RESOURCE, most=20), "Who and what is needed.")
_MINUTE = Number(0, 1440)
_SEGMENT = Record(
    "Segment",
    "A part of one appointment, with its own resources.",
    (
        Field("key", KEY, "Its key.", required=True),
        Field("start", _MINUTE, "Minutes from the start of the appointment.", required=True),
        Field("minutes", MINUTES, "How long it takes.", required=True),
        Field(
            "start_range",
            Record(
                "StartRange",
                "Between which minutes of the appointment a part may start.",
                (
                    Field("min", _MINUTE, "Not before.", required=True),
                    Field("max", _MINUTE, "Not after.", required=True),
                ),
            ),
            "Between which minutes it may start.",
        ),
        _RESOURCES,
    ),
)
_MODES = Field("modes", Many(MODE, most=4), "How the patient may attend.")
_MINUTES = Field("minutes", MINUTES, "How long it takes.")
_APPOINTMENT = Record(
    "Appointment",
    "What has to be booked.",
    (_MINUTES, _MODES, Field("segments", Many(_SEGMENT, most=30), "Its parts, in order.")),
)
_IMPORTANCE = Field(
    "importance",
    Number(1, 1000),
    "What a day off its target costs. Procedures and injections 10, decisions 5, calls and "
    "steps only by phone or questionnaire 1, others 3 if not given.",
)
_ANY_DAY = Field(
    "any_day",
    Flag(),
    "Whether it needs no open day; true for restrictions, spans and questionnaires if not given.",
)
_TIMEPOINT = Record(
    "Timepoint",
    "One of several fixed offsets from the same reference.",
    (
        Field("key", KEY, "Its key: m3.", required=True),
        *BOUNDS,
        Field("title", TITLE, "For people."),
        Field(
            "appointment",
            Record("TimepointAppointment", "What has to be booked.", (_MINUTES, _MODES)),
            "What has to be booked.",
        ),
        _IMPORTANCE,
        _ANY_DAY,
    ),
    any_of=ANY_BOUND,
)

_STEPS = Field("steps", Many(STEP_KEY, most=MAX_STEPS, least=1), "The steps' keys.", required=True)


def _effect(word: str, says: str, *fields: Field) -> Case:
    kind = Field("type", OneOf((word,)), "What is done.", required=True)
    name = f"{word.capitalize()}Effect"
    return Case(holds("type", word), Record(name, says, (kind, *fields)))


_EFFECT = Either(
    (
        _effect(
            "set",
            "Set a parameter.",
            Field("parameter", PARAMETER_KEY, "The parameter's key.", required=True),
            Field(
                "value",
                PARAMETER_VALUE,
                "Its new value.",
                required=True,
            ),
        ),
        _effect("keep", "Make steps firm as they stand.", _STEPS),
        _effect("cancel", "Cancel steps.", _STEPS),
        _effect(
            "add",
            "Let steps begin that exist only after a decision, or repeat one more often.",
            _STEPS,
            Field("count", Number(1, 100), "How many more."),
            Field("offset", OFFSET, "How long after the decision."),
        ),
        _effect(
            "shift", "Move steps.", _STEPS, Field("offset", OFFSET, "By how much.", required=True)
        ),
        _effect(
            "start",
            "Start another protocol.",
            Field("protocol", KEY, "Its key.", required=True),
            Field(
                "counts_as",
                Table(KEY, STEP_KEY, most=50),
                "Steps performed here, by the step of the other protocol which they count as.",
            ),
        ),
    ),
    "set, keep, cancel, add, shift or start",
    tag="type",
)
_CHOICE = Record(
    "Choice",
    "One outcome of a decision.",
    (
        Field("key", KEY, "Its key.", required=True),
        Field("title", TITLE, "For people.", required=True),
        Field("effects", Many(_EFFECT, most=20), "What it does; without, nothing changes."),
    ),
)
_INSTRUCTION = Record(
    "Instruction",
    "A sentence for somebody, due some days before or after the step.",
    (
        Field("offset", OFFSET, "From the step's day.", required=True),
        Field("audience", KEY, "Whom it is for, such as patient.", required=True),
        Field("text", SENTENCE, "The sentence.", required=True),
    ),
)
STEP = Record(
    "Step",
    "One element of a protocol. Without a timing it is free, as the anchor usually is.",
    (
        Field("key", STEP_KEY, "Its key, unique in the protocol.", required=True),
        Field("kind", OneOf(tuple(StepKind)), "What sort of thing it is.", required=True),
        Field("title", TITLE, "For people.", required=True),
        Field("optional", Flag(), "Whether it may be left out."),
        Field("when", CONDITION, "When it exists at all."),
        Field("on_decision", Flag(), "Whether it exists only after a decision adds it."),
        Field("external", Flag(), "Whether it happens elsewhere."),
        Field(
            "side",
            SIDE,
            "Which side it treats in a plan of both: rules for one site and side do not hold "
            "between steps of different sides.",
        ),
        Field("timings", Many(TIMING, most=20), "What places it; all of them hold."),
        Field("alternatives", ALTERNATIVES, "Timings of which exactly one holds."),
        Field("repeat", REPEAT, "How it repeats."),
        Field("relative_to", REFERENCE, "The day which the timepoints count from."),
        FROM,
        FOLLOWS,
        Field("timepoints", Many(_TIMEPOINT, most=MAX_OCCURRENCES), "Several fixed offsets."),
        Field("span", LENGTH, "How long it lasts: to its day plus this, both days included."),
        Field("span_seen", OFFSETS_SEEN, "The spread of spans found in the sources."),
        _ANY_DAY,
        _IMPORTANCE,
        Field("agent", KEY, "What is given; for a restriction, what is to be avoided."),
        Field("tags", KEYS, "What rules of the clinic know it by, such as prp."),
        Field("choices", Many(_CHOICE, most=20), "The outcomes of a decision."),
        Field("appointment", _APPOINTMENT, "What has to be booked."),
        _RESOURCES,
        Field("requires", STEP_KEYS, "Steps that have to be performed before."),
        Field("needs", KEYS, "What must be ready, such as consent_signed."),
        Field("produces", KEYS, "What is ready afterwards."),
        Field("outcomes", KEYS, "What may come out of it."),
        Field("asks", KEYS, "What is asked."),
        Field("outcome_set", KEY, "The questionnaires used."),
        Field("instructions", Many(_INSTRUCTION, most=50), "What people are told, and when."),
        Field("note", PARAGRAPH, "What to know about it."),
        Field("sources", figure_sources("StepSources", STEP_FIGURES), "Where figures come from."),
    ),
)
