"""Reads steps: what is done, by whom, when it exists, and what people are told."""

from functools import partial
from typing import Any

from app.domain.documents.reading import Data, Reading, keyed, present
from app.domain.documents.timing_reading import (
    read_alternatives,
    read_bounds,
    read_reference,
    read_repeat,
    read_timing,
)
from app.domain.documents.usual import usual_any_day, usual_importance
from app.domain.offsets import Offset
from app.domain.protocols import (
    Bounds,
    Choice,
    Details,
    Effect,
    Follows,
    Instruction,
    Need,
    Reference,
    ResourceKind,
    Segment,
    Step,
    StepKind,
    Timepoint,
    Timing,
)

# A step with timepoints has one reference; the offsets are the timepoints' own.
NO_OFFSET = Bounds(target=Offset())


def read_step(data: Data, at: str, reading: Reading) -> Step | None:
    """One step; every fault in it is noted."""
    kind = StepKind(data["kind"])
    modes = tuple(mode for mode in _modes(data) if mode is not None)
    span = reading.offset(data, "span", at)
    alternatives = read_alternatives(
        data.get("alternatives"), f"{at}/alternatives", reading, own=data["key"]
    )
    timings = _timings(data, at, reading)
    timepoints = _timepoints(data, at, reading, timings[0].reference if timings else None)
    repeat = read_repeat(data.get("repeat"), f"{at}/repeat", reading)
    when = reading.condition(data.get("when"), f"{at}/when")
    choices, details = _choices(data, at, reading), _details(data, at, reading, modes)
    if timepoints and not timings:
        return None  # its reference has faults, which are noted already
    return reading.attempt(
        at,
        lambda: Step(
            key=data["key"],
            kind=kind,
            title=data["title"],
            importance=data.get("importance", usual_importance(kind, modes)),
            span=span,
            any_day=data.get("any_day", usual_any_day(kind, span is not None, modes)),
            optional=data.get("optional", False),
            on_decision=data.get("on_decision", False),
            agent=data.get("agent"),
            side=data.get("side"),
            timings=timings,
            alternatives=alternatives,
            repeat=repeat,
            timepoints=timepoints,
            when=when,
            choices=choices,
            details=details,
        ),
    )


def _timings(data: Data, at: str, reading: Reading) -> tuple[Timing, ...]:
    if "timepoints" in data or "relative_to" in data:
        return _reference_of_timepoints(data, at, reading)
    for name in ("from", "follows"):
        if name in data:
            text = "goes with relative_to and timepoints; a timing has its own"
            reading.refuse(f"{at}/{name}", "not-allowed", text)
    read = (
        read_timing(timing, f"{at}/timings/{index}", reading, own=data["key"])
        for index, timing in present(data.get("timings", ()))
    )
    return tuple(timing for timing in read if timing is not None)


def _reference_of_timepoints(data: Data, at: str, reading: Reading) -> tuple[Timing, ...]:
    if "timings" in data:
        reading.refuse(f"{at}/timings", "not-allowed", "timepoints take the place of timings")
    for name in ("relative_to", "timepoints"):
        if name not in data:
            text = "relative_to and timepoints go together"
            return tuple(reading.refuse(f"{at}/{name}", "missing", text) or ())
    reference = read_reference(data, at, reading)
    if reference is None:
        return ()
    follows = Follows(data.get("follows", Follows.ACTUAL_ELSE_PLANNED))
    return (Timing(reference, NO_OFFSET, follows),)


def _timepoints(
    data: Data, at: str, reading: Reading, reference: Reference | None
) -> tuple[Timepoint, ...]:
    found = []
    for place, point in keyed(data.get("timepoints", ()), f"{at}/timepoints", reading):
        bounds = read_bounds(point, place, reading, reference)
        if bounds is None:
            continue
        appointment = point.get("appointment", {})
        modes = appointment.get("modes")
        importance, any_day = _usual_of_point(data, modes or _modes(data))
        found.append(
            Timepoint(
                key=point["key"],
                bounds=bounds,
                title=point.get("title"),
                minutes=appointment.get("minutes"),
                modes=tuple(mode for _, mode in present(modes)) if modes else None,
                importance=point.get("importance", importance),
                any_day=point.get("any_day", any_day),
            )
        )
    return tuple(found)


def _modes(data: Data) -> list[str | None]:
    modes: list[str | None] = data.get("appointment", {}).get("modes", [])
    return modes


