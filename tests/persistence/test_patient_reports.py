"""Reported events and absences of a patient."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.patient_reports import (
    AbsenceNotFound,
    AbsenceRecord,
    PatientEventNotFound,
    PatientEventRecord,
    PatientReportRepository,
)
from tests.persistence.given import NOW, PATIENT, surroundings, uid


@pytest.fixture
async def reports(database: Database) -> AsyncIterator[PatientReportRepository]:
    """The reports of a clinic with one patient, in one transaction."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await surroundings(connection)
        yield PatientReportRepository(connection, DEFAULT_CLINIC_ID)


def an_agent(number: int, **fields: Any) -> PatientEventRecord:
    day = fields.pop("on_day", date(2027, 2, 24))
    values = {"agent": "steroid", "on_day": day, "created_at": NOW, **fields}
    return PatientEventRecord(id=uid(number), patient_id=PATIENT, **values)


def an_absence(number: int, first: date, last: date) -> AbsenceRecord:
    return AbsenceRecord(
        id=uid(number), patient_id=PATIENT, first_day=first, last_day=last, created_at=NOW
    )


async def test_events_come_back_by_day(reports: PatientReportRepository) -> None:
    later = an_agent(1, body_site="ankle", laterality="right", note="urgent\ncare")
    earlier = an_agent(
        2,
        agent=None,
        finding="infection",
        on_day=date(2027, 2, 1),
        cleared_on=date(2027, 2, 9),
    )
    await reports.add_event(later)
    await reports.add_event(earlier)

    assert await reports.events(PATIENT) == (earlier, later)
    assert await reports.events(uid(99)) == ()


async def test_a_withdrawn_event_is_kept_but_counts_no_more(
    reports: PatientReportRepository,
) -> None:
    await reports.add_event(an_agent(1))

    await reports.withdraw_event(PATIENT, uid(1), now=NOW)

    assert await reports.events(PATIENT) == ()
    (withdrawn,) = await reports.events(PATIENT, withdrawn=True)
    assert withdrawn.withdrawn_at == NOW
    with pytest.raises(PatientEventNotFound):
        await reports.withdraw_event(PATIENT, uid(1), now=NOW)


async def test_absences_come_back_from_a_day_on(reports: PatientReportRepository) -> None:
    second = an_absence(1, date(2027, 2, 10), date(2027, 2, 20))
    first = an_absence(2, date(2027, 1, 1), date(2027, 1, 1))
    await reports.add_absence(second)
    await reports.add_absence(first)

    assert await reports.absences(PATIENT) == (first, second)
    assert await reports.absences(PATIENT, from_day=date(2027, 2, 20)) == (second,)


async def test_an_absence_can_be_taken_back(reports: PatientReportRepository) -> None:
    await reports.add_absence(an_absence(1, date(2027, 2, 10), date(2027, 2, 20)))

    await reports.remove_absence(PATIENT, uid(1))

    assert await reports.absences(PATIENT) == ()
    with pytest.raises(AbsenceNotFound):
        await reports.remove_absence(PATIENT, uid(1))
