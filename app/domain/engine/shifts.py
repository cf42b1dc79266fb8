"""Monotone functions from day to day, on ordinals: the reference's day to the bound it gives.

A plain ``int`` is a shift by whole days; months, open days and spans are objects with ``at`` and
``last_not_after``. Every one is non-decreasing, which is what makes bounds propagation exact.
"""

from bisect import bisect_left, bisect_right
from datetime import date
from typing import Protocol as Interface

from app.domain.offsets import FIRST_DAY, LAST_DAY, DateOutOfRange, MonthEnd, Offset

LOWEST = FIRST_DAY.toordinal()
HIGHEST = LAST_DAY.toordinal()


class Curve(Interface):
    """A non-decreasing function of ordinals that is not a plain shift."""

    def at(self, day: int) -> int:
        """Its value."""

    def last_not_after(self, bound: int) -> int:
        """The greatest day whose value is at most ``bound``."""


Shift = int | Curve


def value(shift: Shift, day: int) -> int:
    """The value of a shift at a day."""
    return day + shift if isinstance(shift, int) else shift.at(day)


def last_not_after(shift: Shift, bound: int) -> int:
    """The greatest day which a shift takes to ``bound`` or before."""
    return bound - shift if isinstance(shift, int) else shift.last_not_after(bound)


def _search_last(curve: Curve, bound: int) -> int:
    """The generalised inverse: a guess from the curve's own distance, then a walk to the edge."""
    day = max(LOWEST - 1, min(HIGHEST + 1, 2 * bound - curve.at(bound)))
    while day <= HIGHEST and curve.at(day + 1) <= bound:
        day += 1
    while day >= LOWEST and curve.at(day) > bound:
        day -= 1
    return day


class Months:
    """Calendar months or years, then days, with the protocol's month end."""

    __slots__ = ("_known", "_month_end", "_offset")

    def __init__(self, offset: Offset, month_end: MonthEnd) -> None:
        self._offset, self._month_end = offset, month_end
        self._known: dict[int, int] = {}

    def at(self, day: int) -> int:
        """The day the offset leads to, held at the edges of 1900..2200."""
        found = self._known.get(day)
        if found is None:
            found = self._known[day] = self._compute(day)
        return found

    def _compute(self, day: int) -> int:
        if day < LOWEST or day > HIGHEST:
            return LOWEST - 1 if day < LOWEST else HIGHEST + 1
        try:
            return self._offset.from_day(date.fromordinal(day), self._month_end).toordinal()
        except DateOutOfRange:
            return LOWEST - 1 if self._offset.negative else HIGHEST + 1

    def last_not_after(self, bound: int) -> int:
        """The greatest day not after ``bound`` once shifted."""
        return _search_last(self, bound)


class OpenDays:
    """The nth open day of the location after (negative: before) a day; zero is the day itself."""

    __slots__ = ("_days", "_opens")

    def __init__(self, days: int, opens: list[int]) -> None:
        self._days, self._opens = days, opens

    def at(self, day: int) -> int:
        """The nth open day, held at the edges of the calendar looked at."""
        if self._days == 0:
            return day
        if self._days > 0:
            index = bisect_right(self._opens, day) + self._days - 1
        else:
            index = bisect_left(self._opens, day) + self._days
        if index < 0:
            return LOWEST - 1
        return self._opens[index] if index < len(self._opens) else HIGHEST + 1

    def last_not_after(self, bound: int) -> int:
        """The greatest day not after ``bound`` once counted."""
        if self._days == 0:
            return bound
        before = bisect_right(self._opens, bound)
        index = before - self._days - (self._days < 0)
        if 0 <= index < len(self._opens):
            return self._opens[index] - (self._days > 0)
        return LOWEST - 1 if index < 0 else HIGHEST


class Chain:
    """One shift after another: the end of a span, then the offset from it."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Shift, second: Shift) -> None:
        self._first, self._second = first, second

    def at(self, day: int) -> int:
        """The second shift of the first."""
        return value(self._second, value(self._first, day))

    def last_not_after(self, bound: int) -> int:
        """The greatest day both shifts together take to ``bound`` or before."""
        return last_not_after(self._first, last_not_after(self._second, bound))


class Inverse:
    """Turns "not later than" round: the least day whose shift reaches a day."""

    __slots__ = ("_curve",)

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def __eq__(self, other: object) -> bool:
        """Of one curve; curves are shared, one object per offset."""
        return isinstance(other, Inverse) and other._curve is self._curve

    def __hash__(self) -> int:
        return hash(id(self._curve))

    def at(self, day: int) -> int:
        """The least day whose shifted day is ``day`` or later."""
        return self._curve.last_not_after(day - 1) + 1

    def last_not_after(self, bound: int) -> int:
        """The curve itself."""
        return self._curve.at(bound)


class AtLeast:
    """A shift that never falls below a floor."""

    __slots__ = ("_floor", "_shift")

    def __init__(self, shift: Shift, floor: int) -> None:
        self._shift, self._floor = shift, floor

    def at(self, day: int) -> int:
        """The shift, or the floor."""
        return max(self._floor, value(self._shift, day))

    def last_not_after(self, bound: int) -> int:
        """Nothing when the floor is beyond ``bound``, else the shift's own."""
        return LOWEST - 1 if bound < self._floor else last_not_after(self._shift, bound)


def inverse(shift: Shift) -> Shift:
    """``x_j <= shift(x_i)`` written as ``x_i >= inverse(x_j)``."""
    return -shift if isinstance(shift, int) else Inverse(shift)


def chained(first: Shift, second: Shift) -> Shift:
    """One shift after another."""
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    return Chain(first, second)


def shortened(shift: Shift, days: int) -> Shift:
    """The shift by so many days less."""
    return chained(shift, -days) if days else shift


def of_offset(offset: Offset, month_end: MonthEnd) -> Shift:
    """The shift of a calendar offset."""
    days = offset.fixed_days
    return Months(offset, month_end) if days is None else days
