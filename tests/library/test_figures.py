"""Every number of the library is the draft's, and names the draft's source."""

from typing import Any

import pytest

from app.domain.documents import ProtocolDocument, document_to_data
from app.domain.documents.vocabulary import CLINIC_DEFAULT
from app.domain.offsets import Offset
from app.domain.protocols import Bounds, Step
from app.domain.rules import MaxGap, MinGapOfKinds, Rule, Spread, Washout
from app.services.library import library_clinic_rules, library_protocol
from tests.library.drafts import (
    DRAFTS,
    Data,
    Days,
    draft,
    minutes,
    needs_drafts,
    read,
    spacings,
    windows,
)

pytestmark = [needs_drafts, pytest.mark.long]
each_key = pytest.mark.parametrize("key", DRAFTS)

# What a draft's figure is called in the library.
_NAMES = {"offset": "timing", "offset_window": "timing_window", "windows": "timepoints_window"}
# A rest after each of up to four injections is a step each; the ladder's operation is a decision.
# A decision that is put off comes again as a step of its own.
_AGAIN = {("achilles-prp", "sport_gate_again")}
_SPLIT = {("knee-prp-series", "rest"): ["rest_1", "rest_2", "rest_3", "rest_4"]}


def days(offset: Offset | None) -> int:
    assert offset is not None
    assert offset.fixed_days is not None
    return offset.fixed_days


def bounds_days(bounds: Bounds) -> Days:
    return days(bounds.earliest), days(bounds.target), days(bounds.latest)


def window_days(step: Step) -> set[Days]:
    bounds = [point.bounds for point in step.timepoints]
    if not step.timepoints:
        bounds += [timing.bounds for timing in step.timings]
    if step.alternatives is not None:
        bounds += [timing.bounds for _, timing in step.alternatives.options]
    return {bounds_days(one) for one in bounds}


def pairs(key: str) -> list[tuple[Data, Step]]:
    """Each step of a draft with each step of the library that it became."""
    document = library_protocol(key)
    found = []
    for step in draft(key)["steps"]:
        for name in _SPLIT.get((key, step["key"]), [step["key"]]):
            ours = document.protocol.step(name)
            assert ours is not None, name
            found.append((step, ours))
    return found


@each_key
def test_the_steps_are_the_drafts_in_their_order(key: str) -> None:
    names = [
        name
        for step in draft(key)["steps"]
        for name in _SPLIT.get((key, step["key"]), [step["key"]])
    ]

    steps = [step.key for step in library_protocol(key).protocol.steps]
    assert [step for step in steps if (key, step) not in _AGAIN] == names


@each_key
def test_windows_are_the_drafts(key: str) -> None:
    for step, ours in pairs(key):
        assert window_days(ours) == set(windows(step)), ours.key


@each_key
def test_repeats_are_the_drafts(key: str) -> None:
    for step, ours in pairs(key):
        repeat = step.get("repeat")
        assert (repeat is None) == (ours.repeat is None)
        if repeat is None or ours.repeat is None:
            continue
        found = ours.repeat
        count = found.count
        assert (count.minimum, count.default, count.maximum) == (
            repeat["min"],
            repeat["default"],
            repeat["max"],
        )
        assert count.less == repeat.get("count_minus", 0)
        assert [n for _, n in count.by_value] == [v["count"] for v in repeat.get("count_by", ())]
        assert found.order == repeat["order"]
        ours_days = [bounds_days(found.spacing), *(bounds_days(b) for _, b in found.spacing_by)]
        assert sorted(ours_days) == sorted(spacings(step))


@each_key
def test_spans_minutes_and_instructions_are_the_drafts(key: str) -> None:
    for step, ours in pairs(key):
        assert (ours.span and days(ours.span)) == step.get("span", {}).get("value")
        seen = step.get("span_range")
        assert spread_days(ours.details.span_seen) == (seen and (seen["min"], seen["max"]))
        own = [point.minutes for point in ours.timepoints]
        assert [m for m in (ours.details.minutes, *own) if m is not None] == minutes(step)
        # The fast before sedation stood among the rules of its draft.
        if (key, ours.key) != ("knee-bmac-three-part", "marrow_day"):
            told = [(days(i.offset), i.text) for i in ours.details.instructions]
            given = [(i["at_day"], i["text"]) for i in step.get("instructions", ())]
            assert told == given


def spread_days(spread: Spread | None) -> tuple[int, int] | None:
    return None if spread is None else (days(spread.least), days(spread.most))


@each_key
def test_segments_are_the_drafts(key: str) -> None:
    for step, ours in pairs(key):
        given = [
            (
                part["key"],
                part["start"],
                part["minutes"],
                tuple(part["start_range"].values()) if "start_range" in part else None,
                [tuple(need.items()) for need in part["resources"]],
            )
            for part in step.get("segments", ())
        ]
        found = [
            (
                part.key,
                part.start,
                part.minutes,
                part.start_range,
                [((str(need.kind), need.key),) for need in part.resources],
            )
            for part in ours.details.segments
        ]
        assert found == given


