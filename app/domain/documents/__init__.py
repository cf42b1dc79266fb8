"""Protocol documents and clinic rules as plain data: reading, writing, their JSON Schema."""

from app.domain.documents.clinic_rules import (
    ClinicRules,
    InvalidClinicRules,
    clinic_rules_schema,
    clinic_rules_to_data,
    parse_clinic_rules,
)
from app.domain.documents.including import Expanded, VersionName, expand, versions_included
from app.domain.documents.protocol_reading import parse_protocol
from app.domain.documents.protocol_writing import (
    content_hash,
    document_to_data,
    protocol_schema,
    written_as_data,
)
from app.domain.documents.protocols import InvalidProtocol, ProtocolDocument, WrittenAs

__all__ = [
    "ClinicRules",
    "Expanded",
    "InvalidClinicRules",
    "InvalidProtocol",
    "ProtocolDocument",
    "VersionName",
    "WrittenAs",
    "clinic_rules_schema",
    "clinic_rules_to_data",
    "content_hash",
    "document_to_data",
    "expand",
    "parse_clinic_rules",
    "parse_protocol",
    "protocol_schema",
    "versions_included",
    "written_as_data",
]
