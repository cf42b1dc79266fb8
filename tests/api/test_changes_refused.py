"""What may not be changed is refused by its place, echoes nothing and stores nothing."""

from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.given_changes import DONE, Living, did, hours, living, living_until_april
from tests.api.given_plans import NOBODY, Data, Desk, a_desk, faults_of
from tests.client import Client

SECRET = "Zdrfgq"
TIMING: Data = {"relative_to": {"step": "session"}, "target": "P7D"}
ADDED: Data = {"type": "add_step", "title": "Scan", "kind": "visit", "timing": TIMING}
DECIDE: Data = {"type": "decide", "step": "booster_decision", "choice": "no_booster"}


@pytest.fixture(scope="module")
async def standing(plans_app: FastAPI, plans_api: Client) -> Living:
    """A plan on 25 February, all done but the consultation: for changes that store nothing."""
    plan = await living(await a_desk(plans_app, plans_api))
    await plan.on("2027-02-25")
    await plan.change(*did(**{step: day for step, day in DONE.items() if step != "consult"}))
    return plan


def invalid(id_: str, change: Data, pointer: str, code: str) -> Any:
    """A change which is refused, wherever it is posted, at a pointer below it."""
    return pytest.param(change, pointer, code, id=id_)


REFUSED = [
    invalid("no type", {"step": "session"}, "", "missing"),
    invalid("an unknown type", {"type": SECRET}, "", "not-allowed"),
    invalid(
        "an unknown field",
        {"type": "skip", "step": "session", SECRET: 1},
        "/Zdrfgq",
        "unknown-field",
    ),
    invalid("no step", {"type": "skip"}, "", "one-of"),
    invalid("both names", {"type": "skip", "step": "a", "step_id": NOBODY}, "", "one-of"),
    invalid("another plan's step", {"type": "skip", "step_id": NOBODY}, "/step_id", "unknown-step"),
    invalid("no such step", {"type": "skip", "step": "primer/3"}, "/step", "unknown-step"),
    invalid(
        "a step without its number", {"type": "skip", "step": "primer"}, "/step", "unknown-step"
    ),
    invalid(
        "a fact tomorrow",
        {"type": "perform", "step": "consult", "on": "2027-02-26"},
        "/on",
        "after-today",
    ),
    invalid(
        "an instant tomorrow",
        {"type": "perform", "step": "consult", "at": "2027-02-26T07:00:00Z"},
        "/at",
        "after-today",
    ),
    invalid(
        "a day and an instant",
        {"type": "perform", "step": "consult", "on": "2027-02-25", "at": "2027-02-25T20:00:00Z"},
        "",
        "one-of",
    ),
    invalid("no day", {"type": "perform", "step": "consult"}, "", "one-of"),
    invalid(
        "done twice",
        {"type": "perform", "step": "primer/1", "on": "2027-02-24"},
        "",
        "contradiction",
    ),
    invalid("a done step missed", {"type": "miss", "step": "primer/1"}, "", "contradiction"),
    invalid(
        "an appointment missed that is to come",
        {"type": "miss", "step": "consult", "appointment": hours("2027-02-26")},
        "/appointment/starts_at",
        "after-today",
    ),
    invalid("missed before its day", {"type": "miss", "step": "session"}, "", "not-yet"),
    invalid(
        "a done step moved",
        {"type": "move", "step": "primer/1", "to": "2027-02-26"},
        "",
        "contradiction",
    ),
    invalid(
        "a done step pinned",
        {"type": "pin", "step": "primer/1", "to": "2027-02-26"},
        "",
        "contradiction",
    ),
    invalid("a done step skipped", {"type": "skip", "step": "primer/1"}, "", "contradiction"),
    invalid("a done step cancelled", {"type": "cancel", "step": "primer/1"}, "", "contradiction"),
    invalid("what is there restored", {"type": "restore", "step": "session"}, "", "contradiction"),
    invalid("not pinned", {"type": "unpin", "step": "session"}, "", "contradiction"),
    invalid("not booked", {"type": "unbook", "step": "session"}, "", "contradiction"),
    invalid(
        "booked yesterday",
        {"type": "book", "step": "session", **hours("2027-02-24")},
        "",
        "contradiction",
    ),
    invalid(
        "booked backwards",
        {
            "type": "book",
            "step": "session",
            "starts_at": "2027-03-10T18:00:00Z",
            "ends_at": "2027-03-10T17:00:00Z",
        },
        "",
        "contradiction",
    ),
    invalid(
        "not a day", {"type": "move", "step": "session", "to": "2027-02-30"}, "/to", "not-a-day"
    ),
    invalid("no day at all", {"type": "move_anchor"}, "/to", "missing"),
    invalid(
        "an unknown parameter",
        {"type": "set_parameter", "key": "colour", "value": 1},
        "/key",
        "unknown-parameter",
    ),
    invalid(
        "too many primers",
        {"type": "set_parameter", "key": "primer_count", "value": 4},
        "/value",
        "not-allowed",
    ),
    invalid(
        "more than any number may be",
        {"type": "set_parameter", "key": "primer_count", "value": 10**9 + 1},
        "/value",
        "too-large",
    ),
    invalid(
        "a number as text",
        {"type": "set_parameter", "key": "primer_count", "value": "2"},
        "/value",
        "not-allowed",
    ),
    invalid("no such choice", {**DECIDE, "choice": "maybe"}, "/choice", "not-allowed"),
    invalid("not a decision", {**DECIDE, "step": "session"}, "/step", "not-a-decision"),
    invalid("nothing to put off", {**DECIDE, "shift": "P2W"}, "/shift", "not-allowed"),
    invalid("put off by months", {**DECIDE, "shift": "P1M"}, "", "not-in-days"),
    invalid("put off to an earlier day", {**DECIDE, "shift": "-P1W"}, "", "not-later"),
    invalid(
        "booked for two days",
        {
            "type": "book",
            "step": "session",
            "starts_at": "2027-03-10T09:00:00-07:00",
            "ends_at": "2027-03-12T09:00:00-07:00",
        },
        "",
        "contradiction",
    ),
    invalid("put off by rubbish", {**DECIDE, "shift": SECRET}, "", "not-an-offset"),
    invalid(
        "a report tomorrow",
        {"type": "report", "agent": "nsaid", "on": "2027-02-26"},
        "/on",
        "after-today",
    ),
    invalid("a report of nothing", {"type": "report", "on": "2027-02-25"}, "", "one-of"),
    invalid(
        "away backwards",
        {"type": "unavailable", "from": "2027-03-02", "to": "2027-03-01"},
        "/to",
        "before-its-beginning",
    ),
    invalid(
        "away for ever",
        {"type": "unavailable", "from": "2027-03-02", "to": "2047-03-01"},
        "/to",
        "too-long-a-span",
    ),
    *(
        invalid(
            f"a waiver of {element}",
            {"type": "waive", "element": element, "reason": "agreed"},
            "/element",
            "not-waivable",
        )
        for element in (
            "as_of",
            "anchor:session",
            "fact:primer/1",
            "rule:never",
            "timing:primer/3.latest",
            "closure:never",
        )
    ),
    invalid(
        "a waiver for nothing",
        {"type": "waive", "element": "weekdays", "days": 0, "reason": "a"},
        "/days",
        "too-small",
    ),
    invalid(
        "a waiver without a reason", {"type": "waive", "element": "weekdays"}, "/reason", "missing"
    ),
    invalid(
        "no such breach", {"type": "acknowledge", "breach": SECRET}, "/breach", "unknown-breach"
    ),
    invalid("an active plan activated", {"type": "activate"}, "", "contradiction"),
    invalid("an active plan resumed", {"type": "resume"}, "", "contradiction"),
    invalid("the same version", {"type": "amend", "version": "1.0.0"}, "", "contradiction"),
    invalid(
        "no such change", {"type": "correct", "change_id": NOBODY}, "/change_id", "unknown-change"
    ),
    invalid(
        "a step before itself",
        {**ADDED, "timing": {**TIMING, "relative_to": {"step": SECRET.lower()}}},
        "/timing/relative_to/step",
        "unknown-step",
    ),
    invalid(
        "an offset that is none",
        {**ADDED, "timing": {**TIMING, "target": SECRET}},
        "/timing/target",
        "wrong-form",
    ),
    invalid(
        "a window backwards",
        {**ADDED, "timing": {**TIMING, "latest": "P1D"}},
        "/timing/target",
        "target-outside-window",
    ),
    invalid("a decision without choices", {**ADDED, "kind": "decision"}, "/kind", "not-allowed"),
]


