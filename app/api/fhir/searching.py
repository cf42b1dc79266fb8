"""Reads what a search asks for as a whole, and puts what is found into a bundle with its links.

https://hl7.org/fhir/R4/search.html and https://hl7.org/fhir/R4/http.html#paging. The address of a
next page holds what was asked for sealed: names that were searched in a body stay out of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from app.api.fhir import cursors
from app.api.fhir.chaining import chain_of
from app.api.fhir.cursors import CURSOR
from app.api.fhir.interactions import Ask, Face, Found, Key, Resource
from app.api.fhir.outcomes import informing
from app.api.fhir.queries import COMMON, MOST, Query, refused, since
from app.api.refusals import CursorRefused
from app.services.listing import Sorting

# What says how to answer, not what to look for.
SHAPING = frozenset({"_format", "_pretty", "_elements", "_summary"})
_TOTALS = {"none": False, "estimate": True, "accurate": True}

Params = Sequence[tuple[str, str]]


def read_query(ask: Ask, face: Face) -> Query:
    """What a search of this type of resource asks for. Raises SearchRefused or CursorRefused."""
    params, after = _unsealed(ask, face.type)
    known = {one.name: one for one in (*COMMON, *face.parameters)}
    query = Query(criteria={}, after=after, now=ask.ctx.now, shown=tuple(params))
    for name, value in params:
        plain, _, modifier = name.partition(":")
        chain = chain_of(name, value, known)
        if chain is not None:
            query = replace(query, chains=(*query.chains, chain))
        elif plain in known:
            query = query.asking(known[plain], modifier, value)
        elif name in _CONTROLS:
            query = _CONTROLS[name](query, face, value)
        elif plain not in SHAPING:
            query = _ignoring(ask, query, name)
    if ("_summary", "count") in params:
        query = replace(query, count=0)
    query = replace(query, total=query.total or query.count == 0)
    if query.total and not face.counted:
        raise refused("_total", "not-supported", "what is found here is not counted")
    return query


def read_history(ask: Ask, face: Face) -> Query:
    """Which versions of a resource are asked for. Raises SearchRefused or CursorRefused."""
    params, after = _unsealed(ask, f"{face.type}/{ask.id}/_history")
    query = Query(criteria={}, after=after, shown=tuple(params))
    for name, value in params:
        if name == "_count":
            query = _count(query, face, value)
        elif name == "_since":
            query = replace(query, since=since(value))
        elif name not in SHAPING:
            query = _ignoring(ask, query, name)
    return query


def search_bundle(
    ask: Ask, face: Face, query: Query, found: Found, included: Iterable[Resource]
) -> Resource:
    """The bundle of a search."""
    entries = [_entry(ask, item, "match") for item in found.items]
    entries += [_entry(ask, item, "include") for item in included]
    if query.ignored:
        said = informing(*(f"'{name}' was left out" for name in query.ignored), severity="warning")
        entries.append({"resource": said, "search": {"mode": "outcome"}})
    return _bundle("searchset", found.total, _links(ask, face.type, query, found.next), entries)


def history_bundle(ask: Ask, face: Face, query: Query, found: Found) -> Resource:
    """The bundle of a resource's versions, the newest first."""
    entries = []
    for item in found.items:
        version = item["meta"]["versionId"]
        method = "POST" if version == "1" else "PUT"
        address = face.type if version == "1" else f"{face.type}/{item['id']}"
        entries.append(
            {
                "fullUrl": f"{ask.base}/{face.type}/{item['id']}",
                "resource": item,
                "request": {"method": method, "url": address},
                "response": {
                    "status": "201 Created" if version == "1" else "200 OK",
                    "etag": f'W/"{version}"',
                    "lastModified": item["meta"]["lastUpdated"],
                },
            }
        )
    path = f"{face.type}/{ask.id}/_history"
    return _bundle("history", found.total, _links(ask, path, query, found.next), entries)


