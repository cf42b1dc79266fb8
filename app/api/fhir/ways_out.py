"""Ways out of a conflict, each with what is to be posted for it, and where to.

Over FHIR where FHIR can say it: ``$apply`` with another day or another choice. Everything else is
said in the words of the native API, to which the same credential is taken.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from app.api.fhir.interactions import Resource
from app.api.plans.ways_out import option_data, options_data
from app.domain.documents import ProtocolDocument
from app.domain.schedules import AskAnchor, AskCancelOther, AskParameter, AskToLeave, Remedy
from app.integrations.fhir.action_tree import as_key
from app.services.patients import Identifier
from app.services.plans import ScheduleConflict
from app.services.plans.requests import PlanRequest

Option = Mapping[str, Any]


def of_changes(error: ScheduleConflict, body: Resource, plan_id: UUID | str) -> list[Option]:
    """The options of changes to a plan, which were posted as this native body."""
    return [
        {**option, "address": _of_changes(option["plan_id"] or plan_id)}
        for option in options_data(error, body)
    ]


def of_applying(
    error: ScheduleConflict,
    *,
    parameters: Mapping[str, Any],
    address: str,
    document: ProtocolDocument,
    request: PlanRequest | None,
) -> list[Option]:
    """The options of an application; ``request`` where its protocol is stored.

    What neither ``$apply`` nor a plan of a stored protocol can be asked is told in words alone.
    """
    found: list[Option] = []
    for option in error.options:
        native = option_data(option, {} if request is None else _native(request), error)
        applied = _applied(parameters, option.remedy, document.protocol.anchor)
        if applied is not None:
            found.append({**native, "request": applied, "address": address})
        elif isinstance(option.remedy, AskCancelOther):
            found.append({**native, "address": _of_changes(option.remedy.plan)})
        elif request is not None:
            found.append({**native, "address": "/v1/plans"})
        else:
            found.append({name: part for name, part in native.items() if name != "request"})
    return found


def _of_changes(plan_id: UUID | str) -> str:
    return f"/v1/plans/{plan_id}/changes"


def _applied(
    parameters: Mapping[str, Any], remedy: Remedy | AskToLeave, anchor: str | None
) -> Resource | None:
    """The parameters with one thing different."""
    match remedy:
        case AskAnchor(day):
            wanted = {"name": "date", "valueDate": day.isoformat()}
            parts = [wanted, {"name": "action", "valueString": anchor}]
            name = "anchor"
        case AskParameter(key, value):
            kind = "valueInteger" if isinstance(value, int) else "valueString"
            chosen: Any = {"name": "value", kind: value}
            parts = [{"name": "parameter", "valueString": key}, chosen]
            name, anchor = "choice", key
        case _:
            return None
    others = [
        one
        for one in parameters["parameter"]
        if one["name"] != name or next(_named(one), anchor) != anchor
    ]
    return {**parameters, "parameter": [*others, {"name": name, "part": parts}]}


def _named(parameter: Resource) -> Iterator[str]:
    """What a parameter is about, where it says so."""
    for part in parameter.get("part", ()):
        if part.get("name") in ("action", "parameter"):
            yield as_key(next(str(value) for key, value in part.items() if key != "name"))


def _native(request: PlanRequest) -> Resource:
    """The body by which a native client would have asked."""
    version, anchor = request.protocol_version, request.anchor
    days = (
        {}
        if anchor is None
        else {"date": anchor.day, "earliest_from": anchor.earliest_from, "until": anchor.until}
    )
    named = request.patient_identifier
    body = {
        "protocol": {"key": request.protocol_key, "version": version},
        "patient": {"id": request.patient_id} if named is None else {"identifier": _pair(named)},
        "location_id": request.location_id,
        "anchor": {name: day for name, day in days.items() if day is not None},
        "plan_start": request.plan_start,
        "events": dict(request.events),
        "parameters": dict(request.parameters),
        "laterality": request.laterality,
        "practitioner": request.practitioner,
        "identifiers": [_pair(one) for one in request.identifiers],
        "not_before": request.not_before,
    }
    found: Resource = to_jsonable_python(body)
    return {name: part for name, part in found.items() if part not in (None, {}, [])}


def _pair(identifier: Identifier) -> Resource:
    return {"system": identifier.system, "value": identifier.value}
