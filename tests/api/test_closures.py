"""Closures over HTTP."""

from typing import Any

import pytest

from tests.client import Answer, Client

NOWHERE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def location(api: Client) -> str:
    """The id of a stored location."""
    answer = await api.post("/v1/locations", json={"name": "Oslo", "time_zone": "Europe/Oslo"})
    return str(answer.json()["id"])


async def close(api: Client, location: str, first: str, last: str, **fields: Any) -> Answer:
    """Close a location."""
    body = {"location_id": location, "title": "Works", "from": first, "to": last}
    return await api.post("/v1/closures", json=body | fields)


async def test_a_location_is_closed_for_some_days(api: Client, location: str) -> None:
    answer = await close(api, location, "2027-02-15", "2027-02-19", key="week-7")

    closure = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/closures/{closure['id']}"
    assert (closure["key"], closure["from"], closure["to"]) == (
        "week-7",
        "2027-02-15",
        "2027-02-19",
    )
    assert not closure["holiday"]


async def test_a_closure_without_a_key_is_named_by_its_days(api: Client, location: str) -> None:
    answer = await close(api, location, "2027-02-15", "2027-02-19")

    assert answer.json()["key"] == "closed-2027-02-15-2027-02-19"


async def test_a_key_names_one_closure_of_a_location(api: Client, location: str) -> None:
    await close(api, location, "2027-02-15", "2027-02-19", key="works")

    answer = await close(api, location, "2027-03-15", "2027-03-19", key="works")

    assert (answer.status_code, answer.json()["type"]) == (409, "closure-exists")


async def test_an_unknown_location_cannot_be_closed(api: Client) -> None:
    answer = await close(api, NOWHERE, "2027-02-15", "2027-02-19")

    assert (answer.status_code, answer.json()["type"]) == (404, "location-not-found")


@pytest.mark.parametrize(
    "fields, pointer, code",
    [
        pytest.param({"to": "2027-02-14"}, "/to", "before-its-beginning", id="backwards"),
        pytest.param({"to": "2047-02-14"}, "/to", "too-long-a-span", id="twenty years"),
        pytest.param({"key": "holiday-1"}, "/key", "key-taken", id="a holiday's key"),
        pytest.param({"key": "Works!"}, "/key", "wrong-form", id="not a key"),
        pytest.param({"title": ""}, "/title", "too-short", id="no title"),
        pytest.param({"location_id": "here"}, "/location_id", "not-an-id", id="not an id"),
    ],
)
async def test_a_closure_that_cannot_be_is_refused(
    api: Client, location: str, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await close(api, location, "2027-02-15", "2027-02-19", **fields)

    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]


async def test_closures_are_listed_by_day_and_range(api: Client, location: str) -> None:
    for first, last in [("2027-03-01", "2027-03-05"), ("2027-02-01", "2027-02-05")]:
        await close(api, location, first, last)

    async def listed(**filters: str) -> list[str]:
        answer = await api.get("/v1/closures", params=filters)
        return [closure["from"] for closure in answer.json()["items"]]

    assert await listed() == ["2027-02-01", "2027-03-01"]
    assert await listed(location_id=location) == ["2027-02-01", "2027-03-01"]
    assert await listed(location_id=NOWHERE) == []
    assert await listed(**{"from": "2027-02-05", "to": "2027-02-28"}) == ["2027-02-01"]
    assert await listed(**{"from": "2027-02-06"}) == ["2027-03-01"]


async def test_the_list_goes_on_where_it_stopped(api: Client, location: str) -> None:
    for day in ("2027-02-01", "2027-02-02", "2027-02-03"):
        await close(api, location, day, day)

    first = (await api.get("/v1/closures", params={"limit": 2})).json()
    second = (await api.get("/v1/closures", params={"limit": 2, "cursor": first["next"]})).json()

    days = [closure["from"] for closure in first["items"] + second["items"]]
    assert days == ["2027-02-01", "2027-02-02", "2027-02-03"]


async def test_a_location_can_be_opened_again(api: Client, location: str) -> None:
    closure = (await close(api, location, "2027-02-01", "2027-02-01")).headers["location"]

    assert (await api.delete(closure)).status_code == 204

    again = await api.delete(closure)
    assert (again.status_code, again.json()["type"]) == (404, "closure-not-found")


@pytest.mark.parametrize(
    "query, name, code",
    [
        pytest.param("from=soon", "from", "not-a-day", id="not a day"),
        pytest.param("form=2027-02-01", "form", "unknown-parameter", id="misspelt"),
        pytest.param("limit=1&limit=2", "limit", "repeated-parameter", id="twice"),
        pytest.param("limit=201", "limit", "too-large", id="too many at once"),
        pytest.param("location_id=here", "location_id", "not-an-id", id="not an id"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(
    api: Client, query: str, name: str, code: str
) -> None:
    answer = await api.get(f"/v1/closures?{query}")

    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(name, code)]
