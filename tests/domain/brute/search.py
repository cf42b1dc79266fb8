"""Tries days: filters by relations, then walks every combination that could still be the best."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from tests.domain.brute.arithmetic import aim_of, direction_of
from tests.domain.brute.horizon import Relation
from tests.domain.brute.nodes import WEIGHTS, Link, Node, Reading
from tests.domain.brute.reading import readings
from tests.domain.brute.relations import Relations

Days = dict[OccurrenceId, int]
Cost = tuple[int, int, int, int]


@dataclass(frozen=True)
class Answer:
    """The best schedule: its days, windows, ends, choices, moves and cost."""

    days: dict[OccurrenceId, date | None]
    windows: dict[OccurrenceId, tuple[date | None, date, date | None]]
    ends: dict[OccurrenceId, date]
    chosen: dict[str, str]
    moves: dict[OccurrenceId, tuple[date, date | None]]
    deviations: dict[OccurrenceId, int]
    cost: Cost


def solve_by_trial(problem: Problem) -> Answer | None:
    """The best schedule by the order of preference, ``None`` when there is none."""
    for reading in readings(problem):
        relations = Relations(reading)
        domains = _settled_anchor(relations)
        if domains is not None:
            return _best(relations, domains)
    return None


def days_by_trial(
    problem: Problem, occurrence: OccurrenceId, first: date, last: date
) -> tuple[date, ...]:
    """Every day the occurrence could have, all else being free to follow."""
    found: set[int] = set()
    for reading in readings(problem, ignoring=occurrence):
        relations = Relations(reading)
        if occurrence not in relations.domains:
            continue
        asked = relations.horizon.between(first.toordinal(), last.toordinal())
        for day in relations.horizon.members(asked & relations.domains[occurrence]):
            domains = dict(relations.domains)
            domains[occurrence] = relations.horizon.day(day)
            if _is_possible(relations, domains):
                found.add(day)
    return tuple(date.fromordinal(day) for day in sorted(found))


def holds_together(problem: Problem, elements: frozenset[str]) -> bool:
    """Whether a schedule exists when of all elements only these are there."""
    return any(
        _is_possible(relations, relations.domains)
        for relations in map(Relations, readings(problem, only=elements))
    )


# -- feasibility


def _narrowed(relations: Relations, domains: Days, pairs: list[Relation]) -> Days | None:
    """Days without a partner are struck out until nothing changes; ``None`` when none is left."""
    narrowed = dict(domains)
    waiting = list(pairs)
    while waiting:
        pair = waiting.pop()
        one, other = narrowed[pair.one], narrowed[pair.other]
        alive, reachable = _supported(relations, pair, one, other)
        if not alive or not reachable:
            return None
        narrowed[pair.one], narrowed[pair.other] = alive, reachable
        for again in pairs:
            if again is pair or again in waiting:
                continue
            touched = pair.one in {again.one, again.other} and alive != one
            if touched or (pair.other in {again.one, again.other} and reachable != other):
                waiting.append(again)
    return narrowed if all(narrowed.values()) else None


def _supported(relations: Relations, pair: Relation, one: int, other: int) -> tuple[int, int]:
    alive, reachable, first = 0, 0, relations.horizon.first - 1
    while one:
        low = one & -one
        partners = pair.partners(first + low.bit_length()) & other
        if partners:
            alive |= low
            reachable |= partners
        one ^= low
    return alive, reachable


def _is_possible(relations: Relations, domains: Days) -> bool:
    narrowed = _narrowed(relations, domains, relations.pairs)
    if narrowed is None:
        return False
    return all(
        _extends(relations, narrowed, group, _pairs_of(relations, group))
        for group in _groups(relations, narrowed)
    )


def _extends(
    relations: Relations, domains: Days, group: list[OccurrenceId], pairs: list[Relation]
) -> bool:
    undecided = [node for node in group if domains[node].bit_count() > 1]
    if not undecided:
        return True
    node = min(undecided, key=lambda n: domains[n].bit_count())
    for day in relations.horizon.members(domains[node]):
        narrowed = _narrowed(relations, {**domains, node: relations.horizon.day(day)}, pairs)
        if narrowed is not None and _extends(relations, narrowed, group, pairs):
            return True
    return False


def _settled_anchor(relations: Relations) -> Days | None:
    """Domains with the first working day of an ``earliest_from`` anchor without a kept day."""
    for node in relations.reading.nodes.values():
        if node.asked_range is None or node.kept is not None:
            continue
        for day in relations.horizon.members(relations.domains[node.id]):
            domains = {**relations.domains, node.id: relations.horizon.day(day)}
            if _is_possible(relations, domains):
                return domains
        return None
    return relations.domains if _is_possible(relations, relations.domains) else None


def _pairs_of(relations: Relations, group: list[OccurrenceId]) -> list[Relation]:
    members = set(group)
    return [pair for pair in relations.pairs if pair.one in members and pair.other in members]


def _groups(
    relations: Relations,
    domains: Days,
    extra: Iterable[tuple[OccurrenceId, OccurrenceId]] = (),
) -> list[list[OccurrenceId]]:
    """Occurrences that interact, in protocol order; what has one day left joins nobody."""
    parent = {node: node for node in domains}

    def root(node: OccurrenceId) -> OccurrenceId:
        while parent[node] != node:
            node = parent[node]
        return node

    open_pairs = [(p.one, p.other) for p in relations.pairs]
    for one, other in open_pairs:
        if domains[one].bit_count() > 1 and domains[other].bit_count() > 1:
            parent[root(one)] = root(other)
    for one, other in extra:
        parent[root(one)] = root(other)
    groups: dict[OccurrenceId, list[OccurrenceId]] = {}
    for node in domains:
        groups.setdefault(root(node), []).append(node)
    return list(groups.values())


# -- the best schedule


class _Price:
    """What a day costs, by the order of preference."""

    def __init__(self, relations: Relations, binding: set[OccurrenceId]) -> None:
        self._relations = relations
        self._binding = binding

    def of(self, node: Node, day: int, origin: int | None) -> Cost:
        """Cost of one day; ``origin`` is the day its first timing counts from."""
        if node.performed:
            return 0, 0, 0, 0
        moved = 0
        if node.id in self._binding and node.kept is not None:
            moved = WEIGHTS[node.kept.commitment] * (day != node.kept.day.toordinal())
        if origin is None:
            return moved, 0, 0, day
        first = node.links[0]
        target = self._relations.reading.target(first, origin)
        interval = direction_of(aim_of(first.bounds)) * (day - origin)
        return moved, node.importance * abs(day - target), -node.importance * interval, day


def _add(one: Cost, other: Cost) -> Cost:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


def _origin(reading: Reading, node: Node, days: Days) -> int | None:
    """The day the first timing counts from, when it is known."""
    if not node.links:
        return None
    return _origin_of(reading, node.links[0], days)


def _origin_of(reading: Reading, link: Link, days: Days) -> int | None:
    if isinstance(link.reference, date):
        return link.reference.toordinal()
    if link.reference is None or link.reference not in days:
        return None
    day = days[link.reference]
    return reading.end_of(reading.nodes[link.reference], day) if link.at_end else day


def _best(relations: Relations, domains: Days) -> Answer:
    """The best schedule; the reference schedule without kept days says which of those bind."""
    reading = relations.reading
    everything = {node.id for node in reading.nodes.values() if node.kept is not None}
    binding = set(everything)
    if any(not reading.nodes[occurrence].held for occurrence in everything):
        unkept, free = _without_promises(relations, domains)
        reference = _cheapest(unkept, free, set())
        tolerance = reading.problem.protocol.drift_tolerance
        for occurrence in everything:
            node = reading.nodes[occurrence]
            assert node.kept is not None
            window = None if node.kept.by_hand else _window(reading, node, reference)
            if window and abs(node.kept.day.toordinal() - window[1]) > tolerance:
                binding.discard(occurrence)
    days = _cheapest(relations, domains, binding)
    return _answer(relations, days, binding)


def _without_promises(relations: Relations, domains: Days) -> tuple[Relations, Days]:
    """The same problem when nothing is kept; what is held in the past stays held."""
    anchor = next((n for n in relations.reading.nodes.values() if n.asked_range is not None), None)
    if anchor is None or anchor.kept is None:
        return relations, domains
    kept, anchor.kept = anchor.kept, None
    settled = _settled_anchor(relations)
    anchor.kept = kept
    assert settled is not None
    return relations, settled


def _cheapest(relations: Relations, domains: Days, binding: set[OccurrenceId]) -> Days:
    reading = relations.reading
    narrowed = _narrowed(relations, domains, relations.pairs)
    assert narrowed is not None
    linked = _links_to_open_days(reading, narrowed)
    days: Days = {}
    fixed = {
        node: relations.horizon.first + bits.bit_length() - 1
        for node, bits in narrowed.items()
        if bits.bit_count() == 1
    }
    for group in _groups(relations, narrowed, linked):
        days |= _Walk(relations, group, binding, fixed).best(narrowed)
    return days


def _links_to_open_days(
    reading: Reading, domains: Days
) -> Iterator[tuple[OccurrenceId, OccurrenceId]]:
    """Occurrences whose cost depends on a reference that is not settled."""
    for node in reading.nodes.values():
        if node.id in domains and not node.performed and node.links:
            reference = node.links[0].reference
            if isinstance(reference, OccurrenceId) and domains[reference].bit_count() > 1:
                yield node.id, reference


class _Walk:
    """All schedules of one group, cheapest first where it can be told; the best is kept."""

    def __init__(
        self,
        relations: Relations,
        group: list[OccurrenceId],
        binding: set[OccurrenceId],
        fixed: Days,
    ) -> None:
        self._relations = relations
        self._price = _Price(relations, binding)
        self._pairs = _pairs_of(relations, group)
        self._group = group
        self._fixed = fixed
        self._order = self._references_first(group)
        self._found: tuple[tuple[Cost, tuple[int, ...]], Days] | None = None

    def best(self, domains: Days) -> Days:
        """The best days of the group."""
        self._walk(0, domains, {}, (0, 0, 0, 0))
        assert self._found is not None
        return self._found[1]

    def _references_first(self, group: list[OccurrenceId]) -> list[OccurrenceId]:
        ordered: list[OccurrenceId] = []
        nodes = self._relations.reading.nodes

        def visit(occurrence: OccurrenceId) -> None:
            if occurrence in ordered:
                return
            for link in nodes[occurrence].links:
                if isinstance(link.reference, OccurrenceId) and link.reference in group:
                    visit(link.reference)
            ordered.append(occurrence)

        for occurrence in group:
            visit(occurrence)
        return ordered

    def _walk(self, depth: int, domains: Days, days: Days, cost: Cost) -> None:
        if depth == len(self._order):
            rank = cost, tuple(days[occurrence] for occurrence in self._group)
            if self._found is None or rank < self._found[0]:
                self._found = rank, dict(days)
            return
        occurrence = self._order[depth]
        for price, day in self._candidates(occurrence, domains, days):
            total = _add(cost, price)
            if self._found is not None and total[:2] > self._found[0][0][:2]:
                return
            narrowed = _narrowed(
                self._relations,
                {**domains, occurrence: self._relations.horizon.day(day)},
                self._pairs,
            )
            if narrowed is not None:
                self._walk(depth + 1, narrowed, {**days, occurrence: day}, total)

    def _candidates(
        self, occurrence: OccurrenceId, domains: Days, days: Days
    ) -> list[tuple[Cost, int]]:
        reading = self._relations.reading
        node = reading.nodes[occurrence]
        origin = _origin(reading, node, {**self._fixed, **days})
        return sorted(
            (self._price.of(node, day, origin), day)
            for day in self._relations.horizon.members(domains[occurrence])
        )


# -- what is shown


def _window(reading: Reading, node: Node, days: Days) -> tuple[int | None, int, int | None] | None:
    """Bounds of all own timings, and the first one's target brought into them."""
    earliest: list[int] = []
    latest: list[int] = []
    for link in node.links:
        origin = _origin_of(reading, link, days)
        if origin is None:
            return None
        low, high = (reading.bound(link, origin, side) for side in ("earliest", "latest"))
        earliest += [] if low is None else [low]
        latest += [] if high is None else [high]
    origin = _origin(reading, node, days)
    if origin is None:
        return None
    target = reading.target(node.links[0], origin)
    low, high = max(earliest, default=None), min(latest, default=None)
    if low is not None and high is not None:
        high = max(low, high)  # a deadline before the earliest day
    target = target if low is None else max(target, low)
    return low, target if high is None else min(target, high), high


