"""Sets of days, and what relates the days of two occurrences.

A set of days is an integer, bit k being ``first + k``.
"""

from collections.abc import Callable, Iterator
from datetime import date

from app.domain.facts import OccurrenceId
from app.domain.problem import Problem

Allowed = Callable[[int], int]


class Relation:
    """All that relates two occurrences: for a day of ``one`` the days ``other`` may have."""

    def __init__(self, one: OccurrenceId, other: OccurrenceId, everything: int) -> None:
        self.one = one
        self.other = other
        self._everything = everything
        self._told: list[Allowed] = []
        self._seen: dict[int, int] = {}

    def add(self, allowed: Allowed) -> None:
        """One more thing that must hold."""
        self._told.append(allowed)

    def partners(self, day: int) -> int:
        """The days that ``other`` may have while ``one`` has this day."""
        if day not in self._seen:
            found = self._everything
            for allowed in self._told:
                found &= allowed(day)
            self._seen[day] = found
        return self._seen[day]


class Horizon:
    """All days that are looked at."""

    def __init__(self, problem: Problem, room: int) -> None:
        given = [problem.as_of, *_given_days(problem)]
        margin = room + _longest(problem)
        self.first = min(given).toordinal() - margin
        self.last = max(given).toordinal() + margin
        self.all = (1 << (self.last - self.first + 1)) - 1
        self.closed_weekdays = sum(
            self.day(day)
            for day in range(self.first, self.last + 1)
            if (day - 1) % 7 + 1 not in problem.calendar.open_weekdays
        )

    def between(self, first: int | None, last: int | None) -> int:
        """The days from first to last, both included; ``None`` is the end of the horizon."""
        low = self.first if first is None else max(first, self.first)
        high = self.last if last is None else min(last, self.last)
        return 0 if high < low else ((1 << (high - low + 1)) - 1) << (low - self.first)

    def day(self, day: int) -> int:
        """One day."""
        return 1 << (day - self.first) if self.first <= day <= self.last else 0

    def turned_round(self, allowed: Allowed) -> Allowed:
        """The same relation told from the other side, by trying all days."""

        def inverse(day: int) -> int:
            here, found = self.day(day), 0
            for other in range(self.first, self.last + 1):
                if allowed(other) & here:
                    found |= self.day(other)
            return found

        return inverse

    def members(self, days: int) -> Iterator[int]:
        """The ordinals of a set, earliest first."""
        while days:
            low = days & -days
            yield self.first + low.bit_length() - 1
            days ^= low


def _given_days(problem: Problem) -> Iterator[date]:
    yield from (fact.on for fact in problem.performed)
    yield from (kept.day for kept in problem.kept)
    yield from (pin.on for pin in problem.pinned)
    yield from problem.events.values()
    yield from problem.baseline.values()
    for day in (problem.plan_start, problem.birth_date, problem.not_before):
        if day is not None:
            yield day
    if problem.anchor is not None:
        for day in (problem.anchor.day, problem.anchor.earliest_from, problem.anchor.until):
            if day is not None:
                yield day


def _longest(problem: Problem) -> int:
    total = 0
    for step in problem.protocol.steps:
        bounds = [timing.bounds for timing in step.timings]
        bounds += [point.bounds for point in step.timepoints]
        if step.alternatives is not None:
            bounds += [timing.bounds for _, timing in step.alternatives.options]
        if step.repeat is not None:
            bounds += [step.repeat.spacing] * step.repeat.count.maximum
        total += sum(
            max(offset.longest_days for offset in (b.earliest, b.target, b.latest) if offset)
            for b in bounds
        )
    return total
