"""PlanDefinitions to read, naming only what a test is about."""

from typing import Any

from app.domain.documents import document_to_data
from app.integrations.fhir.findings import Verdict
from app.integrations.fhir.plan_definitions import read_protocol

Data = dict[str, Any]


def plan_definition(*actions: Data, **elements: Any) -> Data:
    """A PlanDefinition with these actions."""
    return {
        "resourceType": "PlanDefinition",
        "url": "http://example.org/fhir/PlanDefinition/course",
        "title": "A course",
        "status": "active",
        "action": list(actions),
        **elements,
    }


def action(name: str, *related: Data, **elements: Any) -> Data:
    """An action with an id."""
    found: Data = {"id": name, "title": name, **elements}
    return found | ({"relatedAction": list(related)} if related else {})


def group(name: str, *actions: Data, **elements: Any) -> Data:
    """An action that holds others."""
    return action(name, action=list(actions), **elements)


def relation(to: str, relationship: str, days: Any = None, **elements: Any) -> Data:
    """A related action, so many days before or after."""
    found = {"actionId": to, "relationship": relationship, **elements}
    return found if days is None else found | {"offsetDuration": duration(days)}


def duration(value: Any, unit: str = "d", **elements: Any) -> Data:
    """A Duration of UCUM."""
    return {"value": value, "system": "http://unitsofmeasure.org", "code": unit, **elements}


def days_between(low: Any = None, high: Any = None, unit: str = "d") -> Data:
    """A Range."""
    ends = {"low": low, "high": high}
    return {name: duration(end, unit) for name, end in ends.items() if end is not None}


def acceptable(low: Any = None, high: Any = None) -> Data:
    """The extension that says the window around an offset."""
    url = "http://hl7.org/fhir/uv/vulcan-schedule/StructureDefinition/AcceptableOffsetRangeSoa"
    return {"extension": [{"url": url, "valueRange": days_between(low, high)}]}


def days_of_cycle(*days: Any) -> Data:
    """The extension that names days of a cycle."""
    url = "http://hl7.org/fhir/StructureDefinition/timing-daysOfCycle"
    parts = [{"url": "day", "valueInteger": day} for day in days]
    return {"extension": [{"url": url, "extension": parts}]}


def repeating(**repeat: Any) -> Data:
    """The element that says how an action repeats."""
    return {"timingTiming": {"repeat": repeat}}


def document_of(resource: Data) -> Data:
    """The protocol document which a PlanDefinition becomes."""
    read = read_protocol(resource)
    assert read.document is not None, read.refused
    return document_to_data(read.document)


def steps_of(resource: Data) -> dict[str, Data]:
    """The steps by their keys."""
    return {step["key"]: step for step in document_of(resource)["steps"]}


def timing_of(name: str, resource: Data) -> Data:
    """The one timing of a step, without what it counts from."""
    (timing,) = steps_of(resource)[name]["timings"]
    return {key: value for key, value in timing.items() if key != "relative_to"}


def refused(resource: Any) -> dict[str, str]:
    """What is refused of a PlanDefinition: issue types by expression."""
    read = read_protocol(resource)
    assert (read.document is None) == bool(read.refused)
    return {one.expression: one.code for one in read.refused}


def kept(resource: Data) -> set[str]:
    """The expressions of what has no meaning for days."""
    return {
        one.expression for one in read_protocol(resource).findings if one.verdict is Verdict.KEPT
    }
