"""What time it is for a use-case, and new ids."""

from datetime import UTC, date, datetime
from unittest.mock import sentinel
from uuid import UUID

from app.services.context import Context

CLINIC = UUID("01938a5e-0000-7000-8000-000000000001")
EVENING = datetime(2027, 3, 10, 5, 30, tzinfo=UTC)


def context(now: datetime = EVENING, ordinary_now: datetime | None = None) -> Context:
    """A context that reaches no database."""
    return Context(sentinel.connection, CLINIC, "local", now, ordinary_now=ordinary_now)


def test_today_is_the_local_day() -> None:
    assert context().today("America/Denver") == date(2027, 3, 9)
    assert context().today("Europe/Oslo") == date(2027, 3, 10)


def test_new_ids_are_of_version_7_and_differ() -> None:
    ids = {context().new_id() for _ in range(100)}

    assert len(ids) == 100
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}


def test_ids_sort_by_the_moment_of_their_request() -> None:
    moments = [EVENING.replace(microsecond=micro) for micro in (0, 1, 999, 1000, 1001, 999_999)]

    ids = [context(moment).new_id() for moment in moments]

    assert ids == sorted(ids)


def test_in_a_sandbox_ids_follow_the_ordinary_clock() -> None:
    first = context(EVENING.replace(year=2099), ordinary_now=EVENING).new_id()
    second = context(EVENING, ordinary_now=EVENING.replace(hour=6)).new_id()

    assert first < second
