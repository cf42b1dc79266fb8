"""The commands `backup` and `restore`: the whole database as one file, and back."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from app.commands.databases import described, in_reach, require_tables, sqlite_file
from app.commands.failures import CommandFailed
from app.commands.printing import counted
from app.persistence.archives import UnusableBackup, read_archive, write_archive
from app.persistence.database import open_database
from app.persistence.readiness import head
from app.settings import Settings

SQLITE_HEADER = b"SQLite format 3\0"


def back_up(settings: Settings, file: Path) -> str:
    """Write a backup while the service goes on; says what was done. Raises CommandFailed."""
    url = settings.database_url
    require_tables(settings)
    with _written(file) as part, _in_words(url):
        source = sqlite_file(url)
        plans = _copy_sqlite(source, part) if source else asyncio.run(_write(url, part))
    return (
        f"{described(url)} is backed up in {file}: {counted(plans, 'plan')}, "
        f"revision {head()}, {counted(file.stat().st_size, 'byte')}"
    )


def restore(settings: Settings, file: Path) -> str:
    """Put a backup into a database that holds nothing yet; says what was done.

    Raises CommandFailed.
    """
    url = settings.database_url
    target = sqlite_file(url)
    try:
        with file.open("rb") as opened:
            is_sqlite = opened.read(len(SQLITE_HEADER)) == SQLITE_HEADER
    except OSError as error:
        why = (error.strerror or "").lower()
        raise CommandFailed(f"cannot read {file}: {why}") from error
    if is_sqlite != (target is not None):
        holds, names = ("a", "none") if is_sqlite else ("no", "one")
        raise CommandFailed(
            f"{file} holds {holds} SQLite database, and REGIMEN_DATABASE_URL names {names}"
        )
    with _in_words(url):
        if target is not None:
            plans = _put_sqlite(file, target)
        else:
            require_tables(settings)
            plans = asyncio.run(_read(url, file))
    return f"{described(url)} is what {file} was: {counted(plans, 'plan')}, revision {head()}"


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    try:
        with in_reach(url):
            yield
    except (UnusableBackup, sqlite3.Error) as error:
        raise CommandFailed(str(error)) from error


@contextmanager
def _written(file: Path) -> Iterator[Path]:
    """A new file that only its owner may read; under its name only once it is whole."""
    part = file.with_name(f"{file.name}.part")
    if file.exists():
        raise CommandFailed(f"{file} exists already, and is not replaced")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise CommandFailed(f"cannot write {part}: {(error.strerror or '').lower()}") from error
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.rename(file)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _copy_sqlite(source: Path, part: Path) -> int:
    """Copy as one moment sees it; writers do not wait. SQLite's pages are packed on the way."""
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(part),))
    return _checked_sqlite(part)


def _put_sqlite(file: Path, target: Path) -> int:
    plans = _checked_sqlite(file)
    with _written(target) as part:
        shutil.copyfile(file, part)
    return plans


def _checked_sqlite(file: Path) -> int:
    """How many plans there are. Raises UnusableBackup for a file that is damaged or not ours."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise UnusableBackup(f"{file} is damaged")
        if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise UnusableBackup(f"rows of {file} refer to rows that are not there")
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if revision != head():
            raise UnusableBackup(
                f"{file} has the tables of revision {revision}, this version has {head()}: "
                "put it back with the version that made it, then migrate"
            )
        (plans,) = connection.execute("SELECT count(*) FROM plans").fetchone()
    return int(plans)


async def _write(url: str, part: Path) -> int:
    database = open_database(url, pool_size=1)
    try:
        return (await write_archive(database, part))["plans"]
    finally:
        await database.dispose()


async def _read(url: str, file: Path) -> int:
    database = open_database(url, pool_size=1)
    try:
        return (await read_archive(database, file))["plans"]
    finally:
        await database.dispose()
