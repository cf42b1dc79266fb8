"""The story that the demo tells: how a plan is made, and what happens to it afterwards."""

from rich.console import Console

from app.commands.asking import Client, Data
from app.commands.printing import spoken
from app.commands.telling import (
    named,
    tell_breaches,
    tell_conflict,
    tell_history,
    tell_moves,
    tell_options,
    tell_plan,
)

PROTOCOL = "ankle-stem-cell-prp-full"
START = "2027-01-04T09:00:00-07:00"
LATER = "2027-03-03T09:00:00-07:00"
PRIMED = "2027-02-02T15:00:00-07:00"
DECIDED = "2027-04-14T10:00:00-06:00"
REPORTED = "2027-04-27T10:00:00-06:00"
ASKED_DAY = "2027-02-17"

LOCATION: Data = {
    "name": "Foot and ankle clinic",
    "time_zone": "America/Denver",
    "open_weekdays": [2, 3, 4, 5],
}
CLOSURE: Data = {
    "key": "renovation",
    "title": "renovation",
    "from": "2027-04-19",
    "to": "2027-04-23",
}
AWAY: Data = {"from": "2027-02-10", "to": "2027-02-20", "note": "on holiday"}
PLAN: Data = {
    "protocol": {"key": PROTOCOL},
    "patient": {"identifier": {"system": "urn:example:mrn", "value": "DEMO-1"}},
    "anchor": {"date": "2027-03-10"},
    "laterality": "right",
    "parameters": {"primer_count": 2, "booster_timing": "six_weeks"},
}
TOO_LATE: Data = {
    "protocol": {"key": PROTOCOL},
    "patient": {"identifier": {"system": "urn:example:mrn", "value": "DEMO-2"}},
    "anchor": {"date": "2027-03-11"},
    "laterality": "right",
    "parameters": {"primer_count": 2, "orthotics": "already_has"},
    "changes": [{"type": "perform", "step": "consult", "on": "2027-02-10"}],
}
STEROID: Data = {
    "agent": "corticosteroid_injection",
    "on": "2027-04-20",
    "body_site": "ankle",
    "laterality": "right",
    "note": "given at urgent care",
}


async def tell_making(client: Client, out: Console) -> Data:
    """The first chapter: a plan is made, a day and a request are refused. Gives the plan."""
    await _furnish(client, out)
    plan = await _plan(client, out)
    await _ask_why_not(client, out, plan)
    await _ask_too_late(client, out)
    return plan


async def tell_living(client: Client, out: Console, plan: Data) -> str:
    """The second chapter: what happens to the plan. Gives the address of a day that is refused."""
    plan = await _move_session(client, out, plan)
    plan = await _decide(client, out, plan)
    await _report_steroid(client, out, plan)
    history = await client.ask("GET", f"/v1/plans/{plan['id']}/history")
    out.print("\nNothing is lost. What made the plan what it is:\n")
    tell_history(out, history["items"][::-1])
    booster = _step(plan, "booster")
    return f"/v1/plans/{plan['id']}/steps/{booster['id']}/days/{booster['date']}"


async def _furnish(client: Client, out: Console) -> None:
    await client.ask("PUT", "/v1/clock", {"now": START})
    location = await client.ask("POST", "/v1/locations", LOCATION)
    await client.ask("POST", "/v1/closures", {"location_id": location["id"], **CLOSURE})
    patient = await client.ask("POST", "/v1/patients", _patient(PLAN))
    await client.ask("POST", f"/v1/patients/{patient['id']}/unavailability", AWAY)
    protocol = await _activate(client)
    out.print(
        f"A sandbox clinic: its clock stands at {spoken(START[:10])}.\n"
        f"  location  {LOCATION['name']}, {LOCATION['time_zone']}, open Tuesday to Friday\n"
        f"  closed    {CLOSURE['from']} to {CLOSURE['to']} ({CLOSURE['title']})\n"
        f"  patient   {_name(PLAN)}, away {AWAY['from']} to {AWAY['to']}\n"
        f"  protocol  {protocol['title']}\n"
        "            An example, not approved by a clinician: only a sandbox may plan by it."
    )


async def _activate(client: Client) -> Data:
    """Install the library and let plans be made by one of its examples, with its mark on it."""
    await client.ask("POST", "/v1/protocols/library")
    versions = await client.ask("GET", f"/v1/protocols/{PROTOCOL}/versions")
    draft = versions["items"][0]
    approval = {
        "name": "Nobody",
        "credential": "a sandbox, for trying out",
        "content_hash": draft["content_hash"],
        "evidence_note_read": False,
    }
    address = f"/v1/protocols/{PROTOCOL}/versions/{draft['version']}/activate"
    return await client.ask("POST", address, approval)


async def _plan(client: Client, out: Console) -> Data:
    plan = await client.ask("POST", "/v1/plans", PLAN)
    out.print(
        f"\nA plan for {_name(PLAN)}: session on {spoken(PLAN['anchor']['date'])}, right ankle, "
        "two primers, booster at six weeks.\n"
    )
    tell_plan(out, plan)
    out.print("\nTentative days hang on a decision: they are held, and not announced as firm.")
    return plan


async def _ask_why_not(client: Client, out: Console, plan: Data) -> None:
    primer = _step(plan, "primer", 1)
    day_path = f"/v1/plans/{plan['id']}/steps/{primer['id']}/days/{ASKED_DAY}"
    answer = await client.ask("GET", day_path)
    out.print(f"\nWhy not {spoken(ASKED_DAY)} for {named(primer)}? Because all of these hold:")
    tell_conflict(out, answer["conflict"])


