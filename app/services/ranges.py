"""Ranges of days or instants as clients ask for them."""

from datetime import date

from app.domain.errors import DomainError


class RangeNotAllowed(DomainError):
    """What is asked for ends before it begins, or is longer than is looked at."""


def require_forwards(
    first: date | None, last: date | None, *, most_days: int | None = None
) -> None:
    """Refuse what ends before it begins, since a list of nothing would hide the mistake.

    ``most_days`` with the first and the last. Instants are compared with instants. Raises
    RangeNotAllowed.
    """
    if first is None or last is None:
        return
    if last < first:
        raise RangeNotAllowed("the range ends before it begins")
    if most_days is not None and (last - first).days >= most_days:
        raise RangeNotAllowed(f"the range is longer than {most_days} days")
