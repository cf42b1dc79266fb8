"""Where the worker has a role of its own it alone looks over clinics, for what waits there only."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.__main__ import main
from app.commands.serving import beside
from app.main import create_app
from app.persistence.announcing import announced_until
from app.persistence.batches import running_batches
from app.persistence.clinics import DEFAULT_CLINIC_ID, every_clinic
from app.persistence.database import Database, open_database
from app.persistence.deliveries import webhooks_with_due
from app.persistence.migrate import upgrade
from app.persistence.overviews import WaitingWork, any_caller, waiting_work
from app.persistence.tables import EventCounterRow, Row
from app.persistence.webhooks import webhooks_behind
from app.settings import Environment, Settings
from app.worker import working
from tests.api.given_plans import a_desk, good, make_clinic
from tests.client import client_of
from tests.persistence.given import NOW, OTHER_CLINIC_ID
from tests.persistence.test_migrate import populate
from tests.postgres import APP_ROLE, OWNER, PASSWORD, administrate, as_role, new_database
from tests.receivers import receiving
from tests.test_worker import CLOSED, finish

WORKER_ROLE = "regimen_worker"
CREDENTIALS = {"api_keys", "oauth_assertions", "oauth_clients"}
SEARCHED = {"batches", "clinics", "deliveries", "event_counters", "locations", "webhooks"}
SECRET = "s" * 40
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
PATIENCE_SECONDS = 30
TABLES = Row.metadata.sorted_tables


@pytest.fixture
def empty_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database migrated for a worker with a role of its own."""
    with migrated(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(scope="module")
def url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The same with something in every table."""
    with migrated(postgres_server, postgres_template) as url:
        asyncio.run(populate(as_role(APP_ROLE, url)))
        yield url


@contextmanager
def migrated(server: str, template: str) -> Iterator[str]:
    """A database migrated so while the block runs."""
    making = f"CREATE ROLE {WORKER_ROLE} LOGIN PASSWORD '{PASSWORD}'"
    again = "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL"
    administrate(server, f"DO $$ BEGIN {making}; {again}; END $$")
    with new_database(server, template) as url:
        upgrade(as_role(OWNER, url), app_role=APP_ROLE, worker_role=WORKER_ROLE)
        yield url


@asynccontextmanager
async def opened(role: str, url: str) -> AsyncIterator[Database]:
    """The database, open for a role, over one connection."""
    database = open_database(as_role(role, url), pool_size=1)
    try:
        yield database
    finally:
        await database.dispose()


@pytest.fixture
async def service(url: str) -> AsyncIterator[Database]:
    """What `serve` has."""
    async with opened(APP_ROLE, url) as database:
        yield database


@pytest.fixture
async def worker(url: str) -> AsyncIterator[Database]:
    """What `worker` has."""
    async with opened(WORKER_ROLE, url) as database:
        yield database


async def seen(database: Database) -> set[str]:
    """The tables of which a role sees rows of every clinic."""
    async with database.overlooking() as connection:
        counts = {
            table.name: await connection.scalar(select(func.count()).select_from(table))
            for table in TABLES
            if await connection.scalar(select(func.has_table_privilege(table.name, "SELECT")))
        }
    return {name for name, count in counts.items() if count}


async def test_a_service_that_says_it_looks_over_clinics_is_not_believed(
    service: Database,
) -> None:
    assert await seen(service) == set()
    with pytest.raises(ProgrammingError, match="permission denied to set role"):
        async with service.writing(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(text(f"SET ROLE {WORKER_ROLE}"))


async def test_the_service_counts_what_it_may_not_see(service: Database) -> None:
    async with service.overlooking() as connection:
        assert await waiting_work(connection) == WaitingWork(1, 1, NOW, 0)
        assert await any_caller(connection)


Looks = Callable[[AsyncConnection], Awaitable[tuple[object, ...]]]


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(running_batches, id="batches"),
        pytest.param(announced_until, id="locations"),
        pytest.param(every_clinic, id="clinics"),
        pytest.param(lambda at: webhooks_with_due(at, NOW), id="webhooks with something due"),
    ],
)
async def test_the_worker_finds_what_waits(look: Looks, worker: Database) -> None:
    async with worker.overlooking() as connection:
        assert len(await look(connection)) == 1


async def test_the_worker_finds_webhooks_that_are_behind(worker: Database) -> None:
    async with worker.writing(DEFAULT_CLINIC_ID) as connection:
        await connection.execute(update(EventCounterRow).values(last_number=1_000))

    async with worker.overlooking() as connection:
        assert len(await webhooks_behind(connection)) == 1


async def test_of_all_clinics_the_worker_sees_what_waits_and_changes_nothing(
    worker: Database,
) -> None:
    assert await seen(worker) == SEARCHED
    async with worker.overlooking() as connection:
        for name in SEARCHED - {"event_counters"}:
            table = Row.metadata.tables[name]
            done = await connection.execute(update(table).values(clinic_id=table.c.clinic_id))
            assert done.rowcount == 0, name


@pytest.mark.parametrize(
    "done",
    [
        pytest.param("batches SET status = 'done', finished_at = now()", id="batches"),
        pytest.param("webhooks SET enabled = false, disabled_because = 'by_hand'", id="webhooks"),
        pytest.param("deliveries SET status = 'dead', next_at = NULL", id="deliveries"),
    ],
)
async def test_of_what_is_done_the_worker_sees_nothing(done: str, worker: Database) -> None:
    table, look = done.partition(" ")[0], "set_config('regimen.overlooks', 'on', true)"
    async with worker.write.connect() as connection:
        await connection.execute(
            text(f"SELECT set_config('regimen.clinic', :id, true), {look}"),
            {"id": str(DEFAULT_CLINIC_ID)},
        )
        assert (await connection.execute(text(f"UPDATE {table} {done.partition(' ')[2]}"))).rowcount
        await connection.execute(text("SELECT set_config('regimen.clinic', '', true)"))
        found = await connection.scalar(text(f"SELECT count(*) FROM {table}"))
        await connection.rollback()

    assert found == 0


async def test_the_worker_works_in_one_clinic_at_a_time(worker: Database) -> None:
    for clinic, own in ((DEFAULT_CLINIC_ID, True), (OTHER_CLINIC_ID, False)):
        async with worker.reading(clinic) as connection:
            for table in TABLES:
                if table.name not in CREDENTIALS:
                    count = await connection.scalar(select(func.count()).select_from(table))
                    assert (count != 0) is own, table.name


@pytest.mark.parametrize("name", sorted(CREDENTIALS))
async def test_the_worker_does_not_see_credentials(name: str, worker: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with worker.reading(DEFAULT_CLINIC_ID) as connection:
            await connection.execute(text(f"SELECT FROM {name}"))


@pytest.mark.deep
@pytest.mark.skipif(not DEEP, reason="takes seconds: it is tried by `.ci/deep`")
async def test_as_its_own_role_the_worker_does_all_its_work(empty_url: str) -> None:
    settings = Settings(
        database_url=as_role(APP_ROLE, empty_url), secret=SECRET, webhook_loopback=True
    )
    app = create_app(settings)
    await make_clinic(app)
    async with (
        client_of(app) as api,
        opened(WORKER_ROLE, empty_url) as database,
        receiving() as receiver,
    ):
        desk = await a_desk(app, api)
        await good(api.post("/v1/webhooks", json={"url": receiver.url}))
        await desk.plan(parameters={"primer_count": 0, "orthotics": "declined"})
        closed = {"location_id": desk.location_id, **CLOSED}
        made = await good(api.post("/v1/closures", json=closed))
        await finish(database)
        batch = await good(api.get(f"/v1/batches/{made['batch']['id']}"))
        last = (await good(api.get("/v1/events?limit=200")))["items"]
        receiver.expect(len(last) - [one["type"] for one in last].index("plan_created"))
        async with asyncio.timeout(PATIENCE_SECONDS), working(database, settings):
            await receiver.enough.wait()
    await app.state.database.dispose()

    assert batch["counts"] == {"changed": 1}


def test_to_name_the_worker_again_stops_nobody(url: str) -> None:
    """To change a policy waits for all who use its table, and lets others wait behind it."""

    async def written() -> list[str]:
        async with opened(APP_ROLE, url) as database, database.overlooking() as connection:
            found = await connection.scalars(text("SELECT xmin::text FROM pg_policy ORDER BY oid"))
            return list(found)

    before = asyncio.run(written())
    upgrade(as_role(OWNER, url), app_role=APP_ROLE, worker_role=WORKER_ROLE)

    assert asyncio.run(written()) == before


def test_one_role_may_do_for_both(empty_url: str) -> None:
    upgrade(as_role(OWNER, empty_url), app_role=APP_ROLE, worker_role=APP_ROLE)

    async def look() -> bool:
        async with opened(APP_ROLE, empty_url) as database:
            async with database.overlooking() as connection:
                clinics = await every_clinic(connection)
            async with database.reading(DEFAULT_CLINIC_ID) as connection:
                await connection.execute(text("SELECT FROM api_keys"))
        return len(clinics) == 1

    assert asyncio.run(look())


def test_whoever_names_the_worker_the_tables_owner_goes_on_counting(url: str) -> None:
    upgrade(url, worker_role=WORKER_ROLE)

    async def count() -> WaitingWork:
        async with opened(APP_ROLE, url) as database, database.overlooking() as connection:
            return await waiting_work(connection)

    assert asyncio.run(count()) == WaitingWork(1, 1, NOW, 0)


def test_who_looks_over_clinics_does_so_until_another_is_named(url: str) -> None:
    upgrade(as_role(OWNER, url), app_role=APP_ROLE)

    async def look(role: str) -> set[str]:
        async with opened(role, url) as database:
            return await seen(database)

    assert asyncio.run(look(APP_ROLE)) == set()
    assert asyncio.run(look(WORKER_ROLE)) == SEARCHED


def told(
    command: list[str],
    role: str,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """What a command says that does not work as a role."""
    monkeypatch.setenv("REGIMEN_DATABASE_URL", as_role(role, url))
    assert main(command) == 1
    return capsys.readouterr().err


def test_no_worker_starts_that_would_find_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(["worker"], APP_ROLE, url, monkeypatch, capsys)

    assert "connect as the one that REGIMEN_WORKER_ROLE named" in said


@pytest.mark.parametrize(
    "role, is_told", [pytest.param(OWNER, True, id="owner"), (APP_ROLE, False)]
)
def test_in_production_a_service_that_might_look_over_clinics_says_so(
    role: str, is_told: bool, url: str
) -> None:
    production = Settings(
        database_url=as_role(role, url), environment=Environment.PRODUCTION, secret=SECRET
    )

    assert ("REGIMEN_WORKER_ROLE" in beside(production)) is is_told


@pytest.mark.parametrize("command", ["clinics list", "keys list", "audit verify"])
def test_who_may_not_look_over_clinics_does_not_administer_them(
    command: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(command.split(), APP_ROLE, url, monkeypatch, capsys)

    assert "may not look over clinics: connect as the tables' owner" in said
