"""The account of access: who read or changed what, in a chain that shows what was altered."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL
from time import sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import anyio
import pytest
from sqlalchemy import delete, func, select, update

from app.api.deps import read_clock
from app.domain.permissions import Role
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.persistence.tables import (
    AccessBatchRow,
    AccessChainRow,
    AccessPatientRow,
    AccessWaitingRow,
)
from app.services import access
from app.services.access import GROUP_SECONDS, MOST_BEHIND, AccessFilter, Asked, Verified
from app.services.context import Context
from app.worker import ACCESS_KEPT_FOR
from tests.api import given_callers
from tests.api.given_bulk import bulk
from tests.api.given_plans import Data, Desk, good
from tests.processes import environ, regimen, running

URL = "/v1/access"
PATIENCE_SECONDS = 10
CANARY = "Kanarienvogel"
LATER = datetime(2040, 1, 1, tzinfo=UTC)


async def listed(desk: Desk, **which: Any) -> list[Data]:
    """Every access, once all are in the chain; reading them is not among them yet."""
    await desk.app.state.account.commit()
    found: list[Data] = []
    page = await good(desk.api.get(URL, params=which))
    found += page["items"]
    while page["next"]:
        page = await good(desk.api.get(URL, params={**which, "cursor": page["next"]}))
        found += page["items"]
    return found


async def verified(desk: Desk) -> Verified:
    """What looking through the first clinic's chain gives."""
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        return await access.verify(Context(connection, DEFAULT_CLINIC_ID, "test", LATER))


async def altered(desk: Desk, statement: Any) -> None:
    """Do in the database what nobody should."""
    async with desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(statement)


async def three_batches(desk: Desk) -> None:
    """Three reads, each of which is committed alone."""
    await desk.app.state.account.commit()
    for _ in range(3):
        await good(desk.api.get(f"/v1/patients/{desk.patient_id}"))
        await desk.app.state.account.commit()


async def last_number(desk: Desk) -> int:
    """The number of the newest batch."""
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        found = await connection.execute(select(func.max(AccessBatchRow.number)))
        return int(found.scalar_one())


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
    assert (newest["operation"], newest["stored"], newest["ids"]) == ("create_plan", False, [])


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
        (rows,) = (await connection.execute(select(AccessBatchRow.accesses).where(of_it))).one()

    await altered(
        own_desk,
        update(AccessBatchRow)
        .where(of_it)
        .values(accesses=[{**rows[0], "credential": "somebody"}, *rows[1:]]),
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


async def test_a_batch_with_another_past_is_found(own_desk: Desk) -> None:
    await three_batches(own_desk)
    number = await last_number(own_desk)

    await altered(
        own_desk,
        update(AccessBatchRow).where(AccessBatchRow.number == number).values(previous_hash="0"),
    )

    assert (await verified(own_desk)).fault == f"batch {number} does not follow the batch before it"


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


async def test_changes_of_a_killed_process_come_into_the_chain(own_desk: Desk) -> None:
    await own_desk.app.state.account.commit()
    await own_desk.plan()
    before = await last_number(own_desk)

    async with own_desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", read_clock())
        await access.forget(ctx, ACCESS_KEPT_FOR)

    assert await last_number(own_desk) == before + 1
    async with own_desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        assert (await connection.execute(select(AccessWaitingRow.id))).all() == []
        chain = (await connection.execute(select(AccessChainRow.last_number))).scalar_one()
    assert chain == before + 1


async def test_what_cannot_be_accounted_for_is_not_read(own_desk: Desk) -> None:
    """The reads that wait are of a clinic whose rows the database refuses."""
    app, path = own_desk.app, f"/v1/patients/{own_desk.patient_id}"
    await app.state.account.commit()
    nobody = UUID(int=404)
    for _ in range(MOST_BEHIND + 1):
        app.state.account.note_read(Asked(nobody, "local", "read_plan", {}), b"")
    await app.state.account.commit()

    refused = await own_desk.api.get(path)

    assert refused.status_code == 503
    assert refused.headers["retry-after"]


async def test_reads_are_committed_in_time_and_at_the_end(own_desk: Desk) -> None:
    await own_desk.app.state.account.commit()
    before = await last_number(own_desk)
    async with own_desk.app.state.account.kept():
        await good(own_desk.api.get(f"/v1/patients/{own_desk.patient_id}"))
        with anyio.fail_after(PATIENCE_SECONDS):
            while await last_number(own_desk) == before:  # noqa: ASYNC110 - another task commits
                await anyio.sleep(GROUP_SECONDS / 10)
        await good(own_desk.api.get(f"/v1/patients/{own_desk.patient_id}"))

    assert await last_number(own_desk) == before + 2


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_loses_at_most_the_reads_of_the_last_moment(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue(f"{kind}_url"))
    environment = environ(REGIMEN_DATABASE_URL=url)
    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
        place = urlsplit(server.wait_for("at").split()[1])
        with closing(HTTPConnection(place.netloc, timeout=PATIENCE_SECONDS)) as connection:
            ask(connection, "POST", "/v1/patients")
            for _ in range(5):
                ask(connection, "GET", "/v1/patients")
            sleep(20 * GROUP_SECONDS)
            ask(connection, "POST", "/v1/patients")
            ask(connection, "GET", "/v1/patients")
            server.stop(SIGKILL)

    operations = asyncio.run(accounted(url))

    assert operations[:6] == ["upsert_patient", *["list_patients"] * 5]
    assert operations.count("upsert_patient") == 2
    assert len(operations) in {7, 8}


def ask(connection: HTTPConnection, method: str, path: str) -> None:
    """Send a request that works."""
    body = "{}" if method == "POST" else None
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status < 300


async def accounted(url: str) -> list[str]:
    """The operations in the chain, which is whole, after what waits came into it."""
    database = open_database(url)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", read_clock())
        await access.forget(ctx, ACCESS_KEPT_FOR)
        assert (await access.verify(ctx)).fault is None
        found = await access.list_access(ctx, AccessFilter(), after=None, limit=50)
    await database.dispose()
    return [one.operation for one in reversed(found.items)]
