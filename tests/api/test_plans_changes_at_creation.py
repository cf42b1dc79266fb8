"""Facts and choices posted with a new plan: each does what it says, or is refused by its place."""

from typing import Any

import pytest

from tests.api.given_plans import NOBODY, SERIES, Data, Desk, days_of, faults_of, good, steps_of

NOT_THERE = "not-waivable"


async def test_a_step_done_on_a_local_day_is_performed_and_leads_what_follows(desk: Desk) -> None:
    await desk.at("2027-02-05T09:00:00-07:00")

    plan = await desk.plan(
        changes=[
            {"type": "perform", "step": "consult", "on": "2027-01-13"},
            {"type": "perform", "step": "primer/2", "on": "2027-02-03"},
        ]
    )

    steps = steps_of(plan)
    primer = steps["primer/2"]
    assert (primer["status"], primer["date"], primer["window_state"]) == (
        "performed",
        "2027-02-03",
        "in_window",
    )
    assert primer["reasons"] == [{"code": "performed", "text": "performed on Wed 2027-02-03"}]
    assert primer["allowed_changes"] == ["correct"]
    assert steps["primer/1"]["date"] == "2027-02-17"
    assert plan["next_step"] not in {primer["id"], steps["consult"]["id"]}


@pytest.mark.parametrize(
    "at, local",
    [
        pytest.param("2027-01-02T06:59:59Z", "2027-01-01", id="a second before local midnight"),
        pytest.param("2027-01-02T07:00:00Z", "2027-01-02", id="local midnight"),
        pytest.param("2027-01-02T23:30:00+14:00", "2027-01-02", id="said far in the east"),
    ],
)
async def test_a_step_done_at_an_instant_was_done_on_the_locations_day(
    desk: Desk, at: str, local: str
) -> None:
    plan = await desk.previewed(changes=[{"type": "perform", "step": "consult", "at": at}])

    assert steps_of(plan)["consult"]["date"] == local


async def test_a_pinned_step_has_its_day_and_says_who_chose_it(desk: Desk) -> None:
    plan = await desk.plan(changes=[{"type": "pin", "step": "primer/1", "to": "2027-02-12"}])

    primer = steps_of(plan)["primer/1"]
    assert primer["date"] == "2027-02-12"
    assert [reason["code"] for reason in primer["reasons"]] == ["pinned", "off_target"]
    assert primer["deviation_days"] == -5


async def test_a_skipped_primer_leaves_its_chain(desk: Desk) -> None:
    plan = await desk.plan(changes=[{"type": "skip", "step": "primer/1"}])

    steps = steps_of(plan)
    assert steps["primer/2"]["date"] == "2027-02-17"
    assert steps.get("primer/1", {}).get("date") is None


async def test_a_parameter_set_by_a_change_goes_before_the_one_in_the_body(desk: Desk) -> None:
    plan = await desk.plan(changes=[{"type": "set_parameter", "key": "primer_count", "value": 1}])

    assert "primer/2" not in steps_of(plan)
    assert plan["parameters"]["primer_count"] == 1


@pytest.mark.parametrize(
    "choice, booster, tentative",
    [
        pytest.param("booster_eight_weeks", "2027-05-05", False, id="at eight weeks"),
        pytest.param("no_booster", None, None, id="none"),
    ],
)
async def test_a_decision_makes_the_booster_firm_or_calls_it_off(
    desk: Desk, choice: str, booster: str | None, tentative: bool | None
) -> None:
    await desk.at("2027-04-14T09:00:00-06:00")
    done = {"consult": "2027-01-13", "baseline_outcomes": "2027-02-24", "session": "2027-03-10"}
    followed = {"pre_check": "2027-03-05", "call_day3": "2027-03-12", "followup_2w": "2027-03-24"}
    rehab = {"rehab_start": "2027-03-19"} | {
        f"rehab_visits/{n}": day
        for n, day in enumerate(("2027-03-26", "2027-04-02", "2027-04-09"), start=1)
    }

    plan = await desk.plan(
        parameters={"primer_count": 0, "orthotics": "declined"},
        changes=[
            *(
                {"type": "perform", "step": step, "on": day}
                for step, day in {**done, **followed, **rehab}.items()
            ),
            {"type": "decide", "step": "booster_decision", "choice": choice},
        ],
    )

    steps = steps_of(plan)
    assert steps["booster_decision"]["status"] == "performed"
    found = steps.get("booster", {})
    assert (found.get("date"), found.get("tentative")) == (booster, tentative)


