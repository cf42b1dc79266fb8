"""The shapes of protocols on the wire; the documents themselves have a published schema."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.api.fields import In, Instant, Line, Out, Paragraphs, YesNo
from app.domain.documents.approval import Approval
from app.domain.documents.figures import Figure, to_confirm
from app.services.protocols import (
    ProtocolRecord,
    StoredVersion,
    VersionSummary,
)

Version = Annotated[
    str,
    Field(max_length=20, pattern=r"^(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){2}$"),
]
FigureId = Annotated[str, Field(max_length=140, pattern=r"^[a-z][a-z0-9_-]*\.[a-z_]+$")]
ContentHash = Annotated[str, Field(max_length=71, pattern="^sha256:[0-9a-f]{64}$")]
Status = Literal["draft", "active", "retired"]

_HASH = "sha256:70db3f16ff7fd4bd6a2a2b9f2c6d1f5b0c6a7e8f9d0b1c2d3e4f5061728394a5"
_AT = "2027-01-04T16:00:00Z"
_SUMMARY: dict[str, Any] = {
    "key": "ankle-prp",
    "version": "1.0.0",
    "status": "draft",
    "example": True,
    "title": "Ankle PRP (one or two injections)",
    "content_hash": _HASH,
    "revision": 1,
    "authors": ["key:robin-vale"],
    "created_at": _AT,
    "updated_at": _AT,
    "activated_at": None,
    "retired_at": None,
}
_FIGURE: dict[str, Any] = {
    "id": "consult.timing",
    "pointer": "/steps/0/timings",
    "text": "Consultation and consent: not before 90 days before, best 28 days before",
    "sources": ["cfg"],
}
_APPROVAL: dict[str, Any] = {
    "name": "Dr. Robin Vale",
    "credential": "MD, Colorado DR.0012345",
    "content_hash": _HASH,
    "evidence_note_read": True,
    "confirmed": ["consult.timing"],
    "note": None,
}
_DOCUMENT: dict[str, Any] = {
    "format": 1,
    "key": "ankle-prp",
    "version": "1.0.0",
    "title": "Ankle PRP (one or two injections)",
    "anchor": "prp1",
    "steps": [{"key": "prp1", "kind": "injection", "title": "First PRP injection"}],
}


class VersionSummaryOut(Out):
    """A version of a protocol without its document."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SUMMARY]})

    key: str = Field(description="The protocol's key.")
    version: str = Field(description="The version.")
    status: Status = Field(
        description="Drafts are edited; by the active one new plans are made; retired ones rest."
    )
    example: bool = Field(description="Whether it is an example that needs a clinician's review.")
    title: str = Field(description="For people.")
    content_hash: str = Field(description="Names everything the document says; approval needs it.")
    revision: int = Field(description="How often it was stored; edits need it in `If-Match`.")
    authors: list[str] = Field(
        description="Who wrote what it says, as far as that was not approved before: none of "
        "them may approve it. Nobody of the clinic wrote the library."
    )
    created_at: Instant = Field(description="When it was drafted.")
    updated_at: Instant = Field(description="When it was last changed.")
    activated_at: Instant | None = Field(description="When it was approved.")
    retired_at: Instant | None = Field(description="When it was retired.")

    @classmethod
    def from_domain(cls, version: VersionSummary) -> "VersionSummaryOut":
        """The version as clients see it."""
        return cls(**_summary(version))


def _summary(version: VersionSummary) -> dict[str, Any]:
    return {
        "key": version.protocol_key,
        "version": version.version,
        "status": version.status,
        "example": version.example,
        "title": version.title,
        "content_hash": version.content_hash,
        "revision": version.revision,
        "authors": sorted(version.writers),
        "created_at": version.created_at,
        "updated_at": version.updated_at,
        "activated_at": version.activated_at,
        "retired_at": version.retired_at,
    }


_PROTOCOL: dict[str, Any] = {
    "key": "ankle-prp",
    "title": "Ankle PRP (one or two injections)",
    "active_version": None,
    "versions": [_SUMMARY],
    "created_at": _AT,
}


