"""When could the anchor be? Days of a range, ranked, each with its whole schedule."""

from itertools import pairwise
from typing import Any

import pytest

from tests.api.given_plans import ANKLE, SERIES, Data, Desk, days_of, faults_of, good
from tests.client import Answer


async def propose(desk: Desk, plan: Data | None = None, **asked: Any) -> Answer:
    """Ask for proposals for a plan like story 1's."""
    body = {"plan": desk.body(anchor=..., **(plan or {})), **asked}
    return await desk.api.post("/v1/plans/proposals", json=body)


def span(first: str, until: str | None = None) -> Data:
    """The range of days to look at."""
    return {"from": first, "until": until} if until else {"from": first}


async def test_the_best_days_come_first_each_with_its_whole_schedule(desk: Desk) -> None:
    before = await desk.rows()

    found = await good(propose(desk, limit=3, **span("2027-03-01", "2027-04-30")))

    assert await desk.rows() == before
    assert (found["from"], found["until"]) == ("2027-03-01", "2027-04-30")
    assert [(p["date"], p["cost"]) for p in found["proposals"]] == [
        ("2027-03-02", 0),
        ("2027-03-09", 0),
        ("2027-03-16", 0),
    ]
    for proposal in found["proposals"]:
        plan = proposal["plan"]
        days = days_of(plan)
        assert len(days) == 25
        assert days["session"] == plan["anchor"]["date"] == proposal["date"]
        assert all(step["reasons"] for step in plan["steps"])
        assert (plan["id"], {step["id"] for step in plan["steps"]}) == (None, {None})


async def test_the_earliest_days_come_first_when_that_is_wanted(desk: Desk) -> None:
    found = await good(propose(desk, rank="earliest", limit=3))

    dates = [proposal["date"] for proposal in found["proposals"]]
    assert dates == ["2027-02-02", "2027-02-03", "2027-02-04"]
    assert (found["from"], found["until"]) == ("2027-01-04", "2027-05-03")


async def test_costs_never_fall_from_the_best_on(desk: Desk) -> None:
    found = await good(propose(desk, limit=20))

    ranked = [(proposal["cost"], proposal["date"]) for proposal in found["proposals"]]
    assert len(ranked) == 20
    assert all(one < other for one, other in pairwise(ranked))
    assert found["possible"] > 20


async def test_a_proposal_is_the_plan_which_its_request_gives(desk: Desk) -> None:
    found = await good(propose(desk, **span("2027-03-10", "2027-03-10")))

    (proposal,) = found["proposals"]
    answer = await desk.post(proposal["request"])
    assert answer.status_code == 201
    assert days_of(answer.json()) == days_of(proposal["plan"])
    assert proposal["request"]["anchor"] == {"date": "2027-03-10"}


async def test_the_earliest_proposal_is_the_day_which_earliest_from_takes(desk: Desk) -> None:
    found = await good(propose(desk, rank="earliest", limit=1, **span("2027-01-05")))

    plan = await desk.previewed(anchor={"earliest_from": "2027-01-05"})

    assert [p["date"] for p in found["proposals"]] == [plan["anchor"]["date"]]


async def test_no_day_that_works_is_an_empty_list(desk: Desk) -> None:
    found = await good(propose(desk, **span("2027-01-05", "2027-01-08")))

    assert found == {"from": "2027-01-05", "until": "2027-01-08", "possible": 0, "proposals": []}


async def test_the_number_of_primers_decides_how_soon_it_can_be(desk: Desk) -> None:
    soonest = []
    for count in (0, 1, 2, 3):
        plan = {"parameters": {"primer_count": count, "orthotics": "declined"}}
        found = await good(propose(desk, plan, rank="earliest", limit=1))
        soonest.append(found["proposals"][0]["date"])

    assert soonest == ["2027-01-20", "2027-01-20", "2027-02-02", "2027-02-16"]


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"from": "2027-03-31", "until": "2027-03-01"}, id="backwards"),
        pytest.param({"from": "2027-03-01", "until": "2027-06-29"}, id="121 days"),
        pytest.param({"until": "2026-12-31"}, id="until a day before today"),
    ],
)
async def test_a_range_has_up_to_120_days(desk: Desk, asked: Data) -> None:
    answer = await propose(desk, **asked)

    assert (answer.status_code, answer.json()["type"]) == (422, "range-not-allowed")


async def test_a_range_ends_where_the_calendar_does(desk: Desk) -> None:
    found = await good(propose(desk, **span("2200-12-01")))

    assert (found["until"], found["proposals"]) == ("2200-12-31", [])


async def test_without_an_anchor_there_is_nothing_to_propose(desk: Desk) -> None:
    plan = {"protocol": {"key": SERIES["key"]}, "parameters": ..., "laterality": ...}

    answer = await propose(desk, plan)

    assert (answer.status_code, answer.json()["type"]) == (422, "no-anchor")


async def test_what_does_not_fit_the_protocol_is_named_below_the_plan(desk: Desk) -> None:
    pin = {"type": "pin", "step": "sesion", "to": "2027-03-10"}

    answer = await propose(
        desk, {"parameters": {"primer_count": 9}, "laterality": ..., "changes": [pin]}
    )

    assert (answer.status_code, answer.json()["type"]) == (422, "invalid-plan")
    assert faults_of(answer.json()) == {
        "/plan/laterality": "missing",
        "/plan/parameters/primer_count": "not-allowed",
        "/plan/changes/0/step": "unknown-step",
    }


@pytest.mark.parametrize(
    "asked, pointers",
    [
        pytest.param({"limit": 0}, {"/limit": "too-small"}, id="none"),
        pytest.param({"limit": 21}, {"/limit": "too-large"}, id="too many"),
        pytest.param({"limit": True}, {"/limit": "not-an-integer"}, id="not a number"),
        pytest.param({"rank": "cheapest"}, {"/rank": "not-allowed"}, id="an unknown rank"),
        pytest.param({"from": "soon"}, {"/from": "not-a-day"}, id="not a day"),
        pytest.param({"to": "2027-03-10"}, {"/to": "unknown-field"}, id="an unknown field"),
    ],
)
async def test_a_faulty_request_is_refused_by_its_places(
    desk: Desk, asked: Data, pointers: Data
) -> None:
    answer = await propose(desk, **asked)

    assert answer.status_code == 422
    assert faults_of(answer.json()) == pointers


async def test_an_anchor_in_the_plan_is_not_known_there(desk: Desk) -> None:
    answer = await desk.api.post("/v1/plans/proposals", json={"plan": desk.body()})

    assert faults_of(answer.json()) == {"/plan/anchor": "unknown-field"}


@pytest.mark.parametrize(
    "protocol, expected",
    [
        pytest.param({"key": "nobody-has-it"}, (404, "protocol-not-found"), id="no protocol"),
        pytest.param({"key": ANKLE, "version": "0.9.0"}, (409, "version-not-active"), id="retired"),
    ],
)
async def test_what_a_plan_needs_must_be_there(
    desk: Desk, protocol: Data, expected: tuple[int, str]
) -> None:
    answer = await propose(desk, {"protocol": protocol})

    assert (answer.status_code, answer.json()["type"]) == expected
