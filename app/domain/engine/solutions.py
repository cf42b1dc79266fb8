"""Finds the days of a problem: the first feasible choice of alternatives, then its optimum."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

from app.domain.engine.compiling import NOTHING, Compilation, Frame, LeftOut
from app.domain.engine.costs import Costs, Days
from app.domain.engine.expansion import Expander
from app.domain.engine.feasibility import Orders
from app.domain.engine.network import Network
from app.domain.engine.occurrences import Expansion, Occurrence, PlanTooLarge
from app.domain.engine.optimum import Search
from app.domain.engine.parameters import with_rules_that_hold
from app.domain.engine.restrictions import compile_network
from app.domain.engine.shifts import value
from app.domain.facts import Commitment, OccurrenceId
from app.domain.offsets import checked_day
from app.domain.problem import Problem
from app.domain.protocols import Protocol, Unit
from app.domain.schedules import Window

WEIGHTS = {Commitment.BOOKED: 4, Commitment.ACTIVE: 2, Commitment.DRAFT: 0}
MAX_COMBINATIONS = 512


@dataclass(frozen=True, slots=True)
class Solution:
    """Days of every dated occurrence as ordinals, beside those which no promise had bound."""

    compilation: Compilation
    days: dict[int, int]
    unbound: dict[int, int]
    cost: int


class Question:
    """A problem with its frame and expansions, asked again with other elements left out."""

    def __init__(self, problem: Problem) -> None:
        problem = with_rules_that_hold(problem)
        self.problem = problem
        self.frame = Frame(problem)
        opens = self.frame.opens() if _counts_open_days(problem.protocol) else []
        self._expander = Expander(problem, opens)
        choices = self._expander.first_feasible_steps()
        keys = [key for key, _ in choices]
        self._combinations = [
            dict(zip(keys, options, strict=True))
            for options in islice(
                product(*(options for _, options in choices)), MAX_COMBINATIONS + 1
            )
        ]
        if len(self._combinations) > MAX_COMBINATIONS:
            raise PlanTooLarge(f"more than {MAX_COMBINATIONS} combinations of alternatives")
        self._expansions: dict[int, Expansion] = {}

    def expansions(self) -> Iterator[Expansion]:
        """The expansions of every combination of alternatives, in step order."""
        for number, combination in enumerate(self._combinations):
            if number not in self._expansions:
                self._expansions[number] = self._expander.expand(combination)
            yield self._expansions[number]

    def networks(self, left_out: LeftOut = NOTHING) -> Iterator[Compilation]:
        """Compilations which propagation does not refuse; open pairs are not decided yet."""
        for expansion in self.expansions():
            compilation, possible = compile_network(self.frame, expansion, left_out)
            if possible:
                yield compilation

    def feasible(self, left_out: LeftOut = NOTHING) -> bool:
        """Whether any schedule exists when these elements are left out."""
        return any(Orders().exists(found.net) for found in self.networks(left_out))

    def solution(self) -> Solution | None:
        """The best schedule of the first combination for which any exists."""
        for compilation in self.networks():
            if Orders().exists(compilation.net):
                return best_solution(compilation)
        return None


def _counts_open_days(protocol: Protocol) -> bool:
    for step in protocol.steps:
        timings = [timing.bounds for timing in step.timings]
        if step.alternatives is not None:
            timings += [timing.bounds for _, timing in step.alternatives.options]
        if step.repeat is not None:
            timings += [step.repeat.spacing, *(bounds for _, bounds in step.repeat.spacing_by)]
        timings += [point.bounds for point in step.timepoints]
        if any(bounds.unit is Unit.WORKING_DAYS for bounds in timings):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Beside:
    """A solution from which everything is taken but the days of some variables.

    They are a component of the compiled network: nothing outside depends on them.
    """

    solution: Solution
    costs: Costs
    component: list[int]

    @classmethod
    def of(cls, solution: Solution, index: int) -> "Beside":
        """For days of one variable, from a solution with any of them."""
        compilation = solution.compilation
        costs = Costs(compilation)
        components = Search(costs).components(compilation.net, compilation.present)
        return cls(solution, costs, next(found for found in components if index in found))


def best_solution(
    compilation: Compilation, net: Network | None = None, beside: Beside | None = None
) -> Solution | None:
    """The optimum of a feasible network: first as if nothing were kept, then with promises."""
    net = compilation.net if net is None else net
    costs = Costs(compilation) if beside is None else beside.costs
    variables = compilation.present if beside is None else beside.component
    first = _first_anchor(compilation, net)
    free = net if first is None else net.within(*first)
    unbound = None if free is None else Search(costs).best(free, variables)
    if free is None or unbound is None:
        return None
    if not _anchor_is_kept(compilation):
        net = free
    unbound_days = _dated(compilation, unbound, None if beside is None else beside.solution.unbound)
    stay = _promises(compilation, net, unbound_days, variables)
    best = unbound
    if stay or net is not free:
        # What was found as if nothing were kept fits still.
        best = Search(costs.keeping(stay)).best(net, variables) or unbound
    days = _dated(compilation, best, None if beside is None else beside.solution.days)
    return Solution(compilation, days, unbound_days, nearness(compilation, days))


def _dated(compilation: Compilation, bits: Days, others: dict[int, int] | None) -> dict[int, int]:
    """Days as ordinals, in the order of the occurrences, beside those of the others."""
    base = compilation.frame.base
    if others is None:
        return {index: bits[index] + base for index in compilation.present}
    return {**others, **{index: day + base for index, day in bits.items()}}


def _first_anchor(compilation: Compilation, net: Network) -> tuple[int, int, int] | None:
    """An anchor asked for as early as possible, held on the first day that works."""
    anchor = compilation.problem.anchor
    if anchor is None or anchor.day is not None or compilation.problem.postponed:
        return None
    index = compilation.expansion.by_id.get(anchor.occurrence)
    asked = compilation.asked.keys() & set(compilation.present)
    if index is None or index in compilation.given or index not in asked:
        return None
    first = Orders().first(net, index)
    return None if first is None else (index, first, first)


def _anchor_is_kept(compilation: Compilation) -> bool:
    anchor = compilation.problem.anchor
    return anchor is not None and any(
        kept.occurrence == anchor.occurrence for kept in compilation.problem.kept
    )


def _promises(
    compilation: Compilation, net: Network, unbound: dict[int, int], variables: list[int]
) -> dict[int, tuple[int, int]]:
    """Kept days that still bind: not drifted too far from their new target."""
    base, expansion = compilation.frame.base, compilation.expansion
    tolerance = compilation.problem.protocol.drift_tolerance
    stay = {}
    for kept in compilation.problem.kept:
        weight = WEIGHTS[kept.commitment]
        index = expansion.by_id.get(kept.occurrence)
        if not weight or index not in variables or net.lows[index] == net.highs[index]:
            continue
        window = ordinal_window(compilation, expansion.occurrences[index], unbound)
        day = kept.day.toordinal()
        if window is None or kept.by_hand or abs(day - window[1]) <= tolerance:
            stay[index] = (day - base, weight)
    return stay


def ordinal_window(
    compilation: Compilation, occurrence: Occurrence, days: dict[int, int]
) -> tuple[int | None, int, int | None] | None:
    """Earliest, target and latest ordinal from its own timings; ``None`` without any."""
    earliest: int | None = None
    target: int | None = None
    latest: int | None = None
    for link in occurrence.links:
        start = link.start(days)
        if target is None:
            target = value(link.aim, start)
        low = None if link.earliest is None else compilation.bound(link, "earliest", link.earliest)
        high = None if link.latest is None else compilation.bound(link, "latest", link.latest)
        if low is not None:
            day = value(low, start)
            earliest = day if earliest is None or day > earliest else earliest
        if high is not None:
            day = value(high, start)
            latest = day if latest is None or day < latest else latest
    if target is None:
        return None
    if earliest is not None and latest is not None:
        latest = max(earliest, latest)
    if latest is not None:
        target = min(target, latest)
    if earliest is not None:
        target = max(target, earliest)
    return earliest, target, latest


def window_of(
    compilation: Compilation, occurrence: Occurrence, days: dict[int, int]
) -> Window | None:
    """The window in dates. Raises DateOutOfRange beyond 1900..2200."""
    found = ordinal_window(compilation, occurrence, days)
    if found is None:
        return None
    earliest, target, latest = found
    return Window(
        None if earliest is None else checked_day(earliest),
        checked_day(target),
        None if latest is None else checked_day(latest),
    )


def own_target(occurrence: Occurrence, days: dict[int, int]) -> int | None:
    """The first timing's own target, not lifted into the window."""
    if not occurrence.links:
        return None
    link = occurrence.links[0]
    return value(link.aim, link.start(days))


def nearness(compilation: Compilation, days: dict[int, int]) -> int:
    """Importance times days from target, summed over what is not yet performed."""
    total = 0
    for index, day in days.items():
        occurrence = compilation.expansion.occurrences[index]
        target = own_target(occurrence, days)
        if target is not None and index not in compilation.performed:
            total += occurrence.importance * abs(day - target)
    return total


def occurrence_index(compilation: Compilation, occurrence: OccurrenceId) -> int | None:
    """The number of an occurrence that can have a day."""
    index = compilation.expansion.by_id.get(occurrence)
    return index if index in compilation.present else None
