"""The engine: exact dates for a plan, their reasons, conflicts and ways out. No I/O, no clock."""

from app.domain.engine.conflicts import waivable_elements
from app.domain.engine.leaving import leaving
from app.domain.engine.occurrences import PlanTooLarge
from app.domain.engine.options import find_options, waiver_role
from app.domain.engine.queries import (
    RangeTooLong,
    bookable_days,
    forced,
    why_not,
)
from app.domain.engine.remedies import apply_remedy
from app.domain.engine.scheduling import solve
from app.domain.engine.standing import standing_breaches
from app.domain.engine.too_close import ways_apart

__all__ = [
    "PlanTooLarge",
    "RangeTooLong",
    "apply_remedy",
    "bookable_days",
    "find_options",
    "forced",
    "leaving",
    "solve",
    "standing_breaches",
    "waivable_elements",
    "waiver_role",
    "ways_apart",
    "why_not",
]
