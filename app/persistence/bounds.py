"""Between which days or instants a thing must begin and end, as searches ask for it."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

Point = TypeVar("Point", date, datetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds(Generic[Point]):
    """All inclusive; None is no bound. What is a point begins where it ends."""

    begins_from: Point | None = None
    begins_until: Point | None = None
    ends_from: Point | None = None
    ends_until: Point | None = None
    not_within: tuple[tuple[Point, Point], ...] = ()
    """Spans of which none may hold all of it."""

    def and_(self, other: "Bounds[Point]") -> "Bounds[Point]":
        """Both hold."""
        both: dict[str, Any] = {}
        for one in fields(self)[:-1]:
            ours, theirs = getattr(self, one.name), getattr(other, one.name)
            narrower = max if one.name.endswith("from") else min
            known = [value for value in (ours, theirs) if value is not None]
            both[one.name] = narrower(known) if known else None
        return Bounds(**both, not_within=(*self.not_within, *other.not_within))

    def reach(self) -> tuple[Point | None, Point | None]:
        """After which point, and before which, some of everything that fits lies."""
        first = [bound for bound in (self.begins_from, self.ends_from) if bound is not None]
        last = [bound for bound in (self.begins_until, self.ends_until) if bound is not None]
        return max(first, default=None), min(last, default=None)

    def hold(self, moment: Point) -> bool:
        """Whether something fits that is a point."""
        first, last = self.reach()
        return (
            (first is None or first <= moment)
            and (last is None or moment <= last)
            and not any(begin <= moment <= end for begin, end in self.not_within)
        )

    def of(
        self,
        begins: ColumnElement[Any] | InstrumentedAttribute[Any],
        ends: ColumnElement[Any] | InstrumentedAttribute[Any],
    ) -> list[ColumnElement[bool]]:
        """What a row must fulfil that begins and ends by these columns."""
        wanted: list[ColumnElement[bool]] = []
        if self.begins_from is not None:
            wanted.append(begins >= self.begins_from)
        if self.begins_until is not None:
            wanted.append(begins <= self.begins_until)
        if self.ends_from is not None:
            wanted.append(ends >= self.ends_from)
        if self.ends_until is not None:
            wanted.append(ends <= self.ends_until)
        wanted += [or_(begins < first, ends > last) for first, last in self.not_within]
        return wanted


NO_BOUNDS: Bounds[Any] = Bounds()
