"""Whether what was sent is a resource of R4 at all, by somebody else's models of it.

They are large: loaded by the first resource that is sent. They know neither required bindings nor
invariants; whoever reads a resource looks at those.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from app.integrations.fhir.findings import Findings


def validate_plan_definition(resource: Mapping[str, Any], findings: Findings) -> None:
    """Refuse every place that is not as R4 has it."""
    from fhir.resources.R4B.plandefinition import PlanDefinition

    try:
        PlanDefinition.model_validate(resource)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            at = _expression(one["loc"])
            findings.refuse(at, "structure", "is missing, or not as R4 has it")


def _expression(places: tuple[int | str, ...]) -> str:
    found = "PlanDefinition"
    for place in places:
        found += f"[{place}]" if isinstance(place, int) else f".{place}"
    return found
