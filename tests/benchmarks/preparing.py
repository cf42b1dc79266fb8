"""Makes the clinic that is measured: migrated, with a location, protocol, patients and plans.

Everything comes in through the API, except what it has no way for (an active protocol of our own)
and the many patients, who are copies of one. The clinic is an ordinary one, so its days are real.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import yaml
from sqlalchemy import insert, select, text

from app.domain.documents import (
    clinic_rules_to_data,
    content_hash,
    document_to_data,
    parse_clinic_rules,
    parse_protocol,
)
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRulesRepository
from app.persistence.database import Database
from app.persistence.migrate import upgrade
from app.persistence.protocols import ProtocolRepository, VersionRecord
from app.persistence.tables import PatientIdentifierRow, PatientRow
from app.settings import Settings
from tests.benchmarks import given
from tests.benchmarks.capturing import Capture, Captures, captured
from tests.client import Client, client_of

PLANS_ON_A_PAGE = 50
PAGE = f"/v1/plans?limit={PLANS_ON_A_PAGE}"
WORKLIST = f"/v1/worklist?limit={PLANS_ON_A_PAGE}"
CLINIC_RULES = Path(__file__).parents[2] / "app" / "library" / "clinic-rules.yaml"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database ready to be measured."""

    url: str
    patient_ids: list[str]
    session: date
    captures: Captures


def prepare(url: str, *, patients: int) -> Prepared:
    """Fill a new database and note what the product sends for each request measured."""
    upgrade(url)
    return asyncio.run(_fill(url, patients))


async def _fill(url: str, patients: int) -> Prepared:
    app = create_app(Settings(database_url=url))
    database: Database = app.state.database
    try:
        await _make_clinic(database)
        async with client_of(app) as client:
            await _post(client, "/v1/locations", given.LOCATION)
            patient = await _post(client, "/v1/patients", _patient())
            patient_ids = await _copy(database, UUID(patient["id"]), patients)
            session = await _session(client, patient["id"])
            for _ in range(PLANS_ON_A_PAGE):
                plan = await _plan(client, patient_ids.pop(), session)
            captures = await _capture(client, url, patient_ids.pop(), session, plan["id"])
        await _analyze(database)
    finally:
        await database.dispose()
    return Prepared(url, patient_ids, session, captures)


async def _session(client: Client, patient_id: str) -> date:
    """The first day for a session, some weeks from now, that has every step on its target."""
    day = datetime.now(UTC).date() + timedelta(weeks=10)  # noqa: TID251 # its days are real
    while True:
        answer = await client.post("/v1/plans/preview", json=given.plan_body(patient_id, day))
        if answer.status_code == 200 and _is_on_target(answer.json()):
            return day
        day += timedelta(days=1)


def _is_on_target(plan: dict[str, Any]) -> bool:
    return all(step["deviation_days"] in {0, None} for step in plan["steps"])


async def _make_clinic(database: Database) -> None:
    document = parse_protocol(given.PROTOCOL)
    now = datetime.now(UTC)  # noqa: TID251 # of rows nobody looks at
    rules = parse_clinic_rules(yaml.safe_load(CLINIC_RULES.read_text(encoding="utf-8")))
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).save(
            clinic_rules_to_data(rules), revision=0, now=now
        )
        protocols = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
        await protocols.add(document.key, document.title, now=now)
        draft = VersionRecord(
            protocol_key=document.key,
            version=document.version,
            status="draft",
            example=False,
            title=document.title,
            document=document_to_data(document),
            content_hash=content_hash(document),
            revision=1,
            created_at=now,
            updated_at=now,
        )
        await protocols.add_version(draft)
        approval = {"name": "Benchmark"}
        await protocols.activate(
            document.key, document.version, revision=1, approval=approval, now=now
        )


def _patient() -> dict[str, Any]:
    return {
        "identifiers": [{"system": "urn:example:mrn", "value": "0"}],
        "name": "Ada Example",
        "birth_date": "1980-02-29",
    }


async def _copy(database: Database, sample: UUID, count: int) -> list[str]:
    """So many patients like this one, each with an identifier of its own."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        found = await connection.execute(
            select(PatientRow.__table__).where(PatientRow.id == sample)
        )
        patient = dict(found.one()._mapping)
        ids = [uuid4() for _ in range(count)]
        await connection.execute(insert(PatientRow), [{**patient, "id": id_} for id_ in ids])
        await connection.execute(
            insert(PatientIdentifierRow),
            [
                {
                    "clinic_id": patient["clinic_id"],
                    "system": "urn:example:mrn",
                    "value": str(number),
                    "patient_id": id_,
                }
                for number, id_ in enumerate(ids, start=1)
            ],
        )
    return [str(id_) for id_ in ids]


async def _capture(
    client: Client, url: str, patient_id: str, session: date, plan_id: str
) -> Captures:
    created, listed, waiting = Capture(), Capture(), Capture()
    with captured(created):
        created.answer = await _plan(client, patient_id, session)
    assert len(created.answer["steps"]) == given.STEPS
    assert _is_on_target(created.answer)
    with captured(listed):
        answer = await client.get(PAGE)
    assert len(answer.json()["items"]) == PLANS_ON_A_PAGE
    with captured(waiting):
        waiting.answer = (await client.get(WORKLIST)).json()
    assert len(waiting.answer["items"]) == PLANS_ON_A_PAGE
    plan = (await client.get(f"/v1/plans/{plan_id}")).content
    return Captures(url, patient_id, created, listed, waiting, plan)


async def _analyze(database: Database) -> None:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("VACUUM ANALYZE"))


async def _plan(client: Client, patient_id: str, session: date) -> dict[str, Any]:
    return await _post(client, "/v1/plans", given.plan_body(patient_id, session))


async def _post(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def body_bytes(patient_id: str, session: date) -> bytes:
    """A plan's body as a client sends it."""
    return json.dumps(given.plan_body(patient_id, session), separators=(",", ":")).encode()
