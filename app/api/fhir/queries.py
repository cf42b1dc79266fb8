"""Search parameters as they are sent, read by their types: https://hl7.org/fhir/R4/search.html

What is not understood is refused, never left out in silence: a filter that is lost shows what was
not asked for.
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from app.api.refusals import SearchRefused
from app.domain.errors import Fault
from app.services.listing import Bounds, SearchPage, Sorting, Text

MOST = 200
USUAL = 50

_DATE = re.compile(
    r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?",
    re.ASCII,
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_REFERENCE = re.compile(
    r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/([0-9]{1,7}))?"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter of a type of resource."""

    name: str
    type: str
    """``token``, ``reference``, ``date``, ``string`` or ``uri``."""
    text: str
    targets: tuple[str, ...] = ()
    """The types that a reference may point to; none for canonicals."""
    path: str = ""
    """Where in the resource the reference stands, for including what it points to."""
    codes: tuple[str, ...] = ()
    """All that a code can be, where that is a short list: so others than one are found, too."""
    versioned: bool = False
    """Whether the reference points to one version: as id and number, between them a full stop."""
    optional: bool = False
    """Whether some resources have nothing there: so they, or all others, are found, too."""


COMMON = (
    Parameter("_id", "token", "The resource's id."),
    Parameter("_lastUpdated", "date", "When it was last changed."),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A code, and the system it is said to be of; None is any system, '' is none."""

    system: str | None
    code: str


class Chain(NamedTuple):
    """What is asked of the resources to which a reference must point."""

    parameter: str
    types: tuple[str, ...]
    """Of which types they may be."""
    name: str
    """By which parameter of theirs, with its modifier."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a search asks for, understood."""

    criteria: Mapping[str, tuple[tuple[Any, ...], ...]]
    """By parameter: all of the groups must hold, of each group any value."""
    missing: Mapping[str, bool] = field(default_factory=dict)
    """By parameter: whether a resource must have nothing there, or something."""
    count: int = USUAL
    after: tuple[str | int, ...] | None = None
    sorts: tuple[Sorting, ...] = ()
    total: bool = False
    """Whether the number of all that fit is wanted."""
    includes: tuple[str, ...] = ()
    reverse: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    since: datetime | None = None
    now: datetime | None = None
    """Where dates are near to what is asked for is told from how far away they are."""
    chains: tuple[Chain, ...] = ()
    shown: tuple[tuple[str, str], ...] = field(default=())
    """What was understood, as it is told back."""

    def any_of(self, name: str) -> tuple[Any, ...] | None:
        """Values of which one must hold; None where nothing is asked.

        Values that exclude each other leave none.
        """
        groups = self.criteria.get(name)
        if not groups:
            return None
        return tuple(one for one in groups[0] if all(one in other for other in groups[1:]))

    def has(self, name: str) -> bool | None:
        """Whether a resource must have something there; None where it is not asked."""
        return not self.missing[name] if name in self.missing else None

    def asking(self, parameter: Parameter, modifier: str, value: str) -> "Query":
        """What is asked here and by one more parameter. Raises SearchRefused."""
        name = parameter.name
        if modifier == "missing" and parameter.optional:
            if name in self.missing or value not in _TRUTHS:
                raise refused(name, "not-allowed", "':missing' is true or false, and said once")
            return replace(self, missing={**self.missing, name: _TRUTHS[value]})
        groups = (*self.criteria.get(name, ()), _parsed(parameter, modifier, value))
        return replace(self, criteria={**self.criteria, name: groups})

    def ids(self, *names: str) -> tuple[UUID, ...] | None:
        """Ids of ours of which one must hold; what is no id of ours is nobody's."""
        groups = [group for name in names for group in self.criteria.get(name, ())]
        if not groups:
            return None
        known = [dict.fromkeys(filter(None, map(uuid_in, group))) for group in groups]
        return tuple(id_ for id_ in known[0] if all(id_ in other for other in known[1:]))

    def words(self, name: str) -> tuple[str, ...] | None:
        """Texts of which one must be there, word for word."""
        found: tuple[Text, ...] | None = self.any_of(name)
        return None if found is None else tuple(one.words for one in found)

    def codes(self, name: str, *systems: str) -> tuple[str, ...] | None:
        """Codes of which one must hold, of these systems where one is named."""
        found = self.any_of(name)
        if found is None:
            return None
        return tuple(one.code for one in found if one.system is None or one.system in systems)

    def tokens(self, name: str) -> tuple[tuple[tuple[str | None, str], ...], ...]:
        """Systems and codes: of each group one must fit."""
        groups = self.criteria.get(name, ())
        return tuple(tuple((one.system, one.code) for one in group) for group in groups)

    def days(self, name: str) -> Bounds[date]:
        """The days between which a thing must begin and end."""
        whens = [_nearby(when, self.now) for (when,) in self.criteria.get(name, ())]
        return _bounds(whens, lambda one: (one.first, one.last), _DAY)

    def instants(self, name: str) -> Bounds[datetime]:
        """The instants between which a thing must lie."""
        whens = [_nearby(when, self.now) for (when,) in self.criteria.get(name, ())]
        return _bounds(whens, lambda one: (one.begins, one.ends), _TICK)

    def is_updated(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource was last changed when it is asked for."""
        at = datetime.fromisoformat(resource["meta"]["lastUpdated"])
        return self.instants("_lastUpdated").hold(at)


def page_of(query: Query) -> SearchPage:
    """Which part of what fits is wanted."""
    return SearchPage(
        limit=query.count,
        after=query.after,
        sorts=query.sorts,
        counted=query.total,
    )


_TRUTHS = {"true": True, "false": False}
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class When:
    """A date of a search: days and instants it covers, and how it is compared."""

    prefix: str
    first: date
    last: date
    begins: datetime
    ends: datetime


def uuid_in(value: Any) -> UUID | None:
    """An id of ours in what was asked for."""
    text = value.code if isinstance(value, Token) else value
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


def refused(name: str, code: str, text: str) -> SearchRefused:
    """The refusal of one parameter."""
    return SearchRefused((Fault(name if name.isidentifier() else "", code, text),))


def since(text: str) -> datetime:
    """The instant from which versions are asked for. Raises SearchRefused."""
    when: When = _date(Parameter("_since", "date", ""), text)
    return when.begins


def params_in(text: str) -> tuple[tuple[str, str], ...]:
    """The parameters in a query or form. Raises SearchRefused."""
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise refused("", "wrong-form", "the parameters cannot be read") from None


def _parsed(parameter: Parameter, modifier: str, values: str) -> tuple[Any, ...]:
    """The values of a parameter, of which one must hold. Raises SearchRefused."""
    name = parameter.name
    known = modifiers_of(parameter)
    if modifier and modifier not in known:
        others = f" but {', '.join(known)}" if known else ""
        raise refused(name, "not-supported", f"'{name}' is searched without modifiers{others}")
    if _CONTROLS.search(values):
        raise refused(name, "invalid-character", "must not hold control characters")
    read = _READERS[parameter.type]
    found = tuple(read(parameter, one) for one in _split(values))
    if not found:
        raise refused(name, "missing", f"'{name}' needs a value")
    if parameter.type == "date" and len(found) > 1:
        raise refused(name, "not-supported", f"'{name}' takes one date, and may be repeated")
    if modifier == "not":
        named = {one.code for one in found}
        return tuple(Token(None, code) for code in parameter.codes if code not in named)
    if modifier == "exact":
        return tuple(replace(one, whole=True) for one in found)
    return found


def modifiers_of(parameter: Parameter) -> tuple[str, ...]:
    """What may be said of a parameter after a colon; of what a reference points to elsewhere."""
    found: tuple[str, ...] = ()
    match parameter.type:
        case "reference":
            found = parameter.targets
        case "string":
            found = ("exact", "contains")
        case "token" if parameter.codes:
            found = ("not",)
    return (*found, "missing") if parameter.optional else found


def _split(values: str) -> Iterable[str]:
    """Values between commas; a backslash takes a comma's meaning away."""
    found = (re.sub(r"\\(.)", r"\1", one) for one in re.split(r"(?<!\\),", values))
    return [one for one in found if one]


def _token(parameter: Parameter, text: str) -> Token:
    system, bar, code = text.partition("|")
    if not bar:
        return Token(None, text)
    if not code:
        raise refused(parameter.name, "not-supported", "a system without a code is not searched")
    return Token(system, code)


def _reference(parameter: Parameter, text: str) -> str:
    if not parameter.targets or _ID.fullmatch(text):
        return text
    found = _REFERENCE.fullmatch(text)
    if found is None or found.group(1) not in parameter.targets:
        targets = " or ".join(parameter.targets)
        raise refused(parameter.name, "wrong-form", f"'{parameter.name}' refers to a {targets}")
    id_, version = found.group(2), found.group(3)
    return f"{id_}.{version}" if parameter.versioned and version else id_


def _date(parameter: Parameter, text: str) -> When:
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        return _when(found)
    except (ValueError, OverflowError):
        raise refused(parameter.name, "not-a-date", "must be a date of FHIR") from None


def _when(found: re.Match[str]) -> When:
    prefix, year, month, day, clock, seconds, fraction = found.groups()
    prefix = prefix or "eq"
    first = date(int(year), int(month or 1), int(day or 1))
    last_month = int(month or 12)
    last = date(int(year), last_month, int(day or monthrange(int(year), last_month)[1]))
    if not 1900 <= first.year <= 2200:
        raise ValueError
    if clock is None:
        begins = datetime.combine(first, time.min, UTC)
        ends = datetime.combine(last, time.min, UTC) + _DAY - _TICK
        return When(prefix, first, last, begins, ends)
    moment = datetime.fromisoformat(f"{first}{clock}")
    begins = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    width = _TICK if fraction else timedelta(seconds=1 if seconds else 60)
    return When(prefix, first, last, begins, begins + width - _TICK)


_READERS: Mapping[str, Any] = {
    "token": _token,
    "reference": _reference,
    "date": _date,
    "string": lambda _, text: Text(text),
    "uri": lambda _, text: text,
}


def _nearby(when: When, now: datetime | None) -> When:
    """What is near to a date: by a tenth of the time from it until now, at least by a day."""
    if when.prefix != "ap" or now is None:
        return when
    away = max(when.begins - now, now - when.ends, _DAY * 10) / 10
    return replace(
        when,
        first=when.first - away,
        last=when.last + away,
        begins=when.begins - away,
        ends=when.ends + away,
    )


def _bounds(whens: Iterable[When], ends: Any, step: timedelta) -> Bounds[Any]:
    """All dates of a parameter together: between which bounds a thing begins, and ends."""
    bounds: Bounds[Any] = Bounds()
    for when in whens:
        first, last = ends(when)
        bounds = bounds.and_(
            {
                "eq": Bounds(begins_from=first, ends_until=last),
                "ne": Bounds(not_within=((first, last),)),
                "ap": Bounds(begins_until=last, ends_from=first),
                "lt": Bounds(begins_until=first - step),
                "gt": Bounds(ends_from=last + step),
                "ge": Bounds(ends_from=first),
                "le": Bounds(begins_until=last),
                "sa": Bounds(begins_from=last + step),
                "eb": Bounds(ends_until=first - step),
            }[when.prefix]
        )
    return bounds
