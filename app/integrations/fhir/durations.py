"""Durations and ranges of FHIR as calendar offsets and back.

https://hl7.org/fhir/R4/datatypes.html#Duration. Weeks and months keep their unit. What is shorter
than a day leads to the same day; hours that make whole days are days.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import DomainError
from app.domain.offsets import Offset
from app.integrations.fhir.findings import Data, Findings
from app.integrations.fhir.urls import UCUM

# The codes of UCUM, and how people write them where they give no code.
_UNITS = {
    **dict.fromkeys(("a", "year", "years", "yr", "y"), "a"),
    **dict.fromkeys(("mo", "month", "months", "mos"), "mo"),
    **dict.fromkeys(("wk", "week", "weeks", "w"), "wk"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("min", "minute", "minutes"), "min"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
}
_CODES = frozenset(_UNITS.values())
_SECONDS = {"h": 3600, "min": 60, "s": 1}
_DAY = 86_400
_COMPARATORS = ("<", "<=", ">=", ">")
_NO_WHOLE_DAYS = "must be a whole number of days, weeks, months or years, or less than a day"


@dataclass(frozen=True, slots=True)
class Length:
    """How long, in the unit that was written; ``within_day`` where it was less than a day."""

    value: int
    unit: str
    within_day: bool = False

    def offset(self, *, negative: bool = False) -> Offset:
        """The same as an offset, backwards if wanted. Raises InvalidOffset when too long."""
        letter = {"a": "Y", "mo": "M", "wk": "W", "d": "D"}[self.unit]
        sign = "-" if negative != (self.value < 0) and self.value else ""
        return Offset.parse(f"{sign}P{abs(self.value)}{letter}")


def read_length(data: Any, at: str, findings: Findings) -> Length | None:
    """The length which a Duration or Quantity says, without its comparator."""
    if not isinstance(data, Mapping):
        findings.refuse(at, "structure", "must be an object")
        return None
    unit = _unit(data, at, findings)
    value = _number(data.get("value"), f"{at}.value", findings)
    if unit is None or value is None:
        return None
    length = _in_whole_days(value, unit)
    if length is None:
        findings.refuse(at, "value", _NO_WHOLE_DAYS)
        return None
    try:
        length.offset()
    except DomainError as error:
        findings.refuse(at, "value", str(error))
        return None
    return length


def length_of(value: Any, unit: Any, at: str, findings: Findings) -> Length | None:
    """The length which a number and its unit say, as in a timing's period."""
    return read_length({"value": value, "code": unit}, at, findings)


def _unit(data: Data, at: str, findings: Findings) -> str | None:
    system, code, unit = data.get("system"), data.get("code"), data.get("unit")
    if system not in (None, UCUM):
        findings.refuse(f"{at}.system", "not-supported", "must be UCUM")
        return None
    if code is not None:
        found = code if isinstance(code, str) and code in _CODES else None
        place = f"{at}.code"
    else:
        found = _UNITS.get(unit.strip().lower()) if isinstance(unit, str) else None
        place = f"{at}.unit" if "unit" in data else at
    if found is None:
        findings.refuse(place, "not-supported", f"the unit must be one of {', '.join(_UNITS_SAID)}")
    return found


_UNITS_SAID = ("a", "mo", "wk", "d", "h", "min", "s")


def _number(value: Any, at: str, findings: Findings) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        findings.refuse(at, "structure", "must be a number")
        return None
    if not math.isfinite(value) or abs(value) > 10_000_000:
        findings.refuse(at, "value", "must be a number that can be a length")
        return None
    return float(value)


def _in_whole_days(value: float, unit: str) -> Length | None:
    if unit in _SECONDS:
        seconds = value * _SECONDS[unit]
        if abs(seconds) < _DAY:
            return Length(0, "d", within_day=seconds != 0)
        return Length(int(seconds // _DAY), "d") if seconds % _DAY == 0 else None
    if value.is_integer():
        return Length(int(value), unit)
    days = value * 7 if unit == "wk" else value
    return Length(int(days), "d") if unit == "wk" and days.is_integer() else None


def comparator_of(data: Any, at: str, findings: Findings) -> str | None:
    """How the length is meant: exactly (``None``), or as a bound."""
    if not isinstance(data, Mapping):
        return None
    return findings.word(data, "comparator", at, _COMPARATORS)


def range_ends(
    data: Any, at: str, findings: Findings
) -> tuple[Length | None, Length | None] | None:
    """The low and the high end of a Range; ``None`` where one could not be read."""
    if not isinstance(data, Mapping) or not ("low" in data or "high" in data):
        findings.refuse(at, "structure", "must have a low or a high end")
        return None
    ends = []
    for name in ("low", "high"):
        end = read_length(data[name], f"{at}.{name}", findings) if name in data else None
        if name in data and (end is None or "comparator" in data[name]):
            findings.refuse(f"{at}.{name}", "value", "must be a plain quantity")
            return None
        ends.append(end)
    return ends[0], ends[1]


def to_duration(offset: Offset) -> dict[str, Any] | None:
    """An offset's length as a Duration, its sign kept; ``None`` where it has several units."""
    parts = {"a": offset.years, "mo": offset.months, "wk": offset.weeks, "d": offset.days}
    given = [(number, unit) for unit, number in parts.items() if number]
    if len(given) > 1:
        return None
    number, unit = given[0] if given else (0, "d")
    value = -number if offset.negative else number
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}
