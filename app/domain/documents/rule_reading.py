"""Reads rules beyond timings."""

from collections.abc import Callable
from typing import Any

from app.domain.documents.reading import Data, Reading, present
from app.domain.offsets import Offset
from app.domain.rules import (
    Cluster,
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Readiness,
    Rule,
    SameDay,
    Scope,
    Severity,
    StepSelector,
    Washout,
)


def read_rule(data: Data, at: str, reading: Reading) -> Rule | None:
    """One rule; every fault in it is noted."""
    kind = data["type"]
    if kind == "min_gap":
        kind = next((f"min_gap_{name}" for name in ("between", "kinds") if name in data), kind)
    common = _common(data, at, reading)
    return reading.attempt(at, lambda: _READERS[kind](data, at, reading, common))


def _common(data: Data, at: str, reading: Reading) -> dict[str, Any]:
    when = reading.condition(data.get("when"), f"{at}/when")
    return {
        "id": data["id"],
        "severity": Severity(data.get("severity", Severity.BLOCK)),
        "waiver_role": data.get("waiver_role"),
        "note": data.get("note"),
        "parameter": when.parameter if when else None,
        "parameter_values": when.values if when else (),
        "sources": reading.source_ids(data.get("sources", ()), f"{at}/sources"),
    }


def read_selector(text: str, at: str, reading: Reading) -> StepSelector:
    """``primer``, ``primer/1``, ``primer/last`` or ``followup/m3``."""
    step, _, name = text.partition("/")
    occurrence = int(name) if name.isdecimal() else name or None
    if reading.known_step(step, at):
        reading.known_occurrence(step, occurrence, at)
    return StepSelector(step, occurrence)


def _selector(data: Data, name: str, at: str, reading: Reading) -> StepSelector:
    return read_selector(data[name], f"{at}/{name}", reading)


def _selectors(data: Data, name: str, at: str, reading: Reading) -> tuple[StepSelector, ...]:
    return tuple(
        read_selector(text, f"{at}/{name}/{index}", reading)
        for index, text in present(data.get(name, ()))
    )


def _interval(data: Data, at: str, reading: Reading) -> Offset:
    return reading.offset(data, "offset", at) or Offset()


def _min_gap(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule:
    begin, end = _selector(data, "from", at, reading), _selector(data, "to", at, reading)
    return MinGap(begin=begin, end=end, offset=_interval(data, at, reading), **common)


def _max_gap(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule:
    begin, end = _selector(data, "from", at, reading), _selector(data, "to", at, reading)
    return MaxGap(begin=begin, end=end, offset=_interval(data, at, reading), **common)


def _min_gap_between(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule | None:
    offset = _interval(data, at, reading)
    steps = _selectors(data, "between", at, reading)
    if len(steps) != 2:
        return None
    one_visit = data.get("one_visit", False)
    return MinGapBetween(one=steps[0], other=steps[1], offset=offset, one_visit=one_visit, **common)


def read_gap_of_kinds(
    data: Data, at: str, reading: Reading, common: dict[str, Any]
) -> MinGapOfKinds:
    """A gap between all steps of some kinds, in a protocol or a clinic's own rules."""
    exempt = (
        frozenset(reading.known_steps({"steps": group}, "steps", f"{at}/exempt/{index}"))
        for index, group in present(data.get("exempt", ()))
    )
    return MinGapOfKinds(
        kinds=frozenset(kind for _, kind in present(data["kinds"])),
        offset=_interval(data, at, reading),
        scope=Scope(data.get("scope", Scope.PLAN)),
        same_site=data.get("same_site", False),
        exempt=tuple(exempt),
        **common,
    )


def _order(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule:
    before, after = _selector(data, "before", at, reading), _selector(data, "after", at, reading)
    return OrderRule(before=before, after=after, **common)


def _of_steps(kind: type[SameDay] | type[NoOverlap] | type[Cluster]) -> Callable[..., Rule]:
    def read(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule:
        return kind(steps=_selectors(data, "steps", at, reading), **common)

    return read


def read_washout_days(data: Data, at: str, reading: Reading) -> dict[str, Any]:
    """The days of a washout and the spread of them that was seen."""
    return {
        "before": reading.offset(data, "before", at),
        "before_seen": reading.spread(data, "before_seen", at),
        "after": reading.offset(data, "after", at),
        "after_seen": reading.spread(data, "after_seen", at),
    }


def _washout(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule | None:
    days = read_washout_days(data, at, reading)
    applies_to = reading.known_steps(data, "applies_to", at)
    if any(days[name] is None for name in ("before", "after") if name in data):
        return None
    return Washout(
        agent=data["agent"],
        applies_to=applies_to,
        same_site=data.get("same_site", False),
        **days,
        **common,
    )


def _readiness(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Rule:
    return Readiness(
        findings=frozenset(finding for _, finding in present(data["findings"])),
        applies_to=reading.known_steps(data, "applies_to", at),
        **common,
    )


_READERS: dict[str, Callable[[Data, str, Reading, dict[str, Any]], Rule | None]] = {
    "min_gap": _min_gap,
    "min_gap_between": _min_gap_between,
    "min_gap_kinds": read_gap_of_kinds,
    "max_gap": _max_gap,
    "order": _order,
    "same_day": _of_steps(SameDay),
    "no_overlap": _of_steps(NoOverlap),
    "washout": _washout,
    "readiness": _readiness,
    "cluster": _of_steps(Cluster),
}
