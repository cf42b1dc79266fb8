"""Local times in every zone: what a clock shows twice is the first, what it skips is refused."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from app.domain.calendars import LocalTimeMissing, local_date, start_of_day, to_utc

# Their clocks change at midnight, by half an hour, twice a year about Ramadan, or far from UTC.
UNUSUAL = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Denver",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
)
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
ZONES = sorted(available_timezones()) if DEEP else UNUSUAL
TIMES = (time(0, 30), time(2, 30), time(9))
FIRST, LAST = (
    (date(2024, 1, 1), date(2030, 12, 31)) if DEEP else (date(2027, 1, 1), date(2027, 12, 31))
)


def days() -> Iterator[date]:
    """Every day of these years."""
    return (FIRST + timedelta(days) for days in range((LAST - FIRST).days + 1))


def shown_at(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants at which a clock shows this, by trying every offset about that day."""
    about = (local.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in (-30, 0, 30))
    offsets = {one.astimezone(zone).utcoffset() for one in about}
    instants = ((local - (offset or timedelta())).replace(tzinfo=UTC) for offset in offsets)
    return sorted(one for one in instants if one.astimezone(zone).replace(tzinfo=None) == local)


@pytest.mark.deep
@pytest.mark.parametrize("name", ZONES)
def test_a_local_time_is_its_first_instant_or_is_refused(name: str) -> None:
    zone = ZoneInfo(name)
    for day in days():
        for clock in TIMES:
            local = datetime.combine(day, clock)
            instants = shown_at(local, zone)
            if not instants:
                with pytest.raises(LocalTimeMissing):
                    to_utc(local, zone)
                continue

            found = to_utc(local, zone)

            assert found == instants[0], local
            assert local_date(found, zone) == day


@pytest.mark.deep
@pytest.mark.parametrize("name", ZONES)
def test_a_local_day_begins_when_the_day_before_ends(name: str) -> None:
    zone = ZoneInfo(name)
    starts = [(day, start_of_day(day, zone)) for day in days()]

    for (before, _), (day, start) in pairwise(starts):
        assert local_date(start, zone) == day
        assert local_date(start - timedelta(microseconds=1), zone) == before


def test_clocks_that_skip_or_repeat_these_times_are_among_them() -> None:
    counts = {
        len(shown_at(datetime.combine(day, clock), ZoneInfo(name)))
        for name in ("Africa/Cairo", "Atlantic/Azores", "Europe/Berlin")
        for day in days()
        for clock in TIMES
    }

    assert counts == {0, 1, 2}
