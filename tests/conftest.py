"""What every test may ask for: a migrated database of its own on SQLite, PostgreSQL or both."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from greenlet import settrace
from hypothesis import settings

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, open_database
from app.persistence.migrate import upgrade
from app.persistence.tables import Row
from tests.copies import sqlite_copy
from tests.postgres import (
    APP_ROLE,
    OWNER,
    PostgresUnavailable,
    administrator,
    as_role,
    new_database,
    running_postgres,
)

NO_POSTGRESQL = "no PostgreSQL"
GC_THRESHOLD = 50_000

# Quick: the same examples every time, so that what was green stays green. Deep: new ones, many.
settings.register_profile("quick", max_examples=30, derandomize=True, deadline=None, database=None)
settings.register_profile("deep", max_examples=3000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Takes two milliseconds, where copying a template database would take a hundred. Whoever still
# has a connection open is cut off, so that nobody's locks are waited for.
FORGET = "\n".join(
    [
        (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid();"
        ),
        *(
            f"DELETE FROM {table.name};"
            for table in reversed(Row.metadata.sorted_tables)
            if table.name != "clinics"
        ),
        f"DELETE FROM clinics WHERE clinic_id <> '{DEFAULT_CLINIC_ID}';",
        "UPDATE clinics SET name = 'Default clinic', clock_at = NULL, sandbox = false;",
    ]
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    return sqlite_copy(sqlite_template, tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL on which databases can be made.

    Without one the tests that want it are skipped, except in CI, where they fail.
    """
    try:
        with running_postgres(os.environ) as url:
            yield url
    except PostgresUnavailable as error:
        reason = f"{NO_POSTGRESQL}: {error}"
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """A migrated database, to be copied."""
    with new_database(postgres_server) as url:
        upgrade(as_role(OWNER, url), app_role=APP_ROLE)
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A migrated database which the tests of one process use one after another."""
    with new_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def administer(postgres_database: str) -> Iterator[Callable[[str], None]]:
    """What does things in that database as its superuser."""
    with administrator(postgres_database) as administer:
        yield administer


@pytest.fixture
def postgresql_url(postgres_database: str, administer: Callable[[str], None]) -> str:
    """A migrated PostgreSQL database as it was before any test, as the service sees it."""
    administer(FORGET)
    return as_role(APP_ROLE, postgres_database)


@pytest.fixture
def new_postgresql_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database of this test's own, without any table."""
    with new_database(postgres_server) as url:
        yield as_role(OWNER, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database; the test runs on both kinds."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, migrated database; the test runs on both kinds."""
    opened = open_database(database_url, pool_size=4)
    yield opened
    await opened.dispose()


@pytest.fixture(scope="module")
def shared_sqlite_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated SQLite database of a module's own."""
    return sqlite_copy(sqlite_template, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def shared_postgresql_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of a module's own, as the service sees it."""
    with new_database(postgres_server, postgres_template) as url:
        yield as_role(APP_ROLE, url)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of a module's own; its tests run on both kinds."""
    return str(request.getfixturevalue(f"shared_{request.param}_url"))


@pytest.fixture(scope="module")
async def shared(shared_url: str) -> AsyncIterator[Database]:
    """The same, open: for what is stored once and then only read."""
    opened = open_database(shared_url, pool_size=4)
    yield opened
    await opened.dispose()


@pytest.hookimpl(trylast=True)  # hypothesis marks its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests whose lines are not counted: it would take thrice the time, and tell little.

    What runs on PostgreSQL has run on SQLite, but for a few lines; what computes for long, or
    sweeps over all there is, runs the same lines again and again.
    """
    for item in items:
        is_long = any(item.get_closest_marker(name) for name in ("deep", "hypothesis", "long"))
        if is_long or "[postgresql" in item.nodeid:
            item.add_marker(pytest.mark.uncounted)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count no lines of such a test (in pytest-xdist's processes `no_cover` has no effect)."""
    counting = sys.gettrace()
    if item.get_closest_marker("uncounted"):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(counting)


_paused: list[Any] = []


def _switched(_event: str, switch: tuple[Any, Any]) -> None:
    """Count no lines in the greenlets in which SQLAlchemy calls the drivers: some thirty are ours.

    Coverage, told of greenlets, would ask at every call and return in which one it is, which is
    half of its time. Not told, and called in them, it would take the lines of one for another's.
    """
    if switch[1].parent is None:
        if _paused:
            _paused.pop().start()
    elif counting := sys.gettrace():
        _paused.append(counting)
        sys.settrace(None)


def pytest_sessionstart() -> None:
    """Be told of every switch between greenlets."""
    settrace(_switched)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for no garbage in what was imported and collected: it all stays to the end."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly when half of what should be tested was not."""
    skipped = terminalreporter.stats.get("skipped", [])
    missed = [report for report in skipped if NO_POSTGRESQL in str(report.longrepr)]
    if missed:
        terminalreporter.write_line(
            f"{len(missed)} TESTS DID NOT RUN ON POSTGRESQL: {missed[0].longrepr}", red=True
        )
