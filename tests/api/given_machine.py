"""What the rule-based machine runs on: applications on databases, and a plain model of a plan."""

import asyncio
import re
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid5

from app.domain.documents import document_to_data
from app.domain.plans.records import state_to_data
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.plans.repository import PlanRepository
from app.services.library import library_protocol
from app.services.plans.correcting import replay
from app.settings import Settings
from tests.api.given_plans import ANKLE, Data, Desk, a_desk, good, make_clinic, store_protocol
from tests.client import Answer, client_of

T = TypeVar("T")

KEPT = {
    "consult",
    "primer",
    "nsaid_free",
    "session",
    "followup_2w",
    "booster_decision",
    "booster",
    "booster_nsaid_free",
    "followup",
}
RULES = {
    "steroid-before-session",
    "nsaid-before",
    "infection",
    "injection-gap",
    "primer-to-session-max",
    "decision-before-booster",
}
MONDAY = date(2027, 1, 4)
ENDED = {"completed", "revoked"}
# From which status a change of the plan as a whole leads to which.
STATUSES = {
    "activate": ({"draft"}, "active"),
    "hold": ({"active"}, "on_hold"),
    "complete": ({"active"}, "completed"),
    "revoke": ({"draft", "active", "on_hold"}, "revoked"),
    "resume": ({"on_hold", "completed"}, "active"),
}
# What may be said at any time, and changes none of what the model knows.
FREE = {"set_parameter", "report", "unavailable", "waive", "add_step"}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def small_protocol() -> Data:
    """The ankle protocol with fewer steps, so that more can happen in a second."""
    data = document_to_data(library_protocol(ANKLE))
    return {
        **data,
        "key": "small-ankle",
        "steps": [step for step in data["steps"] if step["key"] in KEPT],
        "rules": [rule for rule in data["rules"] if rule["id"] in RULES],
    }


class World:
    """One application on one database, asked from outside any event loop."""

    def __init__(self, url: str) -> None:
        self.name = url.partition(":")[0]
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.desk = self.run(self._open(url))
        self.plan_id = ""
        self.names: dict[str, str] = {}

    async def _open(self, url: str) -> Desk:
        app = create_app(Settings(database_url=url, pool_size=4))
        self._stack.push_async_callback(app.state.database.dispose)
        api = await self._stack.enter_async_context(client_of(app))
        await make_clinic(app)
        await store_protocol(app, small_protocol())
        return await a_desk(app, api)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something."""
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Give everything back."""
        self.run(self._stack.aclose())
        self._loop.close()

    def begin(self, body: Data) -> Data:
        """Make a plan for a new patient.

        Reads are accounted for here: between two requests no loop runs that would.
        """
        self.run(self.desk.app.state.account.commit())
        patient = {"id": self.run(self.desk.patient())}
        location = {"location_id": self.desk.location_id}
        plan = self.run(good(self.desk.post({**body, **location, "patient": patient})))
        self.plan_id = str(plan["id"])
        return plan

    def ask(self, method: str, part: str = "", **fields: Any) -> Answer:
        """Ask for something of the plan."""
        url = f"/v1/plans/{self.plan_id}{part}"
        return self.run(self.desk.api.request(method, url, **fields))

    def entries(self) -> dict[str, tuple[str, str]]:
        """Days and statuses in a calendar of the location, by the ids of steps."""
        asked = {"location_id": self.desk.location_id}
        feed = self.run(good(self.desk.api.post("/v1/calendars", json=asked)))
        served = self.run(self.desk.api.get(feed["path"]))
        assert served.status_code == 200, served.text
        entry = r"UID:(.{36})@.*?STATUS:(\w+).*?DTSTART[^:]*:(\d{8})"
        found = re.findall(entry, served.text, re.DOTALL)
        return {id_: (date.fromisoformat(day).isoformat(), status) for id_, status, day in found}

    def nameless(self, answer: Answer) -> Any:
        """An answer with ids named by the order in which they occur."""
        names: dict[str, str] = {}

        def name(found: "re.Match[str]") -> str:
            return names.setdefault(found[0], f"id-{len(names)}")

        return _UUID.sub(name, answer.text)

    def change_id(self, revision: int, number: int) -> str:
        """The id of a change in a revision."""
        return str(uuid5(UUID(self.plan_id), f"{revision}/{number}"))

    async def stored_and_replayed(self) -> tuple[Data, Data]:
        """The state that is stored, and that which comes out of all that was posted."""
        app, plan_id = self.desk.app, UUID(self.plan_id)
        async with app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
            plans = PlanRepository(connection, app.state.clinic_id)
            posted = await plans.posted(plan_id)
            stored = await plans.get(plan_id)
        without = {id_ for entry in posted for id_ in entry.get("corrects", ())}
        state = replay(posted, without)
        again = {**state_to_data(state), "status": state.status, "version": state.version}
        kept = {"status": stored.status, "version": stored.protocol_version}
        return {**stored.state, **kept}, again


