"""How long is waited before what did not arrive is tried again."""

from datetime import timedelta

import pytest

from app.services.deliveries import wait_after

WAITS = (timedelta(seconds=10), timedelta(hours=1))


@pytest.mark.parametrize(
    "attempts, chance, expected",
    [
        (1, 0.0, timedelta(seconds=8)),
        (1, 0.5, timedelta(seconds=10)),
        (1, 1.0, timedelta(seconds=12)),
        (2, 0.5, timedelta(hours=1)),
    ],
)
def test_each_wait_is_up_to_a_fifth_shorter_or_longer(
    attempts: int, chance: float, expected: timedelta
) -> None:
    assert wait_after(attempts, WAITS, chance=chance) == expected


@pytest.mark.parametrize(
    "asked, expected",
    [
        (timedelta(seconds=5), timedelta(seconds=10)),
        (timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(days=5), timedelta(hours=1)),
    ],
)
def test_a_receiver_may_ask_for_more_time_within_bounds(
    asked: timedelta, expected: timedelta
) -> None:
    assert wait_after(1, WAITS, chance=0.5, asked=asked) == expected


def test_after_the_last_wait_there_is_none() -> None:
    assert wait_after(3, WAITS, chance=0.5) is None
    assert wait_after(1, (), chance=0.5) is None
