"""The guide tells of calendars what is so: its request works, its answers look like real ones."""

import json
import re
from pathlib import Path

from icalendar import Calendar

from app.api import docs
from app.persistence.tables import FEED_DAYS_AHEAD, FEED_DAYS_BACK
from app.services.calendars import MAX_ENTRIES
from tests.api.given_plans import Desk, good, steps_of

PAGE = Path(docs.__file__).with_name("guide").joinpath("calendars.md").read_text("utf-8")
PATIENT = "01920000-0000-7000-8000-000000000001"


def block(language: str) -> str:
    """The one block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


async def test_the_request_that_is_shown_is_answered_as_shown(desk: Desk) -> None:
    (body,) = re.findall(r"-d '(.*)'", block("sh"))

    made = await good(
        desk.api.post("/v1/calendars", json=json.loads(body.replace(PATIENT, desk.patient_id)))
    )

    shown = json.loads(block("json").replace(PATIENT, desk.patient_id))
    told_anew = {"id", "path", "created_at"}
    assert {**shown, **{key: made[key] for key in told_anew}} == made
    assert len(shown["path"]) == len(made["path"])


async def test_an_entry_looks_as_the_one_that_is_shown(desk: Desk) -> None:
    plan = await desk.plan()
    feed = await good(desk.api.post("/v1/calendars", json={"plan_id": plan["id"]}))
    session = steps_of(plan)["session"]["id"]
    booking = {
        "type": "book",
        "step_id": session,
        "starts_at": "2027-03-10T09:00:00-07:00",
        "ends_at": "2027-03-10T11:30:00-07:00",
    }
    headers = {"If-Match": '"1"'}
    path = f"/v1/plans/{plan['id']}/changes"
    await good(desk.api.post(path, json={"changes": [booking]}, headers=headers))

    served = (await desk.api.get(feed["path"])).text.replace("\r\n ", "").split("\r\n")

    begins = served.index(f"UID:{session}@regimen") - 1
    entry = served[begins : served.index("END:VEVENT", begins) + 1]
    shown = block("text").splitlines()
    assert [line.partition(":")[0] for line in entry] == [line.partition(":")[0] for line in shown]
    assert entry[9:] == shown[9:]
    assert len(Calendar.from_ical(block("text")).property_items()) == len(shown)


def test_the_figures_are_the_real_ones() -> None:
    assert f"from {FEED_DAYS_BACK} days back to {FEED_DAYS_AHEAD} days ahead" in PAGE
    assert f"more than {MAX_ENTRIES} entries" in PAGE
