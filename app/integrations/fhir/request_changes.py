"""What a request that was changed elsewhere means for its plan: only its status is changed there.

https://hl7.org/fhir/R4/servicerequest.html. Days are moved by the Appointment, and what was done
is recorded by a Procedure.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.errors import Fault
from app.integrations.fhir.elements import OWN, Data

# What clients leave out or write in their own way, and nothing hangs on.
_LOOSE = frozenset({"meta", "text", "authoredOn", "status"})
_OPEN = frozenset({"draft", "active", "on-hold"})


def faults_in(known: Data, sent: Mapping[str, Any]) -> list[Fault]:
    """What cannot be taken of a request that was sent."""
    given = {**sent, "extension": [one for one in sent.get("extension", ()) if not _told(one)]}
    faults = [
        Fault(f"ServiceRequest.{name}", "not-supported", "must stay: only the status is changed")
        for name in sorted((known.keys() | given.keys()) - _LOOSE)
        if (known.get(name) or None) != (given.get(name) or None)
    ]
    was, status = known["status"], sent.get("status")
    reopened = was == "revoked" and status in _OPEN
    if status not in {was, "revoked"} and not reopened:
        text = "must be revoked, or active where it was; what was done is told by a Procedure"
        faults.append(Fault("ServiceRequest.status", "not-allowed", text))
    return faults


def _told(extension: Mapping[str, Any]) -> bool:
    """Whether it is a move that the answer to an earlier change has told."""
    return extension.get("url") == f"{OWN}:move"


def changes_of(known: Data, sent: Mapping[str, Any]) -> list[Data]:
    """The changes that give the step the status that was sent: called off, or wanted again."""
    if sent["status"] == known["status"]:
        return []
    type_ = "cancel" if sent["status"] == "revoked" else "restore"
    return [{"type": type_, "step_id": known["id"]}]
