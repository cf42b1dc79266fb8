"""Days on which a location is open, and the local days of instants."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.domain.calendars import (
    Absence,
    Calendar,
    Closure,
    InvalidCalendar,
    LocalTimeMissing,
    start_of_day,
    to_utc,
)

MONDAY, TUESDAY = date(2027, 3, 1), date(2027, 3, 2)


@pytest.mark.parametrize("weekdays", [[], [0], [1, 8]])
def test_a_location_is_open_on_some_weekdays_that_exist(weekdays: list[int]) -> None:
    with pytest.raises(InvalidCalendar, match="one or more of 1"):
        Calendar(frozenset(weekdays))


def test_closures_are_told_apart_by_their_ids() -> None:
    with pytest.raises(InvalidCalendar, match="the same id"):
        Calendar(closures=(Closure("works", MONDAY, MONDAY), Closure("works", TUESDAY, TUESDAY)))


def test_nothing_ends_before_it_begins_or_lasts_longer_than_ten_years() -> None:
    with pytest.raises(InvalidCalendar, match="closure 'works' ends before it begins"):
        Closure("works", TUESDAY, MONDAY)
    with pytest.raises(InvalidCalendar, match="absence 'trip' is longer than 3650 days"):
        Absence("trip", MONDAY, date(2037, 3, 1))


def test_a_location_is_closed_on_other_weekdays_and_during_closures() -> None:
    calendar = Calendar(frozenset({1, 2}), (Closure("works", TUESDAY, TUESDAY),))

    open_days = [day for day in range(1, 10) if calendar.is_open(date(2027, 3, day))]

    assert open_days == [1, 8, 9]


@pytest.mark.parametrize(
    "zone, day, expected",
    [
        ("America/Denver", date(2027, 3, 10), datetime(2027, 3, 10, 7, tzinfo=UTC)),
        # The clocks of Santiago skip the hour after midnight when summer time begins.
        ("America/Santiago", date(2026, 9, 6), datetime(2026, 9, 6, 4, tzinfo=UTC)),
    ],
)
def test_a_day_begins_with_its_first_instant(zone: str, day: date, expected: datetime) -> None:
    assert start_of_day(day, ZoneInfo(zone)) == expected


def test_a_time_which_the_clock_skips_is_no_instant() -> None:
    with pytest.raises(LocalTimeMissing, match="does not exist on that day"):
        to_utc(datetime.fromisoformat("2027-03-14T02:30"), ZoneInfo("America/Denver"))