@pytest.mark.parametrize("change, pointer, code", REFUSED)
async def test_what_does_not_fit_is_refused_by_its_place(
    standing: Living, change: Data, pointer: str, code: str
) -> None:
    plan = await standing.on("2027-02-25")
    fine = {"type": "report", "agent": "paracetamol", "on": "2027-02-25"}

    problem = await plan.refused(fine, change)

    assert problem["status"] == 422
    assert faults_of(problem) == {f"/changes/1{pointer}": code}
    said = [fault["detail"] for fault in problem["errors"]]
    assert SECRET.lower() not in " ".join(said).lower()


CONTRADICTIONS = [
    pytest.param(*pair, id=id_)
    for id_, *pair in (
        (
            "two days",
            {"type": "move", "step": "booster", "to": "2027-04-22"},
            {"type": "move", "step": "booster", "to": "2027-04-23"},
        ),
        (
            "moved and pinned",
            {"type": "pin", "step": "booster", "to": "2027-04-22"},
            {"type": "move", "step": "booster", "to": "2027-04-23"},
        ),
        (
            "moved and booked",
            {"type": "move", "step": "booster", "to": "2027-04-22"},
            {"type": "book", "step": "booster", **hours("2027-04-23")},
        ),
        (
            "two anchors",
            {"type": "move_anchor", "to": "2027-03-11"},
            {"type": "move_anchor", "to": None},
        ),
        (
            "the session moved twice",
            {"type": "move_anchor", "to": "2027-03-11"},
            {"type": "move", "step": "session", "to": "2027-03-12"},
        ),
        (
            "two values",
            {"type": "set_parameter", "key": "primer_count", "value": 1},
            {"type": "set_parameter", "key": "primer_count", "value": 3},
        ),
        (
            "two facts",
            {"type": "perform", "step": "consult", "on": "2027-01-13"},
            {"type": "perform", "step": "consult", "on": "2027-01-14"},
        ),
        (
            "done and skipped",
            {"type": "perform", "step": "consult", "on": "2027-01-13"},
            {"type": "skip", "step": "consult"},
        ),
        (
            "skipped twice",
            {"type": "skip", "step": "booster"},
            {"type": "cancel", "step": "booster"},
        ),
        (
            "skipped and moved",
            {"type": "skip", "step": "booster"},
            {"type": "move", "step": "booster", "to": "2027-04-23"},
        ),
        ("decided twice", DECIDE, {**DECIDE, "choice": "refer"}),
        (
            "waived twice",
            {"type": "waive", "element": "weekdays", "reason": "a"},
            {"type": "waive", "element": "weekdays", "days": 3, "reason": "b"},
        ),
        ("revoked and changed", {"type": "revoke"}, {"type": "skip", "step": "booster"}),
    )
]


