"""The whole check of a protocol: every fault and every warning, each with its JSON pointer."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.domain.checks.contradictions import contradictions
from app.domain.checks.warnings import warnings
from app.domain.documents import InvalidProtocol, ProtocolDocument, VersionName, expand
from app.domain.errors import Fault

NO_PARTS: Mapping[VersionName, ProtocolDocument] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; without faults the protocol can be stored."""

    document: ProtocolDocument | None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    def sound(self) -> ProtocolDocument:
        """The document, with what it includes taken in. Raises InvalidProtocol with every fault."""
        if self.document is None or self.faults:
            raise InvalidProtocol(self.faults)
        return self.document


def check_data(data: Any, known: Mapping[VersionName, ProtocolDocument] = NO_PARTS) -> Checked:
    """Check plain data that should be a protocol document; ``known`` holds what it includes."""
    try:
        whole = expand(data, known)
    except InvalidProtocol as error:
        return Checked(None, error.faults)
    found = check_document(whole.document)
    return Checked(
        whole.document,
        tuple(map(whole.at_home, found.faults)),
        tuple(map(whole.at_home, found.warnings)),
    )


def check_document(document: ProtocolDocument) -> Checked:
    """Check a document whose parts are sound: whether they hold together."""
    return Checked(document, contradictions(document), warnings(document))
