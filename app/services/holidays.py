"""Public holidays as closures: expanded once and stored, so that an upgrade never moves a plan."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.calendars import Closure
from app.domain.errors import DomainError

MAX_YEARS = 30


class UnknownHolidays(DomainError):
    """The public holidays of this country or part of it are not known."""


@dataclass(frozen=True, slots=True)
class HolidayRegion:
    """Whose public holidays close a location: ISO 3166 country and subdivision."""

    country: str
    subdivision: str | None = None

    def __post_init__(self) -> None:
        from holidays import list_supported_countries

        parts = list_supported_countries(include_aliases=True).get(self.country)
        if parts is None:
            raise UnknownHolidays("the holidays of this country are not known")
        if self.subdivision is not None and self.subdivision not in parts:
            raise UnknownHolidays("the holidays of this part of the country are not known")


def expand(region: HolidayRegion, first_year: int, last_year: int) -> Iterator[Closure]:
    """Each public holiday of these years, with its observed day where that is another one."""
    from holidays import country_holidays

    found = country_holidays(
        region.country,
        subdiv=region.subdivision,
        years=range(first_year, last_year + 1),
        language="en_US",
    )
    for day, title in sorted(found.items()):
        yield Closure(f"holiday-{day.isoformat()}", day, day, title)
