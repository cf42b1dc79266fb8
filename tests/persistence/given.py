"""Rows for the tests of this layer, naming only what a test is about."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.facts import OccurrenceId
from app.domain.plans.steps import PlannedStep
from app.domain.protocols import StepKind
from app.domain.states import StepStatus
from app.persistence.calendars import CalendarRecord
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from app.persistence.database import Database
from app.persistence.events import NewEvent
from app.persistence.locations import ClosureRecord, LocationRecord, LocationRepository
from app.persistence.patients import PatientRecord, PatientRepository
from app.persistence.plans.records import PlanRecord, RevisionRecord
from app.persistence.plans.repository import PlanRepository
from app.persistence.protocols import ProtocolRepository, VersionRecord
from app.persistence.webhooks import WebhookRecord

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
OTHER_CLINIC_ID = UUID("01938a5e-0000-7000-8000-00000000000f")


def uid(number: int) -> UUID:
    """An id that is easy to tell from others, and that sorts by its number."""
    return UUID(int=0x01938A5E_0000_7000_9000_000000000000 + number)


PATIENT, LOCATION, PLAN = uid(1), uid(2), uid(100)


def a_patient(number: int = 1, **fields: Any) -> PatientRecord:
    """A patient without a name."""
    patient = PatientRecord(id=uid(number), revision=1, created_at=NOW, updated_at=NOW)
    return replace(patient, **fields)


def a_location(number: int = 2, **fields: Any) -> LocationRecord:
    """A location in Denver, open on Tuesday to Friday."""
    location = LocationRecord(
        id=uid(number),
        name="Main",
        time_zone="America/Denver",
        open_weekdays=[2, 3, 4, 5],
        hours=None,
        notice_days=0,
        holiday_country=None,
        holiday_subdivision=None,
        revision=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(location, **fields)


def a_closure(number: int = 20, **fields: Any) -> ClosureRecord:
    """A closed week in March."""
    closure = ClosureRecord(
        id=uid(number),
        location_id=LOCATION,
        key=f"closure-{number}",
        title="Closed",
        first_day=date(2027, 3, 8),
        last_day=date(2027, 3, 12),
        holiday=False,
        created_at=NOW,
    )
    return replace(closure, **fields)


def a_version(version: str = "1.0.0", **fields: Any) -> VersionRecord:
    """A draft of protocol 'ankle'."""
    record = VersionRecord(
        protocol_key="ankle",
        version=version,
        status="draft",
        example=True,
        title="Ankle",
        document={"steps": ["session"]},
        content_hash="abc",
        revision=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(record, **fields)


def a_step(number: int = 1, **fields: Any) -> PlannedStep:
    """A planned session on its target."""
    step = PlannedStep(
        id=uid(1000 + number),
        occurrence=OccurrenceId("session", number),
        position=number,
        ordinal=1,
        of=2,
        kind=StepKind.PROCEDURE,
        title="Session",
        agent="prp",
        optional=False,
        status=StepStatus.PLANNED,
        tentative=False,
        day=date(2027, 3, 10),
        end=None,
        earliest=date(2027, 3, 9),
        target=date(2027, 3, 10),
        latest=date(2027, 3, 11),
        deadline=False,
        deviation_days=0,
        minutes=45,
        modes=("in_person",),
        reasons=({"code": "on_target", "text": "6 weeks after “x” – on 2027-01-27"},),
        instructions=(),
    )
    return replace(step, **fields)


def a_plan(number: int = 100, **fields: Any) -> PlanRecord:
    """An active plan with two steps."""
    plan = PlanRecord(
        id=uid(number),
        revision=1,
        status="active",
        protocol_key="ankle",
        protocol_version="1.0.0",
        patient_id=PATIENT,
        location_id=LOCATION,
        body_site="ankle",
        laterality="right",
        anchor={"step": "session", "date": "2027-03-10"},
        state={"format": 1, "parameters": {"primer_count": 2}},
        chosen={"booster_timing": "six_weeks"},
        breaches=[],
        attention=[],
        next_step_id=uid(1000 + 10 * number),
        created_at=NOW,
        updated_at=NOW,
        created_by="local",
        steps=tuple(a_step(n, id=uid(1000 + 10 * number + n)) for n in (0, 1)),
    )
    return replace(plan, **fields)


def a_revision(revision: int = 1, **fields: Any) -> RevisionRecord:
    """A revision without moves."""
    record = RevisionRecord(revision=revision, at=NOW, actor="local", moves=[])
    return replace(record, **fields)


def an_event(number: int = 1, **fields: Any) -> NewEvent:
    """A plan was created."""
    event = NewEvent(id=uid(50_000 + number), type="plan.created", at=NOW, actor="local", data={})
    return replace(event, **fields)


def a_calendar(number: int = 70, **fields: Any) -> CalendarRecord:
    """A feed of the patient."""
    calendar = CalendarRecord(
        id=uid(number),
        plan_id=None,
        patient_id=PATIENT,
        location_id=None,
        practitioner=None,
        title=None,
        titles="kinds",
        created_at=NOW,
    )
    return replace(calendar, **fields)


def a_webhook(number: int = 60, **fields: Any) -> WebhookRecord:
    """A webhook that wants every event."""
    webhook = WebhookRecord(
        id=uid(number),
        url="https://hooks.example.org/regimen",
        title=None,
        event_types=None,
        enabled=True,
        disabled_because=None,
        failing_since=None,
        queued_until=0,
        salt=b"salt",
        former_salt=None,
        former_until=None,
        revision=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(webhook, **fields)


async def other_clinic(database: Database) -> None:
    """Store a second clinic."""
    async with database.writing(OTHER_CLINIC_ID) as connection:
        await ClinicRepository(connection, OTHER_CLINIC_ID).add("Other", sandbox=False, now=NOW)


async def surroundings(connection: AsyncConnection, clinic_id: UUID = DEFAULT_CLINIC_ID) -> None:
    """Store what a plan needs: protocol version, patient and location."""
    protocols = ProtocolRepository(connection, clinic_id)
    await protocols.add("ankle", "Ankle", now=NOW)
    await protocols.add_version(a_version())
    await PatientRepository(connection, clinic_id).add(a_patient())
    await LocationRepository(connection, clinic_id).add(a_location())


async def stored_plan(database: Database, plan: PlanRecord, **revision: Any) -> PlanRecord:
    """Store a plan with its first revision and one event."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        number = plan.id.int % 10_000
        await plans.add(plan, a_revision(**revision), [an_event(number, plan_id=plan.id)])
    return plan
