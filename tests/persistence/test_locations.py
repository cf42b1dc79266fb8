"""Locations and their closures, public holidays among them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import pytest

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.locations import (
    ClosureExists,
    ClosureNotFound,
    ClosureRepository,
    LocationChangedMeanwhile,
    LocationNotFound,
    LocationRepository,
)
from tests.persistence.given import (
    LOCATION,
    NOW,
    OTHER_CLINIC_ID,
    a_closure,
    a_location,
    other_clinic,
    uid,
)


@pytest.fixture
async def locations(database: Database) -> AsyncIterator[LocationRepository]:
    """The default clinic's locations, in one transaction."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        yield LocationRepository(connection, DEFAULT_CLINIC_ID)


@pytest.fixture
async def closures(database: Database) -> AsyncIterator[ClosureRepository]:
    """The closures of a clinic with one location, in one transaction."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await LocationRepository(connection, DEFAULT_CLINIC_ID).add(a_location())
        yield ClosureRepository(connection, DEFAULT_CLINIC_ID)


async def test_a_location_comes_back_as_it_was_stored(locations: LocationRepository) -> None:
    location = a_location(
        hours={"2": [["09:00", "17:00"]]},
        notice_days=3,
        holiday_country="US",
        holiday_subdivision="CO",
    )

    await locations.add(location)

    assert await locations.get(LOCATION) == location


async def test_a_location_changes_by_revision(locations: LocationRepository) -> None:
    await locations.add(a_location())
    changed = a_location(name="New", open_weekdays=[1])

    assert await locations.save(changed, revision=1) == replace(changed, revision=2)

    with pytest.raises(LocationChangedMeanwhile):
        await locations.save(changed, revision=1)
    with pytest.raises(LocationNotFound):
        await locations.save(a_location(9), revision=1)


async def test_locations_come_in_pages(locations: LocationRepository) -> None:
    for number in (3, 2):
        await locations.add(a_location(number))

    first = await locations.page(after=None, limit=1)
    second = await locations.page(after=first[0].id, limit=1)

    assert [location.id for location in (*first, *second)] == [uid(2), uid(3)]


async def test_another_clinics_location_does_not_exist(database: Database) -> None:
    await other_clinic(database)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await LocationRepository(connection, DEFAULT_CLINIC_ID).add(a_location())
        theirs = LocationRepository(connection, OTHER_CLINIC_ID)

        with pytest.raises(LocationNotFound):
            await theirs.get(LOCATION)


async def test_closures_that_touch_a_range_are_found(closures: ClosureRepository) -> None:
    week = a_closure(20)
    one_day = a_closure(21, first_day=date(2027, 3, 1), last_day=date(2027, 3, 1))
    await closures.add(week)
    await closures.add(one_day)

    async def between(first: date, last: date) -> list[str]:
        found = await closures.of_location(LOCATION, from_day=first, to_day=last)
        return [closure.key for closure in found]

    assert await closures.get(week.id) == week
    assert await between(date(2027, 1, 1), date(2027, 12, 31)) == ["closure-21", "closure-20"]
    assert await between(date(2027, 3, 12), date(2027, 3, 31)) == ["closure-20"]
    assert await between(date(2027, 3, 2), date(2027, 3, 7)) == []


async def test_closures_come_in_pages_by_first_day(closures: ClosureRepository) -> None:
    for number in (22, 20, 21):
        await closures.add(a_closure(number))
    await closures.add(a_closure(1, first_day=date(2027, 3, 9)))

    first = await closures.page(
        location_id=LOCATION,
        from_day=date(2027, 3, 1),
        to_day=date(2027, 3, 31),
        after=None,
        limit=2,
    )
    last = (first[-1].first_day, first[-1].id)
    second = await closures.page(location_id=None, from_day=None, to_day=None, after=last, limit=10)

    assert [closure.id for closure in (*first, *second)] == [uid(20), uid(21), uid(22), uid(1)]


async def test_a_locations_closure_key_is_taken_once(closures: ClosureRepository) -> None:
    await closures.add(a_closure(20, key="christmas"))

    with pytest.raises(ClosureExists):
        await closures.add(a_closure(21, key="christmas"))


async def test_a_closure_can_be_removed(closures: ClosureRepository) -> None:
    await closures.add(a_closure(20))

    await closures.remove(uid(20))

    with pytest.raises(ClosureNotFound):
        await closures.get(uid(20))
    with pytest.raises(ClosureNotFound):
        await closures.remove(uid(20))


async def test_holidays_are_replaced_and_other_closures_stay(closures: ClosureRepository) -> None:
    await closures.add(a_closure(20))
    await closures.replace_holidays(LOCATION, [a_closure(21, holiday=True)])

    await closures.replace_holidays(LOCATION, [a_closure(22, holiday=True)])
    assert await _ids(closures) == [uid(20), uid(22)]

    await closures.replace_holidays(LOCATION, [])
    assert await _ids(closures) == [uid(20)]


async def _ids(closures: ClosureRepository) -> list[object]:
    found = await closures.of_location(LOCATION, from_day=NOW.date(), to_day=date(2027, 12, 31))
    return [closure.id for closure in found]
