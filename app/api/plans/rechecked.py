"""What a plan looked at again shows: what its days break now, and what would make it right."""

from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from app.api.fields import Out
from app.api.plans.models import BreachOut, ConflictOut, MoveOut, OptionOut
from app.api.plans.moves import conflict_data, move_data
from app.api.plans.ways_out import options_data
from app.services.plans import Rechecked

_STEP_ID = "01920000-0000-7000-8000-000000000116"
_WASHOUT = (
    "booster on Wed 2027-05-12 is inside the washout of corticosteroid injection "
    "given on Tue 2027-04-20"
)
_EXAMPLE: dict[str, Any] = {
    "plan_id": "01920000-0000-7000-8000-000000000100",
    "breaches": [
        {
            "id": "steroid-before-session:booster",
            "rule": "steroid-before-session",
            "severity": "block",
            "text": _WASHOUT,
            "step_ids": [_STEP_ID],
            "acknowledged": False,
        }
    ],
    "moves": [
        {
            "step_id": _STEP_ID,
            "step": "booster",
            "from": "2027-05-12",
            "to": "2027-05-18",
            "reasons": [
                {
                    "code": "target",
                    "text": "its target Wed 2027-05-12 is 56 days after session on Wed 2027-03-17",
                },
                {
                    "code": "rule",
                    "text": _WASHOUT,
                    "rule": "rule:steroid-before-session",
                },
                {
                    "code": "nearest",
                    "text": "Tue 2027-05-18, 6 days after it, is the best day that works",
                },
            ],
        }
    ],
    "request": {"changes": [{"type": "move", "step_id": _STEP_ID, "to": "2027-05-18"}]},
    "conflict": None,
    "options": [],
}


class RecheckedOut(Out):
    """A plan looked at again. No day has moved."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    plan_id: UUID = Field(description="The plan.")
    breaches: list[BreachOut] = Field(description="What its days break now, stored with it.")
    moves: list[MoveOut] = Field(description="What solving it again would move.")
    request: dict[str, Any] | None = Field(
        description="The body to post to the plan's changes to have these moves; null for none."
    )
    conflict: ConflictOut | None = Field(description="Why no schedule exists any more, if so.")
    options: list[OptionOut] = Field(
        description="Ways out of the conflict: bodies to post to the plan's changes."
    )

    @classmethod
    def from_domain(cls, found: Rechecked) -> "RecheckedOut":
        """The plan as clients see it."""
        ids = {str(occurrence): str(id_) for occurrence, id_ in found.ids.items()}
        moves = [move_data(move, ids) for move in found.moves]
        error = found.conflict
        return cls(
            plan_id=found.plan_id,
            breaches=[BreachOut(**breach) for breach in found.breaches],
            moves=[MoveOut(**move) for move in moves],
            request={"changes": found.changes} if found.changes else None,
            conflict=None if error is None else ConflictOut(**conflict_data(error.conflict)),
            options=[] if error is None else [OptionOut(**o) for o in options_data(error, {})],
        )
