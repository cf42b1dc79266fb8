"""Starts a plan on every day of a year and tells which starts fail, how often and why."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from app.domain.calendars import Calendar
from app.domain.checks.starts import anchor_of, hangs_outside, occurrences_of, starting_on
from app.domain.engine import solve
from app.domain.protocols import Protocol
from app.domain.schedules import Conflict, Element

DAYS = 365
# Days times occurrences: beyond, fewer days are tried, evenly spread.
MOST_WORK = 20_000
_TOLD = 3

Progress = Callable[[int, int], None]
NO_VALUES: Mapping[str, str | int] = MappingProxyType({})

_BOUND = re.compile(r" is (?:at least|at most|not before|not after) ")


@dataclass(frozen=True, slots=True)
class FailingStarts:
    """Start days that fail for the same reasons: the elements of their conflict, in words."""

    elements: tuple[str, ...]
    text: str
    days: int
    percent: int
    first_day: date


@dataclass(frozen=True, slots=True)
class StartDays:
    """How many start days of a year have a schedule.

    ``closed`` days are those on which the anchor cannot take place anyway; they are no start
    days. ``by_weekday`` and ``by_month`` give failing and tried days from Monday and January on.
    """

    first_day: date
    tried: int
    closed: int
    failing: int
    percent: int
    text: str
    reasons: tuple[FailingStarts, ...]
    by_weekday: tuple[tuple[int, int], ...]
    by_month: tuple[tuple[int, int], ...]


def simulate_start_days(
    protocol: Protocol,
    calendar: Calendar,
    first_day: date,
    *,
    parameters: Mapping[str, str | int] = NO_VALUES,
    on_progress: Progress | None = None,
) -> StartDays:
    """Solve the protocol for every start day of a year with the ordinary engine.

    The start is the anchor's day; in a protocol that hangs on a day from outside it is that day.
    Raises InvalidRequest for parameters which the protocol does not take.
    """
    anchored = not hangs_outside(protocol)
    days = _days(protocol, first_day)
    open_days = [day for day in days if not anchored or _can_start(protocol, calendar, day)]
    conflicts: dict[date, Conflict] = {}
    for done, day in enumerate(open_days, start=1):
        problem = starting_on(
            protocol, day, calendar=calendar, parameters=parameters, anchored=anchored
        )
        answer = solve(problem)
        if isinstance(answer, Conflict):
            conflicts[day] = answer
        if on_progress is not None:
            on_progress(done, len(open_days))
    return _told(first_day, len(days) - len(open_days), open_days, conflicts)


def _days(protocol: Protocol, first_day: date) -> list[date]:
    stride = max(1, -(-DAYS * occurrences_of(protocol) // MOST_WORK))
    # A stride of whole weeks would try some weekdays only.
    stride += stride % 7 == 0
    return [first_day + timedelta(days=number) for number in range(0, DAYS, stride)]


def _can_start(protocol: Protocol, calendar: Calendar, day: date) -> bool:
    anchor = anchor_of(protocol)
    step = None if anchor is None else protocol.step(anchor.step)
    return step is None or step.any_day or calendar.is_open(day)


def _told(
    first_day: date, closed: int, tried: list[date], conflicts: dict[date, Conflict]
) -> StartDays:
    percent = _percent(len(conflicts), len(tried))
    reasons = _reasons(conflicts, len(tried))
    text = f"every one of {len(tried)} start days works"
    if conflicts:
        why = "; ".join(f"{reason.text} ({_spoken(reason.percent)})" for reason in reasons[:_TOLD])
        text = f"{_spoken(percent)} of start days fail: {why}"
    return StartDays(
        first_day=first_day,
        tried=len(tried),
        closed=closed,
        failing=len(conflicts),
        percent=percent,
        text=text,
        reasons=reasons,
        by_weekday=_by(lambda day: day.weekday(), 7, tried, conflicts),
        by_month=_by(lambda day: day.month - 1, 12, tried, conflicts),
    )


def _reasons(conflicts: dict[date, Conflict], tried: int) -> tuple[FailingStarts, ...]:
    """The conflicts without the day that was asked for, the most frequent first."""
    groups: dict[tuple[str, ...], list[date]] = {}
    texts: dict[tuple[str, ...], str] = {}
    for day, conflict in conflicts.items():
        lasting = [e for e in conflict.elements if not e.id.startswith(("anchor:", "as_of"))]
        key = tuple(element.id for element in lasting)
        groups.setdefault(key, []).append(day)
        texts.setdefault(key, _in_words(lasting))
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(
        FailingStarts(key, texts[key], len(days), _percent(len(days), tried), days[0])
        for key, days in ordered
    )


def _in_words(elements: list[Element]) -> str:
    """The elements in one sentence; two equal bounds of one timing are an exact day."""
    words: list[str] = []
    for element in elements:
        exact = _BOUND.sub(" is exactly ", element.text, count=1)
        is_other_bound = words and words[-1] != element.text
        if is_other_bound and _BOUND.sub(" is exactly ", words[-1], count=1) == exact:
            words[-1] = exact
        else:
            words.append(element.text)
    return " and ".join(words)


def _spoken(percent: int) -> str:
    return f"{percent} %" if percent else "less than 1 %"


def _by(
    place: Callable[[date], int], places: int, tried: list[date], failing: Mapping[date, Conflict]
) -> tuple[tuple[int, int], ...]:
    bad, all_days = Counter(map(place, failing)), Counter(map(place, tried))
    return tuple((bad[number], all_days[number]) for number in range(places))


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0
