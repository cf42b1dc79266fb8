"""What the FHIR face can do, told from what is routed.

https://hl7.org/fhir/R4/capabilitystatement.html and
https://hl7.org/fhir/smart-app-launch/STU2/conformance.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.api.fhir import scopes
from app.api.fhir.bundles import BATCH, TRANSACTION
from app.api.fhir.interactions import Face, Interaction
from app.api.fhir.queries import COMMON, Parameter, modifiers_of

Data = dict[str, Any]

# Of the statement itself, not of the software: it changes when what is told here does.
DATE = "2026-11-23"
_OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_ORDER = (
    *("read", "vread", "update", "patch", "delete", "history-instance", "create"),
    "search-type",
)


def capability_statement(
    interactions: Sequence[Interaction], public_url: str, base: str, version: str
) -> Data:
    """The statement of this service, for ``metadata``."""
    faces = {one.face.type: one.face for one in interactions if one.face is not None}
    resources = [_resource(faces[type_], interactions) for type_ in sorted(faces)]
    rest: Data = {"mode": "server", "security": _security(public_url), "resource": resources}
    rest["interaction"] = [{"code": TRANSACTION}, {"code": BATCH}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "publisher": "Regimen",
        "kind": "instance",
        "software": {"name": "Regimen", "version": version},
        "implementation": {"description": "Treatment-plan scheduling", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json"],
        "rest": [rest],
    }


def smart_configuration(public_url: str) -> Data:
    """Where clients are given tokens and for what, for ``.well-known/smart-configuration``."""
    return {
        "token_endpoint": f"{public_url}/oauth/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "scopes_supported": scopes.offered(),
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }


def _resource(face: Face, interactions: Iterable[Interaction]) -> Data:
    mine = [one for one in interactions if one.face is face]
    codes = {one.code for one in mine if not one.code.startswith("$")}
    data: Data = {"type": face.type}
    if face.profile is not None:
        data["supportedProfile"] = [face.profile]
    data["documentation"] = face.text
    data["interaction"] = [{"code": code} for code in _ORDER if code in codes]
    data["versioning"] = "versioned-update" if "update" in codes else "versioned"
    data["readHistory"] = face.history is not None
    data["updateCreate"] = False
    if face.conditional_create:
        data["conditionalCreate"] = True
    if face.read is not None:
        data["conditionalRead"] = "not-match"
    if face.includes:
        data["searchInclude"] = list(face.includes)
    if face.reverse:
        data["searchRevInclude"] = list(face.reverse)
    if face.search is not None:
        data["searchParam"] = [_parameter(one) for one in (*COMMON, *face.parameters)]
    if face.operations:
        data["operation"] = [
            {"name": one.name, "definition": one.definition} for one in face.operations
        ]
    return data


def _parameter(parameter: Parameter) -> Mapping[str, str]:
    said = [parameter.text]
    modifiers = modifiers_of(parameter)
    if parameter.type == "reference" and modifiers:
        said.append(f"Also by what it points to, as `{parameter.name}.identifier`.")
    elif modifiers:
        said.append(f"Also with {' and '.join(f'`:{one}`' for one in modifiers)}.")
    return {"name": parameter.name, "type": parameter.type, "documentation": " ".join(said)}


def _security(public_url: str) -> Data:
    token = {"url": "token", "valueUri": f"{public_url}/oauth/token"}
    return {
        "extension": [{"url": _OAUTH, "extension": [token]}],
        "cors": True,
        "service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}],
        "description": "SMART Backend Services: tokens for assertions that a client signs.",
    }
