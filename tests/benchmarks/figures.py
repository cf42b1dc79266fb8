"""A figure with what it must and what it should reach, and the table of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; every value comes from one round of the same run.

    ``most`` says that the bounds are upper ones. Without bounds the line is for information.
    """

    name: str
    values: tuple[float, ...]
    must: float | None = None
    aim: float | None = None
    most: bool = False
    unit: str = ""

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.values)

    def reaches(self, bound: float) -> bool:
        """Whether the median keeps a bound."""
        return self.median <= bound if self.most else self.median >= bound

    @property
    def mark(self) -> str:
        """How it does, in a word."""
        if self.must is None or self.aim is None:
            return ""
        if not self.reaches(self.must):
            return "MISSED"
        return "aim" if self.reaches(self.aim) else "must"


def table(figures: Sequence[Figure]) -> str:
    """All figures for people to read."""
    rows = [("figure", "median", "min – max", "must", "aim", "reached")]
    rows += [
        (
            figure.name,
            f"{_number(figure.median)}{figure.unit}",
            f"{_number(min(figure.values))} – {_number(max(figure.values))}",
            _bound(figure.must, most=figure.most),
            _bound(figure.aim, most=figure.most),
            figure.mark,
        )
        for figure in figures
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]


def _bound(bound: float | None, *, most: bool) -> str:
    return "" if bound is None else f"{'≤' if most else '≥'} {bound:g}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
