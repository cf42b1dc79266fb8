"""A location's days change: touched plans are shown beforehand, flagged, then solved again."""

from typing import Any

from tests.api.given_changes import Living, have_protocol, moved
from tests.api.given_plans import NOBODY, Data, Desk, good
from tests.api.test_batches import WORKS, close, plans_of, read, results, work
from tests.client import Answer

# Good Friday is on 26 March 2027, which has the first visit of the rehabilitation.
GERMAN: Data = {"holidays": {"country": "DE"}}
GOOD_FRIDAY = "closure:holiday-2027-03-26"


async def change(desk: Desk, revision: int = 1, **fields: Any) -> Answer:
    """Change the desk's location."""
    headers = {"if-match": f'"{revision}"'}
    return await desk.api.patch(f"/v1/locations/{desk.location_id}", json=fields, headers=headers)


async def preview(desk: Desk, **fields: Any) -> Data:
    """Which plans a change of the desk's location would touch."""
    return await good(desk.api.post(f"/v1/locations/{desk.location_id}/preview", json=fields))


def broken(plan: Living) -> set[tuple[str, str]]:
    """The rules a plan breaks, with the steps by which."""
    names = {step["id"]: name for name, step in plan.steps.items()}
    found = plan.plan["breaches"]
    return {(breach["rule"], names[id_]) for breach in found for id_ in breach["step_ids"]}


async def test_a_holiday_found_late_is_previewed_flagged_and_moved_from(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)
    rows, before = await desk.rows(), plan.days

    seen = await preview(desk, **GERMAN)
    unmoved = await desk.rows()
    answer = await change(desk, **GERMAN)

    assert seen == {
        "total": 1,
        "plans": [{"plan_id": plan.plan["id"], "step_ids": [plan.id_of("rehab_visits/1")]}],
    }
    assert unmoved == rows
    batch = answer.json()["batch"]
    assert (answer.status_code, batch["kind"], batch["total"]) == (200, "closure", 1)
    assert answer.headers["link"] == f'</v1/batches/{batch["id"]}>; rel="monitor"'
    assert batch["request"]["location_id"] == desk.location_id
    await read(plan)
    assert plan.days == before
    assert broken(plan) == {(GOOD_FRIDAY, "rehab_visits/1")}
    assert [item["code"] for item in plan.plan["needs_attention"]] == ["breach"]
    await work(desk)
    item = (await results(desk, batch))[plan.plan["id"]]
    await read(plan)
    assert item["status"] == "changed"
    assert moved(item["result"])["rehab_visits/1"] == ("2027-03-26", plan.days["rehab_visits/1"])
    assert (plan.plan["breaches"], plan.plan["needs_attention"]) == ([], [])
    reason = (await plan.history())[-1]["reason"]
    assert reason == "the location has changed: public holidays of DE"


async def test_what_has_no_other_day_waits_for_a_person_until_it_is_opened_again(
    desk: Desk,
) -> None:
    (plan,) = await plans_of(desk, 1)
    before = plan.days

    first = (await change(desk, open_weekdays=[2, 4, 5])).json()["batch"]
    await work(desk)
    await read(plan)
    flagged = broken(plan)
    second = (await change(desk, revision=2, open_weekdays=[1, 2, 3, 4, 5])).json()["batch"]
    await work(desk)

    item = (await results(desk, first))[plan.plan["id"]]
    named = {element["id"] for element in item["result"]["conflict"]["elements"]}
    assert (item["status"], named) == ("conflict", {"anchor:session", "weekdays"})
    assert first["request"]["reason"] == "the location has changed: open on Tue, Thu, Fri"
    assert {("weekdays", "session"), ("weekdays", "followup_2w")} <= flagged
    assert (await results(desk, second))[plan.plan["id"]]["result"] == {"moves": []}
    await read(plan)
    assert (plan.days, plan.plan["breaches"]) == (before, [])
    assert plan.plan["needs_attention"] == []


