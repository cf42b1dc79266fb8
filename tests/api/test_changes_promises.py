"""Days given out are promises: booked before planned before draft; what conflicts has ways out."""

from typing import Any

import pytest

from tests.api.given_changes import DONE, Living, did, have_protocol, hours, living, moved
from tests.api.given_plans import Data, Desk

# Two steps a week apart, which a rule wants further apart as long as nobody waives it.
PAIR: Data = {
    "format": 1,
    "key": "pair",
    "title": "Two visits",
    "anchor": "session",
    "steps": [
        {"key": "session", "kind": "procedure", "title": "Session"},
        {
            "key": "one",
            "kind": "injection",
            "title": "One",
            "timings": [
                {
                    "relative_to": {"step": "session"},
                    "earliest": "P4D",
                    "target": "P10D",
                    "latest": "P20D",
                }
            ],
        },
        {
            "key": "other",
            "kind": "visit",
            "title": "Other",
            "timings": [
                {
                    "relative_to": {"step": "session"},
                    "earliest": "P10D",
                    "target": "P17D",
                    "latest": "P30D",
                }
            ],
        },
    ],
    "rules": [
        {"id": "apart", "type": "min_gap", "between": ["one", "other"], "offset": "P10D"},
    ],
}
WAIVED: Data = {"type": "waive", "element": "rule:apart", "reason": "agreed"}


async def a_pair(desk: Desk, **fields: Any) -> Living:
    """The two visits on 11 and 18 January, a week apart by a waiver."""
    await have_protocol(desk, PAIR)
    location = await desk.location(open_weekdays=[1, 2, 3, 4, 5, 6, 7])
    body = {
        "protocol": {"key": "pair"},
        "location_id": location,
        "anchor": {"date": "2027-02-01"},
        "parameters": ...,
        "laterality": ...,
        "unavailable": [],
    }
    plan = await living(desk, **{**body, **fields})
    await plan.change(WAIVED)
    await plan.change({"type": "move", "step": "one", "to": "2027-02-11"})
    await plan.change({"type": "move", "step": "other", "to": "2027-02-18"})
    return plan


async def without_the_waiver(plan: Living) -> Data:
    """Take the waiver back: one of the two has to go."""
    waived = (await plan.history())[1]["changes"][0]["id"]
    return await plan.change({"type": "correct", "change_id": waived})


@pytest.mark.parametrize(
    "booked, moves",
    [
        pytest.param(None, {"other": ("2027-02-18", "2027-02-21")}, id="what matters more"),
        pytest.param("one", {"other": ("2027-02-18", "2027-02-21")}, id="one is booked"),
        pytest.param("other", {"one": ("2027-02-11", "2027-02-08")}, id="the other is booked"),
    ],
)
async def test_what_is_booked_stays_before_what_is_planned(
    desk: Desk, booked: str | None, moves: dict[str, tuple[str, str]]
) -> None:
    plan = await a_pair(desk)
    if booked is not None:
        day = plan.days[booked]
        assert day is not None
        await plan.change({"type": "book", "step": booked, **hours(day)})

    answer = await without_the_waiver(plan)

    assert moved(answer) == moves


async def test_the_days_of_a_draft_promise_nothing(desk: Desk) -> None:
    plan = await a_pair(desk, status="draft")
    await plan.change({"type": "correct", "change_id": await plan.last_change()})
    await plan.change({"type": "unavailable", "from": "2027-02-18", "to": "2027-02-18"})
    active = await a_pair(desk)

    answer = await without_the_waiver(plan)

    assert plan.days["one"] == "2027-02-11"
    assert moved(answer).keys() == {"other"}
    assert moved(await without_the_waiver(active)) == {"other": ("2027-02-18", "2027-02-21")}


async def test_a_day_chosen_by_hand_does_not_drift(desk: Desk) -> None:
    plan = await living(desk)
    await plan.change({"type": "move", "step": "orthotic_impression", "to": "2027-01-20"})
    await plan.change({"type": "move", "step": "orthotic_fitting", "to": "2027-02-23"})
    fitting = plan.steps["orthotic_fitting"]
    assert fitting["deviation_days"] == 13

    answer = await plan.change({"type": "move_anchor", "to": "2027-03-12"})

    assert not {"orthotic_impression", "orthotic_fitting"} & moved(answer).keys()


