"""A plan goes on by another version of its protocol: steps matched by key, facts as they were."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.protocols import ProtocolRepository
from tests.api.given_changes import Living, did, living, moved
from tests.api.given_plans import Data, Desk, faults_of, store_protocol


def timed(key: str, kind: str, title: str, *, target: str, **fields: Any) -> Data:
    """A step with one timing from the session."""
    timing = {"relative_to": {"step": "session"}, "target": target}
    return {"key": key, "kind": kind, "title": title, "timings": [timing], **fields}


SESSION: Data = {"key": "session", "kind": "procedure", "title": "Session"}
COURSE: Data = {
    "format": 1,
    "key": "amended-course",
    "title": "A course",
    "anchor": "session",
    "parameters": [
        {"key": "checks", "title": "Checks", "type": "integer", "min": 1, "default": 2, "max": 4}
    ],
    "steps": [
        timed("consult", "visit", "Consultation", target="-P14D"),
        timed("leaflet", "visit", "Leaflet handed out", target="-P10D"),
        SESSION,
        timed(
            "check",
            "visit",
            "Check",
            target="P7D",
            repeat={
                "count": {"min": 1, "default": 2, "max": 4, "parameter": "checks"},
                "spacing": {"earliest": "P7D", "target": "P7D"},
            },
        ),
        timed("call", "call", "Call", target="P3D"),
    ],
}
# No leaflet and no call any more; another title, a later check, and a scan.
STEPS = COURSE["steps"]
NEW: Data = {
    **COURSE,
    "steps": [
        timed("scan", "visit", "Scan", target="-P21D"),
        {**STEPS[0], "title": "First visit"},
        SESSION,
        {**STEPS[3], "timings": [{"relative_to": {"step": "session"}, "target": "P14D"}]},
    ],
}

_numbers = count(1)


async def a_course(desk: Desk, **fields: Any) -> Living:
    """A plan by the first version of a protocol of its own."""
    key = f"course-{next(_numbers)}"
    await store_protocol(desk.app, {**COURSE, "key": key})
    location = await desk.location(open_weekdays=[1, 2, 3, 4, 5, 6, 7])
    body: Data = {
        "protocol": {"key": key},
        "location_id": location,
        "parameters": ...,
        "laterality": ...,
        "unavailable": [],
    }
    return await living(desk, **{**body, **fields})


async def publish(plan: Living, data: Data, version: str = "2.0.0", status: str = "active") -> Data:
    """Retire the first version and have another; gives the change that amends a plan to it."""
    key = plan.plan["protocol"]["key"]
    async with plan.desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        versions = ProtocolRepository(connection, plan.desk.app.state.clinic_id)
        await versions.retire(key, "1.0.0", now=datetime(2027, 1, 1, tzinfo=UTC))
    await store_protocol(plan.desk.app, {**data, "key": key}, version=version, status=status)
    return {"type": "amend", "version": version}


async def test_steps_are_matched_by_key_and_keep_their_ids(desk: Desk) -> None:
    plan = await a_course(desk)
    before = plan.steps
    amend = await publish(plan, NEW)

    answer = await plan.change(amend)

    assert plan.plan["protocol"]["version"] == "2.0.0"
    assert plan.steps.keys() == {"scan", "consult", "session", "check/1", "check/2"}
    kept = plan.steps.keys() & before.keys()
    assert {name: plan.steps[name]["id"] for name in kept} == {
        name: before[name]["id"] for name in kept
    }
    assert answer["added"] == [plan.id_of("scan")]
    assert [(gone["step"], gone["step_id"], gone["title"]) for gone in answer["removed"]] == [
        (name, before[name]["id"], before[name]["title"]) for name in ("leaflet", "call")
    ]
    assert moved(answer) == {}
    assert plan.steps["consult"]["title"] == "First visit"
    assert plan.steps["check/1"]["deviation_days"] == -7
    (change,) = (await plan.history())[-1]["changes"]
    assert (change["type"], change["version"]) == ("amend", "2.0.0")


async def test_what_is_performed_stays_as_it_was_done(desk: Desk) -> None:
    plan = await a_course(desk)
    await plan.on("2027-03-01")
    await plan.change(*did(consult="2027-02-24", leaflet="2027-02-28"))
    before = plan.steps
    amend = await publish(plan, NEW)

    answer = await plan.change(amend)

    for name in ("consult", "leaflet"):
        step, was = plan.steps[name], before[name]
        for key in ("id", "title", "date", "status", "kind"):
            assert step[key] == was[key], name
    assert [gone["step"] for gone in answer["removed"]] == ["call"]
    # It goes on: a later change still has it, and no more steps come of it.
    await plan.change({"type": "move_anchor", "to": "2027-03-12"})
    assert plan.steps["leaflet"] == before["leaflet"]


async def test_an_amendment_may_move_what_has_drifted(desk: Desk) -> None:
    plan = await a_course(desk)
    later = [{**STEPS[3], "timings": [{"relative_to": {"step": "session"}, "target": "P20D"}]}]
    amend = await publish(plan, {**NEW, "steps": [*NEW["steps"][:3], *later]})

    answer = await plan.change(amend)

    assert moved(answer) == {
        "check/1": ("2027-03-17", "2027-03-30"),
        "check/2": ("2027-03-24", "2027-04-06"),
    }


async def test_an_amendment_taken_back_gives_the_old_plan(desk: Desk) -> None:
    plan = await a_course(desk)
    before = plan.steps
    await plan.change(await publish(plan, NEW))

    answer = await plan.change({"type": "correct", "change_id": await plan.last_change()})

    assert plan.plan["protocol"]["version"] == "1.0.0"
    assert plan.steps.keys() == before.keys()
    assert {n: (s["date"], s["title"], s["window"]) for n, s in plan.steps.items()} == {
        n: (s["date"], s["title"], s["window"]) for n, s in before.items()
    }
    assert [gone["step"] for gone in answer["removed"]] == ["scan"]


async def test_an_added_step_goes_on_with_the_plan(desk: Desk) -> None:
    plan = await a_course(desk)
    timing = {"relative_to": {"step": "session"}, "target": "P5D"}
    await plan.change({"type": "add_step", "title": "Extra", "kind": "visit", "timing": timing})
    extra = next(step for step in plan.plan["steps"] if step["title"] == "Extra")

    await plan.change(await publish(plan, NEW))

    assert plan.steps[extra["key"]]["id"] == extra["id"]


async def test_a_version_that_does_not_fit_the_plan_is_refused(desk: Desk) -> None:
    plan = await a_course(desk, parameters={"checks": 4})
    few = [{**COURSE["parameters"][0], "max": 3}]
    amend = await publish(plan, {**NEW, "parameters": few})

    problem = await plan.refused(amend)

    assert (problem["status"], problem["type"]) == (422, "invalid-change")
    assert faults_of(problem) == {"/changes/0/version": "not-compatible"}
    instead = {"type": "set_parameter", "key": "checks"}
    again = await plan.refused(amend, {**instead, "value": 4})
    assert faults_of(again) == {"/changes/1/value": "not-allowed"}
    await plan.change(amend, {**instead, "value": 3})
    assert "check/3" in plan.steps


async def test_a_parameter_that_the_version_does_not_have_counts_no_more(desk: Desk) -> None:
    plan = await a_course(desk, parameters={"checks": 4})
    amend = await publish(plan, {**NEW, "parameters": [], "steps": [STEPS[0], SESSION]})
    unknown = {"type": "set_parameter", "key": "checks", "value": 2}

    problem = await plan.refused(amend, unknown)
    answer = await plan.change(amend)

    assert faults_of(problem) == {"/changes/1/key": "unknown-parameter"}
    assert {removed["step"] for removed in answer["removed"]} >= {"check/1", "check/4"}
    await plan.change({"type": "correct", "change_id": await plan.last_change()})
    assert "check/4" in plan.steps


async def test_a_version_with_another_anchor_is_refused(desk: Desk) -> None:
    plan = await a_course(desk)
    steps = [{"key": "operation", "kind": "procedure", "title": "Operation"}]
    amend = await publish(plan, {**COURSE, "anchor": "operation", "steps": steps})

    problem = await plan.refused(amend)

    assert faults_of(problem) == {"/changes/0/version": "not-compatible"}


async def test_a_version_without_what_an_added_step_hangs_on_is_refused(desk: Desk) -> None:
    plan = await a_course(desk)
    timing = {"relative_to": {"step": "leaflet"}, "target": "P5D"}
    await plan.change({"type": "add_step", "title": "Extra", "kind": "visit", "timing": timing})

    problem = await plan.refused(await publish(plan, NEW))

    assert faults_of(problem) == {"/changes/0/version": "unknown-step"}


async def test_only_an_active_version_is_gone_on_by(desk: Desk) -> None:
    plan = await a_course(desk)
    amend = await publish(plan, NEW, status="draft")

    problem = await plan.refused(amend)
    missing = await plan.refused({"type": "amend", "version": "9.9.9"})

    assert (problem["status"], problem["type"]) == (409, "version-not-active")
    assert (missing["status"], missing["type"]) == (404, "version-not-found")


async def test_the_new_versions_rules_hold_from_now_on(desk: Desk) -> None:
    plan = await a_course(desk)
    apart = {"id": "apart", "type": "min_gap", "from": "session", "to": "check", "offset": "P10D"}
    amend = await publish(plan, {**NEW, "rules": [apart]})

    answer = await plan.change(amend)

    assert moved(answer)["check/1"] == ("2027-03-17", "2027-03-24")
