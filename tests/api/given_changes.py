"""A living plan for the tests of changes: previewed, changed, refused, read back, undone."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.protocols import VersionExists
from app.persistence.tables import EventRow
from tests.api.given_plans import Data, Desk, days_of, good, steps_of, store_protocol
from tests.client import Answer

AWAY: list[Data] = [{"from": "2027-02-10", "to": "2027-02-20"}]
NOON = "T12:00:00-07:00"


@dataclass(slots=True)
class Living:
    """A stored plan and its desk; ``plan`` is what was last answered."""

    desk: Desk
    plan: Data

    @property
    def url(self) -> str:
        """The plan's address."""
        return f"/v1/plans/{self.plan['id']}"

    @property
    def steps(self) -> dict[str, Data]:
        """Its steps by their occurrence."""
        return steps_of(self.plan)

    @property
    def days(self) -> dict[str, str | None]:
        """Its days by their occurrence."""
        return days_of(self.plan)

    def id_of(self, step: str) -> str:
        """The id of a step."""
        return str(self.steps[step]["id"])

    async def on(self, day: str) -> "Living":
        """Noon of this day."""
        await self.desk.at(day + NOON)
        self.plan = await good(self.desk.api.get(self.url))
        return self

    async def preview(self, *changes: Data, **fields: Any) -> Answer:
        """Ask what changes would give."""
        body = {"changes": list(changes), **fields}
        return await self.desk.api.post(f"{self.url}/changes/preview", json=body)

    async def post(self, *changes: Data, revision: int | None = None, **fields: Any) -> Answer:
        """Ask for changes."""
        headers = {"if-match": f'"{revision or self.plan["revision"]}"'}
        body = {"changes": list(changes), **fields}
        return await self.desk.api.post(f"{self.url}/changes", json=body, headers=headers)

    async def change(self, *changes: Data, **fields: Any) -> Data:
        """Change the plan; what was previewed must be what is answered, stored and read back."""
        seen = await good(self.preview(*changes, **fields))
        answer = await good(self.post(*changes, **fields))
        assert seen == answer
        read = await good(self.desk.api.get(self.url))
        assert read == answer["plan"]
        self.plan = read
        return answer

    async def refused(self, *changes: Data, **fields: Any) -> Data:
        """The problem with changes, previewed and posted; nothing may be stored."""
        before = await self.stored()
        seen = await self.preview(*changes, **fields)
        answer = await self.post(*changes, **fields)
        assert answer.status_code >= 400, answer.text
        assert (seen.status_code, seen.json()) == (answer.status_code, answer.json())
        assert await self.stored() == before
        return dict(answer.json())

    async def conflict(self, *changes: Data, **fields: Any) -> Data:
        """The conflict of changes; every option it gives must work when it is posted as it is."""
        problem = await self.refused(*changes, **fields)
        assert (problem["status"], problem["type"]) == (409, "schedule-conflict")
        elements = problem["conflict"]["elements"]
        assert problem["detail"] == "; ".join(element["text"] for element in elements)
        for option in problem["options"]:
            plan = option["plan_id"] or self.plan["id"]
            url = f"/v1/plans/{plan}/changes/preview"
            tried = await self.desk.api.post(url, json=option["request"])
            assert tried.status_code == 200, (option["text"], tried.text)
            if option["plan_id"] is None:
                assert tried.json()["moves"] == option["moves"], option["text"]
        return problem

    async def stored(self) -> tuple[Any, Any]:
        """All that is stored of anything, and this plan."""
        return await self.desk.rows(), await good(self.desk.api.get(self.url))

    async def history(self) -> list[Data]:
        """Its revisions, the oldest first."""
        items = (await good(self.desk.api.get(f"{self.url}/history?limit=200")))["items"]
        return list(reversed(items))

    async def last_change(self) -> str:
        """The id of the change posted last."""
        return str((await self.history())[-1]["changes"][-1]["id"])

    async def take(self, option: Data) -> Data:
        """Post an option of a conflict as it is."""
        answer = await good(self.post(**option["request"]))
        self.plan = answer["plan"]
        return answer

    async def takes_a_way_out(self, options: list[Data]) -> None:
        """Try each option as it is, and take the first: nothing is broken then."""
        assert options
        for option in options:
            assert moved(await good(self.preview(**option["request"]))) == moved(option)
        await self.take(options[0])
        assert self.plan["breaches"] == []


async def living(desk: Desk, **fields: Any) -> Living:
    """The plan of story 1, unless said otherwise."""
    return Living(desk, await desk.plan(**{"unavailable": AWAY, **fields}))


def did(**days: str) -> list[Data]:
    """Steps that were done; two underlines stand for the number's slash."""
    return [
        {"type": "perform", "step": step.replace("__", "/"), "on": on} for step, on in days.items()
    ]


def moved(answer: Data) -> dict[str, tuple[str, str | None]]:
    """The moves of an answer by their steps."""
    return {move["step"]: (move["from"], move["to"]) for move in answer["moves"]}


# What story 1 has behind it on 25 February, and what it has on 14 April besides.
DONE = {
    "consult": "2027-01-13",
    "primer__2": "2027-02-02",
    "primer__1": "2027-02-23",
    "baseline_outcomes": "2027-02-24",
    "orthotic_impression": "2027-02-03",
    "orthotic_fitting": "2027-02-24",
}
DONE_IN_SPRING = {
    "pre_check": "2027-03-05",
    "session": "2027-03-10",
    "call_day3": "2027-03-12",
    "orthotic_check": "2027-03-17",
    "rehab_start": "2027-03-19",
    "followup_2w": "2027-03-24",
    "rehab_visits__1": "2027-03-26",
    "rehab_visits__2": "2027-04-02",
    "rehab_visits__3": "2027-04-09",
}


async def have_protocol(desk: Desk, data: Data, version: str = "1.0.0") -> None:
    """Store a version of a protocol as if it had been approved, unless another test has."""
    with suppress(VersionExists):
        await store_protocol(desk.app, data, version=version)


async def living_until_april(desk: Desk) -> Living:
    """The plan of story 1 on 14 April, everything done as planned."""
    plan = await living(desk)
    await plan.on("2027-04-14")
    await plan.change(*did(**DONE, **DONE_IN_SPRING))
    return plan


def hours(day: str, **fields: str) -> Data:
    """A booking of two hours in the local morning."""
    return {"starts_at": f"{day}T09:00:00-07:00", "ends_at": f"{day}T11:00:00-07:00", **fields}


async def events_of(desk: Desk, plan_id: str, *, after: int = 0) -> list[Data]:
    """What was noted of a plan after one of its revisions, in the log's order."""
    columns = (
        EventRow.number,
        EventRow.type,
        EventRow.actor,
        EventRow.patient_id,
        EventRow.revision,
        EventRow.data,
    )
    statement = (
        select(*columns)
        .where(EventRow.plan_id == UUID(plan_id), EventRow.revision > after)
        .order_by(EventRow.number)
    )
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        return [dict(row._mapping) for row in await connection.execute(statement)]
