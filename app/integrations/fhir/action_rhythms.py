"""Timings of actions: how often and how far apart, how long each lasts, cycles and their days.

https://hl7.org/fhir/R4/datatypes.html#Timing. A group that repeats is a cycle: its period, or else
its duration, is the length of a cycle; ``timing-daysOfCycle`` names days, of which 1 is the first.
Cycles count from where the first begins, each anew; a repeated step is a chain.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.integrations.fhir.action_tree import Action
from app.integrations.fhir.durations import Length, length_of, read_length
from app.integrations.fhir.findings import Data, Findings
from app.integrations.fhir.urls import DAYS_OF_CYCLE, extensions_named

MAX_TIMES = 500
_MINUTES = {"min": 1, "h": 60}
_BELOW_DAYS = "is a time of day; it stays with the resource"
_KNOWN_HERE = {"id", "extension", "repeat", "event", "_event", "code"}
_KNOWN = {
    "id",
    "extension",
    "boundsDuration",
    "boundsRange",
    "boundsPeriod",
    "count",
    "countMax",
    "duration",
    "durationMax",
    "durationUnit",
    "frequency",
    "frequencyMax",
    "period",
    "periodMax",
    "periodUnit",
    "dayOfWeek",
    "timeOfDay",
    "when",
    "offset",
}
_REFUSED = {
    "boundsRange": "does not say when it ends",
    "boundsPeriod": "a day of the calendar is no part of a protocol",
    "dayOfWeek": "on which days a place is open is said by its calendar",
    "frequencyMax": "more than once in a period has no days",
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How an action repeats and lasts; ``most`` is 1 where it happens once."""

    at: str
    least: int = 1
    most: int = 1
    period: Length | None = None
    period_max: Length | None = None
    length: Length | None = None
    minutes: int | None = None

    @property
    def repeats(self) -> bool:
        """Whether it happens more than once."""
        return self.most > 1

    @property
    def cycle(self) -> Length | None:
        """How long one cycle is, where this is the rhythm of a group."""
        return self.period or self.length

    @property
    def spacing(self) -> dict[str, str]:
        """The timing from one occurrence to the next."""
        assert self.period is not None  # noqa: S101 - what repeats has one
        shortest = str(self.period.offset())
        if self.period_max is None:
            return {"target": shortest}
        return {"earliest": shortest, "latest": str(self.period_max.offset())}


