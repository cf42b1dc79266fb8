"""Says why a day was chosen: where its target comes from, and what stood in the way of it."""

from datetime import date

from app.domain.calendars import by_days
from app.domain.engine.compiling import Compilation
from app.domain.engine.judging import spoken_day, violations
from app.domain.engine.occurrences import Link, Occurrence
from app.domain.engine.shifts import Shift, value
from app.domain.engine.solutions import Solution, ordinal_window, own_target
from app.domain.protocols import LatestIs, Unit
from app.domain.rules import Severity
from app.domain.schedules import Reason

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class Explainer:
    """Gives each occurrence of one solution its reasons; at least one, always."""

    def __init__(self, solution: Solution) -> None:
        self._solution = solution
        self._compilation = solution.compilation
        self._problem = solution.compilation.problem
        self._days = solution.days
        self._kept = {
            self._compilation.expansion.by_id.get(kept.occurrence): kept.day.toordinal()
            for kept in self._problem.kept
        }
        self._pinned = {pin.occurrence for pin in self._problem.pinned}

    def reasons(self, occurrence: Occurrence) -> tuple[Reason, ...]:
        """Why this occurrence is on its day, or has none."""
        index = occurrence.index
        if index not in self._days:
            return (Reason("undated", f"no day yet: {occurrence.undated or 'nothing places it'}"),)
        day = self._days[index]
        if index in self._compilation.performed:
            return (Reason("performed", f"performed on {spoken_day(day)}"),)
        if occurrence.id in self._problem.left and index in self._compilation.given:
            text = (
                f"stays on {spoken_day(day)}, given out before, though no schedule has it there; "
                "a person has to put it right"
            )
            return (Reason("left", text),)
        if index in self._compilation.given:
            text = (
                f"its day, {spoken_day(day)}, has passed; it stays there until it is recorded, "
                "moved, skipped or missed"
            )
            return (Reason("held", text),)
        asked = self._asked(occurrence, day)
        target = own_target(occurrence, self._days)
        if target is None:
            return asked  # without a timing that counts it has a day because a person asked
        if asked:
            return (*asked, *_away(day, target))
        if day == target:
            return (Reason("on_target", self._from_reference(occurrence.links[0], day)),)
        return self._off_target(occurrence, day, target)

    def _asked(self, occurrence: Occurrence, day: int) -> tuple[Reason, ...]:
        anchor = self._problem.anchor
        if occurrence.id in self._pinned:
            return (Reason("pinned", f"{spoken_day(day)} was asked for"),)
        if anchor is None or anchor.occurrence != occurrence.id:
            return ()
        if anchor.day is not None:
            return (Reason("asked", f"{spoken_day(day)} was asked for"),)
        if self._kept.get(occurrence.index) == day:
            return (Reason("kept", f"{spoken_day(day)} was given out before and still works"),)
        first = spoken_day(anchor.earliest_from.toordinal()) if anchor.earliest_from else "today"
        return (Reason("first_possible", f"the first day from {first} on which everything fits"),)

    def _off_target(self, occurrence: Occurrence, day: int, target: int) -> tuple[Reason, ...]:
        where = self._from_reference(occurrence.links[0], target)
        wanted = Reason("target", f"its target {spoken_day(target)} is {where}")
        lifted = ordinal_window(self._compilation, occurrence, self._days)
        if (
            self._kept.get(occurrence.index) == day
            and self._solution.unbound.get(occurrence.index) != day
        ):
            text = f"stays on {spoken_day(day)}, given out before, {_apart(day, target)} its target"
            return (wanted, Reason("kept", text))
        blocked = self._blocked(occurrence, target)
        if lifted is not None and lifted[1] != target:
            blocked = self._lifted(occurrence, lifted[1]) or blocked
        return (
            wanted,
            blocked,
            Reason(
                "nearest",
                f"{spoken_day(day)}, {_apart(day, target)} it, is the best day that works",
            ),
        )

    def _from_reference(self, link: Link, day: int) -> str:
        start = link.counted_from(self._days)
        count = day - start
        if link.bounds.unit is Unit.WORKING_DAYS:
            days = abs(link.bounds.aim.fixed_days or 0)
            distance = f"{days} open day{'' if days == 1 else 's'}"
        else:
            distance = link.bounds.aim.in_words()
        if link.bounds.aim.sign == 0 or (count == 0 and distance == "the same day"):
            return f"the same day as {link.label} on {spoken_day(start)}"
        direction = "before" if link.sign < 0 else "after"
        later = f", put off by {link.shifted} days" if link.shifted else ""
        return f"{distance} {direction} {link.label} on {spoken_day(start)}{later}"

    def _lifted(self, occurrence: Occurrence, lifted: int) -> Reason | None:
        bounds = (
            (link, edge, word)
            for link in occurrence.links[1:]
            for edge, word, shift in (
                ("earliest", "before", link.earliest),
                ("latest", "after", link.latest),
            )
            if shift is not None and value(shift, link.start(self._days)) == lifted
        )
        reasons = (
            Reason(
                "timing",
                f"not {word} {spoken_day(lifted)}, counted from {link.label}",
                f"{link.name}.{edge}",
            )
            for link, edge, word in bounds
        )
        return next(reasons, None)

    def _blocked(self, occurrence: Occurrence, day: int) -> Reason:
        """What keeps this occurrence from a day: the calendar, a rule, another step, or a trade."""
        return (
            closed(self._compilation, occurrence, day)
            or self._ruled_out(occurrence, day)
            or self._related(occurrence, day)
            or Reason(
                "gives_way", f"{spoken_day(day)} would put other steps further from their targets"
            )
        )

    def _ruled_out(self, occurrence: Occurrence, day: int) -> Reason | None:
        days = {**self._days, occurrence.index: day}
        for rule in self._compilation.frame.rules:
            if rule.severity is not Severity.BLOCK or self._compilation.omits(f"rule:{rule.id}"):
                continue
            broken = (
                violation.text
                for violation in violations(self._compilation, rule, days)
                if occurrence.index in violation.occurrences
            )
            text = next(broken, None)
            if text is not None:
                return Reason("rule", text, f"rule:{rule.id}")
        return None

    def _related(self, occurrence: Occurrence, day: int) -> Reason | None:
        """A timing of its own or of a dependant that the day would break, the others staying."""
        days = {**self._days, occurrence.index: day}
        for other in self._compilation.expansion.occurrences:
            if other.index not in days or other.index in self._compilation.given:
                continue
            for link in other.links:
                if occurrence.index not in (other.index, link.ref):
                    continue
                broken = broken_edge(self._compilation, link, days, days[other.index])
                if broken is not None:
                    who = "it" if other.index == occurrence.index else other.label
                    early = "early" if broken[0] == "earliest" else "late"
                    text = f"{who} would be too {early} counted from {link.label}"
                    return Reason("timing", text, f"{link.name}.{broken[0]}")
        return None


