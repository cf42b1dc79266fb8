"""Takes included protocols in as parts: one flat document, so that nothing else knows of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.domain.documents.grammar import WRITTEN
from app.domain.documents.parts import Part, part_of
from app.domain.documents.protocol_reading import parse_protocol
from app.domain.documents.protocol_writing import content_hash
from app.domain.documents.protocols import (
    IncludedVersion,
    InvalidProtocol,
    ProtocolDocument,
    WrittenAs,
)
from app.domain.documents.reading import Data, present
from app.domain.documents.renaming import renamed
from app.domain.documents.shapes import Name, Report
from app.domain.errors import Fault

# A protocol's key and version.
VersionName = tuple[str, str]
_LISTS = ("parameters", "steps", "rules", "outcome_sets", "sources")
# What several parts may bring along, if all of them mean the same by it.
_COMMON = {"outcome_sets": "key", "sources": "id"}


@dataclass(frozen=True, slots=True)
class Expanded:
    """A flat document, and where in the written one each of its places is.

    ``names`` are places within a part, whose own document nobody is looking at: a fault there is
    told at the include, with the key of what it is about.
    """

    document: ProtocolDocument
    homes: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def at_home(self, fault: Fault) -> Fault:
        """The fault with its pointer into the written document."""
        return _at_home(fault, self.homes, self.names)


def _at_home(fault: Fault, homes: Mapping[str, str], names: Mapping[str, str]) -> Fault:
    place, rest = fault.pointer, ""
    while place and place not in homes:
        place, _, last = place.rpartition("/")
        rest = f"/{last}{rest}"
    if not place:
        return fault
    if place in names:
        return Fault(homes[place], fault.code, f"'{names[place]}': {fault.text}")
    return replace(fault, pointer=homes[place] + rest)


def versions_included(data: Any) -> frozenset[VersionName]:
    """The protocols which a written document includes, as far as it can be read."""
    clean, _ = WRITTEN.members(data, "", Report())
    return frozenset(
        (part["protocol"], part["version"]) for _, part in present(clean.get("include", ()))
    )


def expand(data: Any, known: Mapping[VersionName, ProtocolDocument]) -> Expanded:
    """The flat document of what was written; ``known`` holds the protocols it includes.

    Raises InvalidProtocol with every fault: first those of the notation and of the includes by
    themselves, without them those of the whole.
    """
    if not isinstance(data, Mapping) or "include" not in data:
        return Expanded(parse_protocol(data))
    report = Report()
    clean, whole = WRITTEN.members(data, "", report)
    parts = _parts(clean, known, report)
    if report.faults or not whole:
        raise InvalidProtocol(tuple(report.faults))
    return _joined(clean, parts)


def _parts(
    clean: Data, known: Mapping[VersionName, ProtocolDocument], report: Report
) -> list[Part]:
    own = {step["key"] for _, step in present(clean.get("steps", ()))}
    found: dict[str, Part | None] = {}
    for index, include in present(clean.get("include", ())):
        at, key = f"/include/{index}", include["key"]
        if key in found:
            report.refuse(f"{at}/key", "occurs-twice", f"'{key}' occurs twice")
        if key in own:
            report.refuse(f"{at}/key", "clash", f"'{key}' is a step")
        name = (include["protocol"], include["version"])
        document = known.get(name)
        if document is None:
            text = f"protocol '{name[0]}' has no version '{name[1]}'"
            report.refuse(f"{at}/version", "unknown-version", text)
        elif (loop := _loop(clean, document)) is not None:
            report.refuse(at, "cycle", loop)
        found[key] = None
        if document is not None:
            found[key] = part_of(at, include, document, clean.get("month_end"), report)
    return [part for part in found.values() if part is not None]


def _loop(clean: Data, part: ProtocolDocument) -> str | None:
    """In words, how a document comes to include itself."""
    own, name = (clean.get("key"), clean.get("version")), (part.key, part.version)
    inner = () if part.written_as is None else part.written_as.included
    if own == name:
        return f"'{part.key}' {part.version} includes itself"
    if own in {(one.protocol, one.version) for one in inner}:
        return f"'{part.key}' {part.version} includes this version"
    return None


def _joined(clean: Data, parts: list[Part]) -> Expanded:
    """The parts and what the document itself says, in one."""
    flat = _Flat()
    for part in parts:
        flat.take(part)
    members = {part.key: part.step_keys for part in parts}

    def rename(name: Name, key: str) -> tuple[str, ...]:
        return members.get(key, (key,)) if name.of == "step" else (key,)

    own = renamed(WRITTEN, {k: value for k, value in clean.items() if k != "include"}, rename)
    for member in _LISTS:
        for index, item in enumerate(own.get(member, ())):
            flat.add(member, item, f"/{member}/{index}")
    example = clean.get("example", False) or any(part.document.example for part in parts)
    faults = flat.report.faults
    try:
        document = parse_protocol({**own, **flat.lists, "example": example})
    except InvalidProtocol as error:
        faults += [_at_home(fault, flat.homes, flat.names) for fault in error.faults]
    if faults:
        raise InvalidProtocol(tuple(dict.fromkeys(faults)))
    included = tuple(one for part in parts for one in _included(part))
    document = replace(document, written_as=WrittenAs(clean, included))
    return Expanded(document, flat.homes, flat.names)


def _included(part: Part) -> list[IncludedVersion]:
    """A part, and what it includes itself."""
    document = part.document
    inner = () if document.written_as is None else document.written_as.included
    return [
        IncludedVersion(part.key, document.key, document.version, content_hash(document)),
        *(replace(one, key=f"{part.key}_{one.key}") for one in inner),
    ]


class _Flat:
    """A flat document in the making: its lists, and where each of their items was written."""

    def __init__(self) -> None:
        self.report = Report()
        self.lists: dict[str, list[Any]] = {member: [] for member in _LISTS}
        self.homes = {f"/{member}": "/include" for member in _LISTS}
        self.names: dict[str, str] = {}

    def take(self, part: Part) -> None:
        """Add all that a part brings along."""
        for member, items in part.lists.items():
            for item in items:
                name = item["id"] if "id" in item else item["key"]
                place = self.add(member, item, part.at, name)
                if member == "steps" and name == part.anchor:
                    self.homes |= {f"{place}/{a}": f"{part.at}/{b}" for a, b in part.placed}

    def add(self, member: str, item: Data, home: str, name: str | None = None) -> str:
        """Add an item; gives its place. What parts have in common is added once."""
        items = self.lists[member]
        place = f"/{member}/{len(items)}"
        if member in _COMMON:
            key = _COMMON[member]
            other = next((one for one in items if one[key] == item[key]), None)
            if other is not None:
                if other != item:
                    text = f"'{item[key]}' says something else than that of another part"
                    self.report.refuse(home, "clash", text)
                return place
        elif member == "rules" and name is not None:
            same = next((one for one in items if _says(one) == _says(item)), None)
            if same is not None:
                # A gap between kinds looks at all parts: one rule, with what each part exempts.
                if "exempt" in item:
                    same["exempt"] = [*same.get("exempt", ()), *item["exempt"]]
                return place
        items.append(item)
        self.homes[place] = home
        if name is not None:
            self.names[place] = name
        return place


def _says(rule: Data) -> Data:
    """A rule without its name and its exempt steps: two parts may bring the same along."""
    return {name: member for name, member in rule.items() if name not in {"id", "exempt"}}
