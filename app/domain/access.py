"""Who saw or changed what: one access, and the chain of hashes that shows when one was altered.

An access has ids, an operation and a credential's name, and nothing that a person wrote.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UUID = f'({_ID.pattern})"'
# What may be asked for by name; ``into`` is the patient of a merging.
_NAMES = frozenset({"plan_id", "patient_id", "step_id", "id", "into"})
_OF_PATIENTS = frozenset({"patient_id", "into"})
# The id of a patient, or of a plan, a step or the thing itself. In JSON a quote inside a text is
# escaped, so that only a member itself can look like this. What every match begins with is written
# first: it is then looked for many times as fast.
_SHOWN = re.compile(
    f'id":"(?:(?<="patient_id":"){_UUID}|(?:(?<="id":")|(?<="plan_id":")|(?<="step_id":")){_UUID})'
)
# In a resource of FHIR patients are named so.
_RESOURCE = '{"resourceType":"'
_OF_FHIR = re.compile(f'":"(?:Patient/|Patient","id":"){_UUID}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One request that read patients' data, or with ``stored`` changed it."""

    at: datetime
    credential: str
    operation: str
    stored: bool
    ids: tuple[str, ...]
    """Plans, patients and steps that were asked for or shown, each once."""
    patients: tuple[str, ...] = ()
    """Of them the patients, and the patients of the plans."""

    def to_data(self) -> dict[str, Any]:
        """The access as it is stored and hashed."""
        return {
            "at": self.at.isoformat(),
            "credential": self.credential,
            "operation": self.operation,
            "stored": self.stored,
            "ids": list(self.ids),
            "patients": list(self.patients),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Access":
        """The access that was stored."""
        return cls(
            at=datetime.fromisoformat(data["at"]),
            credential=data["credential"],
            operation=data["operation"],
            stored=data["stored"],
            ids=tuple(data["ids"]),
            patients=tuple(data["patients"]),
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """The ids in an answer, each once, in its order; ``patients`` are those named as such."""

    ids: tuple[str, ...]
    patients: tuple[str, ...]


def shown_in(named: Mapping[str, str], answer: bytes) -> Shown:
    """What ids an address names and a JSON answer shows; nothing but ids is ever taken."""
    found = [
        (one if name in _OF_PATIENTS else "", one)
        for name, text in named.items()
        if name in _NAMES
        for one in (text if _ID.fullmatch(text) else str(UUID(text)),)
    ]
    text = answer.decode()
    found += _SHOWN.findall(text)
    if text.startswith(_RESOURCE):
        found += [(patient, patient) for patient in _OF_FHIR.findall(text)]
    return Shown(
        tuple(dict.fromkeys([patient or other for patient, other in found])),
        tuple(dict.fromkeys([patient for patient, _ in found if patient])),
    )


def written(accesses: Iterable[Access]) -> str:
    """A batch of accesses as it is stored and hashed."""
    return json.dumps([access.to_data() for access in accesses], separators=(",", ":"))


def read(text: str) -> tuple[Access, ...]:
    """The accesses of a batch that was stored."""
    return tuple(Access.from_data(data) for data in json.loads(text))


def chained(clinic_id: UUID, number: int, at: datetime, previous: str, accesses: str) -> str:
    """The hash of a batch of accesses: SHA-256 over it and the hash of the batch before it."""
    head = json.dumps([str(clinic_id), number, at.isoformat(), previous], separators=(",", ":"))
    return hashlib.sha256(f"{head}\n{accesses}".encode()).hexdigest()
