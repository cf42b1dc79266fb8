"""Changes of a plan as a whole: its anchor, parameters, decisions, reports, waivers, status."""

import pytest

from tests.api.given_changes import DONE, did, living, living_until_april, moved
from tests.api.given_plans import Data, Desk, good, steps_of

NO_TIES: Data = {"parameters": {"primer_count": 0, "orthotics": "declined"}}
# Spans of story 1 that have wholly passed on 14 April.
LIVED_THROUGH = {"nsaid_free", "protect"}


async def test_a_third_primer_is_added_at_the_far_end_and_nothing_else_moves(desk: Desk) -> None:
    plan = await living(desk)
    before = plan.days

    answer = await plan.change({"type": "set_parameter", "key": "primer_count", "value": 3})

    third = plan.steps["primer/3"]
    assert third["date"] == "2027-01-12"
    assert {**before, "primer/3": third["date"]} == plan.days
    assert (answer["moves"], answer["added"], answer["removed"]) == ([], [third["id"]], [])
    assert [(plan.steps[f"primer/{n}"]["ordinal"]) for n in (3, 2, 1)] == [1, 2, 3]
    answer = await plan.change({"type": "set_parameter", "key": "primer_count", "value": 2})
    removed = {"step_id": third["id"], "step": "primer/3", "title": third["title"]}
    assert (answer["removed"], plan.days) == ([removed], before)
    await plan.change({"type": "correct", "change_id": await plan.last_change()})
    assert plan.steps["primer/3"] == third


