"""Changes of single planned steps: each previewed as it is applied, facts given, choices kept."""

import pytest

from tests.api.given_changes import did, hours, living, moved
from tests.api.given_plans import Data, Desk, good


async def test_a_step_done_late_takes_what_hangs_on_it_along_but_keeps_near_promises(
    desk: Desk,
) -> None:
    plan = await living(desk)
    before = plan.days
    await plan.on("2027-02-05")

    answer = await plan.change(*did(consult="2027-01-13", primer__2="2027-02-05"))

    primer = plan.steps["primer/2"]
    assert (primer["status"], primer["date"], primer["window_state"]) == (
        "performed",
        "2027-02-05",
        "in_window",
    )
    assert moved(answer) == {}
    assert plan.days == {**before, "primer/2": "2027-02-05"}
    assert plan.plan["revision"] == 2


@pytest.mark.parametrize(
    "done, moves",
    [
        pytest.param("2027-02-10", {}, id="a week late: near enough to its new target"),
        pytest.param(
            "2027-02-12",
            {
                "orthotic_fitting": ("2027-02-24", "2027-03-05"),
                "orthotic_check": ("2027-03-17", "2027-03-26"),
            },
            id="nine days late: the targets have drifted away",
        ),
    ],
)
async def test_a_day_given_out_moves_when_its_target_has_drifted_too_far(
    desk: Desk, done: str, moves: dict[str, tuple[str, str]]
) -> None:
    plan = await living(desk)
    await plan.on("2027-02-12")

    answer = await plan.change(*did(consult="2027-01-13", orthotic_impression=done))

    assert moved(answer) == moves
    assert plan.days["orthotic_impression"] == done


