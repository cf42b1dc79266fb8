"""Calendar feeds over HTTP: made, read by their secret address, revoked."""

from datetime import date
from typing import Any

import pytest
from icalendar import Calendar

from tests.api.given_plans import Data, Desk, good, steps_of
from tests.client import Answer

NOWHERE = "00000000-0000-7000-8000-000000000000"


async def make(desk: Desk, **fields: Any) -> Data:
    """A feed that was just made."""
    return await good(desk.api.post("/v1/calendars", json=fields))


async def entries(desk: Desk, feed: Data) -> dict[str, Any]:
    """The feed's entries by the id of their steps."""
    answer = await desk.api.get(feed["path"])
    assert answer.status_code == 200, answer.text
    found = Calendar.from_ical(answer.content).walk("VEVENT")
    return {str(entry["UID"]).removesuffix("@regimen"): entry for entry in found}


async def change(desk: Desk, plan: Data, *changes: Data) -> Data:
    """The plan after changes, whatever its revision is."""
    path = f"/v1/plans/{plan['id']}"
    tag = (await desk.api.get(path)).headers["etag"]
    answer = await desk.api.post(
        f"{path}/changes", json={"changes": list(changes)}, headers={"If-Match": tag}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["plan"])


def days(found: dict[str, Any]) -> dict[str, tuple[date, date]]:
    """First day and the day after the last of all-day entries."""
    return {id_: (entry["DTSTART"].dt, entry["DTEND"].dt) for id_, entry in found.items()}


def refused(answer: Answer) -> tuple[int, str]:
    """Status and kind of a problem."""
    return answer.status_code, answer.json()["type"]


