"""Offsets as people write them: what is read, what is refused, and where the calendar ends."""

from datetime import date

import pytest

from app.domain.documents import parse_protocol
from app.domain.offsets import DateOutOfRange, InvalidOffset, MonthEnd, Offset
from tests.domain.given_documents import Data, document, step
from tests.domain.given_faults import faults_of


@pytest.mark.parametrize("text", ["P6W", "-P3M", "P1Y6M", "P0D", "-P1Y2M3W4D"])
def test_an_offset_is_written_as_it_was_read(text: str) -> None:
    assert str(Offset.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["6 weeks", "P", "PT6H", "P1.5W", "+P6W", "P-6W", ""], ids=lambda text: text or "empty"
)
def test_what_is_no_calendar_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidOffset, match="written like P6W"):
        Offset.parse(text)


def test_an_offset_has_one_sign_for_all_its_parts() -> None:
    with pytest.raises(InvalidOffset, match="one sign"):
        Offset(weeks=1, days=-1)


@pytest.mark.parametrize("text", ["P3663D", "P11Y", "-P11Y", "P99999D"])
def test_an_offset_is_at_most_ten_years_long(text: str) -> None:
    with pytest.raises(InvalidOffset):
        Offset.parse(text)


@pytest.mark.parametrize(
    "text, words",
    [
        ("P0D", "the same day"),
        ("P1D", "1 day"),
        ("-P6W", "6 weeks"),
        ("P1Y6M", "1 year and 6 months"),
    ],
)
def test_an_offset_is_said_without_its_direction(text: str, words: str) -> None:
    assert Offset.parse(text).in_words() == words


@pytest.mark.parametrize(
    "day, offset",
    [
        (date(2200, 12, 31), "P1D"),
        (date(2200, 6, 30), "P1Y"),
        (date(1900, 1, 1), "-P1D"),
        (date(1900, 6, 30), "-P1Y"),
    ],
)
def test_no_offset_leads_out_of_the_calendar(day: date, offset: str) -> None:
    with pytest.raises(DateOutOfRange):
        Offset.parse(offset).from_day(day, MonthEnd.CLAMP)


@pytest.mark.parametrize(
    "day, offset, clamped, rolled",
    [
        (date(2027, 1, 31), "P1M", date(2027, 2, 28), date(2027, 3, 1)),
        (date(2028, 1, 31), "P1M", date(2028, 2, 29), date(2028, 3, 1)),
        (date(2028, 2, 29), "P1Y", date(2029, 2, 28), date(2029, 3, 1)),
        (date(2027, 1, 30), "P1M1D", date(2027, 3, 1), date(2027, 3, 2)),
        (date(2027, 3, 30), "-P1M1W", date(2027, 2, 21), date(2027, 2, 22)),
        (date(2027, 2, 28), "P1M", date(2027, 3, 28), date(2027, 3, 28)),
    ],
)
def test_months_are_added_first_and_end_as_the_protocol_says(
    day: date, offset: str, clamped: date, rolled: date
) -> None:
    added = Offset.parse(offset)

    assert added.from_day(day, MonthEnd.CLAMP) == clamped
    assert added.from_day(day, MonthEnd.ROLL_FORWARD) == rolled


# -- ages


def _dose(relative_to: str, offset: str, **members: str) -> Data:
    timing = {"relative_to": relative_to, "target": offset} | members
    return document(step("dose", timings=[timing]))


@pytest.mark.parametrize("age", ["P11Y", "P19Y", "P150Y"])
def test_an_age_alone_may_be_longer_than_ten_years(age: str) -> None:
    read = parse_protocol(_dose("birth_date", age))

    assert read.protocol.steps[0].timings[0].bounds.aim == Offset.parse(age, is_age=True)
    assert list(faults_of(_dose("plan_start", age)).values()) == ["invalid-offset"]


def test_timepoints_of_a_life_count_from_the_birth_date_too() -> None:
    points = [{"key": "teens", "target": "P13Y"}, {"key": "grown", "target": "P18Y"}]
    checkups = step("checkup", relative_to="birth_date", timepoints=points)

    read = parse_protocol(document(checkups))

    ages = [str(point.bounds.aim) for point in read.protocol.steps[0].timepoints]
    assert ages == ["P13Y", "P18Y"]


@pytest.mark.parametrize(
    "offset, members",
    [
        pytest.param("P151Y", {}, id="older than anyone"),
        pytest.param("-P11Y", {}, id="long before birth"),
        pytest.param("P4000D", {"unit": "working_days"}, id="open days"),
    ],
)
def test_nobody_is_that_old(offset: str, members: dict[str, str]) -> None:
    faults = faults_of(_dose("birth_date", offset, **members))

    assert list(faults.values()) == ["invalid-offset"]