@pytest.mark.parametrize("first, second", CONTRADICTIONS)
async def test_changes_that_contradict_each_other_are_refused_at_the_second(
    standing: Living, first: Data, second: Data
) -> None:
    plan = await standing.on("2027-02-25")

    problem = await plan.refused(first, second)

    assert (problem["status"], problem["type"]) == (422, "invalid-change")
    assert faults_of(problem) == {"/changes/1": "contradiction"}


async def test_every_fault_is_named_at_once(desk: Desk) -> None:
    plan = await living(desk)

    problem = await plan.refused(
        {"type": "skip", "step": "primer/9"},
        {"type": "set_parameter", "key": "colour", "value": 1},
        {**DECIDE, "choice": "maybe"},
        {"type": "acknowledge", "breach": "none"},
    )

    assert faults_of(problem) == {
        "/changes/0/step": "unknown-step",
        "/changes/1/key": "unknown-parameter",
        "/changes/2/choice": "not-allowed",
        "/changes/3/breach": "unknown-breach",
    }


async def test_a_decision_is_taken_once(desk: Desk) -> None:
    plan = await living_until_april(desk)
    six_weeks = {**DECIDE, "choice": "booster_six_weeks"}
    await plan.change(six_weeks)

    again = await plan.refused({**DECIDE, "choice": "booster_eight_weeks"})
    around = await plan.refused(
        {"type": "set_parameter", "key": "booster_timing", "value": "eight_weeks"}
    )

    assert faults_of(again) == {"/changes/0": "contradiction"}
    assert faults_of(around) == {"/changes/0/key": "decided"}
