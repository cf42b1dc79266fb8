"""The dated stories of the vectors, lived through HTTP: planned, kept, changed, refused."""

from datetime import date, timedelta
from typing import Any

import pytest

from app.domain.documents import ProtocolDocument, document_to_data
from app.domain.documents.protocols import BodySite
from tests.api.given_changes import Living, have_protocol
from tests.api.given_plans import Data, Desk, good, steps_of
from tests.domain.given_vectors import protocol_of, vectors

STORIES = vectors("scenarios")
# Absences of somebody other than the patient come with resources.
NOT_YET = {"story-10-eight", "story-10-early"}
PLANNED = [v for v in STORIES if not v["given"].get("kept") and v["id"] not in NOT_YET]
KEPT = [v for v in STORIES if v["given"].get("kept")]
LONG_BEFORE = timedelta(days=60)


def named(fact: Data) -> str:
    """An occurrence, as requests name it."""
    number = fact.get("occurrence")
    return fact["step"] if number is None else f"{fact['step']}/{number}"


def known(given: Data) -> list[Data]:
    """Facts and waivers as changes."""
    found = []
    for fact in given.get("facts", ()):
        if fact["type"] == "performed":
            when = {key: fact[key] for key in ("on", "at") if key in fact}
            found.append({"type": "perform", "step": named(fact), **when})
        elif fact["type"] == "reported":
            told = {key: value for key, value in fact.items() if key not in {"type", "id"}}
            found.append({"type": "report", **told})
    found += [
        {"type": "waive", "element": element, "reason": "given"}
        for element in given.get("waivers", ())
    ]
    return found


async def body_of(desk: Desk, vector: Data) -> Data:
    """The request for a plan of this vector's protocol at a location of its calendar."""
    given = vector["given"]
    plan = given.get("plan", {})
    site = plan.get("body_site")
    document = ProtocolDocument(
        key=vector["id"],
        version="1.0.0",
        title=vector["title"],
        protocol=protocol_of(given),
        body_site=None if site is None else BodySite(site, site),
    )
    await have_protocol(desk, document_to_data(document))
    calendar = given["calendar"]
    location = await desk.location(
        time_zone=calendar["time_zone"], open_weekdays=calendar["open_weekdays"]
    )
    for closure in calendar["closures"]:
        days = {"from": closure.get("from"), "to": closure.get("to")}
        first = closure.get("date") or days["from"]
        body = {"location_id": location, "key": closure["id"], "title": "Closed", "from": first}
        last = closure.get("date") or days["to"]
        await good(desk.api.post("/v1/closures", json={**body, "to": last}))
    anchor = {k: v for k, v in given["anchor"].items() if k in {"date", "earliest_from", "until"}}
    return {
        "protocol": {"key": vector["id"]},
        "patient": {"id": await desk.patient()},
        "location_id": location,
        "anchor": anchor,
        "parameters": given.get("parameters", {}),
        "laterality": plan.get("laterality"),
        "unavailable": [
            {"from": away["from"], "to": away["to"]} for away in given.get("unavailable", ())
        ],
    }


def seen(plan: Data, expect: Data) -> Data:
    """What a plan shows of what is expected."""
    steps = {n: s for n, s in steps_of(plan).items() if s["status"] not in {"skipped", "cancelled"}}
    found: Data = {
        "dates": {name: step["date"] for name, step in steps.items()},
        "windows": {n: steps[n]["window"] for n in expect.get("windows", {})},
        "ends": {name: step["end_date"] for name, step in steps.items() if step["end_date"]},
        "chosen": {key: plan["chosen"].get(key) for key in expect.get("chosen", {})},
        "breaches": sorted({breach["rule"] for breach in plan["breaches"]}),
    }
    return {key: found[key] for key in found if key in expect}


def expected(expect: Data) -> Data:
    """The same of the vector."""
    keys = ("dates", "windows", "ends", "chosen", "breaches")
    return {
        key: sorted(expect[key]) if key == "breaches" else expect[key]
        for key in keys
        if key in expect
    }


async def bookable(plan: Living, step: str, asked: Data) -> list[str]:
    """The days a step of a stored plan could have."""
    url = f"{plan.url}/steps/{plan.id_of(step)}/days?from={asked['from']}&until={asked['to']}"
    return [day["date"] for day in (await good(plan.desk.api.get(url)))["days"]]


def ids(vectors: list[Data]) -> list[Any]:
    """Vectors as parameters, by their ids."""
    return [pytest.param(vector, id=vector["id"]) for vector in vectors]


