"""What a person can do about two steps which lie closer than a rule would rather have them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from app.domain.engine.judging import spoken_day
from app.domain.engine.occurrences import spoken_step
from app.domain.engine.queries import first_possible_day, forced
from app.domain.engine.scheduling import solve
from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from app.domain.rules import MinGapBetween, Severity
from app.domain.schedules import Breach, Conflict, Offer, Schedule

# So far beyond the day that is too close another one is looked for.
NEAR, ONE_DAY = timedelta(days=60), timedelta(days=1)


def ways_apart(
    problem: Problem, schedule: Schedule, moved: Collection[OccurrenceId]
) -> tuple[Offer, ...]:
    """Offers for steps of a schedule that are flagged because they lie too close to each other.

    One visit for both, where the rule has that; and a later day which keeps the rule, of the step
    that has ``moved``, else of either.
    """
    rules = {rule.id: rule for rule in problem.protocol.rules if isinstance(rule, MinGapBetween)}
    days = {step.id: step.day for step in schedule.steps if step.day is not None}
    names = {step.id: spoken_step(step) for step in schedule.steps}
    done = {step.id for step in schedule.steps if step.performed}
    found: list[Offer] = []
    for breach in schedule.breaches:
        rule = rules.get(breach.rule)
        if rule is not None:
            one, other = breach.occurrences
            pairs = [
                (step, stays) for step, stays in ((other, one), (one, other)) if step not in done
            ]
            if rule.one_visit and len(pairs) > 1:
                found += _TooClose(problem, breach, days, names).one_visit(pairs)
            chosen = [pair for pair in pairs if pair[0] in moved] or pairs
            found += _TooClose(_strictly(problem, rule), breach, days, names).later(chosen)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _TooClose:
    """Two steps, each of which may come to lie elsewhere while the other one stays."""

    problem: Problem
    breach: Breach
    days: Mapping[OccurrenceId, date]
    names: Mapping[OccurrenceId, str]

    def one_visit(self, pairs: list[tuple[OccurrenceId, OccurrenceId]]) -> Iterator[Offer]:
        """Both on the day which one of them has."""
        for step, stays in pairs:
            day = self.days[stays]
            accepts = self._reading(step, stays, day)
            if accepts is not None:
                both = f"{self.names[stays]} and {self.names[step]}"
                text = f"{both} in one visit on {_spoken(day)}"
                yield Offer(step, day, text, self.breach.id, accepts)
                return

    def later(self, pairs: list[tuple[OccurrenceId, OccurrenceId]]) -> Iterator[Offer]:
        """The first later day of each that is far enough from the other one's."""
        for step, stays in pairs:
            now = self.days[step]
            day = self._first_day(step, stays, now + ONE_DAY, now + NEAR)
            if day is not None:
                far = f"far enough from {self.names[stays]}"
                text = f"{self.names[step]} on {_spoken(day)}, {far}"
                yield Offer(step, day, text, self.breach.id)

    def _reading(self, step: OccurrenceId, stays: OccurrenceId, day: date) -> str | None:
        """How the breach reads with both on one day; nothing where that is not possible."""
        found = solve(forced(self._staying(stays), step, day))
        broken = () if isinstance(found, Conflict) else found.breaches
        return next((one.text for one in broken if one.id == self.breach.id), None)

    def _first_day(
        self, step: OccurrenceId, stays: OccurrenceId, first: date, last: date
    ) -> date | None:
        return first_possible_day(self._staying(stays), step, first, last)

    def _staying(self, step: OccurrenceId) -> Problem:
        if any(fact.occurrence == step for fact in self.problem.performed):
            return self.problem
        return forced(self.problem, step, self.days[step])


def _strictly(problem: Problem, rule: MinGapBetween) -> Problem:
    """The same problem with the rule as a hard one."""
    rules = (
        replace(one, severity=Severity.BLOCK) if one.id == rule.id else one
        for one in problem.protocol.rules
    )
    return replace(problem, protocol=replace(problem.protocol, rules=tuple(rules)))


def _spoken(day: date) -> str:
    return spoken_day(day.toordinal())
