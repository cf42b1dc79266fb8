"""What each effect of a choice does to a plan over HTTP: add, cancel, keep, set, shift."""

from typing import Any

import pytest

from app.domain.documents import document_to_data
from app.services.library import library_protocol
from tests.api.given_changes import Living, have_protocol, living, moved
from tests.api.given_plans import Data, Desk, faults_of

MORTON = "mortons-neuroma-ladder"
PROLO = "ankle-prolotherapy-series"


async def lived(desk: Desk, key: str, until: str, **fields: Any) -> Living:
    """A plan of a library protocol until a day, everything done as planned."""
    await have_protocol(desk, document_to_data(library_protocol(key)))
    body: Data = {
        "protocol": {"key": key},
        "location_id": await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        "parameters": ...,
        "unavailable": [],
        "laterality": "left",
    }
    plan = await living(desk, **{**body, **fields})
    return await done_until(plan, until)


async def done_until(plan: Living, until: str) -> Living:
    """Everything before a day, done as planned."""
    await plan.on(until)
    past = {
        name: day
        for name, day in plan.days.items()
        if day is not None
        and day < until
        and plan.steps[name]["end_date"] is None
        and plan.steps[name]["status"] == "planned"
    }
    await plan.change(*({"type": "perform", "step": name, "on": day} for name, day in past.items()))
    return plan


def decided(step: str, choice: str, **fields: Any) -> Data:
    return {"type": "decide", "step": step, "choice": choice, **fields}


async def test_a_series_goes_on_after_its_review(desk: Desk) -> None:
    plan = await lived(desk, PROLO, "2027-04-20", anchor={"date": "2027-02-02"})
    assert [plan.days[f"prolo/{n}"] for n in (1, 2, 3)] == [
        "2027-02-02",
        "2027-03-02",
        "2027-03-30",
    ]

    answer = await plan.change(decided("response_review", "continue"))

    assert (plan.days["prolo/4"], plan.steps["prolo/4"]["of"]) == ("2027-04-27", 4)
    assert len(answer["added"]) == 1
    assert plan.steps["response_review"]["date"] == "2027-04-20"
    assert moved(answer) == {}
    await done_until(plan, "2027-04-28")
    assert plan.steps["prolo/4"]["status"] == "performed"


async def test_another_series_of_alcohol_begins_after_the_pause(desk: Desk) -> None:
    plan = await lived(desk, MORTON, "2027-04-06", anchor={"date": "2027-01-12"})
    await plan.change(decided("decide_1", "alcohol"))
    await done_until(plan, "2027-08-16")
    assert plan.days["alcohol/5"] == "2027-05-18"

    answer = await plan.change(decided("decide_3", "more_alcohol"))

    # 90 days after the last one, which is why the decision is not earlier.
    assert [plan.days[f"alcohol/{n}"] for n in (6, 7, 8)] == [
        "2027-08-16",
        "2027-08-23",
        "2027-08-30",
    ]
    assert len(answer["added"]) == 3
    assert plan.steps["alcohol/6"]["reasons"][0]["code"] == "on_target"
    # The review and the decision that are done stay where they are.
    assert (plan.days["alcohol_review"], plan.days["decide_3"]) == ("2027-06-29", "2027-08-16")


async def test_a_second_steroid_injection_is_added_within_its_spacing(desk: Desk) -> None:
    plan = await lived(desk, MORTON, "2027-04-06", anchor={"date": "2027-01-12"})
    await plan.change(decided("decide_1", "steroid"))
    await done_until(plan, "2027-07-06")

    await plan.change(decided("decide_2", "second_steroid"))

    assert plan.days["steroid/2"] is not None
    assert plan.days["steroid/2"] >= "2027-07-06"
    assert plan.days["decide_2"] == "2027-07-06"


async def test_a_decision_that_is_put_off_comes_again_four_weeks_later(desk: Desk) -> None:
    plan = await lived(desk, "achilles-prp", "2027-05-04", anchor={"date": "2027-03-09"})
    assert plan.days["sport_gate"] == "2027-05-04"
    assert plan.days.get("sport_gate_again") is None

    answer = await plan.change(decided("sport_gate", "wait"))

    assert plan.days["sport_gate_again"] == "2027-06-01"
    assert answer["added"] == [plan.id_of("sport_gate_again")]
    await plan.on("2027-06-01")
    await plan.change(decided("sport_gate_again", "resume"))
    assert plan.steps["sport_gate_again"]["status"] == "performed"


