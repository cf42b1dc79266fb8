"""PostgreSQL itself killed under writers: what was acknowledged is there, nothing by half.

The server writes each commit before it is acknowledged, but leaves it to the operating system when
that reaches the disk (``fsync=off``): a killed process loses nothing by it, only a power cut would.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL
from time import monotonic, sleep
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.api.deps import read_clock
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.persistence.migrate import upgrade
from app.services import access
from app.services.context import Context
from tests.api.given_storms import Storm, blowing, plans_made, revisions_kept
from tests.postgres import (
    APP_ROLE,
    OWNER,
    PostgresUnavailable,
    Server,
    as_role,
    new_database,
    throw_away,
)
from tests.processes import environ, regimen, running

WRITERS = 8
READY_SECONDS = 5
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
# So often is the database of some plans killed; then others follow, whose history is short.
KILLS = 10 if DEEP else 3
STORMS = range(10) if DEEP else range(1)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that nobody else uses, and which acknowledges what it has written."""
    try:
        with throw_away(synchronous_commit="on") as server:
            yield server
    except PostgresUnavailable as error:
        pytest.skip(f"no PostgreSQL of its own: {error}")


@pytest.mark.deep
@pytest.mark.parametrize("storm_number", STORMS)
def test_a_killed_database_loses_nothing_that_was_acknowledged(
    storm_number: int, own_server: Server, tmp_path: Path
) -> None:
    moments = random.Random(storm_number)
    with new_database(own_server.url) as whole:
        upgrade(as_role(OWNER, whole), app_role=APP_ROLE)
        url = as_role(APP_ROLE, whole)
        plans = plans_made(url)
        environment = environ(REGIMEN_DATABASE_URL=url, REGIMEN_RATE_LIMIT="0")
        with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as service:
            place = service.wait_for("at").split()[1]
            with blowing(place, plans, WRITERS) as storm:
                try:
                    for number in range(KILLS):
                        sleep(moments.uniform(0.05, 0.5))
                        killed = monotonic()
                        if number % 2:
                            own_server.kill()
                            own_server.start_again()
                        else:
                            asyncio.run(kill_a_backend(whole, moments))
                        assert ready_after(place, killed) < READY_SECONDS
                        assert goes_on(storm)
                finally:
                    service.stop(SIGKILL)
            errors = [line for line in service.rest() if " error " in line]
            assert not errors, "".join(errors)

        check(revisions_kept(url, plans), storm)
        asyncio.run(verify(url))


async def kill_a_backend(url: str, moments: random.Random) -> None:
    """Kill a process that works for the service; the server then begins anew by itself."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    found = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE usename = $1 ORDER BY pid", APP_ROLE
    )
    await connection.close()
    os.kill(moments.choice(found)["pid"], SIGKILL)


def ready_after(place: str, since: float) -> float:
    """Seconds until the service says that it is ready and stays so."""
    parts = urlsplit(place)
    while True:
        # Those who lost their server notice after a moment.
        sleep(0.05)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=READY_SECONDS)
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
        connection.close()
        taken = monotonic() - since
        if status == 200 or taken > READY_SECONDS:
            return taken


def goes_on(storm: Storm) -> bool:
    """Whether changes are acknowledged again."""
    before, give_up = len(storm.acknowledged), monotonic() + READY_SECONDS
    while len(storm.acknowledged) == before:
        if monotonic() > give_up:
            return False
        sleep(0.01)
    return True


def check(kept: dict[str, int], storm: Storm) -> None:
    """Nothing acknowledged is lost, nothing is there that nobody asked for."""
    assert all(kept[plan] >= revision for plan, revision in storm.acknowledged)
    made = sum(revision - 1 for revision in kept.values())
    acknowledged = len(storm.acknowledged)
    # Of each writer one change may have been cut off after it was stored, at each kill.
    assert acknowledged <= made <= acknowledged + (KILLS + 1) * WRITERS
    assert storm.statuses <= {200, 412, 503}


async def verify(url: str) -> None:
    """The account of access is whole, too."""
    database = open_database(url)
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        found = await access.verify(Context(connection, DEFAULT_CLINIC_ID, "test", read_clock()))
    await database.dispose()
    assert found.fault is None
