"""What is not wrong but doubtful: a person should look at it before the protocol is used."""

import re
from collections.abc import Iterator

from app.domain.checks.assignments import Values, all_of
from app.domain.documents import ProtocolDocument
from app.domain.documents.figures import figures
from app.domain.errors import Fault
from app.domain.protocols import Condition, Effect, Protocol, Step, StepReference

_NUMBER = r"(?:[0-9]{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_TWO_TIMES = re.compile(
    rf"\b{_NUMBER}(?:[ -](?:day|week|month|year)s?)? or {_NUMBER}[ -](?:day|week|month|year)s?\b",
    re.IGNORECASE,
)
_SHORTEST_NOTE = 20


def warnings(document: ProtocolDocument) -> tuple[Fault, ...]:
    """Every doubt, in the order of the document."""
    found = list(_about_evidence(document))
    found += _two_times_in_summary(document)
    for index, step in enumerate(document.protocol.steps):
        at = f"/steps/{index}"
        found += _two_times(step, at)
        found += _dangling(step, at, document.protocol)
        found += _uncovered(step, at, document.protocol)
        found += _never_there(step, at, document.protocol)
        found += _adds_nothing(step, at, document.protocol)
        found += _unnumbered(step, at, document.protocol)
    found += (
        Fault(figure.pointer, "no-source", f"'{figure.id}' names no source and is not marked cfg")
        for figure in figures(document)
        if not figure.sources
    )
    return tuple(found)


def _about_evidence(document: ProtocolDocument) -> Iterator[Fault]:
    if len(document.evidence_note or "") < _SHORTEST_NOTE:
        text = "nothing is said about the evidence; who approves it should know"
        yield Fault("/evidence_note", "no-evidence-note", text)


def _two_times_in_summary(document: ProtocolDocument) -> Iterator[Fault]:
    if any(step.alternatives is not None for step in document.protocol.steps):
        return
    for name, text in (("title", document.title), ("summary", document.summary)):
        if text is not None and (words := _TWO_TIMES.search(text)):
            yield Fault(f"/{name}", "one-window-for-two", _one_window(words[0]))


def _two_times(step: Step, at: str) -> Iterator[Fault]:
    """Text like "6 or 8 weeks" with one window: two times were meant, not a wide one."""
    windows = (
        len(step.timings) + len(step.timepoints) + bool(step.repeat and step.repeat.spacing_by)
    )
    if step.alternatives is not None or windows > 1:
        return
    texts = [("title", step.title), ("note", step.details.note or "")]
    texts += [
        (f"instructions/{index}/text", item.text)
        for index, item in enumerate(step.details.instructions)
    ]
    for place, text in texts:
        if words := _TWO_TIMES.search(text):
            yield Fault(f"{at}/{place}", "one-window-for-two", _one_window(words[0]))


def _one_window(words: str) -> str:
    return f"the text says '{words}', but there is one window: write alternatives"


def _dangling(step: Step, at: str, protocol: Protocol) -> Iterator[Fault]:
    """A step that vanishes because what it counts from may be left out."""
    for name in dict.fromkeys(_named_references(step)):
        other = protocol.step(name.step)
        if other is None or other.key == step.key:
            continue
        if other.on_decision and not step.on_decision:
            text = f"it counts from '{other.key}', which exists only after a decision"
            yield Fault(at, "dangling", text)
            continue
        values = _left_out(step, other, name.occurrence, protocol)
        if values is not None:
            named = " and ".join(f"{key} = {value}" for key, value in values.items())
            text = f"with {named} it vanishes, because '{other.key}' is left out then"
            yield Fault(at, "dangling", text)


def _named_references(step: Step) -> Iterator[StepReference]:
    for timing in step.timings:
        if isinstance(timing.reference, StepReference):
            yield timing.reference


def _left_out(
    step: Step, other: Step, occurrence: int | str | None, protocol: Protocol
) -> Values | None:
    """Values with which a step exists and what it counts from does not."""
    names = [step.when.parameter] if step.when else []
    names += [other.when.parameter] if other.when else []
    if other.repeat is not None and other.repeat.count.parameter is not None:
        names.append(other.repeat.count.parameter)
    concerned = [p for p in protocol.parameters if p.key in names]
    number = occurrence if isinstance(occurrence, int) else 1
    for values in all_of(concerned):
        there = _holds(other.when, values) and _count(other, values) >= number
        if _holds(step.when, values) and not there:
            return values
    return None


def _holds(condition: Condition | None, values: Values) -> bool:
    if condition is None:
        return True
    value = values[condition.parameter]
    if condition.minimum is not None:
        return isinstance(value, int) and value >= condition.minimum
    return value in condition.values


def _count(step: Step, values: Values) -> int:
    if step.repeat is None:
        return 1
    count = step.repeat.count
    value = None if count.parameter is None else values[count.parameter]
    if count.by_value:
        return dict(count.by_value).get(str(value), count.default)
    return value - count.less if isinstance(value, int) else count.default


def _uncovered(step: Step, at: str, protocol: Protocol) -> Iterator[Fault]:
    """Values of the choosing parameter for which there is no option: the first one is taken."""
    if step.alternatives is None or step.alternatives.parameter is None:
        return
    names = {step.alternatives.parameter} | ({step.when.parameter} if step.when else set())
    options = dict(step.alternatives.options)
    missing = {
        str(values[step.alternatives.parameter])
        for values in all_of(p for p in protocol.parameters if p.key in names)
        if _holds(step.when, values)
    } - set(options)
    for value in sorted(missing):
        text = f"there is no option for '{value}': then '{next(iter(options))}' is taken"
        yield Fault(f"{at}/alternatives", "uncovered-value", text)


def _never_there(step: Step, at: str, protocol: Protocol) -> Iterator[Fault]:
    """Steps which nothing dates, or which no decision adds."""
    adding = [effect for effect in _adding(protocol) if step.key in effect.steps]
    placed = any(effect.offset is not None for effect in adding)
    if not step.every_timing and step.key != protocol.anchor and not placed:
        yield Fault(at, "never-dated", "nothing places this step, and it is not the anchor")
    if step.on_decision and not adding:
        yield Fault(f"{at}/on_decision", "never-added", "no decision adds this step")


def _adding(protocol: Protocol) -> Iterator[Effect]:
    """The effects that add steps."""
    for step in protocol.steps:
        for choice in step.choices:
            yield from (effect for effect in choice.effects if effect.type == "add")


def _adds_nothing(step: Step, at: str, protocol: Protocol) -> Iterator[Fault]:
    """Effects that add what is there anyway and does not repeat."""
    for i, choice in enumerate(step.choices):
        for j, effect in enumerate(choice.effects):
            named = (other for other in protocol.steps if other.key in effect.steps)
            for other in named if effect.type == "add" else ():
                repeats = other.repeat is not None and effect.count is not None
                if not other.on_decision and not repeats:
                    text = f"'{other.key}' is there anyway and is not repeated: nothing is added"
                    yield Fault(f"{at}/choices/{i}/effects/{j}", "adds-nothing", text)


def _unnumbered(step: Step, at: str, protocol: Protocol) -> Iterator[Fault]:
    """References to a step that occurs several times, without saying which time is meant."""
    for timing in step.every_timing:
        reference = timing.reference
        if not isinstance(reference, StepReference) or reference.occurrence is not None:
            continue
        other = protocol.step(reference.step)
        if other is not None and (other.repeat is not None or other.timepoints):
            text = f"'{other.key}' occurs several times; the first is taken"
            yield Fault(at, "which-occurrence", text)
