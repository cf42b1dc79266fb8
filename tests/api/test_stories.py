"""Dated stories through HTTP: what happens to a plan after it is made, with exactly its days."""

from typing import Any

from app.domain.documents import document_to_data
from app.services.library import library_protocol
from tests.api.given_changes import (
    DONE,
    Living,
    did,
    have_protocol,
    living,
    living_until_april,
    moved,
)
from tests.api.given_plans import Data, Desk, days_of, good

STORY_2 = {
    "consult": "2027-01-13",
    "baseline_outcomes": "2027-03-05",
    "orthotic_impression": "2027-02-03",
    "orthotic_fitting": "2027-02-24",
    "primer/1": "2027-02-23",
    "primer/2": "2027-02-02",
    "nsaid_free": "2027-03-05",
    "pre_check": "2027-03-12",
    "session": "2027-03-19",
    "call_day3": "2027-03-23",
    "protect": "2027-03-19",
    "rehab_start": "2027-03-30",
    "rehab_visits/1": "2027-04-06",
    "rehab_visits/2": "2027-04-13",
    "rehab_visits/3": "2027-04-20",
    "rehab_visits/4": "2027-04-27",
    "orthotic_check": "2027-03-17",
    "followup_2w": "2027-04-02",
    "booster_decision": "2027-04-23",
    "booster": "2027-04-30",
    "booster_nsaid_free": "2027-04-16",
    "loading_phase": "2027-04-09",
    "followup/m3": "2027-06-18",
    "followup/m6": "2027-09-17",
    "followup/m12": "2028-03-17",
}
STEROID: Data = {
    "type": "report",
    "agent": "corticosteroid_injection",
    "on": "2027-02-24",
    "body_site": "ankle",
    "laterality": "right",
}
DECIDE: Data = {"type": "decide", "step": "booster_decision"}


async def story_2(desk: Desk) -> tuple[Living, Data]:
    """The plan of story 1 after its session was moved, and the answer to that."""
    plan = await living(desk)
    await plan.on("2027-01-13")
    await plan.change(*did(consult="2027-01-13"))
    await plan.on("2027-02-02")
    await plan.change(*did(primer__2="2027-02-02"))
    await plan.on("2027-02-03")
    await plan.change(*did(orthotic_impression="2027-02-03"))
    await plan.on("2027-02-05")
    answer = await plan.change({"type": "move_anchor", "to": "2027-03-19"}, reason="physician away")
    return plan, answer


async def test_story_2_the_session_moves_by_nine_days_after_the_first_primer(desk: Desk) -> None:
    plan, answer = await story_2(desk)

    assert plan.days == STORY_2
    assert plan.steps["nsaid_free"]["end_date"] == "2027-04-02"
    assert [(offer["step_id"], offer["text"]) for offer in answer["offers"]] == [
        (plan.id_of("primer/1"), "Fri 2027-02-26 is the target of primer 2")
    ]
    stays = {"consult", "orthotic_impression", "primer/1", "primer/2"}
    stays |= {"orthotic_fitting", "orthotic_check"}
    assert moved(answer).keys() == STORY_2.keys() - stays
    assert plan.steps["primer/1"]["window"] == {
        "earliest": "2027-02-12",
        "target": "2027-02-26",
        "latest": "2027-03-05",
    }
    assert all(move["reasons"] for move in answer["moves"])


async def test_story_2_is_one_revision_beside_the_old_one(desk: Desk) -> None:
    plan, answer = await story_2(desk)

    last = (await plan.history())[-1]
    before = await good(desk.api.get(f"{plan.url}/history/{last['revision'] - 1}"))
    assert (last["revision"], last["reason"]) == (5, "physician away")
    assert [move["step"] for move in last["moves"]] == list(moved(answer))
    assert days_of(before)["session"] == "2027-03-10"
    assert days_of(before)["followup/m12"] == "2028-03-09"


async def a_series(desk: Desk) -> Living:
    """Three sessions of prolotherapy from 7 September, the first done."""
    protocol = document_to_data(library_protocol("ankle-prolotherapy-series"))
    await have_protocol(desk, protocol)
    plan = await living(
        desk,
        protocol={"key": protocol["key"]},
        location_id=await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        anchor={"date": "2027-09-07"},
        parameters=...,
        laterality="left",
        unavailable=[],
    )
    await plan.on("2027-09-07")
    await plan.change(
        *did(consult="2027-08-24", baseline_outcomes="2027-09-06", prolo__1="2027-09-07")
    )
    return plan


async def test_story_5_a_missed_session_in_a_series(desk: Desk) -> None:
    plan = await a_series(desk)
    assert [plan.days[s] for s in ("prolo/2", "prolo/3", "response_review")] == [
        "2027-10-05",
        "2027-11-02",
        "2027-11-30",
    ]
    await plan.on("2027-10-06")

    await plan.change({"type": "miss", "step": "prolo/2"})
    visit = plan.steps["prolo/2"]
    assert (visit["status"], visit["date"], visit["missed"]) == (
        "missed",
        "2027-10-06",
        ["2027-10-05"],
    )
    assert visit["window"]["latest"] == "2027-10-19"
    await plan.refused({"type": "move", "step": "prolo/2", "to": "2027-10-20"})
    answer = await plan.change({"type": "move", "step": "prolo/2", "to": "2027-10-14"})

    assert plan.days["prolo/2"] == "2027-10-14"
    assert moved(answer) == {
        "prolo/2": ("2027-10-06", "2027-10-14"),
        "prolo/3": ("2027-11-02", "2027-11-11"),
        "response_review": ("2027-11-30", "2027-12-09"),
    }
    assert plan.plan["status"] == "active"
    assert plan.steps["prolo/2"]["missed"] == ["2027-10-05"]


