"""The operations on types of resources; what does one is loaded by the first who asks for it."""

from app.api.fhir.interactions import Answer, Ask, Operation


async def _apply(ask: Ask) -> Answer:
    from app.api.fhir.apply import apply  # noqa: PLC0415 - most clients read plans and apply none

    return await apply(ask)


def _is_kept(body: object) -> bool:
    """Whether an application is to be stored."""
    listed = body.get("parameter") if isinstance(body, dict) else None
    return isinstance(listed, list) and any(
        isinstance(one, dict) and one.get("name") == "persist" and one.get("valueBoolean") is True
        for one in listed
    )


APPLY = Operation(
    name="apply",
    definition="http://hl7.org/fhir/OperationDefinition/PlanDefinition-apply",
    right="CarePlan.r",
    run=_apply,
    of_type=True,
    of_instance=True,
    methods=("GET", "POST"),
    writes=_is_kept,
    storing="CarePlan.c",
)
