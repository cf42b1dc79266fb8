"""Ways out of a conflict as plain data, each with the whole body to post for it."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.api.plans.moves import move_data
from app.domain.facts import OccurrenceId
from app.domain.schedules import (
    AskAnchor,
    AskCancelOther,
    AskParameter,
    AskPin,
    AskSkip,
    AskToLeave,
    AskUnpin,
    AskWaiver,
    Option,
    Remedy,
    Schedule,
)
from app.services.plans import ScheduleConflict

_OF_TIMING = re.compile(r"timing:([^\[]+?)(?:\[[0-9]+\])?\.(?:earliest|latest)")
MAKES_ROOM = "makes room for another plan"
WAIVED = "chosen from the ways out of a conflict"

# What is asked of the plan itself.
OwnRemedy = AskAnchor | AskPin | AskParameter | AskSkip | AskUnpin | AskWaiver


def options_data(error: ScheduleConflict, body: Any) -> list[Mapping[str, Any]]:
    """Ways out of a conflict, each the whole body to post; one that asks for nothing is none."""
    found = (option_data(option, body, error) for option in error.options)
    return [option for option in found if _asks_for_something(option["request"])]


def _asks_for_something(request: Mapping[str, Any]) -> bool:
    return "protocol" in request or bool(request["changes"])


def option_data(option: Option, body: Any, error: ScheduleConflict) -> Mapping[str, Any]:
    """One way out, with the whole body to post."""
    ids = {occurrence: id_ for id_, occurrence in error.steps.items()}
    moves = () if option.schedule is None else option.schedule.moves
    request = remedied(option.remedy, body if isinstance(body, dict) else {}, error)
    if option.schedule is not None and "protocol" in request:
        request = _without_what_is_gone(request, option.schedule)
    return {
        "text": option.text,
        "request": request,
        "plan_id": option.remedy.plan if isinstance(option.remedy, AskCancelOther) else None,
        "moves": [move_data(move, ids) for move in moves],
        "needs_role": option.remedy.role if isinstance(option.remedy, AskWaiver) else None,
    }


def remedied(
    remedy: Remedy | AskToLeave, body: Mapping[str, Any], error: ScheduleConflict
) -> dict[str, Any]:
    """The body that asks for what an option says."""
    if isinstance(remedy, AskToLeave):
        return {**body, "leave_days": True}
    if isinstance(remedy, AskCancelOther):
        return {"reason": MAKES_ROOM, "changes": [{"type": "cancel", "step": remedy.step}]}
    if "protocol" not in body:
        return _changed(remedy, body, error)
    return _created(remedy, body)


def _created(remedy: OwnRemedy, body: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the body of a new plan: one thing in it different."""
    changes = list(body.get("changes", ()))
    match remedy:
        case AskAnchor(day):
            return {**body, "anchor": {"date": day.isoformat()}}
        case AskParameter(key, value):
            others = [c for c in changes if (c["type"], c.get("key")) != ("set_parameter", key)]
            kept = {"changes": others} if "changes" in body else {}
            return {**body, **kept, "parameters": {**body.get("parameters", {}), key: value}}
        case AskPin(occurrence, day):
            pin = {"type": "pin", "step": str(occurrence), "to": day.isoformat()}
            others = [c for c in changes if not _asks(c, str(occurrence), {})]
            return {**body, "changes": [*others, pin]}
        case AskSkip(occurrence):
            return {**body, "changes": [*changes, {"type": "skip", "step": str(occurrence)}]}
        case AskUnpin(occurrence):
            others = [c for c in changes if not _asks(c, str(occurrence), {})]
            return {**body, "changes": others}
        case AskWaiver(element, days, _):
            others = [c for c in changes if c.get("element") != element]
            return {**body, "changes": [*others, _waived(element, days)]}


def _without_what_is_gone(body: Mapping[str, Any], schedule: Schedule) -> dict[str, Any]:
    """Without days wanted and timings waived of steps which the option leaves out."""
    if "changes" not in body:
        return dict(body)
    there = {None, *(str(placed.id) for placed in schedule.steps)}
    return {**body, "changes": [c for c in body["changes"] if _spoken_of(c) in there]}


def _spoken_of(change: Mapping[str, Any]) -> str | None:
    """The step of which a change wants a day or waives a timing."""
    if change["type"] == "pin":
        return str(OccurrenceId.parse(change["step"]))
    found = _OF_TIMING.fullmatch(str(change.get("element")))
    return None if found is None else found.group(1)


def _changed(remedy: OwnRemedy, body: Mapping[str, Any], error: ScheduleConflict) -> dict[str, Any]:
    """The same for a body of changes: one more change, in place of one that asked otherwise."""
    changes, steps = list(body.get("changes", ())), error.steps
    change: dict[str, Any]
    match remedy:
        case AskAnchor(day):
            change = {"type": "move_anchor", "to": day.isoformat()}
            changes = [
                c
                for c in changes
                if c["type"] != "move_anchor" and not _asks(c, error.anchor, steps)
            ]
        case AskParameter(key, value):
            change = {"type": "set_parameter", "key": key, "value": value}
            changes = [c for c in changes if (c["type"], c.get("key")) != ("set_parameter", key)]
        case AskPin(occurrence, day):
            asked = [c for c in changes if _asks(c, str(occurrence), steps)]
            type_ = asked[0]["type"] if asked and asked[0]["type"] != "book" else "move"
            change = {"type": type_, "step": str(occurrence), "to": day.isoformat()}
            changes = [c for c in changes if c not in asked]
        case AskSkip(occurrence):
            change = {"type": "skip", "step": str(occurrence)}
        case AskUnpin(occurrence):
            others = [c for c in changes if not _asks(c, str(occurrence), steps)]
            if len(others) < len(changes):
                return {**body, "changes": others}
            change = {"type": "unpin", "step": str(occurrence)}
        case AskWaiver(element, days, _):
            change = _waived(element, days)
            changes = [c for c in changes if c.get("element") != element]
    return {**body, "changes": [*changes, change]}


def _waived(element: str, days: int | None) -> dict[str, Any]:
    widened = {} if days is None else {"days": days}
    return {"type": "waive", "element": element, "reason": WAIVED, **widened}


def _asks(change: Mapping[str, Any], occurrence: str | None, steps: Mapping[str, str]) -> bool:
    """Whether a change asks for a day of this step."""
    if change["type"] not in {"move", "pin", "book"}:
        return False
    if "step" in change:
        return str(OccurrenceId.parse(change["step"])) == occurrence
    return steps.get(str(UUID(change["step_id"]))) == occurrence
