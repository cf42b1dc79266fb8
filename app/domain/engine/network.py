"""Day sets, monotone relations between occurrences, and the propagation deciding feasibility.

A day set is an ``int`` used as a bitset; bit k is day ``base + k``. A relation (i, j, shift) means
``x_j >= shift(x_i)``. Such systems are closed under min and max, so the fixpoint of the lower
bounds is itself a schedule, the earliest one, and likewise above.
"""

from app.domain.engine.shifts import Shift

Relation = tuple[int, Shift]
Pair = tuple[int, int, Shift, Shift]


class Network:
    """Variables with their day sets, relations, and either-order pairs not yet decided."""

    __slots__ = ("base", "highs", "into", "lows", "masks", "out", "pairs")

    def __init__(self, base: int, count: int) -> None:
        self.base = base
        self.masks = [0] * count
        self.lows = [0] * count
        self.highs = [-1] * count
        self.out: list[list[Relation]] = [[] for _ in range(count)]
        self.into: list[list[Relation]] = [[] for _ in range(count)]
        self.pairs: list[Pair] = []

    def relate(self, i: int, j: int, shift: Shift) -> None:
        """Require ``x_j >= shift(x_i)``."""
        self.out[i].append((j, shift))
        self.into[j].append((i, shift))

    def copy(self) -> "Network":
        """An independent copy; the day sets are shared values."""
        other = Network(self.base, 0)
        other.masks, other.pairs = self.masks, self.pairs
        other.lows, other.highs = self.lows.copy(), self.highs.copy()
        other.out = [relations.copy() for relations in self.out]
        other.into = [relations.copy() for relations in self.into]
        return other

    def ordered(self, i: int, j: int, shift: Shift) -> "Network | None":
        """A copy with one more relation, propagated; ``None`` when nothing is left."""
        other = self.copy()
        other.relate(i, j, shift)
        return other if other.tighten([i, j]) else None

    def within(self, i: int, low: int, high: int) -> "Network | None":
        """A copy with one variable held between two days, propagated; relations are shared."""
        other = Network(self.base, 0)
        other.masks, other.pairs = self.masks, self.pairs
        other.out, other.into = self.out, self.into
        other.lows, other.highs = self.lows.copy(), self.highs.copy()
        low, high = max(low, self.lows[i]), min(high, self.highs[i])
        if low > high:
            return None
        inside = self.masks[i] >> low << low & ((1 << (high + 1)) - 1)
        if not inside:
            return None
        other.lows[i] = (inside & -inside).bit_length() - 1
        other.highs[i] = inside.bit_length() - 1
        return other if other.tighten([i]) else None

    def start(self, present: list[int]) -> bool:
        """Take the bounds of these variables from their day sets and propagate everything."""
        for index in present:
            mask = self.masks[index]
            if not mask:
                return False
            self.lows[index] = (mask & -mask).bit_length() - 1
            self.highs[index] = mask.bit_length() - 1
        return self.tighten(present.copy())

    def tighten(self, changed: list[int]) -> bool:
        """Propagate from changed variables to the fixpoint; false when a day set runs empty.

        The first and last day of a variable are always days of its set.
        """
        masks, lows, highs = self.masks, self.lows, self.highs
        out, into, base = self.out, self.into, self.base
        queue = changed
        while queue:
            i = queue.pop()
            low = lows[i]
            for j, shift in out[i]:
                need = low + shift if isinstance(shift, int) else shift.at(low + base) - base
                if need > lows[j]:
                    if need > highs[j]:
                        return False
                    rest = masks[j] >> need
                    lows[j] = need + (rest & -rest).bit_length() - 1
                    queue.append(j)
            high = highs[i]
            for h, shift in into[i]:
                if isinstance(shift, int):
                    cap = high - shift
                else:
                    cap = shift.last_not_after(high + base) - base
                if cap < highs[h]:
                    if cap < lows[h]:
                        return False
                    highs[h] = (masks[h] & ((1 << (cap + 1)) - 1)).bit_length() - 1
                    queue.append(h)
        return True

    def days(self, index: int) -> list[int]:
        """The days still possible for one variable, as bit numbers."""
        low = self.lows[index]
        rest = (self.masks[index] & ((1 << (self.highs[index] + 1)) - 1)) >> low
        found = []
        while rest:
            step = (rest & -rest).bit_length()
            low += step
            found.append(low - 1)
            rest >>= step
        return found

    def allows(self, index: int, day: int) -> bool:
        """Whether a day is still possible for a variable by its own day set and bounds."""
        return self.lows[index] <= day <= self.highs[index] and bool(self.masks[index] >> day & 1)

    def shifted(self, shift: Shift, day: int) -> int:
        """A shift applied to a bit number."""
        return day + shift if isinstance(shift, int) else shift.at(day + self.base) - self.base

    def broken_pair(self, days: "dict[int, int] | list[int]", pairs: list[Pair]) -> Pair | None:
        """The first either-order pair which these days do not keep."""
        for pair in pairs:
            i, j, forth, back = pair
            if days[j] < self.shifted(forth, days[i]) and days[i] < self.shifted(back, days[j]):
                return pair
        return None
