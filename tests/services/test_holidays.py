"""Public holidays as closures."""

from datetime import date

import pytest

from app.services.holidays import HolidayRegion, UnknownHolidays, expand


def test_each_holiday_of_the_years_is_a_closure() -> None:
    closures = {closure.first: closure for closure in expand(HolidayRegion("US", "CO"), 2027, 2028)}

    christmas = closures[date(2027, 12, 25)]
    assert (christmas.id, christmas.title) == ("holiday-2027-12-25", "Christmas Day")
    assert christmas.first == christmas.last
    assert min(closures).year == 2027
    assert max(closures).year == 2028


def test_a_holiday_on_a_weekend_is_observed_on_another_day_too() -> None:
    days = {closure.first for closure in expand(HolidayRegion("US"), 2027, 2027)}

    assert {date(2027, 7, 4), date(2027, 7, 5)} <= days


def test_a_part_of_a_country_has_its_own() -> None:
    bavaria = {closure.first for closure in expand(HolidayRegion("DE", "BY"), 2027, 2027)}
    germany = {closure.first for closure in expand(HolidayRegion("DE"), 2027, 2027)}

    assert date(2027, 1, 6) in bavaria - germany


@pytest.mark.parametrize("country, subdivision", [("XX", None), ("US", "ZZ"), ("", None)])
def test_what_is_not_known_is_refused(country: str, subdivision: str | None) -> None:
    with pytest.raises(UnknownHolidays):
        HolidayRegion(country, subdivision)
