"""Resources that come with those found: what they point to, and what points to them.

https://hl7.org/fhir/R4/search.html#include. Each kind is one search more.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.api.fhir.interactions import Ask, Face, Resource
from app.api.fhir.queries import Query, Token, refused

# Of each kind so many come with a page at most.
MOST_INCLUDED = 5000


async def included(
    ask: Ask, faces: Mapping[str, Face], face: Face, query: Query, items: Iterable[Resource]
) -> list[Resource]:
    """Everything that a search asks to come with these items.

    Raises ScopeMissing, or SearchRefused where it is too much.
    """
    items = list(items)
    found: dict[tuple[str, str], Resource] = {}
    for one in query.includes:
        parameter = next(p for p in face.parameters if p.name == one.partition(":")[2])
        wanted = [r for item in items for r in references(item, parameter.path)]
        for type_ in parameter.targets:
            ids = [r.split("/")[1] for r in wanted if r.startswith(f"{type_}/")]
            values = tuple(Token(None, id_) for id_ in dict.fromkeys(ids))
            await _find(ask, faces[type_], "_id", values, found)
    for one in query.reverse:
        type_, _, name = one.partition(":")
        await _find(ask, faces[type_], name, tuple(item["id"] for item in items), found)
    return list(found.values())


def references(resource: Any, path: str) -> Iterable[str]:
    """The references at a place of a resource, such as ``activity.reference``."""
    first, _, rest = path.partition(".")
    part = resource.get(first, [])
    for one in part if isinstance(part, list) else [part]:
        if rest:
            yield from references(one, rest)
        elif "reference" in one:
            yield one["reference"]


async def _find(
    ask: Ask,
    face: Face,
    name: str,
    values: tuple[Any, ...],
    found: dict[tuple[str, str], Resource],
) -> None:
    ask.require(f"{face.type}.s")
    if not values or face.search is None:
        return
    page = await face.search(ask, Query(criteria={name: (values,)}, count=MOST_INCLUDED))
    if page.next is not None:
        text = f"more than {MOST_INCLUDED} of {face.type} come with these: ask for fewer at once"
        raise refused("_count", "too-costly", text)
    found |= {(face.type, item["id"]): item for item in page.items}
