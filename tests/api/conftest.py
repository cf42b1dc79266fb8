"""The application on a migrated database of either kind, and a client that judges every answer."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from tests.api.given_plans import (
    desk,
    own_desk,
    plans_api,
    plans_app,
    plans_postgresql_url,
    plans_sqlite_url,
    plans_url,
)
from tests.client import Client, client_of

__all__ = [
    "desk",
    "own_desk",
    "plans_api",
    "plans_app",
    "plans_postgresql_url",
    "plans_sqlite_url",
    "plans_url",
]


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[FastAPI]:
    """The application on both kinds of database."""
    application = create_app(Settings(database_url=database_url, pool_size=4))
    yield application
    await application.state.database.dispose()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Client]:
    """A client of the application on both kinds of database."""
    async with client_of(app) as client:
        yield client
