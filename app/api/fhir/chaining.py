"""Searches by what a resource points to: https://hl7.org/fhir/R4/search.html#chaining

What is pointed to is searched first, by its own parameters, one step far.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from app.api.fhir.interactions import Ask, Face
from app.api.fhir.queries import Chain, Parameter, Query, refused

# As many resources may fit at the end of a chain; more are no help in finding anything.
MOST_CHAINED = 500

_CHAIN = re.compile(r"([a-z-]+)(?::([A-Za-z]+))?\.([a-z-]+(?::[a-z]+)?)")


def chain_of(name: str, value: str, known: Mapping[str, Parameter]) -> Chain | None:
    """The chain that a parameter is: ``patient.identifier``, or ``patient:identifier``.

    Raises SearchRefused for one that goes elsewhere.
    """
    plain, _, modifier = name.partition(":")
    found = _CHAIN.fullmatch(name)
    if found is not None and found[1] in known:
        plain, type_, inner = found.groups()
    elif modifier == "identifier" and plain in known:
        type_, inner = None, modifier
    else:
        return None
    types = tuple(one for one in known[plain].targets if type_ in {None, one})
    if not types:
        raise refused(plain, "not-supported", f"'{plain}' does not refer there")
    return Chain(plain, types, inner, value)


async def followed(ask: Ask, faces: Mapping[str, Face], query: Query) -> Query:
    """The query with what is at the ends of its chains. Raises SearchRefused or ScopeMissing."""
    for chain in query.chains:
        groups = (*query.criteria.get(chain.parameter, ()), await _ends(ask, faces, query, chain))
        query = replace(query, criteria={**query.criteria, chain.parameter: groups})
    return query


async def _ends(ask: Ask, faces: Mapping[str, Face], query: Query, chain: Chain) -> tuple[str, ...]:
    """The ids of the resources at which a chain ends."""
    name, _, modifier = chain.name.partition(":")
    found: list[str] = []
    for face in (faces[type_] for type_ in chain.types):
        parameter = next((one for one in face.parameters if one.name == name), None)
        if parameter is None or face.search is None:
            text = f"a {face.type} is not searched by '{name}'"
            raise refused(chain.parameter, "not-supported", text)
        ask.require(f"{face.type}.s")
        wanted = Query(criteria={}, now=query.now, count=MOST_CHAINED)
        page = await face.search(ask, wanted.asking(parameter, modifier, chain.value))
        if page.next is not None:
            text = f"more than {MOST_CHAINED} fit: ask for less"
            raise refused(chain.parameter, "too-costly", text)
        found += [item["id"] for item in page.items]
    return tuple(found)