@pytest.mark.parametrize("vector", ids([v for v in PLANNED if "dates" in v["expect"]]))
async def test_a_told_plan_is_made_as_told(desk: Desk, vector: Data) -> None:
    given, expect = vector["given"], vector["expect"]
    await desk.at(f"{given['as_of']}T12:00:00-07:00")
    body = await body_of(desk, vector)

    plan = Living(desk, await good(desk.post({**body, "changes": known(given)})))

    assert seen(plan.plan, expect) == expected(expect)
    for step, asked in expect.get("bookable", {}).items():
        assert await bookable(plan, step, asked) == asked["days"]


@pytest.mark.parametrize("vector", ids([v for v in PLANNED if "conflict" in v["expect"]]))
async def test_a_told_conflict_is_refused_as_told(desk: Desk, vector: Data) -> None:
    given, expect = vector["given"], vector["expect"]
    await desk.at(f"{given['as_of']}T12:00:00-07:00")
    body = await body_of(desk, vector)

    answer = await desk.post({**body, "changes": known(given)})

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (409, "schedule-conflict")
    elements = sorted(element["id"] for element in problem["conflict"]["elements"])
    assert elements in [sorted(conflict) for conflict in expect["conflict"]]
    for option in problem["options"]:
        assert (await desk.preview(option["request"])).status_code == 200, option["text"]


async def kept(desk: Desk, vector: Data) -> Living:
    """A plan to which exactly these days were given out, long before."""
    given = vector["given"]
    days = {named(day): day["date"] for day in given["kept"]}
    done = {named(f): f["on"] for f in given["facts"] if f["type"] == "performed"}
    as_of = min(date.fromisoformat(day) for day in [given["as_of"], *days.values(), *done.values()])
    await desk.at(f"{as_of - LONG_BEFORE}T12:00:00-07:00")
    body = await body_of(desk, vector)
    anchor = given["anchor"]["step"]
    asked = days.get(anchor, given["anchor"].get("date"))
    open_days = given["calendar"]["open_weekdays"]
    any_day = {step["key"] for step in given["steps"] if step.get("any_day")}
    pins = {
        step: day
        for step, day in {**done, **days}.items()
        if step != anchor
        and (step.split("/")[0] in any_day or date.fromisoformat(day).isoweekday() in open_days)
    }
    changes = [{"type": "pin", "step": step, "to": day} for step, day in pins.items()]
    parameters = {**body["parameters"], **BEFORE.get(vector["id"], {})}
    body = {**body, "anchor": {"date": asked}, "parameters": parameters, "changes": changes}
    plan = Living(desk, await good(desk.post(body)))
    await plan.change(*({"type": "unpin", "step": step} for step in pins))
    assert {step: plan.days[step] for step in days} == days
    return await plan.on(given["as_of"])


# What was decided in the story, and what was missed.
BEFORE: dict[str, Data] = {
    "story-09-eight-weeks": {"booster_timing": "six_weeks"},
    "story-09-none": {"booster_timing": "six_weeks"},
}
THEN: dict[str, list[Data]] = {
    "story-05-missed": [{"type": "miss", "step": "prolo/2"}],
    "story-14-missed": [{"type": "miss", "step": "alcohol/3"}],
}


@pytest.mark.parametrize("vector", ids(KEPT))
async def test_a_told_change_gives_the_told_days(desk: Desk, vector: Data) -> None:
    given, expect = vector["given"], vector["expect"]
    plan = await kept(desk, vector)
    changes = [*known(given), *THEN.get(vector["id"], [])]
    anchor = given["anchor"]
    if plan.days[anchor["step"]] != anchor.get("date"):
        changes.append({"type": "move_anchor", "to": anchor["date"]})
    changes += [
        {"type": "set_parameter", "key": key, "value": value}
        for key, value in given.get("parameters", {}).items()
        if plan.plan["parameters"].get(key) != value
    ]

    answer = await plan.change(*changes)

    assert seen(plan.plan, expect) == expected(expect)
    promised = {named(day): day["date"] for day in given["kept"]}
    moves = {move["step"]: move["to"] for move in answer["moves"] if move["step"] in promised}
    assert moves == {
        move["step"]: move["to"] for move in expect.get("moves", []) if move["step"] in promised
    }
    for step, asked in expect.get("bookable", {}).items():
        assert await bookable(plan, step, asked) == asked["days"]
