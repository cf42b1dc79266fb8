"""Inserts that do something else where the key is taken; both databases write them alike."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.tables import Row

Upsert = postgresql.Insert | sqlite.Insert


def upsert(dialect: str, row: type[Row]) -> Upsert:
    """An insert of a kind of database, which knows ``on_conflict_do_update``."""
    if dialect == "sqlite":
        return sqlite.insert(row)
    return postgresql.insert(row)


def insert_unless_there(connection: AsyncConnection, row: type[Row]) -> Upsert:
    """An insert that does nothing, and says so by its row count, where any key is taken."""
    return upsert(connection.dialect.name, row).on_conflict_do_nothing()
