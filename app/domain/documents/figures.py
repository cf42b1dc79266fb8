"""Every figure of a protocol with its sources: which are evidence, which a clinic's default."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.documents.protocols import ProtocolDocument
from app.domain.documents.timing_reading import placed
from app.domain.documents.vocabulary import CLINIC_DEFAULT
from app.domain.offsets import Offset
from app.domain.protocols import Bounds, Parameter, Repeat, Step, Unit
from app.domain.rules import (
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    Rule,
    Washout,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its name (``primer.spacing``), where it stands, in words, its sources."""

    id: str
    pointer: str
    text: str
    sources: tuple[str, ...]

    @property
    def is_default(self) -> bool:
        """Whether it is, at least in part, a clinic's default that has to be confirmed."""
        return CLINIC_DEFAULT in self.sources


def figures(document: ProtocolDocument) -> tuple[Figure, ...]:
    """Every figure, in the order of the document."""
    protocol = document.protocol
    found: list[Figure] = []
    for index, parameter in enumerate(protocol.parameters):
        sources = dict(parameter.sources)
        for name, text in _of_parameter(parameter):
            place = f"/parameters/{index}/{name}"
            found.append(Figure(f"{parameter.key}.{name}", place, text, sources.get(name, ())))
    for index, step in enumerate(protocol.steps):
        sources = dict(step.details.sources)
        for name, place, text in _of_step(step):
            at = f"/steps/{index}/{place}"
            found.append(Figure(f"{step.key}.{name}", at, text, _sources_of(name, sources)))
    for index, rule in enumerate(protocol.rules):
        found.extend(
            Figure(f"{rule.id}.{name}", f"/rules/{index}/{name}", text, rule.sources)
            for name, text in _of_rule(rule)
        )
    return tuple(found)


def to_confirm(document: ProtocolDocument) -> tuple[Figure, ...]:
    """The clinic's defaults, which a clinician must confirm before activation."""
    return tuple(figure for figure in figures(document) if figure.is_default)


def _sources_of(name: str, sources: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A figure's sources with those of its window, which may be another's."""
    return (*sources.get(name, ()), *sources.get(f"{name}_window", ()))


def _of_parameter(parameter: Parameter) -> Iterator[tuple[str, str]]:
    for name, value in (
        ("min", parameter.minimum),
        ("default", parameter.default),
        ("max", parameter.maximum),
    ):
        # The default of a choice is a wish, its options are the figures.
        if isinstance(value, int):
            yield name, f"{parameter.title}: {name} {value}"
    if parameter.options:
        yield "options", f"{parameter.title}: {', '.join(parameter.options)}"


def _of_step(step: Step) -> Iterator[tuple[str, str, str]]:
    """Name, place and words of each figure of a step."""
    title = step.title
    if step.timepoints:
        texts = (f"{point.key}: {bounds_in_words(point.bounds)}" for point in step.timepoints)
        yield "timepoints", "timepoints", f"{title}: {'; '.join(texts)}"
    elif step.timings:
        texts = (bounds_in_words(timing.bounds) for timing in step.timings)
        yield "timing", "timings", f"{title}: {'; '.join(texts)}"
    if step.alternatives is not None:
        options = step.alternatives.options
        texts = (f"{key}: {bounds_in_words(timing.bounds)}" for key, timing in options)
        yield "timing", "alternatives", f"{title}: {'; '.join(texts)}"
    if step.repeat is not None:
        yield from _of_repeat(title, step.repeat)
    if step.span is not None:
        yield "span", "span", f"{title}: lasts {step.span.in_words()}"
    yield from _of_appointment(step)


def _of_appointment(step: Step) -> Iterator[tuple[str, str, str]]:
    own = step.details.minutes
    minutes = [point.minutes for point in step.timepoints if point.minutes is not None]
    if own is not None:
        minutes.insert(0, own)
    if minutes:
        place = "timepoints" if own is None else "appointment/minutes"
        amounts = ", ".join(str(amount) for amount in dict.fromkeys(minutes))
        yield "minutes", place, f"{step.title}: {amounts} minutes"
    if step.details.segments:
        parts = (f"{part.key} {part.minutes} minutes" for part in step.details.segments)
        yield "segments", "appointment/segments", f"{step.title}: {', '.join(parts)}"


def _of_repeat(title: str, repeat: Repeat) -> Iterator[tuple[str, str, str]]:
    count = repeat.count
    times = f"{count.minimum} to {count.maximum} times, usually {count.default}"
    yield "repeat", "repeat/count", f"{title}: {times}"
    texts = [bounds_in_words(repeat.spacing)]
    texts += [f"{value}: {bounds_in_words(bounds)}" for value, bounds in repeat.spacing_by]
    yield "spacing", "repeat/spacing", f"{title}: each {'; '.join(texts)}"


def _of_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    match rule:
        case MinGap() | MinGapBetween() | MinGapOfKinds():
            yield "offset", f"{rule.id}: at least {rule.offset.in_words()}"
        case MaxGap():
            yield "offset", f"{rule.id}: at most {rule.offset.in_words()}"
        case Washout():
            for name, offset in (("before", rule.before), ("after", rule.after)):
                if offset is not None:
                    text = f"{rule.id}: no {rule.agent} {offset.in_words()} {name}"
                    yield name, text
        case _:
            pass


def bounds_in_words(bounds: Bounds) -> str:
    """Three offsets in words: "35 to 14 days before, best 21 days before"."""
    unit = "" if bounds.unit is Unit.DAYS else " (open days)"
    named: tuple[tuple[str, Offset | None], ...] = (
        ("not before", bounds.earliest),
        ("best", bounds.target),
        ("not after", bounds.latest),
    )
    if bounds.earliest is not None and bounds.earliest == bounds.latest:
        return f"exactly {placed(bounds.earliest)}{unit}"
    words = [f"{name} {placed(offset)}" for name, offset in named if offset is not None]
    return ", ".join(words) + unit
