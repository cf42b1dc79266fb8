"""What commands show in a terminal: one console, and days as people say them."""

from datetime import date

from rich.console import Console

# Where nobody looks, in a pipe or a file, lines are always equally long.
WIDTH = 100


def console(*, stderr: bool = False) -> Console:
    """A console that shows text as it stands: no markup, no highlighting, no emoji."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    made.width = min(made.width, WIDTH) if made.is_terminal else WIDTH
    return made


def spoken(day: date | str | None) -> str:
    """A day with its weekday, as in every sentence of the product: Wed 2027-03-10."""
    if day is None:
        return "no day yet"
    plain = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{plain:%a} {plain}"


def counted(number: int, noun: str) -> str:
    """A number of things: 1 fault, 2 faults."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
