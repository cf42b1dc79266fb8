"""Column types that behave alike on SQLite and PostgreSQL, or refuse what one cannot keep."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import JSON, DateTime, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.domain.errors import DomainError

# C0, DEL and C1 controls, lone surrogates, and the marks that turn the direction of text around:
# PostgreSQL refuses some, and a person who reads a plan must see what is stored.
_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_NOT_IN_LINES = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_TURNING}]")
_NOT_IN_PROSE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_TURNING}]")
# In encoded JSON a control is an escape; an even number of backslashes before it is plain text.
_ESCAPED_CONTROL = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u00[01]|b|f|r)")
_NOT_IN_JSON = re.compile(f"[\x7f-\x9f\ud800-\udfff{_TURNING}]")

_UNREADABLE = "a document has a control character, surrogate or direction mark"

INSTANT_WIDTH = 27


class UnstorableValue(DomainError, DontWrapMixin):
    """A value which not both databases keep as it is."""


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored in UTC: `timestamptz`, or text of one width that sorts by time.

    SQLite's own type would drop the offset and hand 09:00-05:00 back as 09:00 of nowhere.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(INSTANT_WIDTH))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        """Refuse a naive time; turn any other into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise UnstorableValue("an instant needs its offset from utc")
        instant = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(INSTANT_WIDTH, "0")
        return instant

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:
        """Give the instant back in UTC."""
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if isinstance(value, datetime) else None


class Line(TypeDecorator[str]):
    """Text on one line, without controls and without marks that turn its direction."""

    impl = Text
    cache_ok = True
    _refused = _NOT_IN_LINES

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what cannot be stored, or would not be read as it stands."""
        self.check(value)
        return value

    def check(self, value: str | None) -> None:
        """Raise UnstorableValue for text that this column cannot have."""
        if value is not None and not value.isprintable() and self._refused.search(value):
            raise UnstorableValue("text has a control character, surrogate or direction mark")


class Prose(Line):
    """Text of several lines: a line feed and a tabulator may stand in it."""

    cache_ok = True
    _refused = _NOT_IN_PROSE


# Documents are carried whole and never searched by the database, so that both keep the author's
# order of keys and PostgreSQL need not take them apart: `json`, not `jsonb`.
Document = JSON(none_as_null=True)


def encode_json(value: object) -> str:
    """JSON as both databases store it; refuses NaN, controls and what PostgreSQL cannot keep.

    Ids, days and instants are written as text.
    """
    try:
        text = to_json(value).decode("utf-8")
        if "NaN" in text or "Infinity" in text:
            json.loads(text, parse_constant=_refuse_number)
    except PydanticSerializationError as error:
        raise UnstorableValue(_UNREADABLE) from error
    # What is printable has no such character: asking that first takes a tenth of the time.
    if not text.isprintable() and _NOT_IN_JSON.search(text):
        raise UnstorableValue(_UNREADABLE)
    if "\\" in text and _ESCAPED_CONTROL.search(text):
        raise UnstorableValue(_UNREADABLE)
    return text


def _refuse_number(_name: str) -> None:
    raise UnstorableValue("a document has a number which json does not know")
