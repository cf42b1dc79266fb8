"""What is written over FHIR: read strictly, turned into native changes, answered with the moves.

https://hl7.org/fhir/R4/http.html#create, #update and #patch. There is no second way to change a
plan: a resource becomes the body that a native client would have posted.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from anyio import to_thread
from pydantic import BaseModel, ValidationError

from app.api.faults import faults_of
from app.api.fhir.interactions import Ask, Resource
from app.api.fhir.outcomes import informing, move_extension
from app.api.fhir.ways_out import of_changes
from app.api.plans.changing import ChangesIn
from app.api.refusals import ResourceRefused
from app.domain.errors import Fault, Faults
from app.domain.plans.records import move_to_data
from app.integrations.fhir.provenances import move_text
from app.integrations.fhir.validating import faults_by_r4
from app.services import plans
from app.services.plans import ChangedPlan, InvalidChange, ScheduleConflict

# Where a resource has what a field of a native body is made from.
_ELEMENTS: Mapping[str, str] = {
    "starts_at": "start",
    "ends_at": "end",
    "birth_date": "birthDate",
    "name": "name",
    "system": "identifier",
    "value": "identifier",
    "identifier": "identifier",
    "identifiers": "identifier",
    "note": "note",
}

# The same for single types.
_OF_TYPE: Mapping[str, Mapping[str, str]] = {
    "Appointment": {"at": "end", "to": "requestedPeriod"},
    "Procedure": {"at": "performed", "on": "performed"},
    "Encounter": {
        "at": "period",
        "on": "period",
        "starts_at": "period.start",
        "ends_at": "period.end",
    },
}

Body = TypeVar("Body", bound=BaseModel)


async def resource_in(ask: Ask, type_: str) -> Resource:
    """The resource that was sent. Raises ResourceRefused where it is none of this type."""
    body = ask.body
    if not isinstance(body, dict) or body.get("resourceType") != type_:
        raise ResourceRefused((Fault(type_, "structure", f"must be a {type_}"),))
    refuse(await to_thread.run_sync(faults_by_r4, body))
    return body


def refuse(faults: Iterable[Fault]) -> None:
    """Raise ResourceRefused where there are any."""
    found = tuple(faults)
    if found:
        raise ResourceRefused(found)


def native(model: type[Body], body: Mapping[str, Any], type_: str) -> Body:
    """The native body of a request. Raises ResourceRefused with what it says of the resource."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise _told(type_, faults_of(errors, body)) from None


async def change(
    ask: Ask,
    type_: str,
    plan_id: str,
    changes: list[Resource],
    *,
    revision: int,
    reason: str | None = None,
) -> ChangedPlan:
    """Change a plan as a native client would.

    Raises what ``change_plan`` raises, InvalidChange as ResourceRefused.
    """
    body = {"reason": reason, "changes": changes}
    posted = native(ChangesIn, body, type_)
    try:
        return await plans.change_plan(
            ask.ctx, UUID(plan_id), posted.to_domain(), revision=revision
        )
    except InvalidChange as error:
        raise _told(type_, error.faults) from error
    except ScheduleConflict as error:
        error.told = of_changes(error, body, plan_id)
        raise


def with_moves(resource: Resource, changed: ChangedPlan) -> Resource:
    """A resource with what moved in its plan, and why."""
    moves = [move_extension(move) for move in _moves(changed)]
    if not moves:
        return resource
    return {**resource, "extension": [*resource.get("extension", ()), *moves]}


def outcome_of_change(changed: ChangedPlan | None, beside: Iterable[str]) -> Resource:
    """What became of a change, for who prefers to be told."""
    moved = [] if changed is None else [move_text(move) for move in _moves(changed)]
    return informing(*(*moved, *beside) or ("nothing else moved",))


def _moves(changed: ChangedPlan) -> list[Resource]:
    return [move_to_data(move, str(changed.ids[move.id])) for move in changed.moves]


def _told(type_: str, faults: Iterable[Fault]) -> Faults:
    """Faults of the native body, told of the resource from which it was made."""
    found = []
    for one in faults:
        member = one.pointer.rpartition("/")[2]
        element = _OF_TYPE.get(type_, {}).get(member, _ELEMENTS.get(member))
        at = type_ if element is None else f"{type_}.{element}"
        found.append(Fault(at, one.code, one.text))
    return ResourceRefused(tuple(found))
