"""The account of access: who read or changed what, in a chain that shows what was altered."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, literal, select, update

from app.domain.permissions import Role
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import (
    AccessBatchRow,
    AccessPatientRow,
    AccessWaitingRow,
)
from app.services import access
from app.services.context import Context
from app.worker import ACCESS_KEPT_FOR
from tests.api import given_callers
from tests.api.given_access import LATER, URL, altered, last_number, listed, three_batches, verified
from tests.api.given_bulk import bulk
from tests.api.given_plans import Desk, good

CANARY = "Kanarienvogel"


async def test_reads_and_changes_appear_with_operation_credential_and_ids(own_desk: Desk) -> None:
    plan = await own_desk.plan()
    await good(own_desk.api.get(f"/v1/plans/{plan['id']}"))

    read, made = (await listed(own_desk, patient_id=own_desk.patient_id))[:2]

    everything = {plan["id"], own_desk.patient_id, *(step["id"] for step in plan["steps"])}
    assert (read["operation"], read["stored"]) == ("read_plan", False)
    assert (made["operation"], made["stored"]) == ("create_plan", True)
    for one in (read, made):
        assert one["credential"] == "local"
        assert set(one["ids"]) == everything
        assert one["patient_ids"] == [own_desk.patient_id]


async def test_whose_plan_it_is_is_known_where_the_answer_does_not_say(own_desk: Desk) -> None:
    plan = await own_desk.plan()
    await good(own_desk.api.get(f"/v1/plans/{plan['id']}/history"))
    await good(own_desk.api.post("/v1/patients/search", json={"identifier": own_desk.mrn}))

    found = await listed(own_desk, patient_id=own_desk.patient_id)

    assert {"list_revisions", "search_patients", "upsert_patient"} <= {
        one["operation"] for one in found
    }


async def test_a_change_is_noted_in_its_own_transaction(own_desk: Desk) -> None:
    await own_desk.app.state.account.commit()
    plan = await own_desk.plan()

    async with own_desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        waiting = (await connection.execute(select(AccessWaitingRow.access))).scalars().all()
    assert [one["operation"] for one in waiting] == ["create_plan"]
    assert waiting[0]["ids"][0] == plan["id"]


async def test_what_is_refused_is_no_change(own_desk: Desk) -> None:
    answer = await own_desk.api.post("/v1/plans", json=own_desk.body(anchor={"date": "2027-03-14"}))

    assert answer.status_code == 409
    newest = (await listed(own_desk))[0]
    assert (newest["operation"], newest["stored"]) == ("create_plan", False)
    assert newest["ids"] == newest["patient_ids"] == [own_desk.patient_id]


async def test_whose_days_a_conflict_tells_is_known_however_the_patient_was_named(
    own_desk: Desk,
) -> None:
    closed = {"patient": {"identifier": own_desk.mrn}, "anchor": {"date": "2027-03-14"}}
    await own_desk.api.post("/v1/plans/preview", json=own_desk.body(**closed))
    await bulk(own_desk, own_desk.body(**closed))

    found = await listed(own_desk, patient_id=own_desk.patient_id)

    assert [one["operation"] for one in found[:2]] == ["create_plans", "preview_plan"]


async def test_what_was_asked_for_in_vain_is_known(own_desk: Desk) -> None:
    await good(own_desk.api.get("/v1/plans", params={"patient_id": own_desk.patient_id}))

    await good(own_desk.api.get(f"/fhir/R4/Encounter?patient=Patient/{own_desk.patient_id}"))

    found = await listed(own_desk, patient_id=own_desk.patient_id)

    assert [one["operation"] for one in found[:2]] == ["Encounter.search-type", "list_plans"]


async def test_a_merging_is_a_change_of_both_patients(own_desk: Desk) -> None:
    other = await own_desk.patient()
    body = {"into": own_desk.patient_id}
    await good(own_desk.api.post(f"/v1/patients/{other}/merge", json=body))

    newest = (await listed(own_desk))[0]

    assert newest["operation"] == "merge_patient"
    assert set(newest["patient_ids"]) == {own_desk.patient_id, other}


async def test_an_answer_that_is_given_again_is_a_read(own_desk: Desk) -> None:
    for _ in range(2):
        await good(
            own_desk.api.post(
                "/v1/plans", json=own_desk.body(), headers={"Idempotency-Key": "once"}
            )
        )

    found = [one for one in await listed(own_desk) if one["operation"] == "create_plan"]
    assert [one["stored"] for one in found] == [False, True]
    assert found[0]["ids"] == found[1]["ids"]


async def test_lines_of_many_plans_are_noted_with_them(own_desk: Desk) -> None:
    patients = [await own_desk.patient() for _ in range(2)]
    lines = [own_desk.body(patient={"id": patient}) for patient in patients]
    made = [result["id"] for result in (await bulk(own_desk, *lines))[:2]]

    (noted,) = (one for one in await listed(own_desk) if one["operation"] == "create_plans")
    assert (noted["ids"], noted["stored"]) == (made, True)
    assert noted["patient_ids"] == sorted(patients)


async def test_a_calendar_feed_is_accounted_for_without_its_address(own_desk: Desk) -> None:
    plan = await own_desk.plan()
    feed = await good(own_desk.api.post("/v1/calendars", json={"plan_id": plan["id"]}))
    assert (await own_desk.api.get(feed["path"])).status_code == 200

    newest = (await listed(own_desk))[0]

    assert (newest["operation"], newest["credential"]) == ("read_calendar", "calendar")
    assert newest["patient_ids"] == [own_desk.patient_id]
    assert {plan["id"], feed["id"]} <= set(newest["ids"])


async def test_what_is_read_over_fhir_is_accounted_for(own_desk: Desk) -> None:
    patient = own_desk.patient_id
    for path in (f"/Patient/{patient}", f"/Patient?_id={patient}", "/Location", "/Patient/nobody"):
        await own_desk.api.get(f"/fhir/R4{path}")

    found = [one for one in await listed(own_desk) if "." in one["operation"]]

    assert [(one["operation"], one["ids"], one["patient_ids"]) for one in found] == [
        ("Patient.search-type", [patient], [patient]),
        ("Patient.read", [patient], [patient]),
    ]


async def test_a_transaction_that_is_given_again_is_a_read(own_desk: Desk) -> None:
    sent = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "8"}]}
    made = {"resource": sent, "request": {"method": "POST", "url": "Patient"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [made]}
    for _ in range(2):
        answer = await good(
            own_desk.api.post("/fhir/R4", json=bundle, headers={"Idempotency-Key": "once"})
        )
    patient = answer["entry"][0]["resource"]["id"]

    found = await listed(own_desk, patient_id=patient)

    assert [(one["operation"], one["stored"]) for one in found] == [
        ("Patient.create", False),
        ("Patient.create", True),
    ]


async def test_what_is_written_over_fhir_is_a_change(own_desk: Desk) -> None:
    sent = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "7"}]}
    made = (await good(own_desk.api.post("/fhir/R4/Patient", json=sent)))["id"]
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "GET", "url": f"Patient/{made}"}}],
    }
    await good(own_desk.api.post("/fhir/R4", json=bundle))

    found = await listed(own_desk, patient_id=made)

    assert [(one["operation"], one["stored"], one["patient_ids"]) for one in found] == [
        ("Patient.read", False, [made]),
        ("Patient.create", True, [made]),
    ]


async def test_filters_leave_what_fits_and_pages_follow_each_other(own_desk: Desk) -> None:
    key = await given_callers.headers(own_desk.app, Role.ADMIN, name="officer")
    own_desk.api.headers.update(key)
    await three_batches(own_desk)
    whole = await listed(own_desk)

    theirs = await listed(own_desk, credential="key:officer", limit=2)
    middle = whole[len(whole) // 2]["at"]

    assert len(theirs) >= 3
    assert {one["credential"] for one in theirs} == {"key:officer"}
    assert await listed(own_desk, credential="key:nobody") == []
    assert all(one["at"] < middle for one in await listed(own_desk, until=middle, limit=1))
    assert all(one["at"] >= middle for one in await listed(own_desk, **{"from": middle}))
    times = [one["at"] for one in await listed(own_desk, limit=2)]
    assert times == sorted(times, reverse=True)


async def test_another_clinic_sees_nothing_of_it(own_desk: Desk) -> None:
    await three_batches(own_desk)
    other = await given_callers.second_clinic(own_desk.app)
    theirs = await given_callers.headers(own_desk.app, Role.ADMIN, clinic_id=other)

    for which in ({}, {"patient_id": own_desk.patient_id}):
        page = await good(own_desk.api.get(URL, params=which, headers=theirs))
        assert page == {"items": [], "next": None}


async def test_it_needs_a_scope_of_its_own(own_desk: Desk) -> None:
    theirs = await given_callers.headers(own_desk.app, Role.APPROVER)

    assert (await own_desk.api.get(URL, headers=theirs)).status_code == 403


async def test_nothing_that_a_person_wrote_is_in_it(own_desk: Desk) -> None:
    patient = {"identifiers": [{"system": "urn:x", "value": CANARY}], "name": CANARY}
    await good(own_desk.api.post("/v1/patients", json=patient))
    await good(own_desk.api.post("/v1/patients/search", json={"name": CANARY}))
    plan = await own_desk.plan(note=CANARY, condition=CANARY, practitioner=CANARY)
    await good(own_desk.api.get(f"/v1/plans/{plan['id']}"))
    await good(own_desk.api.get("/v1/plans", params={"practitioner": CANARY}))
    await own_desk.app.state.account.commit()

    async with own_desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        rows = (await connection.execute(select(AccessBatchRow.accesses))).scalars().all()
    assert "create_plan" in str(rows)
    assert CANARY not in str(rows)


async def test_a_chain_that_nobody_touched_is_whole(own_desk: Desk) -> None:
    await three_batches(own_desk)

    found = await verified(own_desk)

    assert found.fault is None
    assert found.batches == found.last_number >= 3
    assert found.accesses >= 3


async def test_an_altered_access_is_found(own_desk: Desk) -> None:
    await three_batches(own_desk)
    number = await last_number(own_desk) - 1
    of_it = AccessBatchRow.number == number
    async with own_desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        (text,) = (await connection.execute(select(AccessBatchRow.accesses).where(of_it))).one()

    await altered(
        own_desk,
        update(AccessBatchRow).where(of_it).values(accesses=text.replace("local", "somebody", 1)),
    )

    assert (await verified(own_desk)).fault == f"batch {number} was altered"


@pytest.mark.parametrize("back", [1, 0], ids=["in between", "the last"])
async def test_a_removed_batch_is_found(own_desk: Desk, back: int) -> None:
    await three_batches(own_desk)
    number = await last_number(own_desk) - back

    await altered(own_desk, delete(AccessPatientRow).where(AccessPatientRow.number == number))
    await altered(own_desk, delete(AccessBatchRow).where(AccessBatchRow.number == number))

    fault = (await verified(own_desk)).fault or ""
    assert str(number) in fault


async def test_a_batch_that_its_patients_do_not_find_is_found(own_desk: Desk) -> None:
    await three_batches(own_desk)
    number = await last_number(own_desk)

    await altered(own_desk, delete(AccessPatientRow).where(AccessPatientRow.number == number))

    assert (await verified(own_desk)).fault == f"batch {number} is not found by its patients"


async def test_a_batch_that_its_time_does_not_find_is_found(own_desk: Desk) -> None:
    await three_batches(own_desk)
    of_it = AccessBatchRow.number == 1

    await altered(own_desk, update(AccessBatchRow).where(of_it).values(first_at=LATER))

    assert (await verified(own_desk)).fault == "batch 1 is not found by its time"


async def test_a_batch_with_another_past_is_found(own_desk: Desk) -> None:
    await three_batches(own_desk)
    number = await last_number(own_desk)

    await altered(
        own_desk,
        update(AccessBatchRow).where(AccessBatchRow.number == number).values(previous_hash="0"),
    )

    assert (await verified(own_desk)).fault == f"batch {number} does not follow the batch before it"


@pytest.mark.parametrize("number", [0, 1000], ids=["before", "after"])
async def test_a_batch_that_was_put_beside_the_chain_is_found(own_desk: Desk, number: int) -> None:
    await three_batches(own_desk)
    columns = [column for column in AccessBatchRow.__table__.columns if column.name != "number"]
    first = select(literal(number), *columns).where(AccessBatchRow.number == 1)
    names = ["number", *(column.name for column in columns)]

    await altered(own_desk, insert(AccessBatchRow).from_select(names, first))

    assert (await verified(own_desk)).fault == f"batch {number} is not of the chain"


async def test_what_was_kept_long_enough_is_forgotten_and_the_rest_stays_whole(
    own_desk: Desk,
) -> None:
    await three_batches(own_desk)
    number = await last_number(own_desk)
    async with own_desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        found = await connection.execute(
            select(AccessBatchRow.at).where(AccessBatchRow.number == number)
        )
        now = found.scalar_one() + ACCESS_KEPT_FOR
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", now)
        await access.forget(ctx, ACCESS_KEPT_FOR)

    left = await verified(own_desk)

    assert (left.fault, left.batches, left.last_number) == (None, 1, number)
    async with own_desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", now + timedelta(days=1))
        await access.forget(ctx, ACCESS_KEPT_FOR)
        await access.forget(ctx, ACCESS_KEPT_FOR)
    await good(own_desk.api.get(f"/v1/patients/{own_desk.patient_id}"))
    await own_desk.app.state.account.commit()
    left = await verified(own_desk)
    assert (left.fault, left.batches, left.last_number) == (None, 1, number + 1)
