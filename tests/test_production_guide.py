"""The guide's recipe for PostgreSQL's roles is carried out as it is written, and holds."""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from app.api import docs
from app.commands.backing import back_up, restore
from app.commands.databases import require_service, require_worker
from app.commands.failures import CommandFailed
from app.persistence.database import driver_url
from app.persistence.migrate import upgrade
from app.settings import Environment, Settings
from tests.commands.test_backing import contents
from tests.persistence.test_migrate import populate
from tests.postgres import PASSWORD, administrate, as_role

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
PAGE = Path(docs.__file__).with_name("guide").joinpath("production.md").read_text("utf-8")
MAKING, RESTORING = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# Roles are of the whole server, which others use, too: only the names are others.
NAME = "regimen_guide"
ROLES = [f"{NAME}_{role}" for role in ("owner", "serve", "worker", "backup")]


@dataclass(frozen=True, slots=True)
class Guided:
    """A server on which the recipe was carried out."""

    server: str

    def do(self, recipe: str, name: str = NAME) -> None:
        """Carry out statements, one after the other, as a superuser."""
        for statement in re.sub(r"\bregimen(?=[_; ])", NAME, recipe).strip().split("\n"):
            administrate(self.server, statement.replace(f"DATABASE {NAME}", f"DATABASE {name}"))

    def url(self, role: str, name: str = NAME) -> str:
        """The address of the database for a role."""
        url = make_url(driver_url(self.server)).set(database=name)
        return as_role(f"{NAME}_{role}", url.render_as_string(hide_password=False))

    def migrate(self, name: str = NAME) -> None:
        """Make the tables as the guide says."""
        upgrade(self.url("owner", name), app_role=f"{NAME}_serve", worker_role=f"{NAME}_worker")

    def forget(self) -> None:
        """Take everything away."""
        for name in (NAME, f"{NAME}_2"):
            administrate(self.server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        for role in ROLES:
            administrate(self.server, f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def guided(postgres_server: str) -> Iterator[Guided]:
    """The recipe, carried out."""
    made = Guided(postgres_server)
    made.forget()
    made.do(MAKING)
    for role in ROLES:
        administrate(postgres_server, f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    made.migrate()
    yield made
    made.forget()


@pytest.mark.deep
@pytest.mark.skipif(not DEEP, reason="takes seconds: it is tried by `.ci/deep`")
def test_each_role_does_what_it_is_for_and_nothing_else(guided: Guided, tmp_path: Path) -> None:
    serve, backup = guided.url("serve"), guided.url("backup")
    asyncio.run(populate(serve))

    production = Settings(database_url=serve, environment=Environment.PRODUCTION, secret="s" * 40)
    require_service(production)
    require_worker(replace(production, database_url=guided.url("worker")))
    with pytest.raises(CommandFailed, match="lets another role look for work"):
        require_worker(production)
    for role in ("serve", "worker", "backup"):
        for statement in ("DROP TABLE plans", "CREATE TABLE mine (id int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                administrate(guided.url(role), statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        administrate(backup, "DELETE FROM plans")
    with pytest.raises(CommandFailed, match="may not read or write every row"):
        back_up(Settings(database_url=serve), tmp_path / "refused")
    back_up(Settings(database_url=backup), tmp_path / "backup")
    _restored(guided, tmp_path / "backup")


def _restored(guided: Guided, file: Path) -> None:
    """What was backed up is put back into another database, once that is granted."""
    (making,) = re.findall(r"^CREATE DATABASE .*$", MAKING, re.MULTILINE)
    other = f"{NAME}_2"
    guided.do(making, other)
    guided.migrate(other)
    url = guided.url("backup", other)
    with pytest.raises(CommandFailed, match="may not read or write every row"):
        restore(Settings(database_url=url), file)

    guided.do(RESTORING)
    restore(Settings(database_url=url), file)

    assert contents(url) == contents(guided.url("backup"))
