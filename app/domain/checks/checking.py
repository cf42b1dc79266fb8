"""The whole check of a protocol: every fault and every warning, each with its JSON pointer."""

from dataclasses import dataclass
from typing import Any

from app.domain.checks.contradictions import contradictions
from app.domain.checks.warnings import warnings
from app.domain.documents import InvalidProtocol, ProtocolDocument, parse_protocol
from app.domain.errors import Fault


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; without faults the protocol can be stored."""

    document: ProtocolDocument | None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def check_data(data: Any) -> Checked:
    """Check plain data that should be a protocol document."""
    try:
        document = parse_protocol(data)
    except InvalidProtocol as error:
        return Checked(None, error.faults)
    return check_document(document)


def check_document(document: ProtocolDocument) -> Checked:
    """Check a document whose parts are sound: whether they hold together."""
    return Checked(document, contradictions(document), warnings(document))


def sound_document(data: Any) -> ProtocolDocument:
    """The document which this data writes down. Raises InvalidProtocol with every fault."""
    checked = check_data(data)
    if checked.document is None or checked.faults:
        raise InvalidProtocol(checked.faults)
    return checked.document
