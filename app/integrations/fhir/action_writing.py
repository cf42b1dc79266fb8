"""Writes steps as actions of a PlanDefinition: everything that its standard elements can say.

Of repeats in backward order the standard elements say where the earliest of the usual number is.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.errors import DomainError
from app.domain.offsets import Offset
from app.integrations.fhir.action_relations import summed
from app.integrations.fhir.durations import to_duration
from app.integrations.fhir.nested_extensions import to_extension
from app.integrations.fhir.urls import (
    ACCEPTABLE_RANGE,
    POINT,
    REFERENCE,
    ROLES,
    STEP_KINDS,
    activity_url,
    element_id,
)

Member = dict[str, Any]
_ENDS = ("earliest", "target", "latest")


def outside_days(steps: list[Member]) -> list[Member]:
    """An action for each day outside the protocol which steps count from."""
    found = {}
    for step in steps:
        for timing in _every_timing(step):
            day = timing["relative_to"]
            if isinstance(day, str) or "event" in day:
                found[reference_id(timing)] = {
                    "id": reference_id(timing),
                    "extension": [to_extension(REFERENCE, day)],
                    "title": day.replace("_", " ") if isinstance(day, str) else day["event"],
                }
    return list(found.values())


def _every_timing(step: Member) -> list[Member]:
    options = step.get("alternatives", {}).get("options", ())
    own = [step] if "relative_to" in step else []
    return [*step.get("timings", ()), *own, *(option["timing"] for option in options)]


def reference_id(timing: Member) -> str:
    """The id of the action which a timing counts from."""
    match timing["relative_to"]:
        case {"event": event}:
            return element_id(f"OUTSIDE.{event}")
        case {"step": step, "occurrence": str(point)} if point not in _PLACES:
            return element_id(step, POINT, point)
        case {"step": step}:
            return element_id(step)
        case day:
            return element_id(f"OUTSIDE.{day}")


_PLACES = {"first", "last", "previous"}


def step_action(step: Member, protocol: str, version: str) -> Member:
    """One step as an action, its parts below it."""
    action: Member = {"id": element_id(step["key"]), "title": step["title"]}
    if "note" in step:
        action["description"] = step["note"]
    action["code"] = [{"coding": [{"system": STEP_KINDS, "code": step["kind"]}]}]
    related = [_relation(timing) for timing in _first_timings(step)]
    if related:
        action["relatedAction"] = related
    repeat = _repeat(step)
    if repeat:
        action["timingTiming"] = {"repeat": repeat}
    participants = [_participant(need) for need in step.get("resources", ()) if "room" not in need]
    if participants:
        action["participant"] = participants
    action["requiredBehavior"] = "could" if step.get("optional") else "must"
    parts = _parts(step)
    if not parts:
        url = activity_url(protocol, step["key"], version)
        return action | {"definitionCanonical": url}
    if len(parts) == 1:
        return action | parts[0]
    groups = [
        {"id": element_id(step["key"], ".PART.", str(n)), **part}
        for n, part in enumerate(parts, start=1)
    ]
    return action | {"groupingBehavior": "logical-group", "action": groups}


def _participant(need: Mapping[str, str]) -> Member:
    kind, name = ("device", "device") if "device" in need else ("practitioner", "role")
    return {"type": kind, "role": {"coding": [{"system": ROLES, "code": need[name]}]}}


def _parts(step: Member) -> list[Member]:
    """Timepoints, alternatives and choices as groups of actions."""
    key, title = step["key"], step["title"]
    found = []
    if "timepoints" in step:
        points = [_point(step, point) for point in step["timepoints"]]
        found.append(_group("all", points))
    if "alternatives" in step:
        options = [
            {
                "id": element_id(key, ".OPTION.", option["key"]),
                "title": f"{title}: {option['key']}",
                "relatedAction": [_relation(option["timing"])],
            }
            for option in step["alternatives"]["options"]
        ]
        found.append(_group("exactly-one", options))
    if "choices" in step:
        choices = [
            {"id": element_id(key, ".CHOICE.", choice["key"]), "title": choice["title"]}
            for choice in step["choices"]
        ]
        found.append(_group("exactly-one", choices))
    return found


def _group(selection: str, parts: list[Member]) -> Member:
    return {
        "groupingBehavior": "logical-group",
        "selectionBehavior": selection,
        "action": parts,
    }


def _point(step: Member, point: Member) -> Member:
    reference = {name: step[name] for name in ("relative_to", "from") if name in step}
    found = {
        "id": element_id(step["key"], POINT, point["key"]),
        "title": point.get("title", f"{step['title']}: {point['key']}"),
        "relatedAction": [_relation(point | reference)],
    }
    minutes = point.get("appointment", {}).get("minutes")
    if minutes is not None:
        repeat = {"duration": minutes, "durationUnit": "min"}
        found["timingTiming"] = {"repeat": repeat}
    return found


def _relation(timing: Member) -> Member:
    """A timing as a related action: the target as offset, its window as acceptable range."""
    relation: Member = {"actionId": reference_id(timing)}
    end = "end" if timing.get("from") == "end" else "start"
    offsets = {name: Offset.parse(timing[name], is_age=True) for name in _ENDS if name in timing}
    if all(timing.get(name) == "P0D" for name in _ENDS):
        return relation | {"relationship": f"concurrent-with-{end}"}
    backwards = _is_before(offsets)
    relation["relationship"] = f"{'before' if backwards else 'after'}-{end}"
    lengths = {name: _length(offset, backwards) for name, offset in offsets.items()}
    if None in lengths.values() or timing.get("unit") == "working_days":
        return relation
    low, high = ("latest", "earliest") if backwards else ("earliest", "latest")
    window = {name: lengths[end] for name, end in (("low", low), ("high", high)) if end in lengths}
    if "target" not in lengths:
        return relation | {"offsetRange": window}
    if window:
        relation["extension"] = [{"url": ACCEPTABLE_RANGE, "valueRange": window}]
    return relation | {"offsetDuration": lengths["target"]}


def _is_before(offsets: Mapping[str, Offset]) -> bool:
    """Whether the step is rather before its reference: by its target, else by its window."""
    signs = [offsets[name].sign for name in ("target", "earliest", "latest") if name in offsets]
    return next((sign for sign in signs if sign), 1) < 0


def _length(offset: Offset, backwards: bool) -> Member | None:  # noqa: FBT001
    duration = to_duration(offset)
    if duration is not None and backwards and duration["value"]:
        duration["value"] = -duration["value"]
    return duration


def _first_timings(step: Member) -> list[Member]:
    """The timings of the earliest of the usual number of occurrences."""
    timings: list[Member] = step.get("timings", [])
    repeat = step.get("repeat", {})
    further = repeat.get("count", {}).get("default", 1) - 1
    if repeat.get("order") != "backward" or further < 1:
        return timings
    return [_earlier(timing, repeat["spacing"], further) for timing in timings]


def _earlier(timing: Member, spacing: Member, times: int) -> Member:
    moved = dict(timing)
    for name in _ENDS:
        offsets = [timing.get(name), *[spacing.get(name)] * times]
        found = None if None in offsets else _sum([str(offset) for offset in offsets])
        if found is None:
            moved.pop(name, None)
        else:
            moved[name] = found
    return moved if any(name in moved for name in _ENDS) else timing


def _sum(offsets: list[str]) -> str | None:
    found: str | None = offsets[0]
    try:
        for offset in offsets[1:]:
            found = None if found is None else summed(found, offset)
        return None if found is None else str(Offset.parse(found))
    except DomainError:
        return None


def _repeat(step: Member) -> Member:
    """How often, how far apart, and how long each time."""
    return _times(step.get("repeat")) | _duration(step)


def _duration(step: Member) -> Member:
    minutes = step.get("appointment", {}).get("minutes")
    if "span" in step:
        span = to_duration(Offset.parse(step["span"]))
        if span is not None:
            return {"duration": span["value"], "durationUnit": span["code"]}
        return {}
    return {} if minutes is None else {"duration": minutes, "durationUnit": "min"}


def _times(repeat: Member | None) -> Member:
    if repeat is None or repeat["spacing"].get("unit") == "working_days":
        return {}
    count, spacing = repeat["count"], repeat["spacing"]
    period = _period(spacing, "target") or _period(spacing, "earliest")
    if period is None or count["default"] < 2 or not period["value"]:
        return {}
    found = {"count": count["default"]}
    if count["min"] == count["default"] < count["max"]:
        found["countMax"] = count["max"]
    found |= {"frequency": 1, "period": period["value"], "periodUnit": period["code"]}
    longest = _period(spacing, "latest")
    is_range = spacing.get("target", spacing.get("earliest")) == spacing.get("earliest")
    if is_range and longest is not None and longest["code"] == period["code"]:
        found["periodMax"] = longest["value"]
    return found


def _period(spacing: Member, name: str) -> Member | None:
    if name not in spacing:
        return None
    offset = Offset.parse(spacing[name])
    return _length(offset, offset.negative)
