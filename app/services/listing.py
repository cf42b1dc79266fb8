"""What use-cases that list give: one page, and the key after which the next begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.persistence.bounds import Bounds
from app.persistence.searches import SearchPage, Sorting, Text

__all__ = ["Bounds", "Key", "Listed", "SearchPage", "Searched", "Sorting", "Text", "page_of"]

Item = TypeVar("Item")
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """The items of one page; ``next`` is the key of its last item while more follow."""

    items: tuple[Item, ...]
    next: Key | None


@dataclass(frozen=True, slots=True)
class Searched(Generic[Item]):
    """The items of one page of a search, and how many there are where that was asked for."""

    items: tuple[Item, ...]
    next: Key | None
    total: int | None


def page_of(rows: Sequence[Item], limit: int, key: Callable[[Item], Key]) -> Listed[Item]:
    """The page of at most ``limit`` items, from rows of which one more was asked for."""
    items = tuple(rows[:limit])
    return Listed(items, key(items[-1]) if len(rows) > limit else None)