async def test_what_was_done_stays_when_the_parameters_leave_it_out(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-25")
    await plan.change(*did(**DONE))
    done = {name: step for name, step in plan.steps.items() if step["status"] == "performed"}

    await plan.change(
        {"type": "set_parameter", "key": "orthotics", "value": "declined"},
        {"type": "set_parameter", "key": "primer_count", "value": 0},
    )

    assert "orthotic_check" not in plan.steps
    assert {name: plan.steps[name]["date"] for name in done} == {
        name: step["date"] for name, step in done.items()
    }
    assert {plan.steps[name]["status"] for name in done} == {"performed"}


async def test_what_was_done_stays_even_where_nothing_it_hung_on_is_left(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-25")
    await plan.change(*did(consult="2027-01-13", orthotic_fitting="2027-02-24"))
    fitting = plan.steps["orthotic_fitting"]

    await plan.change({"type": "set_parameter", "key": "orthotics", "value": "declined"})

    assert "orthotic_impression" not in plan.steps
    assert plan.steps["orthotic_fitting"] == fitting


async def test_a_postponed_session_leaves_undated_what_hangs_on_it(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    done = {"consult": "2027-01-13", "primer/2": "2027-02-02", "orthotic_impression": "2027-02-03"}
    await plan.change(*({"type": "perform", "step": s, "on": day} for s, day in done.items()))
    before = plan.days

    answer = await plan.change({"type": "move_anchor", "to": None}, reason="tooth abscess")

    undated = {name for name, day in plan.days.items() if day is None}
    assert undated == before.keys() - done - {"orthotic_fitting", "orthotic_check"}
    assert moved(answer) == {name: (before[name], None) for name in undated}
    assert plan.plan["anchor"] == {"step": "session", "date": None}
    assert plan.steps["session"]["reasons"] == [
        {"code": "undated", "text": "no day yet: it is postponed without a date"}
    ]
    assert plan.steps["followup_2w"]["reasons"][0]["text"] == "no day yet: session has no day yet"
    assert plan.steps["session"]["window_state"] is None
    assert undated == {
        name
        for name, step in plan.steps.items()
        for item in plan.plan["needs_attention"]
        if item.get("step_id") == step["id"] and item["code"] == "undated"
    }
    posted = (await plan.history())[-1]
    assert (posted["reason"], posted["changes"][0]["to"]) == ("tooth abscess", None)
    await plan.change({"type": "move_anchor", "to": "2027-03-10"})
    assert plan.days == before


@pytest.mark.parametrize(
    "choice, booster, nsaid_free",
    [
        ("booster_six_weeks", "2027-04-21", "2027-04-07"),
        ("booster_eight_weeks", "2027-05-05", "2027-04-21"),
    ],
)
async def test_a_decision_makes_tentative_days_firm(
    desk: Desk, choice: str, booster: str, nsaid_free: str
) -> None:
    plan = await living_until_april(desk)
    assert {name for name, s in plan.steps.items() if s["tentative"]} == {
        "booster",
        "booster_nsaid_free",
    }
    assert "decide" in plan.steps["booster_decision"]["allowed_changes"]

    await plan.change({"type": "decide", "step": "booster_decision", "choice": choice})

    assert plan.days["booster"] == booster
    assert plan.days["booster_nsaid_free"] == nsaid_free
    assert not any(step["tentative"] for step in plan.steps.values())
    assert plan.steps["booster_decision"]["status"] == "performed"
    assert plan.plan["parameters"]["booster_timing"] == choice.removeprefix("booster_")


async def test_no_booster_calls_off_the_booster_and_nothing_else(desk: Desk) -> None:
    plan = await living_until_april(desk)
    before = plan.days

    answer = await plan.change(
        {"type": "decide", "step": "booster_decision", "choice": "no_booster"}
    )

    for name in ("booster", "booster_nsaid_free"):
        step = plan.steps[name]
        assert (step["status"], step["date"], step["tentative"]) == ("cancelled", None, False)
        assert step["reasons"][0]["text"].startswith("called off by the decision: Re-evaluation")
    assert (answer["moves"], answer["removed"]) == ([], [])
    assert plan.days == {**before, "booster": None, "booster_nsaid_free": None}


async def test_a_decision_may_put_off_what_it_keeps(desk: Desk) -> None:
    plan = await living_until_april(desk)
    decide = {"type": "decide", "step": "booster_decision", "choice": "booster_six_weeks"}

    answer = await plan.change({**decide, "shift": "P2W", "answers": {"percent_better": 60}})

    assert moved(answer)["booster"] == ("2027-04-21", "2027-05-05")
    (change,) = (await plan.history())[-1]["changes"]
    assert (change["shift"], change["answers"]) == ("P2W", {"percent_better": 60})


async def test_a_report_that_forbids_a_day_is_refused_with_ways_out(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-05")
    await plan.change(*did(**DONE))
    steroid = {"type": "report", "agent": "corticosteroid_injection", "on": "2027-02-24"}

    problem = await plan.conflict({**steroid, "body_site": "ankle", "laterality": "right"})

    assert [o["text"] for o in problem["options"]] == [
        "session on Wed 2027-03-24",
        "widen rule:steroid-before-session by 14 days; needs the role physician",
        "record it and leave session on Wed 2027-03-10, flagged for a person to put right",
    ]
    assert [o["needs_role"] for o in problem["options"]] == [None, "physician", None]
    for elsewhere in ({"laterality": "left", "body_site": "ankle"}, {"body_site": "knee"}):
        answer = await good(plan.preview({**steroid, **elsewhere}))
        assert (answer["moves"], answer["breaches"]) == ([], [])


async def test_what_is_flagged_is_acknowledged_as_it_reads(desk: Desk) -> None:
    plan = await living(desk, **NO_TIES)
    await plan.on("2027-03-05")
    nsaid = {"type": "report", "agent": "nsaid"}

    first = await plan.change({**nsaid, "on": "2027-03-01"})
    (breach,) = first["breaches"]
    await plan.change({"type": "acknowledge", "breach": breach["id"]})

    assert plan.plan["breaches"] == [{**breach, "acknowledged": True}]
    assert plan.plan["needs_attention"] == []
    second = await plan.change({**nsaid, "on": "2027-03-04"})
    seen = {b["id"]: b["acknowledged"] for b in second["breaches"]}
    assert sorted(seen.values()) == [False, True]
    assert len(plan.plan["needs_attention"]) == 1
    problem = await plan.refused({"type": "acknowledge", "breach": breach["id"]})
    assert problem["errors"][0]["code"] == "contradiction"


async def test_a_finding_stops_nothing_but_asks_for_clearance(desk: Desk) -> None:
    plan = await living(desk, **NO_TIES)
    await plan.on("2027-03-08")

    answer = await plan.change({"type": "report", "finding": "fever", "on": "2027-03-08"})

    assert answer["moves"] == []
    assert {(b["rule"], b["severity"]) for b in answer["breaches"]} == {("infection", "block")}
    assert {item["code"] for item in plan.plan["needs_attention"]} == {"breach"}


async def test_an_absence_moves_what_falls_into_it(desk: Desk) -> None:
    plan = await living(desk, **NO_TIES)

    answer = await plan.change({"type": "unavailable", "from": "2027-03-20", "to": "2027-03-25"})

    assert moved(answer) == {"followup_2w": ("2027-03-24", "2027-03-26")}
    reasons = plan.steps["followup_2w"]["reasons"]
    assert [reason["code"] for reason in reasons] == ["target", "unavailable", "nearest"]
    assert reasons[1]["rule"] == f"unavailable:{await plan.last_change()}"


async def test_a_waiver_lets_a_day_stand(desk: Desk) -> None:
    plan = await living(desk, **NO_TIES)
    move = {"type": "move", "step": "followup_2w", "to": "2027-03-31"}
    problem = await plan.conflict(move)
    assert {e["id"] for e in problem["conflict"]["elements"]} >= {"timing:followup_2w.latest"}

    waiver = problem["options"][-1]
    await plan.take(waiver)

    assert waiver["needs_role"] == "physician"
    assert plan.days["followup_2w"] == "2027-03-31"


async def test_a_draft_becomes_a_promise_when_it_is_activated(desk: Desk) -> None:
    plan = await living(desk, status="draft")
    assert {s["status"] for s in plan.steps.values()} == {"proposed"}
    days = plan.days

    await plan.change({"type": "activate"})

    assert plan.plan["status"] == "active"
    assert {s["status"] for s in plan.steps.values()} == {"planned"}
    assert plan.days == days
    await plan.refused({"type": "activate"})
    await plan.change({"type": "correct", "change_id": await plan.last_change()})
    assert (plan.plan["status"], plan.days) == ("draft", days)


async def test_on_hold_nothing_is_overdue_and_resuming_dates_again(desk: Desk) -> None:
    plan = await living(desk, **NO_TIES)
    await plan.on("2027-03-10")
    await plan.change(*did(consult="2027-01-13", pre_check="2027-03-05", session="2027-03-10"))
    before = plan.days

    await plan.change({"type": "hold"}, reason="ill")
    await plan.on("2027-03-18")
    assert (plan.plan["status"], plan.days) == ("on_hold", before)
    assert "overdue" not in {s["window_state"] for s in plan.steps.values()}
    answer = await plan.change({"type": "resume", "on": "2027-03-23"})

    assert plan.plan["status"] == "active"
    # The visits still have their windows; the call's has passed: it waits for a person.
    assert moved(answer)["rehab_start"] == ("2027-03-19", "2027-03-23")
    assert not [day for _, day in moved(answer).values() if day is None or day < "2027-03-23"]
    assert plan.steps["call_day3"]["date"] == "2027-03-12"
    assert plan.steps["call_day3"]["window_state"] == "overdue"


async def test_resuming_gives_new_days_to_what_has_passed(desk: Desk) -> None:
    plan = await living(desk, **NO_TIES)
    await plan.on("2027-03-10")
    await plan.change(
        *did(
            consult="2027-01-13",
            pre_check="2027-03-05",
            session="2027-03-10",
        ),
        {"type": "skip", "step": "call_day3"},
    )
    await plan.change({"type": "hold"})
    await plan.on("2027-03-20")

    answer = await plan.change({"type": "resume", "on": "2027-03-24"})

    assert moved(answer)["rehab_start"] == ("2027-03-19", "2027-03-24")
    assert plan.days["followup_2w"] == "2027-03-24"


async def test_a_completed_plan_calls_off_what_is_left_and_can_go_on(desk: Desk) -> None:
    plan = await living_until_april(desk)
    before = plan.plan

    await plan.change({"type": "complete"})

    statuses = {s["status"] for n, s in plan.steps.items() if n not in LIVED_THROUGH}
    assert (plan.plan["status"], statuses) == ("completed", {"performed", "cancelled"})
    assert (plan.plan["next_step"], plan.plan["needs_attention"]) == (None, [])
    assert {s["window_state"] for s in plan.steps.values()} <= {"in_window", "early", "late", None}
    assert all(not step["allowed_changes"] for step in plan.steps.values())
    problem = await plan.refused({"type": "report", "agent": "nsaid", "on": "2027-04-01"})
    assert problem["errors"][0]["detail"] == "a plan that is completed does not change"
    await plan.change({"type": "resume"})
    assert {n: s["date"] for n, s in plan.steps.items()} == {
        n: s["date"] for n, s in steps_of(before).items()
    }


@pytest.mark.parametrize("end", ["complete", "revoke"])
async def test_a_span_that_had_passed_when_its_plan_ended_was_not_called_off(
    desk: Desk, end: str
) -> None:
    plan = await living(desk)
    await plan.on("2027-04-02")
    await plan.change(*did(session="2027-03-10"))
    before = plan.steps
    feed = await good(desk.api.post("/v1/calendars", json={"location_id": desk.location_id}))

    await plan.change({"type": end})

    spans = {n: s["status"] for n, s in plan.steps.items() if s["end_date"] is not None}
    assert {n for n, status in spans.items() if status == "planned"} == LIVED_THROUGH
    # What goes on now is called off with the rest, and what nobody has decided on.
    assert set(spans.values()) == {"planned", "cancelled"}
    for name in LIVED_THROUGH:
        assert plan.steps[name] == before[name] | {"window_state": None, "allowed_changes": []}
        asked = await good(desk.api.get(f"/fhir/R4/ServiceRequest/{plan.id_of(name)}"))
        assert asked["status"] == "completed"
    shown = (await desk.api.get(feed["path"])).text
    entry = shown.split(f"UID:{plan.id_of('protect')}")[1].split("END:VEVENT")[0]
    assert "STATUS:CONFIRMED" in entry
    await plan.change({"type": "correct", "change_id": await plan.last_change()})
    assert plan.steps == before


async def test_a_span_after_a_step_that_was_never_done_is_called_off(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-04-02")

    await plan.change({"type": "revoke"})

    statuses = {name: step["status"] for name, step in plan.steps.items()}
    # Nothing was taken before the session, which did not take place; nothing came after it.
    assert (statuses["nsaid_free"], statuses["protect"]) == ("planned", "cancelled")


async def test_a_revoked_plan_is_over_unless_revoking_was_an_error(desk: Desk) -> None:
    plan = await living(desk)
    days = plan.days

    await plan.change({"type": "revoke"}, reason="patient declines")

    assert plan.plan["status"] == "revoked"
    assert {s["status"] for s in plan.steps.values()} == {"cancelled"}
    for change in ({"type": "activate"}, {"type": "resume"}, {"type": "hold"}):
        problem = await plan.refused(change)
        assert problem["errors"][0]["code"] == "contradiction"
    await plan.change({"type": "correct", "change_id": await plan.last_change()})
    assert (plan.plan["status"], plan.days) == ("active", days)
    assert {s["status"] for s in plan.steps.values()} == {"planned"}


async def test_a_plan_ends_with_what_was_done_in_one_post(desk: Desk) -> None:
    plan = await living_until_april(desk)

    await plan.change(
        *did(rehab_visits__4="2027-04-14"),
        {"type": "report", "agent": "corticosteroid_injection", "on": "2027-04-14"},
        {"type": "revoke"},
    )

    visit = plan.steps["rehab_visits/4"]
    assert (visit["status"], visit["date"], visit["window_state"]) == (
        "performed",
        "2027-04-14",
        "in_window",
    )
    assert plan.steps["booster"]["status"] == "cancelled"
