"""Locations over HTTP."""

from typing import Any

import pytest

from tests.client import Answer, Client

NOWHERE = "00000000-0000-7000-8000-000000000000"
DENVER: dict[str, Any] = {
    "name": "Denver",
    "time_zone": "America/Denver",
    "open_weekdays": [2, 3, 4, 5],
    "hours": [
        {"weekday": 2, "opens": "08:00", "closes": "12:00"},
        {"weekday": 2, "opens": "13:00", "closes": "17:00"},
    ],
    "notice_days": 2,
    "holidays": {"country": "US", "subdivision": "CO"},
}


async def add(api: Client, **fields: Any) -> dict[str, Any]:
    """A stored location."""
    answer = await api.post("/v1/locations", json=DENVER | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def holidays_of(api: Client, location: dict[str, Any], year: int) -> list[str]:
    """The days of a location's public holidays in a year."""
    filters = {"location_id": location["id"], "from": f"{year}-01-01", "to": f"{year}-12-31"}
    answer = await api.get("/v1/closures", params=filters)
    return [closure["from"] for closure in answer.json()["items"] if closure["holiday"]]


def faults(answer: Answer) -> list[tuple[str, str]]:
    """Pointer and code of every fault."""
    assert answer.status_code == 422, answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


async def test_a_location_is_added_and_read_back(api: Client) -> None:
    answer = await api.post("/v1/locations", json=DENVER)

    location = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    assert {field: location[field] for field in DENVER} == DENVER
    assert (await api.get(answer.headers["location"])).json() == location


async def test_little_needs_to_be_said_of_a_location(api: Client) -> None:
    answer = await api.post("/v1/locations", json={"name": "Oslo", "time_zone": "Europe/Oslo"})

    location = answer.json()
    assert location["open_weekdays"] == [1, 2, 3, 4, 5]
    assert (location["hours"], location["holidays"], location["notice_days"]) == (None, None, 0)


async def test_its_public_holidays_are_stored_as_closures(api: Client) -> None:
    location = await add(api)
    year = int(location["created_at"][:4]) + 1

    days = await holidays_of(api, location, year)

    assert f"{year}-01-01" in days
    assert f"{year}-12-25" in days
    assert await holidays_of(api, location, year + 9)


async def test_without_a_country_there_are_none(api: Client) -> None:
    location = await add(api, holidays=None)

    assert await holidays_of(api, location, int(location["created_at"][:4]) + 1) == []


async def test_other_holidays_replace_those_stored(api: Client) -> None:
    location = await add(api)
    year = int(location["created_at"][:4]) + 1

    answer = await api.patch(
        f"/v1/locations/{location['id']}",
        json={"holidays": {"country": "FR"}},
        headers={"If-Match": '"1"'},
    )

    assert answer.json()["holidays"] == {"country": "FR", "subdivision": None}
    days = await holidays_of(api, location, year)
    assert f"{year}-07-14" in days
    assert f"{year}-07-04" not in days


async def test_null_removes_the_holidays(api: Client) -> None:
    location = await add(api)

    await api.patch(
        f"/v1/locations/{location['id']}", json={"holidays": None}, headers={"If-Match": '"1"'}
    )

    assert await holidays_of(api, location, int(location["created_at"][:4]) + 1) == []


async def test_a_change_leaves_what_is_absent(api: Client) -> None:
    location = await add(api)

    answer = await api.patch(
        f"/v1/locations/{location['id']}",
        json={"open_weekdays": [1, 1, 7], "hours": None},
        headers={"If-Match": '"1"'},
    )

    changed = {"open_weekdays": [1, 7], "hours": None, "revision": 2, "batch": None}
    assert answer.headers["etag"] == '"2"'
    assert answer.json() | {"updated_at": ""} == location | changed | {"updated_at": ""}


async def test_a_stale_change_is_refused(api: Client) -> None:
    location = await add(api)

    answer = await api.patch(
        f"/v1/locations/{location['id']}", json={"name": "X"}, headers={"If-Match": '"3"'}
    )

    assert (answer.status_code, answer.json()["type"]) == (412, "changed-meanwhile")


@pytest.mark.parametrize(
    "fields, expected",
    [
        pytest.param(
            {"time_zone": "Mars/Olympus"}, [("/time_zone", "unknown-time-zone")], id="zone"
        ),
        pytest.param({"time_zone": "../../x"}, [("/time_zone", "wrong-form")], id="a path as zone"),
        pytest.param({"open_weekdays": []}, [("/open_weekdays", "too-few")], id="never open"),
        pytest.param({"open_weekdays": [0]}, [("/open_weekdays/0", "too-small")], id="weekday 0"),
        pytest.param({"open_weekdays": [8]}, [("/open_weekdays/0", "too-large")], id="weekday 8"),
        pytest.param({"notice_days": -1}, [("/notice_days", "too-small")], id="notice before"),
        pytest.param({"notice_days": 10**18}, [("/notice_days", "too-large")], id="notice never"),
        pytest.param(
            {"hours": [{"weekday": 1, "opens": "12:00", "closes": "12:00"}]},
            [("/hours/0/closes", "before-opening")],
            id="closes as it opens",
        ),
        pytest.param(
            {"hours": [{"weekday": 1, "opens": "24:00", "closes": "25:00"}]},
            [("/hours/0/opens", "wrong-form"), ("/hours/0/closes", "wrong-form")],
            id="no such times",
        ),
        pytest.param(
            {"holidays": {"country": "XX", "subdivision": None}},
            [("/holidays/subdivision", "unknown-holidays")],
            id="unknown country",
        ),
        pytest.param(
            {"holidays": {"country": "US", "subdivision": "ZZ"}},
            [("/holidays/subdivision", "unknown-holidays")],
            id="unknown part",
        ),
        pytest.param({"name": None}, [("/name", "not-text")], id="no name"),
    ],
)
async def test_a_location_that_cannot_be_is_refused(
    api: Client, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    answer = await api.post("/v1/locations", json=DENVER | fields)

    assert faults(answer) == expected
    assert (await api.get("/v1/locations")).json()["items"] == []


async def test_null_is_no_name_for_a_change_either(api: Client) -> None:
    location = await add(api)

    answer = await api.patch(
        f"/v1/locations/{location['id']}", json={"name": None}, headers={"If-Match": '"1"'}
    )

    assert faults(answer) == [("/name", "not-text")]


async def test_locations_are_listed_in_the_order_they_were_added(api: Client) -> None:
    names = ["one", "two", "three"]
    for name in names:
        await add(api, name=name, holidays=None)

    first = (await api.get("/v1/locations", params={"limit": 2})).json()
    second = (await api.get("/v1/locations", params={"limit": 2, "cursor": first["next"]})).json()

    assert [one["name"] for one in first["items"] + second["items"]] == names
    assert second["next"] is None


async def test_a_location_that_does_not_exist_is_not_found(api: Client) -> None:
    answer = await api.get(f"/v1/locations/{NOWHERE}")

    assert (answer.status_code, answer.json()["type"]) == (404, "location-not-found")
