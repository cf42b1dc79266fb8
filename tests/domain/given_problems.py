"""Small problems that tests of the engine share: a session and what hangs on it."""

from datetime import date
from typing import Any

from app.domain.facts import Anchor, Commitment, Kept, OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, Protocol, Reference, Step, StepKind, StepReference, Timing
from app.domain.rules import Rule

SESSION_DAY = date(2027, 3, 10)
SESSION = OccurrenceId("session")


def bounds(earliest: int | None, target: int | None, latest: int | None) -> Bounds:
    """Offsets in days; ``None`` is no bound."""
    low, aim, high = (
        None if days is None else Offset.of_days(days) for days in (earliest, target, latest)
    )
    return Bounds(low, aim, high)


def after(
    earliest: int | None,
    target: int | None,
    latest: int | None,
    reference: Reference = StepReference("session"),  # noqa: B008 - a frozen value
) -> tuple[Timing, ...]:
    """One timing in days, counted from the session unless told otherwise."""
    return (Timing(reference, bounds(earliest, target, latest)),)


def step(key: str, timings: tuple[Timing, ...] = (), **members: Any) -> Step:
    """A visit unless told otherwise."""
    kind = members.pop("kind", StepKind.VISIT)
    importance = members.pop("importance", 3)
    return Step(key, kind, key, importance, timings, **members)


def problem(*steps: Step, rules: tuple[Rule, ...] = (), **members: Any) -> Problem:
    """A session on 10 March 2027 and these steps, looked at on 1 March; every day is open."""
    session = step("session", kind=StepKind.PROCEDURE, importance=10)
    given: dict[str, Any] = {
        "as_of": date(2027, 3, 1),
        "anchor": Anchor(SESSION, SESSION_DAY),
    } | members
    return Problem(Protocol((session, *steps), anchor="session", rules=rules), **given)


def kept(occurrence: str, day: date, commitment: Commitment = Commitment.ACTIVE) -> Kept:
    """A day given out."""
    return Kept(OccurrenceId.parse(occurrence), day, commitment)
