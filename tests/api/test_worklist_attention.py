"""What a person must look at, and what a worklist cannot be asked."""

import pytest

from tests.api.given_changes import Living
from tests.api.given_plans import NOBODY, Data, Desk, good
from tests.api.given_worklist import DOCTOR, OTHER_DOCTOR, URL
from tests.client import Client


async def test_reviews_are_listed_until_they_are_acknowledged(own_desk: Desk) -> None:
    plan = Living(own_desk, await own_desk.plan(practitioner=DOCTOR))
    await plan.on("2027-03-05")
    await own_desk.report(agent="nsaid", on="2027-03-04")
    url, mine = f"{URL}/attention", {"practitioner": DOCTOR}

    waiting = await good(own_desk.api.get(url, params=mine))

    await plan.on("2027-03-05")
    breach = next(one for one in plan.plan["breaches"] if one["severity"] == "review")
    (item,) = waiting["items"]
    assert (item["plan_id"], item["revision"]) == (plan.plan["id"], plan.plan["revision"])
    assert breach["id"] in {one.get("breach") for one in item["needs_attention"]}
    assert (await good(own_desk.api.get(f"{URL}/counts")))["plans"] == 1
    await plan.change({"type": "acknowledge", "breach": breach["id"]})
    assert (await good(own_desk.api.get(url, params=mine)))["items"] == []
    assert (await good(own_desk.api.get(f"{URL}/counts")))["plans"] == 0


async def test_plans_to_look_at_come_in_pages_by_doctor_and_location(own_desk: Desk) -> None:
    elsewhere = await own_desk.location(name="Elsewhere")
    made = []
    for number in range(5):
        patient = {"id": await own_desk.patient()}
        doctor = DOCTOR if number < 3 else OTHER_DOCTOR
        place = elsewhere if number == 2 else own_desk.location_id
        plan = Living(
            own_desk,
            await own_desk.plan(patient=patient, practitioner=doctor, location_id=place),
        )
        await plan.on("2027-02-03")
        await plan.change({"type": "miss", "step": "primer/2"})
        made.append(plan.plan["id"])
    url = f"{URL}/attention"

    first = await good(own_desk.api.get(url, params={"limit": 2}))
    second = await good(own_desk.api.get(url, params={"limit": 2, "cursor": first["next"]}))
    third = await good(own_desk.api.get(url, params={"limit": 2, "cursor": second["next"]}))

    pages = [first, second, third]
    assert [item["plan_id"] for page in pages for item in page["items"]] == made
    assert third["next"] is None
    for params, expected in (
        ({"practitioner": DOCTOR}, made[:3]),
        ({"location_id": elsewhere}, made[2:3]),
        ({"location_id": elsewhere, "practitioner": OTHER_DOCTOR}, []),
    ):
        found = await good(own_desk.api.get(url, params=params))
        assert [item["plan_id"] for item in found["items"]] == expected


@pytest.mark.parametrize("params", [{}, {"window_state": "due"}, {"location_id": NOBODY}])
async def test_where_nothing_waits_the_worklist_is_empty(api: Client, params: Data) -> None:
    nothing: Data = {"items": [], "next": None}
    place = {key: value for key, value in params.items() if key == "location_id"}

    assert await good(api.get(URL, params=params)) == nothing
    assert await good(api.get(f"{URL}/attention", params=place)) == nothing
    counts = await good(api.get(f"{URL}/counts", params=place))
    assert counts["by_state"] == {"upcoming": 0, "due": 0, "overdue": 0}
    assert (counts["by_day"], counts["decisions"], counts["plans"]) == ([], 0, 0)


@pytest.mark.parametrize(
    "part, name, value",
    [
        pytest.param("", "window_state", "late", id="a state of what is done"),
        pytest.param("", "status", "cancelled", id="a status nobody waits for"),
        pytest.param("", "kind", "restriction", id="a kind that is nobody's work"),
        pytest.param("", "from", "2027-02-30", id="no such day"),
        pytest.param("", "until", "tomorrow", id="not a day"),
        pytest.param("", "location_id", "here", id="not an id"),
        pytest.param("", "tentative", "perhaps", id="not a truth value"),
        pytest.param("", "limit", "0", id="no items"),
        pytest.param("", "limit", "201", id="too many items"),
        pytest.param("/counts", "kind", "restriction", id="counted kind"),
        pytest.param("/counts", "until", "9999-12-31", id="counted day beyond the calendar"),
        pytest.param("/attention", "location_id", "1", id="looked at nowhere"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_its_place(
    api: Client, part: str, name: str, value: str
) -> None:
    answer = await api.get(URL + part, params={name: value})

    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {name}


@pytest.mark.parametrize(
    "days",
    [
        pytest.param({"from": "2027-03-02", "until": "2027-03-01"}, id="backwards"),
        pytest.param({"from": "2027-01-01", "until": "2027-04-03"}, id="93 days"),
        pytest.param({"until": "1999-01-01"}, id="long past"),
    ],
)
async def test_days_that_cannot_be_counted_are_refused(api: Client, days: Data) -> None:
    answer = await api.get(f"{URL}/counts", params=days)

    assert (answer.status_code, answer.json()["type"]) == (422, "range-not-allowed")
