"""Brings a database to a version of the tables; only this module loads Alembic, which is slow."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def upgrade(url: str, revision: str = "head", *, app_role: str = "", worker_role: str = "") -> None:
    """Migrate up, waiting for another process that does the same; runs its own event loop.

    ``app_role`` is the PostgreSQL role as which the service runs, where it does not own the tables,
    and ``worker_role`` that of the worker, where it has one of its own.
    """
    config = _config(url)
    config.attributes.update(app_role=app_role, worker_role=worker_role)
    command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Migrate down to a revision, ``base`` for an empty database, or by ``-1``."""
    command.downgrade(_config(url), revision)


def require_no_difference(url: str) -> None:
    """Raise Alembic's error when the tables in the code differ from those in the database."""
    command.check(_config(url))


def revisions() -> tuple[str, ...]:
    """Every revision from the first to the last."""
    script = ScriptDirectory(str(MIGRATIONS))
    return tuple(entry.revision for entry in script.walk_revisions())[::-1]


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config
