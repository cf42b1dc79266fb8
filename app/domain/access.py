"""Who saw or changed what: one access, and the chain of hashes that shows when one was altered.

An access has ids, an operation and a credential's name, and nothing that a person wrote.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

# In JSON a quote inside a text is escaped, so that only a member itself can look like this.
_MEMBER = b'id":"'
_ID = re.compile(rb'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"')
_LENGTH = 36
_PATIENT = b'"patient_'
# What stands before it where it is the id of a plan, a patient, a step, or of the thing itself.
_WANTED = (b'"', _PATIENT, b'"plan_', b'"step_')


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
    ids: dict[str, None] = {}
    patients: dict[str, None] = {}
    for name in ("plan_id", "patient_id", "step_id"):
        if name in named:
            one = str(UUID(named[name]))
            ids[one] = None
            if name == "patient_id":
                patients[one] = None
    # Many times as fast as looking for the whole with one expression.
    before, *parts = answer.split(_MEMBER)
    for part in parts:
        if before.endswith(_WANTED) and _ID.match(part):
            one = part[:_LENGTH].decode()
            ids[one] = None
            if before.endswith(_PATIENT):
                patients[one] = None
        before = part
    return Shown(tuple(ids), tuple(patients))


def chained(
    clinic_id: UUID, number: int, at: datetime, previous: str, rows: Sequence[Mapping[str, Any]]
) -> str:
    """The hash of a batch of accesses: SHA-256 over it and the hash of the batch before it."""
    whole = [str(clinic_id), number, at.isoformat(), previous, rows]
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
