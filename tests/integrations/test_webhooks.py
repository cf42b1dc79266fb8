"""What a receiver asks for with its answer, read as HTTP has it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.integrations.webhooks import asked_to_wait

NOW = datetime(2027, 3, 10, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("120", timedelta(minutes=2)),
        ("Wed, 10 Mar 2027 09:30:00 GMT", timedelta(minutes=30)),
        ("Wed, 10 Mar 2027 08:30:00 GMT", timedelta()),
        ("Wed, 10 Mar 2027 09:30:00", timedelta()),
        ("-5", timedelta()),
        ("99999999999999999999", timedelta()),
        ("\u0663", timedelta()),
        ("soon", timedelta()),
        ("", timedelta()),
        (None, timedelta()),
    ],
)
def test_a_receiver_asks_in_seconds_or_until_an_instant(
    text: str | None, expected: timedelta
) -> None:
    assert asked_to_wait(text, now=NOW) == expected
