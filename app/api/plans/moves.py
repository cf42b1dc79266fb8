"""Moves, reasons and conflicts as plain data, in the shape of the API."""

from typing import Any

from app.domain.schedules import Conflict, Move, Reason

Data = dict[str, Any]


def reason_data(reason: Reason) -> Data:
    """A reason; its rule only where there is one."""
    data = {"code": reason.code, "text": reason.text}
    if reason.rule is not None:
        data["rule"] = reason.rule
    return data


def move_data(move: Move, step_ids: dict[str, str]) -> Data:
    """A move; steps of a plan not stored yet are named by their occurrence."""
    return {
        "step_id": step_ids.get(str(move.id)),
        "step": str(move.id),
        "from": move.old.isoformat(),
        "to": None if move.new is None else move.new.isoformat(),
        "reasons": [reason_data(reason) for reason in move.reasons],
    }


def conflict_data(conflict: Conflict) -> Data:
    """A conflict: every element that takes part, in words."""
    return {"elements": [{"id": e.id, "text": e.text} for e in conflict.elements]}
