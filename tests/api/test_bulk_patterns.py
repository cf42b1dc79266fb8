"""Lines that are alike: worked out once, and yet each plan is its own."""

from itertools import combinations
from typing import Any

import pytest

from app.api.plans import bulk as api_bulk
from tests.api.given_bulk import bulk, summary
from tests.api.given_plans import Data, Desk, good
from tests.api.test_bulk import nameless

UNDATED: Data = {
    "protocol": {"key": "series"},
    "anchor": ...,
    "laterality": ...,
    "parameters": ...,
    "changes": [{"type": "skip", "step": "shot/2"}],
}
DONE: Data = {
    "changes": [
        {"type": "perform", "step": "consult", "on": "2026-12-30"},
        {"type": "report", "agent": "nsaid", "on": "2027-01-02"},
    ]
}


async def alike(desk: Desk, count: int, **fields: Any) -> list[Data]:
    """Lines alike in all but patient, texts and identifier. A text may name another patient."""
    patients = [await desk.patient() for _ in range(count)]
    return [
        desk.body(
            patient={"id": patient},
            condition=f"Pain {number}",
            practitioner=f"dr-{number}",
            note=f"the sister of {patients[0]}",
            identifiers=[{"system": "urn:example:ehr", "value": patient}],
            **fields,
        )
        for number, patient in enumerate(patients)
    ]


async def stored(desk: Desk, location: str) -> tuple[Data, Data]:
    """A plan and its history."""
    return await good(desk.api.get(location)), await good(desk.api.get(f"{location}/history"))


def ids_in(found: Any) -> set[str]:
    """The ids of a plan, its steps and its changes."""
    if isinstance(found, dict):
        own = {found["id"]} if "id" in found and "system" not in found else set()
        return own.union(*map(ids_in, found.values()))
    return set().union(*map(ids_in, found)) if isinstance(found, list) else set()


def named_in(plan: Data) -> set[str]:
    """The steps which a plan speaks of."""
    found = {item["step_id"] for item in plan["needs_attention"] if "step_id" in item}
    return found | ({plan["next_step"]} if plan["next_step"] else set())


@pytest.mark.parametrize("seconds", [pytest.param(9, id="together"), pytest.param(0, id="apart")])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="ordinary"),
        pytest.param(DONE, id="with changes"),
        pytest.param(UNDATED, id="needing attention"),
    ],
)
async def test_each_of_many_lines_alike_comes_to_what_it_comes_to_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fields: Data, seconds: float
) -> None:
    monkeypatch.setattr("app.services.plans.bulk.MAX_SECONDS", seconds)
    asked = await alike(desk, 3, **fields)
    others = await alike(desk, 3, **fields)
    for other, one in zip(others, asked, strict=True):
        other["note"] = one["note"]

    *told, last = await bulk(desk, *asked)

    assert last == summary(created=3)
    found = [await stored(desk, result["location"]) for result in told]
    for body, result, (plan, history), other in zip(asked, told, found, others, strict=True):
        alone = await good(desk.post(other))
        expected, its_history = await stored(desk, f"/v1/plans/{alone['id']}")
        expected["identifiers"] = body["identifiers"]
        assert nameless(plan) == nameless(expected)
        assert nameless(untimed(history)) == nameless(untimed(its_history))
        assert plan["patient_id"] == body["patient"]["id"]
        assert named_in(plan) <= {step["id"] for step in plan["steps"]}
        assert result["needs_attention"] == plan["needs_attention"]
    for (plan, history), (other, other_history) in combinations(found, 2):
        assert not ids_in([plan, history]) & ids_in([other, other_history])


def untimed(history: Data) -> Data:
    """A history without the moments at which it was written."""
    return {"items": [{**item, "at": None} for item in history["items"]]}


async def test_an_identifier_given_twice_in_a_line_like_another_is_refused(desk: Desk) -> None:
    first, second = await alike(desk, 2)
    second["identifiers"] *= 2

    _, refused, _ = await bulk(desk, first, second)

    assert refused["problem"]["type"] == "invalid-plan"


async def test_a_day_closed_between_two_lines_alike_is_minded(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.plans.bulk.MAX_SECONDS", 0)
    making = api_bulk._make
    made: list[Any] = []

    async def closing_between(*args: Any) -> Any:
        if made:
            await own_desk.closure("2027-03-10", "2027-03-10")
        made.append(args)
        return await making(*args)

    monkeypatch.setattr(api_bulk, "_make", closing_between)

    first, second, _ = await bulk(own_desk, *await alike(own_desk, 2))

    assert (first["status"], second["status"]) == (201, 409)
