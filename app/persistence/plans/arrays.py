"""Rows as JSON arrays, alike on both databases: what belongs together is read by one statement."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)

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


def among(dialect: str, column: Any, name: str) -> ColumnElement[bool]:
    """Whether a column has one of the ids that one parameter gives, however many they are."""
    if dialect == "sqlite":
        given = func.json_each(bindparam(name, type_=Text())).table_valued("value")
        found: ColumnElement[bool] = column.in_(select(given.c.value))
        return found
    one_of: ColumnElement[bool] = column == func.any(bindparam(name, type_=ARRAY(Uuid())))
    return one_of


def given_ids(dialect: str, ids: Iterable[UUID]) -> object:
    """Ids as the parameter of ``among``."""
    return json.dumps([id_.hex for id_ in ids]) if dialect == "sqlite" else list(ids)