async def test_a_holiday_that_is_none_any_more_clears_what_it_was_flagged_for(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)
    await plan.change({"type": "pin", "step": "rehab_visits/1", "to": "2027-03-26"})
    await change(desk, **GERMAN)
    await work(desk)
    await read(plan)
    flagged = broken(plan)

    answer = await change(desk, revision=2, holidays=None)
    await work(desk)

    assert flagged == {(GOOD_FRIDAY, "rehab_visits/1")}
    batch = answer.json()["batch"]
    assert (batch["total"], batch["request"]["reason"][-18:]) == (1, "no public holidays")
    assert (await read(plan)).plan["breaches"] == []
    assert plan.days["rehab_visits/1"] == "2027-03-26"


async def test_days_that_are_opened_move_nothing(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)

    seen = await preview(desk, open_weekdays=[1, 2, 3, 4, 5])
    answer = await change(desk, open_weekdays=[1, 2, 3, 4, 5], name="Open on Mondays")

    assert seen == {"total": 0, "plans": []}
    assert (answer.json()["batch"], "link" in answer.headers) == (None, False)
    was = plan.plan
    assert (await read(plan)).plan == was


async def test_days_are_closed_for_what_is_to_come_alone(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)
    await plan.on("2027-03-27")
    late = plan.days

    seen = await preview(desk, **GERMAN)
    await change(desk, **GERMAN)

    assert seen["total"] == 0
    assert (await read(plan)).days == late
    assert plan.plan["breaches"] == []


async def test_a_stale_change_flags_nothing(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)

    answer = await change(desk, revision=7, **GERMAN)

    assert (answer.status_code, answer.json()["type"]) == (412, "changed-meanwhile")
    assert (await read(plan)).plan["breaches"] == []


async def test_a_location_that_is_not_there_has_no_days_to_change(desk: Desk) -> None:
    answer = await desk.api.post(f"/v1/locations/{NOBODY}/preview", json=GERMAN)

    assert (answer.status_code, answer.json()["type"]) == (404, "location-not-found")


LONDON: Data = {"time_zone": "Europe/London"}


async def with_an_evening(desk: Desk, day: str) -> Living:
    """A plan whose two weeks' visit is booked for an evening in Denver, when London sleeps."""
    (plan,) = await plans_of(desk, 1)
    evening = {"starts_at": f"{day}T20:00:00-06:00", "ends_at": f"{day}T20:30:00-06:00"}
    await plan.change({"type": "book", "step": "followup_2w", **evening, "identifier": "A-1"})
    return plan


async def test_in_another_time_zone_steps_follow_their_appointments(desk: Desk) -> None:
    plan = await with_an_evening(desk, "2027-03-24")
    before = plan.steps["followup_2w"]

    seen = await preview(desk, **LONDON)
    batch = (await change(desk, **LONDON)).json()["batch"]
    flagged = broken(await read(plan))
    await work(desk)

    assert seen["plans"] == [{"plan_id": plan.plan["id"], "step_ids": [before["id"]]}]
    assert flagged == {("appointment", "followup_2w")}
    item = (await results(desk, batch))[plan.plan["id"]]
    assert moved(item["result"])["followup_2w"] == ("2027-03-24", "2027-03-25")
    after = (await read(plan)).steps["followup_2w"]
    assert (after["status"], after["appointment"]) == ("booked", before["appointment"])
    assert plan.plan["breaches"] == []
    assert [done["type"] for done in (await plan.history())[-1]["changes"]] == ["book"]