def _bundle(
    type_: str, total: int | None, links: list[Resource], entries: list[Resource]
) -> Resource:
    bundle: Resource = {"resourceType": "Bundle", "type": type_}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = links
    if entries:
        bundle["entry"] = entries
    return bundle


def _entry(ask: Ask, resource: Resource, mode: str) -> Resource:
    return {
        "fullUrl": f"{ask.base}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": mode},
    }


def _links(ask: Ask, path: str, query: Query, following: Key | None) -> list[Resource]:
    """Where this page and the next are found; what was asked for in a body is not repeated."""
    asked = "" if ask.body is not None else urlencode(_shown(ask, query))
    links = [{"relation": "self", "url": f"{ask.base}/{path}" + (f"?{asked}" if asked else "")}]
    if following is not None:
        state = (list(query.shown), following)
        cursor = cursors.given_out(ask.ctx.clinic_id, path, state, ask.secret)
        url = f"{ask.base}/{path}?{urlencode({CURSOR: cursor})}"
        links.append({"relation": "next", "url": url})
    return links


def _shown(ask: Ask, query: Query) -> Params:
    if any(name == CURSOR for name, _ in ask.params):
        return [(name, value) for name, value in ask.params if name == CURSOR]
    return [(name, value) for name, value in query.shown if name not in query.ignored]


def _unsealed(ask: Ask, path: str) -> tuple[Params, Key | None]:
    """What is asked for, and after which item to go on. Raises CursorRefused."""
    given = [value for name, value in ask.params if name == CURSOR]
    if not given:
        return ask.params, None
    rest = [name for name, _ in ask.params if name not in SHAPING and name != CURSOR]
    if len(given) > 1 or rest:
        raise CursorRefused("a cursor stands alone: it holds what was asked for")
    return cursors.taken_back(given[0], ask.ctx.clinic_id, path, ask.secret)


def _ignoring(ask: Ask, query: Query, name: str) -> Query:
    """Leave a parameter out, and say so, for who asks for leniency; refuse it to others."""
    if "handling=lenient" not in ask.headers.get("prefer", ""):
        raise refused(name, "unknown-parameter", "is not a known search parameter")
    return replace(query, ignored=(*query.ignored, name))


def _count(query: Query, face: Face, value: str) -> Query:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise refused("_count", "not-an-integer", "must be a number of resources")
    return replace(query, count=min(int(value), MOST))


def _sort(query: Query, face: Face, value: str) -> Query:
    if not face.sorts:
        raise refused("_sort", "not-supported", "is not chosen: what is found has one order")
    sorts = [Sorting(name.removeprefix("-"), name.startswith("-")) for name in value.split(",")]
    names = [one.name for one in sorts]
    if not set(names) <= set(face.sorts) or len(set(names)) < len(names) or query.sorts:
        raise refused("_sort", "not-supported", f"may be by {', '.join(face.sorts)}, each once")
    return replace(query, sorts=tuple(sorts))


def _total(query: Query, face: Face, value: str) -> Query:
    if value not in _TOTALS:
        raise refused("_total", "not-allowed", f"must be one of {', '.join(_TOTALS)}")
    return replace(query, total=_TOTALS[value])


def _include(query: Query, face: Face, value: str) -> Query:
    if value not in face.includes:
        raise refused("_include", "not-supported", f"may be one of {', '.join(face.includes)}")
    return replace(query, includes=(*query.includes, value))


def _reverse(query: Query, face: Face, value: str) -> Query:
    if value not in face.reverse:
        raise refused("_revinclude", "not-supported", f"may be one of {', '.join(face.reverse)}")
    return replace(query, reverse=(*query.reverse, value))


_CONTROLS: Mapping[str, Callable[[Query, Face, str], Query]] = {
    "_count": _count,
    "_sort": _sort,
    "_total": _total,
    "_include": _include,
    "_revinclude": _reverse,
}
