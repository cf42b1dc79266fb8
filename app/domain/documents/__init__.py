"""Protocol documents and clinic rules as plain data: reading, writing, their JSON Schema."""

from app.domain.documents.clinic_rules import (
    ClinicRules,
    InvalidClinicRules,
    clinic_rules_schema,
    clinic_rules_to_data,
    parse_clinic_rules,
)
from app.domain.documents.protocol_reading import parse_protocol
from app.domain.documents.protocol_writing import content_hash, document_to_data, protocol_schema
from app.domain.documents.protocols import InvalidProtocol, ProtocolDocument

__all__ = [
    "ClinicRules",
    "InvalidClinicRules",
    "InvalidProtocol",
    "ProtocolDocument",
    "clinic_rules_schema",
    "clinic_rules_to_data",
    "content_hash",
    "document_to_data",
    "parse_clinic_rules",
    "parse_protocol",
    "protocol_schema",
]
