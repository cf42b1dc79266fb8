"""What is wrong with a protocol, or doubtful about it: found before any plan is made by it."""

from app.domain.checks.checking import Checked, check_data, check_document
from app.domain.checks.differences import Difference, differences
from app.domain.checks.simulation import StartDays, simulate_start_days

__all__ = [
    "Checked",
    "Difference",
    "StartDays",
    "check_data",
    "check_document",
    "differences",
    "simulate_start_days",
]
