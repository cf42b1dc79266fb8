"""What a clinician must confirm before a protocol is used."""

from app.domain.documents import parse_protocol
from app.domain.documents.approval import Approval, approval_faults
from app.domain.documents.figures import to_confirm
from tests.domain.given_documents import sample

DOCUMENT = parse_protocol(sample("protocol-format-1"))
EVERYTHING = tuple(figure.id for figure in to_confirm(DOCUMENT))


def approval(*confirmed: str, read: bool = True, note: str | None = None) -> Approval:
    return Approval("Dr. Vale", "MD", "sha256:x", read, confirmed, note)


def faults_of(given: Approval, *, unconfirmed: bool = False) -> list[tuple[str, str]]:
    faults = approval_faults(given, DOCUMENT, unconfirmed=unconfirmed)
    return [(fault.pointer, fault.code) for fault in faults]


def test_a_whole_approval_has_no_faults() -> None:
    assert faults_of(approval(*EVERYTHING)) == []


def test_every_default_must_be_confirmed_by_name() -> None:
    faults = approval_faults(approval(*EVERYTHING[1:]), DOCUMENT, unconfirmed=False)

    assert [fault.text for fault in faults] == [f"'{EVERYTHING[0]}' is a default and not confirmed"]


def test_the_evidence_note_must_be_read() -> None:
    assert faults_of(approval(*EVERYTHING, read=False)) == [
        ("/evidence_note_read", "not-confirmed")
    ]


def test_figures_that_come_from_sources_may_be_confirmed_too() -> None:
    assert faults_of(approval(*EVERYTHING, "primers.max")) == []


def test_a_figure_that_is_none_is_told() -> None:
    assert faults_of(approval("no.figure", *EVERYTHING)) == [("/confirmed/0", "unknown-figure")]


def test_an_example_in_a_sandbox_needs_nothing_confirmed() -> None:
    assert faults_of(approval(read=False), unconfirmed=True) == []
    assert faults_of(approval("no.figure"), unconfirmed=True) == [
        ("/confirmed/0", "unknown-figure")
    ]


def test_an_approval_is_kept_as_it_was_given() -> None:
    assert approval("primer.timing", note="for adults").as_data() == {
        "name": "Dr. Vale",
        "credential": "MD",
        "content_hash": "sha256:x",
        "evidence_note_read": True,
        "confirmed": ["primer.timing"],
        "note": "for adults",
    }
    assert "note" not in approval().as_data()
