"""Inserts that do something else where the key is taken; both databases write them alike."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.tables import Row

Upsert = postgresql.Insert | sqlite.Insert


def upsert(connection: AsyncConnection, row: type[Row]) -> Upsert:
    """An insert of this connection's dialect, which knows ``on_conflict_do_update``."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(row)
    return postgresql.insert(row)


def insert_unless_there(connection: AsyncConnection, row: type[Row]) -> Upsert:
    """An insert that does nothing, and says so by its row count, where any key is taken."""
    return upsert(connection, row).on_conflict_do_nothing()