def broken_edge(
    compilation: Compilation, link: Link, days: dict[int, int], day: int
) -> tuple[str, int] | None:
    """Which bound of a timing a day is beyond, earliest or latest, and the day of that bound."""
    start = link.start(days)
    low = _bound(compilation, link, "earliest", link.earliest)
    if low is not None and day < value(low, start):
        return "earliest", value(low, start)
    high = _bound(compilation, link, "latest", link.latest)
    if high is None or link.bounds.latest_is is not LatestIs.BOUND or day <= value(high, start):
        return None
    return "latest", value(high, start)


def _bound(compilation: Compilation, link: Link, edge: str, shift: Shift | None) -> Shift | None:
    return None if shift is None else compilation.bound(link, edge, shift)


def closed(compilation: Compilation, occurrence: Occurrence, day: int) -> Reason | None:
    """Why a step cannot be on a day by the calendar alone, or ``None`` where it can."""
    left_out = compilation.left_out
    if occurrence.floored and "as_of" not in left_out:
        soon = _too_soon(compilation, occurrence, day)
        if soon is not None:
            return soon
    if occurrence.any_day:
        return None
    calendar, plain = compilation.problem.calendar, date.fromordinal(day)
    if plain.isoweekday() not in calendar.open_weekdays and "weekdays" not in left_out:
        weekday = WEEKDAYS[plain.weekday()]
        return Reason("weekday", f"the location is closed on {weekday}", "weekdays")
    for closure in sorted(calendar.closures, key=by_days):
        if closure.first <= plain <= closure.last and f"closure:{closure.id}" not in left_out:
            named = closure.title or closure.id
            text = f"the location is closed on {spoken_day(day)} ({named})"
            return Reason("closure", text, f"closure:{closure.id}")
    for absence in sorted(compilation.problem.absences, key=by_days):
        concerns = absence.steps is None or occurrence.step.key in absence.steps
        waived = f"unavailable:{absence.id}" in left_out
        if concerns and not waived and absence.first <= plain <= absence.last:
            text = f"{_who(absence.steps)} away {_from_to(absence.first, absence.last)}"
            return Reason("unavailable", text, f"unavailable:{absence.id}")
    return None


def _too_soon(compilation: Compilation, occurrence: Occurrence, day: int) -> Reason | None:
    """Why it can only be placed later than on a day."""
    for fact in compilation.problem.missed:
        missed = fact.on.toordinal()
        if fact.occurrence == occurrence.id and day <= missed:
            return Reason("missed", f"it was missed on {spoken_day(missed)}", "as_of")
    if day >= compilation.frame.floor:
        return None
    if day < compilation.frame.today:
        return Reason("past", f"{spoken_day(day)} has passed", "as_of")
    first = spoken_day(compilation.frame.floor)
    return Reason("notice", f"{spoken_day(day)} is before {first}, the first day to book", "as_of")


def _away(day: int, target: int) -> tuple[Reason, ...]:
    if day == target:
        return ()
    return (Reason("off_target", f"{_apart(day, target)} its target {spoken_day(target)}"),)


def _apart(day: int, target: int) -> str:
    count = abs(day - target)
    return f"{count} day{'' if count == 1 else 's'} {'before' if day < target else 'after'}"


def _who(steps: frozenset[str] | None) -> str:
    return "the patient is" if steps is None else "someone needed is"


def _from_to(first: date, last: date) -> str:
    if first == last:
        return f"on {first.isoformat()}"
    return f"from {first.isoformat()} to {last.isoformat()}"
