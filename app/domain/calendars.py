"""Which days a location is open and a person is away; zones turn instants into local days."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo

from app.domain.errors import DomainError
from app.domain.offsets import FIRST_DAY, LAST_DAY

MAX_SPAN_DAYS = 3650
# What conflicts call the days of the week on which a location is never open.
WEEKDAYS = "weekdays"


class InvalidCalendar(DomainError):
    """Opening weekdays, closures or absences that no location can have."""


class LocalTimeMissing(DomainError):
    """The clock skips this local time on that day (the start of summer time)."""


def _check_span(what: str, first: date, last: date) -> None:
    if last < first:
        raise InvalidCalendar(f"{what} ends before it begins")
    if (last - first).days > MAX_SPAN_DAYS:
        raise InvalidCalendar(f"{what} is longer than {MAX_SPAN_DAYS} days")


@dataclass(frozen=True, slots=True)
class Closure:
    """Days on which a location is closed, both included; ``id`` names it in conflicts."""

    id: str
    first: date
    last: date
    title: str = ""

    def __post_init__(self) -> None:
        _check_span(f"closure '{self.id}'", self.first, self.last)


@dataclass(frozen=True, slots=True)
class Absence:
    """Days on which the patient (or who is needed for ``steps``) is away, both included.

    Without ``steps`` it concerns every step that needs an open day.
    """

    id: str
    first: date
    last: date
    steps: frozenset[str] | None = None
    title: str = ""

    def __post_init__(self) -> None:
        _check_span(f"absence '{self.id}'", self.first, self.last)


def by_days(span: Closure | Absence) -> tuple[date, date, str]:
    """The order in which they are named: ids are made at random, and say nothing to people."""
    return span.first, span.last, span.id


def _days_of(closures: Iterable[Closure]) -> int:
    found = 0
    for closure in closures:
        first = max(closure.first, FIRST_DAY) - FIRST_DAY
        last = min(closure.last, LAST_DAY) - FIRST_DAY
        found |= (1 << (last.days + 1)) - (1 << first.days) if first <= last else 0
    return found


@dataclass(frozen=True, slots=True)
class Calendar:
    """A location's open weekdays (ISO, Monday is 1) and closures.

    ``closed`` has the days of all closures: bit k is the day k days after 1900-01-01. A calendar
    is looked at for many plans.
    """

    open_weekdays: frozenset[int] = frozenset(range(1, 8))
    closures: tuple[Closure, ...] = field(default=())
    closed: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.open_weekdays or not self.open_weekdays <= set(range(1, 8)):
            raise InvalidCalendar("open weekdays are one or more of 1 (Monday) to 7 (Sunday)")
        if len({closure.id for closure in self.closures}) < len(self.closures):
            raise InvalidCalendar("two closures have the same id")
        object.__setattr__(self, "closed", _days_of(self.closures))

    def is_open(self, day: date) -> bool:
        """Whether the location receives patients on this day."""
        return day.isoweekday() in self.open_weekdays and not any(
            closure.first <= day <= closure.last for closure in self.closures
        )

    def closed_by(self, day: date) -> tuple[str, ...]:
        """Everything that closes the location on this day, as conflicts name it."""
        found = () if day.isoweekday() in self.open_weekdays else (WEEKDAYS,)
        on_day = (closure for closure in self.closures if closure.first <= day <= closure.last)
        return (*found, *(f"closure:{closure.id}" for closure in on_day))


EVERY_DAY = Calendar()


def local_date(instant: datetime, zone: tzinfo) -> date:
    """The local day of an aware instant: 05:30Z is the day before in Denver."""
    return instant.astimezone(zone).date()


def to_utc(local: datetime, zone: tzinfo) -> datetime:
    """The instant of a naive local time; of a time that occurs twice the first is meant.

    Raises LocalTimeMissing for a time which the clock skips.
    """
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != local:
        raise LocalTimeMissing("this local time does not exist on that day")
    return instant


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """The first instant of a local day, also where midnight is skipped."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
