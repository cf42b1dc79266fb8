"""An independent answer by trying days: no engine, own date arithmetic, written from the design.

Slow and plain on purpose. Property tests compare the engine with it on small problems.
"""

from tests.domain.brute.conflicts import every_conflict
from tests.domain.brute.search import Answer, days_by_trial, holds_together, solve_by_trial

__all__ = ["Answer", "days_by_trial", "every_conflict", "holds_together", "solve_by_trial"]
