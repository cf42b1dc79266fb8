"""Planned steps come back equal from a calendar that another library read."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from app.domain.protocols import StepKind
from app.domain.states import PlanStatus, StepStatus
from app.integrations.calendars import calendar_of, status_of
from app.integrations.icalendar import Entry, EntryStatus, Times, written
from app.persistence.calendars import FeedStep
from tests.persistence.given import uid

ZONES = (
    "America/Denver",
    "Europe/Dublin",  # its winter time is the one that is put back
    "Europe/London",
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # changes around Ramadan
    "America/Sao_Paulo",  # gave summer time up
    "Asia/Kolkata",
    "Pacific/Apia",  # skipped a day
    "UTC",
)
TEXTS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=120)
DAYS = st.dates(date(1990, 1, 1), date(2150, 12, 31))


def a_feed_step(number: int = 1, **fields: Any) -> FeedStep:
    """A planned session of an active plan in Denver."""
    values: dict[str, Any] = {
        "id": uid(number),
        "plan_id": uid(100),
        "kind": StepKind.PROCEDURE.value,
        "title": "PRP session",
        "ordinal": None,
        "of_count": None,
        "status": StepStatus.PLANNED.value,
        "tentative": False,
        "day": date(2027, 3, 10),
        "end_day": None,
        "appointment": None,
        "plan_status": PlanStatus.ACTIVE.value,
        "plan_revision": 3,
        "plan_updated_at": datetime(2027, 1, 4, 16, tzinfo=UTC),
        "example": False,
        "time_zone": "America/Denver",
        "location_name": "West",
    }
    return FeedStep(**{**values, **fields})


def read(content: bytes) -> list[Any]:
    """The entries as another library reads them."""
    return list(Calendar.from_ical(content).walk("VEVENT"))


@st.composite
def feed_steps(draw: st.DrawFn) -> FeedStep:
    """Any step that a feed can show."""
    day = draw(DAYS)
    zone = draw(st.sampled_from(ZONES))
    length = draw(st.none() | st.integers(0, 400))
    appointment = None
    if draw(st.booleans()):
        minute = draw(st.integers(0, 1439))
        starts_at = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
        starts_at = (starts_at + timedelta(minutes=minute)).astimezone(UTC)
        ends_at = starts_at + timedelta(minutes=draw(st.integers(1, 600)))
        appointment = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    return a_feed_step(
        kind=draw(st.sampled_from([*StepKind])).value,
        title=draw(TEXTS),
        status=draw(st.sampled_from([*StepStatus])).value,
        tentative=draw(st.booleans()),
        day=day,
        end_day=None if length is None else day + timedelta(days=length),
        appointment=appointment,
        plan_status=draw(st.sampled_from([*PlanStatus])).value,
        plan_revision=draw(st.integers(1, 10**6)),
        time_zone=zone,
        location_name=draw(TEXTS),
    )


@given(steps=st.lists(feed_steps(), max_size=4), name=TEXTS)
def test_days_times_and_texts_come_back_equal(steps: list[FeedStep], name: str) -> None:
    content = calendar_of(name, steps, with_titles=True, sandbox=False)

    entries = read(content)
    # The library reads as text only what it knows by name.
    known = Calendar.from_ical(content.replace(b"X-WR-CALNAME:", b"DESCRIPTION:"))
    assert str(known["DESCRIPTION"]) == name
    for step, entry in zip(steps, entries, strict=True):
        assert str(entry["UID"]) == f"{step.id}@regimen"
        assert entry["SEQUENCE"] == step.plan_revision
        assert str(entry["STATUS"]) == status_of(step)
        assert str(entry["SUMMARY"]) == step.title
        assert str(entry["LOCATION"]) == step.location_name
        start, end = entry["DTSTART"].dt, entry["DTEND"].dt
        if isinstance(start, datetime):
            assert step.appointment is not None
            assert start.date() == step.day
            assert start.isoformat()[:10] == step.day.isoformat()
            for found, key in ((start, "starts_at"), (end, "ends_at")):
                told = datetime.fromisoformat(step.appointment[key])
                assert found.replace(tzinfo=None) == (
                    told.astimezone(ZoneInfo(step.time_zone)).replace(tzinfo=None)
                )
        else:
            assert (start, end - timedelta(days=1)) == (step.day, step.end_day or step.day)


@given(content=st.lists(feed_steps(), max_size=3))
def test_no_line_is_longer_than_it_may_be_and_every_line_ends_as_it_must(
    content: list[FeedStep],
) -> None:
    text = calendar_of("Übung 🩹, a; b", content, with_titles=True, sandbox=True)

    lines = text.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)
    for line in lines:
        line.decode("utf-8")


@pytest.mark.long
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("first, years", [(date(2026, 12, 1), 2), (date(2010, 6, 1), 12)])
def test_a_zone_shows_what_its_clocks_show(zone: str, first: date, years: int) -> None:
    begin = datetime(first.year, first.month, first.day, 9, tzinfo=UTC)
    end = begin + timedelta(days=365 * years)
    entries = [an_entry(begin, zone), an_entry(end, zone)]

    (read_zone,) = Calendar.from_ical(written("x", entries)).timezones
    found = read_zone.to_tz(lookup_tzid=False)
    at = begin
    while at <= end:
        local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if is_told_once(local, zone):
            offset = found.utcoffset(local)
            assert offset == at.astimezone(ZoneInfo(zone)).utcoffset(), local
        at += timedelta(hours=7)


def is_told_once(local: datetime, zone: str) -> bool:
    """Whether the clock shows a time once only, and does not skip it; else tools differ."""
    offsets = {local.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)}
    return len(offsets) == 1


def an_entry(at: datetime, zone: str) -> Entry:
    """An hour in a zone."""
    return Entry(
        uid=f"{at.isoformat()}@regimen",
        sequence=1,
        changed_at=at,
        status=EntryStatus.CONFIRMED,
        title="Visit",
        details="",
        place="",
        first=at.date(),
        last=at.date(),
        times=Times(at, at + timedelta(hours=1), zone),
    )


def test_without_times_no_zone_is_told() -> None:
    content = calendar_of("x", [a_feed_step()], with_titles=False, sandbox=False)

    assert b"VTIMEZONE" not in content


def test_the_same_steps_give_the_same_bytes() -> None:
    contents = {calendar_of("x", [a_feed_step()], with_titles=False, sandbox=False) for _ in "ab"}

    assert len(contents) == 1


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, "CONFIRMED"),
        ({"status": "booked"}, "CONFIRMED"),
        ({"status": "performed", "plan_status": "on_hold"}, "CONFIRMED"),
        ({"tentative": True}, "TENTATIVE"),
        ({"tentative": True, "status": "booked"}, "TENTATIVE"),
        ({"status": "proposed"}, "TENTATIVE"),
        ({"plan_status": "draft"}, "TENTATIVE"),
        ({"plan_status": "on_hold"}, "TENTATIVE"),
        ({"status": "cancelled", "tentative": True}, "CANCELLED"),
        ({"status": "skipped"}, "CANCELLED"),
        ({"status": "missed"}, "CANCELLED"),
        ({"status": "entered_in_error"}, "CANCELLED"),
        ({"status": "performed", "plan_status": "entered_in_error"}, "CANCELLED"),
    ],
)
def test_firm_tentative_and_cancelled_are_told_apart(fields: dict[str, Any], expected: str) -> None:
    assert status_of(a_feed_step(**fields)) == expected


@pytest.mark.parametrize(
    "fields, options, expected",
    [
        ({}, {}, "Procedure"),
        ({"ordinal": 1, "of_count": 1}, {}, "Procedure"),
        ({"kind": "injection", "ordinal": 1, "of_count": 2}, {}, "Injection 1 of 2"),
        ({}, {"with_titles": True}, "PRP session"),
        ({}, {"sandbox": True}, "[sandbox] Procedure"),
        ({"example": True}, {"sandbox": True}, "[sandbox] [example] Procedure"),
    ],
)
def test_a_title_tells_little_unless_asked_and_keeps_its_marks(
    fields: dict[str, Any], options: dict[str, bool], expected: str
) -> None:
    step = a_feed_step(**fields)
    content = calendar_of("x", [step], **{"with_titles": False, "sandbox": False, **options})

    assert [str(entry["SUMMARY"]) for entry in read(content)] == [expected]


def test_every_kind_of_step_has_a_word() -> None:
    for kind in StepKind:
        step = a_feed_step(kind=kind.value)
        assert read(calendar_of("x", [step], with_titles=False, sandbox=False))


@pytest.mark.parametrize("status", ["missed", "cancelled"])
def test_a_visit_that_does_not_take_place_gives_no_times(status: str) -> None:
    times = {"starts_at": "2027-03-10T16:00:00Z", "ends_at": "2027-03-10T17:00:00Z"}
    step = a_feed_step(appointment={**times, "status": status})

    (event,) = read(calendar_of("x", [step], with_titles=True, sandbox=False))

    assert event.decoded("DTSTART") == date(2027, 3, 10)


def test_a_booking_of_another_day_gives_no_times() -> None:
    appointment = {"starts_at": "2027-03-10T16:00:00Z", "ends_at": "2027-03-10T17:00:00Z"}
    step = a_feed_step(day=date(2027, 3, 11), appointment=appointment)

    (entry,) = read(calendar_of("x", [step], with_titles=False, sandbox=False))

    assert entry["DTSTART"].dt == date(2027, 3, 11)


def test_ids_of_entries_are_the_steps() -> None:
    step = a_feed_step(7)

    (entry,) = read(calendar_of("x", [step], with_titles=False, sandbox=False))

    assert UUID(str(entry["UID"]).partition("@")[0]) == step.id
