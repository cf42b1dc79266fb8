"""Patients are found by what other systems call them, and never another clinic's."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.patients import (
    Identifier,
    IdentifierTaken,
    PatientChangedMeanwhile,
    PatientNotFound,
    PatientRepository,
    folded,
)
from tests.persistence.given import NOW, OTHER_CLINIC_ID, a_patient, other_clinic, uid

EHR = Identifier("urn:ehr", "A-1")
CARD = Identifier("urn:card", "77")


@pytest.fixture
async def patients(database: Database) -> AsyncIterator[PatientRepository]:
    """The default clinic's patients, in one transaction."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        yield PatientRepository(connection, DEFAULT_CLINIC_ID)


async def test_a_patient_comes_back_as_it_was_stored(patients: PatientRepository) -> None:
    patient = a_patient(name="Zoë Ångström", birth_date=date(1980, 2, 29), identifiers=(CARD, EHR))

    await patients.add(patient)

    assert await patients.get(patient.id) == patient


async def test_a_patient_is_found_by_an_identifier(patients: PatientRepository) -> None:
    await patients.add(a_patient(1, identifiers=(EHR,)))
    await patients.add(a_patient(2, identifiers=(Identifier("urn:other", "A-1"),)))

    found = await patients.find(EHR)

    assert found is not None
    assert found.id == uid(1)
    assert await patients.find(CARD) is None


async def test_an_identifier_names_one_patient(patients: PatientRepository) -> None:
    await patients.add(a_patient(1, identifiers=(EHR,)))

    with pytest.raises(IdentifierTaken):
        await patients.add(a_patient(2, identifiers=(EHR,)))


async def test_a_patient_changes_by_revision(patients: PatientRepository) -> None:
    patient = a_patient(name="A", identifiers=(EHR,))
    await patients.add(patient)
    changed = replace(patient, name=None, birth_date=date(1980, 1, 1), identifiers=(CARD,))

    saved = await patients.save(changed, revision=1)

    assert saved == replace(changed, revision=2)
    assert await patients.find(EHR) is None
    with pytest.raises(PatientChangedMeanwhile):
        await patients.save(changed, revision=1)


async def test_a_missing_patient_is_not_found(patients: PatientRepository) -> None:
    with pytest.raises(PatientNotFound):
        await patients.get(uid(9))
    with pytest.raises(PatientNotFound):
        await patients.save(a_patient(9), revision=1)


async def test_pages_follow_each_other_in_the_order_of_making(
    patients: PatientRepository,
) -> None:
    for number in (3, 1, 2):
        await patients.add(a_patient(number))

    first = await patients.page(after=None, limit=2)
    second = await patients.page(after=first[-1].id, limit=2)

    assert [patient.id for patient in (*first, *second)] == [uid(1), uid(2), uid(3)]


@pytest.mark.parametrize(
    "wanted, found",
    [
        pytest.param({"name": "angstrom"}, [1], id="part of the name without case and accents"),
        pytest.param({"name": "ÅNG"}, [1], id="with accents"),
        pytest.param({"name": "%"}, [], id="a sign that stands for itself"),
        pytest.param({"birth_date": date(1980, 2, 29)}, [1, 2], id="birth date"),
        pytest.param({"birth_date": date(1980, 2, 29), "name": "bo"}, [2], id="both"),
        pytest.param({"identifier": EHR}, [1], id="identifier"),
        pytest.param({"after": uid(1)}, [2], id="next page"),
        pytest.param({}, [1, 2], id="all but merged and erased"),
    ],
)
async def test_a_search_finds_who_matches_everything(
    patients: PatientRepository, wanted: dict[str, Any], found: list[int]
) -> None:
    born = date(1980, 2, 29)
    await patients.add(a_patient(1, name="Zoë Ångström", birth_date=born, identifiers=(EHR,)))
    await patients.add(a_patient(2, name="Bo", birth_date=born))
    await patients.add(a_patient(3, name="Bo", merged_into=uid(2)))
    await patients.add(a_patient(4, erased_at=NOW))

    result = await patients.search(**wanted, limit=10)

    assert [patient.id for patient in result] == [uid(number) for number in found]


async def test_another_clinics_patient_does_not_exist(database: Database) -> None:
    await other_clinic(database)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await PatientRepository(connection, DEFAULT_CLINIC_ID).add(a_patient(identifiers=(EHR,)))

    async with database.writing(OTHER_CLINIC_ID) as connection:
        theirs = PatientRepository(connection, OTHER_CLINIC_ID)

        assert await theirs.find(EHR) is None
        assert await theirs.page(after=None, limit=10) == ()
        with pytest.raises(PatientNotFound):
            await theirs.get(uid(1))
        await theirs.add(a_patient(2, identifiers=(EHR,)))


def test_folding_leaves_letters_only() -> None:
    assert folded("Straße ÅÉ") == "strasse ae"
