"""A plan walked by the sandbox clock from enrolment to its last follow-up, as a client sees it."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from app.worker import Worker
from tests.api.given_changes import NOON
from tests.api.given_plans import Data, Desk, good

pytestmark = pytest.mark.long

OPEN = frozenset({"planned", "booked"})
DECISION: Data = {"type": "decide", "step": "booster_decision", "choice": "booster_six_weeks"}
TOLD = ("step_due", "step_overdue", "decision_due")


class Walk:
    """A client that knows a plan's id, sets the clock and reads: the plan, worklist, events."""

    def __init__(self, desk: Desk, plan: Data) -> None:
        self.desk = desk
        self.plan = plan
        self.after = 0
        self.events: list[Data] = []
        self.states: dict[str, list[str]] = {}

    async def to(self, day: date) -> None:
        """Noon of a day: what the worker does then, and all that can be read."""
        await self.desk.at(f"{day}{NOON}")
        while await Worker(self.desk.app.state.database).work():
            pass
        await self.read()

    async def read(self) -> None:
        """Read the plan and what has happened since; remember how states followed each other."""
        api = self.desk.api
        self.plan = await good(api.get(f"/v1/plans/{self.plan['id']}"))
        for step in self.plan["steps"]:
            seen = self.states.setdefault(step["id"], [])
            if step["window_state"] not in {None, *seen[-1:]}:
                seen.append(step["window_state"])
        which: Data = {"after": self.after, "plan_id": self.plan["id"], "limit": 200}
        page = await good(api.get("/v1/events", params=which))
        self.events += page["items"]
        self.after = page["last"]

    async def waiting(self) -> list[Data]:
        """What the worklist says is to be done today or was to be done before."""
        which: Data = {
            "window_state": ["due", "overdue"],
            "until": await self.today(),
            "limit": 200,
        }
        return list((await good(self.desk.api.get("/v1/worklist", params=which)))["items"])

    async def today(self) -> str:
        """Today at the plan's location."""
        (zone,) = (await good(self.desk.api.get("/v1/clock")))["zones"]
        return str(zone["today"])

    async def record(self, items: list[Data]) -> None:
        """Say that steps were done today, or decided, all together."""
        today = await self.today()
        changes: list[Data] = [
            {"type": "decide", "step_id": item["step_id"], "choice": DECISION["choice"]}
            if item["kind"] == "decision"
            else {"type": "perform", "step_id": item["step_id"], "on": today}
            for item in items
        ]
        tag = {"if-match": f'"{self.plan["revision"]}"'}
        url = f"/v1/plans/{self.plan['id']}/changes"
        await good(self.desk.api.post(url, json={"changes": changes}, headers=tag))

    def told(self, *types: str) -> Counter[tuple[str, str]]:
        """How often which event was told of which step."""
        return Counter(
            (event["type"], event["data"]["step_id"])
            for event in self.events
            if event["type"] in types
        )


def open_steps(plan: Data) -> list[Data]:
    """What is still to be done by people."""
    return [
        step
        for step in plan["steps"]
        if step["status"] in OPEN and step["date"] and step["kind"] != "restriction"
    ]


@pytest.mark.parametrize("late", [0, 1], ids=["in time", "some a day late"])
async def test_a_plan_is_walked_from_enrolment_to_its_last_follow_up(
    own_desk: Desk, late: int
) -> None:
    walk = Walk(own_desk, await own_desk.plan())
    day = date(2027, 1, 5)
    for _ in range(200):
        await walk.to(day)
        if items := await walk.waiting():
            await walk.record(items)
            await walk.read()
        left = [step["date"] for step in open_steps(walk.plan)]
        if not left:
            break
        day = max(day, date.fromisoformat(min(left)) - timedelta(days=1)) + timedelta(days=1 + late)

    assert open_steps(walk.plan) == []
    overdue = check_what_was_told(walk)
    assert bool(overdue) is bool(late)
    tag = {"if-match": f'"{walk.plan["revision"]}"'}
    url = f"/v1/plans/{walk.plan['id']}/changes"
    await good(own_desk.api.post(url, json={"changes": [{"type": "complete"}]}, headers=tag))
    await walk.to(day + timedelta(days=400))
    assert walk.plan["status"] == "completed"
    last = [event["type"] for event in walk.events if event["revision"] == walk.plan["revision"]]
    assert last[:2] == ["plan_changed", "plan_completed"]
    assert await walk.waiting() == []


def check_what_was_told(walk: Walk) -> set[str]:
    """States follow each other as time does; each was announced once; every fact is an event.

    Gives the steps that were overdue.
    """
    order = ["upcoming", "due", "overdue", "early", "in_window", "late"]
    for seen in walk.states.values():
        undone = [state for state in seen if state in order[:3]]
        assert undone == sorted(undone, key=order.index), seen
    steps: dict[str, Any] = {step["id"]: step for step in walk.plan["steps"]}
    done = {id_ for id_, step in steps.items() if step["status"] == "performed"}
    assert walk.told("step_performed") == Counter(("step_performed", id_) for id_ in done)
    told = walk.told(*TOLD)
    assert set(told.values()) == {1}
    assert {steps[id_]["kind"] for type_, id_ in told if type_ == "decision_due"} == {"decision"}
    numbers = [event["number"] for event in walk.events]
    assert numbers == sorted(set(numbers))
    assert walk.events[0]["type"] == "plan_created"
    visits = {id_ for id_, step in steps.items() if step["end_date"] is None} - {
        id_ for id_, step in steps.items() if step["kind"] == "restriction"
    }
    late = {id_ for id_, seen in walk.states.items() if "overdue" in seen}
    assert {id_ for type_, id_ in told if type_ == "step_overdue"} == late & visits
    return late & visits
