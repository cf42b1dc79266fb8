"""What a plan's decisions start, each as the whole body of `POST /v1/plans`."""

from typing import Any

from app.api.plans.ways_out import option_data
from app.domain.plans.step_changes import Perform
from app.services.context import Context
from app.services.plans import PlanView, Start, open_starts
from app.services.plans.requests import PlanRequest

Data = dict[str, Any]


async def starts_of(ctx: Context, view: PlanView) -> list[Data]:
    """Each start with the body that can be posted as it is, or why there is none."""
    return [_start(start) for start in await open_starts(ctx, view)]


def _start(start: Start) -> Data:
    body = None if start.request is None else _body(start.request)
    text, needs_role = "everything that was done fits", None
    if start.option is not None and start.conflict is not None:
        option = option_data(start.option, body, start.conflict)
        body, needs_role = option["request"], option["needs_role"]
        text = f"{start.conflict}: {start.option.text}"
    return {
        "step_id": start.step_id,
        "step": start.step,
        "protocol": start.protocol,
        "text": text if start.why_not is None else start.why_not,
        "needs_role": needs_role,
        "request": body,
    }


def _body(request: PlanRequest) -> Data:
    """The request as a client writes it, without what it does not say."""
    anchor, by = request.anchor, request.started_by
    body: Data = {
        "protocol": {"key": request.protocol_key},
        "patient": {"id": str(request.patient_id)},
        "location_id": str(request.location_id),
        "anchor": anchor and {"earliest_from": str(anchor.earliest_from)},
        "parameters": dict(request.parameters),
        "laterality": request.laterality,
        "condition": request.condition,
        "practitioner": request.practitioner,
        "changes": [
            {"type": "perform", "step": str(change.occurrence), "on": change.on.isoformat()}
            for change in request.changes
            if isinstance(change, Perform)
        ],
        "started_by": by and {"plan_id": str(by.plan_id), "step": by.step},
    }
    return {name: value for name, value in body.items() if value not in (None, {}, [])}
