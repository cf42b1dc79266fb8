"""A key belongs to one request; whoever comes second waits or is given the first answer."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database, open_database
from app.persistence.idempotency import Answer, Claim, IdempotencyRepository, KeyInUse, KeyReused
from tests.persistence.given import NOW, OTHER_CLINIC_ID, other_clinic

DAY = timedelta(hours=24)
ANSWER = Answer(201, {"location": "/v1/plans/1"}, b'{"id":\x001}')


async def claim(
    database: Database, key: str = "k1", fingerprint: str = "f1", now: datetime = NOW
) -> Claim | Answer:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        keys = IdempotencyRepository(connection, DEFAULT_CLINIC_ID)
        claimed = await keys.claim(key, fingerprint, now=now, kept_for=DAY)
        if isinstance(claimed, Claim):
            await keys.remember(claimed, ANSWER)
    return claimed


async def test_the_first_request_has_the_key(database: Database) -> None:
    assert await claim(database) == Claim("k1")


async def test_the_second_request_is_given_the_first_answer_byte_for_byte(
    database: Database,
) -> None:
    await claim(database)

    assert await claim(database) == ANSWER


async def test_another_request_under_the_key_is_refused(database: Database) -> None:
    await claim(database)

    with pytest.raises(KeyReused):
        await claim(database, fingerprint="f2")


async def test_a_key_is_free_again_after_its_time(database: Database) -> None:
    await claim(database)

    assert await claim(database, fingerprint="f2", now=NOW + DAY) == Claim("k1")


async def test_a_request_that_failed_leaves_the_key_free(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.writing(DEFAULT_CLINIC_ID) as connection:
            keys = IdempotencyRepository(connection, DEFAULT_CLINIC_ID)
            await keys.claim("k1", "f1", now=NOW, kept_for=DAY)
            raise RuntimeError

    assert await claim(database) == Claim("k1")


async def test_a_key_without_an_answer_may_be_claimed_by_an_equal_request(
    database: Database,
) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        keys = IdempotencyRepository(connection, DEFAULT_CLINIC_ID)
        await keys.claim("k1", "f1", now=NOW, kept_for=DAY)

    assert await claim(database) == Claim("k1")


async def test_an_equal_request_waits_for_the_first(database: Database) -> None:
    answers = await asyncio.gather(*(claim(database) for _ in range(4)))

    assert sorted(answers, key=lambda answer: isinstance(answer, Answer)) == [
        Claim("k1"),
        ANSWER,
        ANSWER,
        ANSWER,
    ]


async def test_waiting_too_long_says_that_the_key_is_in_use(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        keys = IdempotencyRepository(connection, DEFAULT_CLINIC_ID)
        await keys.claim("k1", "f1", now=NOW, kept_for=DAY)

        with pytest.raises(KeyInUse):
            await claim(database)
    await database.dispose()


async def test_another_clinics_key_is_another_key(database: Database) -> None:
    await claim(database)
    await other_clinic(database)

    async with database.writing(OTHER_CLINIC_ID) as connection:
        keys = IdempotencyRepository(connection, OTHER_CLINIC_ID)
        claimed = await keys.claim("k1", "f2", now=NOW, kept_for=DAY)

    assert claimed == Claim("k1")


async def test_another_fault_is_not_taken_for_a_key_in_use(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.writing(OTHER_CLINIC_ID) as connection:
            keys = IdempotencyRepository(connection, OTHER_CLINIC_ID)
            await keys.claim("k1", "f1", now=NOW, kept_for=DAY)
