"""Records are what repositories take and give: frozen dataclasses, fields named as the columns."""

from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy.orm import InstrumentedAttribute

from app.persistence.tables import Row

T = TypeVar("T")


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def columns_of(row: type[Row], record: type[Record]) -> tuple[InstrumentedAttribute[Any], ...]:
    """The columns of a table which a record has, in the record's order."""
    return tuple(getattr(row, field.name) for field in fields(record))


def values_of(record: Record, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A record's values by column name."""
    return {
        field.name: getattr(record, field.name)
        for field in fields(record)
        if field.name not in without
    }


def read_record(record: Callable[..., T], row: Sequence[Any]) -> T:
    """A record from a row of the columns that ``columns_of`` gives for it."""
    return record(**dict(zip(_names(record), row, strict=True)))


@cache
def _names(record: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record))
