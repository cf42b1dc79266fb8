"""The worklist over HTTP: what the plans themselves say, over all plans, wherever today is."""

from collections import Counter
from typing import Any

import pytest

from tests.api.given_changes import Living
from tests.api.given_plans import Data, Desk, good
from tests.api.given_worklist import (
    DOCTOR,
    INSTANTS,
    OTHER_DOCTOR,
    STATES,
    URL,
    Clinic,
    clinic,
    fitting,
    shared_clinic,
    without_deadline,
)

__all__ = ["clinic", "shared_clinic"]


@pytest.mark.parametrize("instant", INSTANTS)
async def test_the_worklist_has_the_steps_of_the_plans_in_order(
    clinic: Clinic, instant: str
) -> None:
    await clinic.desk.at(instant)
    told = await clinic.told()

    assert await clinic.listed() == fitting(told)
    for state in STATES:
        assert await clinic.listed(window_state=state) == fitting(told, window_state=[state])


async def test_today_differs_between_two_locations(clinic: Clinic) -> None:
    here, there = clinic.desk.location_id, clinic.far_away
    ends = {
        place: {
            item["window"]["latest"]
            for item in fitting(await clinic.told(), location_id=place, status=["planned"])
            if item["plan_status"] == "active" and item["window"]
        }
        for place in (here, there)
    }
    last_day = min(ends[here] & ends[there] - {None})

    await clinic.desk.at(f"{last_day}T12:00:00-06:00")

    states = {
        place: {
            item["window_state"]
            for item in await clinic.listed(location_id=place, status="planned")
            if item["window"] and item["window"]["latest"] == last_day
            if item["plan_status"] == "active"
        }
        for place in (here, there)
    }
    assert states == {here: {"due"}, there: {"overdue"}}


FILTERS: list[Any] = [
    pytest.param({"status": ["performed"]}, id="done"),
    pytest.param({"status": ["missed"]}, id="missed"),
    pytest.param({"status": ["booked"]}, id="booked"),
    pytest.param({"status": ["planned", "missed", "performed"]}, id="several statuses"),
    pytest.param({"kind": ["decision"]}, id="decisions"),
    pytest.param({"kind": ["injection", "procedure"]}, id="several kinds"),
    pytest.param({"window_state": ["due", "overdue"]}, id="several states"),
    pytest.param({"window_state": ["overdue"], "status": ["planned", "missed"]}, id="both"),
    pytest.param({"from": "2027-03-10"}, id="from a day"),
    pytest.param({"until": "2027-03-10"}, id="until a day"),
    pytest.param({"from": "2027-02-01", "until": "2027-02-28"}, id="a month"),
    pytest.param({"tentative": True}, id="tentative"),
    pytest.param({"tentative": False, "kind": ["injection"]}, id="firm"),
    pytest.param({"practitioner": OTHER_DOCTOR, "window_state": ["due"]}, id="another doctor"),
    pytest.param({"at": "home", "window_state": ["upcoming"]}, id="a location"),
    pytest.param({"at": "far", "kind": ["visit"], "until": "2027-04-01"}, id="the other location"),
]


@pytest.mark.parametrize("which", FILTERS)
async def test_filters_leave_what_the_plans_say_fits(clinic: Clinic, which: Data) -> None:
    await clinic.desk.at("2027-03-25T12:00:00-06:00")
    places = {"home": clinic.desk.location_id, "far": clinic.far_away}
    asked = {key: value for key, value in which.items() if key != "at"}
    if "at" in which:
        asked["location_id"] = places[which["at"]]

    listed = await clinic.listed(**asked)

    told = await clinic.told()
    assert listed == fitting(told, **asked)
    assert 0 < len(listed) < len(told)


@pytest.mark.parametrize("limit", [1, 7])
@pytest.mark.parametrize("states", [(), ("due",), ("overdue", "due")])
async def test_pages_follow_each_other_without_gap_or_repetition(
    clinic: Clinic, limit: int, states: tuple[str, ...]
) -> None:
    await clinic.desk.at("2027-03-25T12:00:00-06:00")
    which: Data = {"window_state": list(states), "status": ["planned", "booked", "performed"]}

    pages = await clinic.pages(limit=limit, **which)

    whole = await clinic.listed(**which)
    assert [item for page in pages for item in page["items"]] == whole
    assert {len(page["items"]) for page in pages[:-1]} == {limit}
    assert len({item["step_id"] for item in whole}) == len(whole) > limit


