"""Runs migrations on either database, one process at a time, all or none."""

import asyncio
import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, MetaData, event, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.persistence.columns import Instant, Line
from app.persistence.database import driver_url
from app.persistence.sqlite_figures import tell_planner
from app.persistence.tables import PARTIAL, Row

# Any number will do that nothing else in the database locks.
ADVISORY_LOCK = 0x726567696D656E
ENVIRONMENT_VARIABLE = "REGIMEN_DATABASE_URL"

CREDENTIALS = ("api_keys", "oauth_assertions", "oauth_clients")
# Where a worker looks for what waits in any clinic; what else is overlooked is only counted.
SEARCHED = ("batches", "clinics", "deliveries", "event_counters", "locations", "webhooks")


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our column types as plain ones: a migration must outlive the code it was made with."""
    if kind != "type":
        return False
    if isinstance(item, Instant):
        return 'sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")'
    return "sa.Text()" if isinstance(item, Line) else False


def tell_where(metadata: MetaData) -> None:
    """Tell both databases' dialects which rows an index holds, where it holds some only."""
    indexes = [index for table in metadata.tables.values() for index in table.indexes]
    for index in indexes:
        if PARTIAL in index.info:
            where = text(index.info[PARTIAL])
            index.dialect_kwargs.update(sqlite_where=where, postgresql_where=where)


def run(connection: Connection) -> None:
    """Run the migrations asked for in one transaction that other processes wait for."""
    sqlite = connection.dialect.name == "sqlite"
    tell_where(Row.metadata)
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        render_as_batch=True,
        render_item=render_item,
        compare_type=True,
        compare_server_default=True,
        transactional_ddl=True,
    )
    if not sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        # Whoever owns the tables sees all clinics' rows while migrating, and only then.
        connection.execute(text("SELECT set_config('regimen.migrating', 'on', true)"))
    context.run_migrations()
    if not sqlite:
        grant(connection)
    if sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise RuntimeError(f"the migration left {len(broken)} rows that point nowhere")
        tell_planner(connection)


def grant(connection: Connection) -> None:
    """Let the roles as which the service and its worker run do what they must, and nothing else."""
    app_role = context.config.attributes.get("app_role")
    worker_role = context.config.attributes.get("worker_role")
    if worker_role:
        let_work(connection, worker_role)
    # After that: one role for both sees credentials.
    if app_role:
        let_use_rows(connection, app_role)


def let_use_rows(connection: Connection, role: str) -> None:
    """Let a role read and write rows, and change no table."""
    role = connection.dialect.identifier_preparer.quote(role)
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role}",
    ):
        connection.execute(text(statement))


def let_work(connection: Connection, role: str) -> None:
    """Let a role use rows that are no credentials, and look over clinics for what waits there.

    From then on nobody else may but the tables' owner, whom the views need for counting.
    """
    quote = connection.dialect.identifier_preparer.quote
    let_use_rows(connection, role)
    connection.execute(text(f"REVOKE ALL ON {', '.join(CREDENTIALS)} FROM {quote(role)}"))
    policies = connection.execute(
        text(
            "SELECT tablename, roles::text[], tableowner FROM pg_policies"
            " JOIN pg_tables USING (schemaname, tablename) WHERE policyname = 'overlooking'"
        )
    )
    for table, found, owner in policies:
        wanted = {owner, role} if table in SEARCHED else {owner}
        # To change one stops all who use its table for a moment.
        if set(found) != wanted:
            who = ", ".join(map(quote, sorted(wanted)))
            connection.execute(text(f"ALTER POLICY overlooking ON {table} TO {who}"))


def prepare_sqlite(connection: Any, _record: object) -> None:
    """Batch mode drops tables: with foreign keys on that would delete the rows pointing to them.

    Inside a transaction the pragma does nothing, hence here.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    # Or a table that is put in another's place may not be named in any view.
    cursor.execute("PRAGMA legacy_alter_table=ON")
    cursor.execute("PRAGMA busy_timeout=60000")
    cursor.close()


async def run_on(url: str) -> None:
    """Connect, migrate, disconnect."""
    engine = create_async_engine(driver_url(url), poolclass=pool.NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", prepare_sqlite)
        event.listen(
            engine.sync_engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE")
        )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("migrations run on a database: writing them out as sql is not supported")
url = context.config.attributes.get("url") or os.environ.get(ENVIRONMENT_VARIABLE)
if not url:
    raise SystemExit(f"set {ENVIRONMENT_VARIABLE} to the database to compare with")
asyncio.run(run_on(url))
