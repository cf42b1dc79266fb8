"""Which protocol version, and which step of it, an id in an address names.

Ids say the name where FHIR lets them be so long; others are a digest of it, which is looked for.
"""

from collections.abc import Iterable

from app.integrations.fhir.urls import activity_parts, is_digest, is_named, version_id, version_name
from app.services.context import Context
from app.services.protocol_searches import VersionName, list_names
from app.services.protocols import VersionNotFound

StepName = tuple[VersionName, str]


async def version_of(ctx: Context, id_: str) -> VersionName:
    """The key and version in an id. Raises VersionNotFound for what is none of ours."""
    (found,) = await versions_of(ctx, [id_]) or (None,)
    if found is None:
        raise VersionNotFound("there is no such protocol version")
    return found


async def versions_of(ctx: Context, ids: Iterable[str]) -> tuple[VersionName, ...]:
    """The same for several ids, without those that are none of ours."""
    wanted = list(ids)
    digests = [id_ for id_ in wanted if is_digest(id_)]
    names = await list_names(ctx) if digests else ()
    plain = [name for id_ in wanted if (name := version_name(id_)) is not None]
    found = [n for n in names if any(is_named(id_, version_id(*n)) for id_ in digests)]
    return tuple(dict.fromkeys([*plain, *found]))


async def step_of(ctx: Context, id_: str) -> StepName:
    """The version in the id of a step, and what there is said of the step in it.

    Raises VersionNotFound for what is none of ours.
    """
    parts = activity_parts(id_)
    if parts is None:
        raise VersionNotFound("there is no such step")
    return await version_of(ctx, parts[0]), parts[1]
