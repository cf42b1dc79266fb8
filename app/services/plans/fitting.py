"""Whether what a request for a plan names is there: sides, parameters, events, steps, choices."""

from collections.abc import Iterable, Iterator

from app.domain.documents import ProtocolDocument
from app.domain.errors import Fault
from app.domain.facts import OccurrenceId
from app.domain.plans.changes import Change, Decide, SetParameter
from app.domain.protocols import OutsideEvent, Parameter, Protocol, Step
from app.services.plans.requests import PerformedAt, PlanRequest


def request_faults(request: PlanRequest, document: ProtocolDocument) -> list[Fault]:
    """All at once, what in a request does not fit its protocol."""
    protocol = document.protocol
    return [
        *_side_faults(request, document),
        *_parameter_faults(request, protocol),
        *_anchor_faults(request, protocol),
        *_event_faults(request, protocol),
        *_identifier_faults(request),
        *_change_faults(request.changes, protocol),
    ]


def _side_faults(request: PlanRequest, document: ProtocolDocument) -> Iterator[Fault]:
    sides = document.laterality
    if sides is None:
        return
    allowed = ", ".join(sides.allowed)
    if request.laterality is None:
        if sides.required:
            yield Fault("/laterality", "missing", f"is needed: one of {allowed}")
    elif request.laterality not in sides.allowed:
        yield Fault("/laterality", "not-allowed", f"must be one of {allowed}")


def _parameter_faults(request: PlanRequest, protocol: Protocol) -> Iterator[Fault]:
    known = {parameter.key: parameter for parameter in protocol.parameters}
    for key, value in request.parameters.items():
        pointer = f"/parameters/{key}"
        yield from _value_faults(known.get(key), value, pointer, pointer)


def _value_faults(
    parameter: Parameter | None, value: str | int, at_key: str, at_value: str
) -> Iterator[Fault]:
    if parameter is None:
        yield Fault(at_key, "unknown-parameter", "the protocol has no such parameter")
    elif parameter.fixed and value != parameter.default:
        yield Fault(at_value, "not-allowed", "is fixed by the protocol")
    elif not parameter.accepts(value):
        allowed = ", ".join(parameter.options)
        text = (
            f"must be one of: {allowed}"
            if allowed
            else f"must be a whole number from {parameter.minimum} to {parameter.maximum}"
        )
        yield Fault(at_value, "not-allowed", text)


def _anchor_faults(request: PlanRequest, protocol: Protocol) -> Iterator[Fault]:
    if protocol.anchor is not None and request.anchor is None:
        text = f"is needed: the protocol hangs from its step '{protocol.anchor}'"
        yield Fault("/anchor", "missing", text)
    if protocol.anchor is None and request.anchor is not None:
        yield Fault("/anchor", "not-allowed", "this protocol has no anchor step")


def _event_faults(request: PlanRequest, protocol: Protocol) -> Iterator[Fault]:
    known = {
        timing.reference.name
        for step in protocol.steps
        for timing in step.every_timing
        if isinstance(timing.reference, OutsideEvent)
    }
    named = f"must be one of: {', '.join(sorted(known))}" if known else "the protocol has none"
    for name in request.events:
        if name not in known:
            yield Fault(f"/events/{name}", "unknown-event", named)


def _identifier_faults(request: PlanRequest) -> Iterator[Fault]:
    for place, identifier in enumerate(request.identifiers):
        if identifier in request.identifiers[:place]:
            yield Fault(f"/identifiers/{place}", "given-twice", "is given more than once")


def _change_faults(changes: Iterable[Change | PerformedAt], protocol: Protocol) -> Iterator[Fault]:
    known = {parameter.key: parameter for parameter in protocol.parameters}
    for place, change in enumerate(changes):
        at = f"/changes/{place}"
        if isinstance(change, Decide):
            yield from _decision_faults(change, protocol, at)
        elif isinstance(change, SetParameter):
            parameter = known.get(change.key)
            yield from _value_faults(parameter, change.value, f"{at}/key", f"{at}/value")
        else:
            occurrence = getattr(change, "occurrence", None)
            if isinstance(occurrence, OccurrenceId):
                yield from _occurrence_faults(occurrence, protocol, f"{at}/step")


def _decision_faults(change: Decide, protocol: Protocol, at: str) -> Iterator[Fault]:
    step = protocol.step(change.step)
    if step is None:
        yield Fault(f"{at}/step", "unknown-step", "the protocol has no such step")
    elif not step.choices:
        yield Fault(f"{at}/step", "not-a-decision", "the step is not a decision")
    elif change.choice not in {choice.key for choice in step.choices}:
        choices = ", ".join(choice.key for choice in step.choices)
        yield Fault(f"{at}/choice", "not-allowed", f"must be one of: {choices}")


def _occurrence_faults(occurrence: OccurrenceId, protocol: Protocol, at: str) -> Iterator[Fault]:
    step = protocol.step(occurrence.step)
    if step is None:
        yield Fault(at, "unknown-step", "the protocol has no such step")
        return
    number = occurrence.occurrence
    if step.timepoints:
        fits = number in {point.key for point in step.timepoints}
    elif step.repeat is not None:
        fits = isinstance(number, int) and 1 <= number <= step.repeat.count.maximum
    else:
        fits = number is None
    if not fits:
        yield Fault(at, "unknown-occurrence", _occurrences_in_words(step))


def _occurrences_in_words(step: Step) -> str:
    if step.timepoints:
        return f"must be one of: {', '.join(f'{step.key}/{p.key}' for p in step.timepoints)}"
    if step.repeat is not None:
        return f"must be one of {step.key}/1 to {step.key}/{step.repeat.count.maximum}"
    return f"the step is not repeated: it is named '{step.key}'"
