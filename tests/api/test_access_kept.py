"""The account of access holds what was read and changed, whatever is killed or in the way."""

import asyncio
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL
from time import sleep
from urllib.parse import urlsplit
from uuid import UUID

import anyio
import pytest
from sqlalchemy import select

from app.api.deps import read_clock
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.persistence.tables import (
    AccessChainRow,
    AccessWaitingRow,
)
from app.services import access
from app.services.access import (
    GROUP_SECONDS,
    MOST_BEHIND,
    MOST_BYTES,
    AccessFilter,
    Account,
    Asked,
)
from app.services.context import Context
from app.worker import ACCESS_KEPT_FOR
from tests.api.given_access import last_number, listed, verified
from tests.api.given_plans import Desk, good
from tests.processes import environ, regimen, running

pytestmark = pytest.mark.long

PATIENCE_SECONDS = 10


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


async def test_answers_that_wait_take_a_bounded_memory(own_desk: Desk) -> None:
    app, path = own_desk.app, f"/v1/patients/{own_desk.patient_id}"
    asked = Asked(DEFAULT_CLINIC_ID, "local", "list_plans", {})
    app.state.account.note_read(asked, b" " * (MOST_BYTES + 1))

    assert (await own_desk.api.get(path)).status_code == 503

    await app.state.account.commit()
    assert (await own_desk.api.get(path)).status_code == 200


async def test_processes_that_share_a_database_add_to_one_chain(own_desk: Desk) -> None:
    await own_desk.app.state.account.commit()
    before = await last_number(own_desk)
    database = own_desk.app.state.database
    accounts = [Account(database, read_clock) for _ in range(2)]

    for turn in (0, 0, 0, 1, 1, 0, 1):
        asked = Asked(DEFAULT_CLINIC_ID, f"key:{turn}", "read_plan", {})
        accounts[turn].note_read(asked, b"{}")
        await accounts[turn].commit()

    found = await verified(own_desk)
    assert (found.fault, found.last_number) == (None, before + 7)
    assert [one["credential"] for one in (await listed(own_desk))[:7]] == [
        f"key:{turn}" for turn in (1, 0, 1, 1, 0, 0, 0)
    ]


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