async def test_an_absence_said_with_the_plan_counts_like_one_that_was_known(desk: Desk) -> None:
    away = {"type": "unavailable", "from": "2027-02-10", "to": "2027-02-20"}

    plan = await desk.plan(changes=[away])

    primer = steps_of(plan)["primer/1"]
    assert primer["date"] == "2027-02-23"
    assert primer["reasons"][1]["rule"] == "unavailable:change-1"


async def test_a_report_that_needs_review_is_flagged_and_asks_for_attention(desk: Desk) -> None:
    await desk.at("2027-03-05T09:00:00-07:00")
    consult = {"type": "perform", "step": "consult", "on": "2027-01-13"}
    report = {"type": "report", "agent": "nsaid", "on": "2027-03-04"}

    plan = await desk.plan(
        parameters={"primer_count": 0, "orthotics": "declined"}, changes=[consult, report]
    )

    session = steps_of(plan)["session"]
    text = "session on Wed 2027-03-10 is inside the washout of nsaid given on Thu 2027-03-04"
    breach = {
        "id": "nsaid-before:session",
        "rule": "nsaid-before",
        "severity": "review",
        "text": text,
        "step_ids": [session["id"]],
        "acknowledged": False,
    }
    assert plan["breaches"] == [breach]
    assert plan["needs_attention"] == [
        {"code": "breach", "text": text, "breach": "nsaid-before:session"}
    ]


async def test_a_waiver_lets_a_window_be_missed_by_so_many_days(desk: Desk) -> None:
    await desk.at("2027-03-03T09:00:00-07:00")
    consult = {"type": "perform", "step": "consult", "on": "2027-02-10"}
    waiver = {"type": "waive", "element": "timing:primer/1.latest", "days": 6, "reason": "agreed"}

    plan = await desk.plan(
        anchor={"date": "2027-03-11"},
        parameters={"primer_count": 1, "orthotics": "declined"},
        changes=[
            consult,
            waiver,
            {"type": "waive", "element": "rule:injection-gap", "reason": "a"},
        ],
    )

    primer = steps_of(plan)["primer/1"]
    assert (primer["date"], primer["window"]["latest"]) == ("2027-03-03", "2027-03-03")


BAD_CHANGES = [
    pytest.param(
        {"type": "pin", "step": "sesion", "to": "2027-03-10"},
        "/changes/0/step",
        "unknown-step",
        id="a step that does not exist",
    ),
    pytest.param(
        {"type": "pin", "step": "primer/9", "to": "2027-02-16"},
        "/changes/0/step",
        "unknown-occurrence",
        id="a number beyond the most",
    ),
    pytest.param(
        {"type": "pin", "step": "primer/0", "to": "2027-02-16"},
        "/changes/0/step",
        "unknown-occurrence",
        id="number zero",
    ),
    pytest.param(
        {"type": "pin", "step": "primer", "to": "2027-02-16"},
        "/changes/0/step",
        "unknown-occurrence",
        id="a repeated step without a number",
    ),
    pytest.param(
        {"type": "pin", "step": "session/1", "to": "2027-03-10"},
        "/changes/0/step",
        "unknown-occurrence",
        id="a number of a single step",
    ),
    pytest.param(
        {"type": "skip", "step": "followup/m9"},
        "/changes/0/step",
        "unknown-occurrence",
        id="a timepoint that does not exist",
    ),
    pytest.param(
        {"type": "perform", "step": "primer/4", "on": "2027-01-04"},
        "/changes/0/step",
        "unknown-occurrence",
        id="a fact about a number beyond the most",
    ),
    pytest.param(
        {"type": "pin", "step": "primer/3", "to": "2027-01-12"},
        "/changes/0/step",
        "not-in-the-plan",
        id="a third primer of two",
    ),
    pytest.param(
        {"type": "perform", "step": "consult", "on": "2027-01-05"},
        "/changes/0/on",
        "after-today",
        id="a fact in the future",
    ),
    pytest.param(
        {"type": "perform", "step": "consult", "at": "2027-01-05T07:00:00Z"},
        "/changes/0/at",
        "after-today",
        id="an instant in the future",
    ),
    pytest.param(
        {"type": "report", "agent": "nsaid", "on": "2027-01-05"},
        "/changes/0/on",
        "after-today",
        id="a report in the future",
    ),
    pytest.param(
        {"type": "set_parameter", "key": "colour", "value": 1},
        "/changes/0/key",
        "unknown-parameter",
        id="a parameter that does not exist",
    ),
    pytest.param(
        {"type": "set_parameter", "key": "primer_count", "value": 4},
        "/changes/0/value",
        "not-allowed",
        id="a value out of bounds",
    ),
    pytest.param(
        {"type": "set_parameter", "key": "primer_count", "value": "2"},
        "/changes/0/value",
        "not-allowed",
        id="a value of another type",
    ),
    pytest.param(
        {"type": "decide", "step": "decision", "choice": "refer"},
        "/changes/0/step",
        "unknown-step",
        id="a decision that does not exist",
    ),
    pytest.param(
        {"type": "decide", "step": "primer", "choice": "refer"},
        "/changes/0/step",
        "not-a-decision",
        id="a step that is not a decision",
    ),
    pytest.param(
        {"type": "decide", "step": "booster_decision", "choice": "maybe"},
        "/changes/0/choice",
        "not-allowed",
        id="a choice that does not exist",
    ),
    *(
        pytest.param(
            {"type": "waive", "element": element, "reason": "agreed"},
            "/changes/0/element",
            NOT_THERE,
            id=f"a waiver of {element}",
        )
        for element in (
            "closure:never",
            "rule:never",
            "timing:primer/1",
            "timing:primer/3.latest",
            "timing:consult.target",
            "as_of",
            "anchor:session",
            "pin:session",
            "fact:consult",
            f"event:{NOBODY}",
            f"other:{NOBODY}/session",
            "nonsense",
        )
    ),
]


