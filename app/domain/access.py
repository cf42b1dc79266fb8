"""Who saw or changed what: one access, and the chain of hashes that shows when one was altered.

An access has ids, an operation and a credential's name, and nothing that a person wrote.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

# In JSON a quote inside a text is escaped, so that only a member itself can look like this.
_ID = re.compile(rb'id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"')
_MEMBERS = ((b'"plan_', "plan"), (b'"patient_', "patient"), (b'"step_', "step"), (b'"', "own"))
_LONGEST = max(len(before) for before, _ in _MEMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One request that read patients' data, or with ``stored`` changed it."""

    at: datetime
    credential: str
    operation: str
    stored: bool
    ids: tuple[UUID, ...]
    """Plans, patients and steps that were asked for or shown, each once."""
    patients: tuple[UUID, ...] = ()
    """Of them the patients, and the patients of the plans."""

    def to_data(self) -> dict[str, Any]:
        """The access as it is stored and hashed."""
        return {
            "at": self.at.isoformat(),
            "credential": self.credential,
            "operation": self.operation,
            "stored": self.stored,
            "ids": [str(one) for one in self.ids],
            "patients": [str(one) for one in self.patients],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Access":
        """The access that was stored."""
        return cls(
            at=datetime.fromisoformat(data["at"]),
            credential=data["credential"],
            operation=data["operation"],
            stored=data["stored"],
            ids=tuple(map(UUID, data["ids"])),
            patients=tuple(map(UUID, data["patients"])),
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """The ids in an answer, each once, in its order; ``patients`` are those named as such."""

    ids: tuple[UUID, ...]
    patients: tuple[UUID, ...]


def shown_in(named: Mapping[str, str], answer: bytes) -> Shown:
    """What ids an address names and a JSON answer shows; nothing but ids is ever taken."""
    found = [*_named(named), *_answered(answer)]
    ids = dict.fromkeys(one for _, one in found)
    patients = dict.fromkeys(one for kind, one in found if kind == "patient")
    return Shown(tuple(map(UUID, ids)), tuple(map(UUID, patients)))


def _named(named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for kind in ("plan", "patient", "step"):
        value = named.get(f"{kind}_id")
        if value is not None:
            yield kind, str(UUID(value))


def _answered(answer: bytes) -> Iterator[tuple[str, str]]:
    for match in _ID.finditer(answer):
        start = match.start()
        before = answer[max(0, start - _LONGEST) : start]
        for ending, kind in _MEMBERS:
            if before.endswith(ending):
                yield kind, match[1].decode()
                break


def chained(
    clinic_id: UUID, number: int, at: datetime, previous: str, rows: Sequence[Mapping[str, Any]]
) -> str:
    """The hash of a batch of accesses: SHA-256 over it and the hash of the batch before it."""
    whole = [str(clinic_id), number, at.isoformat(), previous, rows]
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
