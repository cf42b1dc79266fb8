"""Reads whole protocol documents: every fault at once, each with its JSON pointer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.domain.documents.codes import is_loinc, is_snomed_id
from app.domain.documents.cycles import refuse_cycles
from app.domain.documents.extents import extents_of, occurrences_of
from app.domain.documents.grammar import DOCUMENT
from app.domain.documents.protocols import (
    BodySite,
    Coding,
    InvalidProtocol,
    Laterality,
    OutcomeSet,
    ProtocolDocument,
    Source,
    TreatedCondition,
)
from app.domain.documents.reading import Data, Reading, keyed, present
from app.domain.documents.rule_reading import read_rule
from app.domain.documents.shapes import Report
from app.domain.documents.step_reading import read_step
from app.domain.documents.vocabulary import CLINIC_DEFAULT, MAX_OCCURRENCES
from app.domain.offsets import MonthEnd
from app.domain.protocols import Parameter, ParameterType, Protocol


def parse_protocol(data: Any) -> ProtocolDocument:
    """The document which this plain data writes down, without includes.

    Raises InvalidProtocol with every fault: unknown fields and references, targets outside their
    window, cycles, wrong codes, and whatever else makes it meaningless.
    """
    report = Report()
    clean, whole = DOCUMENT.members(data, "", report)
    parameters = _parameters(clean, report)
    steps = [(f"/steps/{index}", step) for index, step in present(clean.get("steps", ()))]
    raw_steps = data.get("steps") if isinstance(data, Mapping) else None
    reading = Reading(
        report=report,
        steps=extents_of(raw_steps, [step for _, step in steps], parameters),
        parameters=parameters,
        sources=frozenset(source["id"] for _, source in present(clean.get("sources", ()))),
        month_end=MonthEnd(clean.get("month_end", MonthEnd.CLAMP)),
    )
    protocol = _protocol(clean, reading)
    about = _about(clean, reading)
    refuse_cycles(steps, reading)
    _check_size(reading)
    if report.faults or not whole:
        raise InvalidProtocol(tuple(report.faults))
    return ProtocolDocument(
        key=clean["key"],
        version=clean["version"],
        title=clean["title"],
        protocol=protocol,
        summary=clean.get("summary"),
        evidence_note=clean.get("evidence_note"),
        example=clean.get("example", False),
        **about,
    )


def _check_size(reading: Reading) -> None:
    total = sum(occurrences_of(extent) for extent in reading.steps.values())
    if total > MAX_OCCURRENCES:
        text = f"the steps can occur {total} times in all; {MAX_OCCURRENCES} are allowed"
        reading.refuse("/steps", "too-many-occurrences", text)


def _protocol(clean: Data, reading: Reading) -> Protocol:
    steps = [
        read_step(step, at, reading)
        for at, step in keyed(clean.get("steps", ()), "/steps", reading)
    ]
    rules = [
        read_rule(rule, at, reading)
        for at, rule in keyed(clean.get("rules", ()), "/rules", reading, "id")
    ]
    anchor = clean.get("anchor")
    if anchor is not None:
        reading.known_step(anchor, "/anchor")
    usual = Protocol(steps=())
    return Protocol(
        steps=tuple(step for step in steps if step is not None),
        anchor=anchor,
        month_end=reading.month_end,
        parameters=_with_sources(clean, reading),
        rules=tuple(rule for rule in rules if rule is not None),
        max_widening_days=clean.get("max_widening_days", usual.max_widening_days),
        drift_tolerance=clean.get("drift_tolerance", usual.drift_tolerance),
    )


def _parameters(clean: Data, report: Report) -> dict[str, Parameter | None]:
    """Every parameter by its key; one whose bounds contradict each other is ``None``."""
    found: dict[str, Parameter | None] = {}
    for index, data in present(clean.get("parameters", ())):
        at = f"/parameters/{index}"
        parameter = _parameter(data)
        low, high = parameter.minimum, parameter.maximum
        known: Parameter | None = parameter
        if parameter.fixed and parameter.default is None:
            report.refuse(f"{at}/default", "missing", "what is fixed needs a default")
        if low is not None and high is not None and low > high:
            known = report.refuse(f"{at}/min", "runs-backwards", "min is greater than max")
        elif parameter.default is not None and not parameter.accepts(parameter.default):
            text = "the default is not a value of the parameter"
            known = report.refuse(f"{at}/default", "unknown-value", text)
        found[parameter.key] = known
    return found


def _parameter(data: Data) -> Parameter:
    return Parameter(
        key=data["key"],
        title=data["title"],
        type=ParameterType(data["type"]),
        default=data.get("default"),
        minimum=data.get("min"),
        maximum=data.get("max"),
        options=tuple(option for _, option in present(data.get("options", ()))),
        fixed=data.get("fixed", False),
    )


def _with_sources(clean: Data, reading: Reading) -> tuple[Parameter, ...]:
    """The parameters again, with the sources of their figures."""
    return tuple(
        replace(
            _parameter(data),
            sources=reading.figure_sources(data.get("sources"), f"{at}/sources"),
        )
        for at, data in keyed(clean.get("parameters", ()), "/parameters", reading)
    )


def _about(clean: Data, reading: Reading) -> dict[str, Any]:
    """What people read about the protocol as a whole."""
    condition, site = clean.get("condition"), clean.get("body_site")
    sides = clean.get("laterality")
    return {
        "condition": condition
        and TreatedCondition(condition["text"], _codings(condition, "/condition", reading)),
        "body_site": site
        and BodySite(site["key"], site["text"], _codings(site, "/body_site", reading)),
        "laterality": sides
        and Laterality(sides["required"], tuple(side for _, side in present(sides["allowed"]))),
        "outcome_sets": tuple(
            OutcomeSet(
                key=data["key"],
                measures=tuple(measure for _, measure in present(data["measures"])),
                codings=_codings(data, at, reading),
                sources=reading.source_ids(data.get("sources", ()), f"{at}/sources"),
            )
            for at, data in keyed(clean.get("outcome_sets", ()), "/outcome_sets", reading)
        ),
        "sources": read_sources(clean, reading),
    }


def read_sources(clean: Data, reading: Reading) -> tuple[Source, ...]:
    """The list of sources; the mark of a clinic's default is none of them."""
    found = []
    for at, data in keyed(clean.get("sources", ()), "/sources", reading, "id"):
        if data["id"] == CLINIC_DEFAULT:
            text = f"'{CLINIC_DEFAULT}' marks a clinic's default and is no source"
            reading.refuse(f"{at}/id", "not-allowed", text)
        found.append(Source(**data))
    return tuple(found)


def _codings(data: Data, at: str, reading: Reading) -> tuple[Coding, ...]:
    found = []
    for index, coding in present(data.get("codings", ())):
        right = _CHECKS.get(coding["system"], _always)
        if not right(coding["code"]):
            text = f"the check digit of this {coding['system']} code is wrong"
            reading.refuse(f"{at}/codings/{index}/code", "invalid-code", text)
        found.append(Coding(**coding))
    return tuple(found)


def _always(_: str) -> bool:
    return True


_CHECKS = {"snomed-ct": is_snomed_id, "loinc": is_loinc}
