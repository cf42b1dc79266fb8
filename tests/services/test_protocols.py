"""What happens to protocols is noted, and the library is installed without taking anything away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.documents import parse_protocol
from app.domain.documents.approval import Approval
from app.domain.documents.figures import to_confirm
from app.domain.permissions import UNRESTRICTED
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.events import EventRepository
from app.services import protocols
from app.services.context import Context
from app.services.library import library_keys, library_protocol
from app.services.protocols import StoredVersion
from tests.api.given_protocols import SMALL, visit

NOW = datetime(2027, 1, 4, 16, 0, tzinfo=UTC)


@pytest.fixture
async def ctx(database: Database) -> AsyncIterator[Context]:
    """The surroundings of one change."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        yield Context(connection, DEFAULT_CLINIC_ID, "local", NOW, grant=UNRESTRICTED)


async def noted(ctx: Context) -> list[tuple[str, dict[str, Any], int | None]]:
    """What happened, in its order."""
    found = await EventRepository(ctx.connection, ctx.clinic_id).page(after=0, limit=100)
    return [(event.type, dict(event.data), event.revision) for event in found]


def approval_of(stored: StoredVersion) -> Approval:
    confirmed = tuple(figure.id for figure in to_confirm(stored.document))
    return Approval("Dr. Vale", "MD", stored.record.content_hash, True, confirmed)


async def test_the_life_of_a_version_is_noted(ctx: Context) -> None:
    stored = await protocols.create_protocol(ctx, parse_protocol(SMALL))
    edited = parse_protocol(visit(title="Another"))
    stored = await protocols.edit_version(ctx, "small", "1.0.0", edited, revision=1)
    await protocols.activate_version(
        ctx, "small", "1.0.0", approval_of(stored), retire_active=False
    )
    await protocols.create_version(ctx, "small", version="1.1.0", source=None)
    await protocols.retire_version(ctx, "small", "1.0.0")

    first = {"protocol": "small", "version": "1.0.0"}
    assert await noted(ctx) == [
        ("protocol_added", first, 1),
        ("version_changed", first, 2),
        ("version_activated", first, 3),
        ("version_added", {"protocol": "small", "version": "1.1.0"}, 1),
        ("version_retired", first, 4),
    ]


async def test_a_version_retired_for_another_is_noted_too(ctx: Context) -> None:
    first = await protocols.create_protocol(ctx, parse_protocol(SMALL))
    await protocols.activate_version(ctx, "small", "1.0.0", approval_of(first), retire_active=False)
    second = await protocols.create_version(ctx, "small", version="1.1.0", source=None)

    await protocols.activate_version(ctx, "small", "1.1.0", approval_of(second), retire_active=True)

    events = [(type_, data["version"]) for type_, data, _ in await noted(ctx)]
    assert events[-2:] == [("version_retired", "1.0.0"), ("version_activated", "1.1.0")]


async def test_the_whole_library_is_installed(ctx: Context) -> None:
    installed = await protocols.install_library(ctx)

    assert tuple(version.protocol_key for version in installed) == library_keys()
    assert {(version.status, version.example) for version in installed} == {("draft", True)}
    assert len(await noted(ctx)) == len(installed)


async def test_installing_again_changes_nothing(ctx: Context) -> None:
    await protocols.install_library(ctx)
    before = await protocols.list_protocols(ctx, after=None, limit=50)

    assert await protocols.install_library(ctx) == ()
    assert await protocols.list_protocols(ctx, after=None, limit=50) == before


async def test_what_is_stored_is_the_document_that_was_read(ctx: Context) -> None:
    await protocols.install_library(ctx)

    for key in library_keys():
        stored = await protocols.get_version(ctx, key, "1.0.0")
        assert stored.document == library_protocol(key)
