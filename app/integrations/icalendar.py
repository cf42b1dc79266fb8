"""Calendar entries as iCalendar text (RFC 5545): all-day and timed, with the zones they need.

Written by ourselves: the library for it takes a tenth of a second to load, for text of ten forms.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

PRODUCT = "-//Regimen//Regimen//EN"
LINE_OCTETS = 75

_NO_TIME = timedelta(0)
_DAY = timedelta(days=1)


class EntryStatus(StrEnum):
    """Whether an entry can be relied on."""

    CONFIRMED = "CONFIRMED"
    TENTATIVE = "TENTATIVE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Times:
    """When a visit begins and ends, and the zone in whose clock it was agreed."""

    starts_at: datetime
    ends_at: datetime
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something on some days, both included, or at a time of the first of them.

    ``uid`` stays whatever changes; ``sequence`` is larger each time something does.
    """

    uid: str
    sequence: int
    changed_at: datetime
    status: EntryStatus
    title: str
    details: str
    place: str
    first: date
    last: date
    times: Times | None = None


def written(name: str, entries: Sequence[Entry]) -> bytes:
    """A calendar of these entries; the same ones always give the same bytes."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        *_zones(entries),
        *(line for entry in entries for line in _entry(entry)),
        "END:VCALENDAR",
    ]
    return b"".join(_folded(line) for line in lines)


def _entry(entry: Entry) -> Iterator[str]:
    changed = entry.changed_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    yield "BEGIN:VEVENT"
    yield f"UID:{entry.uid}"
    yield f"DTSTAMP:{changed}"
    yield f"LAST-MODIFIED:{changed}"
    yield f"SEQUENCE:{entry.sequence}"
    yield f"STATUS:{entry.status}"
    yield f"SUMMARY:{_text(entry.title)}"
    if entry.details:
        yield f"DESCRIPTION:{_text(entry.details)}"
    if entry.place:
        yield f"LOCATION:{_text(entry.place)}"
    yield from _days(entry) if entry.times is None else _hours(entry.times)
    yield "END:VEVENT"


def _days(entry: Entry) -> Iterator[str]:
    """An all-day entry keeps nobody from being asked for an hour of it; its end is not included."""
    yield f"DTSTART;VALUE=DATE:{entry.first:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{entry.last + _DAY:%Y%m%d}"
    yield "TRANSP:TRANSPARENT"


def _hours(times: Times) -> Iterator[str]:
    zone = ZoneInfo(times.zone)
    for name, at in (("DTSTART", times.starts_at), ("DTEND", times.ends_at)):
        yield f"{name};TZID={times.zone}:{at.astimezone(zone):%Y%m%dT%H%M%S}"
    yield "TRANSP:OPAQUE"


def _zones(entries: Iterable[Entry]) -> Iterator[str]:
    """The zones of timed entries, as far as these entries reach."""
    used = sorted((entry.times for entry in entries if entry.times), key=lambda times: times.zone)
    for name, group in groupby(used, key=lambda times: times.zone):
        of_zone = list(group)
        first = min(times.starts_at for times in of_zone)
        last = max(times.ends_at for times in of_zone)
        yield from _zone(name, first.year, last.year)


@dataclass(frozen=True, slots=True)
class _Change:
    """A moment at which a zone's clock is put forward or back, or its name changes."""

    at: datetime
    """As the clock showed it before."""
    before: timedelta
    after: timedelta
    name: str
    is_summer: bool


@lru_cache(maxsize=512)
def _zone(name: str, first: int, last: int) -> tuple[str, ...]:
    """A zone with every change of its clock that decides these years."""
    changes = [*_changes(ZoneInfo(name), first, last)]
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    for change in changes:
        kind = "DAYLIGHT" if change.is_summer else "STANDARD"
        lines += [
            f"BEGIN:{kind}",
            f"DTSTART:{change.at:%Y%m%dT%H%M%S}",
            f"TZOFFSETFROM:{_offset(change.before)}",
            f"TZOFFSETTO:{_offset(change.after)}",
            f"TZNAME:{change.name}",
            f"END:{kind}",
        ]
    return (*lines, "END:VTIMEZONE")


def _changes(zone: ZoneInfo, first: int, last: int) -> Iterator[_Change]:
    """What holds at the beginning of the year before, then every change until the end."""
    at = datetime(first - 1, 1, 1, tzinfo=UTC)
    local = at.astimezone(zone)
    yield _change(local.utcoffset() or _NO_TIME, local)
    while at < datetime(last + 1, 1, 2, tzinfo=UTC):
        following = at + _DAY
        if _clock(following, zone) != _clock(at, zone):
            before = at.astimezone(zone).utcoffset() or _NO_TIME
            yield _change(before, _first_after(at, following, zone).astimezone(zone))
        at = following


def _change(before: timedelta, local: datetime) -> _Change:
    offset = local.utcoffset() or _NO_TIME
    shown = local.replace(tzinfo=None) - offset + before
    return _Change(shown, before, offset, local.tzname() or "", bool(local.dst()))


def _clock(at: datetime, zone: ZoneInfo) -> tuple[timedelta | None, str | None]:
    local = at.astimezone(zone)
    return local.utcoffset(), local.tzname()


def _first_after(at: datetime, following: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the clock is another, between two moments with different ones."""
    before = _clock(at, zone)
    low, high = 0, int((following - at).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _clock(at + timedelta(seconds=middle), zone) == before:
            low = middle
        else:
            high = middle
    return at + timedelta(seconds=high)


def _offset(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = f"{sign}{seconds // 3600:02}{seconds // 60 % 60:02}"
    return text if seconds % 60 == 0 else f"{text}{seconds % 60:02}"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\n").replace("\n", "\\n")


def _folded(line: str) -> bytes:
    """A line as octets: where it is too long it goes on in the next, after a space."""
    if len(line) <= LINE_OCTETS and line.isascii():
        return line.encode() + b"\r\n"
    parts, part, room = [], bytearray(), LINE_OCTETS
    for character in line:
        octets = character.encode()
        if len(part) + len(octets) > room:
            parts.append(bytes(part))
            part, room = bytearray(), LINE_OCTETS - 1
        part += octets
    return b"\r\n ".join([*parts, bytes(part)]) + b"\r\n"
