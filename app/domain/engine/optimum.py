"""The best schedule of a feasible network, exactly: few moves, near targets, healing not cut."""

from itertools import pairwise
from typing import NamedTuple

from app.domain.engine.costs import NEAR, Costs, Days
from app.domain.engine.cut import SINK, SOURCE, FlowNetwork
from app.domain.engine.network import Network
from app.domain.engine.occurrences import PlanTooLarge
from app.domain.engine.shifts import Shift
from app.domain.engine.symmetry import settled

NEVER = 1 << 112
# Work of all cuts of a search: about a second's.
MAX_WORK = 1_500_000
MAX_CUT_NODES = 60_000
# Of all steps together: so few are cut as quickly as looked through.
FEW_DAYS = 40
# What it is to price a day beside the cuts' own work.
PRICES = 4

Key = tuple[int, int, tuple[int, ...]]


class Branch(NamedTuple):
    """A network with some pairs decided, and its best days with the others disregarded."""

    key: Key
    days: Days
    net: Network


class Search:
    """Looks for the best days, component by component, deciding either-order pairs by branching.

    What a branch could give at best is known before it is looked into: Land and Doig, 1960.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._left = MAX_WORK
        self._is_ordering = False

    def best(self, net: Network, variables: list[int]) -> Days | None:
        """The least-cost days of these variables, ties by the earliest, then by step order."""
        days: Days = {}
        for component in self.components(net, variables):
            found = self._best_of(net, component)
            if found is None:
                return None
            days.update(found)
        return days

    def _best_of(self, net: Network, component: list[int]) -> Days | None:
        days = self._relaxed(net, component)
        members = set(component)
        pairs = [pair for pair in net.pairs if pair[0] in members or pair[1] in members]
        if not pairs or net.broken_pair({**dict(enumerate(net.lows)), **days}, pairs) is None:
            return days
        self._is_ordering = True
        one_order = settled(net, self._costs.alike)
        if one_order is None:
            return None
        found = self._decided(self._bounded(one_order, component), component, None)
        return None if found is None else found[1]

    def _bounded(self, net: Network, component: list[int]) -> Branch:
        """The optimum of a network without its open pairs: no schedule of it is better."""
        days: Days = {}
        for part in self.components(net, component):
            days.update(self._relaxed(net, part))
        return Branch(self._key(net, days), days, net)

    def _decided(
        self, branch: Branch, component: list[int], best: tuple[Key, Days] | None
    ) -> tuple[Key, Days] | None:
        """The best days of a branch, where they are better than the best known so far."""
        if best is not None and best[0] <= branch.key:
            return best
        net = branch.net
        broken = net.broken_pair({**dict(enumerate(net.lows)), **branch.days}, net.pairs)
        if broken is None:
            return branch.key, branch.days
        i, j, forth, back = broken
        ordered = (net.ordered(i, j, forth), net.ordered(j, i, back))
        branches = [self._bounded(one, component) for one in ordered if one is not None]
        for one in sorted(branches, key=lambda found: found.key):
            best = self._decided(one, component, best)
        return best

    def _key(self, net: Network, days: Days) -> Key:
        everything = {**dict(enumerate(net.lows)), **days}
        ordered = tuple(days[index] for index in sorted(days))
        return self._costs.total(everything), sum(ordered), ordered

    def components(self, net: Network, variables: list[int]) -> list[list[int]]:
        """Variables that can still influence each other, in step order."""
        lows, highs = net.lows, net.highs
        group = {index: index for index in variables}

        def root(index: int) -> int:
            while group[index] != index:
                group[index] = group[group[index]]
                index = group[index]
            return index

        def join(i: int, j: int) -> None:
            if lows[i] != highs[i] and lows[j] != highs[j] and i in group and j in group:
                one, other = root(i), root(j)
                group[max(one, other)] = min(one, other)

        for index in variables:
            if lows[index] != highs[index]:
                for j, _ in net.out[index]:
                    join(index, j)
                wish = self._costs.wishes.get(index)
                if wish is not None and wish.ref is not None:
                    join(index, wish.ref)
        for i, j, _, _ in net.pairs:
            join(i, j)
        found: dict[int, list[int]] = {}
        for index in variables:
            found.setdefault(root(index), []).append(index)
        return list(found.values())

    def _relaxed(self, net: Network, component: list[int]) -> Days:
        """The optimum of one component, its open pairs disregarded."""
        if len(component) == 1 and net.lows[component[0]] == net.highs[component[0]]:
            return {component[0]: net.lows[component[0]]}
        days = self._at_targets(net, component)
        if days is not None:
            return days
        if len(component) == 1:
            index = component[0]
            return {index: min(net.days(index), key=lambda d: self._costs.unary(net, index, d))}
        return self._cut(net, component)

    def _at_targets(self, net: Network, component: list[int]) -> Days | None:
        """Everything kept, else nearest its fixed target, else on target: then nothing is better.

        ``None`` where that is not a schedule, or is not provably the best.
        """
        costs, days = self._costs, Days()
        waiting = component
        while waiting:
            later = []
            for index in waiting:
                day = self._wanted(net, index, days)
                if day is None:
                    later.append(index)
                elif not net.allows(index, day):
                    return None
                else:
                    days[index] = day
            if len(later) == len(waiting):
                return None
            waiting = later
        for index in component:
            wish = costs.wishes.get(index)
            for j, shift in net.out[index]:
                if j in days and days[j] < net.shifted(shift, days[index]):
                    return None
            free_ref = wish is not None and wish.ref in days and wish.ref not in costs.stay
            if wish and free_ref and days[index] != costs.target(wish, days[wish.ref or 0]):
                return None
        return days

    def _wanted(self, net: Network, index: int, days: Days) -> int | None:
        """The day one step would choose by itself, once its reference has one."""
        held = self._costs.stay.get(index)
        if held is not None:
            return held[0]
        wish = self._costs.wishes.get(index)
        if wish is None or any(
            net.lows[other] == net.highs[other] for other in self._costs.dependants(index)
        ):
            return None
        fixed = self._costs.fixed_target(net, wish)
        if fixed is not None:
            near, tie = _nearest(net, index, fixed, later=wish.sign > 0)
            return None if tie and self._costs.curved else near
        if wish.ref in days:
            return self._costs.target(wish, days[wish.ref])
        return None

    def _near(self, net: Network, component: list[int]) -> Network:
        """Without days that alone cost more than some schedule: the best one has none of them.

        Windows without a bound reach over two years, and their cut would cost thousands of times
        what the few days near the targets do.
        """
        if sum(net.highs[index] - net.lows[index] for index in component) <= FEW_DAYS:
            return net
        days = self._some_schedule(net, component)
        prices = {
            index: {day: self._costs.unary(net, index, day) for day in net.days(index)}
            for index in component
        }
        self._left -= PRICES * sum(map(len, prices.values()))
        cheapest = {index: min(of_day.values()) for index, of_day in prices.items()}
        spare = sum(prices[index][day] - cheapest[index] for index, day in days.items())
        for index in component:
            wish = self._costs.wishes.get(index)
            if wish is not None and wish.ref in days:
                distance = abs(days[index] - self._costs.target(wish, days[wish.ref]))
                spare += NEAR * wish.importance * distance
        for index, of_day in prices.items():
            kept = [day for day, price in of_day.items() if price - cheapest[index] <= spare]
            near = net.within(index, min(kept), max(kept))
            assert near is not None  # noqa: S101 # that schedule keeps to it
            net = near
        return net

    def _some_schedule(self, net: Network, component: list[int]) -> Days:
        """One step after the other on the cheapest day left to it, references first."""
        waiting = component.copy()
        while waiting:
            index = next((i for i in waiting if self._is_fixed(net, i)), waiting[0])
            waiting.remove(index)
            day = min(net.days(index), key=lambda d: self._costs.unary(net, index, d))
            low = net.lows[index]
            held = net.within(index, day, day) or net.within(index, low, low)
            assert held is not None  # noqa: S101 # the first days of all are a schedule
            net = held
        return {index: net.lows[index] for index in component}

    def _is_fixed(self, net: Network, index: int) -> bool:
        wish = self._costs.wishes.get(index)
        return wish is not None and self._costs.fixed_target(net, wish) is not None

    def _cut(self, net: Network, component: list[int]) -> Days:
        """The least minimum cut: nodes say "not before this day", edges what a day costs."""
        flow, near = FlowNetwork(), self._near(net, component)
        days = {index: near.days(index) for index in component}
        nodes: dict[int, list[int]] = {}
        for index, choices in days.items():
            nodes[index] = [SOURCE, *(flow.add_node() for _ in choices[1:]), SINK]
            if flow.size > MAX_CUT_NODES:
                raise PlanTooLarge("the days to choose from are too many to compare")
            prices = [self._costs.unary(net, index, day) for day in choices]
            cheapest = min(prices)
            for place, price in enumerate(prices):
                tail, head = nodes[index][place], nodes[index][place + 1]
                back = NEVER if tail != SOURCE and head != SINK else 0
                flow.add_edge(tail, head, price - cheapest, back)
        for index in component:
            for j, shift in net.out[index]:
                if j in days:
                    _forbid(net, flow, (days[index], nodes[index]), (days[j], nodes[j]), shift)
            wish = self._costs.wishes.get(index)
            if wish is not None and wish.ref in days:
                ref = wish.ref
                targets = [self._costs.target(wish, day) for day in days[ref]]
                _pull(flow, (targets, nodes[ref]), (days[index], nodes[index]), wish.importance)
        side = flow.least_source_side(self._left)
        self._left -= flow.work
        if side is None:
            raise PlanTooLarge(
                "too many steps could stand in either order"
                if self._is_ordering
                else "the days to choose from are too many to compare"
            )
        return {
            index: choices[max(p for p in range(len(choices)) if side[nodes[index][p]])]
            for index, choices in days.items()
        }


Ladder = tuple[list[int], list[int]]


def _nearest(net: Network, index: int, target: int, *, later: bool) -> tuple[int, bool]:
    """The possible day nearest to a target, of two the later or the earlier; and whether of two."""
    low, high = net.lows[index], net.highs[index]
    if not low < target < high:
        return (low if target <= low else high), False
    mask = net.masks[index]
    above = mask >> target
    after = target + (above & -above).bit_length() - 1
    if after == target:
        return target, False
    before = (mask & ((1 << target) - 1)).bit_length() - 1
    if after - target == target - before:
        return (after if later else before), True
    return (after if after - target < target - before else before), False


def _forbid(net: Network, flow: FlowNetwork, one: Ladder, other: Ladder, shift: Shift) -> None:
    """Hard relation: one not before a day needs the other not before the shifted day."""
    place, last = 0, 0
    for k, day in enumerate(one[0]):
        need = net.shifted(shift, day)
        while place < len(other[0]) and other[0][place] < need:
            place += 1
        if place > last:
            last = place
            flow.add_edge(one[1][k], other[1][place], NEVER)


def _pull(flow: FlowNetwork, ref: Ladder, own: Ladder, importance: int) -> None:
    """``importance`` for every day between a step and the target its reference gives."""
    targets, days = ref[0], own[0]
    marks = sorted({*targets, *days})
    i = j = 0
    for before, mark in pairwise(marks):
        while i < len(targets) and targets[i] < mark:
            i += 1
        while j < len(days) and days[j] < mark:
            j += 1
        weight = NEAR * importance * (mark - before)
        tail, head = ref[1][i], own[1][j]
        if tail != head and {tail, head} != {SOURCE, SINK}:
            flow.add_edge(tail, head, weight, weight)