@pytest.mark.parametrize("change, pointer, code", BAD_CHANGES)
async def test_a_change_of_what_is_not_there_is_refused_by_its_place(
    desk: Desk, change: Data, pointer: str, code: str
) -> None:
    problem = await desk.refused(changes=[change])

    assert (problem["status"], problem["type"]) == (422, "invalid-plan")
    assert faults_of(problem) == {pointer: code}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            [
                {"type": "perform", "step": "consult", "on": "2026-12-10"},
                {"type": "perform", "step": "consult", "on": "2026-12-11"},
            ],
            id="performed twice",
        ),
        pytest.param(
            [
                {"type": "perform", "step": "consult", "on": "2026-12-10"},
                {"type": "skip", "step": "consult"},
            ],
            id="performed and skipped",
        ),
        pytest.param(
            [
                {"type": "skip", "step": "consult"},
                {"type": "perform", "step": "consult", "on": "2026-12-10"},
            ],
            id="skipped and performed",
        ),
        pytest.param(
            [
                {"type": "perform", "step": "consult", "on": "2026-12-10"},
                {"type": "pin", "step": "consult", "to": "2027-01-13"},
            ],
            id="performed and pinned",
        ),
        pytest.param(
            [{"type": "skip", "step": "consult"}, {"type": "skip", "step": "consult"}],
            id="skipped twice",
        ),
        pytest.param(
            [
                {"type": "skip", "step": "consult"},
                {"type": "pin", "step": "consult", "to": "2027-01-13"},
            ],
            id="skipped and pinned",
        ),
    ],
)
async def test_changes_that_contradict_each_other_are_refused_at_the_second(
    desk: Desk, changes: list[Data]
) -> None:
    problem = await desk.refused(changes=changes)

    assert (problem["status"], problem["type"]) == (422, "invalid-plan")
    assert faults_of(problem) == {"/changes/1": "contradiction"}
    assert "consult" in problem["errors"][0]["detail"]


async def test_an_event_of_which_the_protocol_knows_nothing_is_refused(desk: Desk) -> None:
    fields: dict[str, Any] = {"anchor": ..., "parameters": ..., "laterality": ...}

    problem = await desk.refused(
        protocol={"key": SERIES["key"]}, events={"sugery": "2027-01-02"}, **fields
    )

    assert problem["errors"] == [
        {"pointer": "/events/sugery", "code": "unknown-event", "detail": "must be one of: surgery"}
    ]


async def test_one_identifier_given_twice_is_refused(desk: Desk) -> None:
    identifier = {"system": "urn:example:ehr", "value": "twice"}

    problem = await desk.refused(identifiers=[identifier, identifier])

    assert faults_of(problem) == {"/identifiers/1": "given-twice"}


async def test_fewer_primers_are_offered_without_the_day_wanted_for_one_of_them(
    desk: Desk,
) -> None:
    problem = await desk.refused(
        changes=[
            {"type": "set_parameter", "key": "primer_count", "value": 2},
            {"type": "pin", "step": "primer/1", "to": "2027-02-21"},
        ]
    )

    fewer = [o["request"] for o in problem["options"] if "primer count" in o["text"]]
    plans = [await good(desk.preview(request)) for request in fewer]

    assert [days_of(plan).get("primer/1") for plan in plans] == [None]
    assert [plan["parameters"]["primer_count"] for plan in plans] == [0]
