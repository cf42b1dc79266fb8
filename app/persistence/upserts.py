"""Inserts that do something else where the key is taken; both databases write them alike."""

from typing import cast

from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.tables import Row

Upsert = postgresql.Insert


def upsert(dialect: str, row: type[Row]) -> Upsert:
    """An insert of a kind of database, which knows ``on_conflict_do_update``."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - a server's database is another

        # Another class with the same methods.
        return cast("Upsert", sqlite.insert(row))
    return postgresql.insert(row)


def insert_unless_there(connection: AsyncConnection, row: type[Row]) -> Upsert:
    """An insert that does nothing, and says so by its row count, where any key is taken."""
    return upsert(connection.dialect.name, row).on_conflict_do_nothing()
