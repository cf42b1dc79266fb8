"""The check of protocols over HTTP: faults, warnings, failing start days; nothing is stored."""

from typing import Any

import pytest

from tests.api.given_protocols import SMALL, YAML, bounds, refused, visit
from tests.client import Answer, Client

NOWHERE = "00000000-0000-7000-8000-000000000000"


async def check(api: Client, document: Any = SMALL, **options: Any) -> Answer:
    return await api.post("/v1/protocols/check", json=document, params=options)


async def test_a_sound_protocol_is_tried_on_every_start_day(api: Client) -> None:
    answer = await check(api, **{"from": "2027-01-01"})

    found = answer.json()
    assert (answer.status_code, found["faults"], found["warnings"]) == (200, [], [])
    assert [figure["id"] for figure in found["to_confirm"]] == ["visit.timing"]
    assert found["start_days"] == {
        "first_day": "2027-01-01",
        "tried": 261,
        "closed": 104,
        "failing": 0,
        "percent": 0,
        "text": "every one of 261 start days works",
        "reasons": [],
        "by_weekday": [{"failing": 0, "tried": n} for n in (52, 52, 52, 52, 53, 0, 0)],
        "by_month": [
            {"failing": 0, "tried": n} for n in (21, 20, 23, 22, 21, 22, 22, 22, 22, 21, 22, 23)
        ],
    }
    assert (await api.get("/v1/protocols")).json()["items"] == []


async def test_failing_start_days_come_with_their_share_and_reasons(api: Client) -> None:
    document = visit(timings=bounds("P10D", "P10D", "P10D"))

    answer = await check(api, document, **{"from": "2027-01-01"})

    days = answer.json()["start_days"]
    assert (days["failing"], days["percent"]) == (104, 40)
    assert days["text"] == (
        "40 % of start days fail: visit is exactly 10 days after session and the location is "
        "closed on Saturdays, Sundays (40 %)"
    )
    assert days["reasons"][0]["elements"] == [
        "timing:visit.earliest",
        "timing:visit.latest",
        "weekdays",
    ]
    assert days["reasons"][0]["first_day"] == "2027-01-06"


async def test_faults_are_told_instead_of_start_days(api: Client) -> None:
    document = visit(timings=bounds("P3D", "P2D", "P1D")) | {"colour": "red"}

    answer = await check(api, document)

    found = answer.json()
    assert answer.status_code == 200
    assert {fault["pointer"]: fault["code"] for fault in found["faults"]} == {
        "/colour": "unknown-field",
        "/steps/1/timings/0/earliest": "window-backwards",
    }
    assert (found["warnings"], found["to_confirm"], found["start_days"]) == ([], [], None)


async def test_a_contradiction_is_a_fault_beside_the_warnings(api: Client) -> None:
    rule = {"id": "soon", "type": "max_gap", "from": "session", "to": "visit", "offset": "P3D"}

    answer = await check(api, SMALL | {"rules": [rule]})

    found = answer.json()
    assert [fault["code"] for fault in found["faults"]] == ["contradiction"]
    assert [warning["code"] for warning in found["warnings"]] == ["no-source"]
    assert found["start_days"] is None


async def test_doubts_are_warnings(api: Client) -> None:
    answer = await check(api, visit(title="Follow-up at 6 or 8 weeks"))

    warnings = answer.json()["warnings"]
    assert [(one["pointer"], one["code"]) for one in warnings] == [
        ("/steps/1/title", "one-window-for-two")
    ]


async def test_a_check_reads_yaml_too(api: Client) -> None:
    headers = {"Content-Type": "application/yaml"}

    answer = await api.post("/v1/protocols/check", content=YAML, headers=headers)

    assert answer.json()["faults"] == []


async def test_open_weekdays_may_be_given(api: Client) -> None:
    answer = await check(api, open_weekdays=[2, 4], **{"from": "2027-01-01"})

    weekdays = [day["tried"] for day in answer.json()["start_days"]["by_weekday"]]
    assert weekdays == [0, 52, 0, 52, 0, 0, 0]


async def test_a_locations_calendar_is_tried_with_its_closures(api: Client) -> None:
    place = {"name": "Denver", "time_zone": "America/Denver", "open_weekdays": [2, 3, 4, 5]}
    location = (await api.post("/v1/locations", json=place)).json()
    closed = {
        "location_id": location["id"],
        "key": "summer",
        "title": "Summer",
        "from": "2027-07-01",
        "to": "2027-07-31",
    }
    await api.post("/v1/closures", json=closed)

    answer = await check(api, location_id=location["id"], **{"from": "2027-01-01"})

    days = answer.json()["start_days"]
    assert days["by_month"][6] == {"failing": 0, "tried": 0}
    assert days["failing"] > 0
    assert any("closure:summer" in reason["elements"] for reason in days["reasons"])


async def test_without_a_first_day_the_year_begins_today(api: Client) -> None:
    answer = await check(api)

    assert answer.json()["start_days"]["first_day"] >= "2025-01-01"


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"location_id": NOWHERE}, (404, "location-not-found")),
        ({"open_weekdays": 8}, (422, "invalid-request")),
        ({"from": "soon"}, (422, "invalid-request")),
        ({"until": "2027-01-01"}, (422, "invalid-request")),
    ],
    ids=["location", "weekday", "day", "unknown"],
)
async def test_a_check_that_makes_no_sense_is_refused(
    api: Client, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refused(await check(api, **options)) == expected


async def test_what_is_no_object_is_refused(api: Client) -> None:
    assert (await check(api, [])).status_code == 422
