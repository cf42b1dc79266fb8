"""What must hold, as sets of days: restrictions of one occurrence and relations between two."""

from datetime import date, timedelta
from itertools import combinations

from app.domain.facts import OccurrenceId, OtherPlan, Reported
from app.domain.offsets import MonthEnd, Offset
from app.domain.protocols import Nth, Order
from app.domain.rules import (
    Cluster,
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Readiness,
    Rule,
    SameDay,
    Scope,
    Severity,
    StepSelector,
    Washout,
)
from tests.domain.brute.horizon import Allowed, Horizon, Relation
from tests.domain.brute.nodes import Link, Node, Reading, is_bound

SEARCH_DAYS = 366
# On either side of all given days: the search may end a year from a target that lies aside itself.
ROOM_DAYS = 460


class Relations:
    """Everything that must hold in one reading."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.horizon = Horizon(reading.problem, ROOM_DAYS)
        self.domains: dict[OccurrenceId, int] = {}
        self._by_pair: dict[tuple[OccurrenceId, OccurrenceId], Relation] = {}
        for node in reading.nodes.values():
            if not node.undated:
                self.domains[node.id] = self._own_days(node)
        for node in reading.nodes.values():
            if not node.undated:
                self._add_timings(node)
        for rule in reading.problem.protocol.rules:
            if rule.severity is Severity.BLOCK and reading.active(f"rule:{rule.id}"):
                self._add_rule(rule)
        for plan in reading.problem.other_plans:
            self._add_rules_of(plan)

    @property
    def pairs(self) -> list[Relation]:
        """Everything that relates two occurrences, one relation for each two."""
        return list(self._by_pair.values())

    def _add(
        self, one: OccurrenceId, other: OccurrenceId, allowed: Allowed, inverse: Allowed | None
    ) -> None:
        """A relation, told from both sides unless it is the timing of ``other``."""
        if (other, one) in self._by_pair:
            assert inverse is not None
            self._by_pair[other, one].add(inverse)
            return
        relation = Relation(one, other, self.horizon.all)
        self._by_pair.setdefault((one, other), relation).add(allowed)

    # -- one occurrence

    def _own_days(self, node: Node) -> int:
        # A step whose fact is left out is to be placed, as others are.
        if node.day is not None and (node.held or self.reading.active(f"fact:{node.id}")):
            return self.horizon.day(node.day.toordinal())
        days = self.horizon.all
        if not node.may_have_begun and self.reading.active("as_of"):
            problem = self.reading.problem
            first = max(problem.as_of, problem.not_before or problem.as_of)
            days &= self.horizon.between(first.toordinal(), None)
        if self.reading.active(node.asked_element):
            if node.asked is not None:
                days &= self.horizon.day(node.asked.toordinal())
            if node.asked_range is not None:
                begin, end = node.asked_range
                until = None if end is None else end.toordinal()
                days &= self.horizon.between(begin.toordinal(), until)
        if not node.any_day:
            days &= ~self._closed(node)
        return days

    def _closed(self, node: Node) -> int:
        problem, horizon = self.reading.problem, self.horizon
        closed = 0
        if self.reading.active("weekdays"):
            closed |= horizon.closed_weekdays
        for closure in problem.calendar.closures:
            if self.reading.active(f"closure:{closure.id}"):
                closed |= horizon.between(closure.first.toordinal(), closure.last.toordinal())
        for absence in problem.absences:
            concerned = absence.steps is None or node.id.step in absence.steps
            if concerned and self.reading.active(f"unavailable:{absence.id}"):
                closed |= horizon.between(absence.first.toordinal(), absence.last.toordinal())
        return closed

    # -- timings

    def _add_timings(self, node: Node) -> None:
        if node.held:
            return
        for link in node.links:
            if isinstance(link.reference, date):
                if not node.performed:
                    days = self._days_of_link(link, link.reference.toordinal())
                    self.domains[node.id] &= days
            elif link.reference is not None:
                self._add_link(node, link, self.reading.nodes[link.reference])
        if node.links and not node.performed:
            self._bound_the_search(node)

    def _add_link(self, node: Node, link: Link, reference: Node) -> None:
        if node.is_given and reference.is_given:
            return
        reading = self.reading

        def allowed(day: int) -> int:
            origin = reading.end_of(reference, day) if link.at_end else day
            return self._days_of_link(link, origin)

        self._add(reference.id, node.id, allowed, None)

    def _days_of_link(self, link: Link, origin: int) -> int:
        ends = [
            self.reading.bound(link, origin, side) if is_bound(link.bounds, side) else None
            for side in ("earliest", "latest")
        ]
        return self.horizon.between(ends[0], ends[1])

    def _bound_the_search(self, node: Node) -> None:
        """Where no timing has a bound on one side the search ends 366 days from the target."""
        first = node.links[0]
        open_early, open_late = (
            not any(
                is_bound(link.bounds, side) and self.reading.active(f"{link.name}.{side}")
                for link in node.links
            )
            for side in ("earliest", "latest")
        )
        if first.reference is None or not (open_early or open_late):
            return

        def allowed(origin: int) -> int:
            aim = self.reading.target(first, origin)
            return self.horizon.between(
                aim - SEARCH_DAYS if open_early else None, aim + SEARCH_DAYS if open_late else None
            )

        if isinstance(first.reference, date):
            self.domains[node.id] &= allowed(first.reference.toordinal())
            return
        reference = self.reading.nodes[first.reference]

        def from_reference(day: int) -> int:
            return allowed(self.reading.end_of(reference, day) if first.at_end else day)

        self._add(reference.id, node.id, from_reference, None)

    # -- rules

    def _selected(self, selector: StepSelector) -> list[Node]:
        alive = [n for n in self.reading.nodes.values() if n.id.step == selector.step]
        if selector.occurrence in {Nth.FIRST, Nth.LAST} and alive:
            repeat = alive[0].step.repeat
            backward = repeat is not None and repeat.order is Order.BACKWARD
            at_start = (selector.occurrence == Nth.FIRST) != backward
            alive = [alive[0] if at_start else alive[-1]]
        elif selector.occurrence is not None:
            alive = [n for n in alive if n.id.occurrence == selector.occurrence]
        return [node for node in alive if not node.undated]

    def _add_rule(self, rule: Rule) -> None:
        match rule:
            case MinGap() | MaxGap() | OrderRule() | MinGapBetween():
                self._add_rule_of_two(rule)
            case MinGapOfKinds():
                self._add_kinds(rule)
            case SameDay():
                self._add_same_day(rule)
            case NoOverlap() | Cluster():
                self._add_rule_of_several(rule)
            case Washout():
                self._add_washout(rule)
            case Readiness():
                raise NotImplementedError("findings are tested one by one")

    def _add_rule_of_two(self, rule: MinGap | MaxGap | OrderRule | MinGapBetween) -> None:
        match rule:
            case MinGap(begin=first, end=second) | MaxGap(begin=first, end=second):
                pass
            case OrderRule(before=first, after=second) | MinGapBetween(one=first, other=second):
                pass
        for one in self._selected(first):
            for other in self._selected(second):
                self._relate(one, other, self._two(rule), self._two_backwards(rule))

    def _two(self, rule: MinGap | MaxGap | OrderRule | MinGapBetween) -> Allowed:
        days = self.reading.widened(f"rule:{rule.id}")
        add, between = self.reading.clock.add, self.horizon.between
        match rule:
            case MinGap(offset=offset):
                return lambda day: between(add(day, offset) - days, None)
            case MaxGap(offset=offset):
                return lambda day: between(None, add(day, offset) + days)
            case OrderRule():
                return lambda day: between(day - days, None)
            case MinGapBetween():
                return self._apart(rule)

    def _two_backwards(self, rule: MinGap | MaxGap | OrderRule | MinGapBetween) -> Allowed:
        days = self.reading.widened(f"rule:{rule.id}")
        between = self.horizon.between
        match rule:
            case MinGap(offset=offset) if offset.fixed_days is not None:
                gap = offset.fixed_days - days
                return lambda day: between(None, day - gap)
            case MaxGap(offset=offset) if offset.fixed_days is not None:
                most = offset.fixed_days + days
                return lambda day: between(day - most, None)
            case OrderRule():
                return lambda day: between(None, day + days)
            case MinGapBetween():
                return self._apart(rule)
            case _:
                return self.horizon.turned_round(self._two(rule))

    def _add_same_day(self, rule: SameDay) -> None:
        for first, second in combinations(rule.steps, 2):
            for one in self._selected(first):
                for other in self._selected(second):
                    self._relate(one, other, self.horizon.day, self.horizon.day)

    def _add_rule_of_several(self, rule: NoOverlap | Cluster) -> None:
        members = list({n.id: n for s in rule.steps for n in self._selected(s)}.values())
        if isinstance(rule, Cluster) and any(
            node.performed or node.held or node.kept is None for node in members
        ):
            return
        for one, other in combinations(members, 2):
            match rule:
                case NoOverlap():
                    self._relate(one, other, self._clear_of(one, other), self._clear_of(other, one))
                case Cluster():
                    self._relate(one, other, self._in_step(one, other), self._in_step(other, one))

    def _relate(self, one: Node, other: Node, allowed: Allowed, inverse: Allowed) -> None:
        if one.id != other.id and not (one.is_given and other.is_given):
            self._add(one.id, other.id, allowed, inverse)

    def _apart(
        self, rule: MinGapBetween | MinGapOfKinds, element: str | None = None, less: int = 0
    ) -> Allowed:
        days = self.reading.widened(element or f"rule:{rule.id}") + less
        horizon, add = self.horizon, self.reading.clock.add

        def allowed(day: int) -> int:
            far_enough = 0
            for other in range(horizon.first, horizon.last + 1):
                early, late = sorted((day, other))
                if late >= add(early, rule.offset) - days:
                    far_enough |= horizon.day(other)
            return far_enough

        fixed = rule.offset.fixed_days
        if fixed is None:
            return allowed
        gap = fixed - days
        return lambda day: (
            horizon.all
            if gap <= 0
            else horizon.between(None, day - gap) | horizon.between(day + gap, None)
        )

    def _clear_of(self, one: Node, other: Node) -> Allowed:
        horizon, reading = self.horizon, self.reading

        def allowed(day: int) -> int:
            later = horizon.between(reading.end_of(one, day) + 1, None)
            earlier = sum(
                horizon.day(start)
                for start in range(horizon.first, min(day, horizon.last))
                if reading.end_of(other, start) < day
            )
            return later | earlier

        return allowed

    def _in_step(self, one: Node, other: Node) -> Allowed:
        assert one.kept is not None
        assert other.kept is not None
        distance = (other.kept.day - one.kept.day).days
        return lambda day: self.horizon.day(day + distance)

    def _add_kinds(self, rule: MinGapOfKinds) -> None:
        concerned = [
            node
            for node in self.reading.nodes.values()
            if node.step.kind in rule.kinds and not node.undated
        ]
        for one, other in combinations(concerned, 2):
            if not any({one.id.step, other.id.step} <= group for group in rule.exempt):
                self._relate(one, other, self._apart(rule), self._apart(rule))
        if rule.scope is Scope.PATIENT:
            for plan in self.reading.problem.other_plans:
                alike = (one for one in plan.rules if one.id in plan.waived and _asks(one, rule))
                less = next((plan.waived[one.id] for one in alike), 0)
                if less is not None:
                    self._keep_from(plan, rule, f"rule:{rule.id}", less)

    def _keep_from(self, plan: OtherPlan, rule: MinGapOfKinds, element: str, less: int) -> None:
        """Our steps of some kinds keep their distance from the days of another plan."""
        problem = self.reading.problem
        if rule.same_site and plan.laterality != problem.laterality:
            return
        for fixed in plan.steps:
            if fixed.kind in rule.kinds and self.reading.active(f"other:{plan.id}/{fixed.key}"):
                allowed = self._apart(rule, element, less)(fixed.day.toordinal())
                for node in self.reading.nodes.values():
                    if node.step.kind in rule.kinds and not node.undated:
                        self._restrict(node, allowed)

    def _add_rules_of(self, plan: OtherPlan) -> None:
        """What the patient's other plan asks, as far as we do not ask as much ourselves."""
        for rule in plan.rules:
            assert isinstance(rule, MinGapOfKinds)
            element, less = f"rule:{plan.id}/{rule.id}", plan.waived.get(rule.id, 0)
            asked = any(_asks(own, rule) for own in self.reading.problem.protocol.rules)
            if less is not None and not asked and self.reading.active(element):
                self._keep_from(plan, rule, element, less)

    def _restrict(self, node: Node, allowed: int) -> None:
        if not node.is_given:
            self.domains[node.id] &= allowed

    def _add_washout(self, rule: Washout) -> None:
        widened = self.reading.widened(f"rule:{rule.id}")
        add = self.reading.clock.add
        for report in self.reading.problem.reported:
            if not self._counts(rule, report):
                continue
            given = report.on.toordinal()
            for node in self.reading.nodes.values():
                if node.id.step not in rule.applies_to or node.undated:
                    continue
                blocked = 0
                if rule.before is not None:
                    last = add(given, rule.before) - 1 - widened
                    blocked |= self.horizon.between(given, last)
                if rule.after is not None:
                    blocked |= sum(
                        self.horizon.day(day)
                        for day in range(given - 200, given + 1)
                        if add(day, rule.after) - widened > given
                    )
                self._restrict(node, self.horizon.all & ~blocked)

    def _counts(self, rule: Washout, report: Reported) -> bool:
        if report.agent != rule.agent or not self.reading.active(f"event:{report.id}"):
            return False
        if not rule.same_site:
            return True
        problem = self.reading.problem
        site = report.body_site is None or report.body_site == problem.body_site
        side = report.laterality is None or report.laterality == problem.laterality
        return site and side


def _asks(own: Rule, rule: Rule) -> bool:
    """Whether one gap over all plans asks for all that another one does."""
    return (
        isinstance(own, MinGapOfKinds)
        and isinstance(rule, MinGapOfKinds)
        and own.scope is rule.scope is Scope.PATIENT
        and own.parameter is None
        and own.severity is Severity.BLOCK
        and rule.kinds <= own.kinds
        and _never_shorter(own.offset, rule.offset)
        and rule.same_site >= own.same_site
    )


def _never_shorter(own: Offset, other: Offset) -> bool:
    """Whether one offset leads at least as far as another, from whatever day."""
    days = (date(2027, 1, 1) + timedelta(days=n) for n in range(3 * 366))
    return all(
        own.from_day(day, MonthEnd.CLAMP) >= other.from_day(day, MonthEnd.CLAMP) for day in days
    )
