"""A reader who pages through the log misses nothing and sees nothing twice."""

import asyncio
from collections import Counter

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.events import EventRepository
from tests.persistence.given import OTHER_CLINIC_ID, an_event, other_clinic, uid


async def numbers_after(database: Database, after: int = 0) -> list[int]:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        events = await EventRepository(connection, DEFAULT_CLINIC_ID).page(after=after, limit=1000)
    return [event.number for event in events]


async def test_events_come_back_in_their_order(database: Database) -> None:
    first = an_event(2, plan_id=uid(1), patient_id=uid(2), revision=3, data={"step": "primer"})
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        log = EventRepository(connection, DEFAULT_CLINIC_ID)
        assert await log.append([first, an_event(1)]) == 2
        assert await log.append([]) == 2
        assert await log.append([an_event(3)]) == 3

        found = await log.page(after=0, limit=2)
        rest = await log.page(after=2, limit=2)

    assert [(event.number, event.id) for event in (*found, *rest)] == [
        (1, first.id),
        (2, an_event(1).id),
        (3, an_event(3).id),
    ]
    stored = found[0]
    assert (stored.plan_id, stored.patient_id, stored.revision) == (uid(1), uid(2), 3)
    assert (stored.type, stored.actor, stored.at) == (first.type, first.actor, first.at)
    assert stored.data == {"step": "primer"}


async def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    for fails in (False, True, False):
        try:
            async with database.writing(DEFAULT_CLINIC_ID) as connection:
                log = EventRepository(connection, DEFAULT_CLINIC_ID)
                await log.append([an_event(1 if fails else len(await numbers_after(database)) + 2)])
                if fails:
                    raise RuntimeError
        except RuntimeError:
            pass

    assert await numbers_after(database) == [1, 2]


async def test_every_clinic_has_its_own_numbers(database: Database) -> None:
    await other_clinic(database)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await EventRepository(connection, DEFAULT_CLINIC_ID).append([an_event(1)])

    async with database.writing(OTHER_CLINIC_ID) as connection:
        assert await EventRepository(connection, OTHER_CLINIC_ID).append([an_event(1)]) == 1

    assert await numbers_after(database) == [1]


async def test_a_reader_beside_many_writers_misses_and_repeats_nothing(
    database: Database,
) -> None:
    writers, each = 6, 15
    written = asyncio.Event()

    async def write(writer: int) -> None:
        for turn in range(each):
            async with database.writing(DEFAULT_CLINIC_ID) as connection:
                log = EventRepository(connection, DEFAULT_CLINIC_ID)
                await log.append([an_event(writer * each + turn)])
                # The number is given out; the commit comes later, and in another order.
                await asyncio.sleep(0.001 * ((writer * 7 + turn * 3) % 4))

    async def read() -> list[int]:
        seen: list[int] = []
        while not (written.is_set() and len(seen) == writers * each):
            seen += await numbers_after(database, seen[-1] if seen else 0)
            await asyncio.sleep(0)
        return seen

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    written.set()
    seen = await asyncio.wait_for(reader, 20)

    assert seen == sorted(seen)
    assert set(Counter(seen).values()) == {1}
    assert len(seen) == writers * each