GATED: Data = {
    "format": 1,
    "key": "gated",
    "title": "A gate with every effect",
    "anchor": "visit",
    "parameters": [
        {
            "key": "pace",
            "title": "Pace",
            "type": "choice",
            "options": ["slow", "fast"],
            "default": "slow",
        }
    ],
    "steps": [
        {"key": "visit", "kind": "visit", "title": "Visit"},
        {
            "key": "gate",
            "kind": "decision",
            "title": "What next",
            "timings": [{"relative_to": {"step": "visit"}, "earliest": "P0D", "target": "P7D"}],
            "choices": [
                {"key": "go", "title": "Go", "effects": [{"type": "keep", "steps": ["shot"]}]},
                {
                    "key": "later",
                    "title": "Two weeks later",
                    "effects": [
                        {"type": "keep", "steps": ["shot"]},
                        {"type": "shift", "steps": ["shot"], "offset": "P2W"},
                    ],
                },
                {
                    "key": "stop",
                    "title": "Stop",
                    "effects": [{"type": "cancel", "steps": ["shot"]}],
                },
                {
                    "key": "fast",
                    "title": "Faster",
                    "effects": [{"type": "set", "parameter": "pace", "value": "fast"}],
                },
                {
                    "key": "scan",
                    "title": "A scan first",
                    "effects": [{"type": "add", "steps": ["scan"], "offset": "P7D"}],
                },
            ],
        },
        {
            "key": "shot",
            "kind": "injection",
            "title": "Shot",
            "alternatives": {
                "choose": {"parameter": "pace"},
                "options": [
                    {
                        "key": "slow",
                        "timing": {
                            "relative_to": {"step": "visit"},
                            "earliest": "P28D",
                            "target": "P28D",
                            "latest": "P35D",
                        },
                    },
                    {
                        "key": "fast",
                        "timing": {
                            "relative_to": {"step": "visit"},
                            "earliest": "P14D",
                            "target": "P14D",
                            "latest": "P21D",
                        },
                    },
                ],
            },
        },
        {
            "key": "after",
            "kind": "call",
            "title": "Call",
            "timings": [{"relative_to": {"step": "shot"}, "target": "P1D"}],
        },
        {"key": "scan", "kind": "visit", "title": "Scan", "on_decision": True},
    ],
}


async def gated(desk: Desk) -> Living:
    """A plan on the day of its gate, the shot tentative on 2 February."""
    await have_protocol(desk, GATED)
    plan = await living(
        desk,
        protocol={"key": "gated"},
        anchor={"date": "2027-01-05"},
        parameters=...,
        laterality=...,
        unavailable=[],
    )
    await plan.on("2027-01-12")
    await plan.change({"type": "perform", "step": "visit", "on": "2027-01-05"})
    shot = plan.steps["shot"]
    assert (shot["date"], shot["tentative"], plan.days.get("scan")) == ("2027-02-02", True, None)
    return plan


@pytest.mark.parametrize(
    "choice, days",
    [
        ("go", ("2027-02-02", "2027-02-03")),
        ("later", ("2027-02-16", "2027-02-17")),
        ("fast", ("2027-01-19", "2027-01-20")),
    ],
)
async def test_what_is_decided_is_firm_on_its_day(
    desk: Desk, choice: str, days: tuple[str, str]
) -> None:
    plan = await gated(desk)

    await plan.change(decided("gate", choice))

    assert (plan.days["shot"], plan.days["after"]) == days
    assert not plan.steps["shot"]["tentative"]


async def test_a_persons_own_shift_is_added_to_that_of_the_choice(desk: Desk) -> None:
    plan = await gated(desk)

    await plan.change(decided("gate", "later", shift="P1W"))

    assert plan.days["shot"] == "2027-02-23"


async def test_what_is_cancelled_is_shown_so_and_what_hangs_on_it_is_gone(desk: Desk) -> None:
    plan = await gated(desk)

    await plan.change(decided("gate", "stop"))

    assert plan.steps["shot"]["status"] == "cancelled"
    assert plan.steps["shot"]["reasons"][0]["code"] == "decided"
    assert plan.days.get("after") is None


async def test_a_step_is_added_so_long_after_the_decision(desk: Desk) -> None:
    plan = await gated(desk)

    answer = await plan.change(decided("gate", "scan"))

    assert plan.days["scan"] == "2027-01-19"
    assert answer["added"] == [plan.id_of("scan")]
    window = plan.steps["scan"]["window"]
    assert (window["earliest"], window["latest"]) == ("2027-01-19", None)


async def test_a_choice_that_is_none_is_refused_and_a_decision_is_taken_once(desk: Desk) -> None:
    plan = await gated(desk)

    problem = await plan.refused(decided("gate", "perhaps"))
    assert faults_of(problem) == {"/changes/0/choice": "not-allowed"}

    await plan.change(decided("gate", "go"))
    again = await plan.refused(decided("gate", "stop"))
    assert faults_of(again) == {"/changes/0": "contradiction"}
