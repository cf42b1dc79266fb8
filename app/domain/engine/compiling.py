"""Day sets and timings of a problem as a network. Elements left out are simply not compiled in."""

from collections.abc import Iterable
from datetime import date

from app.domain.calendars import Absence, Closure
from app.domain.engine.elsewhere import rules_elsewhere
from app.domain.engine.network import Network
from app.domain.engine.occurrences import Expansion, Link, Occurrence
from app.domain.engine.shifts import (
    HIGHEST,
    LOWEST,
    AtLeast,
    Shift,
    chained,
    inverse,
    value,
)
from app.domain.facts import Anchor, OccurrenceId
from app.domain.problem import Problem
from app.domain.protocols import Bounds, LatestIs, Protocol, Step, Unit
from app.domain.rules import AnyRule

SEARCH_DAYS = 366
WEEK_BITS = 127

LeftOut = frozenset[str]
NOTHING: LeftOut = frozenset()


class Frame:
    """The stretch of days a problem is looked at on, with the location's open days as bitsets.

    ``rules`` are in the order of their ids: how a protocol lists them says nothing.
    """

    __slots__ = (
        "_known",
        "_named",
        "absences",
        "base",
        "floor",
        "problem",
        "rules",
        "size",
        "today",
    )

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.today = problem.as_of.toordinal()
        not_before = problem.not_before.toordinal() if problem.not_before else self.today
        self.floor = max(self.today, not_before)
        extent = _extent(problem.protocol)
        days = [day.toordinal() for day in _given_days(problem)]
        self.base = max(LOWEST, min(days) - extent)
        self.size = min(HIGHEST, max(days) + extent) - self.base + 1
        rules: list[AnyRule] = [*problem.protocol.rules, *rules_elsewhere(problem)]
        self.rules = sorted(rules, key=lambda rule: rule.id)
        self.absences = [absence for absence in problem.absences if absence.steps is not None]
        self._known: dict[LeftOut, int] = {}
        self._named: LeftOut | None = None

    @property
    def everything(self) -> int:
        """All days of the frame."""
        return (1 << self.size) - 1

    def span(self, first: int, last: int) -> int:
        """The days from one ordinal to another, both included, as far as the frame goes."""
        low, high = max(0, first - self.base), min(self.size - 1, last - self.base)
        return 0 if low > high else ((1 << (high - low + 1)) - 1) << low

    def dates(self, spans: Iterable[Closure | Absence]) -> int:
        """The days of closures or absences."""
        found = 0
        for span in spans:
            found |= self.span(span.first.toordinal(), span.last.toordinal())
        return found

    def open_days(self, left_out: LeftOut) -> int:
        """Days on which a step that needs an open day may be, absences of single steps apart."""
        if left_out:
            left_out = left_out & self._elements()
        found = self._known.get(left_out)
        if found is None:
            days = self.everything if "weekdays" in left_out else self._weekdays()
            closed = self._closed()
            absences = [absence for absence in self.problem.absences if absence.steps is None]
            if left_out:
                closures = self.problem.calendar.closures
                closed = self.dates(c for c in closures if f"closure:{c.id}" not in left_out)
                absences = [a for a in absences if f"unavailable:{a.id}" not in left_out]
            found = days & ~closed & ~self.dates(absences)
            self._known[left_out] = found
        return found

    def _elements(self) -> LeftOut:
        """What of the calendar can be left out."""
        if self._named is None:
            self._named = frozenset(
                {"weekdays"}
                | {f"closure:{closure.id}" for closure in self.problem.calendar.closures}
                | {f"unavailable:{absence.id}" for absence in self.problem.absences}
            )
        return self._named

    def _closed(self) -> int:
        return self.problem.calendar.closed >> (self.base - LOWEST) & self.everything

    def opens(self) -> list[int]:
        """Every open day of the location, absences of the patient apart."""
        mask = self._weekdays() & ~self._closed()
        return [self.base + bit for bit in range(self.size) if mask >> bit & 1]

    def _weekdays(self) -> int:
        pattern = sum(
            1 << bit
            for bit in range(7)
            if (self.base + bit - 1) % 7 + 1 in self.problem.calendar.open_weekdays
        )
        weeks = self.size // 7 + 1
        return pattern * (((1 << (7 * weeks)) - 1) // WEEK_BITS) & self.everything


def _given_days(problem: Problem) -> Iterable[date]:
    yield problem.as_of
    yield from (day for day in (problem.not_before, problem.plan_start, problem.birth_date) if day)
    yield from problem.events.values()
    yield from problem.baseline.values()
    yield from (fact.on for fact in problem.performed)
    yield from (fact.on for fact in problem.missed)
    yield from (pin.on for pin in problem.pinned)
    yield from (kept.day for kept in problem.kept)
    if problem.anchor is not None:
        anchor = problem.anchor
        yield from (day for day in (anchor.day, anchor.earliest_from, anchor.until) if day)


def _range_of(anchor: Anchor) -> tuple[int, int]:
    """The first and last day that the anchor may have, as ordinals."""
    if anchor.day is not None:
        return anchor.day.toordinal(), anchor.day.toordinal()
    first = anchor.earliest_from.toordinal() if anchor.earliest_from else LOWEST
    return first, anchor.until.toordinal() if anchor.until else first + SEARCH_DAYS


def _extent(protocol: Protocol) -> int:
    """How far from the given days a plan can reach."""
    return 2 * SEARCH_DAYS + sum(_step_extent(step) for step in protocol.steps)


def _step_extent(step: Step) -> int:
    longest = max((_bounds_extent(timing.bounds) for timing in step.timings), default=0)
    if step.alternatives is not None:
        options = (_bounds_extent(timing.bounds) for _, timing in step.alternatives.options)
        longest = max(longest, *options)
    longest = max([longest, *(_bounds_extent(point.bounds) for point in step.timepoints)])
    if step.repeat is not None:
        spacings = [step.repeat.spacing, *(bounds for _, bounds in step.repeat.spacing_by)]
        most = max(step.repeat.count.maximum, step.repeat.count.default)
        longest += most * max(_bounds_extent(bounds) for bounds in spacings)
    return longest + (0 if step.span is None else step.span.longest_days)


def _bounds_extent(bounds: Bounds) -> int:
    given = [o for o in (bounds.earliest, bounds.target, bounds.latest) if o is not None]
    longest = max(offset.longest_days for offset in given)
    if bounds.unit is Unit.WORKING_DAYS:
        longest = longest * 7 + SEARCH_DAYS
    missing = bounds.earliest is None or bounds.latest is None
    return longest + (SEARCH_DAYS if missing or bounds.latest_is is LatestIs.DEADLINE else 0)


class Compilation:
    """One network: a frame, an expansion, and what is left out of it."""

    __slots__ = (
        "_waived",
        "asked",
        "expansion",
        "frame",
        "given",
        "left_out",
        "missed",
        "net",
        "performed",
        "present",
        "problem",
        "widened",
    )

    def __init__(self, frame: Frame, expansion: Expansion, left_out: LeftOut = NOTHING) -> None:
        problem = frame.problem
        self.frame, self.expansion, self.problem = frame, expansion, problem
        self.widened = {w.element: w.days for w in problem.waivers if w.days is not None}
        waived = frozenset(w.element for w in problem.waivers if w.days is None)
        self._waived = waived
        self.left_out = left_out | waived if waived else left_out
        self.net = Network(frame.base, len(expansion.occurrences))
        self.performed = {
            expansion.by_id[fact.occurrence]: fact.on.toordinal()
            for fact in problem.performed
            if fact.occurrence in expansion.by_id and not self.omits(f"fact:{fact.occurrence}")
        }
        self.present: list[int] = []
        self.missed = {
            expansion.by_id[fact.occurrence]: max(frame.floor, fact.on.toordinal() + 1)
            for fact in problem.missed
            if fact.occurrence in expansion.by_id
        }
        self.asked: dict[int, list[tuple[int, int]]] = {}
        wanted = self._ask()
        self.given = dict(self.performed)
        self._hold(wanted)

    def omits(self, element: str) -> bool:
        """Whether an element is left out or waived."""
        return element in self.left_out

    def place_steps(self) -> bool:
        """Day sets and timings of every occurrence; false when a day set is empty already."""
        net, frame = self.net, self.frame
        for occurrence in self.expansion.occurrences:
            index = occurrence.index
            if index in self.given:
                net.masks[index] = frame.span(self.given[index], self.given[index])
            elif occurrence.undated is None:
                net.masks[index] = self._day_set(occurrence)
            else:
                continue
            self.present.append(index)
            if not net.masks[index]:
                return False
        for index in self.present:
            self._add_links(self.expansion.occurrences[index])
        return True

    def _ask(self) -> dict[int, list[tuple[int, int]]]:
        """Days people ask for, pins and the anchor, as ranges of ordinals; also those left out."""
        by_id, wanted = self.expansion.by_id, dict[int, list[tuple[int, int]]]()

        def ask(element: str, occurrence: OccurrenceId, first: int, last: int) -> None:
            index = by_id.get(occurrence)
            if index is not None:
                wanted.setdefault(index, []).append((first, last))
                if not self.omits(element):
                    self.asked.setdefault(index, []).append((first, last))

        for pin in self.problem.pinned:
            day = pin.on.toordinal()
            ask(f"pin:{pin.occurrence}", pin.occurrence, day, day)
        anchor = self.problem.anchor
        if anchor is not None and not self.problem.postponed:
            first, last = _range_of(anchor)
            ask(f"anchor:{anchor.occurrence}", anchor.occurrence, first, last)
        return wanted

    def _hold(self, wanted: dict[int, list[tuple[int, int]]]) -> None:
        """An undone step whose day has passed stays there, as if pinned, until a person acts.

        So does what is left on a day to come. What is left out in looking for a conflict does not
        make a step stay: it would then bind.
        """
        facts = {fact.occurrence: fact.on.toordinal() for fact in self.problem.performed}
        for kept in self.problem.kept:
            index = self.expansion.by_id.get(kept.occurrence)
            if index is None or index in self.given or index in self.missed:
                continue
            occurrence, day = self.expansion.occurrences[index], kept.day.toordinal()
            if occurrence.undated is not None or self.omits(f"fact:{kept.occurrence}"):
                continue
            stays = kept.occurrence in self.problem.left
            if not stays and day < self.frame.today and occurrence.floored:
                as_wanted = all(first <= day <= last for first, last in wanted.get(index, ()))
                stays = as_wanted and not self._overtaken(occurrence, day, facts)
            if stays:
                self.given[index] = day

    def _overtaken(self, occurrence: Occurrence, day: int, facts: dict[OccurrenceId, int]) -> bool:
        """Whether a fact about a reference puts the window's earliest day after this one."""
        for link in occurrence.links:
            if link.ref is None or link.earliest is None:
                continue
            done = facts.get(self.expansion.occurrences[link.ref].id)
            if done is None or f"{link.name}.earliest" in self._waived:
                continue
            if value(self._widen(link, "earliest", link.earliest), done) > day:
                return True
        return False

    def _day_set(self, occurrence: Occurrence) -> int:
        frame = self.frame
        if occurrence.any_day:
            days = frame.everything
        else:
            days = frame.open_days(self.left_out)
            for absence in frame.absences:
                named = absence.steps is not None and occurrence.step.key in absence.steps
                if named and not self.omits(f"unavailable:{absence.id}"):
                    days &= ~frame.span(absence.first.toordinal(), absence.last.toordinal())
        if occurrence.floored and not self.omits("as_of"):
            low = max(0, self.missed.get(occurrence.index, frame.floor) - frame.base)
            days = days >> low << low
        for first, last in self.asked.get(occurrence.index, ()):
            days &= frame.span(first, last)
        return days

    def bound(self, link: Link, edge: str, shift: Shift) -> Shift | None:
        """A timing's bound, widened or left out as waivers say."""
        if not self.left_out and not self.widened:
            return shift
        if f"{link.name}.{edge}" in self.left_out:
            return None
        return self._widen(link, edge, shift)

    def _widen(self, link: Link, edge: str, shift: Shift) -> Shift:
        days = self.widened.get(f"{link.name}.{edge}")
        if days is None:
            return shift
        return chained(shift, -days if edge == "earliest" else days)

    def _add_links(self, occurrence: Occurrence) -> None:
        index, bounded_below, bounded_above = occurrence.index, False, False
        is_performed = index in self.performed
        if index in self.given and not is_performed:
            return
        for link in occurrence.links:
            if is_performed and (link.ref is None or link.ref in self.given):
                continue
            low = None if link.earliest is None else self.bound(link, "earliest", link.earliest)
            high = None
            if link.latest is not None and link.bounds.latest_is is LatestIs.BOUND:
                high = self.bound(link, "latest", link.latest)
            bounded_below |= low is not None
            bounded_above |= high is not None
            self._add_bounds(index, link, low, high)
        if occurrence.links and not is_performed:
            self._limit_search(occurrence, below=bounded_below, above=bounded_above)

    def _add_bounds(self, index: int, link: Link, low: Shift | None, high: Shift | None) -> None:
        net, frame = self.net, self.frame
        if link.ref is None:
            day = link.day
            if low is not None:
                net.masks[index] &= frame.span(value(low, day), HIGHEST)
            if high is not None:
                net.masks[index] &= frame.span(LOWEST, value(high, day))
            return
        if low is not None:
            net.relate(link.ref, index, low)
        if high is not None:
            net.relate(index, link.ref, inverse(high))

    def _limit_search(self, occurrence: Occurrence, *, below: bool, above: bool) -> None:
        """Where a bound is absent the search ends 366 days from the target."""
        if below and above:
            return
        link, index = occurrence.links[0], occurrence.index
        low = None if below else chained(link.aim, -SEARCH_DAYS)
        high: Shift | None = None
        if not above:
            floor = self.frame.floor
            for other in occurrence.links[1:]:
                start = other.day if other.ref is None else self.given.get(other.ref)
                if start is None:
                    return
                if other.earliest is not None:
                    floor = max(floor, value(other.earliest, start))
            high = chained(AtLeast(link.aim, floor), SEARCH_DAYS)
        self._add_bounds(index, link, low, high)