def _answer(relations: Relations, days: Days, binding: set[OccurrenceId]) -> Answer:
    reading = relations.reading
    price = _Price(relations, binding)
    cost: Cost = (0, 0, 0, 0)
    for occurrence, day in days.items():
        node = reading.nodes[occurrence]
        cost = _add(cost, price.of(node, day, _origin(reading, node, days)))
    to_date = date.fromordinal
    windows, ends, deviations = {}, {}, {}
    for occurrence, day in days.items():
        node = reading.nodes[occurrence]
        window = _window(reading, node, days)
        if window is not None:
            low, target, high = window
            windows[occurrence] = (
                None if low is None else to_date(low),
                to_date(target),
                None if high is None else to_date(high),
            )
        origin = _origin(reading, node, days)
        if origin is not None and not node.performed:
            deviations[occurrence] = day - reading.target(node.links[0], origin)
        if node.step.span is not None:
            ends[occurrence] = to_date(reading.end_of(node, day))
    shown = {n: to_date(days[n]) if n in days else None for n in reading.nodes}
    moves = {
        node.id: (node.kept.day, shown[node.id])
        for node in reading.nodes.values()
        if node.kept is not None and not node.performed and shown[node.id] != node.kept.day
    }
    return Answer(shown, windows, ends, reading.chosen, moves, deviations, cost)