async def _ask_too_late(client: Client, out: Console) -> None:
    await client.ask("PUT", "/v1/clock", {"now": LATER})
    await client.ask("POST", "/v1/patients", _patient(TOO_LATE))
    refusal = await client.ask("POST", "/v1/plans", TOO_LATE, expect=409)
    await client.ask("PUT", "/v1/clock", {"now": START})
    out.print(
        f"\nOn {spoken(LATER[:10])} somebody asks for {_name(TOO_LATE)}: two primers, session on "
        f"{spoken(TOO_LATE['anchor']['date'])}. It is refused, because all of these hold:"
    )
    tell_conflict(out, refusal["conflict"])
    out.print("Ways out, each a request that works as it stands:")
    tell_options(out, refusal["options"])


async def _move_session(client: Client, out: Console, plan: Data) -> Data:
    await client.ask("PUT", "/v1/clock", {"now": PRIMED})
    primer = _step(plan, "primer", 2)
    done = [("consult", "2027-01-13"), ("primer/2", primer["date"])]
    facts = [{"type": "perform", "step": step, "on": day} for step, day in done]
    plan = (await _change(client, plan, facts, "done on their days"))["plan"]
    out.print(
        f"\n{spoken(PRIMED[:10])}: {named(primer)}, is done. Then the physician has to travel: the "
        "session is asked for a week later. What moves, each day with its reasons:\n"
    )
    wish = [{"type": "move_anchor", "to": "2027-03-17"}]
    changed = await _change(client, plan, wish, "the physician travels")
    tell_moves(out, changed["plan"], changed["moves"])
    out.print(
        "\nWhat is done stays, and so do the other days given out: each is in its window still. "
        "Better days for them are offered, for a person to take:"
    )
    steps = {step["id"]: step for step in changed["plan"]["steps"]}
    for offer in changed["offers"]:
        step = steps[offer["step_id"]]
        out.print(f"  - {spoken(step['date'])}, {named(step)}: {offer['text']}", soft_wrap=True)
    moved: Data = changed["plan"]
    return moved


async def _decide(client: Client, out: Console, plan: Data) -> Data:
    """Let everything before the decision happen on its day, then take it at the visit."""
    await client.ask("PUT", "/v1/clock", {"now": DECIDED})
    facts = [
        {"type": "perform", "step_id": step["id"], "on": step["date"]}
        for step in plan["steps"]
        if step["status"] == "planned" and not step["end_date"] and step["date"] < DECIDED[:10]
    ]
    plan = (await _change(client, plan, facts, "done on their days"))["plan"]
    decision = _step(plan, "booster_decision")
    out.print(
        f"\nUntil {spoken(DECIDED[:10])}, the session too, everything happens on its day. At that "
        f"visit ({decision['title']}) the physician decides for a booster at eight weeks:\n"
    )
    choice = [{"type": "decide", "step_id": decision["id"], "choice": "booster_eight_weeks"}]
    changed = await _change(client, plan, choice, "decided at the visit")
    tell_moves(out, changed["plan"], changed["moves"])
    out.print("\nNeither is tentative any more: the days may be announced.")
    decided: Data = changed["plan"]
    return decided


async def _report_steroid(client: Client, out: Console, plan: Data) -> None:
    """Report on the patient what a plan must know, and post what is proposed as it stands."""
    await client.ask("PUT", "/v1/clock", {"now": REPORTED})
    event = await client.ask("POST", f"/v1/patients/{plan['patient_id']}/events", STEROID)
    (looked_at,) = event["plans"]
    plan = await client.ask("GET", f"/v1/plans/{plan['id']}")
    out.print(
        f"\n{spoken(REPORTED[:10])}: the patient tells of a steroid shot into the same ankle on "
        f"{spoken(STEROID['on'])}, {STEROID['note']}. It is reported once, on the patient, and "
        "every plan is looked at again. Flagged:"
    )
    tell_breaches(out, looked_at["breaches"])
    out.print(
        f"\nNothing has moved: the booster still stands on {spoken(_step(plan, 'booster')['date'])}"
        ", and the plan waits for a person. Proposed:\n"
    )
    tell_moves(out, plan, looked_at["moves"])
    changes = looked_at["request"]["changes"]
    plan = (await _change(client, plan, changes, "as proposed"))["plan"]
    day, flagged = _step(plan, "booster")["date"], plan["breaches"]
    out.print(
        f"\nPosted as it stands, it is done: the booster is on {spoken(day)}, and "
        f"{'something' if flagged else 'nothing'} is flagged."
    )


async def _change(client: Client, plan: Data, changes: list[Data], reason: str) -> Data:
    """Apply changes, all or none, to the revision of the plan that was read."""
    body = {"reason": reason, "changes": changes}
    address = f"/v1/plans/{plan['id']}/changes"
    return await client.ask("POST", address, body, revision=plan["revision"])


def _step(plan: Data, key: str, occurrence: int | None = None) -> Data:
    found: list[Data] = plan["steps"]
    return next(step for step in found if (step["key"], step["occurrence"]) == (key, occurrence))


def _patient(plan: Data) -> Data:
    return {"identifiers": [plan["patient"]["identifier"]]}


def _name(plan: Data) -> str:
    return str(plan["patient"]["identifier"]["value"])
