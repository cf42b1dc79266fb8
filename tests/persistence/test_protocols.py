"""Drafts change by revision, one version is active, an active one never changes."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import Database
from app.persistence.protocols import (
    AnotherVersionActive,
    NoActiveVersion,
    ProtocolExists,
    ProtocolNotFound,
    ProtocolRepository,
    VersionChangedMeanwhile,
    VersionExists,
    VersionNotDraft,
    VersionNotFound,
)
from tests.persistence.given import NOW, OTHER_CLINIC_ID, a_version, other_clinic

APPROVAL = {"name": "Dr A"}


@pytest.fixture
async def protocols(database: Database) -> AsyncIterator[ProtocolRepository]:
    """Protocol 'ankle' with draft 1.0.0, in one transaction."""
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        repository = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
        await repository.add("ankle", "Ankle", now=NOW)
        await repository.add_version(a_version())
        yield repository


async def test_a_version_comes_back_as_it_was_stored(protocols: ProtocolRepository) -> None:
    assert await protocols.get_version("ankle", "1.0.0") == a_version()


async def test_a_protocol_is_given_with_its_versions_newest_first(
    protocols: ProtocolRepository,
) -> None:
    await protocols.add_version(a_version("1.1.0"))

    protocol = await protocols.get("ankle")

    assert (protocol.key, protocol.title, protocol.created_at) == ("ankle", "Ankle", NOW)
    assert [version.version for version in protocol.versions] == ["1.1.0", "1.0.0"]


async def test_pages_follow_each_other_by_key(protocols: ProtocolRepository) -> None:
    await protocols.add("knee", "Knee", now=NOW)
    await protocols.add("achilles", "Achilles", now=NOW)

    first = await protocols.page(after=None, limit=2)
    second = await protocols.page(after=first[-1].key, limit=2)

    assert [protocol.key for protocol in (*first, *second)] == ["achilles", "ankle", "knee"]
    assert [len(protocol.versions) for protocol in first] == [0, 1]


async def test_keys_and_versions_are_taken_once(protocols: ProtocolRepository) -> None:
    with pytest.raises(ProtocolExists):
        await protocols.add("ankle", "Again", now=NOW)
    with pytest.raises(VersionExists):
        await protocols.add_version(a_version())


async def test_what_is_missing_is_named(protocols: ProtocolRepository) -> None:
    with pytest.raises(ProtocolNotFound):
        await protocols.get("knee")
    with pytest.raises(ProtocolNotFound):
        await protocols.get_version("knee", "1.0.0")
    with pytest.raises(ProtocolNotFound):
        await protocols.get_summary("knee")
    with pytest.raises(VersionNotFound):
        await protocols.get_version("ankle", "9.0.0")
    with pytest.raises(VersionNotFound):
        await protocols.get_summary("ankle", "9.0.0")
    with pytest.raises(NoActiveVersion):
        await protocols.get_active("ankle")
    with pytest.raises(VersionNotFound):
        await protocols.retire("ankle", "9.0.0", now=NOW)


async def test_a_draft_changes_by_revision(protocols: ProtocolRepository) -> None:
    draft = replace(a_version(), title="New", document={"steps": []}, content_hash="def")

    assert await protocols.update_draft(draft, revision=1) == 2

    assert await protocols.get_version("ankle", "1.0.0") == replace(draft, revision=2)
    with pytest.raises(VersionChangedMeanwhile):
        await protocols.update_draft(draft, revision=1)


async def test_an_active_version_is_found_and_never_changes(protocols: ProtocolRepository) -> None:
    await protocols.activate("ankle", "1.0.0", revision=1, approval=APPROVAL, now=NOW)

    active = await protocols.get_active("ankle")

    assert (active.status, active.approval, active.activated_at) == ("active", APPROVAL, NOW)
    assert active.revision == 2
    summary = await protocols.get_summary("ankle")
    assert (summary.version, summary.content_hash) == ("1.0.0", "abc")
    assert await protocols.get_summary("ankle", "1.0.0") == summary
    with pytest.raises(VersionNotDraft):
        await protocols.update_draft(a_version(), revision=2)


async def test_a_retired_version_makes_room_for_the_next(protocols: ProtocolRepository) -> None:
    await protocols.add_version(a_version("2.0.0"))
    await protocols.activate("ankle", "1.0.0", revision=1, approval=APPROVAL, now=NOW)
    await protocols.retire("ankle", "1.0.0", now=NOW)

    await protocols.activate("ankle", "2.0.0", revision=1, approval=APPROVAL, now=NOW)

    assert (await protocols.get_active("ankle")).version == "2.0.0"
    retired = await protocols.get_version("ankle", "1.0.0")
    assert (retired.status, retired.retired_at, retired.revision) == ("retired", NOW, 3)


async def test_one_version_is_active_at_most(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        protocols = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
        await protocols.add("ankle", "Ankle", now=NOW)
        await protocols.add_version(a_version())
        await protocols.add_version(a_version("2.0.0"))
        await protocols.activate("ankle", "1.0.0", revision=1, approval=APPROVAL, now=NOW)

    with pytest.raises(AnotherVersionActive):
        async with database.writing(DEFAULT_CLINIC_ID) as connection:
            protocols = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
            await protocols.activate("ankle", "2.0.0", revision=1, approval=APPROVAL, now=NOW)


async def test_another_clinics_protocol_does_not_exist(database: Database) -> None:
    await other_clinic(database)
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await ProtocolRepository(connection, DEFAULT_CLINIC_ID).add("ankle", "Ankle", now=NOW)

    async with database.writing(OTHER_CLINIC_ID) as connection:
        theirs = ProtocolRepository(connection, OTHER_CLINIC_ID)

        assert await theirs.page(after=None, limit=10) == ()
        await theirs.add("ankle", "Theirs", now=NOW)
