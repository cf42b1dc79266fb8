"""Finds the reference of every timing: another occurrence, a fixed day, or why there is none."""

from itertools import pairwise
from typing import assert_never

from app.domain.engine.occurrences import Expansion, Link, Occurrence, spoken
from app.domain.engine.shifts import OpenDays, Shift, chained, of_offset
from app.domain.facts import OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    BirthDate,
    Bounds,
    Follows,
    Nth,
    Order,
    OutsideEvent,
    PlanStart,
    Point,
    Step,
    StepReference,
    Timing,
    Unit,
)


class Linker:
    """Gives every occurrence its links. Shifts are shared: one object per offset."""

    def __init__(self, problem: Problem, expansion: Expansion, opens: list[int]) -> None:
        self._problem = problem
        self._expansion = expansion
        self._opens = opens
        self._shifts: dict[tuple[Offset, Unit], Shift] = {}
        self._performed = {fact.occurrence for fact in problem.performed}
        self._fixed = self._performed | {fact.occurrence for fact in problem.pinned}
        anchor = problem.anchor
        self._anchor = None if anchor is None else anchor.occurrence
        if anchor is not None and not problem.postponed:
            self._fixed = self._fixed | {anchor.occurrence}

    def link(self, step: Step, timings: tuple[Timing, ...], spacing: Bounds | None) -> None:
        """Link the occurrences of one step: own timings, timepoints or the chain of a repeat."""
        occurrences = self._expansion.occurrences
        mine = [occurrences[index] for index in self._expansion.by_step[step.key]]
        for occurrence in mine:
            if step.span is not None:
                occurrence.span = self._shift(step.span, Unit.DAYS)
        if not mine:
            return
        if step.timepoints:
            bounds = {point.key: point.bounds for point in step.timepoints}
            for occurrence in mine:
                own = bounds[str(occurrence.id.occurrence)]
                self._add(occurrence, timings[0], own)
            return
        if spacing is not None:
            self._chain(mine, spacing)
        first = mine[0]
        for timing in timings:
            reference = timing.reference
            if (
                isinstance(reference, StepReference)
                and reference.step == step.key
                and reference.occurrence == Nth.PREVIOUS
            ):
                self._follow_previous(mine, timing)
            else:
                self._add(first, timing, timing.bounds)
        for occurrence in mine:
            if not occurrence.links and occurrence.id not in self._fixed and not occurrence.undated:
                occurrence.undated = self._without_links(occurrence)

    def begin_after(self, decision: str, steps: tuple[str, ...], offset: Offset) -> None:
        """What a decision has added begins so long after it, and not before.

        Of a repeated step the first one added, which then hangs on none before it; of another
        one that has no timing of its own.
        """
        index = self._expansion.by_id.get(OccurrenceId(decision))
        if index is None:
            return
        taken = self._expansion.occurrences[index]
        for step in steps:
            occurrence = self._first_added(step)
            if occurrence is None:
                continue
            bounds = Bounds(earliest=offset, target=offset)
            link = self._make(f"timing:{occurrence.id}", bounds, None, taken.label)
            link.ref = taken.index
            occurrence.links, occurrence.undated = [link], None

    def _first_added(self, step: str) -> Occurrence | None:
        found = self._expansion.by_step.get(step, [])
        if step in self._expansion.added:
            found = found[len(self._expansion.before_decisions(step)) :]
        first = self._expansion.occurrences[found[0]] if found else None
        if first is not None and step not in self._expansion.added and first.links:
            return None
        return first

    def spread_undated(self) -> None:
        """What hangs on an undated occurrence is undated, unless it has a day of its own.

        So is one which is left as it is and has no day.
        """
        occurrences = self._expansion.occurrences
        kept = {day.occurrence for day in self._problem.kept}
        for occurrence in occurrences:
            if occurrence.id in self._problem.left - kept:
                occurrence.undated = "there is none that works"
        changed = True
        while changed:
            changed = False
            for occurrence in occurrences:
                if occurrence.undated or occurrence.id in self._fixed:
                    continue
                for link in occurrence.links:
                    if link.ref is not None and occurrences[link.ref].undated:
                        occurrence.undated = f"{occurrences[link.ref].label} has no day yet"
                        changed = True
        for occurrence in occurrences:
            occurrence.links = [
                link
                for link in occurrence.links
                if link.ref is None or not occurrences[link.ref].undated
            ]

    def _without_links(self, occurrence: Occurrence) -> str:
        if self._problem.postponed and occurrence.id == self._anchor:
            return "it is postponed without a date"
        return "nothing says yet when it takes place"

    def _chain(self, mine: list[Occurrence], spacing: Bounds) -> None:
        for before, occurrence in pairwise(mine):
            link = self._make(f"timing:{occurrence.id}", spacing, None, before.label)
            link.ref = before.index
            occurrence.links.append(link)

    def _follow_previous(self, mine: list[Occurrence], timing: Timing) -> None:
        repeat = mine[0].step.repeat
        ordered = mine[::-1] if repeat and repeat.order is Order.BACKWARD else mine
        for before, occurrence in pairwise(ordered):
            name = self._name(occurrence)
            link = self._make(name, timing.bounds, self._to_end(before, timing), before.label)
            link.ref = before.index
            occurrence.links.append(link)

    @staticmethod
    def _name(occurrence: Occurrence) -> str:
        place = len(occurrence.links) + 1
        return f"timing:{occurrence.id}" + (f"[{place}]" if place > 1 else "")

    def _add(self, occurrence: Occurrence, timing: Timing, bounds: Bounds) -> None:
        """Append the link of one timing, or note why the occurrence has no day yet."""
        if occurrence.id == self._anchor and self._problem.postponed:
            occurrence.undated = self._without_links(occurrence)
            return
        reference = timing.reference
        if not isinstance(reference, StepReference):
            day, label = self._outside(reference)
            if day is None:
                self._leave_undated(occurrence, f"{label} is not known yet")
                return
            link = self._make(self._name(occurrence), bounds, None, label)
            link.day = day
            self._put_off(link, occurrence)
        else:
            found = self._find(reference, occurrence)
            if isinstance(found, str):
                self._leave_undated(occurrence, found)
                return
            waits = timing.follows is Follows.ACTUAL_ONLY and found.id not in self._performed
            if waits:
                self._leave_undated(occurrence, f"it waits until {found.label} is performed")
                return
            end = self._to_end(found, timing)
            link = self._make(self._name(occurrence), bounds, end, found.label)
            self._put_off(link, occurrence)
            frozen = self._problem.baseline.get(found.id)
            if timing.follows is Follows.PLANNED and frozen is not None:
                link.day = frozen.toordinal()
                moment = "day" if end is None else "end"
                link.label = f"the first planned {moment} of {found.label}"
            else:
                link.ref = found.index
        occurrence.links.append(link)

    def _put_off(self, link: Link, occurrence: Occurrence) -> None:
        """A decision has shifted the step: its first timing counts that many days later."""
        days = self._problem.shifts.get(occurrence.step.key, 0)
        if not days or occurrence.links:
            return
        link.earliest = None if link.earliest is None else chained(link.earliest, days)
        link.latest = None if link.latest is None else chained(link.latest, days)
        link.aim = chained(link.aim, days)
        link.shifted = days

    def _leave_undated(self, occurrence: Occurrence, why: str) -> None:
        if occurrence.id not in self._fixed:
            occurrence.undated = why

    def _outside(self, reference: PlanStart | BirthDate | OutsideEvent) -> tuple[int | None, str]:
        match reference:
            case PlanStart():
                day, label = self._problem.plan_start, "the start of the plan"
            case BirthDate():
                day, label = self._problem.birth_date, "the birth date"
            case OutsideEvent(name):
                day, label = self._problem.events.get(name), f"the day of {spoken(name)}"
            case never:
                assert_never(never)
        return (None if day is None else day.toordinal()), label

    def _find(self, reference: StepReference, of: Occurrence) -> Occurrence | str:
        found = self._expansion.by_step.get(reference.step, [])
        if of.id in self._performed:
            # What is done hung on the last one there was, not on those added since.
            found = self._expansion.before_decisions(reference.step) or found
        occurrences = self._expansion.occurrences
        name = spoken(reference.step)
        if not found:
            return f"{name} is skipped"
        if reference.occurrence is None:
            return occurrences[self._expansion.nth(found, Nth.FIRST)]
        if reference.occurrence in (Nth.FIRST, Nth.LAST, Nth.PREVIOUS):
            nth = Nth.FIRST if reference.occurrence == Nth.FIRST else Nth.LAST
            return occurrences[self._expansion.nth(found, nth)]
        index = self._expansion.by_id.get(OccurrenceId(reference.step, reference.occurrence))
        if index is None:
            return f"{name} {reference.occurrence} is skipped"
        return occurrences[index]

    def _to_end(self, found: Occurrence, timing: Timing) -> Shift | None:
        reference = timing.reference
        at_end = isinstance(reference, StepReference) and reference.point is Point.END
        if not at_end or found.step.span is None:
            return None
        return self._shift(found.step.span, Unit.DAYS)

    def _make(self, name: str, bounds: Bounds, before: Shift | None, label: str) -> Link:
        return Link(
            name=name,
            bounds=bounds,
            earliest=self._bound(bounds.earliest, bounds.unit, before),
            aim=self._from(bounds.aim, bounds.unit, before),
            latest=self._bound(bounds.latest, bounds.unit, before),
            sign=-1 if bounds.aim.sign < 0 else 1,
            label=label if before is None else f"the end of {label}",
            to_end=before,
        )

    def _bound(self, offset: Offset | None, unit: Unit, before: Shift | None) -> Shift | None:
        return None if offset is None else self._from(offset, unit, before)

    def _from(self, offset: Offset, unit: Unit, before: Shift | None) -> Shift:
        shift = self._shift(offset, unit)
        return shift if before is None else chained(before, shift)

    def _shift(self, offset: Offset, unit: Unit) -> Shift:
        found = self._shifts.get((offset, unit))
        if found is None:
            if unit is Unit.WORKING_DAYS:
                found = OpenDays(offset.fixed_days or 0, self._opens)
            else:
                found = of_offset(offset, self._problem.protocol.month_end)
            self._shifts[(offset, unit)] = found
        return found
