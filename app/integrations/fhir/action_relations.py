"""Related actions as timings: direction, which end is meant, offsets, ranges and comparators.

Where R4 is silent: "after" counts from the start or end of the related action to the start of this
one, "before" counts this start back from it; "before" is before-start, "after" after-end; without
an offset only the order holds; several hold together. A range without a target aims at its low end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.documents.timing_reading import never_after
from app.domain.offsets import InvalidOffset, MonthEnd, Offset
from app.integrations.fhir.action_tree import Action
from app.integrations.fhir.durations import Length, comparator_of, range_ends, read_length
from app.integrations.fhir.findings import Data, Findings
from app.integrations.fhir.nested_extensions import NotPlainData, from_extension
from app.integrations.fhir.urls import ACCEPTABLE_RANGE, TIMING, extensions_named

# Relationship: which way (-1 before, 0 the same day, 1 after), and whether the end is meant.
_RELATIONSHIPS = {
    "before-start": (-1, False),
    "before": (-1, False),
    "before-end": (-1, True),
    "concurrent-with-start": (0, False),
    "concurrent": (0, False),
    "concurrent-with-end": (0, True),
    "after-start": (1, False),
    "after": (1, True),
    "after-end": (1, True),
}
_KNOWN = {
    "id",
    "extension",
    "actionId",
    "relationship",
    "offsetDuration",
    "offsetRange",
    "modifierExtension",
}
_SAME_DAY = "P0D"
MAX_RELATIONS = 20
_ENDS = ("earliest", "target", "latest")
Timing = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Relation:
    """A related action that was read: to which action, which way, and the offsets."""

    at: str
    target: Action
    way: int
    to_end: bool
    bounds: dict[str, str]
    own: Mapping[str, Any] | None = None


def read_relations(
    action: Action, known: Mapping[str, Action], findings: Findings
) -> list[Relation]:
    """What an action says of its relations to others."""
    found: list[Relation] = []
    listed = findings.objects(action.data, "relatedAction", action.at)
    if len(listed) > MAX_RELATIONS:
        text = f"has more than {MAX_RELATIONS} relations"
        findings.refuse(f"{action.at}.relatedAction", "too-costly", text)
        return []
    for at, data in listed:
        relation = _relation(action, at, data, known, findings)
        if relation is not None:
            findings.understood(at)
            found.append(relation)
    return found


def _relation(
    action: Action, at: str, data: Data, known: Mapping[str, Action], findings: Findings
) -> Relation | None:
    if data.keys() - _KNOWN:
        findings.refuse(at, "structure", "has an element that R4 does not know")
    if "modifierExtension" in data:
        findings.refuse(f"{at}.modifierExtension", "not-supported", "is not known")
    name = findings.text(data, "actionId", at)
    word = findings.word(data, "relationship", at, tuple(_RELATIONSHIPS))
    for needed in ("actionId", "relationship"):
        if needed not in data:
            findings.refuse(f"{at}.{needed}", "required", "is required")
    if name is None or word is None:
        return None
    target = known.get(name)
    if target is None:
        findings.refuse(f"{at}.actionId", "not-found", "there is no such action")
        return None
    if target is action or target in action.ancestors() or action in target.ancestors():
        text = "is this action itself, or a group it is in, or one of its parts"
        findings.refuse(f"{at}.actionId", "business-rule", text)
        return None
    way, to_end = _RELATIONSHIPS[word]
    bounds = _bounds(data, at, way, findings)
    own = _own(data, at, findings)
    return None if bounds is None else Relation(at, target, way, to_end, bounds, own)


def _own(data: Data, at: str, findings: Findings) -> Mapping[str, Any] | None:
    for extension in extensions_named(data, TIMING):
        try:
            value = from_extension(extension)
        except NotPlainData as error:
            findings.refuse(f"{at}.extension", "structure", str(error))
            return None
        if isinstance(value, dict):
            return value
        findings.refuse(f"{at}.extension", "structure", "must hold members of a timing")
    return None


def _bounds(data: Data, at: str, way: int, findings: Findings) -> dict[str, str] | None:
    before = findings.places_refused
    window = _window(data, at, findings)
    if "offsetRange" in data and "offsetDuration" in data:
        findings.refuse(f"{at}.offset[x]", "structure", "must have one type only")
    if way == 0 and (window is not None or "offsetDuration" in data):
        findings.refuse(f"{at}.offset[x]", "business-rule", "what is concurrent has no offset")
    if findings.places_refused > before:
        return None
    if way == 0:
        return dict.fromkeys(_ENDS, _SAME_DAY)
    return _offsets(data, at, way, window, findings)


def _window(data: Data, at: str, findings: Findings) -> tuple[str, Any] | None:
    """The range within which it may be, with its place: one, however it is said."""
    ranges = extensions_named(data, ACCEPTABLE_RANGE)
    if len(ranges) + ("offsetRange" in data) > 1:
        findings.refuse(f"{at}.extension", "business-rule", "the acceptable range is said twice")
    if ranges:
        return f"{at}.extension.valueRange", ranges[0].get("valueRange")
    return (f"{at}.offsetRange", data["offsetRange"]) if "offsetRange" in data else None


def _offsets(
    data: Data, at: str, way: int, window: tuple[str, Any] | None, findings: Findings
) -> dict[str, str] | None:
    target = None
    if "offsetDuration" in data:
        place = f"{at}.offsetDuration"
        target = read_length(data["offsetDuration"], place, findings)
        comparator = comparator_of(data["offsetDuration"], place, findings)
        if target is None:
            return None
        if comparator is not None and window is not None:
            text = "is a bound already where there is a range"
            findings.refuse(f"{place}.comparator", "business-rule", text)
        elif comparator is not None:
            return _compared(target, comparator, way, place, findings)
    if window is not None:
        return _windowed(target, window[1], way, window[0], findings)
    return _plain(target, way)


def _plain(target: Length | None, way: int) -> dict[str, str]:
    """An offset alone is the day wanted; none at all is the order only."""
    if target is None:
        return {"earliest" if way > 0 else "latest": _SAME_DAY}
    day = str(target.offset(negative=way < 0))
    if target.within_day:
        return dict.fromkeys(_ENDS, day)
    return {"target": day}


def _compared(
    length: Length, comparator: str, way: int, at: str, findings: Findings
) -> dict[str, str] | None:
    """At most so long leads from the reference to there; at least so long has no other end."""
    if comparator in {"<", ">"}:
        one_day = 1 if comparator == ">" else -1
        days = length.offset().fixed_days
        if days is None or (comparator == "<" and days < 1):
            text = "must be in days or weeks, and leave a day, where the end itself is not meant"
            findings.refuse(f"{at}.comparator", "not-supported", text)
            return None
        if not length.within_day:
            length = Length(days + one_day, "d")
    end = str(length.offset(negative=way < 0))
    if comparator in {">", ">="}:
        return {"earliest" if way > 0 else "latest": end}
    return {"earliest": _SAME_DAY, "latest": end} if way > 0 else {"earliest": end, "latest": "P0D"}


def _windowed(
    target: Length | None, window: Any, way: int, at: str, findings: Findings
) -> dict[str, str] | None:
    """Absolute offsets from the same reference; before, the low end is the latest day.

    A window by itself that has no low end reaches from the reference on.
    """
    ends = range_ends(window, at, findings)
    if ends is None:
        return None
    low, high = (None if end is None else end.offset(negative=way < 0) for end in ends)
    if target is None and low is None and high is not None and high.sign * way >= 0:
        low = Offset.parse(_SAME_DAY)
    first, last = (low, high) if way > 0 else (high, low)
    if first is not None and last is not None and not _in_order(first, last):
        findings.refuse(at, "value", "the low end lies beyond the high end")
        return None
    named = {"earliest": first, "latest": last}
    found = {name: str(offset) for name, offset in named.items() if offset is not None}
    if target is not None:
        aim = target.offset(negative=way < 0)
        if not _holds(aim, first, last):
            text = "does not hold the offset: both count from the related action"
            findings.refuse(at, "value", text)
            return None
        found["target"] = str(aim)
    elif low is not None and high is not None and low.sign * way < 0:
        found["target"] = str(low)
    return found


def _holds(aim: Offset, first: Offset | None, last: Offset | None) -> bool:
    is_after = first is None or _in_order(first, aim)
    return is_after and (last is None or _in_order(aim, last))


def _in_order(first: Offset, last: Offset) -> bool:
    return never_after(first, last, MonthEnd.CLAMP)


def summed(first: str, second: str) -> str | None:
    """One offset after another as one offset; ``None`` where there is none that always holds."""
    one, other = Offset.parse(first), Offset.parse(second)
    if one.fixed_days is not None and other.fixed_days is not None:
        if one.weeks * 7 == abs(one.fixed_days) and other.weeks * 7 == abs(other.fixed_days):
            weeks = (one.fixed_days + other.fixed_days) // 7
            return str(Offset(weeks=abs(weeks), negative=weeks < 0))
        return str(Offset.of_days(one.fixed_days + other.fixed_days))
    if one.sign and other.sign and one.sign != other.sign:
        return None
    try:
        return str(
            Offset(
                one.years + other.years,
                one.months + other.months,
                one.weeks + other.weeks,
                one.days + other.days,
                one.negative or other.negative,
            )
        )
    except InvalidOffset:
        return None
