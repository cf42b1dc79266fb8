"""The names under which our own extensions and codes are known, and those of others we read."""

import hashlib
import re
from typing import Any

OWN = "urn:regimen:fhir"
STEP = f"{OWN}:step"
TIMING = f"{OWN}:timing"
PROTOCOL = f"{OWN}:protocol"
WRITTEN_AS = f"{OWN}:written-as"
SOURCE = f"{OWN}:source"
REFERENCE = f"{OWN}:reference"
STEP_KINDS = f"{OWN}:step-kind"
ROLES = f"{OWN}:role"
PROTOCOLS = "urn:regimen:protocol"

UCUM = "http://unitsofmeasure.org"
DAYS_OF_CYCLE = "http://hl7.org/fhir/StructureDefinition/timing-daysOfCycle"
ACCEPTABLE_RANGE = (
    "http://hl7.org/fhir/uv/vulcan-schedule/StructureDefinition/AcceptableOffsetRangeSoa"
)
TERMINOLOGIES = {
    "icd-10-cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "snomed-ct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}
# FHIR's ids have no underscores, and so many characters at most.
MOST = 64
_DIGEST = re.compile("N[0-9a-f]{30}")
_STEP_ID = re.compile(
    r"([a-z][a-z0-9.-]*\.v[0-9]+\.[0-9]+\.[0-9]+|N[0-9a-f]{30})\.([a-z][a-z0-9.-]*|N[0-9a-f]{30})"
)
_VERSION_ID = re.compile(r"([a-z][a-z0-9.-]*)\.v([0-9]+\.[0-9]+\.[0-9]+)")
# Between a step and one of its timepoints; our own keys have no capitals.
POINT = ".AT."


def extensions_named(data: Any, url: str) -> list[Any]:
    """The extensions of an element that have this url."""
    listed = data.get("extension") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, dict) and one.get("url") == url]


def activity_url(protocol: str, step: str, version: str) -> str:
    """The canonical of the ActivityDefinition that says what is done at a step."""
    return f"{PROTOCOLS}:{protocol}:ActivityDefinition:{step}|{version}"


def element_id(*parts: str) -> str:
    """An id within a resource, as others can refer to it: of letters, digits, points, hyphens."""
    name = "".join(parts).replace("_", ".")
    if len(name) <= MOST:
        return name
    return f"NAMED.{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def version_id(key: str, version: str) -> str:
    """The id of the resource that a protocol version is."""
    return _within(f"{key.replace('_', '.')}.v{version}", MOST)


def version_name(id_: str) -> tuple[str, str] | None:
    """The protocol's key and version in an id; what is none of ours, or a digest, has none."""
    found = _VERSION_ID.fullmatch(id_)
    return None if found is None else (found[1].replace(".", "_"), found[2])


def activity_id(key: str, version: str, step: str) -> str:
    """The id of the resource that says what is done at a step of a protocol version."""
    of_version, of_step = f"{key.replace('_', '.')}.v{version}", step.replace("_", ".")
    whole = f"{of_version}.{of_step}"
    return whole if len(whole) <= MOST else f"{_within(of_version, 31)}.{_within(of_step, 31)}"


def activity_parts(id_: str) -> tuple[str, str] | None:
    """What the id of a step says of its version and of itself; None where it is none of ours."""
    found = _STEP_ID.fullmatch(id_)
    return None if found is None else (found[1], found[2])


def is_digest(id_: str) -> bool:
    """Whether an id does not say what it names."""
    return _DIGEST.fullmatch(id_) is not None


def is_named(id_: str, name: str) -> bool:
    """Whether an id, or a part of one, stands for a name of ours in which dots are underscores."""
    name = name.replace("_", ".")
    return id_ in {name, *(_within(name, most) for most in (31, MOST))}


def _within(name: str, most: int) -> str:
    """A name of at most so many characters: a digest of what is longer."""
    if len(name) <= most:
        return name
    return f"N{hashlib.sha256(name.encode()).hexdigest()[:30]}"
