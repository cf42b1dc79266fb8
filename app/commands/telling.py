"""Plans, what is refused and what moves, as a person likes to read them in a terminal."""

from collections.abc import Iterator

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table

from app.commands.asking import Data
from app.commands.printing import spoken

# Reasons of a step that is where it should be, or where somebody asked it to be.
_AS_WISHED = {"on_target", "asked", "performed", "pinned"}


def tell_plan(out: Console, plan: Data) -> None:
    """The schedule by date, and under it why each shifted step is not on its target."""
    steps = sorted(plan["steps"], key=lambda step: step["date"] or "9999")
    out.print(_schedule(steps))
    shifted = [step for step in steps if not _is_as_wished(step)]
    if shifted:
        out.print("\nWhy these are not on their targets:")
    for step in shifted:
        out.print(f"  {spoken(step['date'])}, {named(step)}")
        for reason in step["reasons"]:
            out.print(f"    - {reason['text']}", soft_wrap=True)


def tell_conflict(out: Console, conflict: Data) -> None:
    """The elements of a conflict."""
    for element in conflict["elements"]:
        out.print(f"  - {element['text']}", soft_wrap=True)


def tell_options(out: Console, options: list[Data]) -> None:
    """The ways out of a conflict, numbered."""
    for number, option in enumerate(options, start=1):
        role = f", a {option['needs_role']} may ask for it" if option["needs_role"] else ""
        out.print(f"  {number}. {option['text']}{role}", soft_wrap=True)


def tell_moves(out: Console, plan: Data, moves: list[Data]) -> None:
    """What moves, by the new day, and under each step why it has this day."""
    steps = {step["id"]: step for step in plan["steps"]}
    table = _table("Was", "Is now")
    table.add_column("Step, and why", ratio=1)
    for move in sorted(moves, key=lambda move: move["to"] or "9999"):
        why = [Padding(reason["text"], (0, 0, 0, 4)) for reason in move["reasons"]]
        told = Group(named(steps[move["step_id"]]), *why)
        table.add_row(spoken(move["from"]), spoken(move["to"]), told)
    out.print(table)


def tell_breaches(out: Console, breaches: list[Data]) -> None:
    """The rules that the days of a plan break."""
    for breach in breaches:
        out.print(f"  - {breach['text']} ({breach['severity']})", soft_wrap=True)


def tell_history(out: Console, revisions: list[Data]) -> None:
    """The revisions of a plan: when, why, what was posted and how much moved."""
    table = _table("Revision", "At")
    table.add_column("Why", ratio=1)
    table.add_column("Changes", justify="right", no_wrap=True)
    table.add_column("Moves", justify="right", no_wrap=True)
    for one in revisions:
        table.add_row(
            str(one["revision"]),
            spoken(one["at"][:10]),
            one["reason"] or "made",
            str(len(one["changes"])),
            str(len(one["moves"])),
        )
    out.print(table)


def named(step: Data) -> str:
    """A planned step's title, with its number among its like."""
    if step["of"]:
        return f"{step['title']}, {step['ordinal']} of {step['of']}"
    if step["occurrence"] is not None:
        return f"{step['title']}, {step['occurrence']}"
    return str(step["title"])


def _schedule(steps: list[Data]) -> Table:
    table = _table("Day")
    table.add_column("Step", ratio=1)
    table.add_column("Window", no_wrap=True)
    table.add_column("Off", justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for step in steps:
        table.add_row(*_cells(step), style=_style(step))
    return table


def _table(*columns: str) -> Table:
    """A table that begins with these short columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _cells(step: Data) -> Iterator[str]:
    yield spoken(step["date"])
    until = f", to {spoken(step['end_date'])}" if step["end_date"] else ""
    yield named(step) + until + (", tentative" if step["tentative"] else "")
    yield _window(step["window"], (step["date"] or "")[:4])
    yield f"{step['deviation_days']:+d}" if step["deviation_days"] else ""
    yield step["window_state"] or ""


def _window(window: Data | None, year: str) -> str:
    """The days of a window, their year only where it is another than the step's own."""
    if window is None:
        return ""
    earliest, latest = (
        "…" if day is None else day.removeprefix(f"{year}-")
        for day in (window["earliest"], window["latest"])
    )
    return earliest if earliest == latest else f"{earliest} to {latest}"


def _style(step: Data) -> str:
    if step["tentative"]:
        return "italic"
    return "" if _is_as_wished(step) else "yellow"


def _is_as_wished(step: Data) -> bool:
    return {reason["code"] for reason in step["reasons"]} <= _AS_WISHED
