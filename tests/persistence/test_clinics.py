"""A clinic's row, its sandbox clock and its rules."""

import pytest

from app.persistence.clinics import (
    DEFAULT_CLINIC_ID,
    ClinicNotFound,
    ClinicRepository,
    ClinicRulesChangedMeanwhile,
    ClinicRulesRecord,
    ClinicRulesRepository,
    ClockNotSettable,
)
from app.persistence.database import Database
from tests.persistence.given import NOW, OTHER_CLINIC_ID, other_clinic, uid


async def test_a_migrated_database_has_the_default_clinic(database: Database) -> None:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        clinic = await ClinicRepository(connection, DEFAULT_CLINIC_ID).get()

    assert (clinic.id, clinic.name, clinic.sandbox) == (DEFAULT_CLINIC_ID, "Default clinic", False)
    assert clinic.created_at.utcoffset() is not None


async def test_a_missing_clinic_is_not_found(database: Database) -> None:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        with pytest.raises(ClinicNotFound):
            await ClinicRepository(connection, uid(1)).get()


async def test_a_sandbox_clinics_clock_can_be_set_and_let_run(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        clinics = ClinicRepository(connection, DEFAULT_CLINIC_ID)
        await clinics.make_sandbox()

        await clinics.set_clock(NOW)
        assert (await clinics.get()).clock_at == NOW

        await clinics.set_clock(None)
        assert (await clinics.get()).clock_at is None


async def test_an_ordinary_clinics_clock_cannot_be_set(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        with pytest.raises(ClockNotSettable):
            await ClinicRepository(connection, DEFAULT_CLINIC_ID).set_clock(NOW)


async def test_rules_are_saved_by_revision(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        rules = ClinicRulesRepository(connection, DEFAULT_CLINIC_ID)
        assert await rules.get() == ClinicRulesRecord({}, 0, None)

        assert await rules.save({"a": 1}, revision=0, now=NOW) == 1
        assert await rules.save({"a": 2}, revision=1, now=NOW) == 2

        assert await rules.get() == ClinicRulesRecord({"a": 2}, 2, NOW)


@pytest.mark.parametrize("stale", [0, 1, 3])
async def test_rules_changed_meanwhile_are_not_overwritten(database: Database, stale: int) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        rules = ClinicRulesRepository(connection, DEFAULT_CLINIC_ID)
        await rules.save({"a": 1}, revision=0, now=NOW)
        await rules.save({"a": 2}, revision=1, now=NOW)

        with pytest.raises(ClinicRulesChangedMeanwhile):
            await rules.save({"a": 3}, revision=stale, now=NOW)

        assert (await rules.get()).document == {"a": 2}


async def test_what_one_clinic_sets_is_not_another_ones(database: Database) -> None:
    await other_clinic(database)
    for clinic in (DEFAULT_CLINIC_ID, OTHER_CLINIC_ID):
        async with database.writing(clinic) as connection:
            await ClinicRepository(connection, clinic).make_sandbox()
            await ClinicRulesRepository(connection, clinic).save({"a": 1}, revision=0, now=NOW)

    async with database.writing(OTHER_CLINIC_ID) as connection:
        await ClinicRepository(connection, OTHER_CLINIC_ID).set_clock(NOW)
        await ClinicRulesRepository(connection, OTHER_CLINIC_ID).save({}, revision=1, now=NOW)

    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        assert (await ClinicRepository(connection, DEFAULT_CLINIC_ID).get()).clock_at is None
        rules = ClinicRulesRepository(connection, DEFAULT_CLINIC_ID)
        assert await rules.get() == ClinicRulesRecord({"a": 1}, 1, NOW)
