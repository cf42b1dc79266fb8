"""The command `migrate`: makes or changes tables. It alone loads Alembic, which is slow."""

from app.commands.databases import Tables, described, in_reach, tables_of
from app.persistence.migrate import upgrade
from app.persistence.readiness import head
from app.settings import Settings


def migrate(settings: Settings) -> str:
    """Make or change the tables; says what was done. Raises CommandFailed."""
    url = settings.database_url
    roles = {"app_role": settings.app_role, "worker_role": settings.worker_role}
    if tables_of(url) is Tables.READY and not any(roles.values()):
        return f"{described(url)} is at revision {head()} already"
    with in_reach(url):
        upgrade(url, **roles)
    return f"{described(url)} is now at revision {head()}"
