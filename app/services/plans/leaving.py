"""What happened is recorded also where no schedule exists: days in its way are left, flagged."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.domain.engine import apply_remedy, find_options, leaving, solve, standing_breaches
from app.domain.errors import Fault
from app.domain.facts import Commitment, Kept
from app.domain.plans.changes import (
    Acknowledge,
    Amend,
    Decide,
    MoveAnchor,
    Report,
    Resume,
    SetParameter,
    SetStatus,
    Unavailable,
    Waive,
)
from app.domain.plans.step_changes import Arrive, Miss, Perform
from app.domain.problem import Problem
from app.domain.schedules import (
    AskAnchor,
    AskParameter,
    AskToLeave,
    AskWaiver,
    Conflict,
    Option,
    Schedule,
)
from app.services.plans.planning import ScheduleConflict
from app.services.plans.posting import InvalidChange, Made, PostedChanges, made_of

# What nobody chooses.
FACTS = (Perform, Miss, Arrive, Report, Unavailable, Acknowledge)
# What asks for another course, which there must be: all else concerns one step or another.
COURSE = (SetParameter, Decide, Waive, MoveAnchor, SetStatus, Resume, Amend)
ASK_FOR_COURSE = (AskAnchor, AskParameter, AskWaiver)


@dataclass(frozen=True, slots=True)
class Told:
    """What is posted to a plan, and the question which the plan put before that."""

    posted: PostedChanges
    made: tuple[Made, ...]
    standing: Callable[[], Problem]

    def is_of_steps(self) -> bool:
        """Whether something is posted that asks for no other course; corrections do not."""
        asked = any(isinstance(one.change, COURSE) for one in self.made)
        return bool(self.posted.changes) and not asked

    def is_fact(self) -> bool:
        """Whether it all has happened; what was entered in error has too."""
        return all(isinstance(one.change, FACTS) for one in self.made)


def refuse_choices(posted: PostedChanges, made: tuple[Made, ...]) -> None:
    """Raise InvalidChange where days are to be left for more than what happened."""
    text = "only for what happened are days left without a schedule"
    faults = [
        Fault(f"/changes/{one.number}", "not-a-fact", text)
        for one in made
        if posted.leave_days and not isinstance(one.change, FACTS)
    ]
    if faults:
        raise InvalidChange(tuple(faults))


def recorded(told: Told, problem: Problem, conflict: ScheduleConflict) -> Schedule:
    """The schedule with which it is recorded, some steps left on their days.

    Where a plan had no schedule before either, nothing is refused for that which leaves these
    steps alone. What happened and leaves it without one is taken when ``leave_days`` says so; else
    that is the last way out. Raises ScheduleConflict.
    """
    if not told.is_of_steps():
        raise conflict
    before = leaving(told.standing())
    named = {made_of(one.change) for one in told.made}
    stays = before.problem.left - named
    if stays:
        left = replace(problem, left=stays)
        found = solve(left)
        if isinstance(found, Schedule):
            return _flagged(left, found)
        conflict = _its_own(found, problem, left)
        problem = left
    if not told.is_fact():
        raise conflict
    all_left = leaving(problem)
    if told.posted.leave_days:
        return _flagged(all_left.problem, all_left.schedule)
    text = f"record it and leave {all_left.text}, flagged for a person to put right"
    option = Option(text, AskToLeave(all_left.problem.left), all_left.schedule)
    conflict.options = (*conflict.options, option)
    raise conflict


def _its_own(found: Conflict, problem: Problem, left: Problem) -> ScheduleConflict:
    """The conflict which what is posted brings about beside the one that was there before.

    Ways out by another course are those which lead out of both.
    """
    options = (
        option
        for option in find_options(left, found)
        if not isinstance(option.remedy, ASK_FOR_COURSE)
        or isinstance(solve(apply_remedy(problem, option.remedy)), Schedule)
    )
    return ScheduleConflict(found, tuple(options))


def _flagged(problem: Problem, found: Schedule) -> Schedule:
    """The schedule with everything that its days break."""
    days = tuple(
        Kept(step.id, step.day, Commitment.ACTIVE) for step in found.steps if step.day is not None
    )
    standing = replace(problem, kept=days, left=frozenset())
    return replace(found, breaches=standing_breaches(standing))
