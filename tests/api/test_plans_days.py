"""Which days a planned step could have, at what cost, and why not another."""

import pytest

from tests.api.given_plans import Data, Desk, faults_of, good, steps_of
from tests.client import Answer


async def days(desk: Desk, plan: Data, step: str, first: str, until: str) -> Answer:
    """The answer to: which days could this step have?"""
    address = f"/v1/plans/{plan['id']}/steps/{steps_of(plan)[step]['id']}/days"
    return await desk.api.get(address, params={"from": first, "until": until})


async def day(desk: Desk, plan: Data, step: str, on: str) -> Answer:
    """The answer to: why, or why not, this day?"""
    address = f"/v1/plans/{plan['id']}/steps/{steps_of(plan)[step]['id']}/days/{on}"
    return await desk.api.get(address)


async def elements(desk: Desk, plan: Data, step: str, on: str) -> dict[str, str]:
    """What forbids a day, in words."""
    judged = await good(day(desk, plan, step, on))
    assert judged.keys() == {"bookable", "conflict"}
    assert judged["bookable"] is False
    return {element["id"]: element["text"] for element in judged["conflict"]["elements"]}


async def test_the_bookable_days_are_those_of_the_window_on_which_all_else_can_follow(
    desk: Desk,
) -> None:
    plan = await desk.plan()

    found = (await good(days(desk, plan, "primer/1", "2027-02-01", "2027-02-28")))["days"]

    assert [entry["date"][-2:] for entry in found] == [
        *("03", "04", "05", "09", "10", "11", "12", "16", "17", "18", "19", "23", "24")
    ]
    cheapest = min(found, key=lambda entry: entry["cost"])
    assert (cheapest["date"], cheapest["moves"]) == ("2027-02-17", [])


async def test_a_day_says_what_else_would_move_and_why(desk: Desk) -> None:
    plan = await desk.plan()

    found = (await good(days(desk, plan, "primer/1", "2027-02-09", "2027-02-09")))["days"]

    assert found[0]["moves"] == [
        {
            "step_id": steps_of(plan)["primer/2"]["id"],
            "step": "primer/2",
            "from": "2027-01-27",
            "to": "2027-01-19",
            "reasons": [{"code": "on_target", "text": "21 days before primer 2 on Tue 2027-02-09"}],
        }
    ]


async def test_every_bookable_day_is_confirmed_alone_and_every_other_refused(desk: Desk) -> None:
    plan = await desk.plan(unavailable=[{"from": "2027-02-10", "to": "2027-02-11"}])
    listed = (await good(days(desk, plan, "primer/1", "2027-02-01", "2027-02-26")))["days"]
    bookable = {entry["date"] for entry in listed}

    for number in range(1, 27):
        on = f"2027-02-{number:02}"
        judged = await good(day(desk, plan, "primer/1", on))
        assert judged["bookable"] == (on in bookable), on


@pytest.mark.parametrize(
    "first, until, status",
    [
        pytest.param("2027-03-01", "2027-06-28", 200, id="120 days"),
        pytest.param("2027-03-01", "2027-06-29", 422, id="121 days"),
        pytest.param("2027-03-01", "2027-03-01", 200, id="one day"),
        pytest.param("2027-03-02", "2027-03-01", 422, id="backwards"),
        pytest.param("1900-01-01", "2200-12-31", 422, id="all days there are"),
    ],
)
async def test_a_range_has_up_to_120_days(desk: Desk, first: str, until: str, status: int) -> None:
    plan = await desk.plan()

    answer = await days(desk, plan, "booster", first, until)

    assert answer.status_code == status
    assert status == 200 or answer.json()["type"] == "range-not-allowed"