async def test_a_step_is_named_by_its_id_or_by_its_occurrence(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-01-13")
    step_id = plan.id_of("consult")

    by_id = await good(plan.preview({"type": "perform", "step_id": step_id, "on": "2027-01-13"}))
    by_name = await good(plan.preview({"type": "perform", "step": "consult", "on": "2027-01-13"}))

    assert by_id == by_name
    assert by_id["plan"]["steps"][0]["id"] == step_id


@pytest.mark.parametrize(
    "at, local",
    [
        pytest.param("2027-01-14T06:59:59Z", "2027-01-13", id="a second before local midnight"),
        pytest.param("2027-01-14T07:00:00Z", "2027-01-14", id="local midnight"),
        pytest.param("2027-01-14T20:30:00+14:00", "2027-01-13", id="said far in the east"),
    ],
)
async def test_an_instant_is_a_day_of_the_location(desk: Desk, at: str, local: str) -> None:
    plan = await living(desk)
    await plan.on("2027-01-14")

    await plan.change({"type": "perform", "step": "consult", "at": at})

    assert plan.days["consult"] == local


async def test_what_is_said_of_a_step_is_kept_in_the_history(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-01-13")
    change = {
        "type": "perform",
        "step": "consult",
        "on": "2027-01-13",
        "findings": ["ready"],
        "note": "all is well\nno questions",
    }

    await plan.change(change, reason="seen today")

    last = (await plan.history())[-1]
    assert last["reason"] == "seen today"
    assert [{k: v for k, v in c.items() if k != "id"} for c in last["changes"]] == [change]


async def test_what_was_performed_never_moves_whatever_is_changed(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13", primer__2="2027-02-02"))

    def done() -> list[Data]:
        kept = ("id", "status", "date", "title", "window_state")
        steps = (plan.steps[name] for name in ("consult", "primer/2"))
        return [{key: step[key] for key in kept} for step in steps]

    before = done()

    for changes in (
        [{"type": "move_anchor", "to": "2027-03-19"}],
        [{"type": "move_anchor", "to": None}],
        [{"type": "move_anchor", "to": "2027-03-12"}],
        [{"type": "set_parameter", "key": "booster_timing", "value": "eight_weeks"}],
        [{"type": "set_parameter", "key": "primer_count", "value": 1}],
        [{"type": "unavailable", "from": "2027-03-08", "to": "2027-03-11"}],
    ):
        await plan.change(*changes)
        assert done() == before


async def test_a_step_missed_is_proposed_for_the_next_day_that_works(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-03")

    answer = await plan.change({"type": "miss", "step": "primer/2"})

    primer = plan.steps["primer/2"]
    assert (primer["status"], primer["date"]) == ("missed", "2027-02-03")
    assert primer["reasons"][0] == {
        "code": "missed",
        "text": "missed on 2027-02-02; this day is proposed instead",
    }
    assert primer["missed"] == ["2027-02-02"]
    assert moved(answer)["primer/2"] == ("2027-02-02", "2027-02-03")
    assert {"missed"} == {
        item["code"] for item in plan.plan["needs_attention"] if item.get("step_id") == primer["id"]
    }


async def test_every_miss_counts_also_when_the_step_has_another_day(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-02")
    await plan.change({"type": "miss", "step": "primer/2", "on": "2027-02-02"})
    await plan.change({"type": "move", "step": "primer/2", "to": "2027-02-03"})
    assert plan.steps["primer/2"]["status"] == "planned"
    await plan.on("2027-02-04")

    await plan.change({"type": "miss", "step": "primer/2", "on": "2027-02-03"})

    primer = plan.steps["primer/2"]
    assert (primer["status"], primer["missed"]) == ("missed", ["2027-02-02", "2027-02-03"])
    await plan.change({"type": "book", "step": "primer/2", **hours("2027-02-05")})
    assert plan.steps["primer/2"]["status"] == "booked"
    await plan.on("2027-02-05")
    await plan.change(*did(primer__2="2027-02-05"))
    assert plan.steps["primer/2"]["missed"] == ["2027-02-02", "2027-02-03"]
    assert plan.steps["primer/2"]["status"] == "performed"


async def test_a_missed_step_nobody_cares_for_never_stands_in_the_way(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-02")
    await plan.change({"type": "miss", "step": "primer/2"})
    proposed = plan.days["primer/2"]
    await plan.on("2027-02-19")

    await plan.change(*did(consult="2027-01-13"))

    assert (plan.days["primer/2"], plan.steps["primer/2"]["status"]) == (proposed, "missed")


async def test_a_missed_session_waits_for_the_next_day_that_works(desk: Desk) -> None:
    plan = await living(desk, parameters={"primer_count": 0, "orthotics": "declined"})
    await plan.on("2027-03-10")
    await plan.change(*did(consult="2027-01-13", pre_check="2027-03-05"))

    await plan.change({"type": "miss", "step": "session"})

    assert (plan.days["session"], plan.steps["session"]["status"]) == ("2027-03-11", "missed")
    await plan.change({"type": "move_anchor", "to": "2027-03-12"})
    assert (plan.days["session"], plan.steps["session"]["status"]) == ("2027-03-12", "planned")


async def test_a_booking_gives_the_step_its_day_and_is_shown(desk: Desk) -> None:
    plan = await living(desk)
    booking = hours("2027-02-24", identifier="appointment-7", mode="in_person")

    await plan.change({"type": "book", "step": "primer/1", **booking})

    primer = plan.steps["primer/1"]
    assert (primer["status"], primer["date"]) == ("booked", "2027-02-24")
    assert primer["appointment"] == {
        "starts_at": "2027-02-24T16:00:00Z",
        "ends_at": "2027-02-24T18:00:00Z",
        "identifier": "appointment-7",
        "mode": "in_person",
        "status": "booked",
    }
    await plan.change({"type": "unbook", "step": "primer/1"})
    primer = plan.steps["primer/1"]
    assert (primer["status"], primer["date"], primer["appointment"]) == (
        "planned",
        "2027-02-24",
        None,
    )


async def test_a_booked_visit_keeps_its_booking_when_it_is_done(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "book", "step": "consult", **hours("2027-01-13")})
    await plan.on("2027-01-13")

    await plan.change(*did(consult="2027-01-13"))

    assert plan.steps["consult"]["status"] == "performed"
    assert plan.steps["consult"]["appointment"]["starts_at"] == "2027-01-13T16:00:00Z"


async def test_a_moved_visit_loses_its_booking_for_good(desk: Desk) -> None:
    plan = await living(desk)
    day = plan.days["followup_2w"]
    assert day is not None
    await plan.change({"type": "book", "step": "followup_2w", **hours(day)})

    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    assert plan.steps["followup_2w"]["status"] == "planned"
    await plan.change({"type": "move_anchor", "to": "2027-03-10"})

    step = plan.steps["followup_2w"]
    assert (step["date"], step["status"], step["appointment"]) == (day, "planned", None)


async def test_the_day_of_the_session_is_moved_pinned_or_booked_like_any_other(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13", primer__2="2027-02-02"))

    for change in (
        {"type": "move", "step": "session", "to": "2027-03-11"},
        {"type": "pin", "step": "session", "to": "2027-03-12"},
        {"type": "book", "step": "session", **hours("2027-03-16")},
    ):
        await plan.change(change)
        day = str(change.get("to") or change["starts_at"])[:10]
        assert plan.plan["anchor"] == {"step": "session", "date": day}
        assert plan.days["session"] == day
        assert plan.steps["protect"]["date"] == day


async def test_a_moved_step_stays_there_a_pinned_one_refuses_to_go(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "move", "step": "followup_2w", "to": "2027-03-26"})
    assert plan.steps["followup_2w"]["reasons"][0]["code"] == "pinned"

    answer = await plan.change({"type": "move_anchor", "to": "2027-03-12"})
    assert "followup_2w" not in moved(answer)
    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    assert plan.days["followup_2w"] == "2027-04-02"

    await plan.change({"type": "pin", "step": "followup_2w", "to": "2027-04-02"})
    problem = await plan.conflict({"type": "move_anchor", "to": "2027-04-02"})
    assert "pin:followup_2w" in {e["id"] for e in problem["conflict"]["elements"]}
    await plan.change({"type": "unpin", "step": "followup_2w"})
    await plan.change({"type": "move_anchor", "to": "2027-03-26"})
    assert plan.days["followup_2w"] == "2027-04-09"


async def test_a_skipped_or_cancelled_step_is_shown_without_a_day_and_can_be_restored(
    desk: Desk,
) -> None:
    plan = await living(desk)
    first = plan.steps["primer/1"]

    for type_, status in (("skip", "skipped"), ("cancel", "cancelled")):
        await plan.change({"type": type_, "step": "primer/1"})
        gone = plan.steps["primer/1"]
        assert (gone["status"], gone["date"], gone["window"], gone["window_state"]) == (
            status,
            None,
            None,
            None,
        )
        assert (gone["id"], gone["allowed_changes"]) == (first["id"], ["restore"])
        # The chain runs from the nearest one not skipped.
        assert plan.days["primer/2"] == "2027-02-23"
        await plan.change({"type": "restore", "step": "primer/1"})
        back = plan.steps["primer/1"]
        assert (back["id"], back["status"], back["date"]) == (first["id"], "planned", first["date"])


async def test_what_was_left_out_when_the_plan_was_made_can_be_restored(desk: Desk) -> None:
    plan = await living(desk, changes=[{"type": "skip", "step": "orthotic_check"}])
    assert plan.steps["orthotic_check"]["status"] == "skipped"
    step_id = plan.id_of("orthotic_check")

    await plan.change({"type": "restore", "step": "orthotic_check"})

    check = plan.steps["orthotic_check"]
    assert (check["id"], check["status"], check["date"]) == (step_id, "planned", "2027-03-17")


async def test_a_step_can_be_added_to_one_plan(desk: Desk) -> None:
    plan = await living(desk)
    scan = {
        "type": "add_step",
        "title": "Ultrasound of the ankle",
        "kind": "visit",
        "timing": {"relative_to": {"step": "session"}, "earliest": "P1D", "target": "P7D"},
    }

    answer = await plan.change(scan)

    (added,) = (step for step in plan.plan["steps"] if step["title"] == scan["title"])
    assert answer["added"] == [added["id"]]
    assert (added["kind"], added["status"], added["date"]) == ("visit", "planned", "2027-03-17")
    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    assert plan.days[added["key"]] == "2027-03-26"
    await plan.change({"type": "skip", "step_id": added["id"]})
    assert plan.steps[added["key"]]["status"] == "skipped"


async def test_several_changes_are_one_revision(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")

    await plan.change(
        *did(consult="2027-01-13", primer__2="2027-02-02", orthotic_impression="2027-02-03"),
        {"type": "move_anchor", "to": "2027-03-19"},
        {"type": "pin", "step": "primer/1", "to": "2027-02-26"},
    )

    assert plan.plan["revision"] == 2
    assert len((await plan.history())[-1]["changes"]) == 5
    assert plan.days["primer/1"] == "2027-02-26"


async def test_a_step_whose_day_has_passed_stays_until_a_person_acts(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "pin", "step": "orthotic_impression", "to": "2027-02-04"})
    await plan.on("2027-02-26")
    assert plan.steps["consult"]["window_state"] == "overdue"
    assert plan.steps["session"]["window_state"] == "upcoming"

    await plan.change(*did(primer__2="2027-02-02"), reason="only this is known")

    assert plan.steps["consult"]["date"] == "2027-01-13"
    assert plan.steps["primer/1"]["date"] == "2027-02-23"
    assert plan.steps["orthotic_impression"]["date"] == "2027-02-04"
    assert plan.steps["primer/1"]["reasons"][0]["code"] == "held"
    await plan.on("2027-03-12")
    await plan.change({"type": "report", "agent": "paracetamol", "on": "2027-03-11"})
    assert plan.days["session"] == "2027-03-10"
