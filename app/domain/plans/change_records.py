"""Changes as plain data and back: what a revision stores, so that a plan can be replayed."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any, get_args

from app.domain.calendars import Absence
from app.domain.facts import OccurrenceId, Reported
from app.domain.plans.changes import Change
from app.domain.plans.records import (
    Data,
    absence_from_data,
    absence_to_data,
    booking_from_data,
    booking_to_data,
    reported_from_data,
    reported_to_data,
)
from app.domain.plans.state import Booking
from app.domain.states import AppointmentStatus, PlanStatus

_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Change)}

_WRITERS: dict[type[Any], Callable[[Any], Any]] = {
    OccurrenceId: str,
    date: date.isoformat,
    Booking: booking_to_data,
    Reported: reported_to_data,
    Absence: absence_to_data,
    PlanStatus: str,
    AppointmentStatus: str,
}
_READERS: dict[Any, Callable[[Any], Any]] = {
    OccurrenceId: OccurrenceId.parse,
    date: date.fromisoformat,
    date | None: lambda text: None if text is None else date.fromisoformat(text),
    Booking: booking_from_data,
    Booking | None: lambda data: None if data is None else booking_from_data(data),
    AppointmentStatus: AppointmentStatus,
    Reported: reported_from_data,
    Absence: absence_from_data,
    PlanStatus: PlanStatus,
    tuple[str, ...]: tuple,
    tuple[tuple[str, int], ...]: lambda pairs: tuple((key, days) for key, days in pairs),
    tuple[tuple[str, str | int], ...]: lambda pairs: tuple((key, value) for key, value in pairs),
}


def change_to_data(change: Change) -> Data:
    """A change with its type."""
    data: Data = {"type": type(change).__name__}
    for field in fields(change):
        value = getattr(change, field.name)
        write = _WRITERS.get(type(value))
        data[field.name] = value if write is None else write(value)
    return data


def change_from_data(data: Mapping[str, Any]) -> Change:
    """A change read back; stored data is trusted to be well formed."""
    kind = _TYPES[data["type"]]
    values = {}
    for field in fields(kind):
        if field.name in data:
            read = _READERS.get(field.type)
            value = data[field.name]
            values[field.name] = value if read is None else read(value)
    change: Change = kind(**values)
    return change
