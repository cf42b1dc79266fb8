"""Rows for the tests of this layer, naming only what a test is about."""

from datetime import UTC, datetime
from uuid import UUID

from app.persistence.clinics import ClinicRepository
from app.persistence.database import Database

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
OTHER_CLINIC_ID = UUID("01938a5e-0000-7000-8000-00000000000f")


def uid(number: int) -> UUID:
    """An id that is easy to tell from others."""
    return UUID(int=0x01938A5E_0000_7000_8000_000000000000 + number)


async def other_clinic(database: Database) -> None:
    """Store a second clinic."""
    async with database.writing() as connection:
        await ClinicRepository(connection, OTHER_CLINIC_ID).add("Other", sandbox=False, now=NOW)
