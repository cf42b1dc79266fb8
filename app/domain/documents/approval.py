"""A clinician's approval of a protocol version: what must be confirmed before it is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.documents.figures import figures, to_confirm
from app.domain.documents.protocols import ProtocolDocument
from app.domain.errors import Fault


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approves which content, by what right, and which figures are confirmed."""

    name: str
    credential: str
    content_hash: str
    evidence_note_read: bool
    confirmed: tuple[str, ...] = ()
    note: str | None = None

    def as_data(self) -> dict[str, Any]:
        """The approval as it is kept with the version."""
        data: dict[str, Any] = {
            "name": self.name,
            "credential": self.credential,
            "content_hash": self.content_hash,
            "evidence_note_read": self.evidence_note_read,
            "confirmed": list(self.confirmed),
        }
        return data if self.note is None else {**data, "note": self.note}


def taken_over(
    include: Mapping[str, Any], part: ProtocolDocument, approval: Mapping[str, Any]
) -> frozenset[str]:
    """The figures of a whole which the approval of an included version has confirmed.

    Not those which the include itself says: when the part's anchor is, and what it fixes.
    """
    own = {f"{key}.default" for key in include.get("parameters", {})}
    if "timings" in include or "alternatives" in include:
        own.add(f"{part.protocol.anchor}.timing")
    confirmed = {*approval["confirmed"], *approval.get("taken_over", ())}
    return frozenset(f"{include['key']}_{figure}" for figure in confirmed - own)


def approval_faults(
    approval: Approval,
    document: ProtocolDocument,
    *,
    unconfirmed: bool,
    taken_over: frozenset[str] = frozenset(),
) -> tuple[Fault, ...]:
    """What is missing: each default that is not confirmed, an evidence note that was not read.

    With ``unconfirmed`` nothing has to be confirmed; figures that are none are told anyway.
    ``taken_over`` were confirmed with an included version.
    """
    known = {figure.id for figure in figures(document)}
    faults = [
        Fault(f"/confirmed/{index}", "unknown-figure", "the version has no such figure")
        for index, figure in enumerate(approval.confirmed)
        if figure not in known
    ]
    if unconfirmed:
        return tuple(faults)
    if not approval.evidence_note_read:
        text = "the evidence note must be read"
        faults.append(Fault("/evidence_note_read", "not-confirmed", text))
    confirmed = taken_over.union(approval.confirmed)
    faults.extend(
        Fault("/confirmed", "not-confirmed", f"'{figure.id}' is a default and not confirmed")
        for figure in to_confirm(document)
        if figure.id not in confirmed
    )
    return tuple(faults)
