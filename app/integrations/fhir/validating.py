"""Whether what was sent is a resource of R4 at all, by somebody else's models of it.

They are large: loaded by the first resource that is sent. They know no invariants; whoever reads a
resource looks at those.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from app.domain.errors import Fault
from app.integrations.fhir.findings import Findings

_NOT_OF_R4 = "is missing, or not as R4 has it"
# Where the models tell only some of the codes that an element may have.
_MORE = frozenset({"+", "etc."})


def validate_plan_definition(resource: Mapping[str, Any], findings: Findings) -> None:
    """Refuse every place that is not as R4 has it."""
    for fault in faults_by_r4({**resource, "resourceType": "PlanDefinition"}):
        code = "code-invalid" if fault.code == "not-allowed" else fault.code
        findings.refuse(fault.pointer, code, fault.text)


def faults_by_r4(resource: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The places, as FHIRPath, in which a resource of a known type is not as R4 has it."""
    from fhir.resources.R4B import get_fhir_model_class

    type_ = resource["resourceType"]
    try:
        model = get_fhir_model_class(type_).model_validate(resource)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        places = dict.fromkeys(_expression(type_, one["loc"]) for one in found)
    except (AttributeError, TypeError):
        # The models stumble over values that are not even of the right sort.
        places = {type_: None}
    else:
        empty = (Fault(at, "structure", _NOT_OF_R4) for at in _empty_places(resource, type_))
        return (*empty, *_wrong_codes(model, type_))
    return tuple(Fault(at, "structure", _NOT_OF_R4) for at in places)


def _wrong_codes(part: Any, at: str) -> Iterator[Fault]:
    """Codes that are none of those to which R4 binds an element."""
    if isinstance(part, list):
        for place, one in enumerate(part):
            yield from _wrong_codes(one, f"{at}[{place}]")
    elif isinstance(part, BaseModel):
        for name, field in type(part).model_fields.items():
            value, below = getattr(part, name), f"{at}.{field.alias or name}"
            more = field.json_schema_extra
            known = more.get("enum_values") if isinstance(more, dict) else None
            if isinstance(known, list) and not _MORE & set(map(str, known)):
                yield from _others(value, known, below)
            yield from _wrong_codes(value, below)


def _others(value: Any, known: list[Any], at: str) -> Iterator[Fault]:
    codes = value if isinstance(value, list) else [value]
    if any(isinstance(one, str) and one not in known for one in codes):
        yield Fault(at, "not-allowed", f"must be one of {', '.join(map(str, known))}")


def _empty_places(part: Any, at: str) -> Iterator[str]:
    """Nothing in FHIR's JSON is there and empty: https://hl7.org/fhir/R4/json.html

    Only in a list beside another one, of extensions, is a null that keeps the place.
    """
    if part in (None, {}, [], ""):
        yield at
    elif isinstance(part, dict):
        for name, value in part.items():
            has_places = isinstance(value, list) and (name[:1] == "_" or f"_{name}" in part)
            kept = [one for one in value if one is not None] if has_places else value
            yield from _empty_places(kept, f"{at}.{name}")
    elif isinstance(part, list):
        for place, value in enumerate(part):
            yield from _empty_places(value, f"{at}[{place}]")


def _expression(type_: str, places: tuple[int | str, ...]) -> str:
    found = type_
    for place in places:
        found += f"[{place}]" if isinstance(place, int) else f".{place}"
    return found
