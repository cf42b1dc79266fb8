"""The command `check`: faults, warnings and the start-day simulation of one protocol file."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from app.api.documents import MalformedDocument, read_json
from app.api.yaml_documents import read_yaml
from app.commands.failures import CommandFailed
from app.commands.printing import console, counted, spoken
from app.domain.calendars import Calendar
from app.domain.checks import Checked, StartDays, check_data, simulate_start_days
from app.domain.documents import ProtocolDocument
from app.domain.errors import DomainError, Fault
from app.services.library import library_parts

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_REASONS = 5
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The year and the opening days (ISO, Monday is 1) for which every start day is tried."""

    first_day: date
    open_weekdays: frozenset[int]
    parameters: Mapping[str, str | int] = field(default_factory=dict)


def check(file: str, simulation: Simulation | None) -> bool:
    """Print what is found in a file; False when it has faults. Raises CommandFailed."""
    out = console()
    checked = _checked(_read(file))
    name = "standard input" if file == "-" else file
    if checked.document is not None:
        document = checked.document
        name = f"{name}: {document.key} {document.version}, {document.title}"
    out.print(name, soft_wrap=True)
    _tell(out, "fault", checked.faults)
    _tell(out, "warning", checked.warnings)
    if checked.faults or checked.document is None:
        return False
    if simulation is not None:
        _tell_start_days(out, simulation, _simulated(checked.document, simulation))
    return True


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    path = Path(file)
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandFailed(f"cannot read {file}: {(error.strerror or '').lower()}") from error


def _checked(raw: bytes) -> Checked:
    if len(raw) > MAX_BYTES:
        raise CommandFailed(f"a protocol has at most {MAX_BYTES} bytes")
    try:
        data = _parsed(raw)
        return check_data(data, library_parts(data))
    except MalformedDocument as error:
        return Checked(None, error.faults)


def _parsed(raw: bytes) -> Any:
    """JSON begins with a bracket; everything else is read as YAML."""
    return read_json(raw) if raw.lstrip()[:1] in {b"{", b"["} else read_yaml(raw)


def _tell(out: Console, noun: str, found: tuple[Fault, ...]) -> None:
    out.print(f"\n{counted(len(found), noun)}" if found else f"\nno {noun}s")
    if not found:
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for fault in found:
        table.add_row(f"  {fault.pointer or '/'}", f"{fault.text} ({fault.code})")
    out.print(table)


def _simulated(document: ProtocolDocument, simulation: Simulation) -> StartDays:
    """Try every start day, with a bar that is gone in the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    screen = console(stderr=True)
    bar = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
    with bar:
        task = bar.add_task("trying every start day", total=None)
        try:
            return simulate_start_days(
                document.protocol,
                Calendar(simulation.open_weekdays),
                simulation.first_day,
                parameters=simulation.parameters,
                on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except DomainError as error:
            raise CommandFailed(f"the start days cannot be tried: {error}") from error


def _tell_start_days(out: Console, simulation: Simulation, found: StartDays) -> None:
    open_days = ", ".join(WEEKDAYS[day - 1] for day in sorted(simulation.open_weekdays))
    closed = f", {counted(found.closed, 'closed day')} left out" if found.closed else ""
    out.print(f"\nevery start day of a year from {found.first_day}, open {open_days}{closed}:")
    if not found.failing:
        out.print(f"  {found.text}")
        return
    out.print(f"  {found.failing} of {found.tried} fail ({found.percent} %)")
    for reason in found.reasons[:MOST_REASONS]:
        days = f"{counted(reason.days, 'day')}, the first {spoken(reason.first_day)}"
        out.print(f"  - {reason.text}\n    {days}")
    if len(found.reasons) > MOST_REASONS:
        out.print(f"  - and {counted(len(found.reasons) - MOST_REASONS, 'other reason')}")
    _tell_where(out, found)


def _tell_where(out: Console, found: StartDays) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  start on")
    for heading in ("tried", "fail"):
        table.add_column(heading, justify="right")
    for name, (failing, tried) in zip(WEEKDAYS, found.by_weekday, strict=True):
        if tried:
            table.add_row(f"  {name}", str(tried), str(failing))
    out.print()
    out.print(table)