class ProtocolOut(Out):
    """A protocol with its versions."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROTOCOL]})

    key: str = Field(description="Its key.")
    title: str = Field(description="What it was called when it was added.")
    active_version: str | None = Field(description="The version by which new plans are made.")
    versions: list[VersionSummaryOut] = Field(description="Its versions, the newest first.")
    created_at: Instant = Field(description="When it was added.")

    @classmethod
    def from_domain(cls, protocol: ProtocolRecord) -> "ProtocolOut":
        """The protocol as clients see it."""
        active = [version.version for version in protocol.versions if version.status == "active"]
        return cls(
            key=protocol.key,
            title=protocol.title,
            active_version=next(iter(active), None),
            versions=[VersionSummaryOut.from_domain(version) for version in protocol.versions],
            created_at=protocol.created_at,
        )


class ProtocolsOut(Out):
    """A page of protocols."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_PROTOCOL], "next": None}]}
    )

    items: list[ProtocolOut] = Field(description="The protocols, by key.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class VersionsOut(Out):
    """The versions of a protocol."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SUMMARY], "next": None}]})

    items: list[VersionSummaryOut] = Field(description="The versions, the newest first.")
    next: None = Field(description="Always null: a protocol has few versions.")


class FigureOut(Out):
    """One figure of a protocol and where it comes from; `cfg` marks a clinic's default."""

    id: str = Field(description="Its name, which an approval confirms.")
    pointer: str = Field(description="Where it stands in the document.")
    text: str = Field(description="The figure in words.")
    sources: list[str] = Field(description="Ids of its sources.")

    @classmethod
    def from_domain(cls, figure: Figure) -> "FigureOut":
        """The figure as clients see it."""
        sources = list(figure.sources)
        return cls(id=figure.id, pointer=figure.pointer, text=figure.text, sources=sources)


class ApprovalOut(Out):
    """Who approved a version, and what was confirmed."""

    name: str = Field(description="The clinician's name.")
    credential: str = Field(description="By what right.")
    content_hash: str = Field(description="What was approved.")
    evidence_note_read: bool = Field(description="Whether the evidence note was read.")
    confirmed: list[str] = Field(description="The clinic's defaults that were confirmed.")
    taken_over: list[str] = Field(
        default=[], description="Those confirmed already with an included version."
    )
    note: str | None = Field(default=None, description="What else was said.")
    at: Instant = Field(description="When.")
    actor: str = Field(description="Who called this service.")


class IncludedOut(Out):
    """A version of another protocol that became a part of this one."""

    key: str = Field(description="What its keys have in front: side_a gives side_a_session.")
    protocol: str = Field(description="Its protocol's key.")
    version: str = Field(description="Its version.")
    content_hash: str = Field(description="Names what it said when it was taken in.")


class VersionOut(VersionSummaryOut):
    """A version of a protocol with its document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_SUMMARY,
                    "evidence_note": "A trial found no benefit over saline.",
                    "to_confirm": [_FIGURE],
                    "approval": None,
                    "document": _DOCUMENT,
                    "included": [],
                    "expanded": None,
                }
            ]
        }
    )

    evidence_note: str | None = Field(
        description="What is known and what is not; to be read before approval."
    )
    to_confirm: list[FigureOut] = Field(
        description="Defaults without a published figure, which an approval must confirm. "
        "Those of an included version which its own approval confirmed are not among them."
    )
    approval: ApprovalOut | None = Field(description="The approval, once it is active.")
    document: dict[str, Any] = Field(
        description="The document as it was written; `GET /v1/protocols/schema` describes it."
    )
    included: list[IncludedOut] = Field(
        description="The versions of other protocols which it includes, their parts too."
    )
    expanded: dict[str, Any] | None = Field(
        description="The document with all it includes among its own steps and rules, by which "
        "plans are made, and into which `pointer`s lead; null where it includes nothing."
    )

    @classmethod
    def of_version(cls, stored: StoredVersion) -> "VersionOut":
        """The version as clients see it."""
        record, written = stored.record, stored.record.written_as
        return cls(
            **_summary(record),
            evidence_note=stored.document.evidence_note,
            to_confirm=[
                FigureOut.from_domain(figure)
                for figure in to_confirm(stored.document)
                if figure.id not in stored.taken_over
            ],
            approval=None if record.approval is None else ApprovalOut(**record.approval),
            document=record.document if written is None else written["document"],
            included=[] if written is None else written["included"],
            expanded=None if written is None else record.document,
        )


class NewVersionIn(In):
    """A new draft of a protocol."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"version": "1.1.0", "from": "1.0.0"}]}
    )

    version: Version = Field(description="The version it is to be.")
    source: Version | None = Field(
        default=None,
        alias="from",
        description="The version whose document it begins with; by default the active one.",
    )


class ApprovalIn(In):
    """A clinician's approval of what a draft says."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_APPROVAL, "retire_active": False}]}
    )

    name: Line = Field(description="The name of the clinician who approves.")
    credential: Line = Field(description="By what right: a licence, a role.")
    content_hash: ContentHash = Field(
        description="The content that was read; where the draft says something else, it is refused."
    )
    evidence_note_read: YesNo = Field(description="Whether the evidence note was read.")
    confirmed: list[FigureId] = Field(
        default=[],
        max_length=2000,
        description="Every figure of `to_confirm` that holds for this clinic. A sandbox clinic "
        "may leave them unconfirmed in an example.",
    )
    note: Paragraphs | None = Field(default=None, description="What else is to be said.")
    retire_active: YesNo = Field(
        default=False, description="Whether a version that is active now is retired for it."
    )

    def to_domain(self) -> Approval:
        """What the use-case takes."""
        return Approval(
            name=self.name,
            credential=self.credential,
            content_hash=self.content_hash,
            evidence_note_read=self.evidence_note_read,
            confirmed=tuple(self.confirmed),
            note=self.note,
        )


class InstalledOut(Out):
    """The built-in protocols that were copied into the clinic."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"installed": [_SUMMARY]}]})

    installed: list[VersionSummaryOut] = Field(
        description="The new drafts; protocols whose key was taken are left as they are."
    )
