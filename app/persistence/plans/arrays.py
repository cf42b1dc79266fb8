"""Rows as JSON arrays, alike on both databases: what belongs together is read by one statement."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, ColumnElement, Uuid, case, cast, func, literal_column

UUID_PARTS = ("1", "9", "13", "17", "21")


def collected(dialect: str, columns: Sequence[Any]) -> ColumnElement[Any]:
    """All rows as a JSON array of arrays, in no order."""
    rows = array(dialect, columns)
    if dialect == "sqlite":
        return func.json_group_array(rows)
    return func.coalesce(func.json_agg(rows), cast(literal_column("'[]'"), JSON))


def array(dialect: str, columns: Sequence[Any]) -> ColumnElement[Any]:
    """One row as a JSON array."""
    if dialect == "sqlite":
        return func.json_array(*(_sqlite_value(element) for element in columns))
    return func.json_build_array(*columns)


def _sqlite_value(element: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value as PostgreSQL would write it into JSON."""
    if isinstance(element.type, JSON):
        return func.json(element)
    if isinstance(element.type, Boolean):
        as_text = case((element, literal_column("'true'")), else_=literal_column("'false'"))
        return func.json(as_text)
    if isinstance(element.type, Uuid):
        parts = [func.substr(element, literal_column(first)) for first in UUID_PARTS]
        dashed = func.printf(literal_column("'%.8s-%.4s-%.4s-%.4s-%s'"), *parts)
        return func.nullif(dashed, literal_column("'----'"))
    return element
