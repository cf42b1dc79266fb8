"""What can be asked of the FHIR face and how it is answered; it knows no HTTP.

https://hl7.org/fhir/R4/http.html. What is served is said by faces, one for each type of resource:
addresses, the capability statement and bundles all follow them.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.api.fhir.queries import Parameter, Query
from app.api.fhir.scopes import require_right
from app.services.context import Context

Resource = dict[str, Any]
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One interaction asked for, by a request of its own or as an entry of a bundle."""

    ctx: Context
    base: str
    """Where the FHIR face is found, without a slash at the end."""
    secret: bytes
    """What is given out and comes back is sealed with it."""
    id: str = ""
    version: str = ""
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    body: Any = None
    loopback: bool = False
    """Whether messages may be sent to this machine itself."""

    def require(self, right: str) -> None:
        """Raise ScopeMissing unless the caller may do this, as ``Patient.r``, too."""
        require_right(right, self.ctx.grant)

    def about(self, id_: str) -> "Ask":
        """The same for one resource."""
        return replace(self, id=id_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an interaction is answered with."""

    resource: Resource | None
    status: int = 200
    location: str | None = None
    """Type, id and version of what was made."""
    outcome: Resource | None = None
    """What there is to say beside; shown instead of the resource where that is preferred."""

    @property
    def version(self) -> str | None:
        """The version of the resource."""
        version: str | None = (self.resource or {}).get("meta", {}).get("versionId")
        return version


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of what a search or a history gives."""

    items: tuple[Resource, ...]
    next: Key | None = None
    """The key of the last item while more follow."""
    total: int | None = None


Run = Callable[[Ask], Awaitable[Answer]]
Read = Callable[[Ask], Awaitable[Resource]]
Writes = bool | Callable[[Any], bool]
Search = Callable[[Ask, Query], Awaitable[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation such as ``$apply`` on a type of resource or on one resource."""

    name: str
    """Without the dollar."""
    definition: str
    right: str
    run: Run
    of_type: bool = False
    of_instance: bool = False
    methods: tuple[str, ...] = ("POST",)
    writes: Writes = False
    storing: str | None = None
    """The right that is needed, too, where something is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """All that is served of one type of resource."""

    type: str
    text: str
    """What such a resource is here, in one sentence."""
    profile: str | None = None
    mandatory: frozenset[str] = frozenset()
    """Elements that a part of the resource has, too."""
    summary: frozenset[str] = frozenset()
    """Elements of its summary, https://hl7.org/fhir/R4/search.html#summary."""
    parameters: tuple[Parameter, ...] = ()
    sorts: tuple[str, ...] = ()
    counted: bool = True
    """Whether a search says how many fit; a long account is not gone through for that."""
    reverse: tuple[str, ...] = ()
    """What points here and can be had with it, as ``ServiceRequest:based-on``."""
    read: Read | None = None
    search: Search | None = None
    vread: Read | None = None
    history: Search | None = None
    create: Run | None = None
    update: Run | None = None
    patched: bool = False
    """Whether an update may be sent as what is to be different."""
    delete: Run | None = None
    conditional_create: bool = False
    operations: tuple[Operation, ...] = ()

    @property
    def includes(self) -> tuple[str, ...]:
        """What it points to and can be had with it."""
        return tuple(f"{self.type}:{one.name}" for one in self.parameters if one.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One thing that can be asked for at one address by one method."""

    code: str
    """As FHIR calls it, or an operation's name after a dollar."""
    method: str
    path: str
    right: str | None
    run: Run
    face: Face | None = None
    writes: Writes = False
    """Whether something is stored; where the body says so, what reads it there."""
    storing: str | None = None
    reads_form: bool = False
    most: int = 1024 * 1024
    """How many bytes its body has at most."""

    def stores(self, body: Any) -> bool:
        """Whether something is stored for this body."""
        return self.writes(body) if callable(self.writes) else self.writes


def operations_of(face: Face) -> Iterator[Interaction]:
    """The operations of a type of resource, each at its addresses."""
    for one in face.operations:
        places = [f"/{face.type}"] * one.of_type + [f"/{face.type}/{{id}}"] * one.of_instance
        for place in places:
            for method in one.methods:
                yield Interaction(
                    code=f"${one.name}",
                    method=method,
                    path=f"{place}/${one.name}",
                    right=one.right,
                    run=one.run,
                    face=face,
                    writes=one.writes,
                    storing=one.storing,
                )
