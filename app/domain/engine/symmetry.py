"""Occurrences that could change places: of their orders only one need be looked at."""

from collections.abc import Callable

from app.domain.engine.network import Network, Pair
from app.domain.engine.shifts import Shift

Alike = Callable[[int, int], bool]
Apart = dict[int, tuple[tuple[Shift, Shift], ...]]


def settled(net: Network, alike: Alike) -> Network | None:
    """The network with every either-order pair of interchangeable variables put in their order.

    Of such variables any schedule can have the days sorted; ``alike`` says whether that is also no
    worse, the first being the earlier one. ``None`` when no schedule is left.
    """
    inside = _pairs_inside(net, alike)
    if not inside:
        return net
    found = net.copy()
    found.pairs = [pair for pair in net.pairs if pair not in inside]
    for i, j, forth, _ in inside:
        found.relate(min(i, j), max(i, j), forth)
    changed = sorted({index for i, j, _, _ in inside for index in (i, j)})
    return found if found.tighten(changed) else None


def _pairs_inside(net: Network, alike: Alike) -> list[Pair]:
    """The pairs whose two variables are of one class."""
    apart: dict[int, Apart] = {}
    for i, j, forth, back in net.pairs:
        of_i, of_j = apart.setdefault(i, {}), apart.setdefault(j, {})
        of_i[j] = (*of_i.get(j, ()), (forth, back))
        of_j[i] = (*of_j.get(i, ()), (back, forth))
    group: dict[int, int] = {}
    classes: list[list[int]] = []
    for index in sorted(apart):
        for number, members in enumerate(classes):
            if all(
                alike(other, index)
                and _same_days(net, other, index)
                and _same_apart(apart, other, index)
                for other in members
            ):
                members.append(index)
                group[index] = number
                break
        else:
            group[index] = len(classes)
            classes.append([index])
    return [pair for pair in net.pairs if group[pair[0]] == group[pair[1]]]


def _same_days(net: Network, i: int, j: int) -> bool:
    """Whether the same days are possible for both, and the same relations bind them."""
    return (
        net.days(i) == net.days(j)
        and set(net.out[i]) == set(net.out[j])
        and set(net.into[i]) == set(net.into[j])
    )


def _same_apart(apart: dict[int, Apart], i: int, j: int) -> bool:
    """Whether both are kept apart alike from each other and from everything else."""
    one, other = apart[i], apart[j]
    if any(forth != back for forth, back in one.get(j, ())):
        return False
    beyond = {index: shifts for index, shifts in one.items() if index != j}
    return beyond == {index: shifts for index, shifts in other.items() if index != i}
