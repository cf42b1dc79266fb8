"""A protocol document: what the engine needs, and everything people need to judge it by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Faults
from app.domain.protocols import Protocol


class InvalidProtocol(Faults):
    """A protocol document has faults; each is named by its JSON pointer."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A code of a published terminology, its check digit right."""

    system: str
    code: str
    display: str | None = None
    laterality: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class TreatedCondition:
    """What is treated, in words and codes."""

    text: str
    codings: tuple[Coding, ...] = ()


@dataclass(frozen=True, slots=True)
class BodySite:
    """Where it is treated; rules and reports know it by its key."""

    key: str
    text: str
    codings: tuple[Coding, ...] = ()


@dataclass(frozen=True, slots=True)
class Laterality:
    """Whether plans must name a side, and which sides there are."""

    required: bool
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutcomeSet:
    """Questionnaires that belong together."""

    key: str
    measures: tuple[str, ...]
    codings: tuple[Coding, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from, and what was read there."""

    id: str
    kind: str
    title: str
    url: str | None = None
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class IncludedVersion:
    """Which version of which protocol became a part, by the key in front, and what it said."""

    key: str
    protocol: str
    version: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class WrittenAs:
    """What a document with parts was written as, and what its parts were, their parts too.

    A part of a part has both keys in front: ``side_a_orthotics``.
    """

    data: Mapping[str, Any]
    included: tuple[IncludedVersion, ...]


@dataclass(frozen=True, slots=True)
class ProtocolDocument:
    """One version of a protocol, whole: what it includes is among its own steps and rules."""

    key: str
    version: str
    title: str
    protocol: Protocol
    summary: str | None = None
    evidence_note: str | None = None
    example: bool = False
    condition: TreatedCondition | None = None
    body_site: BodySite | None = None
    laterality: Laterality | None = None
    outcome_sets: tuple[OutcomeSet, ...] = ()
    sources: tuple[Source, ...] = ()
    written_as: WrittenAs | None = field(default=None, hash=False)
