"""Searches over the versions of all protocols, as other systems ask for them."""

from app.persistence import protocol_searches
from app.persistence.protocol_searches import VersionName, VersionSearch
from app.services.context import Context
from app.services.listing import Searched, SearchPage
from app.services.protocols import StoredVersion, get_version

__all__ = ["VersionName", "VersionSearch", "find_versions", "list_names"]


async def find_versions(
    ctx: Context, wanted: VersionSearch, page: SearchPage
) -> Searched[StoredVersion]:
    """One page of the versions that fit, of all protocols."""
    found = await protocol_searches.find_versions(ctx.connection, ctx.clinic_id, wanted, page)
    items = [await get_version(ctx, key, version) for key, version in found.names]
    return Searched(tuple(items), found.next, found.total)


async def list_names(ctx: Context) -> tuple[VersionName, ...]:
    """The keys and versions of all protocols: for who has a digest of one."""
    return await protocol_searches.list_names(ctx.connection, ctx.clinic_id)
