"""A clinic whose plans of every sort make a worklist, and what the plans say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.given_changes import Living, did
from tests.api.given_plans import Data, Desk, a_desk, good
from tests.client import Client

DOCTOR, OTHER_DOCTOR = "Dr Worklist", "Dr Elsewhere"
URL = "/v1/worklist"
NEVER = "2200-12-31"
OPEN = ("planned", "booked")
STATES = ("upcoming", "due", "overdue")
# Noon in Denver is the next morning in Kiritimati, and midnight comes to both in between.
INSTANTS = (
    "2027-01-13T23:30:00-07:00",
    "2027-01-14T00:30:00-07:00",
    "2027-02-24T12:00:00-07:00",
    "2027-03-08T02:00:00-07:00",
    "2027-03-25T12:00:00-06:00",
    "2027-12-01T12:00:00-07:00",
)


@dataclass(frozen=True, slots=True)
class Clinic:
    """A desk with plans of every sort at two locations between which a day begins."""

    desk: Desk
    far_away: str
    plans: tuple[str, ...]

    @property
    def api(self) -> Client:
        """Its client."""
        return self.desk.api

    async def told(self) -> list[Data]:
        """Every step that a worklist may have, told by the plans, in the worklist's order."""
        found = []
        for plan_id in self.plans:
            plan = await good(self.api.get(f"/v1/plans/{plan_id}"))
            if plan["status"] in {"active", "on_hold"}:
                found += [_item(plan, step) for step in plan["steps"]]
        found = [item for item in found if item["date"] and item["kind"] != "restriction"]
        return sorted(found, key=_place)

    async def listed(self, **which: Any) -> list[Data]:
        """The items of every page, of its doctors."""
        return [item for page in await self.pages(limit=200, **which) for item in page["items"]]

    async def pages(self, **which: Any) -> list[Data]:
        """The pages of a list, without what plans do not tell."""
        asked = {"practitioner": DOCTOR, **which}
        found = [await good(self.api.get(URL, params=asked))]
        while found[-1]["next"] is not None:
            cursor = found[-1]["next"]
            found.append(await good(self.api.get(URL, params={**asked, "cursor": cursor})))
        for page in found:
            page["items"] = [without_deadline(item) for item in page["items"]]
        return found


def without_deadline(item: Data) -> Data:
    """An item as far as plans tell it."""
    return {name: value for name, value in item.items() if name != "deadline"}


def _item(plan: Data, step: Data) -> Data:
    same = (
        "key,occurrence,ordinal,of,kind,title,optional,status,tentative,date,end_date,"
        "duration_minutes,modes,appointment,window,window_state"
    )
    return {
        **{name: step[name] for name in same.split(",")},
        "step_id": step["id"],
        "plan_id": plan["id"],
        "plan_status": plan["status"],
        "protocol": plan["protocol"],
        **{name: plan[name] for name in ("revision", "patient_id", "location_id", "practitioner")},
    }


def _place(item: Data) -> tuple[str, str, str]:
    """By day, then by the end of the window, then by id."""
    window = item["window"] or {"latest": item["date"]}
    latest = None if item["plan_status"] == "on_hold" else window["latest"]
    return item["date"], latest or NEVER, item["step_id"]


def fitting(told: Sequence[Data], **which: Any) -> list[Data]:
    """What fits filters, by their description."""
    statuses, states = which.get("status", OPEN), which.get("window_state")
    return [
        item
        for item in told
        if item["practitioner"] == which.get("practitioner", DOCTOR)
        and item["status"] in statuses
        and (not states or (item["window_state"] in states and item["status"] in OPEN))
        and item["kind"] in which.get("kind", (item["kind"],))
        and which.get("from", item["date"]) <= item["date"] <= which.get("until", item["date"])
        and item["location_id"] == which.get("location_id", item["location_id"])
        and item["tentative"] == which.get("tentative", item["tentative"])
    ]


@pytest.fixture
async def clinic(shared_clinic: Clinic) -> Clinic:
    """The shared plans, all that was read of them accounted for."""
    await shared_clinic.desk.app.state.account.commit()
    return shared_clinic


@pytest.fixture(scope="module")
async def shared_clinic(plans_app: FastAPI, plans_api: Client) -> Clinic:
    """Plans that are active, on hold, drafts or over, of two doctors at two locations."""
    desk = await a_desk(plans_app, plans_api)
    week = [1, 2, 3, 4, 5, 6, 7]
    far = await desk.location(
        name="Far away", time_zone="Pacific/Kiritimati", open_weekdays=week, notice_days=0
    )
    found = []
    for status, doctor, place in (
        ("active", DOCTOR, desk.location_id),
        ("active", DOCTOR, far),
        ("active", OTHER_DOCTOR, desk.location_id),
        ("draft", DOCTOR, desk.location_id),
        ("on_hold", DOCTOR, far),
        ("on_hold", DOCTOR, desk.location_id),
        ("revoked", DOCTOR, desk.location_id),
        ("active", None, far),
    ):
        patient = {"id": await desk.patient()}
        first = "draft" if status == "draft" else "active"
        plan = Living(
            desk,
            await desk.plan(patient=patient, practitioner=doctor, location_id=place, status=first),
        )
        found.append(plan)
        if status in {"on_hold", "revoked"}:
            await plan.change({"type": "hold" if status == "on_hold" else "revoke"})
    await busy(found[0])
    return Clinic(desk, far, tuple(plan.plan["id"] for plan in found))


async def busy(plan: Living) -> None:
    """Have a step of the plan done, one missed and one booked."""
    booking = {"starts_at": "2027-03-10T09:00:00-07:00", "ends_at": "2027-03-10T11:00:00-07:00"}
    await plan.on("2027-02-03")
    await plan.change(*did(consult="2027-01-13"))
    await plan.change({"type": "miss", "step": "primer/2"})
    await plan.change({"type": "book", "step": "session", **booking})
