"""Ways out that give back a day: one chosen by a person, or one of another plan of the patient."""

from typing import Any

from tests.api.given_changes import living
from tests.api.given_plans import Data, Desk, good

FEW: Data = {"primer_count": 0, "booster_timing": "none", "orthotics": "declined"}


def few(anchor: str, **fields: Any) -> Data:
    """A plan that has a session and visits only."""
    return {"anchor": {"date": anchor}, "parameters": FEW, **fields}


def option(problem: Data, text: str) -> Data:
    """The only option whose text begins so."""
    (found,) = (one for one in problem["options"] if one["text"].startswith(text))
    assert isinstance(found, dict)
    return found


async def test_another_plans_session_is_called_off_to_make_room(desk: Desk) -> None:
    other = await desk.plan(**few("2027-03-03"))
    problem = await desk.refused(**few("2027-03-10"))

    way_out = option(problem, "call off session of another plan")
    assert way_out["plan_id"] == other["id"]
    await good(
        desk.api.post(
            f"/v1/plans/{way_out['plan_id']}/changes",
            json=way_out["request"],
            headers={"If-Match": '"1"'},
        )
    )

    assert (await desk.plan(**few("2027-03-10")))["anchor"]["date"] == "2027-03-10"


async def test_what_another_plan_has_done_is_not_called_off(desk: Desk) -> None:
    done = [{"type": "perform", "step": "consult", "on": "2026-12-10"}]
    done.append({"type": "perform", "step": "session", "on": "2027-01-04"})
    skipped = [{"type": "skip", "step": step} for step in ("baseline_outcomes", "pre_check")]
    await desk.plan(**few("2027-01-04"), changes=[*done, *skipped])

    problem = await desk.refused(**few("2027-01-15", changes=[{"type": "skip", "step": "consult"}]))

    assert {one["plan_id"] for one in problem["options"]} == {None}


async def test_a_day_chosen_before_is_given_back(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "pin", "step": "followup_2w", "to": "2027-03-24"})

    problem = await plan.conflict({"type": "move_anchor", "to": "2027-04-14"})

    way_out = option(problem, "give back the day chosen for followup 2w")
    assert way_out["request"]["changes"] == [
        {"type": "move_anchor", "to": "2027-04-14"},
        {"type": "unpin", "step": "followup_2w"},
    ]


async def test_a_day_chosen_in_the_same_request_is_taken_out_of_it(desk: Desk) -> None:
    plan = await living(desk)
    pin = {"type": "pin", "step": "followup_2w", "to": "2027-04-30"}

    alone = await plan.conflict(pin)
    beside = await plan.conflict({"type": "set_parameter", "key": "primer_count", "value": 1}, pin)

    assert not any(one["text"].startswith("give back") for one in alone["options"])
    way_out = option(beside, "give back the day chosen for followup 2w")
    assert [change["type"] for change in way_out["request"]["changes"]] == ["set_parameter"]


async def test_a_new_plan_is_asked_for_without_the_day_chosen(desk: Desk) -> None:
    pin = {"type": "pin", "step": "followup_2w", "to": "2027-04-30"}
    problem = await desk.refused(**few("2027-03-10", changes=[pin]))

    way_out = option(problem, "give back the day chosen for followup 2w")

    plan = await good(desk.post(way_out["request"]))
    assert way_out["request"]["changes"] == []
    assert plan["anchor"]["date"] == "2027-03-10"
