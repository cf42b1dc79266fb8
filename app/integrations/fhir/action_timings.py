"""Where the steps of a PlanDefinition stand: their timings, repeats and days in cycles."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.documents.vocabulary import MAX_OCCURRENCES
from app.domain.errors import DomainError
from app.integrations.fhir.action_relations import Relation, read_relations, summed
from app.integrations.fhir.action_rhythms import Rhythm, days_of_cycle, read_rhythm
from app.integrations.fhir.action_tree import Action, as_key
from app.integrations.fhir.durations import Length, read_length
from app.integrations.fhir.findings import Findings
from app.integrations.fhir.urls import POINT

PLAN_START = "plan_start"
_EXACTLY = {"earliest": "P0D", "target": "P0D", "latest": "P0D"}
Member = dict[str, Any]


@dataclass(slots=True)
class Placing:
    """Looks up and places the steps of some actions."""

    actions: list[Action]
    findings: Findings
    rules: list[Member] = field(default_factory=list)
    _occurrences: int = 0
    _known: dict[str, Action] = field(default_factory=dict)
    _begin: dict[str, tuple[list[Action], int]] = field(default_factory=dict)
    _relations: dict[str, list[Relation]] = field(default_factory=dict)
    _rhythms: dict[str, Rhythm | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        everything = [one for action in self.actions for one in action.everything()]
        for action in everything:
            name = action.id
            if isinstance(name, str) and name in self._known:
                text = "is the id of another action too"
                self.findings.refuse(f"{action.at}.id", "business-rule", text)
            elif isinstance(name, str):
                self._known[name] = action
        for action in everything:
            self._relations[action.at] = read_relations(action, self._known, self.findings)
            rhythm = read_rhythm(action, self.findings)
            self._rhythms[action.at] = rhythm
            if rhythm is not None and not action.is_step and action.event is None:
                _note_unread(rhythm, self.findings)

    def members(self, step: Action) -> Member:
        """The members of a step that say when it is."""
        rhythm, cycle = self._rhythms[step.at], self._cycle_of(step)
        within, timings = self._timings(step, None if cycle is None else cycle[0])
        lasting = _lasting(rhythm, cycle)
        if cycle is not None:
            return lasting | self._in_cycle(step, cycle, within, timings)
        if step.own is None and days_of_cycle(step, None, self.findings) is not None:
            return {}
        if rhythm is not None and rhythm.repeats:
            if rhythm.period is None:
                text = "is required: nothing says how far apart they are"
                self.findings.refuse(f"{rhythm.at}.period", "required", text)
                return {}
            times = {"min": rhythm.least, "default": rhythm.least, "max": rhythm.most}
            lasting["repeat"] = {"count": times, "spacing": rhythm.spacing}
        return lasting | ({"timings": timings} if timings else {})

    def _cycle_of(self, step: Action) -> tuple[Action, Rhythm, Length, list[int] | None] | None:
        """The group (or step) that repeats with the step in it, and the step's days."""
        repeating = [
            (one, rhythm)
            for one in (step, *step.ancestors())
            if (rhythm := self._rhythms[one.at]) is not None and rhythm.repeats
        ]
        if not repeating or (repeating[0][0] is step and self._is_chain(step, repeating[0][1])):
            if len(repeating) > 1:
                text = "repeats within what repeats"
                self.findings.refuse(repeating[0][1].at, "not-supported", text)
            return None
        group, rhythm = repeating[0]
        is_one = rhythm.least == rhythm.most and rhythm.period_max is None
        if len(repeating) > 1 or rhythm.cycle is None or not is_one:
            text = "must say how long a cycle is and how many there are, and repeat in no other"
            self.findings.refuse(rhythm.at, "not-supported", text)
            return None
        return group, rhythm, rhythm.cycle, days_of_cycle(step, rhythm.cycle, self.findings)

    def _is_chain(self, step: Action, rhythm: Rhythm) -> bool:
        """Whether a step repeats by itself, not on days of cycles of its own."""
        return step.own is not None or days_of_cycle(step, rhythm.cycle, Findings()) is None

    def _timings(self, step: Action, cycle: Action | None) -> tuple[list[Relation], list[Member]]:
        """Relations to mates within the cycle, and timings from everything else."""
        within: list[Relation] = []
        timings: list[Member] = []
        for relation in self._holding(step):
            target = self._target(relation)
            if target is None:
                continue
            mates = [target, *target.ancestors()]
            if cycle is not None and cycle in mates:
                within.append(relation)
                continue
            timing = self._timing(relation, target)
            if timing is not None:
                timings.append(timing)
        for action in self._begun_by(step):
            timings += self._ages(action)
        return within, timings

    def _holding(self, step: Action) -> Iterator[Relation]:
        """Its own relations, and those of groups that begin with it."""
        for action in self._begun_by(step):
            yield from self._relations[action.at]

    def _begun_by(self, step: Action) -> Iterator[Action]:
        """It, and the groups that begin with it."""
        yield step
        inside = [relation.target for relation in self._relations[step.at]]
        for group in step.ancestors():
            if not any(group in target.ancestors() for target in inside):
                yield group
            inside += [relation.target for relation in self._relations[group.at]]

    def _target(self, relation: Relation) -> Action | None:
        """The step which a relation counts from: for a group the one it begins with."""
        target = relation.target
        if target.is_step or target.event is not None or _is_part(target):
            return target
        first, number = self._beginning(target)
        rhythm = self._rhythms[target.at]
        is_whole = number == 1 and (rhythm is None or rhythm.length is None)
        if len(first) == 1 and (is_whole or not relation.to_end):
            return first[0]
        text = "is a group of which no single action is the one that counts"
        self.findings.refuse(f"{relation.at}.actionId", "not-supported", text)
        return None

    def _beginning(self, group: Action) -> tuple[list[Action], int]:
        """The steps that a group begins with, and how many it has."""
        if group.at not in self._begin:
            steps = list(group.steps())
            first = [step for step in steps if not self._hangs_within(step, group)]
            self._begin[group.at] = first, len(steps)
        return self._begin[group.at]

    def _hangs_within(self, step: Action, group: Action) -> bool:
        """Whether a step of a group counts from another of it."""
        return any(group in one.target.ancestors() for one in self._relations[step.at])

    def _timing(self, relation: Relation, target: Action) -> Member | None:
        timing: Member = dict(relation.bounds)
        if target.event is not None:
            timing["relative_to"] = target.event
            return _with_own(timing, relation)
        owner = target
        reference: Member = {"step": target.key}
        if _is_part(target):
            owner = next(group for group in target.ancestors() if group.own is not None)
            point = as_key((target.id or "").rpartition(POINT)[2])
            reference = {"step": _own_key(owner), "occurrence": point}
        elif self._cycle_of(target) is not None:
            text = "happens in every cycle: it does not say which is meant"
            self.findings.refuse(f"{relation.at}.actionId", "not-supported", text)
            return None
        rhythm = self._rhythms[owner.at]
        if rhythm is not None and rhythm.repeats and not _is_part(target):
            reference["occurrence"] = "last" if relation.to_end else "first"
        if relation.to_end and _has_end(owner, rhythm):
            timing["from"] = "end"
        timing["relative_to"] = reference
        return _with_own(timing, relation)

    def _ages(self, action: Action) -> Iterator[Member]:
        """An age as a timing is the day on which the patient is so old."""
        if "timingAge" not in action.data:
            return
        at = f"{action.at}.timingAge"
        age = read_length(action.data["timingAge"], at, self.findings)
        if age is None:
            return
        if age.value < 0:
            self.findings.refuse(at, "value", "nobody is younger than that")
            return
        self.findings.understood(at)
        yield {"relative_to": "birth_date", "target": str(age.offset())}

    def _in_cycle(
        self,
        step: Action,
        cycle: tuple[Action, Rhythm, Length, list[int] | None],
        within: list[Relation],
        timings: list[Member],
    ) -> Member:
        """Timepoints: each day of each cycle, from where the first cycle begins."""
        _, rhythm, length, days = cycle
        if len(timings) > 1 or any(relation.way for relation in within):
            text = "within a cycle only days, one beginning and what is concurrent can be told"
            self.findings.refuse(step.at, "not-supported", text)
            return {}
        self._occurrences += rhythm.most * len(days or [1])
        if self._occurrences > MAX_OCCURRENCES:
            text = f"the days of its cycles are more than {MAX_OCCURRENCES} in all"
            self.findings.refuse(step.at, "too-costly", text)
            return {}
        base = timings[0] if timings else {"relative_to": PLAN_START, "target": "P0D"}
        points = []
        for number in range(rhythm.most):
            for day in days or [1]:
                point = self._point(base, length, number, day, step)
                if point is None:
                    return {}
                named = f"c{number + 1}" + (f"d{day}" if days else "")
                title = f"Cycle {number + 1}" + (f", day {day}" if days else "")
                points.append({"key": named, **point, "title": title})
        self._keep_together(step, within, points)
        reference = {name: base[name] for name in ("relative_to", "from") if name in base}
        return {**reference, "timepoints": points}

    def _point(
        self, base: Member, length: Length, number: int, day: int, step: Action
    ) -> Member | None:
        cycles = Length(length.value * number, length.unit)
        found: Member = {}
        for name in ("earliest", "target", "latest"):
            if name not in base:
                continue
            try:
                moved = summed(base[name], str(cycles.offset()))
                moved = None if moved is None else summed(moved, f"P{day - 1}D")
            except DomainError:
                moved = None
            if moved is None:
                text = "the days of its cycles cannot be told"
                self.findings.refuse(step.at, "not-supported", text)
                return None
            found[name] = moved
        return found

    def _keep_together(self, step: Action, within: list[Relation], points: list[Member]) -> None:
        """What is concurrent within a cycle is on one day, in each cycle."""
        for relation in within:
            other = self._target(relation)
            place = None if other is None else self._cycle_of(other)
            if other is None or place is None:
                continue
            _, rhythm, _, days = place
            theirs = {
                f"c{number + 1}" + (f"d{day}" if days else "")
                for number in range(rhythm.most)
                for day in days or [1]
            }
            for point in points:
                if point["key"] in theirs:
                    steps = [f"{other.key}/{point['key']}", f"{step.key}/{point['key']}"]
                    name = f"together-{len(self.rules) + 1}"
                    self.rules.append({"id": name, "type": "same_day", "steps": steps})