def _usual_of_point(data: Data, modes: list[str | None]) -> tuple[int, bool]:
    """What is meant for a timepoint: as its step says, else what is usual for its modes."""
    kind = StepKind(data["kind"])
    given = tuple(mode for mode in modes if mode is not None)
    importance = data.get("importance", usual_importance(kind, given))
    return importance, data.get("any_day", usual_any_day(kind, "span" in data, given))


def _choices(data: Data, at: str, reading: Reading) -> tuple[Choice, ...]:
    if "choices" in data and data["kind"] != StepKind.DECISION:
        reading.refuse(f"{at}/choices", "not-allowed", "only a decision has choices")
    return tuple(
        Choice(choice["key"], choice["title"], _effects(choice, place, reading))
        for place, choice in keyed(data.get("choices", ()), f"{at}/choices", reading)
    )


def _effects(choice: Data, at: str, reading: Reading) -> tuple[Effect, ...]:
    return tuple(
        _effect(effect, f"{at}/effects/{index}", reading)
        for index, effect in present(choice.get("effects", ()))
    )


def _effect(data: Data, at: str, reading: Reading) -> Effect:
    parameter, value = data.get("parameter"), data.get("value")
    if (
        parameter is not None
        and value is not None
        and reading.known_parameter(parameter, f"{at}/parameter")
    ):
        reading.known_value(parameter, value, f"{at}/value")
    counts_as = {other: own for other, own in data.get("counts_as", {}).items() if own is not None}
    for other, own in counts_as.items():
        reading.known_step(own, f"{at}/counts_as/{other}")
    return Effect(
        type=data["type"],
        steps=reading.known_steps(data, "steps", at),
        parameter=parameter,
        value=value,
        count=data.get("count"),
        offset=reading.offset(data, "offset", at),
        protocol=data.get("protocol"),
        counts_as=tuple(counts_as.items()),
    )


def _details(data: Data, at: str, reading: Reading, modes: tuple[str, ...]) -> Details:
    appointment = data.get("appointment", {})
    return Details(
        minutes=appointment.get("minutes"),
        modes=modes,
        instructions=_instructions(data, at, reading),
        requires=reading.known_steps(data, "requires", at),
        note=data.get("note"),
        segments=_segments(appointment, f"{at}/appointment", reading),
        resources=_resources(data),
        needs=_words(data, "needs"),
        produces=_words(data, "produces"),
        outcomes=_words(data, "outcomes"),
        asks=_words(data, "asks"),
        outcome_set=data.get("outcome_set"),
        tags=_words(data, "tags"),
        external=data.get("external", False),
        span_seen=reading.spread(data, "span_seen", at),
        sources=reading.figure_sources(data.get("sources"), f"{at}/sources"),
    )


def _words(data: Data, name: str) -> tuple[str, ...]:
    return tuple(word for _, word in present(data.get(name, ())))


def _instructions(data: Data, at: str, reading: Reading) -> tuple[Instruction, ...]:
    found = []
    for index, item in present(data.get("instructions", ())):
        offset = reading.offset(item, "offset", f"{at}/instructions/{index}")
        if offset is not None:
            found.append(Instruction(offset, item["audience"], item["text"]))
    return tuple(found)


def _segments(appointment: Data, at: str, reading: Reading) -> tuple[Segment, ...]:
    minutes = appointment.get("minutes", 1440)
    found = []
    for place, data in keyed(appointment.get("segments", ()), f"{at}/segments", reading):
        if data["start"] + data["minutes"] > minutes:
            text = f"segment '{data['key']}' ends after its appointment"
            reading.refuse(f"{place}/minutes", "too-large", text)
        segment = reading.attempt(place, partial(_segment, data))
        if segment is not None:
            found.append(segment)
    return tuple(found)


def _segment(data: Data) -> Segment:
    wide = data.get("start_range")
    span = None if wide is None else (wide["min"], wide["max"])
    return Segment(data["key"], data["start"], data["minutes"], _resources(data), span)


def _resources(data: Data) -> tuple[Need, ...]:
    return tuple(_need(need) for _, need in present(data.get("resources", ())))


def _need(data: dict[str, Any]) -> Need:
    kind = next(kind for kind in ResourceKind if kind in data)
    return Need(kind, data[kind], data.get("capability"))
