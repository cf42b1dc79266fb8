"""The guide's page on events: every type, when it comes, what it says; lived on both databases."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.api import docs
from app.domain.permissions import Role
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.services import oauth
from app.services.context import Context
from app.services.events import EventType
from app.worker import Worker
from tests.api.given_changes import Living, did, hours
from tests.api.given_plans import Data, Desk, good
from tests.api.given_protocols import ADDRESS, SMALL, approval, visit
from tests.api.test_changes_amended import NEW, a_course, publish
from tests.client import Client

PAGE = Path(docs.__file__).with_name("guide").joinpath("events.md").read_text("utf-8")
ROWS: dict[str, tuple[str, str]] = {
    name: (names, data)
    for name, names, data in re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE
    )
}
# It takes days of failures; the tests of webhooks live it.
LIVED_ELSEWHERE = {"webhook_disabled"}
CANARY = "Zdrfgq"
NAMES = ("plan_id", "patient_id", "revision")


def named(cell: str) -> set[str]:
    """What a cell of the table names."""
    return set(re.findall(r"`(\w+)`", cell))


def test_every_type_of_event_is_documented_and_no_other() -> None:
    assert set(ROWS) == {type_.value for type_ in EventType}


async def feed(api: Client, **which: Any) -> list[Data]:
    """Every event, page by page."""
    found: list[Data] = []
    after = 0
    while items := (page := await good(api.get("/v1/events", params={"after": after, **which})))[
        "items"
    ]:
        found += items
        after = page["last"]
    return found


@pytest.fixture
async def lived(own_desk: Desk) -> list[Data]:
    """The events of a clinic in which everything happens, and free texts are telling."""
    await live_clinic(own_desk.api, own_desk)
    await live_protocol(own_desk.api)
    await live_plan(own_desk)
    await live_other_plans(own_desk)
    await live_patients(own_desk)
    await live_keys(own_desk.api)
    await live_clients(own_desk.app)
    return await feed(own_desk.api, limit=200)


async def live_clinic(api: Client, desk: Desk) -> None:
    """Rules, locations, closures, webhooks."""
    rules = await api.get("/v1/clinic/rules")
    kept = {"format": 1, "washouts": []}
    tag = {"if-match": rules.headers["etag"]}
    await good(api.put("/v1/clinic/rules", json=kept, headers=tag))
    place = await desk.location(name=CANARY)
    tag = {"if-match": '"1"'}
    await good(api.patch(f"/v1/locations/{place}", json={"name": f"{CANARY} 2"}, headers=tag))
    body = {"location_id": place, "title": CANARY, "from": "2027-05-03", "to": "2027-05-04"}
    closure = await good(api.post("/v1/closures", json=body))
    assert (await api.delete(f"/v1/closures/{closure['id']}")).is_success
    hook = {"url": f"https://example.org/{CANARY}", "title": CANARY}
    webhook = await good(api.post("/v1/webhooks", json=hook))
    address = f"/v1/webhooks/{webhook['id']}"
    await good(api.patch(address, json={"title": f"{CANARY} 2"}, headers=tag))
    assert (await api.post(f"{address}/test")).is_success
    assert (await api.delete(address)).is_success


async def live_protocol(api: Client) -> None:
    """A protocol from its first draft to its last version."""
    await good(api.post("/v1/protocols", json={**SMALL, "title": CANARY}))
    tag = {"if-match": '"1"'}
    draft = await good(api.put(ADDRESS, json=visit(title=CANARY), headers=tag))
    tag = {"if-match": '"2"'}
    body = approval(draft, name=CANARY)
    await good(api.post(f"{ADDRESS}/activate", json=body, headers=tag))
    await good(api.post("/v1/protocols/small/versions", json={"version": "1.1.0"}))
    await good(api.post(f"{ADDRESS}/retire", headers={"if-match": '"3"'}))


async def live_plan(desk: Desk) -> None:
    """A plan of which everything is told that can be told of steps."""
    texts = {"note": CANARY, "condition": CANARY, "practitioner": f"Dr {CANARY}"}
    plan = Living(desk, await desk.plan(**texts))
    added = {"relative_to": {"step": "session"}, "target": "P7D"}
    await plan.on("2027-02-03")
    await Worker(desk.app.state.database).work()
    await plan.change(*did(consult="2027-01-13"), {"type": "miss", "step": "primer/2"})
    await plan.change({"type": "add_step", "title": CANARY, "kind": "visit", "timing": added})
    change = next(c for c in (await plan.history())[1]["changes"] if c["type"] == "perform")
    await plan.change({"type": "correct", "change_id": change["id"]}, reason=CANARY)
    await plan.change({"type": "book", "step": "session", **hours("2027-03-10")})
    await plan.change({"type": "unbook", "step": "session"})
    await plan.change(
        {"type": "skip", "step": "call_day3"}, {"type": "cancel", "step": "pre_check"}
    )
    await plan.change({"type": "restore", "step": "call_day3"})
    later = {"type": "move_anchor", "to": "2027-03-24"}
    await plan.change({"type": "set_parameter", "key": "primer_count", "value": 3}, later)
    await plan.change({"type": "set_parameter", "key": "primer_count", "value": 0})
    await plan.change({"type": "move_anchor", "to": "2027-03-17"})
    await plan.on("2027-03-12")
    await plan.change({"type": "report", "agent": "nsaid", "on": "2027-03-11"})
    await plan.change({"type": "move_anchor", "to": "2027-03-31"})
    await plan.change({"type": "hold"}, reason=CANARY)
    await plan.change({"type": "resume"})
    for day in ("2027-04-14", "2027-04-21", "2027-04-28", "2027-05-05", "2027-05-12"):
        await plan.on(day)
        while await Worker(desk.app.state.database).work():
            pass
    decided = {"type": "decide", "step": "booster_decision", "choice": "no_booster"}
    await plan.change(*did(session="2027-03-31"), decided)
    await plan.change({"type": "complete"})


async def live_other_plans(desk: Desk) -> None:
    """A draft that is activated and amended, and a plan that is given up."""
    await desk.at("2027-06-01T12:00:00-06:00")
    later = {"anchor": {"date": "2027-09-08"}, "patient": {"id": await desk.patient(name=CANARY)}}
    plan = await a_course(desk, status="draft", **later)
    await plan.change({"type": "activate"})
    await plan.change(await publish(plan, NEW))
    for of in ({"plan_id": plan.plan["id"]}, {"patient_id": plan.plan["patient_id"]}):
        calendar = await good(desk.api.post("/v1/calendars", json=of))
    assert (await desk.api.delete(f"/v1/calendars/{calendar['id']}")).is_success
    await plan.change({"type": "revoke"})


async def live_patients(desk: Desk) -> None:
    """A patient with a life of its own, merged and erased."""
    one = await desk.patient(name=CANARY)
    url = f"/v1/patients/{one}"
    body = {"name": f"{CANARY} Z"}
    await good(desk.api.patch(url, json=body, headers={"if-match": '"1"'}))
    report = {"finding": "fever", "on": "2027-05-01", "note": CANARY}
    event = await good(desk.api.post(f"{url}/events", json=report))
    assert (await desk.api.delete(f"{url}/events/{event['id']}")).is_success
    away = await good(
        desk.api.post(f"{url}/unavailability", json={"from": "2027-07-01", "to": "2027-07-02"})
    )
    assert (await desk.api.delete(f"{url}/unavailability/{away['id']}")).is_success
    other = await desk.patient(name=CANARY)
    await good(desk.api.post(f"{url}/merge", json={"into": other}))
    await good(desk.api.post(f"/v1/patients/{other}/erase"))


async def live_clients(app: FastAPI) -> None:
    """A client that signs assertions, as the command line makes and revokes it."""
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        now = datetime(2027, 1, 4, 16, tzinfo=UTC)
        ctx = Context(connection, DEFAULT_CLINIC_ID, "local", now)
        client = await oauth.create_client(ctx, "ehr", Role.INTEGRATION, jwks={"keys": []})
        await oauth.revoke_client(ctx, client.id)


async def live_keys(api: Client) -> None:
    """A caller's key and its next; from here on calls need one."""
    key = await good(api.post("/v1/keys", json={"name": "desk", "role": "admin"}))
    api.headers["authorization"] = f"Bearer {key['key']}"
    again = await good(api.post(f"/v1/keys/{key['id']}/rotate", json={"overlap_hours": 1}))
    await good(api.post(f"/v1/keys/{again['id']}/revoke"))


async def test_every_event_says_what_the_page_says_and_nothing_of_a_person(
    app: FastAPI, lived: list[Data]
) -> None:
    told: dict[str, tuple[set[str], set[str]]] = {}
    for event in lived:
        names, data = told.setdefault(event["type"], (set(), set(event["data"])))
        names |= {name for name in NAMES if event[name] is not None}
        assert data == set(event["data"]), event["type"]

    assert set(ROWS) - set(told) == LIVED_ELSEWHERE
    assert told == {type_: (named(ROWS[type_][0]), named(ROWS[type_][1])) for type_ in sorted(told)}
    assert CANARY.lower() not in str(lived).lower()
