"""Appointments on another local day than their steps, as their location has another time zone."""

from typing import Any
from zoneinfo import ZoneInfo

from app.domain.calendars import local_date
from app.domain.plans.records import booking_to_data
from app.domain.plans.step_changes import Book
from app.domain.states import StepStatus
from app.services.plans.stored import StoredPlan, state_of


def rebookings(stored: StoredPlan) -> tuple[Book, ...]:
    """What gives booked steps the days of their appointments, whose instants stay."""
    zone = ZoneInfo(stored.basis.location.time_zone)
    booked = state_of(stored.record).booked
    found = []
    for step in stored.record.steps:
        booking = booked.get(step.occurrence)
        if step.status is not StepStatus.BOOKED or booking is None:
            continue
        day = local_date(booking.starts_at, zone)
        if day != step.day:
            found.append(Book(step.occurrence, day, booking))
    return tuple(found)


def book_body(book: Book) -> dict[str, Any]:
    """What a person would post to do the same."""
    said = booking_to_data(book.booking)
    given = {name: said[name] for name in ("identifier", "mode") if said[name] is not None}
    instants = {name: said[name] for name in ("starts_at", "ends_at")}
    return {"type": "book", "step": str(book.occurrence), **instants, **given}
