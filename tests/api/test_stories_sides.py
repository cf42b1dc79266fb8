"""Story 13 through HTTP: both ankles, one protected foot at a time, with exactly its days."""

from importlib.resources import files

import pytest

from app.api.yaml_documents import read_yaml
from app.domain.documents import document_to_data
from app.services.library import library_protocol
from tests.api.given_changes import Living, did, have_protocol, moved
from tests.api.given_plans import Data, Desk, faults_of, good
from tests.api.given_protocols import activate

BOTH = "ankle-bilateral"
GATE: Data = {"type": "decide", "step": "gate_side_b"}
# The first side as planned until the gate, on days the clinic is open.
STORY_13 = {
    "side_a_session": "2027-04-06",
    "gate_side_b": "2027-04-23",
    "side_b_session": "2027-05-04",
    "side_a_booster": "2027-05-18",
    "side_b_booster": "2027-06-15",
}


async def have_both(desk: Desk) -> None:
    """The library's protocol for both ankles, as it is written, saved and approved."""
    if (await desk.api.get(f"/v1/protocols/{BOTH}")).status_code == 200:
        return
    written = read_yaml(files("app.library").joinpath(f"{BOTH}.yaml").read_bytes())
    draft = await good(desk.api.post("/v1/protocols", json=written))
    assert [part["key"] for part in draft["included"]] == ["side_a", "side_b"]
    await good(activate(desk.api, draft))


async def both(desk: Desk, **fields: object) -> Living:
    """A plan for both ankles, the left one first."""
    await have_both(desk)
    body = desk.body(
        protocol={"key": BOTH},
        location_id=await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        anchor={"date": "2027-04-06"},
        parameters={"first_side": "left", "side_b_primer_count": 0},
        laterality="bilateral",
    )
    return Living(desk, await good(desk.post({**body, **fields})))


async def until_the_gate(desk: Desk) -> Living:
    """The same on 23 April, the first session done."""
    plan = await both(desk)
    await plan.on("2027-04-23")
    past = {
        name: day
        for name, day in plan.days.items()
        if day is not None and day < "2027-04-23" and plan.steps[name]["end_date"] is None
    }
    await plan.change(*({"type": "perform", "step": name, "on": day} for name, day in past.items()))
    return plan


async def test_story_13_both_ankles_staged(desk: Desk) -> None:
    plan = await both(desk)

    assert {name: plan.days[name] for name in STORY_13} == STORY_13
    assert {name: plan.steps[name]["tentative"] for name in STORY_13} == {
        "side_a_session": False,
        "gate_side_b": False,
        "side_b_session": True,
        "side_a_booster": True,
        "side_b_booster": True,
    }
    assert plan.plan["breaches"] == []
    assert plan.steps["side_b_session"]["title"].startswith("Second ankle: ")


async def test_story_13_the_patient_sees_one_bar_without_anti_inflammatories(desk: Desk) -> None:
    plan = await both(desk, patient={"id": (patient := await desk.patient())})
    assert {n: s["end_date"] for n, s in plan.steps.items() if n.endswith("nsaid_free")} == {
        "side_a_nsaid_free": "2027-04-20",
        "side_b_nsaid_free": "2027-05-18",
        "side_a_booster_nsaid_free": "2027-06-01",
        "side_b_booster_nsaid_free": "2027-06-29",
    }

    found = await good(desk.api.get(f"/v1/patients/{patient}/restrictions"))

    (bar,) = [one for one in found["items"] if one["subject"] == "nsaid"]
    assert (bar["from"], bar["to"], bar["days"]) == ("2027-03-23", "2027-06-29", 99)
    assert len(bar["spans"]) == 4
    assert bar["attention"] == "99 days without a break; the longest of its 4 is 29"


async def test_story_13_the_second_side_goes_on_as_planned(desk: Desk) -> None:
    plan = await until_the_gate(desk)

    answer = await plan.change({**GATE, "choice": "go"})

    assert moved(answer) == {}
    assert plan.days["side_b_session"] == "2027-05-04"
    assert not plan.steps["side_b_session"]["tentative"]


async def test_story_13_delayed_it_meets_the_first_sides_booster_and_other_days_are_there(
    desk: Desk,
) -> None:
    plan = await until_the_gate(desk)

    answer = await plan.change({**GATE, "choice": "delay"})

    assert moved(answer)["side_b_session"] == ("2027-05-04", "2027-05-18")
    assert plan.days["side_a_booster"] == "2027-05-18"
    (breach,) = plan.plan["breaches"]
    assert (breach["rule"], breach["severity"]) == ("booster-away-from-other-session", "warn")
    assert await days_without_warning(plan) == "2027-05-25"
    await plan.change({"type": "move", "step": "side_b_session", "to": "2027-05-25"})
    assert plan.plan["breaches"] == []


@pytest.mark.parametrize("number, day", [(0, "2027-05-18"), (1, "2027-05-25")])
async def test_story_13_one_visit_for_both_or_a_later_day_is_offered_and_works_as_it_is(
    desk: Desk, number: int, day: str
) -> None:
    plan = await until_the_gate(desk)

    answer = await plan.change({**GATE, "choice": "delay"})

    offers = [offer for offer in answer["offers"] if offer["breach"] is not None]
    assert [(o["step_id"], o["date"], o["text"]) for o in offers] == [
        (
            plan.id_of("side_b_session"),
            "2027-05-18",
            "side a booster and side b session in one visit on Tue 2027-05-18",
        ),
        (
            plan.id_of("side_b_session"),
            "2027-05-25",
            "side b session on Tue 2027-05-25, far enough from side a booster",
        ),
    ]
    await plan.change(**offers[number]["request"])
    assert (plan.days["side_a_booster"], plan.days["side_b_session"]) == ("2027-05-18", day)
    assert [breach["acknowledged"] for breach in plan.plan["breaches"]] == [True] * (1 - number)
    assert plan.plan["needs_attention"] == []


