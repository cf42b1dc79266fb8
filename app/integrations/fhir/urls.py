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
_STEP_ID = re.compile(r"([a-z][a-z0-9.-]*\.v[0-9]+\.[0-9]+\.[0-9]+)\.([a-z][a-z0-9.-]*)")
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
    if len(name) <= 64:
        return name
    return f"NAMED.{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def version_id(key: str, version: str) -> str:
    """The id of the resource that a protocol version is."""
    return f"{key.replace('_', '.')}.v{version}"


def version_name(id_: str) -> tuple[str, str] | None:
    """The protocol's key and version in an id; what is none of ours has none."""
    found = _VERSION_ID.fullmatch(id_)
    return None if found is None else (found[1].replace(".", "_"), found[2])


def activity_id(key: str, version: str, step: str) -> str:
    """The id of the resource that says what is done at a step of a protocol version."""
    return f"{version_id(key, version)}.{step.replace('_', '.')}"


def activity_name(id_: str) -> tuple[str, str, str] | None:
    """The protocol's key, the version and the step in an id; what is none of ours has none."""
    found = _STEP_ID.fullmatch(id_)
    version = None if found is None else version_name(found[1])
    if found is None or version is None:
        return None
    return *version, found[2].replace(".", "_")
