"""Small parts which resources share: https://hl7.org/fhir/R4/datatypes.html"""

from datetime import datetime
from typing import Any

Data = dict[str, Any]

# What names of our own begin with: of code systems and of extensions. They never change.
OWN = "urn:regimen:fhir"
PROTOCOLS = "urn:regimen:protocol"


def without_empty(resource: Data) -> Data:
    """Without elements that say nothing: FHIR has no empty lists and no null."""
    return {name: part for name, part in resource.items() if part not in (None, [], {})}


def instant(moment: datetime) -> str:
    """An instant as FHIR writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def meta(version: int, updated_at: datetime, *profiles: str) -> Data:
    """Which version of a resource this is, since when, and what it follows."""
    found: Data = {"versionId": str(version), "lastUpdated": instant(updated_at)}
    if profiles:
        found["profile"] = list(profiles)
    return found


def coding(system: str, code: str) -> Data:
    """A concept of one code."""
    return {"coding": [{"system": system, "code": code}]}


def own_code(kind: str, code: str) -> Data:
    """A concept of our own, such as a kind of step."""
    return coding(f"{OWN}:{kind}", code)


def own_extension(name: str, **value: object) -> Data:
    """An extension of our own."""
    return {"url": f"{OWN}:{name}", **value}
