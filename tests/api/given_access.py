"""Looking into the account of access, and doing to it what nobody should."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.tables import (
    AccessBatchRow,
)
from app.services import access
from app.services.access import (
    Verified,
)
from app.services.context import Context
from tests.api.given_plans import Data, Desk, good

URL = "/v1/access"
LATER = datetime(2040, 1, 1, tzinfo=UTC)


async def listed(desk: Desk, **which: Any) -> list[Data]:
    """Every access, once all are in the chain; reading them is not among them yet."""
    await desk.app.state.account.commit()
    found: list[Data] = []
    page = await good(desk.api.get(URL, params=which))
    found += page["items"]
    while page["next"]:
        page = await good(desk.api.get(URL, params={**which, "cursor": page["next"]}))
        found += page["items"]
    return found


async def verified(desk: Desk) -> Verified:
    """What looking through the first clinic's chain gives."""
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        return await access.verify(Context(connection, DEFAULT_CLINIC_ID, "test", LATER))


async def altered(desk: Desk, statement: Any) -> None:
    """Do in the database what nobody should."""
    async with desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(statement)


async def three_batches(desk: Desk) -> None:
    """Three reads, each of which is committed alone."""
    await desk.app.state.account.commit()
    for _ in range(3):
        await good(desk.api.get(f"/v1/patients/{desk.patient_id}"))
        await desk.app.state.account.commit()


async def last_number(desk: Desk) -> int:
    """The number of the newest batch."""
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        found = await connection.execute(select(func.max(AccessBatchRow.number)))
        return int(found.scalar_one())
