"""A schedule conflict in its problem document: what clashes, and what to post instead."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from app.api.plans.asking import EXAMPLE
from app.api.plans.models import ConflictOut, OptionOut
from app.api.plans.moves import conflict_data
from app.api.plans.ways_out import options_data
from app.api.problem_model import Problem
from app.services.plans import ScheduleConflict

_CONFLICT = {
    "anchor:session": "session is asked for on Thu 2027-03-11",
    "timing:consult.latest": "consult is at least 15 days before session",
    "as_of": "today is Wed 2027-03-03",
}


class ScheduleConflictProblem(Problem):
    """The request cannot be scheduled: a minimal conflict, and options that work when posted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "schedule-conflict",
                    "title": "The plan cannot be scheduled",
                    "status": 409,
                    "detail": "; ".join(_CONFLICT.values()),
                    "conflict": {
                        "elements": [{"id": id_, "text": text} for id_, text in _CONFLICT.items()]
                    },
                    "options": [
                        {
                            "text": "session on Wed 2027-03-31 (consult on Wed 2027-03-03)",
                            "request": {**EXAMPLE, "anchor": {"date": "2027-03-31"}},
                            "plan_id": None,
                            "moves": [],
                            "needs_role": None,
                        }
                    ],
                }
            ]
        }
    )

    conflict: ConflictOut = Field(description="What cannot hold together.")
    options: list[OptionOut] = Field(
        description=(
            "Ways out, dates first, waivers last. For what happened there is always one that needs "
            "no role: to record it and leave the days that stand in its way, flagged."
        )
    )


def conflict_members(error: ScheduleConflict, body: Any) -> Mapping[str, Any]:
    """The conflict and its options, each the body that was sent with one thing different."""
    options = options_data(error, body) if error.told is None else error.told
    return {"conflict": conflict_data(error.conflict), "options": options}
