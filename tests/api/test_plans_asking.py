"""Everything a request for a plan may say, and what becomes of it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import PatientRow
from tests.api.given_plans import (
    ANKLE,
    NOBODY,
    Data,
    Desk,
    a_location,
    days_of,
    faults_of,
    steps_of,
)

GONE_AT = datetime(2027, 1, 2, tzinfo=UTC)


async def test_the_anchor_takes_the_first_day_that_works(desk: Desk) -> None:
    plan = await desk.plan(anchor={"earliest_from": "2027-03-13", "until": "2027-04-30"})

    session = steps_of(plan)["session"]
    assert plan["anchor"] == {
        "step": "session",
        "date": "2027-03-16",
        "earliest_from": "2027-03-13",
        "until": "2027-04-30",
    }
    assert (session["date"], session["reasons"][0]["code"]) == ("2027-03-16", "first_possible")


async def test_the_earliest_anchor_leaves_room_for_what_comes_before_it(desk: Desk) -> None:
    plan = await desk.plan(anchor={"earliest_from": "2027-01-05"})

    days = days_of(plan)
    assert days["session"] == "2027-02-02"
    assert (days["primer/2"], days["primer/1"]) == ("2027-01-05", "2027-01-19")


async def test_nothing_is_dated_before_the_notice_which_the_location_needs(desk: Desk) -> None:
    location = await desk.location(notice_days=10)

    plan = await desk.plan(location_id=location)

    consult = steps_of(plan)["consult"]
    assert consult["date"] == "2027-01-14"
    assert consult["reasons"][1] == {
        "code": "notice",
        "text": "Wed 2027-01-13 is before Thu 2027-01-14, the first day to book",
        "rule": "as_of",
    }


async def test_a_day_asked_for_stands_instead_of_the_notice(desk: Desk) -> None:
    location = await desk.location(notice_days=10)

    plan = await desk.plan(location_id=location, not_before="2027-01-05")

    assert steps_of(plan)["consult"]["date"] == "2027-01-13"


async def test_a_location_may_be_left_out_where_there_is_one(own_desk: Desk) -> None:
    plan = await own_desk.plan(location_id=...)

    assert plan["location_id"] == own_desk.location_id


async def test_a_location_must_be_named_where_there_are_several(own_desk: Desk) -> None:
    await a_location(own_desk.api)

    problem = await own_desk.refused(location_id=...)

    assert (problem["status"], problem["type"]) == (422, "location-needed")
    assert "several locations" in problem["detail"]


async def test_a_patient_is_found_by_what_another_system_calls_them(desk: Desk) -> None:
    plan = await desk.plan(patient={"identifier": desk.mrn})

    assert plan["patient_id"] == desk.patient_id


async def test_the_days_of_a_draft_are_proposed(desk: Desk) -> None:
    plan = await desk.plan(status="draft")

    assert plan["status"] == "draft"
    assert {step["status"] for step in plan["steps"]} == {"proposed"}
    assert all("book" not in step["allowed_changes"] for step in plan["steps"])


async def test_the_days_of_an_active_plan_are_planned(desk: Desk) -> None:
    plan = await desk.plan()

    assert plan["status"] == "active"
    assert {step["status"] for step in plan["steps"]} == {"planned"}
    assert "decide" in steps_of(plan)["booster_decision"]["allowed_changes"]


@pytest.mark.parametrize(
    "parameters, gone, kept",
    [
        pytest.param({"primer_count": 0}, {"primer/1"}, {"session"}, id="no primer"),
        pytest.param({"primer_count": 3}, set(), {"primer/3"}, id="three primers"),
        pytest.param({}, {"primer/3"}, {"primer/2", "booster"}, id="the defaults"),
        pytest.param(
            {"booster_timing": "none"}, {"booster", "booster_decision"}, set(), id="no booster"
        ),
        pytest.param(
            {"orthotics": "declined"}, {"orthotic_impression", "orthotic_check"}, set(), id="none"
        ),
    ],
)
async def test_parameters_decide_what_there_is(
    desk: Desk, parameters: Data, gone: set[str], kept: set[str]
) -> None:
    plan = await desk.previewed(parameters=parameters)

    names = steps_of(plan).keys()
    assert kept <= names
    assert not gone & names
    assert plan["parameters"] == parameters


async def test_a_booster_at_eight_weeks_is_another_day_not_a_wider_window(desk: Desk) -> None:
    plan = await desk.previewed(parameters={"booster_timing": "eight_weeks"})

    booster = steps_of(plan)["booster"]
    assert (booster["date"], booster["window"]["earliest"]) == ("2027-05-05", "2027-05-02")
    assert plan["chosen"]["booster"] == "eight_weeks"


@pytest.mark.parametrize(
    "laterality, code",
    [
        pytest.param(..., "missing", id="left out"),
        pytest.param(None, "missing", id="null"),
        pytest.param("bilateral", "not-allowed", id="not of this protocol"),
    ],
)
async def test_a_side_of_the_protocol_is_needed(desk: Desk, laterality: Any, code: str) -> None:
    problem = await desk.refused(laterality=laterality)

    assert (problem["status"], faults_of(problem)) == (422, {"/laterality": code})


async def test_a_plan_may_start_from_a_day_and_from_events_outside(desk: Desk) -> None:
    plan = await desk.plan(
        protocol={"key": "series"},
        anchor=...,
        parameters=...,
        laterality=...,
        plan_start="2027-02-01",
        events={"surgery": "2027-02-03"},
    )

    assert days_of(plan) == {
        "shot/1": "2027-02-02",
        "shot/2": "2027-02-09",
        "shot/3": "2027-02-16",
        "scan": "2027-02-17",
    }
    assert plan["anchor"] is None
    assert (plan["body_site"], plan["laterality"]) == (None, None)


async def test_a_step_waits_for_an_event_nobody_has_named(desk: Desk) -> None:
    plan = await desk.plan(protocol={"key": "series"}, anchor=..., parameters=..., laterality=...)

    scan = steps_of(plan)["scan"]
    assert [scan[key] for key in ("date", "window", "window_state", "deviation_days")] == [None] * 4
    assert [reason["code"] for reason in scan["reasons"]] == ["undated"]
    assert plan["needs_attention"] == [
        {"code": "undated", "text": "Scan has no day yet", "step_id": scan["id"]}
    ]


async def test_an_anchor_where_the_protocol_has_none_is_refused(desk: Desk) -> None:
    problem = await desk.refused(protocol={"key": "series"}, parameters=..., laterality=...)

    assert faults_of(problem) == {"/anchor": "not-allowed"}


async def test_a_missing_anchor_is_asked_for_by_the_name_of_its_step(desk: Desk) -> None:
    problem = await desk.refused(anchor=...)

    assert problem["errors"] == [
        {
            "pointer": "/anchor",
            "code": "missing",
            "detail": "is needed: the protocol hangs from its step 'session'",
        }
    ]


async def test_every_misfit_between_request_and_protocol_is_told_at_once(desk: Desk) -> None:
    problem = await desk.refused(
        anchor=...,
        laterality=...,
        parameters={"primer_count": 9, "booster_timing": 6, "colour": "red"},
        changes=[
            {"type": "pin", "step": "session", "to": "2027-03-10"},
            {"type": "pin", "step": "sesion", "to": "2027-03-10"},
        ],
    )

    assert (problem["status"], problem["type"]) == (422, "invalid-plan")
    assert faults_of(problem) == {
        "/laterality": "missing",
        "/parameters/primer_count": "not-allowed",
        "/parameters/booster_timing": "not-allowed",
        "/parameters/colour": "unknown-parameter",
        "/anchor": "missing",
        "/changes/1/step": "unknown-step",
    }


@pytest.mark.parametrize(
    "protocol, expected",
    [
        pytest.param({"key": "nobody-has-it"}, (404, "protocol-not-found"), id="no protocol"),
        pytest.param(
            {"key": ANKLE, "version": "9.9.9"}, (404, "version-not-found"), id="no version"
        ),
        pytest.param(
            {"key": ANKLE, "version": "0.9.0"}, (409, "version-not-active"), id="a retired version"
        ),
        pytest.param({"key": "drafted"}, (409, "no-active-version"), id="nothing active"),
    ],
)
async def test_only_an_active_version_makes_plans(
    desk: Desk, protocol: Data, expected: tuple[int, str]
) -> None:
    problem = await desk.refused(protocol=protocol)

    assert (problem["status"], problem["type"]) == expected


async def test_a_draft_of_a_protocol_may_be_tried_but_not_used(desk: Desk) -> None:
    body = desk.body(
        protocol={"key": "drafted", "version": "1.0.0"},
        anchor=...,
        parameters=...,
        laterality=...,
    )

    seen, asked = await desk.preview(body), await desk.post(body)

    assert seen.status_code == 200
    assert (asked.status_code, asked.json()["type"]) == (409, "version-not-active")


@pytest.mark.parametrize(
    "fields, expected",
    [
        pytest.param({"patient": {"id": NOBODY}}, (404, "patient-not-found"), id="no patient"),
        pytest.param(
            {"patient": {"identifier": {"system": "urn:example:mrn", "value": "nobody"}}},
            (404, "patient-not-found"),
            id="no such identifier",
        ),
        pytest.param({"location_id": NOBODY}, (404, "location-not-found"), id="no location"),
    ],
)
async def test_whom_and_where_a_plan_names_must_exist(
    desk: Desk, fields: Data, expected: tuple[int, str]
) -> None:
    problem = await desk.refused(**fields)

    assert (problem["status"], problem["type"]) == expected


@pytest.mark.parametrize("gone", ["erased", "merged"])
async def test_no_plan_is_made_for_a_patient_who_is_no_longer_here(desk: Desk, gone: str) -> None:
    other = UUID(await desk.patient())
    values: Data = {"merged_into": other} if gone == "merged" else {"erased_at": GONE_AT}
    async with desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        row = update(PatientRow).where(PatientRow.id == UUID(desk.patient_id))
        await connection.execute(row.values(values))

    problem = await desk.refused()

    assert (problem["status"], problem["type"]) == (409, "patient-erased")


async def test_a_plan_says_that_its_protocol_is_an_unconfirmed_example(desk: Desk) -> None:
    plan = await desk.plan()

    assert plan["protocol"] == {"key": ANKLE, "version": "1.0.0", "example": True}


async def test_what_is_asked_at_night_counts_from_the_locations_today(desk: Desk) -> None:
    await desk.at("2027-01-05T05:30:00Z")

    plan = await desk.plan(changes=[{"type": "perform", "step": "consult", "on": "2027-01-04"}])
    refused = await desk.refused(
        changes=[{"type": "perform", "step": "consult", "on": "2027-01-05"}]
    )

    assert steps_of(plan)["consult"]["status"] == "performed"
    assert refused["status"] == 422