async def test_a_plans_feed_has_the_days_of_the_plan(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await make(desk, plan_id=plan["id"])

    found = days(await entries(desk, feed))

    assert {id_: first.isoformat() for id_, (first, _) in found.items()} == {
        step["id"]: step["date"] for step in plan["steps"]
    }
    for step in plan["steps"]:
        first, after = found[step["id"]]
        last = date.fromisoformat(step["end_date"] or step["date"])
        assert (after - last).days == 1
        assert first <= last


async def test_restrictions_and_rehabilitation_are_entries_over_days(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await make(desk, plan_id=plan["id"])

    found = await entries(desk, feed)

    free = found[steps_of(plan)["nsaid_free"]["id"]]
    assert (free["DTSTART"].dt, free["DTEND"].dt) == (date(2027, 2, 24), date(2027, 3, 25))
    assert str(free["SUMMARY"]) == "[sandbox] [example] Restriction"
    rehab = found[steps_of(plan)["protect"]["id"]]
    assert rehab["DTEND"].dt > rehab["DTSTART"].dt


async def test_what_hangs_on_a_decision_is_tentative(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await make(desk, plan_id=plan["id"])

    found = await entries(desk, feed)

    tentative = {id_ for id_, entry in found.items() if entry["STATUS"] == "TENTATIVE"}
    assert tentative == {step["id"] for step in plan["steps"] if step["tentative"]} != set()


async def test_a_booked_visit_has_its_times_in_the_zone_of_its_place(desk: Desk) -> None:
    plan = await desk.plan()
    session = steps_of(plan)["session"]["id"]
    feed = await make(desk, plan_id=plan["id"])
    booking = {
        "type": "book",
        "step_id": session,
        "starts_at": "2027-03-10T09:00:00-07:00",
        "ends_at": "2027-03-10T11:30:00-07:00",
    }
    await change(desk, plan, booking)

    entry = (await entries(desk, feed))[session]

    assert entry["DTSTART"].params["TZID"] == "America/Denver"
    assert entry["DTSTART"].dt.isoformat() == "2027-03-10T09:00:00-07:00"
    assert entry["DTEND"].dt.isoformat() == "2027-03-10T11:30:00-07:00"


async def test_a_moved_step_keeps_its_id_and_has_a_higher_sequence(desk: Desk) -> None:
    plan = await desk.plan()
    session = steps_of(plan)["session"]["id"]
    feed = await make(desk, plan_id=plan["id"])
    before = (await entries(desk, feed))[session]

    await change(desk, plan, {"type": "move_anchor", "to": "2027-03-17"})

    after = (await entries(desk, feed))[session]
    assert (before["DTSTART"].dt, after["DTSTART"].dt) == (date(2027, 3, 10), date(2027, 3, 17))
    assert after["SEQUENCE"] > before["SEQUENCE"]


async def of_any(desk: Desk, plan: Data, subject: str) -> Data:
    """A feed of the plan, or of its patient, location or practitioner."""
    ids = {
        "plan_id": plan["id"],
        "patient_id": desk.patient_id,
        "location_id": desk.location_id,
        "practitioner": plan["practitioner"],
    }
    return await make(desk, **{subject: ids[subject]})


WORKING = ["location_id", "practitioner"]
SUBJECTS = ["plan_id", "patient_id", *WORKING]


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_what_is_called_off_stays_as_cancelled_where_it_stood(
    desk: Desk, subject: str
) -> None:
    plan = await desk.plan(practitioner=f"Dr {desk.patient_id}")
    steps = steps_of(plan)
    feed = await of_any(desk, plan, subject)
    before = await entries(desk, feed)
    await change(desk, plan, {"type": "skip", "step_id": steps["followup_2w"]["id"]})
    await change(desk, plan, {"type": "set_parameter", "key": "primer_count", "value": 1})
    await change(desk, plan, {"type": "cancel", "step_id": steps["consult"]["id"]})

    found = await entries(desk, feed)

    for name in ("followup_2w", "primer/2", "consult"):
        entry = found[steps[name]["id"]]
        assert entry["STATUS"] == "CANCELLED"
        assert entry["DTSTART"].dt.isoformat() == steps[name]["date"]
        assert entry["SEQUENCE"] > before[steps[name]["id"]]["SEQUENCE"]
        assert entry["SUMMARY"] == before[steps[name]["id"]]["SUMMARY"]
    assert found[steps["session"]["id"]]["STATUS"] == "CONFIRMED"


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_postponed_plan_is_cancelled_until_it_has_days_again(
    desk: Desk, subject: str
) -> None:
    plan = await desk.plan(practitioner=f"Dr {desk.patient_id}")
    session = steps_of(plan)["session"]["id"]
    feed = await of_any(desk, plan, subject)

    for day in (None, "2027-03-24", None, "2027-03-10", None):
        await change(desk, plan, {"type": "move_anchor", "to": day})
    postponed = (await entries(desk, feed))[session]
    await change(desk, plan, {"type": "move_anchor", "to": "2027-04-07"})
    again = (await entries(desk, feed))[session]

    assert (postponed["STATUS"], postponed["DTSTART"].dt) == ("CANCELLED", date(2027, 3, 10))
    assert (again["STATUS"], again["DTSTART"].dt) == ("CONFIRMED", date(2027, 4, 7))
    assert again["SEQUENCE"] > postponed["SEQUENCE"]


async def test_a_revoked_plan_is_cancelled(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await make(desk, patient_id=desk.patient_id)

    await change(desk, plan, {"type": "revoke"})

    assert {str(entry["STATUS"]) for entry in (await entries(desk, feed)).values()} == {"CANCELLED"}


async def test_a_patients_feed_has_all_plans_but_drafts(desk: Desk) -> None:
    plan = await desk.plan(practitioner="Dr Feed")
    draft = await desk.plan(
        status="draft",
        protocol={"key": "series"},
        anchor=...,
        laterality=...,
        parameters=...,
        plan_start="2027-05-04",
    )
    feed = await make(desk, patient_id=desk.patient_id)
    of_draft = await make(desk, plan_id=draft["id"])

    found = await entries(desk, feed)

    assert found.keys() == {step["id"] for step in plan["steps"]}
    assert {str(entry["STATUS"]) for entry in (await entries(desk, of_draft)).values()} == {
        "TENTATIVE"
    }


@pytest.mark.parametrize("subject", WORKING)
async def test_a_completed_plan_leaves_what_was_performed(desk: Desk, subject: str) -> None:
    plan = await desk.plan(practitioner=f"Dr {desk.patient_id}")
    first, session = (steps_of(plan)[name]["id"] for name in ("primer/2", "session"))
    feed = await of_any(desk, plan, subject)
    await desk.at("2027-02-17T12:00:00-07:00")
    await change(desk, plan, {"type": "perform", "step_id": first, "on": "2027-02-02"})
    before = await entries(desk, feed)

    await change(desk, plan, {"type": "complete"})

    after = await entries(desk, feed)
    assert after.keys() == before.keys()
    firm = {id_ for id_, entry in after.items() if entry["STATUS"] == "CONFIRMED"}
    assert firm == {first}
    assert after[first]["DTSTART"].dt == date(2027, 2, 2)
    assert after[session]["STATUS"] == "CANCELLED"


async def test_nothing_is_kept_of_where_an_erased_patients_steps_stood(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await make(desk, location_id=desk.location_id)
    await change(desk, plan, {"type": "move_anchor", "to": None})
    before = await entries(desk, feed)

    await good(desk.api.post(f"/v1/patients/{desk.patient_id}/erase"))

    assert steps_of(plan)["session"]["id"] in before
    assert await entries(desk, feed) == {}


@pytest.mark.parametrize("subject", WORKING)
async def test_a_desks_feed_has_what_is_worked_on_there(desk: Desk, subject: str) -> None:
    elsewhere = await desk.location(name="East")
    plan = await desk.plan(practitioner=f"Dr {desk.patient_id}")
    await desk.plan(
        patient={"id": await desk.patient()}, location_id=elsewhere, practitioner="Dr Other"
    )
    feed = await of_any(desk, plan, subject)

    before = await entries(desk, feed)
    await change(desk, plan, {"type": "revoke"})
    after = await entries(desk, feed)

    worked_on = {step["id"] for step in plan["steps"] if step["kind"] != "restriction"}
    within = {step["id"] for step in plan["steps"] if step["date"] <= "2028-02-08"}
    assert before.keys() == worked_on & within
    assert after.keys() == before.keys()
    assert {str(entry["STATUS"]) for entry in after.values()} == {"CANCELLED"}


async def test_titles_tell_no_diagnosis_unless_asked(desk: Desk) -> None:
    plan = await desk.plan(condition="Osteoarthritis of the ankle")
    plain = await desk.api.get((await make(desk, plan_id=plan["id"]))["path"])
    titled = await make(desk, plan_id=plan["id"], titles="steps", title="Ankle")

    found = await entries(desk, titled)

    for told in ("steoarthritis", "ankle", "Stem cell", "PRP", "prolotherapy"):
        assert told not in plain.text
    session = found[steps_of(plan)["session"]["id"]]
    assert str(session["SUMMARY"]).startswith("[sandbox] [example] Stem cell / PRP session")


async def test_a_feed_is_read_again_only_when_it_changed(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await make(desk, plan_id=plan["id"])

    first = await desk.api.get(feed["path"])
    tag = {"If-None-Match": first.headers["etag"]}
    same = await desk.api.get(feed["path"], headers=tag)
    await change(desk, plan, {"type": "move_anchor", "to": "2027-03-17"})
    other = await desk.api.get(feed["path"], headers=tag)

    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    assert first.headers["cache-control"] == "private, no-cache"
    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200


async def test_a_feed_is_listed_and_read_without_its_address(desk: Desk) -> None:
    made = await make(desk, patient_id=desk.patient_id, title="Mine")
    path = made.pop("path")

    found = await good(desk.api.get(f"/v1/calendars/{made['id']}"))
    first = await good(desk.api.get("/v1/calendars", params={"limit": 1}))

    assert found == made
    assert len(first["items"]) == 1
    assert path.split("/")[2].removesuffix(".ics") not in str(first)


async def test_a_revoked_feed_shows_nothing(desk: Desk) -> None:
    feed = await make(desk, patient_id=desk.patient_id)

    answer = await desk.api.delete(f"/v1/calendars/{feed['id']}")

    assert answer.status_code == 204
    gone = ("GET", feed["path"]), ("GET", f"/v1/calendars/{feed['id']}")
    for method, path in (*gone, ("DELETE", f"/v1/calendars/{feed['id']}")):
        assert refused(await desk.api.request(method, path)) == (404, "calendar-not-found")


@pytest.mark.parametrize("spoil", ["", "x", "AAAA", "ü", "%00", "A" * 54, "A" * 4000])
async def test_an_address_that_was_never_given_out_shows_nothing(desk: Desk, spoil: str) -> None:
    answer = await desk.api.get(f"/calendars/{spoil}.ics")

    assert answer.status_code == 404


async def test_nearly_the_right_address_shows_nothing(desk: Desk) -> None:
    feed = await make(desk, patient_id=desk.patient_id)
    token = feed["path"].split("/")[2].removesuffix(".ics")

    for near in (token[:-2] + "AA", token + "=", token.swapcase()):
        assert refused(await desk.api.get(f"/calendars/{near}.ics")) == (404, "calendar-not-found")


@pytest.mark.parametrize(
    "field, problem",
    [
        ("plan_id", "plan-not-found"),
        ("patient_id", "patient-not-found"),
        ("location_id", "location-not-found"),
    ],
)
async def test_a_feed_of_nothing_is_refused(desk: Desk, field: str, problem: str) -> None:
    assert refused(await desk.api.post("/v1/calendars", json={field: NOWHERE})) == (404, problem)


@pytest.mark.parametrize(
    "subjects", [[], ["patient_id", "practitioner"], ["plan_id", "location_id"]]
)
async def test_a_feed_is_of_exactly_one_thing(desk: Desk, subjects: list[str]) -> None:
    answer = await desk.api.post("/v1/calendars", json=dict.fromkeys(subjects, NOWHERE))

    assert answer.status_code == 422
    assert [fault["code"] for fault in answer.json()["errors"]] == ["not-of-one-thing"]


async def test_feeds_of_an_erased_patient_are_revoked(desk: Desk) -> None:
    plan = await desk.plan()
    feeds = [await make(desk, patient_id=desk.patient_id), await make(desk, plan_id=plan["id"])]

    await good(desk.api.post(f"/v1/patients/{desk.patient_id}/erase"))

    for feed in feeds:
        assert refused(await desk.api.get(feed["path"])) == (404, "calendar-not-found")
    again = await desk.api.post("/v1/calendars", json={"patient_id": desk.patient_id})
    assert refused(again) == (409, "patient-erased")


async def test_the_feed_of_a_merged_patient_shows_who_lives_on(desk: Desk) -> None:
    plan = await desk.plan()
    other = await desk.patient()
    feed = await make(desk, patient_id=desk.patient_id)

    await good(desk.api.post(f"/v1/patients/{desk.patient_id}/merge", json={"into": other}))

    assert (await entries(desk, feed)).keys() == {step["id"] for step in plan["steps"]}
