"""Reads the ``given`` of a vector as the problem put to the engine."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.calendars import Absence, Calendar, Closure, local_date
from app.domain.facts import (
    Anchor,
    Commitment,
    Kept,
    OccurrenceId,
    OtherPlan,
    OtherStep,
    Performed,
    Pinned,
    Reported,
    Skipped,
    Waiver,
)
from app.domain.offsets import MonthEnd, Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    Alternatives,
    BirthDate,
    Bounds,
    Condition,
    Count,
    Follows,
    Nth,
    Order,
    OutsideEvent,
    Parameter,
    ParameterType,
    PlanStart,
    Point,
    Protocol,
    Reference,
    Repeat,
    Step,
    StepKind,
    StepReference,
    Timepoint,
    Timing,
    Unit,
)
from app.domain.rules import (
    MaxGap,
    MinGap,
    MinGapBetween,
    MinGapOfKinds,
    NoOverlap,
    OrderRule,
    Rule,
    Scope,
    Severity,
    StepSelector,
    Washout,
)

Given = dict[str, Any]  # JSON

FOLDER = Path(__file__).parent / "vectors"


def vectors(name: str) -> list[Given]:
    """The vectors of one file."""
    found: list[Given] = json.loads((FOLDER / f"{name}.json").read_text())["vectors"]
    return found


def day(text: str | None) -> date | None:
    """A date, or nothing."""
    return None if text is None else date.fromisoformat(text)


def instant(text: str) -> datetime:
    """An aware instant, written like 2027-03-11T05:30Z."""
    return datetime.fromisoformat(text)


def _days(given: Given) -> tuple[date, date]:
    if "date" in given:
        return date.fromisoformat(given["date"]), date.fromisoformat(given["date"])
    return date.fromisoformat(given["from"]), date.fromisoformat(given["to"])


def calendar_of(given: Given) -> Calendar:
    """A location's calendar."""
    closures = tuple(Closure(closure["id"], *_days(closure)) for closure in given["closures"])
    return Calendar(frozenset(given["open_weekdays"]), closures)


def _reference(given: Any, point: str) -> Reference:
    match given:
        case "plan_start":
            return PlanStart()
        case "birth_date":
            return BirthDate()
        case {"event": name}:
            return OutsideEvent(name)
        case {"step": key}:
            return StepReference(key, _nth(given.get("occurrence")), Point(point))
        case _:
            raise AssertionError(f"no such reference: {given}")


def _nth(occurrence: int | str | None) -> int | str | None:
    return Nth(occurrence) if occurrence in {"first", "last", "previous"} else occurrence


def _bounds(given: Given) -> Bounds:
    earliest, target, latest = (
        Offset.parse(given[side]) if side in given else None
        for side in ("earliest", "target", "latest")
    )
    return Bounds(earliest, target, latest, Unit(given.get("unit", "days")))


def _timing(given: Given) -> Timing:
    return Timing(
        _reference(given["relative_to"], given.get("from", "start")),
        _bounds(given),
        Follows(given.get("follows", "actual_else_planned")),
    )


def _condition(given: Given | None) -> Condition | None:
    return None if given is None else Condition(given["parameter"], tuple(given["in"]))


def _alternatives(given: Given | None) -> Alternatives | None:
    if given is None:
        return None
    options = tuple((option["key"], _timing(option["timing"])) for option in given["options"])
    parameter = None if given["choose"] == "first_feasible" else given["choose"]["parameter"]
    return Alternatives(options, parameter)


def _repeat(given: Given | None, parameters: Given) -> Repeat | None:
    if given is None:
        return None
    count = given["count"]
    if isinstance(count, dict):
        value = parameters[count["parameter"]]
        numbers = Count(0, value, 10, count["parameter"])
    else:
        numbers = Count(count, count, count)
    return Repeat(numbers, _bounds(given["spacing"]), Order(given["order"]))


def _step(given: Given, parameters: Given) -> Step:
    timings = tuple(_timing(timing) for timing in given.get("timings", []))
    timepoints = tuple(
        Timepoint(point["key"], _bounds(point)) for point in given.get("timepoints", [])
    )
    if timepoints:
        reference = _reference(given["relative_to"], given.get("from", "start"))
        timings = (Timing(reference, timepoints[0].bounds),)
    return Step(
        key=given["key"],
        kind=StepKind(given["kind"]),
        title=given["key"],
        importance=given["importance"],
        timings=timings,
        alternatives=_alternatives(given.get("alternatives")),
        repeat=_repeat(given.get("repeat"), parameters),
        timepoints=timepoints,
        span=Offset.parse(given["span"]) if "span" in given else None,
        any_day=given.get("any_day", False),
        when=_condition(given.get("when")),
    )


def _selector(text: str) -> StepSelector:
    occurrence = OccurrenceId.parse(text)
    return StepSelector(occurrence.step, _nth(occurrence.occurrence))


def _rule(given: Given) -> Rule:
    severity = Severity(given.get("severity", "block"))
    match given["type"]:
        case "min_gap":
            return _min_gap(given, severity)
        case "max_gap":
            return MaxGap(
                id=given["id"],
                severity=severity,
                begin=_selector(given["from"]),
                end=_selector(given["to"]),
                offset=Offset.parse(given["offset"]),
            )
        case "order":
            return OrderRule(
                id=given["id"],
                severity=severity,
                before=_selector(given["before"]),
                after=_selector(given["after"]),
            )
        case "no_overlap":
            steps = tuple(_selector(step) for step in given["steps"])
            return NoOverlap(id=given["id"], severity=severity, steps=steps)
        case "washout":
            return Washout(
                id=given["id"],
                severity=severity,
                agent=given["agent"],
                before=Offset.parse(given["before"]) if "before" in given else None,
                after=Offset.parse(given["after"]) if "after" in given else None,
                applies_to=tuple(given["applies_to"]),
                same_site=given.get("same_site", False),
            )
        case _:
            raise AssertionError(f"no such rule: {given}")