@each_key
def test_words_are_the_drafts(key: str) -> None:
    data = document_to_data(library_protocol(key))
    steps = {step["key"]: step for step in data["steps"]}
    for step, ours in pairs(key):
        written = steps[ours.key]
        for name in ("title", "optional", "resources", "requires", "needs", "produces", "asks"):
            assert written.get(name) == step.get(name), (ours.key, name)
        for name in ("outcomes", "outcome_set"):
            assert written.get(name) == step.get(name), (ours.key, name)


@each_key
def test_the_sources_of_every_step_are_the_drafts(key: str) -> None:
    added = {("marrow_day", "instructions"), ("surgery_consult", "choices")}
    for step, ours in pairs(key):
        given = {_NAMES.get(name, name): tuple(ids) for name, ids in step["sources"].items()}
        found = {name: ids for name, ids in ours.details.sources if (ours.key, name) not in added}
        assert found == given, ours.key


@each_key
def test_parameters_are_the_drafts(key: str) -> None:
    ours = {parameter.key: parameter for parameter in library_protocol(key).protocol.parameters}

    for given in draft(key)["parameters"]:
        found = ours.pop(given["key"])
        assert (found.minimum, found.default, found.maximum, list(found.options)) == (
            given.get("min"),
            given.get("default"),
            given.get("max"),
            given.get("options", []),
        )
        assert dict(found.sources) == {name: tuple(ids) for name, ids in given["sources"].items()}

    # The ladder says which web space is treated, and which decision a series follows.
    assert set(ours) <= {"web_space", "alcohol_after", "surgery_after"}


@each_key
def test_rules_are_the_drafts(key: str) -> None:
    rules = {rule.id: rule for rule in library_protocol(key).protocol.rules}
    for given in draft(key)["constraints"]:
        rule = rules.pop(given["id"], None)
        if rule is None:
            assert given["type"] in _NOT_RULES, given["id"]
            continue
        assert rule.severity == given.get("action", "block").replace("reschedule_as_block", "block")
        assert rule.waiver_role == given.get("override")
        assert list(rule.sources) == given["sources"]
        if "days" in given:
            assert figure_of(rule) == given["days"]
        if isinstance(rule, Washout) and "range_seen" in given:
            assert spread_days(rule.before_seen) == tuple(given["range_seen"])

    assert rules == {}


# A greatest number within a year and the pause between series have no rule yet: they are notes.
# The fast before sedation is an instruction; what looks at another plan's steps is the clinic's.
_NOT_RULES = {"max_count", "min_gap", "washout_before", "instruction_if", "order"}


def figure_of(rule: Rule) -> int:
    match rule:
        case Washout():
            return days(rule.before)
        case MinGapOfKinds() | MaxGap():
            return days(rule.offset)
        case _:
            raise AssertionError(rule)


@each_key
def test_codes_and_notes_are_the_drafts(key: str) -> None:
    document, given = library_protocol(key), draft(key)

    assert document.title == given["title"]
    assert set(codes(document)) == {
        (system, code["code"], code.get("laterality"))
        for system, name in (("icd-10-cm", "icd10cm"), ("snomed-ct", "snomedct"))
        for code in given["condition"][name]
    }
    assert document.laterality is not None
    assert document.laterality.required is given["body_site"]["laterality"]["required"]
    assert list(document.laterality.allowed) == given["body_site"]["laterality"]["allowed"]


def codes(document: ProtocolDocument) -> list[tuple[str, str, str | None]]:
    if document.condition is None:
        return []
    return [(c.system, c.code, c.laterality) for c in document.condition.codings]


@each_key
def test_sources_say_what_the_registry_says(key: str) -> None:
    registry = read("sources.yaml")

    for source in library_protocol(key).sources:
        given = registry[source.id]
        assert (source.kind, source.title, source.url, source.seen) == (
            given["kind"],
            given["title"],
            given["url"],
            given["seen"],
        )


def test_the_clinic_rules_are_the_constraint_library() -> None:
    given = read("constraint-library.yaml")
    rules = {one.rule.id: one.rule for one in library_clinic_rules().rules}
    washouts = [rule for rule in rules.values() if isinstance(rule, Washout)]

    with_days = [washout for washout in given["washouts"] if washout["before"]]

    assert len(washouts) == len(with_days)
    for rule, wanted in zip(washouts, with_days, strict=True):
        assert rule.agent == wanted["agent"]
        assert rule.severity == wanted["action"]
        assert list(rule.sources) == wanted["sources"]
        for side, offset, seen in (
            ("before", rule.before, rule.before_seen),
            ("after", rule.after, rule.after_seen),
        ):
            assert days(offset) == wanted[side]["days"]
            assert spread_days(seen) == _pair(wanted[side].get("seen"))
    asked = {
        check["key"].replace("_", "-"): check["action"]
        for check in given["readiness_checks"]
        if check["action"] != "apply_washout"
    }
    assert {key: str(rules[key].severity) for key in asked} == asked


def _pair(seen: Any) -> tuple[int, int] | None:
    return None if seen is None else (seen[0], seen[1])


def test_the_mark_of_a_default_is_kept_wherever_the_drafts_have_it() -> None:
    ids = {
        source
        for key in DRAFTS
        for step, _ in pairs(key)
        for sources in step["sources"].values()
        for source in sources
    }

    assert CLINIC_DEFAULT in ids
