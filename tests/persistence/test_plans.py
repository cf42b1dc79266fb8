"""Plans come back as they were stored, change by revision and are listed in pages."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from app.domain.facts import OccurrenceId
from app.domain.states import StepStatus
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.columns import UnstorableValue
from app.persistence.database import Database
from app.persistence.events import EventRepository
from app.persistence.patients import Identifier, PatientRepository
from app.persistence.plans.records import (
    PlanChangedMeanwhile,
    PlanFilter,
    PlanIdentifierTaken,
    PlanNotFound,
    PlanRecord,
    PlanView,
    RevisionNotFound,
)
from app.persistence.plans.repository import PlanRepository
from app.persistence.plans.rows import view_data, view_from_data
from app.persistence.tables import PlannedStepRow
from tests.persistence.given import (
    LOCATION,
    NOW,
    OTHER_CLINIC_ID,
    PATIENT,
    PLAN,
    a_patient,
    a_plan,
    a_revision,
    a_step,
    an_event,
    other_clinic,
    stored_plan,
    surroundings,
    uid,
)


@pytest.fixture(autouse=True)
async def _surroundings(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await surroundings(connection)


async def read(database: Database, plan_id: UUID = PLAN) -> PlanRecord:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        return await PlanRepository(connection, DEFAULT_CLINIC_ID).get(plan_id)


async def view(database: Database, plan_id: UUID = PLAN) -> PlanView:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        return await PlanRepository(connection, DEFAULT_CLINIC_ID).view(plan_id)


async def save(database: Database, before: PlanRecord, plan: PlanRecord) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        revision = a_revision(plan.revision, reason="later\nplease")
        await plans.save(
            before,
            plan,
            revision,
            events=[an_event(plan.revision + 900)],
            superseded={"revision": before.revision},
        )


async def listed(database: Database, **wanted: object) -> list[UUID]:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        return [plan.id for plan in await plans.page(PlanFilter(**wanted), limit=10)]  # type: ignore[arg-type] # by keyword


async def test_a_plan_comes_back_as_it_was_stored(database: Database) -> None:
    plan = a_plan(
        identifiers=(Identifier("a", "1"), Identifier("b", "2")),
        note="two\nlines, ünïcode “quoted” \\u0000 🙂",
        condition="53053002",
        practitioner="dr-1",
        attention=[{"code": "undated"}],
        breaches=[{"id": "b1", "acknowledged": False}],
    )

    await stored_plan(database, plan)

    assert await read(database) == plan


async def test_an_undated_step_and_a_span_come_back(database: Database) -> None:
    undated = a_step(
        1,
        occurrence=OccurrenceId("booster"),
        day=None,
        earliest=None,
        target=None,
        latest=None,
        deviation_days=None,
        ordinal=None,
        of=None,
        tentative=True,
        optional=True,
        deadline=True,
        minutes=None,
        modes=(),
        agent=None,
    )
    span = a_step(0, occurrence=OccurrenceId("followup", "m3"), end=date(2027, 4, 10))
    plan = a_plan(steps=(span, undated), next_step_id=None)

    await stored_plan(database, plan)

    assert await read(database) == plan


async def test_what_is_shown_is_ready_for_json(database: Database) -> None:
    await stored_plan(database, a_plan())

    shown = await view(database)

    assert (shown.id, shown.patient_id, shown.time_zone) == (
        str(PLAN),
        str(PATIENT),
        "America/Denver",
    )
    assert (shown.example, shown.revision, shown.next_step_id) == (True, 1, str(uid(2000)))
    assert shown.created_at == NOW
    first = shown.steps[0]
    assert (first.day, first.window_latest, first.end_day) == ("2027-03-10", "2027-03-11", None)
    assert (first.tentative, first.deadline, first.occurrence) == (False, False, "0")


async def test_storing_a_plan_needs_few_statements(database: Database) -> None:
    statements: list[str] = []
    engine = database.write.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    await stored_plan(database, a_plan())

    most = 1 if engine.dialect.name == "postgresql" else 6
    assert len([sql for sql in statements if not sql.startswith("BEGIN")]) <= most


async def test_reading_a_plan_needs_one_statement(database: Database) -> None:
    await stored_plan(database, a_plan())
    statements: list[str] = []
    event.listen(
        database.read.sync_engine,
        "before_cursor_execute",
        lambda *args: statements.append(args[2]),
    )

    await view(database)

    assert len(statements) == 1


async def test_a_missing_plan_is_not_found(database: Database) -> None:
    with pytest.raises(PlanNotFound):
        await view(database)


async def test_another_clinics_plan_does_not_exist(database: Database) -> None:
    await other_clinic(database)
    await stored_plan(database, a_plan())

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, OTHER_CLINIC_ID)
        with pytest.raises(PlanNotFound):
            await plans.view(PLAN)
        assert await plans.page(PlanFilter(), limit=10) == []


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"body_site": "ankle\nleft"}, id="line break"),
        pytest.param({"note": "\x00"}, id="nul"),
        pytest.param({"note": "\ud800"}, id="lone surrogate"),
        pytest.param({"state": {"a": "\u202e"}}, id="direction mark in a document"),
        pytest.param({"state": {"a": float("nan")}}, id="nan"),
    ],
)
async def test_what_one_database_cannot_keep_is_refused_by_both(
    database: Database, fields: dict[str, Any]
) -> None:
    with pytest.raises(UnstorableValue):
        await stored_plan(database, a_plan(**fields))


async def test_an_identifier_names_one_plan(database: Database) -> None:
    identifiers = (Identifier("ehr", "1"),)
    await stored_plan(database, a_plan(identifiers=identifiers))

    with pytest.raises(PlanIdentifierTaken):
        await stored_plan(database, a_plan(101, identifiers=identifiers))

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        assert await plans.find(identifiers[0]) == PLAN
        assert await plans.find(Identifier("ehr", "2")) is None
    with pytest.raises(PlanNotFound):
        await view(database, uid(101))


async def test_a_change_is_one_more_revision(database: Database) -> None:
    plan = await stored_plan(database, a_plan())
    done = replace(plan.steps[0], status=StepStatus.PERFORMED, day=date(2027, 3, 9))
    changed = replace(
        plan,
        revision=2,
        status="on_hold",
        steps=(done, plan.steps[1]),
        updated_at=NOW + timedelta(days=1),
    )

    await save(database, plan, changed)

    assert await read(database) == changed
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        revisions = await plans.revisions(PLAN, limit=10)
        assert [revision.revision for revision in revisions] == [2, 1]
        assert revisions[0].reason == "later\nplease"
        assert await plans.snapshot(PLAN, 1) == {"revision": 1}
        with pytest.raises(RevisionNotFound):
            await plans.snapshot(PLAN, 3)
        assert [r.revision for r in await plans.revisions(PLAN, before=2, limit=10)] == [1]
        events = await EventRepository(connection, DEFAULT_CLINIC_ID).page(after=0, limit=10)
        assert [event_.number for event_ in events] == [1, 2]


async def test_steps_come_go_and_change_places_with_their_ids(database: Database) -> None:
    plan = await stored_plan(database, a_plan())
    first, second = plan.steps
    new = a_step(7, id=uid(7000), position=1)
    changed = replace(
        plan, revision=2, steps=(replace(second, position=0), new, replace(first, position=2))
    )
    shorter = replace(changed, revision=3, steps=(replace(new, position=0),))

    await save(database, plan, changed)
    assert await read(database) == changed
    await save(database, changed, shorter)

    assert await read(database) == shorter
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        count = await connection.scalar(select(func.count()).select_from(PlannedStepRow))
    assert count == 1


async def test_a_plan_without_steps_can_be_saved(database: Database) -> None:
    plan = await stored_plan(database, a_plan())
    empty = replace(plan, revision=2, steps=(), next_step_id=None)

    await save(database, plan, empty)

    assert await read(database) == empty


async def test_a_stale_change_is_refused_and_stores_nothing(database: Database) -> None:
    plan = await stored_plan(database, a_plan())
    await save(database, plan, replace(plan, revision=2))

    with pytest.raises(PlanChangedMeanwhile):
        await save(database, plan, replace(plan, revision=2, status="revoked"))

    assert (await read(database)).status == "active"


async def test_a_missing_plan_cannot_be_changed(database: Database) -> None:
    with pytest.raises(PlanNotFound):
        await save(database, a_plan(), a_plan())


async def test_a_missing_plan_has_no_history(database: Database) -> None:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        with pytest.raises(PlanNotFound):
            await plans.revisions(PLAN, limit=10)


async def test_pages_follow_each_other_newest_first(database: Database) -> None:
    for number in range(100, 105):
        await stored_plan(database, a_plan(number))

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        first = await plans.page(PlanFilter(), limit=2)
        second = await plans.page(PlanFilter(), after=first[-1].id, limit=10)

    assert [plan.id for plan in (*first, *second)] == [uid(n) for n in (104, 103, 102, 101, 100)]
    assert (first[0].next_key, first[0].next_day) == ("session", date(2027, 3, 10))


@pytest.mark.parametrize(
    "wanted, found",
    [
        pytest.param({"patient_id": PATIENT}, [100], id="patient"),
        pytest.param({"status": "draft"}, [101], id="status"),
        pytest.param(
            {"protocol_key": "ankle", "protocol_version": "1.0.0"}, [101, 100], id="protocol"
        ),
        pytest.param({"protocol_version": "2.0.0"}, [], id="version"),
        pytest.param({"location_id": LOCATION}, [101, 100], id="location"),
        pytest.param({"practitioner": "dr-1"}, [101], id="practitioner"),
        pytest.param({"body_site": "knee"}, [101], id="body site"),
        pytest.param({"needs_attention": True}, [101], id="needs attention"),
        pytest.param({"needs_attention": False}, [100], id="needs no attention"),
        pytest.param(
            {"updated_since": datetime(2027, 3, 2, tzinfo=UTC)}, [101], id="updated since"
        ),
    ],
)
async def test_a_list_has_what_fits_the_filter(
    database: Database, wanted: dict[str, object], found: list[int]
) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await PatientRepository(connection, DEFAULT_CLINIC_ID).add(a_patient(3))
    await stored_plan(database, a_plan(100))
    await stored_plan(
        database,
        a_plan(
            101,
            patient_id=uid(3),
            status="draft",
            practitioner="dr-1",
            body_site="knee",
            attention=[{"code": "undated"}],
            updated_at=NOW + timedelta(days=1),
        ),
    )

    assert await listed(database, **wanted) == [uid(number) for number in found]


async def test_a_patients_dated_steps_are_found_over_all_plans(database: Database) -> None:
    await stored_plan(database, a_plan(100))
    undated = a_step(0, id=uid(9000), day=None)
    await stored_plan(database, a_plan(101, steps=(undated, a_step(1, id=uid(9001)))))

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        steps = await plans.steps_of_patient(PATIENT)
        others = await plans.steps_of_patient(PATIENT, besides=PLAN)

    assert [(step.plan_id, step.occurrence) for step in steps] == [
        (uid(100), "0"),
        (uid(100), "1"),
        (uid(101), "1"),
    ]
    assert [step.plan_id for step in others] == [uid(101)]
    assert (steps[0].day, steps[0].agent, steps[0].plan_status) == (
        date(2027, 3, 10),
        "prp",
        "active",
    )


async def test_what_was_posted_to_a_plan_is_given_in_its_order(database: Database) -> None:
    plan = await stored_plan(database, a_plan(), change={"made": 1})
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        plans = PlanRepository(connection, DEFAULT_CLINIC_ID)
        await plans.save(
            plan,
            replace(plan, revision=2),
            a_revision(2, change={"changes": []}),
            events=[],
            superseded={},
        )

        assert await plans.posted(PLAN) == ({"made": 1}, {"changes": []})


async def test_a_plan_that_was_shown_can_be_kept_as_plain_data(database: Database) -> None:
    await stored_plan(database, a_plan(identifiers=(Identifier("ehr", "1"),)))
    shown = await view(database)

    kept = json.loads(json.dumps(view_data(shown)))

    assert view_from_data(kept) == shown


async def test_a_plan_of_a_missing_patient_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await stored_plan(database, a_plan(patient_id=uid(9)))
