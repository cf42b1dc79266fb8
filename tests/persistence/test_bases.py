"""What a plan is made from is read at once, and is what the repositories read one by one."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import event

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.locations import ClosureRepository, LocationRepository
from app.persistence.patient_reports import (
    AbsenceRecord,
    PatientEventRecord,
    PatientReportRepository,
)
from app.persistence.patients import Identifier, PatientRepository
from app.persistence.plans.bases import BasisRecord, Named, closures_in, read_basis
from app.persistence.plans.repository import PlanRepository
from app.persistence.protocols import ProtocolRepository
from tests.persistence.given import (
    LOCATION,
    NOW,
    OTHER_CLINIC_ID,
    PATIENT,
    PLAN,
    a_closure,
    a_location,
    a_patient,
    a_plan,
    a_step,
    other_clinic,
    stored_plan,
    surroundings,
    uid,
)

CLOSED = (date(2027, 3, 1), date(2027, 3, 31))
IDENTIFIERS = (Identifier("urn:a", "2"), Identifier("urn:b", "1"))
NAMED = Named(protocol_key="ankle", version="1.0.0", patient_id=PATIENT, location_id=LOCATION)


@pytest.fixture(autouse=True)
async def _surroundings(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await surroundings(connection)
        patients = PatientRepository(connection, DEFAULT_CLINIC_ID)
        await patients.add(
            a_patient(7, name="Ada", birth_date=date(1980, 2, 29), identifiers=IDENTIFIERS)
        )


async def read(database: Database, named: Named = NAMED) -> BasisRecord:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        return await read_basis(connection, DEFAULT_CLINIC_ID, named, closed=CLOSED)


def an_agent(number: int, on_day: date, **fields: Any) -> PatientEventRecord:
    return PatientEventRecord(
        id=uid(number), patient_id=PATIENT, agent="nsaid", on_day=on_day, created_at=NOW, **fields
    )


async def test_version_patient_and_location_are_those_of_the_repositories(
    database: Database,
) -> None:
    found = await read(database, Named(protocol_key="ankle", version="1.0.0", patient_id=uid(7)))

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        protocols = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
        assert found.version == await protocols.get_summary("ankle", "1.0.0")
        assert found.patient == await PatientRepository(connection, DEFAULT_CLINIC_ID).get(uid(7))
        locations = LocationRepository(connection, DEFAULT_CLINIC_ID)
        assert found.locations == (await locations.get(LOCATION),)


async def test_a_patient_is_found_by_an_identifier(database: Database) -> None:
    known = Named(protocol_key="ankle", version="1.0.0", patient_identifier=IDENTIFIERS[1])
    unknown = Named(protocol_key="ankle", patient_identifier=Identifier("urn:b", "2"))

    found = await read(database, known)

    assert found.patient is not None
    assert (found.patient.id, found.patient.identifiers) == (uid(7), IDENTIFIERS)
    assert (await read(database, unknown)).patient is None


async def test_without_a_version_the_active_one_is_meant(database: Database) -> None:
    named = Named(protocol_key="ankle", patient_id=PATIENT)
    assert (await read(database, named)).version is None
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        protocols = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
        await protocols.activate("ankle", "1.0.0", revision=1, approval={"name": "A"}, now=NOW)

    found = await read(database, named)

    assert found.version is not None
    assert (found.version.version, found.version.status) == ("1.0.0", "active")
    assert (found.version.approval, found.version.activated_at) == ({"name": "A"}, NOW)


async def test_what_is_not_there_is_absent(database: Database) -> None:
    found = await read(
        database, Named(protocol_key="knee", patient_id=uid(99), location_id=uid(98))
    )

    assert (found.version, found.patient, found.locations) == (None, None, ())
    assert (found.events, found.absences, found.others) == ((), (), ())
    assert closures_in(found.closures) == ()


async def test_of_several_locations_two_are_given_by_id(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        locations = LocationRepository(connection, DEFAULT_CLINIC_ID)
        await locations.add(a_location(5))
        await locations.add(a_location(4))

    found = await read(database, Named(protocol_key="ankle", patient_id=PATIENT))

    assert [location.id for location in found.locations] == [LOCATION, uid(4)]


async def test_reports_and_absences_are_in_order_without_the_withdrawn(database: Database) -> None:
    late, early = an_agent(31, date(2027, 2, 24), note="a\nb"), an_agent(32, date(2027, 2, 1))
    gone = an_agent(33, date(2027, 2, 3))
    away = AbsenceRecord(
        id=uid(41),
        patient_id=PATIENT,
        first_day=date(2027, 2, 10),
        last_day=date(2027, 2, 20),
        created_at=NOW,
    )
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        reports = PatientReportRepository(connection, DEFAULT_CLINIC_ID)
        for reported in (late, early, gone):
            await reports.add_event(reported)
        await reports.withdraw_event(PATIENT, gone.id, now=NOW)
        await reports.add_absence(away)

    found = await read(database)

    assert found.events == (early, late)
    assert found.absences == (away,)


async def test_other_plans_are_those_of_the_repository(database: Database) -> None:
    undated = a_step(9, id=uid(5009), position=9, day=None, earliest=None, latest=None, target=None)
    await stored_plan(database, a_plan())
    await stored_plan(database, a_plan(101, steps=(*a_plan(101).steps[::-1], undated)))

    found = await read(database)
    besides = await read(
        database, Named(protocol_key="ankle", patient_id=PATIENT, besides=uid(101))
    )

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        assert list(found.others) == await plans.steps_of_patient(PATIENT)
        assert len(found.others) == 4
        assert {step.plan_id for step in besides.others} == {PLAN}


async def test_closures_are_those_that_touch_the_range(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await LocationRepository(connection, DEFAULT_CLINIC_ID).add(a_location(4))
        closures = ClosureRepository(connection, DEFAULT_CLINIC_ID)
        await closures.add(a_closure(22))
        await closures.add(a_closure(21, title="Été “21”"))
        await closures.add(a_closure(23, first_day=date(2027, 4, 1), last_day=date(2027, 4, 1)))
        await closures.add(a_closure(24, location_id=uid(4)))

    found = closures_in((await read(database)).closures)

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        closures = ClosureRepository(connection, DEFAULT_CLINIC_ID)
        one_by_one = await closures.of_location(LOCATION, from_day=CLOSED[0], to_day=CLOSED[1])
    wanted = [(c.key, c.first_day, c.last_day, c.title) for c in one_by_one]
    assert [(c.key, c.first_day, c.last_day, c.title) for c in found] == wanted
    assert [closure.key for closure in found] == ["closure-21", "closure-22"]


async def test_another_clinics_things_are_not_found(database: Database) -> None:
    await other_clinic(database)
    await stored_plan(database, a_plan())

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        found = await read_basis(connection, OTHER_CLINIC_ID, NAMED, closed=CLOSED)

    assert (found.version, found.patient, found.locations, found.others) == (None, None, (), ())


async def test_one_statement_reads_it_all(database: Database) -> None:
    await stored_plan(database, a_plan(), change=None)
    statements: list[str] = []
    engine = database.read.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    await read(database)

    assert len(statements) == 1
