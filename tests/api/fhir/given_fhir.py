"""A plan in the middle of its life, and what the FHIR face shows of it."""

from typing import Any

from tests.api.given_changes import Living
from tests.api.given_plans import Desk, good
from tests.client import Answer, Client

Data = dict[str, Any]
R4 = "/fhir/R4"
BASE = "http://127.0.0.1:8000/fhir/R4"
SENT = {"Content-Type": "application/fhir+json"}
SUBSCRIPTION: Data = {
    "resourceType": "Subscription",
    "status": "requested",
    "reason": "the record shows plans",
    "criteria": "CarePlan",
    "channel": {"type": "rest-hook", "endpoint": "https://ehr.example.org/hooks/plans"},
}
BOOKING = {"starts_at": "2027-02-23T09:00:00-07:00", "ends_at": "2027-02-23T09:45:00-07:00"}


async def living_plan(desk: Desk) -> Living:
    """A primer is done, the next one booked, rehabilitation called off; the booster undecided."""
    identifier = {"system": "urn:example:plan", "value": desk.patient_id}
    body = desk.body(
        parameters={"primer_count": 2},
        identifiers=[identifier],
        condition="Ankle osteoarthritis",
        practitioner="Dr Example",
        note="Bring the <orthotics> & shoes",
    )
    living = Living(desk, await good(desk.post(body)))
    await living.on("2027-02-02")
    await living.change(
        {"type": "perform", "step": "primer/2", "on": "2027-02-02"}, reason="as planned"
    )
    await living.change({"type": "book", "step": "primer/1", **BOOKING, "identifier": "B-1"})
    last = [s for s in living.plan["steps"] if s["kind"] == "visit" and s["status"] == "planned"][
        -1
    ]
    await living.change({"type": "cancel", "step_id": last["id"]}, reason="not wanted")
    return living


async def get(api: Client, path: str, **headers: str) -> Data:
    """A resource."""
    return await good(api.get(f"{R4}/{path}", headers=headers))


def matches(bundle: Data) -> list[Data]:
    """The resources that a search found."""
    return [
        entry["resource"]
        for entry in bundle.get("entry", ())
        if entry.get("search", {}).get("mode") == "match"
    ]


def ids(bundle: Data) -> list[str]:
    """Their ids."""
    return [one["id"] for one in matches(bundle)]


def issue_of(answer: Answer, status: int) -> Data:
    """The first issue of a refusal."""
    assert answer.status_code == status, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    issue: Data = outcome["issue"][0]
    return issue


def following(bundle: Data) -> str | None:
    """The address of the next page."""
    links = {one["relation"]: one["url"] for one in bundle["link"]}
    url: str | None = links.get("next")
    return None if url is None else url.removeprefix("http://127.0.0.1:8000")


async def plan_of(living: Living) -> Data:
    """The plan as the native API has it now."""
    living.plan = await good(living.desk.api.get(living.url))
    return living.plan
