"""Calendar offsets: what "six weeks before" means in days; no clock, no calendar of a location."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Self

from app.domain.errors import DomainError

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2200, 12, 31)
MAX_OFFSET_DAYS = 3650
MAX_AGE_YEARS = 150

_LONGEST_YEAR = 366
_ISO = re.compile(r"(-?)P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,3})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?")


class InvalidOffset(DomainError):
    """An offset is not an ISO 8601 calendar duration, or is longer than it may be."""


class DateOutOfRange(DomainError):
    """A given or computed day lies outside 1900-01-01..2200-12-31."""


class MonthEnd(StrEnum):
    """Where a month offset lands when the day does not exist (31 January + 1 month)."""

    CLAMP = "clamp"
    ROLL_FORWARD = "roll_forward"


@dataclass(frozen=True, slots=True)
class Offset:
    """A signed calendar duration, kept in the units its author wrote (ISO 8601: ``P6W``, ``-P3M``).

    Years and months are added first, then weeks and days. What people write is at most 3650 days
    long; an age, which counts from the birth date, at most 150 years.
    """

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    negative: bool = False

    def __post_init__(self) -> None:
        if min(self.years, self.months, self.weeks, self.days) < 0:
            raise InvalidOffset("an offset has one sign for all its parts")
        if self.longest_days > MAX_AGE_YEARS * _LONGEST_YEAR:
            raise InvalidOffset(f"an age is at most {MAX_AGE_YEARS} years")

    @classmethod
    def parse(cls, text: str, *, is_age: bool = False) -> Self:
        """Read ``P6W``, ``-P3M``, ``P1Y6M``, ``P0D``; refuse anything else, and what is too long.

        ``is_age``: it counts from the birth date, forwards, so that P19Y is not too long.
        """
        found = _ISO.fullmatch(text)
        if found is None:
            raise InvalidOffset("an offset is written like P6W, -P3M or P0D")
        sign, *parts = found.groups()
        years, months, weeks, days = (int(part or 0) for part in parts)
        offset = cls(years, months, weeks, days, sign == "-" and any((years, months, weeks, days)))
        # Ten years at their longest are 3660 days, and a month at its longest has 31.
        most = MAX_OFFSET_DAYS + 12
        if offset.longest_days > most and not (is_age and not offset.negative):
            raise InvalidOffset(f"an offset is at most {MAX_OFFSET_DAYS} days long")
        return offset

    @classmethod
    def of_days(cls, days: int) -> Self:
        """An offset of whole days, negative for before."""
        return cls(days=abs(days), negative=days < 0)

    @property
    def sign(self) -> int:
        """-1 before, 1 after, 0 the same day."""
        if not (self.years or self.months or self.weeks or self.days):
            return 0
        return -1 if self.negative else 1

    @property
    def longest_days(self) -> int:
        """The most days this offset can be, without its sign."""
        return self.years * _LONGEST_YEAR + self.months * 31 + self.weeks * 7 + self.days

    @property
    def shortest_days(self) -> int:
        """The fewest days this offset can be, without its sign."""
        return self.years * 365 + self.months * 28 + self.weeks * 7 + self.days

    @property
    def fixed_days(self) -> int | None:
        """Signed number of days, or ``None`` when it depends on the month it starts in."""
        if self.years or self.months:
            return None
        days = self.weeks * 7 + self.days
        return -days if self.negative else days

    def from_day(self, day: date, month_end: MonthEnd) -> date:
        """The day this offset leads to. Raises DateOutOfRange beyond 1900..2200."""
        sign = -1 if self.negative else 1
        day = _add_months(day, sign * (self.years * 12 + self.months), month_end)
        ordinal = day.toordinal() + sign * (self.weeks * 7 + self.days)
        return checked_day(ordinal)

    def __str__(self) -> str:
        parts = ((self.years, "Y"), (self.months, "M"), (self.weeks, "W"), (self.days, "D"))
        body = "".join(f"{number}{unit}" for number, unit in parts if number) or "0D"
        return f"{'-' if self.negative else ''}P{body}"

    def in_words(self) -> str:
        """For people, without its direction: "6 weeks", "1 year and 6 months"."""
        named = (
            (self.years, "year"),
            (self.months, "month"),
            (self.weeks, "week"),
            (self.days, "day"),
        )
        words = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in named if n]
        return " and ".join(words) or "the same day"


def checked_day(ordinal: int) -> date:
    """The day of a proleptic ordinal, refused outside 1900-01-01..2200-12-31."""
    if not FIRST_DAY.toordinal() <= ordinal <= LAST_DAY.toordinal():
        raise DateOutOfRange("a computed day lies outside 1900-01-01 to 2200-12-31")
    return date.fromordinal(ordinal)


def _add_months(day: date, months: int, month_end: MonthEnd) -> date:
    if months == 0:
        return day
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not FIRST_DAY.year <= year <= LAST_DAY.year:
        raise DateOutOfRange("a computed day lies outside 1900-01-01 to 2200-12-31")
    last = monthrange(year, month0 + 1)[1]
    if day.day <= last:
        return date(year, month0 + 1, day.day)
    end = date(year, month0 + 1, last)
    return end if month_end is MonthEnd.CLAMP else end + timedelta(days=1)
