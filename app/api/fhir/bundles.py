"""Many interactions in one request: https://hl7.org/fhir/R4/http.html#transaction

The entries of a batch are asked for one after the other, each by itself; those of a transaction
all or none, what is made first, so that what refers to it can be made after it.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from app.api.documents import MalformedDocument, read_json
from app.api.fhir.interactions import Answer, Interaction, Resource
from app.api.fhir.queries import params_in
from app.api.refusals import ResourceRefused
from app.domain.errors import Fault

MIB = 1024 * 1024
MOST_BYTES = 4 * MIB
MOST_ENTRIES = 200
BATCH, TRANSACTION = "batch", "transaction"
_DESCRIBED = re.compile(r"([A-Z][A-Za-z]+)[?](.+)")
METHODS = ("DELETE", "POST", "PUT", "PATCH", "GET")
_HEADERS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifNoneExist": "if-none-exist",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One interaction of a bundle: at which place, which one, and of what."""

    place: int
    interaction: Interaction
    ids: Mapping[str, str]
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: Any = None
    url: str | None = None
    """How other entries of the bundle call the resource."""

    @property
    def stores(self) -> bool:
        """Whether something is stored."""
        return self.interaction.stores(self.body)


def is_transaction(body: Any) -> bool:
    """Whether all of a bundle is wanted or none. Raises ResourceRefused for other bundles."""
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise _refused("Bundle", "structure", "must be a Bundle")
    if body.get("type") not in (BATCH, TRANSACTION):
        raise _refused("Bundle.type", "not-allowed", f"must be {BATCH} or {TRANSACTION}")
    if not isinstance(body.get("entry", []), list):
        raise _refused("Bundle.entry", "structure", "must be a list")
    if len(body.get("entry", ())) > MOST_ENTRIES:
        raise _refused("Bundle.entry", "too-many", f"must be at most {MOST_ENTRIES}")
    return bool(body["type"] == TRANSACTION)


def entry_at(place: int, entry: Any, routed: Sequence[Interaction], base: str) -> Entry:
    """What an entry asks for. Raises ResourceRefused."""
    at = "Bundle.entry"
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict):
        raise _refused(f"{at}[{place}].request", "missing", "is required")
    method, url = request.get("method"), request.get("url")
    if method not in METHODS:
        text = f"must be one of {', '.join(METHODS)}"
        raise _refused(f"{at}[{place}].request.method", "not-allowed", text)
    if not isinstance(url, str) or len(url) > 8192:
        raise _refused(f"{at}[{place}].request.url", "missing", "is required")
    path, _, query = url.removeprefix(base).lstrip("/").partition("?")
    found = _matching(method, path.split("/"), routed)
    if found is None:
        text = "nothing is done there by this method"
        raise _refused(f"{at}[{place}].request.url", "not-supported", text)
    headers = {_HEADERS[name]: str(request[name]) for name in _HEADERS if name in request}
    full_url = entry.get("fullUrl")
    return Entry(
        place=place,
        interaction=found[0],
        ids=found[1],
        params=params_in(query),
        headers=headers,
        body=_body(entry.get("resource"), f"{at}[{place}].resource"),
        url=full_url if isinstance(full_url, str) else None,
    )