class Refused(Exception):
    """The model would not take this change."""


@dataclass(slots=True)
class Told:
    """Facts and choices of a plan in plain words, without any days that follow from them."""

    status: str = "active"
    performed: dict[str, str] = field(default_factory=dict)
    missed: dict[str, list[str]] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    rebooked: dict[str, str] = field(default_factory=dict)
    booked: dict[str, str] = field(default_factory=dict)
    decided: str | None = None
    acknowledged: set[str] = field(default_factory=set)
    today: str = ""

    def take(self, change: Data, today: str) -> None:
        """Apply one change, or raise Refused."""
        self.today = today
        kind = change["type"]
        if kind in STATUSES:
            needed, status = STATUSES[kind]
            self._need(self.status in needed and change.get("on", today) >= today)
            self.status = status
            return
        self._need(self.status not in ENDED)
        if kind not in FREE:
            getattr(self, f"_{kind}")(change)

    @staticmethod
    def _need(holds: bool) -> None:
        if not holds:
            raise Refused

    def _open(self, step: str) -> None:
        self._need(step not in self.performed and step not in self.gone)

    def _release(self, step: str) -> None:
        self.pinned.discard(step)
        self.rebooked.pop(step, None)
        self.booked.pop(step, None)

    def _perform(self, change: Data) -> None:
        self._open(change["step"])
        self._need(change["on"] <= self.today)
        booked = self.booked.get(change["step"])
        self._release(change["step"])
        if booked is not None:
            self.booked[change["step"]] = booked
        self.performed[change["step"]] = change["on"]

    def _miss(self, change: Data) -> None:
        step, on = change["step"], change["on"]
        self._open(step)
        self._need(on <= self.today and self.status != "draft")
        self._need(all(earlier < on for earlier in self.missed.get(step, ())))
        self._release(step)
        self.missed.setdefault(step, []).append(on)

    def _move(self, change: Data) -> None:
        self._open(change["step"])
        self._release(change["step"])
        self.rebooked[change["step"]] = change["to"]

    def _move_anchor(self, change: Data) -> None:
        self._open("session")
        self._release("session")
        if change["to"] is not None:
            self.rebooked["session"] = change["to"]

    def _pin(self, change: Data) -> None:
        if change["step"] == "session":
            self._move_anchor(change)
            return
        self._open(change["step"])
        if self.rebooked.get(change["step"]) != change["to"]:
            self._release(change["step"])
        self.pinned.add(change["step"])

    def _unpin(self, change: Data) -> None:
        self._need(change["step"] in self.pinned)
        self.pinned.discard(change["step"])

    def _book(self, change: Data) -> None:
        step, day = change["step"], change["starts_at"][:10]
        self._open(step)
        self._need(self.status != "draft" and day >= self.today)
        self._release(step)
        self.rebooked[step] = day
        self.booked[step] = day

    def _unbook(self, change: Data) -> None:
        self._need(change["step"] in self.booked and change["step"] not in self.performed)
        del self.booked[change["step"]]

    def _skip(self, change: Data) -> None:
        self._open(change["step"])
        self._release(change["step"])
        self.gone[change["step"]] = "skipped" if change["type"] == "skip" else "cancelled"

    _cancel = _skip

    def _restore(self, change: Data) -> None:
        self._need(change["step"] in self.gone)
        del self.gone[change["step"]]

    def _decide(self, change: Data) -> None:
        self._need(self.decided is None and "booster_decision" not in self.gone)
        if "booster_decision" not in self.performed:
            self._perform({"step": "booster_decision", "on": self.today})
        self.decided = change["choice"]

    def _acknowledge(self, change: Data) -> None:
        self._need(change["text"] not in self.acknowledged)
        self.acknowledged.add(change["text"])

    def status_of(self, step: str) -> str:
        """What a planned step is; a booking may have lost its day."""
        if step in self.performed:
            return "performed"
        if step in self.gone:
            return self.gone[step]
        if self.status in ENDED:
            return "cancelled"
        if step in self.missed and step not in {*self.rebooked, *self.pinned, *self.booked}:
            return "missed"
        return "proposed" if self.status == "draft" else "planned"


def told(status: str, posts: list[tuple[str, list[tuple[str, Data]]]], without: set[str]) -> Told:
    """What all posts make of a plan; without changes entered in error. Raises Refused."""
    found = Told(status)
    for today, changes in posts:
        for id_, change in changes:
            if id_ not in without:
                found.take(change, today)
    return found


def day_after(day: str, days: int) -> str:
    """Another day."""
    return (date.fromisoformat(day) + timedelta(days)).isoformat()