async def test_a_kept_step_is_offered_the_better_day(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13", primer__2="2027-02-02"))

    answer = await plan.change({"type": "move_anchor", "to": "2027-03-19"})

    assert answer["offers"] == [
        {
            "step_id": plan.id_of("primer/1"),
            "date": "2027-02-26",
            "text": "Fri 2027-02-26 is the target of primer 2",
            "breach": None,
            "request": {
                "reason": "Fri 2027-02-26 is the target of primer 2",
                "changes": [{"type": "move", "step": "primer/1", "to": "2027-02-26"}],
            },
        }
    ]
    assert plan.days["primer/1"] == "2027-02-23"
    await plan.change(**answer["offers"][0]["request"])
    assert plan.days["primer/1"] == "2027-02-26"


async def test_changing_nothing_moves_nothing(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-05")
    await plan.change(*did(consult="2027-01-13", primer__2="2027-02-02"))
    await plan.change({"type": "move_anchor", "to": "2027-03-19"})
    before = plan.days

    answer = await plan.change({"type": "set_parameter", "key": "primer_count", "value": 2})

    assert (answer["moves"], plan.days) == ([], before)


CONFLICTS = [
    pytest.param([{"type": "move_anchor", "to": "2027-03-13"}], id="a session on a Saturday"),
    pytest.param([{"type": "move", "step": "session", "to": "2027-03-14"}], id="moved to a Sunday"),
    pytest.param(
        [{"type": "move", "step_id": "session", "to": "2027-03-13"}], id="named by its id"
    ),
    pytest.param(
        [{"type": "book", "step": "session", **hours("2027-03-13")}], id="booked on a Saturday"
    ),
    pytest.param([{"type": "move_anchor", "to": "2027-06-30"}], id="too long after the primers"),
    pytest.param([{"type": "pin", "step": "followup_2w", "to": "2027-04-15"}], id="a late pin"),
    pytest.param([{"type": "move", "step": "booster", "to": "2027-04-25"}], id="a closed day"),
    pytest.param(
        [{"type": "book", "step": "followup_2w", **hours("2027-03-21")}], id="booked on a Sunday"
    ),
    pytest.param(
        [{"type": "unavailable", "from": "2027-03-15", "to": "2027-04-01"}],
        id="away in the whole window of a visit",
    ),
    pytest.param(
        [
            {"type": "report", "agent": "corticosteroid_injection", "on": "2027-02-24"},
            {"type": "set_parameter", "key": "booster_timing", "value": "eight_weeks"},
        ],
        id="a steroid shot",
    ),
]


@pytest.mark.parametrize("changes", CONFLICTS)
async def test_every_way_out_of_a_conflict_works_as_it_is(desk: Desk, changes: list[Data]) -> None:
    plan = await living(desk)
    await plan.on("2027-02-25")
    await plan.change(*did(**DONE))
    changes = [{**c, "step_id": plan.id_of(c["step_id"])} if "step_id" in c else c for c in changes]

    problem = await plan.conflict(*changes, reason="asked for by telephone")

    assert problem["conflict"]["elements"]
    if problem["options"]:
        answer = await plan.take(problem["options"][-1])
        assert (await plan.history())[-1]["reason"] == "asked for by telephone"
        assert answer["plan"]["revision"] == 3


async def test_a_conflict_names_only_what_clashes(desk: Desk) -> None:
    plan = await living(desk)

    problem = await plan.conflict({"type": "move", "step": "primer/1", "to": "2027-02-16"})

    assert problem["conflict"]["elements"] == [
        {"id": "pin:primer/1", "text": "primer 2 is asked for on Tue 2027-02-16"},
        {
            "id": "unavailable:asked-1",
            "text": "the patient is away from Wed 2027-02-10 to Sat 2027-02-20",
        },
    ]
    days = [o["request"]["changes"] for o in problem["options"][:2]]
    assert days == [
        [{"type": "move", "step": "primer/1", "to": "2027-02-09"}],
        [{"type": "move", "step": "primer/1", "to": "2027-02-23"}],
    ]


async def test_of_two_conflicts_one_is_shown_after_the_other(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-02-25")
    await plan.change(*did(**DONE))

    first = await plan.refused(
        {"type": "set_parameter", "key": "primer_count", "value": 3},
        {"type": "pin", "step": "booster", "to": "2027-05-28"},
    )
    second = await plan.refused(**first["options"][0]["request"])

    assert "pin:booster" in {e["id"] for e in first["conflict"]["elements"]}
    assert "fact:primer/2" in {e["id"] for e in second["conflict"]["elements"]}
    await plan.take(second["options"][0])
    assert (plan.days["booster"], "primer/3" in plan.steps) == ("2027-04-28", False)
