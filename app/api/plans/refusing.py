"""A schedule conflict in its problem document: what clashes, and what to post instead."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from app.api.plans.answering import conflict_data, move_data
from app.api.plans.models import ConflictOut, OptionOut
from app.api.problem_model import Problem
from app.domain.schedules import AskAnchor, AskParameter, AskPin, AskSkip, AskWaiver, Option, Remedy
from app.services.plans import ScheduleConflict

WAIVED = "chosen from the ways out of a conflict"


class ScheduleConflictProblem(Problem):
    """The request cannot be scheduled: a minimal conflict, and options that work when posted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "schedule-conflict",
                    "title": "The plan cannot be scheduled",
                    "status": 409,
                    "detail": "session is asked for on Thu 2027-03-11; primer 2 is not after …",
                    "conflict": {
                        "elements": [
                            {
                                "id": "anchor:session",
                                "text": "session is asked for on Thu 2027-03-11",
                            }
                        ]
                    },
                    "options": [
                        {
                            "text": "session on Wed 2027-03-31",
                            "request": {"anchor": {"date": "2027-03-31"}},
                            "moves": [],
                            "needs_role": None,
                        }
                    ],
                }
            ]
        }
    )

    conflict: ConflictOut = Field(description="What cannot hold together.")
    options: list[OptionOut] = Field(description="Ways out, dates first, waivers last.")


def conflict_members(error: ScheduleConflict, body: Any) -> Mapping[str, Any]:
    """The conflict and its options, each the body that was sent with one thing different."""
    return {
        "conflict": conflict_data(error.conflict),
        "options": [_option(option, body) for option in error.options],
    }


def _option(option: Option, body: Any) -> Mapping[str, Any]:
    moves = () if option.schedule is None else option.schedule.moves
    return {
        "text": option.text,
        "request": remedied(option.remedy, body if isinstance(body, dict) else {}),
        "moves": [move_data(move, {}) for move in moves],
        "needs_role": option.remedy.role if isinstance(option.remedy, AskWaiver) else None,
    }


def remedied(remedy: Remedy, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body that asks for what an option says."""
    changes = list(body.get("changes", ()))
    match remedy:
        case AskAnchor(day):
            return {**body, "anchor": {"date": day.isoformat()}}
        case AskParameter(key, value):
            return {**body, "parameters": {**body.get("parameters", {}), key: value}}
        case AskPin(occurrence, day):
            pin = {"type": "pin", "step": str(occurrence), "to": day.isoformat()}
            others = [c for c in changes if (c["type"], c.get("step")) != ("pin", pin["step"])]
            return {**body, "changes": [*others, pin]}
        case AskSkip(occurrence):
            return {**body, "changes": [*changes, {"type": "skip", "step": str(occurrence)}]}
        case AskWaiver(element, days, _):
            waiver: dict[str, Any] = {"type": "waive", "element": element, "reason": WAIVED}
            if days is not None:
                waiver["days"] = days
            others = [c for c in changes if c.get("element") != element]
            return {**body, "changes": [*others, waiver]}