async def test_story_13_in_the_same_week_one_of_the_two_comes_to_the_others_day(
    desk: Desk,
) -> None:
    plan = await until_the_gate(desk)
    await plan.change({**GATE, "choice": "delay"})

    answer = await plan.change({"type": "move", "step": "side_b_session", "to": "2027-05-20"})

    (visit, later) = [offer for offer in answer["offers"] if offer["breach"] is not None]
    assert (visit["step_id"], visit["date"]) == (plan.id_of("side_b_session"), "2027-05-18")
    assert later["date"] == "2027-05-25"
    again = await plan.change(**visit["request"])
    assert [offer for offer in again["offers"] if offer["breach"] is not None] == []
    assert plan.plan["needs_attention"] == []
    assert plan.days["side_b_session"] == plan.days["side_a_booster"] == "2027-05-18"
    assert [breach["acknowledged"] for breach in plan.plan["breaches"]] == [True]


async def test_a_breach_is_accepted_beforehand_only_as_it_will_read(desk: Desk) -> None:
    plan = await until_the_gate(desk)
    await plan.change({**GATE, "choice": "delay"})
    (breach,) = plan.plan["breaches"]
    accept: Data = {"type": "acknowledge", "breach": breach["id"], "text": breach["text"]}

    problem = await plan.refused(
        {"type": "move", "step": "side_b_session", "to": "2027-05-20"}, accept
    )

    assert problem["status"] == 422
    assert faults_of(problem) == {"/changes/1/text": "unknown-breach"}


async def days_without_warning(plan: Living) -> str:
    """The first day on which the second session is away from the first side's booster."""
    for day in ("2027-05-18", "2027-05-19", "2027-05-20", "2027-05-21", "2027-05-24", "2027-05-25"):
        move = {"type": "move", "step": "side_b_session", "to": day}
        seen = await good(plan.preview(move))
        if not seen["plan"]["breaches"]:
            return day
    return "none"


async def test_story_13_cancelled_every_step_of_the_second_side_is(desk: Desk) -> None:
    plan = await until_the_gate(desk)

    await plan.change({**GATE, "choice": "cancel"})

    status = {name: step["status"] for name, step in plan.steps.items()}
    second = {name for name in status if name.startswith("side_b_")}
    done = {name for name in second if status[name] == "performed"}
    assert {status[name] for name in second - done} == {"cancelled"}
    assert len(second) > 15
    assert status["side_a_booster"] == "planned"


async def test_undecided_the_second_side_stays_tentative_and_is_no_treatment(desk: Desk) -> None:
    plan = await until_the_gate(desk)

    await plan.on("2027-04-30")

    assert plan.steps["side_b_session"]["tentative"]
    assert plan.days["side_b_session"] == "2027-05-04"


async def test_a_day_on_which_both_feet_would_be_protected_is_refused(desk: Desk) -> None:
    plan = await until_the_gate(desk)
    await plan.change(*did(side_a_protect="2027-04-06"))

    # The bounds of the gap forbid it before the rule could.
    problem = await plan.refused({"type": "move", "step": "side_b_session", "to": "2027-04-26"})

    assert problem["type"] == "schedule-conflict"


async def test_both_on_one_day_need_no_gate(desk: Desk) -> None:
    parameters = {"first_side": "right", "mode": "same_day", "side_b_primer_count": 0}
    plan = await both(desk, parameters=parameters)

    assert plan.days["side_a_session"] == plan.days["side_b_session"] == "2027-04-06"
    assert "gate_side_b" not in plan.days
    assert not plan.steps["side_b_session"]["tentative"]
    assert [n for n in plan.days if n.endswith("consult")] == ["side_a_consult"]


async def test_help_at_home_is_asked_for_only_if_both_are_treated_on_one_day(desk: Desk) -> None:
    staged = await both(desk, patient={"id": await desk.patient()})
    together = await both(
        desk, patient={"id": await desk.patient()}, parameters={"mode": "same_day"}
    )
    alone: Data = {"type": "report", "finding": "no_support_at_home", "on": "2027-01-04"}

    for plan, expected in ((staged, []), (together, ["same-day-help"])):
        await plan.change(alone)
        assert [breach["rule"] for breach in plan.plan["breaches"]] == expected


async def test_a_side_must_be_said_to_be_both(desk: Desk) -> None:
    await have_both(desk)

    problem = await desk.refused(
        protocol={"key": BOTH}, laterality="left", parameters={"first_side": "up"}
    )

    assert {fault["pointer"] for fault in problem["errors"]} == {
        "/laterality",
        "/parameters/first_side",
    }


@pytest.mark.parametrize("both_first", [True, False])
async def test_marrow_aspirated_by_another_plan_within_28_days_is_flagged(
    desk: Desk, *, both_first: bool
) -> None:
    knee = document_to_data(library_protocol("knee-bmac-three-part"))
    await have_protocol(desk, knee)
    one = desk.body(
        protocol={"key": knee["key"]},
        location_id=await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        anchor={"date": "2027-03-15"},
        parameters=...,
    )
    if both_first:
        await both(desk)
        plan = await good(desk.post(one))
    else:
        await good(desk.post(one))
        plan = (await both(desk)).plan

    assert [breach["rule"].rpartition("/")[2] for breach in plan["breaches"]] == [
        "marrow-once-elsewhere"
    ]
    assert [item["code"] for item in plan["needs_attention"]] == ["breach"]
