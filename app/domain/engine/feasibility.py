"""Whether a network has any schedule, either-order pairs included, and its first or last days."""

from collections.abc import Iterator

from app.domain.engine.network import Network
from app.domain.engine.occurrences import PlanTooLarge

MAX_ORDERS = 4000


class Orders:
    """Depth-first search over the orders of either-order pairs, bounded in number."""

    __slots__ = ("_left",)

    def __init__(self, most: int = MAX_ORDERS) -> None:
        self._left = most

    def exists(self, net: Network) -> bool:
        """Whether any schedule keeps every pair."""
        return any(True for _ in self._branches(net, upward=True))

    def first(self, net: Network, index: int) -> int | None:
        """The first day one variable has in any schedule."""
        return min((found.lows[index] for found in self._branches(net, upward=True)), default=None)

    def last(self, net: Network, index: int) -> int | None:
        """The last day one variable has in any schedule."""
        return max(
            (found.highs[index] for found in self._branches(net, upward=False)), default=None
        )

    def _branches(self, net: Network, *, upward: bool) -> Iterator[Network]:
        days = net.lows if upward else net.highs
        broken = net.broken_pair(days, net.pairs)
        if broken is None:
            yield net
            return
        self._left -= 1
        if self._left < 0:
            raise PlanTooLarge("too many steps could stand in either order")
        i, j, forth, back = broken
        for ordered in (net.ordered(i, j, forth), net.ordered(j, i, back)):
            if ordered is not None:
                yield from self._branches(ordered, upward=upward)