def _body(resource: Any, at: str) -> Any:
    """What is sent; what is no resource, such as a patch, is within a Binary."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Binary":
        return resource
    try:
        return read_json(b64decode(resource.get("data", ""), validate=True))
    except (ValueError, TypeError, MalformedDocument):
        raise _refused(f"{at}.data", "structure", "must be JSON in base64") from None


def _matching(
    method: str, parts: Sequence[str], routed: Sequence[Interaction]
) -> tuple[Interaction, Mapping[str, str]] | None:
    """The interaction at an address, with the ids in it."""
    for one in routed:
        template = one.path[1:].split("/")
        if one.method != method or len(template) != len(parts) or one.reads_form:
            continue
        pairs = list(zip(template, parts, strict=True))
        ids = {name[1:-1]: part for name, part in pairs if name.startswith("{")}
        if all(name == part or name.startswith("{") for name, part in pairs) and all(ids.values()):
            return one, ids
    return None


@dataclass(slots=True)
class Made:
    """What the entries of a transaction have made so far, by how others call it."""

    references: dict[str, str] = field(default_factory=dict)

    def note(self, entry: Entry, answer: Answer) -> None:
        """Note what an entry has made, or found in its place."""
        if entry.url is not None:
            self.note_as(entry.url, answer.resource)

    def note_as(self, name: str, resource: Resource | None) -> None:
        """Note by which name others call a resource."""
        if resource is not None and "id" in resource:
            self.references[name] = f"{resource['resourceType']}/{resource['id']}"

    def with_references(self, part: Any) -> Any:
        """A resource that refers to what was made by its own name."""
        if isinstance(part, dict):
            return {
                name: self.references.get(value, value)
                if name == "reference" and isinstance(value, str)
                else self.with_references(value)
                for name, value in part.items()
            }
        return [self.with_references(one) for one in part] if isinstance(part, list) else part


def in_order(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Entries in the order in which a transaction is carried out.

    By method, as FHIR has it; of what is made, what others refer to comes first. Raises
    ResourceRefused where they refer to each other in a circle.
    """
    _refuse_namesakes(entries)
    waiting = sorted(entries, key=lambda one: METHODS.index(one.interaction.method))
    names = {one.url for one in entries if one.url and one.interaction.method == "POST"}
    while waiting:
        ready = next((one for one in waiting if not _wanted(one) & (names - {one.url})), None)
        if ready is None:
            place = waiting[0].place
            text = "refers in a circle to what is to be made"
            raise _refused(f"Bundle.entry[{place}].resource", "processing", text)
        waiting.remove(ready)
        names.discard(ready.url)
        yield ready


def _refuse_namesakes(entries: Sequence[Entry]) -> None:
    """Nobody could tell which of them is referred to."""
    known: set[str] = set()
    for entry in entries:
        if entry.url in known:
            at = f"Bundle.entry[{entry.place}].fullUrl"
            raise _refused(at, "value", "is that of another entry, too")
        if entry.url is not None:
            known.add(entry.url)


def described_in(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """References that describe a resource by a search, each with the type and the search."""
    for one in sorted(_wanted(entry)):
        found = _DESCRIBED.fullmatch(one)
        if found is not None:
            yield one, found[1], found[2]


def _wanted(entry: Entry) -> set[str]:
    """The references in what an entry sends."""
    return set(_references(entry.body))


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        reference = part.get("reference")
        if isinstance(reference, str):
            yield reference
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def answered_entry(entry: Entry, answer: Answer, base: str, *, minimal: bool) -> Resource:
    """The entry of an answer."""
    found = answer.resource
    tag = None if answer.version is None else f'W/"{answer.version}"'
    status = HTTPStatus(answer.status)
    if not entry.stores and tag is not None and entry.headers.get("if-none-match") == tag:
        status, found = HTTPStatus.NOT_MODIFIED, None
    response: Resource = {"status": f"{status.value} {status.phrase}"}
    if answer.location is not None:
        response["location"] = f"{base}/{answer.location}"
    if tag is not None:
        response["etag"] = tag
        response["lastModified"] = (answer.resource or {})["meta"]["lastUpdated"]
    if found is None or (minimal and entry.stores):
        return {"response": response}
    # Without its address: the same resource may be asked for twice.
    return {"resource": found, "response": response}


def refused_entry(status: int, outcome: Resource) -> Resource:
    """The entry of what was refused."""
    phrase = HTTPStatus(status).phrase
    return {"response": {"status": f"{status} {phrase}", "outcome": outcome}}


def answered_bundle(type_: str, entries: Sequence[Resource]) -> Resource:
    """The answer to a bundle."""
    bundle: Resource = {"resourceType": "Bundle", "type": f"{type_}-response"}
    return {**bundle, "entry": list(entries)} if entries else bundle


def placed(outcome: Resource, place: int) -> Resource:
    """What was wrong with an entry, told of the bundle."""
    at = f"Bundle.entry[{place}]"
    issues = []
    for issue in outcome["issue"]:
        told = [
            one if one.startswith("Bundle.") else f"{at}.resource{_below(one)}"
            for one in issue.get("expression", [])
        ]
        issues.append({**issue, "expression": told or [at]})
    return {**outcome, "issue": issues}


def _below(expression: str) -> str:
    """The place in a resource, told after the resource's own place."""
    head, dot, rest = expression.partition(".")
    return f"{dot}{rest}" if head[:1].isupper() and "[" not in head else f".{expression}"


def _refused(at: str, code: str, text: str) -> ResourceRefused:
    return ResourceRefused((Fault(at, code, text),))
