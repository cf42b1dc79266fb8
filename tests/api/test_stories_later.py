"""Dated stories through HTTP: not ready, a neuroma's ladder, an integrator's updates."""

from app.domain.documents import document_to_data
from app.services.library import library_protocol
from tests.api.given_changes import DONE, Living, did, have_protocol, living, moved
from tests.api.given_plans import Data, Desk, good

MORTON = "mortons-neuroma-ladder"
FINDING: Data = {"type": "report", "finding": "antibiotics_for_infection", "on": "2027-03-08"}


async def test_story_11_not_ready(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-08")
    await plan.change(*did(**DONE))
    primers = {name: plan.steps[name]["date"] for name in ("primer/1", "primer/2")}

    told = await plan.change(FINDING)
    assert {b["rule"] for b in told["breaches"]} == {"infection"}
    await plan.change({"type": "move_anchor", "to": None}, reason="tooth abscess")
    assert plan.plan["anchor"] == {"step": "session", "date": None}
    assert {n for n, s in plan.steps.items() if s["date"] is not None} == {
        *(step.replace("__", "/") for step in DONE),
        "orthotic_check",
    }
    assert {name: plan.steps[name]["date"] for name in primers} == primers
    await plan.on("2027-03-16")
    again = await plan.change({"type": "move_anchor", "to": "2027-03-30"}, reason="cleared")

    assert {
        name: plan.days[name]
        for name in ("pre_check", "session", "followup_2w", "booster", "followup/m12")
    } == {
        "pre_check": "2027-03-25",
        "session": "2027-03-30",
        "followup_2w": "2027-04-13",
        "booster": "2027-05-11",
        "followup/m12": "2028-03-29",
    }
    # Until a person has seen it, the finding goes on asking for clearance.
    for breach in again["breaches"]:
        await plan.change({"type": "acknowledge", "breach": breach["id"]})
    assert plan.plan["needs_attention"] == []


async def test_story_11_too_long_after_the_primer_a_person_must_look(desk: Desk) -> None:
    plan = await living(desk, parameters={"primer_count": 1, "orthotics": "declined"})
    await plan.on("2027-02-24")
    await plan.change(*did(consult="2027-01-13", primer__1="2027-02-23"))
    await plan.change({"type": "move_anchor", "to": None})
    waived = {"type": "waive", "element": "timing:primer/1.earliest", "days": 14, "reason": "ok"}

    soon = await good(plan.preview({"type": "move_anchor", "to": "2027-03-30"}))
    late = await good(plan.preview(waived, {"type": "move_anchor", "to": "2027-04-13"}))

    assert soon["breaches"] == []
    assert [(b["rule"], b["severity"]) for b in late["breaches"]] == [
        ("primer-to-session-max", "review")
    ]


async def on_the_ladder(desk: Desk, *, until: str) -> Living:
    """A neuroma treated since 12 January, everything done as planned."""
    protocol = document_to_data(library_protocol(MORTON))
    await have_protocol(desk, protocol)
    plan = await living(
        desk,
        protocol={"key": MORTON},
        location_id=await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        anchor={"date": "2027-01-12"},
        parameters=...,
        laterality="left",
        unavailable=[],
    )
    assert [plan.days[s] for s in ("start", "review_6w", "decide_1")] == [
        "2027-01-12",
        "2027-02-23",
        "2027-04-06",
    ]
    await plan.on(until)
    past = {n: d for n, d in plan.days.items() if d is not None and d < until}
    spans = {name for name, step in plan.steps.items() if step["end_date"]}
    await plan.change(
        *({"type": "perform", "step": n, "on": d} for n, d in past.items() if n not in spans)
    )
    return plan


async def test_story_14_steroid(desk: Desk) -> None:
    plan = await on_the_ladder(desk, until="2027-04-06")

    answer = await plan.change({"type": "decide", "step": "decide_1", "choice": "steroid"})

    assert {
        name: plan.days[name]
        for name in ("steroid/1", "steroid_rest", "steroid_review", "decide_2")
    } == {
        "steroid/1": "2027-04-13",
        "steroid_rest": "2027-04-13",
        "steroid_review": "2027-05-04",
        "decide_2": "2027-07-06",
    }
    assert plan.steps["steroid_rest"]["end_date"] == "2027-04-27"
    assert len(answer["added"]) == 4
    assert moved(answer) == {}


async def test_story_14_alcohol_and_a_missed_injection(desk: Desk) -> None:
    plan = await on_the_ladder(desk, until="2027-04-06")

    await plan.change({"type": "decide", "step": "decide_1", "choice": "alcohol"})
    assert [plan.days[f"alcohol/{n}"] for n in range(1, 6)] == [
        "2027-04-20",
        "2027-04-27",
        "2027-05-04",
        "2027-05-11",
        "2027-05-18",
    ]
    assert [plan.days[s] for s in ("alcohol_review", "decide_3")] == ["2027-06-29", "2027-08-16"]
    await plan.on("2027-05-05")
    await plan.change(*did(alcohol__1="2027-04-20", alcohol__2="2027-04-27"))
    before = plan.days
    await plan.change({"type": "miss", "step": "alcohol/3"})

    url = f"{plan.url}/steps/{plan.id_of('alcohol/3')}/days?from=2027-05-01&until=2027-05-15"
    days = [day["date"] for day in (await good(desk.api.get(url)))["days"]]
    assert days == ["2027-05-05", "2027-05-06", "2027-05-07"]
    answer = await plan.change({"type": "move", "step": "alcohol/3", "to": "2027-05-06"})
    assert moved(answer) == {"alcohol/3": ("2027-05-05", "2027-05-06")}
    assert plan.days == {**before, "alcohol/3": "2027-05-06"}
    # On the last day the next one is too near: it follows by a day.
    last = await good(plan.preview({"type": "move", "step": "alcohol/3", "to": "2027-05-07"}))
    assert moved(last)["alcohol/4"] == ("2027-05-11", "2027-05-12")


async def test_story_14_a_prp_plan_for_the_same_foot_waits_for_the_steroid(desk: Desk) -> None:
    plan = await on_the_ladder(desk, until="2027-04-06")
    await plan.change({"type": "decide", "step": "decide_1", "choice": "steroid"})
    await plan.on("2027-04-14")
    await plan.change(*did(steroid__1="2027-04-13"))
    timing = {"relative_to": {"step": "prp"}, "target": "P14D"}
    washout = {
        "id": "steroid-before",
        "type": "washout",
        "agent": "corticosteroid_injection",
        "before": "P28D",
        "applies_to": ["prp"],
        "same_site": True,
    }
    prp: Data = {
        "format": 1,
        "key": "foot-prp",
        "title": "PRP into the foot",
        "anchor": "prp",
        "body_site": {"key": "foot", "text": "Foot"},
        "steps": [
            {"key": "prp", "kind": "injection", "title": "PRP"},
            {"key": "check", "kind": "visit", "title": "Check", "timings": [timing]},
        ],
        "rules": [washout],
    }
    await have_protocol(desk, prp)
    fields: Data = {
        "protocol": {"key": "foot-prp"},
        "location_id": plan.plan["location_id"],
        "anchor": {"earliest_from": "2027-04-14", "until": "2027-08-01"},
        "parameters": ...,
    }

    same = await desk.previewed(**fields, laterality="left")
    other = await desk.previewed(**fields, laterality="right")

    assert same["anchor"]["date"] == "2027-05-11"
    assert other["anchor"]["date"] == "2027-04-14"


async def test_story_17_the_session_took_place_on_another_day_than_planned(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13", primer__2="2027-02-02"))
    await plan.change(*did(orthotic_impression="2027-02-03"))
    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    await plan.on("2027-03-23")
    await plan.change(
        *did(
            primer__1="2027-02-23",
            orthotic_fitting="2027-02-24",
            baseline_outcomes="2027-03-05",
            pre_check="2027-03-16",
            orthotic_check="2027-03-17",
        )
    )
    before = plan.steps

    answer = await plan.change({"type": "perform", "step": "session", "at": "2027-03-20T20:00:00Z"})

    session = plan.steps["session"]
    assert (session["status"], session["date"]) == ("performed", "2027-03-20")
    assert moved(answer)["protect"] == ("2027-03-19", "2027-03-20")
    assert all(plan.steps[name]["end_date"] for name in moved(answer))
    for name in ("call_day3", "rehab_start", "followup_2w", "booster"):
        was, now = before[name]["window"], plan.steps[name]["window"]
        assert now["target"] > was["target"]


async def test_story_17_and_18_an_old_tag_is_refused_and_a_fresh_one_taken(desk: Desk) -> None:
    plan = await living(desk)
    url = f"{plan.url}/changes"
    move = {"changes": [{"type": "move_anchor", "to": "2027-03-19"}]}
    desk_tag = ehr_tag = (await desk.api.get(plan.url)).headers["etag"]

    first = await desk.api.post(
        url, json={"changes": did(consult="2027-01-04")}, headers={"if-match": desk_tag}
    )
    stale = await desk.api.post(url, json=move, headers={"if-match": ehr_tag})
    fresh = (await desk.api.get(plan.url)).headers["etag"]
    taken = await desk.api.post(url, json=move, headers={"if-match": fresh})

    assert [a.status_code for a in (first, stale, taken)] == [200, 412, 200]
    assert taken.json()["plan"]["revision"] == 3
    assert len(taken.json()["moves"]) > 10
