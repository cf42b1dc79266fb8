"""Reads timings, alternatives and repeats, and looks whether each can hold by itself."""

from datetime import date
from functools import lru_cache
from typing import Any

from app.domain.documents.reading import Data, Reading, keyed
from app.domain.offsets import MonthEnd, Offset
from app.domain.protocols import (
    Alternatives,
    BirthDate,
    Bounds,
    Count,
    Follows,
    LatestIs,
    Nth,
    Order,
    OutsideEvent,
    Parameter,
    ParameterType,
    PlanStart,
    Point,
    Reference,
    Repeat,
    StepReference,
    Timing,
    Unit,
)

# Where the lengths of months show: the days around the ends of all months, in two years.
_REVEALING_DAYS = tuple(
    date(year, month, day)
    for year, feb in ((2027, 28), (2028, 29))
    for month, last in enumerate((31, feb, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1)
    for day in (1, *range(28, last + 1))
)


def read_bounds(
    data: Data, at: str, reading: Reading, reference: Reference | None = None
) -> Bounds | None:
    """Three offsets; a target outside its window is a fault. From the birth date they are ages."""
    names = [name for name in ("earliest", "target", "latest") if name in data]
    is_age = isinstance(reference, BirthDate) and data.get("unit") != Unit.WORKING_DAYS
    offsets = {name: reading.offset(data, name, at, is_age=is_age) for name in names}
    if not names or None in offsets.values():
        return None
    bounds = reading.attempt(
        at,
        lambda: Bounds(
            **offsets,
            unit=Unit(data.get("unit", Unit.DAYS)),
            latest_is=LatestIs(data.get("latest_is", LatestIs.BOUND)),
        ),
    )
    return bounds if bounds is None or _is_in_order(bounds, at, reading) else None


def _is_in_order(bounds: Bounds, at: str, reading: Reading) -> bool:
    earliest, target, latest = bounds.earliest, bounds.target, bounds.latest
    month_end = reading.month_end
    if earliest and latest and not never_after(earliest, latest, month_end):
        text = f"the earliest day ({placed(earliest)}) lies after the latest ({placed(latest)})"
        return bool(reading.refuse(f"{at}/earliest", "window-backwards", text))
    if earliest and target and not never_after(earliest, target, month_end):
        text = f"the target ({placed(target)}) lies before the earliest day ({placed(earliest)})"
        return bool(reading.refuse(f"{at}/target", "target-outside-window", text))
    if target and latest and not never_after(target, latest, month_end):
        text = f"the target ({placed(target)}) lies after the latest day ({placed(latest)})"
        return bool(reading.refuse(f"{at}/target", "target-outside-window", text))
    return True


def placed(offset: Offset) -> str:
    """An offset in words with its direction: "3 weeks before"."""
    if offset.sign == 0:
        return offset.in_words()
    return f"{offset.in_words()} {'before' if offset.negative else 'after'}"


@lru_cache(maxsize=4096)
def never_after(first: Offset, second: Offset, month_end: MonthEnd) -> bool:
    """Whether the first offset leads to a day not after the second, from whatever day."""
    one, other = first.fixed_days, second.fixed_days
    if one is not None and other is not None:
        return one <= other
    if _most_days(first) <= _fewest_days(second):
        return True
    if _fewest_days(first) > _most_days(second):
        return False
    return all(
        first.from_day(day, month_end) <= second.from_day(day, month_end) for day in _REVEALING_DAYS
    )


def _most_days(offset: Offset) -> int:
    return -_least_long(offset) if offset.negative else offset.longest_days


def _fewest_days(offset: Offset) -> int:
    return -offset.longest_days if offset.negative else _least_long(offset)


def _least_long(offset: Offset) -> int:
    return (offset.years * 12 + offset.months) * 28 + offset.weeks * 7 + offset.days


def read_reference(data: Data, at: str, reading: Reading) -> Reference | None:
    """What a timing counts from; the step or occurrence must exist."""
    relative = data["relative_to"]
    point = Point(data.get("from", Point.START))
    if point is Point.END and not _has_end(relative, reading):
        reading.refuse(f"{at}/from", "not-allowed", "only a step with a span has an end")
    if isinstance(relative, str):
        return PlanStart() if relative == "plan_start" else BirthDate()
    if "event" in relative:
        return OutsideEvent(relative["event"])
    place = f"{at}/relative_to"
    step, occurrence = relative["step"], relative.get("occurrence")
    if not reading.known_step(step, f"{place}/step"):
        return None
    if not reading.known_occurrence(step, occurrence, f"{place}/occurrence"):
        return None
    return StepReference(step, occurrence, point)


def _has_end(relative: Any, reading: Reading) -> bool:
    if isinstance(relative, str) or "step" not in relative:
        return False
    extent = reading.steps.get(relative["step"])
    return extent is None or extent.open or extent.has_span


def read_timing(data: Data, at: str, reading: Reading, *, own: str) -> Timing | None:
    """A timing of the step ``own``; it may count from itself only by ``previous``."""
    reference = read_reference(data, at, reading)
    bounds = read_bounds(data, at, reading, reference)
    if isinstance(reference, StepReference) and not _is_sound(reference, at, reading, own):
        return None
    if reference is None or bounds is None:
        return None
    follows = Follows(data.get("follows", Follows.ACTUAL_ELSE_PLANNED))
    return Timing(reference, bounds, follows)


def _is_sound(reference: StepReference, at: str, reading: Reading, own: str) -> bool:
    place = f"{at}/relative_to"
    if reference.occurrence == Nth.PREVIOUS and reference.step != own:
        text = "'previous' is the occurrence before, of the same step only"
        return bool(reading.refuse(f"{place}/occurrence", "not-allowed", text))
    if reference.step == own and reference.occurrence != Nth.PREVIOUS:
        text = f"'{own}' is placed relative to itself"
        return bool(reading.refuse(f"{place}/step", "cycle", text))
    return True


def read_alternatives(
    data: Data | None, at: str, reading: Reading, *, own: str
) -> Alternatives | None:
    """Several timings of which one holds; options are values of the parameter that chooses."""
    if data is None:
        return None
    parameter = None
    if isinstance(data["choose"], dict):
        parameter = data["choose"]["parameter"]
        if reading.known_parameter(parameter, f"{at}/choose/parameter"):
            _refuse_number(parameter, f"{at}/choose/parameter", reading)
    options = []
    for place, option in keyed(data["options"], f"{at}/options", reading):
        timing = read_timing(option["timing"], f"{place}/timing", reading, own=own)
        if parameter is not None:
            reading.known_value(parameter, option["key"], f"{place}/key")
        if timing is not None:
            options.append((option["key"], timing))
    return Alternatives(tuple(options), parameter)


def _refuse_number(parameter: str, at: str, reading: Reading) -> None:
    known = reading.parameters.get(parameter)
    if known is not None and known.type is ParameterType.INTEGER:
        reading.refuse(at, "not-a-choice", f"parameter '{parameter}' is a number, not a choice")


def read_repeat(data: Data | None, at: str, reading: Reading) -> Repeat | None:
    """Chained occurrences and their count."""
    if data is None:
        return None
    count = read_count(data["count"], f"{at}/count", reading)
    spacing = read_bounds(data["spacing"], f"{at}/spacing", reading)
    order = Order(data.get("order", Order.FORWARD))
    if spacing is not None:
        _check_direction(spacing, order, f"{at}/spacing", reading)
    by = data.get("spacing_by")
    others = []
    if by is not None:
        parameter = by["parameter"]
        if reading.known_parameter(parameter, f"{at}/spacing_by/parameter"):
            _refuse_number(parameter, f"{at}/spacing_by/parameter", reading)
        for value, other in by["values"].items():
            place = f"{at}/spacing_by/values/{value}"
            reading.known_value(parameter, value, place)
            bounds = None if other is None else read_bounds(other, place, reading)
            if bounds is not None:
                _check_direction(bounds, order, place, reading)
                others.append((value, bounds))
    if count is None or spacing is None:
        return None
    return Repeat(count, spacing, order, by["parameter"] if by else None, tuple(others))


def _check_direction(spacing: Bounds, order: Order, at: str, reading: Reading) -> None:
    wrong = -1 if order is Order.FORWARD else 1
    given = (spacing.earliest, spacing.target, spacing.latest)
    if any(offset is not None and offset.sign == wrong for offset in given):
        way = "positive" if order is Order.FORWARD else "negative"
        reading.refuse(at, "wrong-direction", f"where the order is {order}, spacing is {way}")


def read_count(data: Data | int, at: str, reading: Reading) -> Count | None:
    """How many; bounds that are not given are those of the parameter."""
    if isinstance(data, int):
        return Count(data, data, data)
    parameter, less = data.get("parameter"), data.get("less", 0)
    by_value = tuple((value, n) for value, n in data.get("by_value", {}).items() if n is not None)
    known = None
    if parameter is not None and reading.known_parameter(parameter, f"{at}/parameter"):
        known = reading.parameters[parameter]
    low, usual, high = _count_of(known, less, by_value)
    usual = data.get("default", usual)
    if usual is None:
        reading.refuse(f"{at}/default", "missing", "is required")
        return None
    low = data.get("min", usual if low is None else min(low, usual))
    high = data.get("max", usual if high is None else max(high, usual))
    count = reading.attempt(at, lambda: Count(low, usual, high, parameter, less, by_value))
    if count is not None and known is not None:
        _check_reach(count, known, at, reading)
    return count


def _count_of(
    known: Parameter | None, less: int, by_value: tuple[tuple[str, int], ...]
) -> tuple[int | None, int | None, int | None]:
    """The least, usual and greatest count which a parameter's own bounds give."""
    if known is None:
        return None, None, None
    if known.type is ParameterType.CHOICE:
        numbers = [n for _, n in by_value]
        usual = dict(by_value).get(str(known.default))
        return min(numbers, default=None), usual, max(numbers, default=None)
    bounds = (known.minimum, known.default, known.maximum)
    low, usual, high = (max(0, n - less) if isinstance(n, int) else None for n in bounds)
    return low, usual, high


def _check_reach(count: Count, known: Parameter, at: str, reading: Reading) -> None:
    """Every count that the parameter can ask for lies between the count's bounds."""
    asked = [(value, number) for value, number in count.by_value]
    for value, _ in asked:
        reading.known_value(known.key, value, f"{at}/by_value/{value}")
    numbers = [number for _, number in asked]
    if known.type is ParameterType.INTEGER:
        bounds = (known.minimum, known.maximum)
        numbers = [max(0, n - count.less) for n in bounds if n is not None]
    beyond = [n for n in numbers if not count.minimum <= n <= count.maximum]
    if beyond:
        text = (
            f"parameter '{known.key}' can ask for {beyond[-1]}, "
            f"but the count runs from {count.minimum} to {count.maximum}"
        )
        reading.refuse(at, "unreachable-count", text)
