"""What the days of a schedule cost: moved promises, distance from targets, healing time cut."""

from copy import copy
from dataclasses import dataclass, replace

from app.domain.engine.compiling import Compilation
from app.domain.engine.network import Network
from app.domain.engine.shifts import Shift, value

NEAR = 1 << 37
STAY = 1 << 74

Days = dict[int, int]


@dataclass(slots=True)
class Wish:
    """Where one undone step would like to be: near its target, with healing time not cut."""

    importance: int
    sign: int
    aim: Shift
    ref: int | None
    day: int


class Costs:
    """The objective of one network. ``NEAR`` outweighs all healing time, ``STAY`` all nearness.

    ``stay`` has kept days, each with the weight of moving it.
    """

    __slots__ = ("_dependants", "base", "curved", "stay", "wishes")

    def __init__(self, compilation: Compilation) -> None:
        self.base = compilation.net.base
        self.stay: dict[int, tuple[int, int]] = {}
        self.wishes: dict[int, Wish] = {}
        self.curved = False
        self._dependants: dict[int, list[int]] = {}
        for index in compilation.present:
            occurrence = compilation.expansion.occurrences[index]
            if index in compilation.performed or not occurrence.links:
                continue
            link = occurrence.links[0]
            day = link.day
            self.wishes[index] = Wish(occurrence.importance, link.sign, link.aim, link.ref, day)
            if link.ref is not None:
                self.curved |= not isinstance(link.aim, int)
                self._dependants.setdefault(link.ref, []).append(index)

    def keeping(self, stay: dict[int, tuple[int, int]]) -> "Costs":
        """The same with these days kept."""
        other = copy(self)
        other.stay = stay
        return other

    def dependants(self, index: int) -> list[int]:
        """The undone steps whose target counts from this one."""
        return self._dependants.get(index, [])

    def alike(self, i: int, j: int) -> bool:
        """Whether two steps that change places, the first to the earlier day, cost no more.

        Both have one importance and count from one day, and the first's target is not the later.
        """
        if self.stay.get(i) != self.stay.get(j) or self.dependants(i) or self.dependants(j):
            return False
        one, other = self.wishes.get(i), self.wishes.get(j)
        aims = [None if wish is None else wish.aim for wish in (one, other)]
        if one and isinstance(aims[0], int) and isinstance(aims[1], int) and aims[0] < aims[1]:
            one = replace(one, aim=aims[1])
        return one == other

    def target(self, wish: Wish, ref_day: int) -> int:
        """The target as a bit number, its reference being on ``ref_day`` (a bit number)."""
        start = ref_day + self.base if wish.ref is not None else wish.day
        return value(wish.aim, start) - self.base

    def fixed_target(self, net: Network, wish: Wish) -> int | None:
        """The target of a step whose reference has only one day left, else ``None``."""
        if wish.ref is None:
            return self.target(wish, 0)
        low = net.lows[wish.ref]
        return self.target(wish, low) if low == net.highs[wish.ref] else None

    def unary(self, net: Network, index: int, day: int) -> int:
        """What a day costs on its own; healing time is a gain."""
        cost = 0
        held = self.stay.get(index)
        if held is not None and held[0] != day:
            cost += STAY * held[1]
        wish = self.wishes.get(index)
        if wish is not None:
            cost -= wish.importance * wish.sign * day
            target = self.fixed_target(net, wish)
            if target is not None:
                cost += NEAR * wish.importance * abs(day - target)
        for other in self.dependants(index):
            following = self.wishes[other]
            cost += following.importance * following.sign * day
            if net.lows[other] == net.highs[other]:
                distance = abs(net.lows[other] - self.target(following, day))
                cost += NEAR * following.importance * distance
        return cost

    def total(self, days: Days) -> int:
        """The cost of whole days, kept promises and nearness and healing time together."""
        cost = 0
        for index, day in days.items():
            held = self.stay.get(index)
            if held is not None and held[0] != day:
                cost += STAY * held[1]
            wish = self.wishes.get(index)
            if wish is None or (wish.ref is not None and wish.ref not in days):
                continue
            start = 0 if wish.ref is None else days[wish.ref]
            cost += NEAR * wish.importance * abs(day - self.target(wish, start))
            cost -= wish.importance * wish.sign * (day - start)
        return cost
