"""Backups are of one moment also in a storm, and what is put back is what was backed up."""

import asyncio
import sqlite3
import stat
from pathlib import Path
from signal import SIGKILL
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from app.__main__ import main
from app.commands.backing import back_up, restore
from app.commands.failures import CommandFailed
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.persistence.migrate import downgrade, upgrade
from app.persistence.tables import Row
from app.settings import Settings
from tests.api.given_storms import blowing, plans_made, revisions_kept
from tests.persistence.test_migrate import populate
from tests.postgres import APP_ROLE, OWNER, as_role
from tests.processes import environ, regimen, running

Urls = tuple[str, str]


@pytest.fixture
def new_sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that is not there yet."""
    (tmp_path / "new").mkdir()
    return f"sqlite+aiosqlite:///{tmp_path / 'new' / 'regimen.db'}"


@pytest.fixture
def postgresql_url(postgresql_url: str) -> str:
    """As a role from which no row is hidden sees it."""
    return as_role("postgres", postgresql_url)


@pytest.fixture
def new_postgresql_url(new_postgresql_url: str) -> str:
    """As a role from which no row is hidden sees it."""
    return as_role("postgres", new_postgresql_url)


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest) -> Urls:
    """A database in use, and an empty one of the same kind."""
    new = str(request.getfixturevalue(f"new_{request.param}_url"))
    used = str(request.getfixturevalue(f"{request.param}_url"))
    if request.param == "postgresql":
        upgrade(new)
    return used, new


def contents(url: str) -> dict[str, list[str]]:
    """Every row of every table."""

    async def read() -> dict[str, list[str]]:
        database = open_database(url, pool_size=1)
        async with database.reading(DEFAULT_CLINIC_ID) as connection:
            found = {
                table.name: sorted(repr(row) for row in await connection.execute(select(table)))
                for table in Row.metadata.sorted_tables
            }
        await database.dispose()
        return found

    return asyncio.run(read())


def test_what_is_put_back_is_what_was_backed_up(urls: Urls, tmp_path: Path) -> None:
    used, new = urls
    asyncio.run(populate(used))
    before = contents(used)
    assert all(before.values())

    said = back_up(Settings(database_url=used), tmp_path / "backup")
    told = restore(Settings(database_url=new), tmp_path / "backup")

    assert contents(new) == before
    assert "1 plan, revision" in said
    assert "1 plan, revision" in told


def test_a_backup_in_a_storm_is_of_one_moment(urls: Urls, tmp_path: Path) -> None:
    used, new = urls
    plans = plans_made(used)
    environment = environ(REGIMEN_DATABASE_URL=used)
    with (
        running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server,
        blowing(server.wait_for("at").split()[1], plans) as storm,
    ):
        before = set(storm.acknowledged)
        back_up(Settings(database_url=used), tmp_path / "backup")
        after = set(storm.acknowledged)
        server.stop(SIGKILL)

    restore(Settings(database_url=new), tmp_path / "backup")

    kept = revisions_kept(new, plans)
    assert before
    assert all(kept[plan] >= revision for plan, revision in before)
    assert sum(kept.values()) <= sum(revisions_kept(used, plans).values())
    assert storm.statuses <= {200, 412, 503}
    assert len(after) >= len(before)


def test_only_its_owner_reads_a_backup(urls: Urls, tmp_path: Path) -> None:
    back_up(Settings(database_url=urls[0]), tmp_path / "backup")

    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("backup*")) == ["backup"]


def test_no_file_is_replaced(urls: Urls, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("ours")

    with pytest.raises(CommandFailed, match="exists already"):
        back_up(Settings(database_url=urls[0]), tmp_path / "backup")

    assert (tmp_path / "backup").read_text() == "ours"


def test_a_folder_that_is_not_there_is_told(urls: Urls, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"cannot write .*no such file or directory"):
        back_up(Settings(database_url=urls[0]), tmp_path / "nowhere" / "backup")


def test_nothing_is_put_into_a_database_that_holds_something(urls: Urls, tmp_path: Path) -> None:
    used, _ = urls
    asyncio.run(populate(used))
    back_up(Settings(database_url=used), tmp_path / "backup")
    before = contents(used)

    with pytest.raises(CommandFailed, match=r"not empty: \w+ has rows|exists already"):
        restore(Settings(database_url=used), tmp_path / "backup")

    assert contents(used) == before


def test_a_damaged_backup_puts_nothing_back(urls: Urls, tmp_path: Path) -> None:
    used, new = urls
    asyncio.run(populate(used))
    backup = tmp_path / "backup"
    back_up(Settings(database_url=used), backup)
    data = bytearray(backup.read_bytes())
    data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
    backup.write_bytes(data)

    with pytest.raises(CommandFailed):
        restore(Settings(database_url=new), backup)

    if new.startswith("sqlite"):
        assert not Path(new.partition(":///")[2]).exists()
    else:
        assert [table for table, rows in contents(new).items() if rows] == ["clinics"]


def test_rows_that_are_not_those_backed_up_are_refused(
    postgresql_url: str, new_postgresql_url: str, tmp_path: Path
) -> None:
    asyncio.run(populate(postgresql_url))
    back_up(Settings(database_url=postgresql_url), tmp_path / "backup")
    with ZipFile(tmp_path / "backup") as made, ZipFile(tmp_path / "other", "w") as other:
        for name in made.namelist():
            lines = made.read(name).splitlines(keepends=True)
            less = name == "events.copy"
            other.writestr(name, b"".join(lines[:-1] if less else lines))
    upgrade(new_postgresql_url)

    with pytest.raises(CommandFailed, match="the rows of events are not those"):
        restore(Settings(database_url=new_postgresql_url), tmp_path / "other")

    assert contents(new_postgresql_url)["patients"] == []


def test_a_backup_of_another_version_is_refused(urls: Urls, tmp_path: Path) -> None:
    used, new = urls
    back_up(Settings(database_url=used), tmp_path / "backup")
    if used.startswith("sqlite"):
        downgrade(f"sqlite:///{tmp_path / 'backup'}", "-1")
    else:
        with ZipFile(tmp_path / "backup") as made:
            parts = {name: made.read(name) for name in made.namelist()}
        manifest = parts["manifest.json"].replace(b'"revision": "', b'"revision": "older')
        with ZipFile(tmp_path / "backup", "w") as other:
            for name, part in (parts | {"manifest.json": manifest}).items():
                other.writestr(name, part)

    with pytest.raises(CommandFailed, match="with the version that made it, then migrate"):
        restore(Settings(database_url=new), tmp_path / "backup")


def test_each_kind_of_database_has_its_own_backups(
    sqlite_url: str, postgresql_url: str, new_sqlite_url: str, tmp_path: Path
) -> None:
    back_up(Settings(database_url=sqlite_url), tmp_path / "file")
    back_up(Settings(database_url=postgresql_url), tmp_path / "archive")

    with pytest.raises(
        CommandFailed, match="holds a SQLite database, and REGIMEN_DATABASE_URL names none"
    ):
        restore(Settings(database_url=postgresql_url), tmp_path / "file")
    with pytest.raises(
        CommandFailed, match="holds no SQLite database, and REGIMEN_DATABASE_URL names one"
    ):
        restore(Settings(database_url=new_sqlite_url), tmp_path / "archive")


def test_a_backup_with_dangling_rows_is_refused(
    sqlite_url: str, new_sqlite_url: str, tmp_path: Path
) -> None:
    asyncio.run(populate(sqlite_url))
    back_up(Settings(database_url=sqlite_url), tmp_path / "backup")
    with sqlite3.connect(tmp_path / "backup") as connection:
        connection.execute("DELETE FROM patients")
    connection.close()

    with pytest.raises(CommandFailed, match="rows that are not there"):
        restore(Settings(database_url=new_sqlite_url), tmp_path / "backup")


@pytest.mark.parametrize("role", [APP_ROLE, OWNER])
def test_a_role_that_sees_one_clinic_only_makes_no_backup(
    role: str, postgresql_url: str, tmp_path: Path
) -> None:
    url = as_role(role, postgresql_url)

    with pytest.raises(CommandFailed, match="may not read or write every row"):
        back_up(Settings(database_url=url), tmp_path / "backup")

    assert not (tmp_path / "backup").exists()


def test_the_commands_tell_what_they_did(
    sqlite_url: str,
    new_sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REGIMEN_DATABASE_URL", sqlite_url)
    assert main(["backup", str(tmp_path / "backup")]) == 0
    monkeypatch.setenv("REGIMEN_DATABASE_URL", new_sqlite_url)
    assert main(["restore", str(tmp_path / "backup")]) == 0
    assert main(["restore", str(tmp_path / "nothing")]) == 1

    said = capsys.readouterr()
    assert " is backed up in " in said.out
    assert " is what " in said.out
    assert "cannot read" in said.err