def _min_gap(given: Given, severity: Severity) -> Rule:
    offset = Offset.parse(given["offset"])
    if "kinds" in given:
        return MinGapOfKinds(
            id=given["id"],
            severity=severity,
            kinds=frozenset(given["kinds"]),
            offset=offset,
            scope=Scope(given.get("scope", "plan")),
            same_site=given.get("same_site", False),
            exempt=tuple(frozenset(group) for group in given.get("exempt", [])),
        )
    if "between" in given:
        one, other = (_selector(step) for step in given["between"])
        return MinGapBetween(id=given["id"], severity=severity, one=one, other=other, offset=offset)
    return MinGap(
        id=given["id"],
        severity=severity,
        begin=_selector(given["from"]),
        end=_selector(given["to"]),
        offset=offset,
    )


def _parameters(given: Given) -> Iterator[Parameter]:
    """Every parameter that is used, declared with all the values that are seen."""
    seen: dict[str, set[str | int]] = {}
    for key, value in given.get("parameters", {}).items():
        seen.setdefault(key, set()).add(value)
    for step in given["steps"]:
        if "when" in step:
            seen.setdefault(step["when"]["parameter"], set()).update(step["when"]["in"])
        alternatives = step.get("alternatives", {"choose": "first_feasible"})
        if alternatives["choose"] != "first_feasible":
            keys = {option["key"] for option in alternatives["options"]}
            seen.setdefault(alternatives["choose"]["parameter"], set()).update(keys)
    for key, values in seen.items():
        texts = tuple(sorted(value for value in values if isinstance(value, str)))
        if texts:
            yield Parameter(key, key, ParameterType.CHOICE, options=texts)
        else:
            yield Parameter(key, key, ParameterType.INTEGER, minimum=0, maximum=10)


def _occurrence(given: Given) -> OccurrenceId:
    if "occurrence" in given:
        return OccurrenceId(given["step"], given["occurrence"])
    return OccurrenceId.parse(given["step"])


def _anchor(given: Given | None) -> Anchor | None:
    if given is None:
        return None
    return Anchor(
        _occurrence(given),
        day(given.get("date")),
        day(given.get("earliest_from")),
        day(given.get("until")),
    )


def _performed(fact: Given, zone: ZoneInfo) -> Performed:
    done = local_date(instant(fact["at"]), zone) if "at" in fact else day(fact["on"])
    assert done is not None
    return Performed(_occurrence(fact), done)


def _reported(fact: Given) -> Reported:
    return Reported(
        fact["id"],
        date.fromisoformat(fact["on"]),
        agent=fact["agent"],
        body_site=fact.get("body_site"),
        laterality=fact.get("laterality"),
    )


def _other_plan(given: Given) -> OtherPlan:
    steps = tuple(
        OtherStep(step["key"], date.fromisoformat(step["date"]), step["kind"])
        for step in given["steps"]
    )
    return OtherPlan(given["id"], steps, given.get("body_site"), given.get("laterality"))


def _absence(given: Given) -> Absence:
    steps = frozenset(given["steps"]) if "steps" in given else None
    return Absence(given["id"], *_days(given), steps)


def protocol_of(given: Given) -> Protocol:
    """The protocol of a vector."""
    anchor = given.get("anchor")
    return Protocol(
        steps=tuple(_step(step, given.get("parameters", {})) for step in given["steps"]),
        anchor=OccurrenceId.parse(anchor["step"]).step if anchor else None,
        month_end=MonthEnd(given.get("month_end", "clamp")),
        parameters=tuple(_parameters(given)),
        rules=tuple(_rule(rule) for rule in given.get("rules", [])),
        drift_tolerance=given.get("drift_tolerance", 7),
    )


def problem_of(given: Given) -> Problem:
    """The problem of a vector."""
    zone = ZoneInfo(given["calendar"]["time_zone"])
    facts: dict[str, list[Given]] = {}
    for fact in given.get("facts", []):
        facts.setdefault(fact["type"], []).append(fact)
    plan = given.get("plan", {})
    return Problem(
        protocol=protocol_of(given),
        as_of=date.fromisoformat(given["as_of"]),
        calendar=calendar_of(given["calendar"]),
        parameters=given.get("parameters", {}),
        anchor=_anchor(given.get("anchor")),
        plan_start=day(given.get("plan_start")),
        birth_date=day(given.get("birth_date")),
        events={name: date.fromisoformat(on) for name, on in given.get("events", {}).items()},
        performed=tuple(_performed(fact, zone) for fact in facts.get("performed", [])),
        skipped=tuple(Skipped(_occurrence(fact)) for fact in facts.get("skipped", [])),
        pinned=tuple(
            Pinned(_occurrence(fact), date.fromisoformat(fact["on"]))
            for fact in facts.get("pinned", [])
        ),
        reported=tuple(_reported(fact) for fact in facts.get("reported", [])),
        kept=tuple(
            Kept(
                _occurrence(kept), date.fromisoformat(kept["date"]), Commitment(kept["commitment"])
            )
            for kept in given.get("kept", [])
        ),
        baseline={
            OccurrenceId.parse(text): date.fromisoformat(on)
            for text, on in given.get("baseline", {}).items()
        },
        absences=tuple(_absence(absence) for absence in given.get("unavailable", [])),
        other_plans=tuple(_other_plan(plan) for plan in given.get("other_plans", [])),
        body_site=plan.get("body_site"),
        laterality=plan.get("laterality"),
        waivers=tuple(Waiver(element) for element in given.get("waivers", [])),
    )