async def test_story_8_a_steroid_shot_at_urgent_care(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-05")
    await plan.change(*did(**DONE))

    problem = await plan.conflict(STEROID, reason="told at the readiness call")

    assert [e["text"] for e in problem["conflict"]["elements"]] == [
        "session is asked for on Wed 2027-03-10",
        "no corticosteroid injection within 28 days before (rule steroid-before-session)",
        "corticosteroid injection was given on Wed 2027-02-24",
    ]
    soonest = problem["options"][0]
    assert (soonest["text"], soonest["needs_role"]) == ("session on Wed 2027-03-24", None)
    await plan.take(soonest)
    assert {
        name: plan.days[name]
        for name in ("session", "booster_decision", "booster", "nsaid_free", "primer/1")
    } == {
        "session": "2027-03-24",
        "booster_decision": "2027-04-28",
        "booster": "2027-05-05",
        "nsaid_free": "2027-03-10",
        "primer/1": "2027-02-23",
    }
    assert plan.steps["nsaid_free"]["end_date"] == "2027-04-07"
    assert plan.steps["primer/1"]["window_state"] == "in_window"


async def test_story_8_into_the_other_ankle_nothing_changes(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-05")
    await plan.change(*did(**DONE))
    before = plan.days

    answer = await plan.change({**STEROID, "laterality": "left"})

    assert (answer["moves"], answer["breaches"], plan.days) == ([], [], before)


async def test_story_8_with_the_strict_interval_the_physician_waives_the_primers_window(
    desk: Desk,
) -> None:
    strict = document_to_data(library_protocol("ankle-stem-cell-prp-full"))
    rules = [
        {**rule, "before": "P90D"} if rule["id"] == "steroid-before-session" else rule
        for rule in strict["rules"]
    ]
    await have_protocol(desk, {**strict, "key": "strict-ankle", "rules": rules})
    plan = await living(
        desk,
        protocol={"key": "strict-ankle"},
        parameters={"primer_count": 2, "orthotics": "declined"},
    )
    await plan.on("2027-03-05")
    done = {k: v for k, v in DONE.items() if not k.startswith(("orthotic", "baseline"))}
    await plan.change(*did(**done))
    may: Data = {"type": "move_anchor", "to": "2027-05-25"}

    consult, primer = (
        {"type": "waive", "element": f"timing:{step}.earliest", "reason": "agreed"}
        for step in ("consult", "primer/1")
    )

    sooner = {"type": "move_anchor", "to": "2027-05-21"}
    too_soon = await plan.refused(STEROID, sooner, consult, primer)
    too_late = await plan.refused(STEROID, may, consult)
    answer = await plan.change(STEROID, may, consult, primer)

    assert "rule:steroid-before-session" in {e["id"] for e in too_soon["conflict"]["elements"]}
    named = {e["id"] for e in too_late["conflict"]["elements"]}
    assert named == {"fact:primer/1", "anchor:session", "timing:primer/1.earliest"}
    assert plan.days["session"] == "2027-05-25"
    assert [breach["rule"] for breach in answer["breaches"]] == ["primer-to-session-max"]
    assert "91 days after" in answer["breaches"][0]["text"]


async def test_story_9_eight_weeks(desk: Desk) -> None:
    plan = await living_until_april(desk)
    assert (plan.days["booster"], plan.steps["booster"]["tentative"]) == ("2027-04-21", True)

    answer = await plan.change(
        {**DECIDE, "choice": "booster_eight_weeks", "answers": {"percent_better": 60}},
        reason="60 % better",
    )

    booster = plan.steps["booster"]
    assert (booster["date"], booster["tentative"]) == ("2027-05-05", False)
    nsaid_free = plan.steps["booster_nsaid_free"]
    assert (nsaid_free["date"], nsaid_free["end_date"]) == ("2027-04-21", "2027-05-19")
    assert moved(answer).keys() == {"booster", "booster_nsaid_free"}
    last = (await plan.history())[-1]
    assert (last["actor"], last["reason"]) == ("local", "60 % better")
    (decision,) = last["changes"]
    assert (decision["choice"], decision["answers"]) == (
        "booster_eight_weeks",
        {"percent_better": 60},
    )


async def test_story_9_none(desk: Desk) -> None:
    plan = await living_until_april(desk)
    before = plan.days

    await plan.change({**DECIDE, "choice": "no_booster"})

    gone = {"booster", "booster_nsaid_free"}
    assert {plan.steps[name]["status"] for name in gone} == {"cancelled"}
    assert {n: d for n, d in plan.days.items() if n not in gone} == {
        n: d for n, d in before.items() if n not in gone
    }


async def test_story_9_undecided_it_stays_open_and_never_becomes_a_treatment(desk: Desk) -> None:
    plan = await living_until_april(desk)

    for day in ("2027-04-20", "2027-04-30", "2027-06-30"):
        await plan.on(day)
        await plan.change({"type": "report", "agent": "paracetamol", "on": day})
        booster: dict[str, Any] = plan.steps["booster"]
        assert (booster["status"], booster["date"], booster["tentative"]) == (
            "planned",
            "2027-04-21",
            True,
        )
        assert plan.steps["booster_decision"]["window_state"] == "overdue"
