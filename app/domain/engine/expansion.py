"""From a protocol and its parameters to a flat list of occurrences. Finds no days."""

from collections.abc import Iterable, Mapping

from app.domain.engine.linking import Linker
from app.domain.engine.occurrences import (
    MAX_OCCURRENCES,
    MAX_STEPS,
    Expansion,
    Occurrence,
    PlanTooLarge,
    spoken,
)
from app.domain.engine.parameters import counted, holds, parameters_of, spacing_of, taken_effects
from app.domain.facts import OccurrenceId
from app.domain.problem import Problem
from app.domain.protocols import Order, Repeat, Step, StepKind, StepReference, Timing

Alive = dict[str, tuple[Step, tuple[Timing, ...]]]


class Expander:
    """Builds the occurrences of one problem, once per choice of alternatives."""

    def __init__(self, problem: Problem, opens: list[int]) -> None:
        self._problem = problem
        self._opens = opens
        self._taken = taken_effects(problem)
        self._effects = [effect for _, effect in self._taken]
        self._values = parameters_of(problem, self._effects)
        self._performed = {fact.occurrence for fact in problem.performed}
        self._performed_steps = {occurrence.step for occurrence in self._performed}
        self._skipped = {fact.occurrence for fact in problem.skipped}
        self._added = {s for e in self._effects if e.type == "add" for s in e.steps}
        self._cancelled = {s for e in self._effects if e.type == "cancel" for s in e.steps}

    def first_feasible_steps(self) -> list[tuple[str, list[str]]]:
        """Steps whose alternative no parameter names, with their options, in their order."""
        return [
            (step.key, [key for key, _ in step.alternatives.options])
            for step in self._problem.protocol.steps
            if step.alternatives is not None
            and step.alternatives.parameter is None
            and self._exists(step)
        ]

    def expand(self, chosen: Mapping[str, str]) -> Expansion:
        """All occurrences for these choices. Raises PlanTooLarge beyond the bounds."""
        named = dict(chosen)
        alive = self._alive_steps(named)
        if len(alive) > MAX_STEPS:
            raise PlanTooLarge(f"a protocol has at most {MAX_STEPS} steps")
        occurrences: list[Occurrence] = []
        by_step = {}
        for step, _ in alive.values():
            by_step[step.key] = self._add_occurrences(step, occurrences)
            if len(occurrences) > MAX_OCCURRENCES:
                raise PlanTooLarge(f"a plan has at most {MAX_OCCURRENCES} occurrences")
        by_id = {occurrence.id: occurrence.index for occurrence in occurrences}
        named = {key: option for key, option in named.items() if key in alive}
        added = {
            step.key: counted(step.repeat.count, self._values)
            for step, _ in alive.values()
            if step.repeat is not None and self._extra(step)
        }
        expansion = Expansion(occurrences, named, by_id, by_step, added)
        linker = Linker(self._problem, expansion, self._opens)
        for step, timings in alive.values():
            spacing = None if step.repeat is None else spacing_of(step.repeat, self._values)
            linker.link(step, timings, spacing)
        for decision, effect in self._taken:
            if effect.type == "add" and effect.offset is not None:
                linker.begin_after(decision, effect.steps, effect.offset)
        linker.spread_undated()
        self._mark_tentative(expansion)
        return expansion

    def _exists(self, step: Step) -> bool:
        if step.key in self._performed_steps:
            return True
        if step.key in self._cancelled or (step.on_decision and step.key not in self._added):
            return False
        return holds(step.when, self._values)

    def _alive_steps(self, named: dict[str, str]) -> Alive:
        """Steps that exist: what hangs on one left out by the parameters does not either."""
        alive = {
            step.key: (step, self._timings(step, named))
            for step in self._problem.protocol.steps
            if self._exists(step) and self._count(step) > 0
        }
        while gone := [key for key, (_, timings) in alive.items() if self._hangs(timings, alive)]:
            for key in gone:
                del alive[key]
        return alive

    def _hangs(self, timings: tuple[Timing, ...], alive: Alive) -> bool:
        """Whether a timing counts from a step, or a number of it, which is left out."""
        for timing in timings:
            reference = timing.reference
            if not isinstance(reference, StepReference):
                continue
            if reference.step not in alive:
                return True
            number = reference.occurrence
            if isinstance(number, int) and number > self._count(alive[reference.step][0]):
                return True
        return False

    def _timings(self, step: Step, named: dict[str, str]) -> tuple[Timing, ...]:
        if step.alternatives is None:
            return step.timings
        options = dict(step.alternatives.options)
        key = named.get(step.key)
        if step.alternatives.parameter is not None:
            key = str(self._values.get(step.alternatives.parameter))
        if key is None or key not in options:
            key = next(iter(options))
        named[step.key] = key
        return (options[key], *step.timings)

    def _count(self, step: Step) -> int:
        if step.repeat is None:
            return 1
        numbers = [f.occurrence for f in self._performed if f.step == step.key]
        most = max((number for number in numbers if isinstance(number, int)), default=0)
        return max(counted(step.repeat.count, self._values) + self._extra(step), most)

    def _extra(self, step: Step) -> int:
        """How many more decisions have added."""
        return sum(e.count or 0 for e in self._effects if e.type == "add" and step.key in e.steps)

    def _add_occurrences(self, step: Step, occurrences: list[Occurrence]) -> list[int]:
        keys: Iterable[int | str | None] = (None,)
        if step.timepoints:
            keys = [point.key for point in step.timepoints]
        elif step.repeat is not None:
            keys = range(1, min(self._count(step), MAX_OCCURRENCES + 1) + 1)
        label = spoken(step.key)
        added = []
        for key in keys:
            id_ = OccurrenceId(step.key, key)
            if id_ in self._skipped:
                continue
            found = Occurrence(len(occurrences), id_, step, step.importance, step.any_day, label)
            occurrences.append(found)
            added.append(found)
        if step.repeat is not None:
            _number(step.repeat, added)
        for point in step.timepoints:
            for found in added:
                if found.id.occurrence == point.key:
                    found.label = f"{label} {point.key}"
                    found.importance = point.importance or step.importance
                    found.any_day = step.any_day if point.any_day is None else point.any_day
        return [found.index for found in added]

    def _mark_tentative(self, expansion: Expansion) -> None:
        """What an open decision may keep, cancel or set, and what hangs on that first."""
        steps, parameters = self._open_decisions()
        if not steps and not parameters:
            return
        changed = True
        for occurrence in expansion.occurrences:
            if occurrence.id not in self._performed:
                occurrence.tentative = occurrence.step.key in steps or (
                    occurrence.step.kind is not StepKind.DECISION
                    and bool(_named_by(occurrence.step) & parameters)
                )
        while changed:
            changed = False
            for occurrence in expansion.occurrences:
                ref = occurrence.links[0].ref if occurrence.links else None
                if ref is None or occurrence.tentative or occurrence.id in self._performed:
                    continue
                if expansion.occurrences[ref].tentative:
                    occurrence.tentative = changed = True

    def _open_decisions(self) -> tuple[set[str], set[str]]:
        """Steps named, and parameters set, by decisions which are still open."""
        steps: set[str] = set()
        parameters: set[str] = set()
        for step in self._problem.protocol.steps:
            if not step.choices or step.key in self._problem.decided or not self._exists(step):
                continue
            for effect in (effect for choice in step.choices for effect in choice.effects):
                if effect.type in ("keep", "cancel"):
                    steps.update(effect.steps)
                elif effect.type == "set" and effect.parameter is not None:
                    parameters.add(effect.parameter)
        return steps, parameters


def _number(repeat: Repeat, occurrences: list[Occurrence]) -> None:
    """Numbers for people, by date: "primer 1 of 2" is the earliest."""
    ordered = occurrences[::-1] if repeat.order is Order.BACKWARD else occurrences
    for place, occurrence in enumerate(ordered, start=1):
        occurrence.ordinal, occurrence.of = place, len(ordered)
        if len(ordered) > 1:
            occurrence.label += f" {place}"


def _named_by(step: Step) -> set[str]:
    named = {step.when.parameter} if step.when is not None else set()
    if step.alternatives is not None and step.alternatives.parameter is not None:
        named.add(step.alternatives.parameter)
    if step.repeat is not None and step.repeat.count.parameter is not None:
        named.add(step.repeat.count.parameter)
    return named