@pytest.mark.parametrize(
    "params, pointers",
    [
        pytest.param({}, {"from": "missing", "until": "missing"}, id="no range"),
        pytest.param({"from": "2027-02-30", "until": "x"}, {"from": "not-a-day"}, id="no day"),
        pytest.param(
            {"from": "1899-12-31", "until": "2201-01-01"}, {"from": "day-out-of-range"}, id="far"
        ),
        pytest.param(
            {"from": "2027-02-01", "until": "2027-02-02", "to": "2027-02-03"},
            {"to": "unknown-parameter"},
            id="an unknown parameter",
        ),
    ],
)
async def test_a_faulty_range_is_refused(desk: Desk, params: Data, pointers: Data) -> None:
    plan = await desk.plan()
    step = steps_of(plan)["session"]["id"]

    answer = await desk.api.get(f"/v1/plans/{plan['id']}/steps/{step}/days", params=params)

    assert answer.status_code == 422
    assert pointers.items() <= faults_of(answer.json()).items()


@pytest.mark.parametrize("on", ["2027-02-30", "tomorrow", "1899-12-31", "2201-01-01", "%00"])
async def test_a_day_that_is_none_is_refused(desk: Desk, on: str) -> None:
    plan = await desk.plan()

    answer = await day(desk, plan, "session", on)

    assert (answer.status_code, [*faults_of(answer.json())]) == (422, ["day"])


async def test_the_day_a_step_has_is_explained(desk: Desk) -> None:
    plan = await desk.plan()

    judged = await good(day(desk, plan, "session", "2027-03-10"))

    assert judged == {
        "bookable": True,
        "reasons": [{"code": "asked", "text": "Wed 2027-03-10 was asked for"}],
        "moves": [],
    }


async def test_the_day_which_nobody_chose_has_the_reasons_for_which_it_was_given(
    desk: Desk,
) -> None:
    plan = await desk.plan(unavailable=[{"from": "2027-02-10", "to": "2027-02-20"}])
    primer = steps_of(plan)["primer/1"]

    judged = await good(day(desk, plan, "primer/1", primer["date"]))

    assert [reason["code"] for reason in primer["reasons"]] == ["target", "unavailable", "nearest"]
    assert judged == {"bookable": True, "reasons": primer["reasons"], "moves": []}


async def test_a_day_that_was_only_asked_about_was_chosen_by_nobody(desk: Desk) -> None:
    plan = await desk.plan()

    judged = await good(day(desk, plan, "primer/1", "2027-02-16"))

    texts = [reason["text"] for reason in judged["reasons"]]
    assert texts == ["Tue 2027-02-16 was asked for", "1 day before its target Wed 2027-02-17"]


async def test_moving_the_anchor_shows_what_would_follow_it(desk: Desk) -> None:
    plan = await desk.plan()

    judged = await good(day(desk, plan, "session", "2027-03-11"))

    assert judged["bookable"] is True
    assert {move["step"]: move["to"] for move in judged["moves"]} == {
        "nsaid_free": "2027-02-25",
        "call_day3": "2027-03-16",
        "protect": "2027-03-11",
        "loading_phase": "2027-04-01",
    }


async def test_why_not_a_closed_weekday(desk: Desk) -> None:
    plan = await desk.plan()

    assert await elements(desk, plan, "primer/1", "2027-02-21") == {
        "pin:primer/1": "primer 2 is asked for on Sun 2027-02-21",
        "weekdays": "the location is closed on Mondays, Saturdays, Sundays",
    }


async def test_why_not_a_closed_day(desk: Desk) -> None:
    plan = await desk.plan()
    await desk.closure("2027-02-18", "2027-02-19", title="Renovation", key="renovation")

    assert await elements(desk, plan, "primer/1", "2027-02-18") == {
        "pin:primer/1": "primer 2 is asked for on Thu 2027-02-18",
        "closure:renovation": (
            "the location is closed from Thu 2027-02-18 to Fri 2027-02-19 (Renovation)"
        ),
    }


async def test_why_not_a_day_on_which_the_patient_is_away(desk: Desk) -> None:
    plan = await desk.plan()
    absence = await good(
        desk.api.post(
            f"/v1/patients/{desk.patient_id}/unavailability",
            json={"from": "2027-02-18", "to": "2027-02-19"},
        )
    )

    assert await elements(desk, plan, "primer/1", "2027-02-18") == {
        "pin:primer/1": "primer 2 is asked for on Thu 2027-02-18",
        f"unavailable:{absence['id']}": (
            "the patient is away from Thu 2027-02-18 to Fri 2027-02-19"
        ),
    }


