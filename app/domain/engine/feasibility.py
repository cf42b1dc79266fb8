"""Whether a network has any schedule, either-order pairs included, and its first or last days."""

from collections.abc import Iterator

from app.domain.engine.network import Network
from app.domain.engine.occurrences import PlanTooLarge
from app.domain.engine.symmetry import settled

# Variables propagated again, over all orders looked at: about half a second's.
MAX_PROPAGATED = 100_000


class Orders:
    """Depth-first search over the orders of either-order pairs, bounded in its work."""

    __slots__ = ("_left",)

    def __init__(self, most: int = MAX_PROPAGATED) -> None:
        self._left = most

    def exists(self, net: Network) -> bool:
        """Whether any schedule keeps every pair."""
        return any(True for _ in self._branches(net, None, upward=True))

    def first(self, net: Network, index: int) -> int | None:
        """The first day one variable has in any schedule."""
        found = self._branches(net, index, upward=True)
        return min((branch.lows[index] for branch in found), default=None)

    def last(self, net: Network, index: int) -> int | None:
        """The last day one variable has in any schedule."""
        found = self._branches(net, index, upward=False)
        return max((branch.highs[index] for branch in found), default=None)

    def _branches(self, net: Network, asked: int | None, *, upward: bool) -> Iterator[Network]:
        """Schedules of every order which has one; others than what is asked for may be sorted."""
        if net.broken_pair(net.lows if upward else net.highs, net.pairs) is None:
            yield net
            return
        one_order = settled(net, lambda i, j: asked not in {i, j})
        if one_order is not None:
            yield from self._decided(one_order, upward=upward)

    def _decided(self, net: Network, *, upward: bool) -> Iterator[Network]:
        days = net.lows if upward else net.highs
        broken = net.broken_pair(days, net.pairs)
        if broken is None:
            yield net
            return
        self._left -= len(days)
        if self._left < 0:
            raise PlanTooLarge("too many steps could stand in either order")
        i, j, forth, back = broken
        for ordered in (net.ordered(i, j, forth), net.ordered(j, i, back)):
            if ordered is not None:
                yield from self._decided(ordered, upward=upward)
