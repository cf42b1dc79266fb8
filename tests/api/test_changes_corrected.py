"""What was entered in error is taken back: the plan is what it would be without it."""

from tests.api.given_changes import DONE, did, hours, living, living_until_april, moved
from tests.api.given_plans import Data, Desk, faults_of


def correct(change_id: str) -> Data:
    """Take a change back."""
    return {"type": "correct", "change_id": change_id}


async def test_taking_back_the_last_change_gives_the_days_back(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13", primer__2="2027-02-02"))
    before = plan.plan
    changed = await plan.change({"type": "move_anchor", "to": "2027-03-19"})

    answer = await plan.change(correct(await plan.last_change()), reason="wrong patient")

    apart = {"revision", "updated_at"}
    assert {k: v for k, v in plan.plan.items() if k not in apart} == {
        k: v for k, v in before.items() if k not in apart
    }
    assert moved(answer) == {step: (to, was) for step, (was, to) in moved(changed).items()}
    last = (await plan.history())[-1]
    assert (last["changes"], len(last["corrects"])) == ([], 1)


async def test_taking_back_all_of_the_last_post_is_taking_it_back(desk: Desk) -> None:
    plan = await living(desk)
    before = plan.days
    await plan.change(
        {"type": "move_anchor", "to": "2027-04-07"},
        {"type": "set_parameter", "key": "primer_count", "value": 3},
        {"type": "skip", "step": "orthotic_check"},
    )
    changes = (await plan.history())[-1]["changes"]

    await plan.change(*(correct(change["id"]) for change in changes))

    assert plan.days == before


async def test_steps_that_come_back_with_what_is_taken_back_are_the_same_ones(desk: Desk) -> None:
    plan = await living(desk)
    before = plan.plan["steps"]
    answer = await plan.change({"type": "set_parameter", "key": "primer_count", "value": 0})
    gone = {removed["step_id"] for removed in answer["removed"]}

    again = await plan.change(correct(await plan.last_change()))

    assert set(again["added"]) == gone
    assert plan.plan["steps"] == before


async def test_a_fact_in_the_middle_is_taken_back_and_later_ones_stay(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13"))
    wrong = await plan.last_change()
    await plan.change(*did(primer__2="2027-02-02"))
    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    before = plan.days

    answer = await plan.change(correct(wrong))

    consult = plan.steps["consult"]
    assert (consult["status"], consult["window_state"]) == ("planned", "due")
    # It was to be before today, and is not done: it is placed again, near its target.
    assert consult["date"] == "2027-02-05"
    assert answer["moves"] == []
    assert plan.days == {**before, "consult": "2027-02-05"}


async def test_a_wrong_day_is_put_right_in_one_post(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-25")
    await plan.change(*did(**{**DONE, "primer__1": "2027-02-24"}))
    wrong = next(
        change["id"]
        for change in (await plan.history())[-1]["changes"]
        if change["step"] == "primer/1"
    )

    await plan.change(correct(wrong), *did(primer__1="2027-02-23"))

    assert (plan.steps["primer/1"]["status"], plan.days["primer/1"]) == ("performed", "2027-02-23")
    assert plan.plan["revision"] == 3


async def test_a_decision_taken_back_leaves_the_booster_open(desk: Desk) -> None:
    plan = await living_until_april(desk)
    before = plan.steps
    await plan.change({"type": "decide", "step": "booster_decision", "choice": "no_booster"})

    await plan.change(correct(await plan.last_change()))

    assert plan.steps == before
    assert plan.steps["booster"]["tentative"]


async def test_a_report_taken_back_no_longer_forbids_anything(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-25")
    await plan.change(*did(**DONE))
    report = {"type": "report", "agent": "corticosteroid_injection", "on": "2027-02-24"}
    await plan.change(report, {"type": "move_anchor", "to": "2027-03-24"})
    reported, _ = (await plan.history())[-1]["changes"]

    await plan.change(correct(reported["id"]), {"type": "move_anchor", "to": "2027-03-11"})

    assert plan.days["session"] == "2027-03-11"


async def test_what_was_said_when_the_plan_was_made_can_be_taken_back_too(desk: Desk) -> None:
    plan = await living(desk, changes=[{"type": "skip", "step": "orthotic_check"}])
    (skipped,) = (await plan.history())[0]["changes"]

    await plan.change(correct(skipped["id"]))

    assert plan.steps["orthotic_check"]["status"] == "planned"
    assert plan.days["orthotic_check"] == "2027-03-17"


async def test_a_missed_visit_entered_in_error_counts_no_more(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-03")
    before = plan.steps["primer/2"]
    await plan.change({"type": "miss", "step": "primer/2"})

    await plan.change(correct(await plan.last_change()))

    primer = plan.steps["primer/2"]
    assert (primer["status"], primer["date"], primer["missed"]) == (
        "planned",
        before["date"],
        [],
    )


async def test_a_booking_lost_by_an_error_comes_back_with_it(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "book", "step": "followup_2w", **hours("2027-03-24")})
    booked = plan.steps["followup_2w"]
    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    assert plan.steps["followup_2w"]["status"] == "planned"

    await plan.change(correct(await plan.last_change()))

    again = plan.steps["followup_2w"]
    for key in ("id", "status", "date", "appointment"):
        assert again[key] == booked[key]


async def test_what_later_changes_rest_on_cannot_be_taken_back(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "skip", "step": "orthotic_check"})
    skipped = await plan.last_change()
    await plan.change({"type": "restore", "step": "orthotic_check"})

    problem = await plan.refused({"type": "activate"}, correct(skipped))

    assert problem["status"] == 422
    assert faults_of(problem) == {"/changes/1/change_id": "needed-later"}
    assert "is not skipped or cancelled" in problem["errors"][0]["detail"]


async def test_nothing_is_taken_back_twice(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "skip", "step": "orthotic_check"})
    skipped = await plan.last_change()

    at_once = await plan.refused(correct(skipped), correct(skipped))
    await plan.change(correct(skipped))
    again = await plan.refused(correct(skipped))

    assert faults_of(at_once) == {"/changes/1/change_id": "corrected-already"}
    assert faults_of(again) == {"/changes/0/change_id": "corrected-already"}


async def test_another_plans_change_is_not_taken_back(desk: Desk) -> None:
    plan, other = await living(desk), await living(desk, laterality="left")
    await other.change({"type": "skip", "step": "orthotic_check"})

    problem = await plan.refused(correct(await other.last_change()))

    assert faults_of(problem) == {"/changes/0/change_id": "unknown-change"}


async def test_a_correction_that_leaves_no_schedule_has_ways_out(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "skip", "step": "followup_2w"})
    skipped = await plan.last_change()
    await plan.change({"type": "unavailable", "from": "2027-03-18", "to": "2027-03-30"})

    problem = await plan.conflict(correct(skipped))

    assert "timing:followup_2w.latest" in {e["id"] for e in problem["conflict"]["elements"]}
    await plan.take(problem["options"][0])
    assert plan.days["followup_2w"] is not None


async def test_an_added_step_taken_back_is_gone_unless_it_was_done(desk: Desk) -> None:
    plan = await living(desk)
    timing = {"relative_to": {"step": "consult"}, "target": "P1D", "latest": "P7D"}
    scan = {"type": "add_step", "title": "Scan", "kind": "visit", "timing": timing}
    (first,) = (await plan.change(scan))["added"]
    added_first = await plan.last_change()
    (second,) = (await plan.change(scan))["added"]
    added_second = await plan.last_change()
    await plan.on("2027-01-14")
    await plan.change({"type": "perform", "step_id": second, "on": "2027-01-14"})

    answer = await plan.change(correct(added_first), correct(added_second))

    assert [step["step_id"] for step in answer["removed"]] == [first]
    (left,) = (step for step in plan.plan["steps"] if step["title"] == "Scan")
    assert (left["id"], left["status"], left["date"]) == (second, "performed", "2027-01-14")
