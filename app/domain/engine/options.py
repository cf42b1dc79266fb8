"""Ways out of a conflict, each tried before it is offered: dates first, waivers last."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import assert_never

from app.domain.engine.compiling import Compilation
from app.domain.engine.conflicts import minimal_conflict
from app.domain.engine.feasibility import Orders
from app.domain.engine.judging import spoken_day
from app.domain.engine.occurrences import Expansion, Link, Occurrence, spoken, spoken_step
from app.domain.engine.remedies import apply_remedy
from app.domain.engine.scheduling import schedule_of
from app.domain.engine.solutions import Question, best_solution, own_target
from app.domain.facts import OccurrenceId, Pinned
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import ParameterType, Step
from app.domain.rules import AnyRule, KeepAway, OrderRule
from app.domain.schedules import (
    AskAnchor,
    AskCancelOther,
    AskParameter,
    AskPin,
    AskSkip,
    AskUnpin,
    AskWaiver,
    Conflict,
    Option,
    Remedy,
    Schedule,
)

NEAR_DAYS, FAR_DAYS = 60, 3650
WAIVER_ROLE = "physician"
CLOSURE_ROLE = "manager"


def waiver_role(element: str, rules: Iterable[AnyRule]) -> str:
    """Who may set an element aside: whom the rule names, for a closed day who runs the place."""
    if element.startswith("closure:"):
        return CLOSURE_ROLE
    named = (rule.waiver_role for rule in rules if element == f"rule:{rule.id}")
    return next(named, None) or WAIVER_ROLE


def find_options(problem: Problem, conflict: Conflict) -> tuple[Option, ...]:
    """Requests that resolve a conflict, each with the schedule it gives.

    Where another, independent conflict remains, an option resolves the named one and has no
    schedule yet: asking for it shows the next conflict.
    """
    return tuple(_Finder(problem, conflict).options())


class _Finder:
    def __init__(self, problem: Problem, conflict: Conflict) -> None:
        self._problem = problem
        self._named = frozenset(element.id for element in conflict.elements)
        self._question = Question(problem)
        self._expansion: Expansion = next(self._question.expansions())
        self._ignoring = self._other_conflicts()
        self._concerned = [
            occurrence
            for occurrence in self._expansion.occurrences
            if any(self._names(occurrence, element) for element in self._named)
        ]

    def _other_conflicts(self) -> frozenset[str]:
        ignoring: frozenset[str] = frozenset()
        while not self._question.feasible(self._named | ignoring):
            found = minimal_conflict(self._question, self._named | ignoring)
            more = frozenset(element.id for element in found.elements)
            ignoring |= more
        return ignoring

    @staticmethod
    def _names(occurrence: Occurrence, element: str) -> bool:
        own = {f"{kind}:{occurrence.id}" for kind in ("fact", "pin", "anchor")}
        return element in own or any(element.startswith(f"{k.name}.") for k in occurrence.links)

    def options(self) -> Iterator[Option]:
        """Every remedy that works, in the order in which a clinic would rather take them."""
        remedies: list[Remedy] = []
        for remedy in (
            *self._anchor_days(),
            *self._pin_days(),
            *self._counts(),
            *self._alternatives(),
            *self._skips(),
            *self._releases(),
            *self._waivers(),
        ):
            if remedy in remedies:
                continue
            remedies.append(remedy)
            option = self._tried(remedy)
            if option is not None:
                yield option

    def _tried(self, remedy: Remedy) -> Option | None:
        changed = apply_remedy(self._problem, remedy)
        question = Question(changed)
        solution = question.solution()
        if solution is None:
            works = bool(self._ignoring) and question.feasible(self._ignoring)
            return Option(self._text(remedy, None), remedy, None) if works else None
        schedule = schedule_of(solution)
        return Option(self._text(remedy, schedule), remedy, schedule)

    def _works(self, remedy: Remedy) -> bool:
        return Question(apply_remedy(self._problem, remedy)).feasible(self._ignoring)

    def _anchor_days(self) -> Iterator[Remedy]:
        anchor = self._problem.anchor
        if anchor is None or f"anchor:{anchor.occurrence}" not in self._named:
            return
        first = anchor.day or anchor.earliest_from or self._problem.as_of
        last = anchor.day or anchor.until or first
        before, after = self._nearest(anchor.occurrence, f"anchor:{anchor.occurrence}", first, last)
        for day in (before, after):
            if day is not None:
                yield AskAnchor(day)
        if after is not None:
            on_target = self._on_target(anchor.occurrence, after)
            if on_target is not None and on_target != after:
                yield AskAnchor(on_target)

    def _pin_days(self) -> Iterator[Remedy]:
        for pin in self._pinned():
            for day in self._nearest(pin.occurrence, f"pin:{pin.occurrence}", pin.on, pin.on):
                if day is not None:
                    yield AskPin(pin.occurrence, day)

    def _nearest(
        self, occurrence: OccurrenceId, element: str, first: date, last: date
    ) -> tuple[date | None, date | None]:
        """The nearest days before and after a range for which all else works.

        Within 60 days; where there is none so near also beyond them, but an anchor does not come so
        far for the day of another step.
        """
        compilations = list(self._question.networks(self._ignoring | {element}))
        near = _within(compilations, occurrence, (first, last), NEAR_DAYS)
        if any(near) or (element.startswith("anchor:") and self._pinned()):
            return near
        return _within(compilations, occurrence, (first, last), FAR_DAYS)

    def _on_target(self, anchor: OccurrenceId, after: date) -> date | None:
        """The first anchor day from which every step of the conflict stands on its target."""
        keys = {occurrence.step.key for occurrence in self._concerned} - {anchor.step}
        if self._ignoring or not keys:
            return None
        for compilation in self._question.networks(frozenset({f"anchor:{anchor}"})):
            net, base = compilation.net, compilation.frame.base
            index = compilation.expansion.by_id[anchor]
            day: int | None = after.toordinal() - base
            last = (day or 0) + NEAR_DAYS
            while day is not None and day <= last:
                there = net.within(index, day, day)
                solution = None if there is None else best_solution(compilation, there)
                if solution is not None and all(
                    own_target(occurrence, solution.days) == solution.days.get(occurrence.index)
                    for occurrence in compilation.expansion.occurrences
                    if occurrence.step.key in keys and occurrence.index not in compilation.given
                ):
                    return date.fromordinal(day + base)
                beyond = net.within(index, day + 1, last)
                day = None if beyond is None else Orders().first(beyond, index)
        return None

    def _counts(self) -> Iterator[Remedy]:
        """Fewer occurrences of a step that takes part, nearest count first; else more."""
        for step in self._concerned_steps():
            count = None if step.repeat is None else step.repeat.count
            if count is None or count.parameter is None or count.by_value:
                continue
            now = len(self._expansion.by_step[step.key]) + count.less
            low, high = count.minimum + count.less, count.maximum + count.less
            for values in (range(now - 1, low - 1, -1), range(now + 1, high + 1)):
                remedies = (
                    AskParameter(count.parameter, n)
                    for n in values
                    if self._takes(count.parameter, n)
                )
                found = next((remedy for remedy in remedies if self._works(remedy)), None)
                if found is not None:
                    yield found

    def _takes(self, key: str, value: str | int) -> bool:
        parameters = self._problem.protocol.parameters
        return any(
            parameter.key == key and parameter.may_be_given(value) for parameter in parameters
        )

    def _alternatives(self) -> Iterator[Remedy]:
        """Other values of a choice that names the timing of a step which takes part."""
        named = {
            step.alternatives.parameter
            for step in self._concerned_steps()
            if step.alternatives is not None and step.alternatives.parameter is not None
        }
        for parameter in self._problem.protocol.parameters:
            if parameter.key in named and parameter.type is ParameterType.CHOICE:
                now = self._problem.parameters.get(parameter.key, parameter.default)
                for value in parameter.options:
                    if value != now:
                        yield AskParameter(parameter.key, value)

    def _skips(self) -> Iterator[Remedy]:
        performed = {fact.occurrence for fact in self._problem.performed}
        missed = {fact.occurrence for fact in self._problem.missed}
        for occurrence in self._concerned:
            counted = occurrence.step.repeat is not None and occurrence.step.repeat.count.parameter
            optional = occurrence.step.optional and not counted
            if (optional or occurrence.id in missed) and occurrence.id not in performed:
                yield AskSkip(occurrence.id)

    def _releases(self) -> Iterator[Remedy]:
        """Days that hold the plan fast and can be given back: pins, and steps of other plans."""
        for pin in self._pinned():
            yield AskUnpin(pin.occurrence)
        for plan in sorted(self._problem.other_plans, key=lambda plan: plan.id):
            for step in plan.steps:
                if f"other:{plan.id}/{step.key}" in self._named and not step.performed:
                    yield AskCancelOther(plan.id, step.key)

    def _pinned(self) -> list[Pinned]:
        """The pins that take part."""
        pins = sorted(self._problem.pinned, key=lambda pin: str(pin.occurrence))
        return [pin for pin in pins if f"pin:{pin.occurrence}" in self._named]

    def _concerned_steps(self) -> list[Step]:
        return list({o.step.key: o.step for o in self._concerned}.values())

    def _waivers(self) -> Iterator[Remedy]:
        most = self._problem.protocol.max_widening_days
        for occurrence in self._expansion.occurrences:
            for link in occurrence.links:
                for edge in ("earliest", "latest"):
                    element = f"{link.name}.{edge}"
                    if element in self._named:
                        yield from self._widened(element, min(most, _room(link, edge)), WAIVER_ROLE)
        for rule in self._question.frame.rules:
            # An order given way by days would put a step on the other side of its reference.
            if f"rule:{rule.id}" in self._named and not isinstance(rule, OrderRule):
                element = f"rule:{rule.id}"
                yield from self._widened(element, most, waiver_role(element, (rule,)))
        asked = any(element.startswith(("anchor:", "pin:")) for element in self._named)
        for element in sorted(self._named):
            if asked and element.startswith("closure:"):
                yield AskWaiver(element, None, CLOSURE_ROLE)

    def _widened(self, element: str, most: int, role: str) -> Iterator[Remedy]:
        """The smallest widening that works; widening more never works less."""
        now = next((w.days or 0 for w in self._problem.waivers if w.element == element), 0)
        if most <= now or not self._works(AskWaiver(element, most, role)):
            return
        low, high = now + 1, most
        while low < high:
            middle = (low + high) // 2
            if self._works(AskWaiver(element, middle, role)):
                high = middle
            else:
                low = middle + 1
        yield AskWaiver(element, high, role)

    def _text(self, remedy: Remedy, schedule: Schedule | None) -> str:
        match remedy:
            case AskAnchor(day):
                anchor = self._problem.anchor
                name = "the anchor" if anchor is None else self._label(anchor.occurrence)
                text = f"{name} on {spoken_day(day.toordinal())}"
            case AskPin(occurrence, day):
                text = f"{self._label(occurrence)} on {spoken_day(day.toordinal())}"
            case AskParameter(key, value):
                text = f"{spoken(key)}: {spoken(str(value))}"
            case AskSkip(occurrence):
                text = f"leave out {self._label(occurrence)}"
            case AskUnpin(occurrence):
                text = f"give back the day chosen for {self._label(occurrence)}"
            case AskCancelOther(_, step):
                text = f"call off {spoken(step).replace('/', ' ')} of another plan"
            case AskWaiver(element, None, role):
                text = f"set aside {self._named_rule(element)}; needs the role {role}"
            case AskWaiver(element, days, role):
                by = f"{days} day{'' if days == 1 else 's'}"
                text = f"widen {self._named_rule(element)} by {by}; needs the role {role}"
            case never:
                assert_never(never)
        if schedule is None or isinstance(remedy, AskSkip):
            return text
        return text + self._days_of(schedule, said=remedy)

    def _named_rule(self, element: str) -> str:
        """The element as it is told: a rule of another plan by the name it has there."""
        elsewhere = (rule for rule in self._question.frame.rules if isinstance(rule, KeepAway))
        names = {f"rule:{rule.id}": f"rule:{rule.origin.id} of another plan" for rule in elsewhere}
        return names.get(element, element)

    def _days_of(self, schedule: Schedule, said: Remedy) -> str:
        """Where the other steps come to lie that take part."""
        told = {None if self._problem.anchor is None else self._problem.anchor.occurrence}
        if isinstance(said, AskPin):
            told.add(said.occurrence)
        keys = {step.key for step in self._concerned_steps()}
        named = [
            step
            for step in schedule.steps
            if step.id.step in keys and step.id not in told and step.day and not step.performed
        ]
        if not named:
            return ""
        days = (
            f"{spoken_step(step)} on {spoken_day(step.day.toordinal())}"
            for step in sorted(named, key=lambda step: step.day or date.min)
            if step.day is not None
        )
        return f" ({', '.join(days)})"

    def _label(self, occurrence: OccurrenceId) -> str:
        index = self._expansion.by_id.get(occurrence)
        return str(occurrence) if index is None else self._expansion.occurrences[index].label


def _within(
    compilations: Iterable[Compilation],
    occurrence: OccurrenceId,
    asked: tuple[date, date],
    reach: int,
) -> tuple[date | None, date | None]:
    """The last day before, and the first after, the days asked for that are within reach."""
    before, after = [], []
    for compilation in compilations:
        net, base = compilation.net, compilation.frame.base
        # It was asked for, so it is there, and is no fact.
        index = compilation.expansion.by_id[occurrence]
        low, high = (day.toordinal() - base for day in asked)
        earlier = net.within(index, max(0, low - reach), low - 1) if low > 0 else None
        later = net.within(index, high + 1, high + reach)
        if earlier is not None and (day := Orders().last(earlier, index)) is not None:
            before.append(day + base)
        if later is not None and (day := Orders().first(later, index)) is not None:
            after.append(day + base)
    return (
        date.fromordinal(max(before)) if before else None,
        date.fromordinal(min(after)) if after else None,
    )


def _room(link: Link, edge: str) -> int:
    """How far a bound can widen without reaching the other side of its reference."""
    offset: Offset | None = link.bounds.earliest if edge == "earliest" else link.bounds.latest
    if offset is None or offset.sign == 0:
        return 0
    towards = offset.sign > 0 if edge == "earliest" else offset.sign < 0
    return offset.longest_days if towards else 10_000
