"""Patients that other systems send: https://hl7.org/fhir/R4/patient.html

As little is taken as scheduling needs; what is left out is said.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.errors import Fault

_READ = frozenset({"resourceType", "id", "meta", "text", "identifier", "active", "name"})
_KEPT = _READ | {"birthDate"}

Data = dict[str, Any]


def native_patient(resource: Mapping[str, Any]) -> tuple[Data, list[Fault]]:
    """The body of a native request for this patient, and what is wrong with the resource."""
    faults: list[Fault] = []
    if resource.get("active") is False:
        faults.append(Fault("Patient.active", "not-supported", "must be true, or left out"))
    body: Data = {"identifiers": []}
    for place, one in enumerate(resource.get("identifier", ())):
        at = f"Patient.identifier[{place}]"
        missing = [name for name in ("system", "value") if name not in one]
        faults += [Fault(f"{at}.{name}", "missing", "is required") for name in missing]
        body["identifiers"].append({"system": one.get("system"), "value": one.get("value")})
    name = _name(resource.get("name", ()))
    if name:
        body["name"] = name
    born = resource.get("birthDate")
    if born is not None and len(str(born)) != len("1975-06-30"):
        faults.append(Fault("Patient.birthDate", "not-a-day", "must be a whole day"))
    if born is not None:
        body["birth_date"] = born
    return body, faults


def left_out(resource: Mapping[str, Any], known: frozenset[str] = _KEPT) -> list[str]:
    """What is not kept of a resource, in words."""
    return [f"'{name}' is not kept" for name in sorted(resource.keys() - known)]


def _name(names: Any) -> str:
    """The name by which a person is shown: as it is written, or family name first."""
    preferred = sorted(names, key=lambda one: one.get("use") not in {"official", "usual", None})
    for one in preferred[:1]:
        if one.get("text"):
            return str(one["text"])
        # One that has only an extension is null.
        given = " ".join(filter(None, one.get("given", ())))
        return ", ".join(part for part in (one.get("family"), given) if part)
    return ""
