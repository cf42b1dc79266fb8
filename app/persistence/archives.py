"""A PostgreSQL database's rows as one archive file: of one moment, and checked when put back.

The archive is a zip file with the rows of every table in COPY's text form, and a manifest of how
many there are and what they hash to. Tables themselves are made by migrating.
"""

import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import asyncpg
from sqlalchemy import Table

from app.persistence.database import Database
from app.persistence.readiness import head
from app.persistence.tables import Row

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK = 256 * 1024

# All rows are seen or the command fails: a role from which a policy hides some sees too few.
_NO_LIMITS = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = '10s'",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL row_security = off",
)


class UnusableBackup(Exception):
    """A backup that cannot be made or put back; the text says why."""


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    """PostgreSQL's own words may hold what is in a row."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise UnusableBackup(
            "this role may not read or write every row: use a superuser, or a role with BYPASSRLS"
        ) from error
    except asyncpg.PostgresError as error:
        raise UnusableBackup(f"PostgreSQL refuses it ({type(error).__name__})") from error


async def write_archive(database: Database, file: Path) -> dict[str, int]:
    """Write every row as one moment sees it, while others write on; gives the rows by table.

    Raises UnusableBackup.
    """
    with _refusals_in_words(), ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        async with _session(database, isolation="repeatable_read", readonly=True) as driver:
            tables = [await _write(driver, table, archive) for table in _tables()]
        manifest = {"format": FORMAT, "revision": head(), "tables": tables}
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return {table["name"]: table["rows"] for table in tables}


async def read_archive(database: Database, file: Path) -> dict[str, int]:
    """Put the rows into an empty, migrated database, all or none; gives them by table.

    Raises UnusableBackup.
    """
    try:
        with _refusals_in_words(), ZipFile(file) as archive:
            tables = _manifest(archive)["tables"]
            async with _session(database) as driver:
                await _clear(driver)
                for table in tables:
                    await _read(driver, table, archive)
    except (BadZipFile, zlib.error, KeyError, ValueError, EOFError) as error:
        raise UnusableBackup("the file is no archive, or a damaged one") from error
    return {table["name"]: table["rows"] for table in tables}


@asynccontextmanager
async def _session(database: Database, **options: Any) -> AsyncIterator[Any]:
    """The driver's own connection in a transaction without limits of time."""
    async with database.write.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        async with driver.transaction(**options):
            for statement in _NO_LIMITS:
                await driver.execute(statement)
            yield driver


def _tables() -> list[Table]:
    """Every table after those it refers to."""
    return Row.metadata.sorted_tables


async def _write(driver: Any, table: Table, archive: ZipFile) -> dict[str, Any]:
    digest = hashlib.sha256()
    columns = [column.name for column in table.columns]
    key = ", ".join(column.name for column in table.primary_key)
    with archive.open(_member(table.name), "w", force_zip64=True) as member:

        async def take(data: bytes) -> None:
            digest.update(data)
            member.write(data)

        query = f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {key}"  # noqa: S608 # our own names
        done = await driver.copy_from_query(query, output=take)
    rows = _copied(done)
    return {"name": table.name, "columns": columns, "rows": rows, "sha256": digest.hexdigest()}


def _member(table: str) -> str:
    return f"{table}.copy"


def _copied(done: str) -> int:
    """How many rows PostgreSQL says it copied: `COPY 12`."""
    return int(done.split()[1])


def _manifest(archive: ZipFile) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise UnusableBackup("the archive is of another version of this program")
    if manifest["revision"] != head():
        raise UnusableBackup(
            f"the archive has the tables of revision {manifest['revision']}, this version has "
            f"{head()}: put it back with the version that made it, then migrate"
        )
    found, known = {table["name"] for table in manifest["tables"]}, {t.name for t in _tables()}
    if found != known:
        raise UnusableBackup("the archive does not have the tables of this version")
    return manifest


async def _clear(driver: Any) -> None:
    """Take away what migrating alone has put in; raise where there is more."""
    names = [table.name for table in _tables()]
    await driver.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
    for name in names:
        rows = await driver.fetchval(f"SELECT count(*) FROM {name}")  # noqa: S608 # our own names
        if rows > (1 if name == "clinics" else 0):
            raise UnusableBackup(f"the database is not empty: {name} has rows")
    await driver.execute("DELETE FROM clinics")


async def _read(driver: Any, table: dict[str, Any], archive: ZipFile) -> None:
    digest = hashlib.sha256()
    with archive.open(_member(table["name"])) as member:
        done = await driver.copy_to_table(
            table["name"], columns=table["columns"], source=_chunks(member, digest)
        )
    if (_copied(done), digest.hexdigest()) != (table["rows"], table["sha256"]):
        raise UnusableBackup(f"the rows of {table['name']} are not those that were backed up")


async def _chunks(member: IO[bytes], digest: Any) -> AsyncIterator[bytes]:
    while data := member.read(CHUNK):
        digest.update(data)
        yield data
