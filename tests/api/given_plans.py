"""A sandbox clinic for the tests of plans, shared by them: everyone brings an own patient.

Making a database and an application for each of these tests would cost more than the tests.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.domain.documents import content_hash, document_to_data, parse_protocol
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from app.persistence.protocols import ProtocolExists, ProtocolRepository, VersionRecord
from app.services.library import library_protocol
from app.settings import Settings
from tests.client import Answer, Client, client_of
from tests.copies import sqlite_copy
from tests.postgres import APP_ROLE, as_role, new_database

Data = dict[str, Any]

ANKLE = "ankle-stem-cell-prp-full"
# A protocol that hangs from nothing but the day it starts and an event outside.
SERIES: Data = {
    "format": 1,
    "key": "series",
    "title": "A series without an anchor",
    "steps": [
        {
            "key": "shot",
            "kind": "injection",
            "title": "Shot",
            "timings": [{"relative_to": "plan_start", "earliest": "P0D", "target": "P1D"}],
            "repeat": {"count": 3, "spacing": {"earliest": "P7D", "target": "P7D"}},
        },
        {
            "key": "scan",
            "kind": "visit",
            "title": "Scan",
            "timings": [{"relative_to": {"event": "surgery"}, "target": "P14D", "latest": "P21D"}],
        },
    ],
}
START = "2027-01-04T09:00:00-07:00"
NOBODY = "00000000-0000-7000-8000-000000000000"
STORED = (
    "plans",
    "planned_steps",
    "plan_revisions",
    "plan_identifiers",
    "events",
    "idempotency_keys",
)

_MADE = datetime(2026, 12, 1, tzinfo=UTC)
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Desk:
    """A booking desk: a client, a location open Tuesday to Friday in Denver, and a patient."""

    app: FastAPI
    api: Client
    location_id: str
    patient_id: str
    mrn: Data

    @property
    def now(self) -> datetime:
        """An instant at which rows may be said to be stored."""
        return _MADE

    async def at(self, now: str) -> None:
        """Set the clinic's clock."""
        await good(self.api.put("/v1/clock", json={"now": now}))

    def body(self, **fields: Any) -> Data:
        """Story 1 without its absence: session on 10 March, two primers, booster at six weeks."""
        body = {
            "protocol": {"key": ANKLE},
            "patient": {"id": self.patient_id},
            "location_id": self.location_id,
            "anchor": {"date": "2027-03-10"},
            "parameters": {"primer_count": 2, "booster_timing": "six_weeks"},
            "laterality": "right",
        }
        return {key: value for key, value in {**body, **fields}.items() if value is not ...}

    async def post(self, body: Data | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Ask for a plan."""
        sent = self.body() if body is None else body
        return await self.api.post("/v1/plans", json=sent, headers=headers)

    async def preview(self, body: Data | None = None) -> Answer:
        """Ask how a plan would be."""
        return await self.api.post("/v1/plans/preview", json=body or self.body())

    async def plan(self, **fields: Any) -> Data:
        """A stored plan."""
        return await good(self.post(self.body(**fields)))

    async def previewed(self, **fields: Any) -> Data:
        """A plan that is only looked at."""
        return await good(self.preview(self.body(**fields)))

    async def refused(self, **fields: Any) -> Data:
        """The problem with a plan; previewing and creating must give the same one."""
        body = self.body(**fields)
        seen, asked = await self.preview(body), await self.post(body)
        assert asked.status_code >= 400, asked.text
        assert (seen.status_code, seen.json()) == (asked.status_code, asked.json())
        return dict(asked.json())

    async def patient(self, **fields: Any) -> str:
        """The id of one more patient."""
        return str((await good(self.api.post("/v1/patients", json=fields)))["id"])

    async def location(self, **fields: Any) -> str:
        """The id of one more location."""
        return await a_location(self.api, **fields)

    async def closure(self, first: str, last: str, **fields: Any) -> Data:
        """Close the location."""
        body = {"location_id": self.location_id, "title": "Closed", "from": first, "to": last}
        return await good(self.api.post("/v1/closures", json={**body, **fields}))

    async def report(self, **fields: Any) -> Data:
        """Report what the patient was given or what was found."""
        return await good(self.api.post(f"/v1/patients/{self.patient_id}/events", json=fields))

    async def rows(self) -> dict[str, int]:
        """How much is stored of everything a plan is made of."""
        async with self.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
            return {
                table: (
                    await connection.execute(text(f"SELECT count(*) FROM {table}"))
                ).scalar_one()
                for table in STORED
            }


async def good(answering: Any) -> Data:
    """The body of an answer that must be a good one."""
    answer: Answer = await answering
    assert answer.status_code < 300, answer.text
    return dict(answer.json())


async def a_location(api: Client, **fields: Any) -> str:
    """The id of a new location, open Tuesday to Friday in Denver unless said otherwise."""
    body = {"name": "Main", "time_zone": "America/Denver", "open_weekdays": [2, 3, 4, 5]}
    return str((await good(api.post("/v1/locations", json={**body, **fields})))["id"])


async def a_desk(app: FastAPI, api: Client) -> Desk:
    """A desk with a patient and a location of its own."""
    await good(api.put("/v1/clock", json={"now": START}))
    mrn = {"system": "urn:example:mrn", "value": f"EX-{next(_numbers)}"}
    patient = await good(
        api.post("/v1/patients", json={"identifiers": [mrn], "birth_date": "1975-06-30"})
    )
    return Desk(app, api, await a_location(api), patient["id"], mrn)


async def store_protocol(
    app: FastAPI, data: Mapping[str, Any], *, status: str = "active", version: str = "1.0.0"
) -> None:
    """Store a version of a protocol as if it had been approved."""
    document = parse_protocol({**data, "version": version})
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        protocols = ProtocolRepository(connection, app.state.clinic_id)
        with suppress(ProtocolExists):
            await protocols.add(document.key, document.title, now=_MADE)
        await protocols.add_version(
            VersionRecord(
                protocol_key=document.key,
                version=version,
                status="draft",
                example=document.example,
                title=document.title,
                document=document_to_data(document),
                content_hash=content_hash(document),
                revision=1,
                created_at=_MADE,
                updated_at=_MADE,
            )
        )
        if status != "draft":
            approval = {"name": "Dr Example", "confirmed": []}
            await protocols.activate(
                document.key, version, revision=1, approval=approval, now=_MADE
            )
        if status == "retired":
            await protocols.retire(document.key, version, now=_MADE)


async def make_clinic(app: FastAPI) -> None:
    """Make the clinic a sandbox with the ankle protocol, whose version before is retired."""
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await ClinicRepository(connection, app.state.clinic_id).make_sandbox()
    ankle = document_to_data(library_protocol(ANKLE))
    await store_protocol(app, ankle, status="retired", version="0.9.0")
    await store_protocol(app, ankle)


async def make_shared_clinic(app: FastAPI) -> None:
    """The same with a protocol without an anchor, and one that is not approved yet."""
    await make_clinic(app)
    await store_protocol(app, SERIES)
    await store_protocol(app, {**SERIES, "key": "drafted"}, status="draft")


def steps_of(plan: Data) -> dict[str, Data]:
    """The steps of a plan by their occurrence."""
    return {
        step["key"] if step["occurrence"] is None else f"{step['key']}/{step['occurrence']}": step
        for step in plan["steps"]
    }


def days_of(plan: Data) -> dict[str, str | None]:
    """The days of a plan's steps by their occurrence."""
    return {name: step["date"] for name, step in steps_of(plan).items()}


def faults_of(problem: Data) -> dict[str, str]:
    """The codes of a problem's faults by their pointers."""
    return {fault["pointer"]: fault["code"] for fault in problem["errors"]}


@pytest.fixture(scope="session")
def plans_sqlite_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated SQLite database shared by the tests of plans."""
    return sqlite_copy(sqlite_template, tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="session")
def plans_postgresql_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database shared by the tests of plans."""
    with new_database(postgres_server, postgres_template) as url:
        yield as_role(APP_ROLE, url)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def plans_url(request: pytest.FixtureRequest) -> str:
    """The shared database, of both kinds."""
    return str(request.getfixturevalue(f"plans_{request.param}_url"))


@pytest.fixture(scope="session")
async def plans_app(plans_url: str) -> AsyncIterator[FastAPI]:
    """The application of the shared clinic."""
    app = create_app(Settings(database_url=plans_url, pool_size=4, rate_limit=0))
    await make_shared_clinic(app)
    yield app
    await app.state.database.dispose()


@pytest.fixture(scope="session")
async def plans_api(plans_app: FastAPI) -> AsyncIterator[Client]:
    """The one client of the shared clinic."""
    async with client_of(plans_app) as client:
        yield client


@pytest.fixture
async def desk(plans_app: FastAPI, plans_api: Client) -> Desk:
    """A desk of the shared clinic on the morning of Monday 4 January 2027."""
    # What was read is accounted for, as it would be by a service that runs.
    await plans_app.state.account.commit()
    return await a_desk(plans_app, plans_api)


@pytest.fixture
async def own_desk(app: FastAPI, api: Client) -> Desk:
    """The only desk of a clinic of its own."""
    await make_clinic(app)
    return await a_desk(app, api)
