"""What the demo asks goes through the whole application; an unforeseen answer is a defect."""

from collections.abc import AsyncIterator

import pytest

from app.commands.asking import Client
from app.main import create_app
from app.settings import Settings

LOCATION = {"name": "West", "time_zone": "America/Denver"}


@pytest.fixture
async def client(sqlite_url: str) -> AsyncIterator[Client]:
    """Asks an application on a database of its own."""
    app = create_app(Settings(database_url=sqlite_url))
    yield Client(app)
    await app.state.database.dispose()


async def test_what_is_asked_is_answered_as_over_a_network(client: Client) -> None:
    made = await client.ask("POST", "/v1/locations", LOCATION)

    assert (await client.ask("GET", f"/v1/locations/{made['id']}")) == made


async def test_an_answer_that_was_not_expected_stops_the_story(client: Client) -> None:
    with pytest.raises(RuntimeError, match="GET /v1/nothing was answered 404 instead of 200"):
        await client.ask("GET", "/v1/nothing")


async def test_a_refusal_may_be_part_of_the_story(client: Client) -> None:
    refused = await client.ask("POST", "/v1/locations", {}, expect=422)

    assert refused["type"] == "invalid-request"
