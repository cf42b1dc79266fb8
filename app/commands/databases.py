"""Whether a command can use its settings and database; if not, what its user can do about it."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.commands.failures import CommandFailed
from app.persistence.database import SQLITE, UnsuitableDatabase, driver_url, open_database
from app.persistence.readiness import NotReady, check_ready, check_role, may_overlook
from app.settings import Environment, Settings, WrongSetting


class Tables(Enum):
    """What state a database's tables are in."""

    MISSING = "has no tables yet"
    OTHER = "has the tables of another version of this program"
    READY = "is ready"


def settings_with(*, host: str | None = None, port: int | None = None) -> Settings:
    """The settings of the environment, with what the command line says. Raises CommandFailed."""
    try:
        settings = Settings.from_environ(os.environ)
    except WrongSetting as error:
        raise CommandFailed(str(error)) from error
    if host is not None:
        settings = replace(settings, host=host)
    return settings if port is None else replace(settings, port=port)


def described(url: str) -> str:
    """A database in words, without user name and password."""
    parsed = make_url(driver_url(url))
    if parsed.drivername == SQLITE:
        return f"the SQLite file {parsed.database}"
    place = parsed.query.get("host") or parsed.host or "localhost"
    return f"the PostgreSQL database {parsed.database} at {place}"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for another kind."""
    parsed = make_url(driver_url(url))
    return Path(parsed.database or "") if parsed.drivername == SQLITE else None


def tables_of(url: str) -> Tables:
    """Look at the tables. Raises CommandFailed when the database is out of reach."""
    file = sqlite_file(url)
    with in_reach(url):
        if file is not None and not file.exists():
            # Connecting would make an empty file.
            return Tables.MISSING
        return asyncio.run(_look(url))


def require_tables(settings: Settings, *, hint: str = "") -> None:
    """Raise CommandFailed, saying what to do, unless the database has this version's tables."""
    found = tables_of(settings.database_url)
    if found is not Tables.READY:
        raise CommandFailed(
            f"{described(settings.database_url)} {found.value}: run `python -m app migrate`{hint}"
        )


def require_service(settings: Settings, *, hint: str = "") -> None:
    """Raise CommandFailed, saying what to do, unless the service can run on the database.

    In production that needs a role from which PostgreSQL hides what is of other clinics.
    """
    url = settings.database_url
    require_tables(settings, hint=hint)
    if settings.environment is Environment.PRODUCTION and sqlite_file(url) is None:
        with in_reach(url):
            asyncio.run(_look_at_role(url))


def require_worker(settings: Settings) -> None:
    """Raise CommandFailed, saying what to do, unless a worker can run on the database."""
    require_service(settings)
    if not looks_over_clinics(settings.database_url):
        raise CommandFailed(
            f"{described(settings.database_url)} lets another role look for work in all clinics: "
            "connect as the one that REGIMEN_WORKER_ROLE named when it was migrated"
        )


def looks_over_clinics(url: str) -> bool:
    """Whether the role may look over clinics. Raises CommandFailed when that cannot be told."""
    with in_reach(url):
        return asyncio.run(_look_over_clinics(url))


@contextmanager
def served_alone(url: str) -> Iterator[None]:
    """Let no other process of this machine serve the same SQLite file; PostgreSQL is for several.

    What says so is a lock on a file beside it, which ends with this process, however that ends; the
    file itself may outlive a process that a signal ended. Raises CommandFailed for a file that is
    served already.
    """
    file = sqlite_file(url)
    if file is None:
        yield
        return
    lock = Path(f"{file}-lock")
    with in_reach(url):
        held = lock.open("wb")
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = "is served by another process: stop that one, or name another file"
            raise CommandFailed(f"{described(url)} {text}") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


@contextmanager
def in_reach(url: str) -> Iterator[None]:
    """Say in words why a database cannot be used, instead of what its driver says."""
    file = sqlite_file(url)
    if file is not None and not file.parent.is_dir():
        raise CommandFailed(f"there is no folder {file.parent} for {described(url)}")
    try:
        yield
    except UnsuitableDatabase as error:
        raise CommandFailed(f"{described(url)} cannot be used: {error}") from error
    except (OSError, SQLAlchemyError) as error:
        why = _reason(error)
        text = f"{described(url)} cannot be reached: {why} (REGIMEN_DATABASE_URL names it)"
        raise CommandFailed(text) from error


async def _look(url: str) -> Tables:
    database = open_database(url, pool_size=1)
    try:
        await database.check()
        await check_ready(database)
    except NotReady as error:
        return Tables.OTHER if "revision" in str(error) else Tables.MISSING
    finally:
        await database.dispose()
    return Tables.READY


async def _look_at_role(url: str) -> None:
    database = open_database(url, pool_size=1)
    try:
        await check_role(database)
    finally:
        await database.dispose()


async def _look_over_clinics(url: str) -> bool:
    database = open_database(url, pool_size=1)
    try:
        return await may_overlook(database)
    finally:
        await database.dispose()


def _reason(error: Exception) -> str:
    """The driver's own sentence, its first line; it holds names of hosts and users, no secrets."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, TimeoutError):
        return "nothing answers there"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno).lower()
    text = str(cause).strip().partition("\n")[0]
    text = text.rpartition(">: ")[2] or type(cause).__name__
    return text[:1].lower() + text[1:]
