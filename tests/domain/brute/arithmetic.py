"""Date arithmetic of the brute force, on ordinals; restated from the design."""

from datetime import date

from app.domain.offsets import MonthEnd, Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, Unit

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _days_in(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _LENGTHS[month - 1]


def shift(day: int, offset: Offset, month_end: MonthEnd) -> int:
    """Years and months first, then weeks and days."""
    sign = -1 if offset.negative else 1
    moved = date.fromordinal(day)
    months = sign * (12 * offset.years + offset.months)
    if months:
        count = moved.year * 12 + (moved.month - 1) + months
        year, month = count // 12, count % 12 + 1
        if moved.day <= _days_in(year, month):
            moved = date(year, month, moved.day)
        elif month_end is MonthEnd.CLAMP:
            moved = date(year, month, _days_in(year, month))
        else:
            moved = date(year + month // 12, month % 12 + 1, 1)
    return moved.toordinal() + sign * (7 * offset.weeks + offset.days)


class Clock:
    """Adds offsets for one problem.

    Open days are always counted on the location's whole calendar: what a timing means does not
    change when a closure is waived or left out of a conflict.
    """

    def __init__(self, problem: Problem) -> None:
        self._month_end = problem.protocol.month_end
        self._weekdays = problem.calendar.open_weekdays
        self._closed = [
            (closure.first.toordinal(), closure.last.toordinal())
            for closure in problem.calendar.closures
        ]

    def is_open(self, day: int) -> bool:
        """Whether the location is open, patients' absences apart."""
        weekday = (day - 1) % 7 + 1
        return weekday in self._weekdays and not any(a <= day <= b for a, b in self._closed)

    def add(self, day: int, offset: Offset, unit: Unit = Unit.DAYS) -> int:
        """The day an offset leads to; P3D in open days is the third open day."""
        if unit is Unit.DAYS:
            return shift(day, offset, self._month_end)
        left, step = offset.days, -1 if offset.negative else 1
        while left:
            day += step
            left -= self.is_open(day)
        return day


def aim_of(bounds: Bounds) -> Offset:
    """The target, else the bound nearest to the reference."""
    if bounds.target is not None:
        return bounds.target
    if bounds.earliest is None or bounds.latest is None:
        only = bounds.earliest or bounds.latest
        assert only is not None
        return only
    early, late = bounds.earliest, bounds.latest
    return early if _size(early) <= _size(late) else late


def _size(offset: Offset) -> int:
    return offset.years * 366 + offset.months * 31 + offset.weeks * 7 + offset.days


def direction_of(offset: Offset) -> int:
    """-1 before the reference, else 1."""
    return -1 if offset.negative and _size(offset) else 1
