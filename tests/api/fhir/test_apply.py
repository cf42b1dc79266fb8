"""``$apply``: dates for a patient, previewed or stored, of our protocols and of others'."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from app.domain.permissions import Role
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.locations import LocationRepository
from tests.api.fhir.given_apply import (
    OURS,
    ROOT,
    TWO,
    anchor,
    applied,
    applying,
    asking,
    choice,
    days_of,
    parts_of,
    refused,
)
from tests.api.fhir.test_foundation import issue_of
from tests.api.given_callers import headers
from tests.api.given_plans import ANKLE, Desk
from tests.integrations.fhir.given_plan_definitions import (
    action,
    days_of_cycle,
    group,
    plan_definition,
    relation,
    repeating,
)


async def test_applying_gives_the_days_that_the_native_preview_gives(desk: Desk) -> None:
    native = await desk.previewed()

    plan = await applied(desk, OURS, asking(desk, anchor()))

    days: dict[str, list[str]] = {}
    for step in native["steps"]:
        days.setdefault(step["key"], []).append(step["date"])
    assert days_of(plan) == days


@pytest.mark.parametrize("of_type", [False, True])
async def test_a_preview_may_be_asked_for_by_its_address(desk: Desk, of_type: bool) -> None:
    asked = {
        "subject": f"Patient/{desk.patient_id}",
        "location": desk.location_id,
        "laterality": "right",
        "anchor": "2027-03-10",
        "_format": "json",
    }
    named = {"canonical": f"urn:regimen:protocol:{ANKLE}|1.0.0"} if of_type else {}
    url = f"{ROOT}/$apply" if of_type else OURS

    answer = await desk.api.get(url, params={**asked, **named})

    assert answer.status_code == 200, answer.text
    posted = await applied(desk, OURS, asking(desk, anchor()))
    assert days_of(answer.json()) == days_of(posted)


@pytest.mark.parametrize(
    "asked, issue",
    [
        ({"persist": "true"}, ("not-supported", "Parameters.parameter")),
        ({"persist": "maybe"}, ("structure", "Parameters.parameter[2]")),
        ({"choice": "primer_count"}, ("structure", "Parameters.parameter[2]")),
        ({"anchor": "soon"}, ("value", "Parameters.parameter[1]")),
        ({"anchor": "2027-03-10T09:00:00"}, ("value", "Parameters.parameter[1]")),
        ({"planDefinition": "x"}, ("structure", "Parameters.parameter[2]")),
    ],
)
async def test_what_has_parts_or_is_to_be_stored_has_to_be_posted(
    desk: Desk, asked: dict[str, str], issue: tuple[str, str]
) -> None:
    before = await desk.rows()
    usual = {"subject": f"Patient/{desk.patient_id}", "anchor": "2027-03-10"}

    answer = await desk.api.get(OURS, params={**usual, **asked})

    assert refused(answer) == [issue]
    assert await desk.rows() == before


async def test_a_preview_is_one_resource_with_all_its_parts_and_stores_nothing(
    desk: Desk,
) -> None:
    before = await desk.rows()

    plan = await applied(desk, OURS, asking(desk, anchor()))

    assert await desk.rows() == before
    assert plan["status"] == "draft"
    assert plan["instantiatesCanonical"] == [f"urn:regimen:protocol:{ANKLE}|1.0.0"]
    names = {f"#{one['id']}" for one in plan["contained"]}
    told = {one["reference"]["reference"] for one in plan["activity"]}
    assert told == names
    assert len(parts_of(plan, "RequestGroup")) == 1
    assert {one["status"] for one in parts_of(plan, "Appointment")} == {"proposed"}
    assert "versionId" not in str(plan)


async def test_each_request_has_its_window_its_target_and_its_reasons(desk: Desk) -> None:
    plan = await applied(desk, OURS, asking(desk, anchor()))

    request = next(
        one
        for one in parts_of(plan, "ServiceRequest")
        if one["code"]["coding"][0]["code"] == "followup_2w"
    )

    period = request["occurrencePeriod"]
    assert (period["start"], period["end"]) == ("2027-03-20", "2027-03-28")
    assert period["extension"][0]["valueDate"] == "2027-03-24"
    assert "14 days after" in request["note"][0]["text"]


async def test_choices_change_the_plan(desk: Desk) -> None:
    asked = asking(
        desk, anchor(), choice("booster_timing", "eight_weeks"), choice("primer_count", 3)
    )

    plan = await applied(desk, OURS, asked)

    assert len(days_of(plan)["primer"]) == 3
    assert days_of(plan)["booster"] == ["2027-05-05"]


async def test_persisting_stores_the_plan_as_it_was_previewed(desk: Desk) -> None:
    preview = await applied(desk, OURS, asking(desk, anchor()))
    asked = asking(desk, anchor(), {"name": "persist", "valueBoolean": True})

    answer = await desk.api.post(OURS, json=asked, headers={"Idempotency-Key": "apply-once"})
    again = await desk.api.post(OURS, json=asked, headers={"Idempotency-Key": "apply-once"})

    assert answer.status_code == 201, answer.text
    plan = answer.json()
    assert (again.status_code, again.json()) == (201, plan)
    assert answer.headers["location"].endswith(f"/CarePlan/{plan['id']}/_history/1")
    native = (await desk.api.get(f"/v1/plans/{plan['id']}")).json()
    assert native["status"] == "active"
    stored = sorted(step["date"] for step in native["steps"])
    assert stored == sorted(day for days in days_of(preview).values() for day in days)
    assert (await desk.api.get(f"/fhir/R4/CarePlan/{plan['id']}")).json() == plan


async def test_a_plan_that_cannot_be_scheduled_is_refused_with_ways_out(desk: Desk) -> None:
    monday = "2027-03-08"

    for persist in (False, True):
        asked = asking(desk, anchor(monday), {"name": "persist", "valueBoolean": persist})
        answer = await desk.api.post(OURS, json=asked)

        assert issue_of(answer, 409)["code"] == "conflict"
        OperationOutcome.model_validate(answer.json())
        issues = answer.json()["issue"]
        assert {one["code"] for one in issues[1:]} == {"business-rule", "informational"}
        assert any("possible instead" in one["diagnostics"] for one in issues)


async def test_storing_needs_the_right_to_make_plans(own_desk: Desk) -> None:
    reader = await headers(own_desk.app, Role.READ_ONLY)
    persist = {"name": "persist", "valueBoolean": True}
    kept = asking(own_desk, anchor(), persist)

    seen = await own_desk.api.post(OURS, json=asking(own_desk, anchor()), headers=reader)
    answer = await own_desk.api.post(OURS, json=kept, headers=reader)

    assert seen.status_code == 200
    assert issue_of(answer, 403)["code"] == "forbidden"


async def test_an_instant_is_the_day_at_the_location(desk: Desk) -> None:
    late = anchor("2027-03-11T04:30:00Z", type_="valueDateTime")

    plan = await applied(desk, OURS, asking(desk, late))

    assert days_of(plan)["session"] == ["2027-03-10"]


async def test_a_time_zone_names_the_one_location_that_has_it(own_desk: Desk) -> None:
    zone = {"name": "timezone", "valueCode": "America/Denver"}
    nowhere = {"name": "timezone", "valueCode": "Europe/Berlin"}
    elsewhere = asking(own_desk, anchor(), nowhere)

    plan = await applied(own_desk, OURS, asking(own_desk, anchor(), zone, location=None))

    assert days_of(plan)["session"] == ["2027-03-10"]
    assert refused(await own_desk.api.post(OURS, json=elsewhere)) == [
        ("not-found", "Parameters.parameter")
    ]


async def test_the_anchor_may_be_a_range_of_days(desk: Desk) -> None:
    parts = [
        {"name": "earliest", "valueDate": "2027-03-08"},
        {"name": "until", "valueDate": "2027-03-31"},
        {"name": "action", "valueString": "session"},
    ]

    plan = await applied(desk, OURS, asking(desk, {"name": "anchor", "part": parts}))

    assert days_of(plan)["session"] == ["2027-03-09"]


async def test_a_patient_may_be_named_by_an_identifier(desk: Desk) -> None:
    named = f"{desk.mrn['system']}|{desk.mrn['value']}"
    by_search = {"name": "subject", "valueString": f"Patient?identifier={named}"}
    by_reference = {"name": "subject", "valueReference": {"identifier": desk.mrn}}

    for subject in (by_search, by_reference):
        plan = await applied(desk, OURS, asking(desk, anchor(), subject=subject))
        assert plan["subject"]["reference"] == f"Patient/{desk.patient_id}"


async def test_a_stored_version_may_be_named_by_its_canonical(desk: Desk) -> None:
    canonical = f"urn:regimen:protocol:{ANKLE}"

    for name in (canonical, f"{canonical}|1.0.0"):
        named = {"name": "canonical", "valueCanonical": name}
        plan = await applied(desk, f"{ROOT}/$apply", asking(desk, anchor(), named))
        assert days_of(plan)["session"] == ["2027-03-10"]

    unknown = {"name": "canonical", "valueCanonical": f"{canonical}|9.0.0"}
    answer = await desk.api.post(f"{ROOT}/$apply", json=asking(desk, anchor(), unknown))
    assert refused(answer) == [("not-found", "Parameters.parameter")]


async def test_a_definition_that_is_sent_along_is_previewed_and_not_stored(desk: Desk) -> None:
    persist = {"name": "persist", "valueBoolean": True}

    plan = await applied(desk, f"{ROOT}/$apply", applying(desk, TWO, anchor()))
    answer = await desk.api.post(f"{ROOT}/$apply", json=applying(desk, TWO, anchor(), persist))

    assert days_of(plan) == {"session": ["2027-03-10"], "followup": ["2027-04-21"]}
    assert refused(answer) == [("business-rule", "Parameters.parameter")]


async def test_cycles_begin_on_the_day_that_is_given(desk: Desk) -> None:
    medicine = action("medicine", **days_of_cycle(1, 8))
    cycles = group("cycle", medicine, **repeating(count=3, duration=21, durationUnit="d"))

    named = applying(desk, plan_definition(cycles), anchor(name="cycle"))
    plan = await applied(desk, f"{ROOT}/$apply", named)

    start = date(2027, 3, 10)
    days = [start + timedelta(21 * cycle + day) for cycle in range(3) for day in (0, 7)]
    assert days_of(plan)["medicine"] == [day.isoformat() for day in days]


@pytest.mark.parametrize("expression, number", [("Patient.active", 2), ("Patient.active.not()", 1)])
async def test_actions_are_there_where_their_conditions_hold(
    desk: Desk, expression: str, number: int
) -> None:
    said = {"language": "text/fhirpath", "expression": expression}
    held = action("held", relation("session", "after", 7))
    held["condition"] = [{"kind": "applicability", "expression": said}]
    definition = plan_definition(action("session"), held)

    plan = await applied(desk, f"{ROOT}/$apply", applying(desk, definition, anchor()))

    assert len(parts_of(plan, "ServiceRequest")) == number


async def test_an_imported_protocol_is_applied_with_its_conditions_and_choices(desk: Desk) -> None:
    said = {"language": "text/fhirpath", "expression": "Patient.birthDate.exists()"}
    held = action("held", relation("session", "after", 7))
    held["condition"] = [{"kind": "applicability", "expression": said}]
    one_of = group(
        "aid",
        action("brace", relation("session", "after", 14)),
        action("tape", relation("session", "after", 15)),
        selectionBehavior="exactly-one",
    )
    definition = plan_definition(action("session"), held, one_of, url="http://e.org/chosen")
    made = await desk.api.post(ROOT, json=definition)
    assert made.status_code == 201, made.text
    url = f"{ROOT}/chosen.v1.0.0/$apply"

    without = await desk.api.post(url, json=asking(desk, anchor(), side=None))
    chosen = asking(desk, anchor(), choice("aid", "tape"), side=None)
    plan = await applied(desk, url, chosen)

    assert refused(without) == [("required", "Parameters.parameter")]
    assert days_of(plan)["tape"] == ["2027-03-25"]
    assert "brace" not in days_of(plan)


async def test_days_outside_the_protocol_are_given_like_the_anchor(desk: Desk) -> None:
    document = {
        "format": 1,
        "key": "after-surgery",
        "version": "1.0.0",
        "title": "After surgery",
        "steps": [
            {
                "key": "check",
                "kind": "visit",
                "title": "Check",
                "timings": [{"relative_to": {"event": "surgery"}, "target": "P14D"}],
            }
        ],
    }
    made = await desk.api.post("/v1/protocols", json=document)
    assert made.status_code == 201, made.text
    url = f"{ROOT}/after-surgery.v1.0.0/$apply"

    plan = await applied(desk, url, asking(desk, anchor("2027-03-10", "surgery"), side=None))

    assert days_of(plan) == {"check": ["2027-03-24"]}


async def test_a_location_is_known_however_many_the_clinic_has(own_desk: Desk) -> None:
    async with own_desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        locations = LocationRepository(connection, DEFAULT_CLINIC_ID)
        usual = await locations.get(UUID(own_desk.location_id))
        for number in range(200):
            await locations.add(replace(usual, id=UUID(int=number), time_zone="Asia/Tokyo"))
    late = anchor("2027-03-11T04:30:00Z", type_="valueDateTime")

    plan = await applied(own_desk, OURS, asking(own_desk, late))

    assert days_of(plan)["session"] == ["2027-03-10"]
