"""Whether what was sent is a resource of R4 at all, by somebody else's models of it.

They are large: loaded by the first resource that is sent. They know neither required bindings nor
invariants; whoever reads a resource looks at those.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from app.integrations.fhir.findings import Findings


def validate_plan_definition(resource: Mapping[str, Any], findings: Findings) -> None:
    """Refuse every place that is not as R4 has it."""
    for at in places_not_of_r4({**resource, "resourceType": "PlanDefinition"}):
        findings.refuse(at, "structure", "is missing, or not as R4 has it")


def places_not_of_r4(resource: Mapping[str, Any]) -> list[str]:
    """The places, as FHIRPath, in which a resource of a known type is not as R4 has it."""
    from fhir.resources.R4B import get_fhir_model_class

    type_ = resource["resourceType"]
    try:
        get_fhir_model_class(type_).model_validate(resource)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return list(dict.fromkeys(_expression(type_, one["loc"]) for one in found))
    except (AttributeError, TypeError):
        # The models stumble over values that are not even of the right sort.
        return [type_]
    return list(_empty_places(resource, type_))


def _empty_places(part: Any, at: str) -> Iterator[str]:
    """Nothing in FHIR's JSON is there and empty: https://hl7.org/fhir/R4/json.html"""
    if part in ({}, [], ""):
        yield at
    elif isinstance(part, dict):
        for name, value in part.items():
            yield from _empty_places(value, f"{at}.{name}")
    elif isinstance(part, list):
        for place, value in enumerate(part):
            yield from _empty_places(value, f"{at}[{place}]")


def _expression(type_: str, places: tuple[int | str, ...]) -> str:
    found = type_
    for place in places:
        found += f"[{place}]" if isinstance(place, int) else f".{place}"
    return found
