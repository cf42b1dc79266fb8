"""Asks the engine for a plan that starts on a day, nothing of it done and nobody away."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from app.domain.calendars import EVERY_DAY, Calendar
from app.domain.facts import Anchor, OccurrenceId
from app.domain.offsets import FIRST_DAY
from app.domain.problem import Problem
from app.domain.protocols import Bounds, OutsideEvent, Protocol, Step, StepReference

SEARCH_DAYS = 366


def anchor_of(protocol: Protocol) -> OccurrenceId | None:
    """The occurrence from which plans hang: of a repeated step number 1."""
    step = None if protocol.anchor is None else protocol.step(protocol.anchor)
    if step is None:
        return None
    if step.timepoints:
        return OccurrenceId(step.key, step.timepoints[0].key)
    return OccurrenceId(step.key, None if step.repeat is None else 1)


def occurrences_of(protocol: Protocol) -> int:
    """How many occurrences a plan can have at most; at least one."""
    return max(1, sum(_most(step) for step in protocol.steps))


def _most(step: Step) -> int:
    if step.timepoints:
        return len(step.timepoints)
    return 1 if step.repeat is None else step.repeat.count.maximum


def hangs_outside(protocol: Protocol) -> bool:
    """Whether a day from outside (a start, a birth, an event) places any step."""
    return any(
        not isinstance(timing.reference, StepReference)
        for step in protocol.steps
        for timing in step.every_timing
    )


def starting_on(
    protocol: Protocol,
    day: date,
    *,
    calendar: Calendar = EVERY_DAY,
    parameters: Mapping[str, str | int],
    anchored: bool,
) -> Problem:
    """The plan whose outside days are this day, and whose anchor is, too, if ``anchored``.

    Otherwise the anchor takes the first day that works, within a year.
    """
    occurrence = anchor_of(protocol)
    anchor = None
    if occurrence is not None and anchored:
        anchor = Anchor(occurrence, day)
    elif occurrence is not None:
        last = day + timedelta(days=SEARCH_DAYS)
        anchor = Anchor(occurrence, earliest_from=day, until=last)
    names = {
        timing.reference.name
        for step in protocol.steps
        for timing in step.every_timing
        if isinstance(timing.reference, OutsideEvent)
    }
    return Problem(
        protocol=protocol,
        as_of=_long_before(protocol, day),
        calendar=calendar,
        parameters=parameters,
        anchor=anchor,
        plan_start=day,
        birth_date=day,
        events=dict.fromkeys(sorted(names), day),
    )


def _long_before(protocol: Protocol, day: date) -> date:
    """A day before which no step of the plan can lie, so that none is too late."""
    reach = SEARCH_DAYS + sum(_reach_back(step) for step in protocol.steps)
    return max(FIRST_DAY, day - timedelta(days=min(reach, (day - FIRST_DAY).days)))


def _reach_back(step: Step) -> int:
    """How far before what it counts from a step may lie, all its occurrences together."""
    bounds = [timing.bounds for timing in step.every_timing]
    bounds += [point.bounds for point in step.timepoints]
    days = _days_back(bounds)
    if step.repeat is not None:
        spacings = [step.repeat.spacing, *(other for _, other in step.repeat.spacing_by)]
        days += step.repeat.count.maximum * _days_back(spacings)
    return days


def _days_back(bounds: Iterable[Bounds]) -> int:
    """The longest offset backwards; where no earliest bound is, the search goes on for a year."""
    offsets = [
        offset.longest_days
        for one in bounds
        for offset in (one.earliest, one.target, one.latest)
        if offset is not None and offset.negative
    ]
    # Open days are fewer than days: twice as many, and some, have room for closures.
    return 2 * max(offsets, default=0) + SEARCH_DAYS if offsets else 0
