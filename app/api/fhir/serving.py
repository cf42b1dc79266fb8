"""The interactions of a face: read, versions, search and what is written, as FHIR has them.

https://hl7.org/fhir/R4/http.html#general. Addresses are made from these and nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from app.api.etags import revision_in
from app.api.fhir.chaining import followed
from app.api.fhir.including import included
from app.api.fhir.interactions import Answer, Ask, Face, Interaction, Read, Resource, operations_of
from app.api.fhir.patching import patched
from app.api.fhir.queries import params_in, refused
from app.api.fhir.searching import history_bundle, read_history, read_query, search_bundle
from app.api.refusals import SeveralFit
from app.services.plans import PlanChangedMeanwhile


def interactions_of(face: Face, faces: Mapping[str, Face]) -> Iterator[Interaction]:
    """Everything that can be asked of a type of resource."""
    made = partial(Interaction, face=face)
    of_type, of_one = f"/{face.type}", f"/{face.type}/{{id}}"
    if face.search is not None:
        code, right = "search-type", f"{face.type}.s"
        run = partial(_search, faces=faces, face=face)
        yield made(code=code, method="GET", path=of_type, right=right, run=run)
        form = f"{of_type}/_search"
        yield made(code=code, method="POST", path=form, right=right, run=run, reads_form=True)
    if face.create is not None:
        right = f"{face.type}.c"
        create = face.create
        if face.conditional_create:
            create = partial(_create, face=face, faces=faces)
        yield made(code="create", method="POST", path=of_type, right=right, run=create, writes=True)
    if face.update is not None:
        updates = partial(made, path=of_one, right=f"{face.type}.u", writes=True)
        yield updates(code="update", method="PUT", run=face.update)
        if face.patched:
            yield updates(code="patch", method="PATCH", run=partial(_patch, face=face))
    if face.delete is not None:
        right, delete = f"{face.type}.d", face.delete
        yield made(
            code="delete", method="DELETE", path=of_one, right=right, run=delete, writes=True
        )
    yield from operations_of(face)
    yield from _reads(face)


def _reads(face: Face) -> Iterator[Interaction]:
    of_one, right = f"/{face.type}/{{id}}", f"{face.type}.r"
    made = partial(Interaction, method="GET", right=right, face=face)
    if face.read is not None:
        yield made(code="read", path=of_one, run=partial(_read, read=face.read))
    if face.history is not None:
        run = partial(_history, face=face)
        yield made(code="history-instance", path=f"{of_one}/_history", run=run)
    if face.vread is not None:
        run = partial(_read, read=face.vread)
        yield made(code="vread", path=f"{of_one}/_history/{{vid}}", run=run)


async def _read(ask: Ask, *, read: Read) -> Answer:
    return Answer(resource=await read(ask))


async def _create(ask: Ask, *, face: Face, faces: Mapping[str, Face]) -> Answer:
    """Create a resource, unless one fits which the client describes; that one is given then.

    https://hl7.org/fhir/R4/http.html#ccreate. Raises SeveralFit.
    """
    assert face.create is not None  # noqa: S101 # such a face has no address for it
    wanted = ask.headers.get("if-none-exist")
    if wanted is None:
        return await face.create(ask)
    known = await described(ask, face, faces, wanted)
    return await face.create(ask) if known is None else Answer(resource=known)


async def _patch(ask: Ask, *, face: Face) -> Answer:
    """Update a resource by what is to be different of it.

    https://hl7.org/fhir/R4/http.html#patch. Raises PlanChangedMeanwhile.
    """
    assert face.read is not None  # noqa: S101 # what is patched is read
    assert face.update is not None  # noqa: S101 # such a face has no address for it
    revision = revision_in(ask.headers.get("if-match"))
    known = await face.read(ask)
    if known["meta"]["versionId"] != str(revision):
        raise PlanChangedMeanwhile("the plan was changed meanwhile")
    return await face.update(replace(ask, body=patched(known, ask.body)))


async def described(
    ask: Ask, face: Face, faces: Mapping[str, Face], wanted: str
) -> Resource | None:
    """The one resource that fits a search. Raises SeveralFit."""
    assert face.search is not None  # noqa: S101 # what is described is searched
    ask.require(f"{face.type}.s")
    query = read_query(replace(ask, params=params_in(wanted), headers={}), face)
    query = await followed(ask, faces, query)
    if not query.criteria:
        raise refused("", "missing", "what describes a resource needs a search parameter")
    found = await face.search(ask, replace(query, count=2))
    if len(found.items) > 1:
        raise SeveralFit("several resources fit what describes one")
    return found.items[0] if found.items else None


async def _search(ask: Ask, *, face: Face, faces: Mapping[str, Face]) -> Answer:
    assert face.search is not None  # noqa: S101 # such a face has no address for it
    query = await followed(ask, faces, read_query(ask, face))
    found = await face.search(ask, query)
    others = await included(ask, faces, face, query, found.items)
    return Answer(resource=search_bundle(ask, face, query, found, others))


async def _history(ask: Ask, *, face: Face) -> Answer:
    assert face.history is not None  # noqa: S101 # such a face has no address for it
    query = read_history(ask, face)
    found = await face.history(ask, query)
    return Answer(resource=history_bundle(ask, face, query, found))