async def test_a_page_names_the_next_in_its_header_too(clinic: Clinic) -> None:
    await clinic.desk.at("2027-03-25T12:00:00-06:00")

    answer = await clinic.api.get(URL, params={"practitioner": DOCTOR, "limit": 3})

    link = answer.headers["link"]
    following = await good(clinic.api.get(link.partition(">")[0].lstrip("<")))
    told = [without_deadline(item) for item in following["items"]]
    assert told == (await clinic.listed())[3:6]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"window_state": "due"}, id="a state more"),
        pytest.param({"practitioner": OTHER_DOCTOR}, id="another doctor"),
        pytest.param({"until": "2027-03-01"}, id="another day"),
    ],
)
async def test_a_cursor_belongs_to_its_filters(clinic: Clinic, other: Data) -> None:
    await clinic.desk.at("2027-03-25T12:00:00-06:00")
    asked: Data = {"practitioner": DOCTOR, "limit": 3}
    cursor = (await good(clinic.api.get(URL, params=asked)))["next"]

    answer = await clinic.api.get(URL, params={**asked, **other, "cursor": cursor})

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-cursor")


RANGES: list[Any] = [
    pytest.param({}, id="a month"),
    pytest.param({"from": "2027-01-01", "until": "2027-04-02"}, id="92 days"),
    pytest.param({"from": "2027-03-10", "until": "2027-03-10", "kind": ["decision"]}, id="a day"),
    pytest.param({"from": "2027-12-15", "until": "2028-01-31", "tentative": False}, id="far off"),
]


@pytest.mark.parametrize("which", RANGES)
@pytest.mark.parametrize("instant", INSTANTS[1:5:2])
async def test_counts_are_those_of_the_pages(clinic: Clinic, which: Data, instant: str) -> None:
    await clinic.desk.at(instant)

    counts = await good(clinic.api.get(f"{URL}/counts", params={"practitioner": DOCTOR, **which}))

    days = {"until": counts["until"]}
    listed = await clinic.listed(**{**which, "from": "1900-01-01", **days})
    by_state = Counter(item["window_state"] for item in listed)
    assert counts["by_state"] == {state: by_state[state] for state in STATES}
    of_days = Counter((i["date"], i["window_state"]) for i in listed if i["date"] >= counts["from"])
    assert counts["by_day"] == [
        {"date": day, **{state: of_days[day, state] for state in STATES}}
        for day in sorted({day for day, _ in of_days})
    ]
    waiting = [i for i in listed if i["kind"] == "decision" and i["window_state"] != "upcoming"]
    assert counts["decisions"] == len(waiting)
    plans = await good(
        clinic.api.get(f"{URL}/attention", params={"practitioner": DOCTOR, "limit": 200})
    )
    assert counts["plans"] == len(plans["items"])


async def test_without_days_a_month_from_today_is_counted(clinic: Clinic) -> None:
    await clinic.desk.at("2027-03-25T12:00:00-06:00")

    counts = await good(
        clinic.api.get(f"{URL}/counts", params={"location_id": clinic.desk.location_id})
    )

    assert (counts["from"], counts["until"]) == ("2027-03-25", "2027-04-24")


async def test_nothing_is_overdue_while_its_plan_is_on_hold(clinic: Clinic) -> None:
    await clinic.desk.at("2027-12-01T12:00:00-07:00")

    listed = await clinic.listed()

    held = [item for item in listed if item["plan_status"] == "on_hold"]
    assert {item["window_state"] for item in held} == {"due", "upcoming"}
    overdue = await clinic.listed(window_state="overdue")
    assert {item["plan_status"] for item in overdue} == {"active"}


async def test_a_decision_waits_until_it_is_taken(own_desk: Desk) -> None:
    plan = Living(own_desk, await own_desk.plan())
    which = {"kind": "decision", "window_state": ["due", "overdue"]}
    await plan.on("2027-04-14")
    await plan.change({"type": "move", "step": "booster_decision", "to": "2027-04-14"})
    waiting = await good(own_desk.api.get(URL, params=which))
    tentative = await good(own_desk.api.get(URL, params={"tentative": True}))
    counts = await good(own_desk.api.get(f"{URL}/counts"))

    await plan.change(
        {"type": "decide", "step": "booster_decision", "choice": "booster_eight_weeks"}
    )

    assert [item["key"] for item in waiting["items"]] == ["booster_decision"]
    assert counts["decisions"] == 1
    assert [item["key"] for item in tentative["items"]] == ["booster"]
    for params in (which, {"tentative": True}):
        assert (await good(own_desk.api.get(URL, params=params)))["items"] == []
    assert (await good(own_desk.api.get(f"{URL}/counts")))["decisions"] == 0