def read_rhythm(action: Action, findings: Findings) -> Rhythm | None:
    """The rhythm which an action's ``timingTiming`` says, if it has one that can be read."""
    if "timingTiming" not in action.data:
        return None
    at, data = f"{action.at}.timingTiming", action.data["timingTiming"]
    if not isinstance(data, Mapping):
        findings.refuse(at, "structure", "must be an object")
        return None
    if data.keys() - _KNOWN_HERE:
        findings.refuse(at, "structure", "has an element that R4 does not know")
    if "event" in data:
        text = "a day of the calendar is no part of a protocol"
        findings.refuse(f"{at}.event", "not-supported", text)
    for name in sorted(data.keys() & {"_event", "code"}):
        findings.kept(f"{at}.{name}", "is not evaluated; it stays with it", "not-supported")
    repeat = data.get("repeat", {})
    if not isinstance(repeat, Mapping):
        findings.refuse(f"{at}.repeat", "structure", "must be an object")
        return None
    return _Repeat(f"{at}.repeat", repeat, findings).rhythm() if repeat else None


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A timing's repeat being read."""

    at: str
    data: Data
    findings: Findings

    def rhythm(self) -> Rhythm | None:
        """What it says; ``None`` where that cannot be honoured."""
        before = self.findings.places_refused
        self._look_at_names()
        period, period_max = self._length("period"), self._length("periodMax", unit="periodUnit")
        least, most = self._times(period)
        length, minutes = self._duration()
        if self.findings.places_refused > before:
            return None
        self.findings.understood(self.at)
        return Rhythm(self.at, least, most, period, period_max, length, minutes)

    def _refuse(self, name: str, code: str, text: str) -> None:
        self.findings.refuse(f"{self.at}.{name}", code, text)

    def _look_at_names(self) -> None:
        for name in self.data:
            if name in _REFUSED:
                self._refuse(name, "not-supported", _REFUSED[name])
            elif name in {"timeOfDay", "when", "offset"}:
                self.findings.kept(f"{self.at}.{name}", _BELOW_DAYS)
            elif name not in _KNOWN:
                self.findings.refuse(self.at, "structure", "has an element that R4 does not know")
        if self.data.get("frequency", 1) != 1:
            text = "more than once in a period has no days"
            self._refuse("frequency", "not-supported", text)
        if "periodMax" in self.data and "period" not in self.data:
            self._refuse("period", "required", "is required where there is a longest one")

    def _length(self, name: str, unit: str = "periodUnit") -> Length | None:
        if name not in self.data:
            return None
        found = length_of(self.data[name], self.data.get(unit), f"{self.at}.{name}", self.findings)
        if found is not None and (found.value < 0 or found.within_day):
            self._refuse(name, "value", "must be a day or more")
            return None
        return found

    def _times(self, period: Length | None) -> tuple[int, int]:
        """The fewest and the most times."""
        number = self._within_bounds(period) if "boundsDuration" in self.data else MAX_TIMES
        if "boundsDuration" in self.data and "count" not in self.data:
            return number, number
        least = self._count("count", 1)
        most = self._count("countMax", least)
        if most > number:
            self._refuse("count", "business-rule", "is more than begin within boundsDuration")
        if least > most:
            self._refuse("countMax", "value", "must not be less than count")
        if "count" not in self.data and "period" in self.data:
            self._refuse("count", "required", "is required: what never ends has no days")
        return least, most

    def _count(self, name: str, usual: int) -> int:
        value = self.data.get(name, usual)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_TIMES:
            self._refuse(name, "value", f"must be a whole number from 1 to {MAX_TIMES}")
            return usual
        return value

    def _within_bounds(self, period: Length | None) -> int:
        """How many times it begins before the bounds are over."""
        at = f"{self.at}.boundsDuration"
        bounds = read_length(self.data["boundsDuration"], at, self.findings)
        days = None if bounds is None else bounds.offset().fixed_days
        step = None if period is None else period.offset().fixed_days
        if not days or not step or not 1 <= days / step <= MAX_TIMES:
            text = "must hold some periods, both in days or weeks"
            self.findings.refuse(at, "not-supported", text)
            return 1
        return math.ceil(days / step)

    def _duration(self) -> tuple[Length | None, int | None]:
        """How long each time lasts, in days or, less than one, in minutes."""
        if "durationMax" in self.data:
            text = "the longest is not read; it stays with the resource"
            self.findings.kept(f"{self.at}.durationMax", text)
        if "duration" not in self.data:
            return None, None
        value, unit = self.data["duration"], self.data.get("durationUnit")
        length = length_of(value, unit, f"{self.at}.duration", self.findings)
        if length is None or length.value < 0:
            self._refuse("duration", "value", "must be a length")
            return None, None
        if not length.within_day:
            return length, None
        minutes = value * _MINUTES.get(str(unit), 0)
        if minutes < 1 or minutes != int(minutes):
            self.findings.kept(f"{self.at}.duration", _BELOW_DAYS)
            return None, None
        return None, int(minutes)


def days_of_cycle(action: Action, cycle: Length | None, findings: Findings) -> list[int] | None:
    """The days of each cycle on which an action happens; ``None`` where it does not say."""
    listed = extensions_named(action.data, DAYS_OF_CYCLE)
    if not listed:
        return None
    at = f"{action.at}.extension"
    days = []
    most = cycle.offset().longest_days if cycle is not None else 0
    for place, part in findings.objects(listed[0], "extension", at):
        day = part.get("valueInteger")
        is_day = isinstance(day, int) and not isinstance(day, bool) and part.get("url") == "day"
        if not is_day or not 1 <= part["valueInteger"] <= most or day in days:
            findings.refuse(place, "value", "must be a day of a cycle that has this day, once")
        else:
            days.append(part["valueInteger"])
    if len(listed) > 1 or not days:
        findings.refuse(at, "structure", "must name the days of a cycle, once")
        return None
    findings.understood(at)
    return days
