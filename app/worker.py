"""Work that goes on beside requests: batches, what a new day makes due, what webhooks are sent.

Answers that were kept for repeated posts, and who had access, are forgotten in time.

Besides the API's dependencies the only place that reads the clock.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.plans.ways_out import options_data
from app.delivering import Deliverer
from app.domain.permissions import UNRESTRICTED
from app.integrations.outbound import Caller, open_client
from app.persistence.announcing import announced_until
from app.persistence.batches import running_batches
from app.persistence.clinics import every_clinic
from app.persistence.database import Database
from app.persistence.passing import passing
from app.services import access, announcing, batches, clock, idempotency
from app.services.context import Context
from app.settings import Settings

IDLE_SECONDS = 0.5
# So long the plans of one batch are done one after another before other work has its turn.
TURN_SECONDS = 0.5
# So many plans of a batch at a time, where several may write: one is worked out while the database
# stores another.
LANES = 2
FORGETS_EVERY = timedelta(hours=1)
ACCESS_KEPT_FOR = timedelta(days=2190)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def working(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Do all work of a database that goes on beside requests while the block runs."""
    async with open_client() as client:
        caller = Caller(
            client=client,
            seconds=settings.webhook_timeout_seconds,
            loopback=settings.webhook_loopback,
        )
        deliverer = Deliverer(
            database=database,
            caller=caller,
            key=settings.secret.encode(),
            waits=tuple(timedelta(seconds=wait) for wait in settings.webhook_retry_seconds),
            now=ordinary_now,
        )
        kept_for = timedelta(days=settings.access_kept_days)
        workers = (Worker(database, kept_for), deliverer)
        async with asyncio.TaskGroup() as running:
            for worker in workers:
                running.create_task(worker.run())
            try:
                yield
            finally:
                for worker in workers:
                    worker.stop()


def ordinary_now() -> datetime:
    """What the clock says."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Worker:
    """Does what waits in one database until it is told to stop; any number may share one."""

    database: Database
    access_kept_for: timedelta = ACCESS_KEPT_FOR
    turn_seconds: float = TURN_SECONDS
    lanes: int = LANES
    ordinary_clinics: set[UUID] = field(default_factory=set)
    _forgot_at: datetime | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Finish the plan under way, then end."""
        self._stop.set()

    async def run(self) -> None:
        """Work until told to stop; wait a moment where nothing is to be done, or goes wrong."""
        while not self._stop.is_set():
            try:
                busy = await self.work()
            except Exception as error:  # noqa: BLE001 - whatever it is, later work is not to suffer
                _log.warning("the worker waits: %s", type(error).__name__)
                busy = False
            if not busy:
                await self._rest()

    async def work(self) -> bool:
        """Give every running batch its turn, do what the time demands; false: nothing was left."""
        async with self.database.overlooking() as connection:
            running = await running_batches(connection)
        done = False
        for clinic_id, batch_id in running:
            if self._stop.is_set():
                break
            done |= await self._take_turn(clinic_id, batch_id)
        done |= await self._announce()
        await self._forget()
        return done

    async def _take_turn(self, clinic_id: UUID, batch_id: UUID) -> bool:
        until = asyncio.get_running_loop().time() + self.turn_seconds
        lanes = 1 if self.database.is_one_file else self.lanes
        done = await asyncio.gather(
            *(self._do_plans(clinic_id, batch_id, until=until) for _ in range(lanes)),
            return_exceptions=True,
        )
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return any(done)

    async def _do_plans(self, clinic_id: UUID, batch_id: UUID, *, until: float) -> bool:
        clock = asyncio.get_running_loop()
        done = False
        while await self._do_next(clinic_id, batch_id):
            done = True
            if self._stop.is_set() or clock.time() >= until:
                break
        return done

    async def _do_next(self, clinic_id: UUID, batch_id: UUID) -> bool:
        plan_id = None
        try:
            async with self.database.writing(clinic_id) as connection:
                ctx = await self._context(connection, clinic_id)
                claimed = await batches.claim_plan(ctx, batch_id)
                if claimed is not None:
                    plan_id = claimed.plan_id
                    await batches.do_plan(ctx, claimed, options_data)
        except Exception as error:
            if plan_id is None or passing(error):
                raise
            _log.error("a plan of a batch failed: %s", type(error).__name__)
            async with self.database.writing(clinic_id) as connection:
                ctx = await self._context(connection, clinic_id)
                await batches.give_up(ctx, batch_id, plan_id)
        return plan_id is not None

    async def _announce(self) -> bool:
        """Say what a new local day has made due; false where no location has a new day."""
        async with self.database.overlooking() as connection:
            locations = await announced_until(connection)
            todays = {
                found.location_id: (await self._context(connection, found.clinic_id)).today(
                    found.time_zone
                )
                for found in locations
            }
        done = False
        for found in locations:
            today = todays[found.location_id]
            if self._stop.is_set() or found.announced_on == today:
                continue
            async with self.database.writing(found.clinic_id) as connection:
                ctx = await self._context(connection, found.clinic_id)
                await announcing.announce(ctx, found.location_id, today)
            done = True
        return done

    async def _forget(self) -> None:
        """Once an hour forget the answers and accesses that were kept long enough."""
        now = ordinary_now()
        if self._forgot_at is not None and now - self._forgot_at < FORGETS_EVERY:
            return
        async with self.database.overlooking() as connection:
            clinics = await every_clinic(connection)
        for clinic in clinics:
            async with self.database.writing(clinic.id) as connection:
                ctx = await self._context(connection, clinic.id)
                await idempotency.forget(ctx)
                await access.forget(ctx, self.access_kept_for)
        self._forgot_at = now

    async def _context(self, connection: AsyncConnection, clinic_id: UUID) -> Context:
        return await clock.open_context(
            connection,
            clinic_id,
            actor="worker",
            grant=UNRESTRICTED,
            now=ordinary_now(),
            ordinary=self.ordinary_clinics,
        )

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), IDLE_SECONDS)
        except TimeoutError:
            return