def _note_unread(rhythm: Rhythm, findings: Findings) -> None:
    """How long a group lasts, where that is not the length of its cycles."""
    is_cycle = rhythm.repeats and rhythm.period is None
    if rhythm.minutes is not None or (rhythm.length is not None and not is_cycle):
        text = "is of a group, of which only its actions last; it stays with the resource"
        findings.kept(f"{rhythm.at}.duration", text)


def _is_part(action: Action) -> bool:
    """Whether it is a part that we wrote below a step of ours."""
    return any(group.own is not None for group in action.ancestors())


def _own_key(action: Action) -> str:
    return str((action.own or {}).get("key", action.key))


def _has_end(action: Action, rhythm: Rhythm | None) -> bool:
    return "span" in (action.own or {}) or (rhythm is not None and rhythm.length is not None)


def _with_own(timing: Member, relation: Relation) -> Member:
    return timing if relation.own is None else overlaid(timing, relation.own)


def overlaid(read: Mapping[str, Any], own: Mapping[str, Any]) -> Member:
    """What standard elements say with what our extension says instead; ``_absent`` goes."""
    absent = own.get("_absent", ())
    kept = {name: value for name, value in read.items() if name not in absent}
    return kept | {name: value for name, value in own.items() if name != "_absent"}


def residue(read: Mapping[str, Any], wanted: Mapping[str, Any]) -> Member:
    """What our extension has to say so that the standard elements give what is wanted."""
    found = {n: value for n, value in wanted.items() if n not in read or read[n] != value}
    absent = [name for name in read if name not in wanted]
    return found | ({"_absent": absent} if absent else {})


def _lasting(
    rhythm: Rhythm | None, cycle: tuple[Action, Rhythm, Length, list[int] | None] | None
) -> Member:
    """How long a step lasts: a span of days, or the minutes of its appointment."""
    if rhythm is None:
        return {}
    found: Member = {}
    is_cycle = cycle is not None and rhythm is cycle[1] and rhythm.period is None
    if rhythm.length is not None and not is_cycle:
        found["span"] = str(rhythm.length.offset())
    if rhythm.minutes is not None:
        found["appointment"] = {"minutes": rhythm.minutes}
    return found
