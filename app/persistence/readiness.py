"""Whether the database answers and has the tables of this version; loads no migration tool."""

import re
from functools import cache
from pathlib import Path

from sqlalchemy import exists, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import DomainError
from app.persistence.database import Database, UnsuitableDatabase
from app.persistence.tables import ClinicRow

MIGRATIONS = Path(__file__).parents[2] / "migrations"

_REVISION = re.compile(r'^revision: str = "(\w+)"', re.MULTILINE)
_BEFORE = re.compile(r'^down_revision: .* = "(\w+)"', re.MULTILINE)


class NotReady(DomainError):
    """The service cannot serve yet: its database is out of reach or not migrated."""


async def check_ready(database: Database) -> str:
    """The revision of the tables, which must be this version's. Raises NotReady."""
    revision = await _revision(database)
    if revision != head():
        raise NotReady(f"the database is at revision {revision}, this version needs {head()}")
    return revision


async def check_still_ready(database: Database) -> str:
    """The revision of the tables, this version's or a later one. Raises NotReady.

    A migration takes nothing away that the version before needs, which serves meanwhile.
    """
    revision = await _revision(database)
    if revision in _earlier():
        raise NotReady(f"the database is at revision {revision}, this version needs {head()}")
    return revision


async def _revision(database: Database) -> str:
    try:
        async with database.overlooking() as connection:
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return str(found.scalar_one_or_none())
    except (OSError, SQLAlchemyError):
        raise NotReady("the database is out of reach or has no tables") from None


async def check_role(database: Database) -> None:
    """Raise UnsuitableDatabase for a role from which PostgreSQL's row-level security hides nothing.

    One query that forgets its clinic would show it all clinics' rows.
    """
    async with database.overlooking() as connection:
        found = await connection.execute(
            text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        )
        is_superuser, bypasses = found.one()
    if is_superuser or bypasses:
        kind = "is a superuser" if is_superuser else "has BYPASSRLS"
        raise UnsuitableDatabase(
            f"its role {kind}, so that it sees the rows of every clinic; in production connect as "
            "a role that is neither (REGIMEN_APP_ROLE)"
        )


async def may_overlook(database: Database) -> bool:
    """Whether PostgreSQL lets the role look over clinics, of which there is always one."""
    async with database.overlooking() as connection:
        return bool(await connection.scalar(select(exists(select(ClinicRow.clinic_id)))))


@cache
def head() -> str:
    """The last revision of the migration tree."""
    revisions = {match for text_ in _migrations() for match in _REVISION.findall(text_)}
    (last,) = revisions - _earlier()
    return str(last)


@cache
def _earlier() -> frozenset[str]:
    """Every revision but the last, and what a database without any has."""
    before = {match for text_ in _migrations() for match in _BEFORE.findall(text_)}
    return frozenset({*before, str(None)})


@cache
def _migrations() -> tuple[str, ...]:
    return tuple([path.read_text("utf-8") for path in (MIGRATIONS / "versions").glob("*.py")])
