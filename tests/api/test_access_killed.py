"""What a kill takes from the account of reads, measured, and how soon the service is back."""

import asyncio
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from signal import SIGKILL
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app.api.deps import read_clock
from app.domain.access import read
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, open_database
from app.persistence.patients import PatientRepository
from app.persistence.tables import AccessBatchRow
from app.services import access
from app.services.access import GROUP_SECONDS
from app.services.context import Context
from tests.persistence.given import a_patient
from tests.processes import Running, environ, get, regimen, running

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
KILLS = 20
READERS = 4
READY_SECONDS = 5
# A commit takes milliseconds; on a machine that does something else it may be many.
COMMIT_SECONDS = 0.4

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(not DEEP, reason="takes minutes: it is tried by `.ci/deep`"),
]


@dataclass(frozen=True, slots=True)
class Answered:
    """One read that was answered: of whose data, and from when until when."""

    patient: str
    asked_at: datetime
    answered_at: datetime


@dataclass(slots=True)
class Readers:
    """Who read as fast as they can until the server is gone, each one patient's data."""

    place: str
    answered: list[Answered] = field(default_factory=list)

    def read(self, patient: str) -> None:
        """Read one patient again and again."""
        netloc = urlsplit(self.place).netloc
        with closing(HTTPConnection(netloc, timeout=10)) as connection:
            try:
                while True:
                    asked_at = read_clock()
                    connection.request("GET", f"/v1/patients/{patient}")
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200
                    self.answered.append(Answered(patient, asked_at, read_clock()))
            except (OSError, HTTPException):
                return


@contextmanager
def reading(place: str, patients: list[str]) -> Iterator[Readers]:
    """Let all of them read while the block runs, which is to end the server."""
    readers = Readers(place)
    threads = [threading.Thread(target=readers.read, args=(patient,)) for patient in patients]
    for thread in threads:
        thread.start()
    yield readers
    for thread in threads:
        thread.join()


@dataclass(slots=True)
class Losses:
    """What the kills took: of so many reads, how old each was that is not in the account."""

    reads: int = 0
    ages: list[float] = field(default_factory=list)
    ready_after: list[float] = field(default_factory=list)

    def told(self) -> str:
        """The figures, in a line."""
        return (
            f"of {self.reads} reads {len(self.ages)} were lost in {KILLS} kills, the oldest "
            f"{max(self.ages, default=0) * 1000:.0f} ms before its kill; ready again after "
            f"{max(self.ready_after):.1f} s at most"
        )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_takes_the_reads_of_the_last_moment_and_no_more(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, chance, losses = str(request.getfixturevalue(f"{kind}_url")), Random(kind), Losses()
    patients = asyncio.run(made(url))
    env = environ(REGIMEN_DATABASE_URL=url, REGIMEN_RATE_LIMIT="0")

    for _ in range(KILLS):
        began = monotonic()
        with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=env) as server:
            place = ready(server)
            losses.ready_after.append(monotonic() - began)
            with reading(place, patients) as readers:
                sleep(0.3 + chance.random())
                killed_at = read_clock()
                server.stop(SIGKILL)
        losses.reads += len(readers.answered)
        kept = asyncio.run(accounted(url))
        losses.ages += [
            (killed_at - one.answered_at).total_seconds()
            for one in readers.answered
            if not is_in(kept, one)
        ]

    with capsys.disabled():
        print(f"\n{kind}: {losses.told()}")
    assert losses.reads > KILLS * READERS
    assert max(losses.ages, default=0) <= GROUP_SECONDS + COMMIT_SECONDS
    assert max(losses.ready_after) < READY_SECONDS


def ready(server: Running) -> str:
    """Where a server listens, once it is ready."""
    place = server.wait_for("at").split()[1]
    server.wait_for("Ctrl-C")
    assert get(f"{place}/health/ready")[0] == 200
    return place


async def made(url: str) -> list[str]:
    """A patient for each reader."""
    database = open_database(url)
    patients = [a_patient(number) for number in range(1, READERS + 1)]
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        for patient in patients:
            await PatientRepository(connection, DEFAULT_CLINIC_ID).add(patient)
    await database.dispose()
    return [str(patient.id) for patient in patients]


async def accounted(url: str) -> dict[str, list[datetime]]:
    """When each patient was read, as the chain has it, which is whole."""
    database = open_database(url)
    try:
        return await _accounted(database)
    finally:
        await database.dispose()


async def _accounted(database: Database) -> dict[str, list[datetime]]:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "test", read_clock())
        assert (await access.verify(ctx)).fault is None
        batches = await connection.scalars(
            select(AccessBatchRow.accesses).order_by(AccessBatchRow.number)
        )
        found: dict[str, list[datetime]] = {}
        for one in (one for batch in batches for one in read(batch)):
            found.setdefault(one.ids[0], []).append(one.at)
    return {patient: sorted(times) for patient, times in found.items()}


def is_in(kept: dict[str, list[datetime]], answered: Answered) -> bool:
    """Whether a read is in the account: at a time between its being asked and answered."""
    times = kept.get(answered.patient, [])
    place = bisect_left(times, answered.asked_at)
    return place < len(times) and times[place] <= answered.answered_at