async def test_why_not_a_day_beyond_the_window(desk: Desk) -> None:
    plan = await desk.plan()

    assert await elements(desk, plan, "primer/1", "2027-03-02") == {
        "pin:primer/1": "primer 2 is asked for on Tue 2027-03-02",
        "anchor:session": "session is asked for on Wed 2027-03-10",
        "timing:primer/1.latest": "primer 2 is at least 14 days before session",
    }


async def test_why_not_a_day_that_has_passed(desk: Desk) -> None:
    plan = await desk.plan()
    await desk.at("2027-02-12T09:00:00-07:00")

    assert await elements(desk, plan, "primer/1", "2027-02-11") == {
        "pin:primer/1": "primer 2 is asked for on Thu 2027-02-11",
        "as_of": "today is Fri 2027-02-12",
    }


async def test_why_not_a_day_too_near_another_plans_injection(desk: Desk) -> None:
    few = {"primer_count": 0, "booster_timing": "none", "orthotics": "declined"}
    other = await desk.plan(anchor={"date": "2027-02-09"}, parameters=few)
    plan = await desk.plan(anchor={"date": "2027-03-31"}, parameters=few)

    found = await elements(desk, plan, "session", "2027-02-18")

    assert found.keys() == {
        "anchor:session",
        "rule:injection-gap",
        f"other:{other['id']}/session",
    }
    assert found[f"other:{other['id']}/session"] == "session of another plan is on Tue 2027-02-09"


async def test_why_not_a_day_too_soon_after_a_steroid_shot(desk: Desk) -> None:
    plan = await desk.plan()
    event = await desk.report(agent="corticosteroid_injection", on="2027-01-04")

    assert await elements(desk, plan, "primer/2", "2027-01-29") == {
        "pin:primer/2": "primer 1 is asked for on Fri 2027-01-29",
        "rule:steroid-before-session": (
            "no corticosteroid injection within 28 days before (rule steroid-before-session)"
        ),
        f"event:{event['id']}": "corticosteroid injection was given on Mon 2027-01-04",
    }


async def test_once_what_forbade_a_day_is_gone_the_day_would_do(desk: Desk) -> None:
    plan = await desk.plan()
    closure = await desk.closure("2027-02-18", "2027-02-18")
    refused = await good(day(desk, plan, "primer/1", "2027-02-18"))

    await desk.api.delete(f"/v1/closures/{closure['id']}")

    taken = await good(day(desk, plan, "primer/1", "2027-02-18"))
    assert (refused["bookable"], taken["bookable"]) == (False, True)


async def test_no_day_is_looked_for_a_step_that_was_done(desk: Desk) -> None:
    done = {"type": "perform", "step": "consult", "on": "2026-12-10"}
    plan = await desk.plan(changes=[done])

    answers: list[Answer] = [
        await days(desk, plan, "consult", "2027-01-05", "2027-01-31"),
        await day(desk, plan, "consult", "2027-01-13"),
    ]

    assert [(a.status_code, a.json()["type"]) for a in answers] == [(409, "step-not-movable")] * 2
    assert answers[0].json()["detail"] == "step 'consult' is performed"


@pytest.mark.parametrize("step", ["session", "primer/1", "booster", "call_day3"])
async def test_a_step_without_a_day_has_days_to_which_it_can_be_moved(
    desk: Desk, step: str
) -> None:
    plan = await desk.plan()
    changes = f"/v1/plans/{plan['id']}/changes"
    postponed = {"changes": [{"type": "move_anchor", "to": None}]}
    await good(desk.api.post(changes, json=postponed, headers={"if-match": '"1"'}))

    listed = (await good(days(desk, plan, step, "2027-02-01", "2027-02-12")))["days"]

    bookable = {entry["date"] for entry in listed}
    assert bookable
    for on in ("2027-02-05", "2027-02-06", "2027-02-09"):
        moved = {"changes": [{"type": "move", "step": step, "to": on}]}
        tried = await desk.api.post(f"{changes}/preview", json=moved)
        judged = await good(day(desk, plan, step, on))
        assert (tried.status_code == 200) is judged["bookable"] is (on in bookable), on
