"""Joins settings, database and routes into the application; nothing happens when it is imported."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

from app.api import (
    access,
    batches,
    calendars,
    clinic,
    clock,
    closures,
    deliveries,
    docs,
    events,
    handlers,
    health,
    keys,
    locations,
    metrics,
    oauth,
    openapi,
    patient_lives,
    patient_reports,
    patients,
    webhooks,
    worklist,
)
from app.api.authentication import WRONG_PER_MINUTE, Authentication, is_loopback
from app.api.browsers import let_browsers_call
from app.api.deps import read_clock
from app.api.edge import Edge
from app.api.fhir.outcomes import ROOT as FHIR
from app.api.limits import Allowance, InFlight, RateLimit
from app.api.plans import amending, bulk, history
from app.api.plans import routes as plans
from app.api.protocols import routes as protocols
from app.api.spans import Spans
from app.api.watching import Watch
from app.bearers import reader_of, tokens_of
from app.garbage import collect_seldom
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.services.access import Account
from app.services.callers import USE_NOTED_EVERY, Callers
from app.services.health import Readiness
from app.settings import Environment, Settings

# The most wanted first: routes are looked through in their order.
ROUTERS: tuple[APIRouter, ...] = (
    plans.hot,
    plans.router,
    bulk.router,
    history.router,
    amending.router,
    worklist.router,
    events.router,
    patients.router,
    patient_reports.router,
    patient_lives.router,
    protocols.documents,
    protocols.router,
    locations.router,
    closures.router,
    batches.router,
    webhooks.router,
    calendars.router,
    calendars.feeds,
    deliveries.router,
    clinic.router,
    keys.router,
    access.router,
    oauth.router,
    clock.router,
    health.router,
    metrics.router,
    docs.router,
)


def create_app(settings: Settings) -> FastAPI:
    """The application with its own database engines; whoever runs it runs its lifespan."""
    app = openapi.Regimen(
        title="Regimen",
        version=openapi.VERSION,
        summary="Treatment-plan scheduling: protocols as timed steps, exact dates with reasons.",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        # Spans and logs would carry addresses and error texts.
        telemetry={"logs": False, "tracing": False, "metrics": False},
    )
    app.state.database = open_database(settings.database_url, pool_size=settings.pool_size)
    app.state.settings = settings
    app.state.clinic_id = DEFAULT_CLINIC_ID
    app.state.tokens = tokens_of(app.state.database, settings)
    app.state.callers = Callers(
        app.state.database,
        read_clock,
        app.state.clinic_id if is_for_trying_out(settings) else None,
        reader_of(app.state.tokens),
    )
    app.state.account = Account(app.state.database, read_clock)
    app.state.readiness = Readiness(app.state.database)
    app.state.ordinary_clinics = set()
    # Chunks of many plans are made one at a time, so that single requests find room beside them.
    app.state.bulk_turn = asyncio.Lock()
    app.state.cursor_secret = settings.secret.encode()
    _add_routes(app, ROUTERS)
    # Behind the plans: what lies further back is found after every route before it was tried.
    app.router.routes.insert(len(plans.router.routes), _Below(FHIR, app=_fhir))
    handlers.install(app)
    app.state.figures = CollectorRegistry()
    app.state.watch = Watch(app.state.figures, app.state.database.pool_use)
    _add_layers(app, settings)
    return app


def _add_layers(app: FastAPI, settings: Settings) -> None:
    """What a request passes before any route, the innermost first.

    Browsers may read refusals, too, so what may refuse comes after what lets them call.
    """
    if settings.rate_limit:
        app.add_middleware(RateLimit, per_minute=settings.rate_limit)
    wrong = Allowance(WRONG_PER_MINUTE) if settings.rate_limit else None
    app.add_middleware(Authentication, callers=app.state.callers, wrong=wrong)
    app.add_middleware(InFlight, most=settings.max_in_flight)
    let_browsers_call(app, settings.allowed_origins)
    app.state.tracer_provider = None
    if settings.traces_endpoint:
        from app.tracing import provider_for  # noqa: PLC0415 - slow, and few ask for it

        app.state.tracer_provider = provider_for(settings.traces_endpoint)
        app.add_middleware(Spans, provider=app.state.tracer_provider)
    app.add_middleware(Edge, hosts=settings.allowed_hosts, watch=app.state.watch)


class _Below(Mount):
    """Takes its own address, too, where no slash ends it: bundles are sent there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether an address is this one, or lies below it."""
        if scope["path"] == self.path:
            scope["path"] += "/"
        return super().matches(scope)


async def _fhir(scope: Scope, receive: Receive, send: Send) -> None:
    """The FHIR face, which the first who calls it makes: a start is not to wait for it."""
    from app.api.fhir.application import fhir_router  # noqa: PLC0415

    await fhir_router()(scope, receive, send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # What there is now stays. Looking for garbage in it first would cost a tenth of the start.
    collect_seldom()
    database, settings = app.state.database, app.state.settings
    try:
        async with AsyncExitStack() as beside:
            if database.is_one_file:
                from app.worker import working  # noqa: PLC0415 - a server's database has its own

                # Nobody else may work on it.
                await beside.enter_async_context(working(database, settings))
            await beside.enter_async_context(_noting_uses(app.state.callers))
            await beside.enter_async_context(app.state.account.kept())
            yield
    finally:
        await database.dispose()
        if app.state.tracer_provider is not None:
            # It sends what is left, which may take a moment.
            await to_thread.run_sync(app.state.tracer_provider.shutdown)


@asynccontextmanager
async def _noting_uses(callers: Callers) -> AsyncIterator[None]:
    """Store now and then, and at last, when keys were used."""

    async def note() -> None:
        while True:
            await asyncio.sleep(USE_NOTED_EVERY.total_seconds())
            await _note_uses(callers)

    noting = asyncio.create_task(note())
    try:
        yield
    finally:
        noting.cancel()
        await _note_uses(callers)


async def _note_uses(callers: Callers) -> None:
    with suppress(SQLAlchemyError, OSError):
        await callers.note_uses()


def is_for_trying_out(settings: Settings) -> bool:
    """Whether callers need no key until there is one: only where no other machine can call."""
    return settings.environment is Environment.DEVELOPMENT and is_loopback(settings.host)


def _add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Put every route on the application itself: an included router is searched twice a request."""
    for router in routers:
        app.router.routes.extend(router.routes)
