"""What clients are given of a plan. Built as plain data and encoded once: this is a hot path."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from app.api.etags import etag
from app.api.plans.moves import conflict_data, move_data, reason_data
from app.domain.plans.steps import DECIDED, UNRESOLVED
from app.domain.protocols import StepKind
from app.domain.schedules import BookableDay, Conflict, Offer, Schedule, Window
from app.domain.states import PlanStatus, StepStatus, allowed_changes, planned_state
from app.services.plans import (
    ChangedPlan,
    PlanSummary,
    PlanView,
    ReadPlan,
    StepView,
    view_of_planned,
)

Data = dict[str, Any]

_WINDOW = ("earliest", "target", "latest")


def tag_of(view: PlanView, today: date, later: int = 0) -> str:
    """The ETag of a stored plan, or of one of its revisions with those that came later."""
    flags = sum(breach["text"].endswith(UNRESOLVED) for breach in view.breaches)
    return etag(view.revision, today, flags + later)


def plan_response(
    view: PlanView,
    today: date,
    *,
    status_code: int = 200,
    stored: bool = True,
    starts: Sequence[Data] = (),
    later: int = 0,
) -> Response:
    """A plan with its ETag; one just made also says where it is."""
    headers = {}
    if stored:
        headers["etag"] = tag_of(view, today, later)
        if status_code == 201:
            headers["location"] = f"/v1/plans/{view.id}"
    body = to_json(plan_data(view, today, stored=stored, starts=starts))
    return Response(body, status_code, headers, "application/json")


def changed_response(
    changed: ChangedPlan, *, stored: bool = True, starts: Sequence[Data] = ()
) -> Response:
    """A plan after a change, with the ETag of its new revision.

    A preview has that of the revision it looked at: who sends it back with the same changes gets
    what was shown, or learns that somebody was faster.
    """
    today = changed.basis.today
    view = view_of_planned(changed)
    ids = {str(occurrence): str(id_) for occurrence, id_ in changed.ids.items()}
    body = {
        "plan": plan_data(view, today, starts=starts),
        "moves": [move_data(move, ids) for move in changed.moves],
        "offers": [_offer(offer, changed, ids) for offer in changed.offers],
        "breaches": view.breaches,
        "added": [str(step.id) for step in changed.added],
        "removed": [
            {"step_id": str(step.id), "step": str(step.occurrence), "title": step.title}
            for step in changed.removed
        ],
    }
    tag = tag_of(view, today) if stored else etag(view.revision - 1, today)
    headers = {"etag": tag}
    return Response(to_json(body), headers=headers, media_type="application/json")


def _offer(offer: Offer, changed: ChangedPlan, ids: dict[str, str]) -> Data:
    """A better day, with what to post to the plan once it is as it is shown."""
    day = offer.day.isoformat()
    changes: list[Data] = []
    days = {step.occurrence: step.day for step in changed.record.steps}
    if days[offer.id] != offer.day:
        changes.append({"type": "move", "step": str(offer.id), "to": day})
    if offer.accepts is not None:
        changes.append({"type": "acknowledge", "breach": offer.breach, "text": offer.accepts})
    return {
        "step_id": ids[str(offer.id)],
        "date": day,
        "text": offer.text,
        "breach": offer.breach,
        "request": {"reason": offer.text, "changes": changes},
    }


def plan_data(
    view: PlanView, today: date, *, stored: bool = True, starts: Sequence[Data] = ()
) -> Data:
    """A plan in the shape of the API; one that is only looked at has no ids yet."""
    return {
        "id": view.id if stored else None,
        "revision": view.revision if stored else None,
        "status": view.status,
        "protocol": {
            "key": view.protocol_key,
            "version": view.protocol_version,
            "example": view.example,
        },
        "patient_id": view.patient_id,
        "location_id": view.location_id,
        "time_zone": view.time_zone,
        "body_site": view.body_site,
        "laterality": view.laterality,
        "condition": view.condition,
        "practitioner": view.practitioner,
        "identifiers": [{"system": i.system, "value": i.value} for i in view.identifiers],
        "note": view.note,
        "anchor": view.anchor,
        "parameters": view.state.get("parameters", {}),
        "chosen": view.chosen,
        "steps": _steps(view, today, stored=stored),
        "next_step": view.next_step_id if stored else None,
        "needs_attention": [_nameless(item, stored=stored) for item in view.attention],
        "breaches": [_nameless(breach, stored=stored) for breach in view.breaches],
        "starts": starts,
        "created_at": instant(view.created_at) if stored else None,
        "updated_at": instant(view.updated_at) if stored else None,
    }


def _steps(view: PlanView, today: date, *, stored: bool) -> list[Data]:
    status = PlanStatus(view.status)
    missed: dict[str, list[str]] = {}
    for fact in view.state.get("missed", ()):
        missed.setdefault(fact["step"], []).append(fact["on"])
    pinned = {fact["step"] for fact in view.state.get("pinned", ())}
    return [
        {
            **step_data(step, status, today, stored=stored),
            "missed": missed.get(step.name, []),
            "allowed_changes": _allowed(step, status, today, pinned) if stored else (),
        }
        for step in view.steps
    ]


def step_data(step: StepView, plan: PlanStatus, today: date, *, stored: bool) -> Data:
    """A planned step in the shape of the API."""
    days = step.window_earliest, step.window_target, step.window_latest
    number = step.occurrence
    return {
        "id": step.id if stored else None,
        "key": step.key,
        "occurrence": int(number) if number is not None and number.isdecimal() else number,
        "ordinal": step.ordinal,
        "of": step.of_count,
        "kind": step.kind,
        "title": step.title,
        "optional": step.optional,
        "status": step.status,
        "tentative": step.tentative,
        "date": step.day,
        "end_date": step.end_day,
        "duration_minutes": step.duration_minutes,
        "modes": step.modes,
        "appointment": step.appointment,
        "window": None if days[1] is None else dict(zip(_WINDOW, days, strict=True)),
        "deadline": step.deadline,
        "window_state": _state(days, step.day, step.status, plan, today),
        "deviation_days": step.deviation_days,
        "reasons": step.reasons,
        "instructions": step.instructions,
    }


def _allowed(
    step: StepView, plan: PlanStatus, today: date, pinned: Collection[str]
) -> tuple[str, ...]:
    if step.reasons and step.reasons[0]["code"] == DECIDED:
        return ()
    has_come = step.day is not None and step.day <= today.isoformat()
    facts = has_come, step.name in pinned, step.appointment is not None
    return _changes(plan, step.status, step.kind, facts)


# Clients read the same plans again and again, and plans of a protocol are alike.
@lru_cache(maxsize=4096)
def _changes(
    plan: PlanStatus,
    status: str,
    kind: str,
    facts: tuple[bool, bool, bool],
) -> tuple[str, ...]:
    has_come, is_pinned, has_appointment = facts
    return allowed_changes(
        plan,
        StepStatus(status),
        is_decision=kind == StepKind.DECISION,
        has_come=has_come,
        is_pinned=is_pinned,
        has_appointment=has_appointment,
    )


@lru_cache(maxsize=4096)
def _state(
    days: tuple[str | None, str | None, str | None],
    day: str | None,
    status: str,
    plan: PlanStatus,
    today: date,
) -> str | None:
    window = None
    earliest, target, latest = days
    if target is not None:
        window = Window(_day(earliest), date.fromisoformat(target), _day(latest))
    state = planned_state(window, _day(day), StepStatus(status), plan, today)
    return None if state is None else state.value


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _nameless(item: Data, *, stored: bool) -> Data:
    """Nothing has an id before it is stored."""
    if stored:
        return item
    return {key: [] if key == "step_ids" else v for key, v in item.items() if key != "step_id"}


def instant(moment: datetime) -> str:
    """An instant as answers have it."""
    return str(moment.isoformat().replace("+00:00", "Z"))


def summary_data(plan: PlanSummary) -> Data:
    """What a list says of a plan."""
    following = None
    if plan.next_step_id is not None:
        following = {
            "id": str(plan.next_step_id),
            "key": plan.next_key,
            "title": plan.next_title,
            "date": None if plan.next_day is None else plan.next_day.isoformat(),
        }
    return {
        "id": str(plan.id),
        "revision": plan.revision,
        "status": plan.status,
        "protocol": {
            "key": plan.protocol_key,
            "version": plan.protocol_version,
            "example": plan.example,
        },
        "patient_id": str(plan.patient_id),
        "location_id": str(plan.location_id),
        "body_site": plan.body_site,
        "laterality": plan.laterality,
        "condition": plan.condition,
        "practitioner": plan.practitioner,
        "anchor": plan.anchor,
        "next_step": following,
        "needs_attention": plan.attention,
        "created_at": instant(plan.created_at),
        "updated_at": instant(plan.updated_at),
    }


def days_data(days: tuple[BookableDay, ...], step_ids: dict[str, str]) -> Data:
    """The bookable days of a step."""
    return {
        "days": [
            {
                "date": day.day.isoformat(),
                "cost": day.cost,
                "moves": [move_data(move, step_ids) for move in day.moves],
            }
            for day in days
        ]
    }


def judged_data(answer: Schedule | Conflict, step: StepView, step_ids: dict[str, str]) -> Data:
    """Why a step could have a day, or why not; the day it has keeps its own reasons."""
    match answer:
        case Conflict():
            return {"bookable": False, "conflict": conflict_data(answer)}
        case Schedule():
            placed = next(placed for placed in answer.steps if str(placed.id) == step.name)
            forced = [reason_data(reason) for reason in placed.reasons]
            has_it = placed.day is not None and placed.day.isoformat() == step.day
            return {
                "bookable": True,
                "reasons": step.reasons if has_it else forced,
                "moves": [move_data(m, step_ids) for m in answer.moves if str(m.id) != step.name],
            }


def ids_by_occurrence(read: ReadPlan) -> dict[str, str]:
    """The id of every planned step by its occurrence."""
    return {step.name: step.id for step in read.view.steps}
