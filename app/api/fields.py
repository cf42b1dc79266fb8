"""The field types of the wire: what text, days, zones and identifiers may look like."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from app.api.documents import FORBIDDEN
from app.api.faults import OWN
from app.domain.calendars import MAX_SPAN_DAYS
from app.domain.errors import DomainError
from app.domain.offsets import FIRST_DAY, LAST_DAY

T = TypeVar("T")

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_ONE_LINE = r"^[^\r\n\t]*\S[^\r\n\t]*$"


class In(BaseModel):
    """What a client sends: immutable, unknown fields refused. It is made at its first use."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Out(BaseModel):
    """What a client is given. Most answers are built as plain data: few models are ever used."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


def absent(description: str) -> Any:
    """A field of a change: absent means leave it, and only a nullable type takes null."""
    return Field(default=None, description=description, json_schema_extra=_forget_default)


def _forget_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def fault(code: str, text: str) -> PydanticCustomError:
    """A fault of one field in our own words; ``text`` must not hold what the client sent."""
    return PydanticCustomError(f"{OWN}{code}", "{text}", {"text": text})


def told_by(read: Callable[[Any], T], code: str) -> Callable[[Any], T]:
    """A validator that turns the domain's refusal into a fault of the field."""

    def validate(value: Any) -> T:
        try:
            return read(value)
        except DomainError as error:
            raise fault(code, str(error)) from None

    return validate


def until(first: date | None, last: date) -> date:
    """The last day of a span, which may not lie before its first nor too far after it."""
    if first is not None and last < first:
        raise fault("before-its-beginning", "must not lie before the first day")
    if first is not None and (last - first).days > MAX_SPAN_DAYS:
        raise fault("too-long-a-span", f"must lie at most {MAX_SPAN_DAYS} days after the first day")
    return last


def _read_day(value: object) -> date:
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise fault("not-a-day", "must be a day such as 2027-03-10")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise fault("not-a-day", "is not a day of the calendar") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise fault("day-out-of-range", f"must lie between {FIRST_DAY} and {LAST_DAY}")
    return day


def _read_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise fault("not-an-instant", "must be an instant such as 2027-03-10T09:00:00-07:00")
    try:
        instant = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault("not-an-instant", "is not an instant of the calendar") from None
    if not FIRST_DAY <= instant.date() <= LAST_DAY:
        raise fault("instant-out-of-range", f"must lie between {FIRST_DAY} and {LAST_DAY}")
    return instant


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _one_line(text: str) -> str:
    if not text.strip() or any(c in text for c in "\r\n\t"):
        raise fault("not-one-line", "must be one line that is not blank")
    return text


def _without_controls(text: str) -> str:
    if FORBIDDEN.search(text) or any(c in text for c in "\n\t"):
        raise fault("invalid-character", "must be one line without control characters")
    return text


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise fault("unknown-time-zone", "is not the name of an IANA time zone")
    return name


Day = Annotated[
    date,
    BeforeValidator(_read_day),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_read_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Zone = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_+/-]+$"),
    AfterValidator(_known_zone),
]
Line = Annotated[
    str,
    Field(min_length=1, max_length=200),
    AfterValidator(_one_line),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200, "pattern": _ONE_LINE}),
]
# Text of a query; that of bodies is looked through before they are read.
Asked = Annotated[str, AfterValidator(_without_controls)]
Paragraphs = Annotated[str, Field(min_length=1, max_length=4000)]
Key = Annotated[str, Field(max_length=64, pattern="^[a-z][a-z0-9_-]*$")]
TimeOfDay = Annotated[str, Field(pattern="^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]
Whole = Annotated[int, Strict()]
# A number that a protocol asks for.
Amount = Annotated[Whole, Field(ge=-1_000_000_000, le=1_000_000_000)]
YesNo = Annotated[bool, Strict()]
