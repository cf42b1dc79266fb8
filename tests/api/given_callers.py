"""Callers with keys, in the first clinic or in a second one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi import FastAPI

from app.domain.permissions import GRANTS, UNRESTRICTED, Role, Scope
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.services import clinic, credentials
from app.services.context import Context
from app.services.credentials import IssuedKey

LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)


async def issued(
    app: FastAPI,
    role: Role,
    *,
    name: str | None = None,
    clinic_id: UUID = DEFAULT_CLINIC_ID,
    scopes: frozenset[Scope] | None = None,
    expired: bool = False,
) -> IssuedKey:
    """A new key."""
    async with app.state.database.writing(clinic_id) as connection:
        ctx = Context(connection, clinic_id, "test", LONG_AGO, grant=UNRESTRICTED)
        ends = LONG_AGO + timedelta(days=1) if expired else None
        made = await credentials.create_key(ctx, name or role, role, scopes=scopes, expires_at=ends)
    app.state.callers.forget()
    return made


async def headers(
    app: FastAPI,
    role: Role,
    *,
    name: str | None = None,
    clinic_id: UUID = DEFAULT_CLINIC_ID,
    scopes: frozenset[Scope] | None = None,
) -> dict[str, str]:
    """What a new caller sends to be known."""
    made = await issued(app, role, name=name, clinic_id=clinic_id, scopes=scopes)
    return {"Authorization": f"Bearer {made.key}"}


async def headers_of_all(app: FastAPI, clinic_id: UUID) -> dict[Scope, dict[str, str]]:
    """For each scope what a caller of the clinic sends who has it."""
    able = {Role.ADMIN, Role.APPROVER, Role.INTEGRATION}
    of_role = {role: await headers(app, role, clinic_id=clinic_id) for role in sorted(able)}
    return {
        scope: next(of_role[role] for role in sorted(able) if scope in GRANTS[role].scopes)
        for scope in Scope
    }


async def second_clinic(app: FastAPI) -> UUID:
    """Another clinic in the same database."""
    made = await clinic.create_clinic(app.state.database, "Other", sandbox=True, now=LONG_AGO)
    return made.id
