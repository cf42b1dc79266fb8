"""Protocol documents and clinic rules as plain data: reading, writing, their JSON Schema."""

from app.domain.documents.protocol_reading import parse_protocol
from app.domain.documents.protocol_writing import content_hash, document_to_data, protocol_schema
from app.domain.documents.protocols import InvalidProtocol, ProtocolDocument

__all__ = [
    "InvalidProtocol",
    "ProtocolDocument",
    "content_hash",
    "document_to_data",
    "parse_protocol",
    "protocol_schema",
]