async def test_an_appointment_on_a_day_that_cannot_be_waits_for_a_person(desk: Desk) -> None:
    plan = await with_an_evening(desk, "2027-03-26")

    batch = (await change(desk, **LONDON)).json()["batch"]
    await work(desk)
    flagged = broken(await read(plan))
    await change(desk, revision=2, time_zone="America/Denver")
    await work(desk)

    item = (await results(desk, batch))[plan.plan["id"]]
    named = {element["id"] for element in item["result"]["conflict"]["elements"]}
    assert (item["status"], named) == ("conflict", {"pin:followup_2w", "weekdays"})
    for option in item["result"]["options"]:
        assert (await plan.preview(**option["request"])).status_code == 200
    assert flagged == {("appointment", "followup_2w")}
    assert (await read(plan)).plan["breaches"] == []
    assert plan.days["followup_2w"] == "2027-03-26"


COUNTING: Data = {
    "format": 1,
    "key": "counting",
    "title": "A check some working days later",
    "anchor": "session",
    "steps": [
        {"key": "session", "kind": "procedure", "title": "Session"},
        {
            "key": "check",
            "kind": "visit",
            "title": "Check",
            "timings": [
                {
                    "relative_to": {"step": "session"},
                    "unit": "working_days",
                    "earliest": "P5D",
                    "target": "P5D",
                }
            ],
        },
    ],
}


async def test_a_closed_day_between_steps_counts_where_working_days_are_counted(
    desk: Desk,
) -> None:
    await have_protocol(desk, COUNTING)
    fields: Data = {"protocol": {"key": "counting"}, "parameters": ..., "laterality": ...}
    (plan,) = await plans_of(desk, 1, **fields)
    before = plan.days

    closure = (await close(desk, **{"from": "2027-03-12", "to": "2027-03-12"})).json()
    await work(desk)
    flagged = broken(await read(plan))
    found = await good(desk.api.get(f"{plan.url}/recheck"))
    opened = await desk.api.delete(f"/v1/closures/{closure['id']}")
    await work(desk)

    assert before["check"] == "2027-03-18"
    assert closure["batch"]["total"] == 1
    assert flagged == {("timing:check.earliest", "check")}
    assert moved(found) == {"check": ("2027-03-18", "2027-03-19")}
    assert opened.status_code == 202
    assert (await read(plan)).plan["breaches"] == []
    assert plan.days == before


def anytime(key: str, **fields: Any) -> Data:
    """A step that falls on Friday 12 March."""
    timing = {"relative_to": {"step": "session"}, "target": "P2D", "latest": "P9D"}
    return {"key": key, "kind": "call", "title": key, "timings": [timing], **fields}


AT_HOME: Data = {"minutes": 15, "modes": ["questionnaire"]}
ANY_DAY: Data = {
    **COUNTING,
    "key": "any-day",
    "steps": [
        COUNTING["steps"][0],
        anytime("desk_call"),
        anytime("own_call", any_day=True),
        anytime("answers", kind="assessment", appointment=AT_HOME),
        anytime("answers_here", kind="assessment", appointment=AT_HOME, any_day=False),
    ],
}


async def test_a_closed_day_touches_what_needs_an_open_one_by_its_protocol(desk: Desk) -> None:
    await have_protocol(desk, ANY_DAY)
    fields: Data = {"protocol": {"key": "any-day"}, "parameters": ..., "laterality": ...}
    (plan,) = await plans_of(desk, 1, **fields)
    added = {"relative_to": {"step": "session"}, "target": "P2D", "latest": "P9D"}
    await plan.change({"type": "add_step", "kind": "visit", "title": "Scan", "timing": added})
    (scan,) = (name for name in plan.steps if name.startswith("added_"))
    body = {"location_id": desk.location_id, **WORKS, "from": "2027-03-12", "to": "2027-03-12"}

    seen = await good(desk.api.post("/v1/closures/preview", json=body))
    await good(desk.api.post("/v1/closures", json=body))
    await work(desk)

    touched = {"desk_call", "answers_here", scan}
    assert set(seen["plans"][0]["step_ids"]) == {plan.id_of(name) for name in touched}
    before = plan.days
    days = (await read(plan)).days
    assert {name for name, day in days.items() if day != before[name]} == touched
