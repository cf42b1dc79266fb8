"""The errors of the domain; they know nothing of HTTP or storage."""

from dataclasses import dataclass


class DomainError(Exception):
    """A rule is broken and there is nothing for the caller to choose; the text is for people."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a document: where (JSON pointer), a stable code, one sentence."""

    pointer: str
    code: str
    text: str


class Faults(DomainError):
    """All faults of a document at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.text}" for fault in faults))
        self.faults = faults
